"""The folder of pages, shown to those who have the password of Prefect's server, on this machine only."""

from __future__ import annotations

import base64
import hmac
import threading
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cueflow.schemas.errors import ConfigError

HOST = "127.0.0.1"
PAGES_URL = "CUEFLOW_PAGES_URL"  # where runs say that their pages are


class _Pages(SimpleHTTPRequestHandler):
    """Files of one folder; no listings, nothing without the password."""

    def __init__(self, *given: Any, word: str, **options: Any) -> None:  # noqa: ANN401 - those of the library's handler
        self._word = f"Basic {base64.b64encode(word.encode()).decode()}"
        super().__init__(*given, **options)

    def send_head(self) -> Any:  # noqa: ANN401 - a file, as the library has it
        """Answer GET and HEAD."""
        if hmac.compare_digest(self.headers.get("Authorization", "").encode(), self._word.encode()):
            return super().send_head()
        self.send_response(HTTPStatus.UNAUTHORIZED)
        self.send_header("WWW-Authenticate", 'Basic realm="cueflow"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def list_directory(self, path: object) -> None:
        """Nobody needs one."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: object) -> None:
        """Names of pages are names of sessions: they are not logged."""


def show_pages(folder: Path, *, port: int, word: str) -> str:
    """Answer from a thread of this process, until it ends.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    port : int
        Where to listen, on this machine only; 0: any that is free.
    word : str
        The line to sign in with, `user:password`.

    Returns
    -------
    str
        Address.

    Raises
    ------
    ConfigError
        If the port is in use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        made = ThreadingHTTPServer((HOST, port), partial(_Pages, directory=str(folder), word=word))
    except OSError as error:
        raise ConfigError(f"Port {port} is in use: choose another with --pages-port.") from error
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return f"http://{HOST}:{made.server_port}"
