"""The public keys that seals are checked with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from spotify_ai_agent_migrations.versions.core.errors import FileError

KEY_ID_LENGTH: Final = 16
_BLOCKS: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)

Keyring = Mapping[str, Ed25519PublicKey]


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name of *key* in seals: the beginning of the hash of its bytes."""
    return sha256(key.public_bytes_raw()).hexdigest()[:KEY_ID_LENGTH]


def read_keyring(path: Path) -> Keyring:
    """Return the public keys of *path*, one PEM block each, by their names.

    Raises:
        FileError: cannot be read, or holds something else than public keys of Ed25519.
    """
    try:
        blocks = _BLOCKS.findall(path.read_bytes())
    except OSError as error:
        raise FileError(
            f'"{path}" cannot be read: {error.strerror}', hint="name the file of the public keys"
        ) from error
    keys = [_public_key(block, path) for block in blocks]
    if not keys:
        raise FileError(
            f'"{path}" holds no public key', hint="`agentdb audit-trail new-key` writes one beside the key"
        )
    return {key_id(key): key for key in keys}


def signed(keys: Keyring, name: str, signature: bytes, data: bytes) -> bool:
    """Tell whether the key called *name* is known and made the *signature* of *data*."""
    key = keys.get(name)
    if key is None:
        return False
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _public_key(block: bytes, path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(block)
    except ValueError as error:
        raise FileError(
            f'"{path}" holds a public key that cannot be read', hint="it has to be Ed25519 in PEM"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise FileError(f'"{path}" holds a key that is not of Ed25519', hint="seals are signed with Ed25519")
    return key
