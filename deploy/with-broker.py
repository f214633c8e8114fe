"""Runs a program for as long as the broker lives, and ends with it; the restart policy then starts it again.

python deploy/with-broker.py PROGRAM [ARGUMENT…]

Prefect's background services do not recover where Redis was away: they go on, and mark no dead runs any more.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from urllib.parse import urlsplit

_STOP_LIMIT_S = 10.0


def main(command: list[str]) -> None:
    """Run the program; where the connection to the broker breaks, end it."""
    if not command:
        sys.exit(__doc__)
    broker = urlsplit(os.environ["PREFECT_REDIS_MESSAGING_URL"])
    with socket.create_connection((broker.hostname, broker.port or 6379), timeout=30.0) as line:
        process = subprocess.Popen(command)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        line.settimeout(1.0)
        while process.poll() is None and _alive(line):
            pass
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_LIMIT_S)
    process.kill()
    sys.exit(process.wait() or 1)


def _alive(line: socket.socket) -> bool:
    """Whether a connection that nothing is ever sent over still stands, a second later."""
    try:
        return bool(line.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
