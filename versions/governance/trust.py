"""Say which receipts production believes: whose keys, where they lie, and how old they may be.

Nothing from a receipt. Keys and age come from the environment of the process alone: `.env` may lie in the
checkout, and whoever can write there is not to say who is believed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.envelope import Envelope, opened
from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError
from spotify_ai_agent_migrations.versions.core.signing import Keyring, NamedKey, read_keyring
from spotify_ai_agent_migrations.versions.governance.receipts import Receipt, read_receipt, receipt_id
from spotify_ai_agent_migrations.versions.governance.revision import HERE

KEYS: Final = "MIGRATIONS_RECEIPT_KEYS"
FOLDER: Final = "MIGRATIONS_RECEIPTS"
MOST_AGE: Final = "MIGRATIONS_RECEIPT_MAX_AGE_HOURS"
SIGNING: Final = NamedKey(
    "MIGRATIONS_RECEIPT_KEY_FILE", "MIGRATIONS_RECEIPT_KEY", "receipts", "agentdb governance new-key"
)

_MOST_AGE_H: Final = 7 * 24
# Of a file that says it is larger, nothing is read.
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Held:
    """A file among the receipts: which accepted key signed it, if one did, and what it says, if anything."""

    file_name: str
    id: str = ""
    key_id: str | None = None
    receipt: Receipt | None = None


@dataclass(frozen=True)
class Trust:
    """What production believes; `trouble` says why it believes nothing."""

    keys: Keyring = field(default_factory=lambda: MappingProxyType({}))
    trouble: str = ""
    folder: Path = HERE / "RECEIPTS"
    most_age_h: int = _MOST_AGE_H

    def held(self) -> tuple[Held, ...]:
        """Return the receipts that lie there, newest first; a file that is none is among them.

        Raises:
            FileError: the folder cannot be read.
        """
        found = [_held(file, self.keys) for file in self._files()]
        return tuple(sorted(found, key=lambda one: one.receipt.at if one.receipt else "", reverse=True))

    def _files(self) -> list[Path]:
        try:
            return sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        except OSError as error:
            raise FileError(
                f'the receipts in "{self.folder}" cannot be read: {error.strerror}',
                hint=f"let this user read the folder that {FOLDER} names",
            ) from error


def read_trust(environ: Mapping[str, str] | None = None) -> Trust:
    """Return what production is set to believe.

    Raises:
        SettingsError: the greatest age is no number of hours, or only `.env` says it.
    """
    process, dotenv = os.environ if environ is None else environ, read_dotenv()
    if dotenv.get(MOST_AGE) and not process.get(MOST_AGE):
        raise SettingsError(
            f"{MOST_AGE} is said in .env, which whoever writes the checkout may write",
            hint=f"set {MOST_AGE} in the environment; {dotenv[MOST_AGE]} in .env does not count",
        )
    hours = process.get(MOST_AGE) or str(_MOST_AGE_H)
    if not (hours.isascii() and hours.isdecimal()) or not 0 < int(hours) < 1_000_000:
        problem = f'{MOST_AGE} is "{hours}", which is no number of hours'
        raise SettingsError(problem, hint=f"set {MOST_AGE}={_MOST_AGE_H}")
    keys, trouble = _keys(process.get(KEYS), dotenv.get(KEYS))
    return Trust(keys, trouble, receipts_folder(process), int(hours))


def receipts_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return where receipts lie, by the environment or `.env`: they are believed for their signature."""
    known = {**read_dotenv(), **(os.environ if environ is None else environ)}
    return Path(known.get(FOLDER) or Trust.folder)


def _keys(file: str | None, ignored: str | None) -> tuple[Keyring, str]:
    if not file:
        aside = f'; "{ignored}" in .env does not count: set it in the environment' if ignored else ""
        return {}, f"{KEYS} names no file of public keys{aside}"
    try:
        return read_keyring(Path(file)), ""
    except FileError as error:
        return {}, error.problem


def _held(file: Path, keys: Keyring) -> Held:
    # A name may hold bytes that are no text, which neither a message nor the journal can.
    name = file.name.encode("utf-8", "replace").decode()
    envelope = _opened(file)
    if envelope is None:
        return Held(name)
    return Held(name, receipt_id(envelope.payload), envelope.signed_by(keys), read_receipt(envelope))


def _opened(file: Path) -> Envelope | None:
    try:
        # To read a pipe would wait for whoever writes into it.
        if not file.is_file():
            return None
        with file.open("rb") as reading:
            text = reading.read(_MOST_BYTES + 1)
    except OSError:
        return None
    return opened(text) if len(text) <= _MOST_BYTES else None
