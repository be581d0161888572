"""Keys of Ed25519: made, read from a file or the environment, never from a database; and what verifies."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError

_ID_DIGITS: Final = 16
_OWNER_ONLY: Final = 0o600
_READABLE: Final = 0o644
_BLOCKS: Final = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


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


Keyring = Mapping[str, PublicKey]


@dataclass(frozen=True)
class NamedKey:
    """Where the private key for one purpose is named.

    file_setting, setting: variables that hold the name of its file, and the key itself.
    signs: what it signs, in the plural. making: which command makes a pair.
    """

    file_setting: str
    setting: str
    signs: str
    making: str

    def read(self, file: Path | str | None = None, *, environ: Mapping[str, str] | None = None) -> SigningKey:
        """Return the key in *file*, in the file that the first variable names, or the second itself.

        What the environment lacks is looked for in `.env`.

        Raises:
            SettingsError: none is named, or what the variable holds is none.
            FileError: the file cannot be read, or holds something else.
        """
        known = {**read_dotenv(), **(os.environ if environ is None else environ)}
        named = file or known.get(self.file_setting)
        if named:
            text = _read(Path(named), hint=f"name the file of a key; {self.made}")
            return _private(text, FileError(_unusable(Path(named)), hint=self.made))
        if known.get(self.setting):
            # A line end that got into a variable as two characters is one all the same.
            text = known[self.setting].replace("\\n", "\n").encode()
            problem = f"{self.setting} holds no private key of Ed25519 in PEM"
            return _private(text, SettingsError(problem, hint=self.made))
        raise SettingsError(
            f"no key to sign {self.signs} with was named",
            hint=f"say --key FILE, or set {self.file_setting} or {self.setting}; {self.made}",
        )

    @property
    def made(self) -> str:
        """How to come by one."""
        return f"`{self.making}` makes a pair"


def read_keyring(path: Path) -> Keyring:
    """Return the public keys of *path*, one PEM block each, by the names that signatures call them by.

    Raises:
        FileError: cannot be read, or holds something else than public keys of Ed25519.
    """
    blocks = _BLOCKS.findall(_read(path, hint="name the file of the public keys"))
    keys = [_public_key(block, path) for block in blocks]
    if not keys:
        raise _no_public_keys(path)
    return {key.key_id: key for key in keys}


def make_keys(private: Path, public: Path) -> SigningKey:
    """Write a new pair of keys to two files that are not there yet, and return it.

    Raises:
        FileError: one is there, or cannot be written; neither is left half-written.
    """
    made = SigningKey(Ed25519PrivateKey.generate())
    write_new(private, _private_pem(made))
    try:
        write_new(public, made.public.pem, mode=_READABLE)
    except FileError:
        private.unlink()
        raise
    return made


def write_new(file: Path, text: bytes, *, mode: int = _OWNER_ONLY) -> None:
    """Write *text* to a file that is not there yet, for its owner alone; it is whole, or not there.

    Raises:
        FileError: it is there, or cannot be written.
    """
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


def is_signed(keys: Keyring, name: str, signature: bytes, data: bytes) -> bool:
    """Tell whether the key called *name* is known and made the *signature* of *data*."""
    return name in keys and keys[name].has_signed(data, signature)


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


def _public_key(block: bytes, path: Path) -> PublicKey:
    with suppress(ValueError, UnsupportedAlgorithm):
        key = serialization.load_pem_public_key(block)
        if isinstance(key, Ed25519PublicKey):
            return PublicKey(key)
    raise _no_public_keys(path)


def _no_public_keys(path: Path) -> FileError:
    return FileError(
        f'"{path}" holds something else than public keys of Ed25519 in PEM',
        hint="what makes a pair writes one beside the private key",
    )


def _read(file: Path, *, hint: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise FileError(f'"{file}" cannot be read: {error.strerror}', hint=hint) from error
