"""The public keys that seals are checked with: all that ever signed one, in one file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from spotify_ai_agent_migrations.versions.audit_trail.keys import PublicKey
from spotify_ai_agent_migrations.versions.core.errors import FileError

_BLOCKS: Final = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)

Keyring = Mapping[str, PublicKey]


def read_keyring(path: Path) -> Keyring:
    """Return the public keys of *path*, one PEM block each, by the names that seals call them by.

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
        raise _unusable(path)
    return {key.key_id: key for key in keys}


def is_signed(keys: Keyring, name: str, signature: bytes, data: bytes) -> bool:
    """Tell whether the key called *name* is known and made the *signature* of *data*."""
    return name in keys and keys[name].has_signed(data, signature)


def _public_key(block: bytes, path: Path) -> PublicKey:
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_pem_public_key(block)
        if isinstance(key, Ed25519PublicKey):
            return PublicKey(key)
    raise _unusable(path)


def _unusable(path: Path) -> FileError:
    return FileError(
        f'"{path}" holds something else than public keys of Ed25519 in PEM',
        hint="`agentdb audit-trail new-key` writes one beside the private key",
    )
