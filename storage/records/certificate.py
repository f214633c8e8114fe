"""Certificates of erasure: what was erased, without saying whose, signed with Ed25519.

The key is made at the first erasure and stays with the account that erases (CUEFLOW_SIGNING_KEY names another file).
Whoever has the public key can check a certificate; whoever knows the id can check that it is about that person: the
certificate holds a salted scrypt hash of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.schemas.errors import TablesError
from cueflow.storage.atomic import replace_bytes
from cueflow.storage.layout import state_dir

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = "CUEFLOW_SIGNING_KEY"


def salted(identity: str, salt: str) -> str:
    """Slow hash of an id, 64 bytes in hexadecimal: with the salt, who knows the id can check it."""
    return hashlib.scrypt(identity.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()


def new_salt() -> str:
    """A fresh salt."""
    return secrets.token_hex(16)


def is_about(said: Mapping[str, Any], identity: str) -> bool:
    """Whether a note or certificate is about an id."""
    salt, known = said.get("salt"), said.get("subject_scrypt")
    return bool(salt and known) and hmac.compare_digest(salted(identity, str(salt)), str(known))


def certificates_dir(root: Path) -> Path:
    """Folder of the certificates of a folder of tables."""
    return state_dir(root) / "certificates"


def sign(root: Path, said: Mapping[str, Any]) -> Path:
    """Write a signed certificate.

    Parameters
    ----------
    root : Path
        TABLES.
    said : mapping
        What it says; no identity.

    Returns
    -------
    Path
        `.cueflow/certificates/<first 16 digits of its hash>.json`. A key that cannot be read is a `TablesError`.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key, text = _key(), _canonical(said)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    whole = {
        "certificate": said,
        "algorithm": "Ed25519",
        "public_key": base64.b64encode(public).decode(),
        "signature": base64.b64encode(key.sign(text)).decode(),
    }
    path = certificates_dir(root) / f"{hashlib.sha256(text).hexdigest()[:16]}.json"
    replace_bytes(path, json.dumps(whole, indent=1, sort_keys=True).encode())
    return path


def verify(path: Path) -> dict[str, Any]:
    """Check a certificate against its signature.

    Parameters
    ----------
    path : Path
        A certificate.

    Returns
    -------
    dict
        What it says.

    Raises
    ------
    TablesError
        If it is none, or was changed after it was signed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        whole = json.loads(path.read_bytes())
        said = dict(whole["certificate"])
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(whole["public_key"], validate=True))
        public.verify(base64.b64decode(whole["signature"], validate=True), _canonical(said))
    except InvalidSignature as error:
        raise TablesError(f"{path.name}: the certificate was changed after it was signed.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TablesError(f"{path.name}: not a certificate of erasure.") from error
    return said


def _canonical(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _key() -> Ed25519PrivateKey:
    """The account's signing key, made where there is none.

    Raises
    ------
    TablesError
        If the file holds no Ed25519 key, or cannot be read or written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = Path(os.environ.get(KEY) or home / "cueflow" / "signing.pem")
    try:
        if not path.is_file():
            _write_key(path)
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise TablesError(f"The signing key cannot be read or made: set {KEY} to a file that can.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TablesError(f"The signing key that {KEY} names is not an Ed25519 key.")
    return key


def _write_key(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(made)
