"""The keys that seals are signed with: made, read from a file or the environment, never from the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError
from spotify_ai_agent_migrations.versions.core.settings import read_dotenv

KEY_FILE: Final = "AUDIT_SIGNING_KEY_FILE"
KEY: Final = "AUDIT_SIGNING_KEY"
_ID_DIGITS: Final = 16
_MAKE: Final = "`agentdb audit-trail new-key` makes a pair"
_OWNER_ONLY: Final = 0o600
_READABLE: Final = 0o644


@dataclass(frozen=True)
class PublicKey:
    """What signatures are verified with; whoever has it can sign nothing."""

    key: Ed25519PublicKey

    @property
    def key_id(self) -> str:
        """The beginning of its hash, by which a seal names it."""
        raw = self.key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return sha256(raw).hexdigest()[:_ID_DIGITS]

    @property
    def pem(self) -> bytes:
        """It, as it stands in a file."""
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_bytes(serialization.Encoding.PEM, kind)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether *signature* is that of *message* by the private key that belongs to this one."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """What seals are signed with; it stays out of `repr`."""

    key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The key that its signatures are verified with."""
        return PublicKey(self.key.public_key())

    @property
    def key_id(self) -> str:
        """The name that a seal calls it by."""
        return self.public.key_id

    def sign(self, message: bytes) -> bytes:
        """Return the signature of *message*, 64 bytes."""
        return self.key.sign(message)


def make_keys(private: Path, public: Path) -> SigningKey:
    """Write a new pair of keys to two files that are not there yet, and return it.

    Raises:
        FileError: one is there, or cannot be written; neither is left half-written.
    """
    made = SigningKey(Ed25519PrivateKey.generate())
    _write(private, _private_pem(made), _OWNER_ONLY)
    try:
        _write(public, made.public.pem, _READABLE)
    except FileError:
        private.unlink()
        raise
    return made


def signing_key(file: Path | str | None = None, *, environ: Mapping[str, str] | None = None) -> SigningKey:
    """Return the key in *file*, the file that AUDIT_SIGNING_KEY_FILE names, or AUDIT_SIGNING_KEY itself.

    What the environment lacks is looked for in `.env`.

    Raises:
        SettingsError: none is named, or what AUDIT_SIGNING_KEY holds is none.
        FileError: the file cannot be read, or holds something else.
    """
    known = {**read_dotenv(), **(os.environ if environ is None else environ)}
    named = file or known.get(KEY_FILE)
    if named:
        return _private(_read(Path(named)), FileError(_unusable(Path(named)), hint=_MAKE))
    if known.get(KEY):
        # A line end that got into a variable as two characters is one all the same.
        text = known[KEY].replace("\\n", "\n").encode()
        return _private(text, SettingsError(f"{KEY} holds no private key of Ed25519 in PEM", hint=_MAKE))
    raise SettingsError(
        "no key to sign seals with was named", hint=f"say --key FILE, or set {KEY_FILE} or {KEY}; {_MAKE}"
    )


def _private(text: bytes, refusal: FileError | SettingsError) -> SigningKey:
    # A key that is itself behind a password is a TypeError.
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = serialization.load_pem_private_key(text, password=None)
        if isinstance(key, Ed25519PrivateKey):
            return SigningKey(key)
    raise refusal


def _private_pem(key: SigningKey) -> bytes:
    return key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be read: {error.strerror}', hint=f"name the file of a key; {_MAKE}"
        ) from error


def _write(file: Path, text: bytes, mode: int) -> None:
    try:
        # Never over a key that is there: what it signed could not be verified any more.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be made: {error.strerror}', hint="name a file that is not there yet"
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)
    except OSError as error:
        file.unlink()
        raise FileError(
            f'"{file}" cannot be written: {error.strerror}', hint="name a file on a disk that has room"
        ) from error


def _unusable(file: Path) -> str:
    return f'"{file}" holds no private key of Ed25519 in PEM without a password'
