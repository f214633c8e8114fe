"""The password of Prefect's server: made once, kept in a file that only its owner may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cueflow.schemas.errors import ConfigError

AUTH = "PREFECT_SERVER_API_AUTH_STRING"
_CLIENT = "PREFECT_API_AUTH_STRING"


def sign_in() -> Path | None:
    """Have the server and its clients ask for a password: the one of the environment, or one of our own.

    Must come before Prefect is imported, which reads the environment then.

    Returns
    -------
    Path or None
        File that holds the line to sign in with; None where the environment has one.
    """
    given = os.environ.get(AUTH, "")
    path = None if given else password_file()
    line = given or _kept(password_file())
    os.environ[AUTH] = os.environ[_CLIENT] = line
    return path


def password_file() -> Path:
    """Where the line to sign in with lies: beside Prefect's database."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser() / "cueflow-password"


def _kept(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        line = path.read_text(encoding="ascii").strip()
        if path.stat().st_mode & 0o077 or ":" not in line:
            message = "The file cueflow-password in Prefect's home must hold user:password, for its owner only."
            raise ConfigError(f"{message} Mend it, or delete it for a new one.") from None
        return line
    with os.fdopen(handle, "w", encoding="ascii") as file:
        line = f"cueflow:{secrets.token_urlsafe(24)}"
        file.write(f"{line}\n")
    return line
