"""Encrypt a few bytes so that a change to them or to what they belong to is noticed. No database here."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID_DIGITS: Final = 16


def derived(key: bytes, purpose: bytes) -> bytes:
    """Return the key that *key* gives for one purpose, from which neither it nor another follows."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def key_id(key: bytes) -> str:
    """Return the name of a key, which says nothing of it."""
    return sha256(b"agentdb encryption key 1\x00" + key).hexdigest()[:_ID_DIGITS]


def sealed(key: bytes, plain: bytes, about: bytes) -> bytes:
    """Return *plain* encrypted (AES-256-GCM), to be opened with the same *key* and *about* alone."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def opened(key: bytes, text: bytes, about: bytes) -> bytes | None:
    """Return what was sealed; None where the key or *about* is another, or a byte was changed."""
    with suppress(InvalidTag, ValueError):
        return AESGCM(key).decrypt(text[:_NONCE_BYTES], text[_NONCE_BYTES:], about)
    return None
