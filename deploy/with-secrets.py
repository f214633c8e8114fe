"""Entry point of the image: puts files of secrets into the environment of the program that it becomes.

python deploy/with-secrets.py PROGRAM [ARGUMENT…]    # files in /run/secrets, or in the folder of CUEFLOW_SECRETS
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# A file to the settings that take what is in it.
_SETTINGS = {
    "api_auth": ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"),
    "database_url": ("PREFECT_SERVER_DATABASE_CONNECTION_URL",),
    "redis_url": ("PREFECT_REDIS_MESSAGING_URL", "PREFECT_SERVER_DOCKET_URL"),
    "store_key": ("AWS_ACCESS_KEY_ID",),
    "store_secret": ("AWS_SECRET_ACCESS_KEY",),
}


def main(command: list[str]) -> None:
    """Become the program; without one, say how this is used."""
    if not command:
        sys.exit(__doc__)
    folder = Path(os.environ.get("CUEFLOW_SECRETS", "/run/secrets"))
    for name, settings in _SETTINGS.items():
        if (folder / name).is_file():
            os.environ |= dict.fromkeys(settings, (folder / name).read_text(encoding="utf-8").strip())
    os.execvp(command[0], command)  # noqa: S606 - no shell: the program takes the place of this one


if __name__ == "__main__":
    main(sys.argv[1:])
