"""The keys of an erasure: one signs certificates and the ledger, others hash whom the ledger names.

None of them is ever in the database. For the local server of development they are made beside it when they
are first asked for; anywhere else a key that is not named is an error before anything is touched.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.signing import NamedKey, SigningKey, make_keys, write_new
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.files import exclusively
from spotify_ai_agent_migrations.versions.gdpr_erasure.suppression import HashKeys

SIGNING: Final = NamedKey(
    "ERASURE_SIGNING_KEY_FILE", "ERASURE_SIGNING_KEY", "certificates", "agentdb gdpr-erasure new-key"
)
LEDGER: Final = HashKeys("ERASURE_LEDGER_KEY_FILE", "ERASURE_LEDGER_KEY", "the people of the ledger")
LEDGER_FILE: Final = "ERASURE_LEDGER_FILE"
_KEY_BYTES: Final = 32


@dataclass(frozen=True)
class Keys:
    """What signs, what hashes (the key to write with first), and the file of the ledger, if there is one."""

    signing: SigningKey
    ledger: tuple[bytes, ...] = field(repr=False)
    ledger_file: Path | None = None


def keys_for(
    settings: Settings,
    *,
    key: SigningKey | Path | str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Keys:
    """Return the keys for the database of *settings*; *key* is in place of the one that is named.

    What the environment lacks is looked for in `.env`.

    Raises:
        SettingsError: one is not named, or is none.
        FileError: a file of one cannot be read, or holds something else.
    """
    known = {**read_dotenv(), **(os.environ if environ is None else environ)}
    if settings.source == "embedded":
        known |= _local(embedded.home(), known)
    signing = key if isinstance(key, SigningKey) else SIGNING.read(key, environ=known)
    ledger = known.get(LEDGER_FILE)
    return Keys(signing, LEDGER.read(known), Path(ledger) if ledger else None)


def make_ledger_key(file: Path) -> str:
    """Write a new key to hash with to *file*, which is not there yet; return the name that lines call it by.

    Raises:
        FileError: it is there, or cannot be written.
    """
    made = secrets.token_bytes(_KEY_BYTES)
    write_new(file, f"{made.hex()}\n".encode())
    return ledger_key_id(made)


def ledger_key_id(key: bytes) -> str:
    """Return the name of a key to hash with, which says nothing of it."""
    return hashlib.sha256(b"agentdb erasure ledger key 1\0" + key).hexdigest()[:16]


def _local(folder: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Return what *known* does not name for the local server, its keys made if they are not there yet."""
    found = {}
    with exclusively(folder / "erasure.lock"):
        if not (known.get(SIGNING.file_setting) or known.get(SIGNING.setting)):
            found[SIGNING.file_setting] = str(_made(folder / "erasure.key", _make_signing_key))
        if not (known.get(LEDGER.file_setting) or known.get(LEDGER.setting)):
            found[LEDGER.file_setting] = str(_made(folder / "erasure.ledger.key", make_ledger_key))
    return found if known.get(LEDGER_FILE) else {**found, LEDGER_FILE: str(folder / "erasures.ledger")}


def _made(file: Path, make: Callable[[Path], object]) -> Path:
    if not file.exists():
        make(file)
    return file


def _make_signing_key(file: Path) -> None:
    public = file.with_name(f"{file.name}.pub")
    # Without the private one it is of no use: left by a process that was killed between the two.
    public.unlink(missing_ok=True)
    make_keys(file, public)
