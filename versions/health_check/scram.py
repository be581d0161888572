"""Show that one knows a password without saying it: SCRAM-SHA-256 of RFC 7677. No connection here.

A server says in a code why it lets nobody in only to who has shown that; the driver hears it in words.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata

NAME = "SCRAM-SHA-256"
# What a server asks for that wants more is a second of work, in which no deadline holds.
_MOST_ROUNDS = 100_000


class UnfitError(Exception):
    """What the server says is no challenge that can be met in time."""


def opening(nonce: str) -> str:
    """Return what is said first, without a name: PostgreSQL takes the one that it was told before."""
    return f"n,,{_bare(nonce)}"


def answer(challenge: str, *, nonce: str, password: str, bare: str | None = None) -> str:
    """Return what meets *challenge*, which the server made of *nonce*; *bare* is what was said first.

    Raises:
        UnfitError: it was not made of that, or takes too long to meet.
    """
    said = dict(part.split("=", 1) for part in challenge.split(",") if part[1:2] == "=")
    rounds = int(said["i"]) if said.get("i", "").isdecimal() else 0
    both = said.get("r", "")
    if not both.startswith(nonce) or not 0 < rounds <= _MOST_ROUNDS:
        raise UnfitError
    spoken = f"c=biws,r={both}"
    signed = f"{bare or _bare(nonce)},{challenge},{spoken}".encode()
    prepared = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", prepared, base64.b64decode(said.get("s", "")), rounds)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
    proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
    return f"{spoken},p={base64.b64encode(proof).decode()}"


def _bare(nonce: str) -> str:
    return f"n=,r={nonce}"
