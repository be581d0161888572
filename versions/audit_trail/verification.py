"""Verify the trail: every seal, and that every entry is in exactly one of them, as it was written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import numpy as np
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.audit_trail.blocks import Block, Blocks, Window
from spotify_ai_agent_migrations.versions.audit_trail.canonical import NO_SEAL, Seal
from spotify_ai_agent_migrations.versions.audit_trail.chain import Chain
from spotify_ai_agent_migrations.versions.audit_trail.digest import read_digests, without_cuts
from spotify_ai_agent_migrations.versions.audit_trail.fault import (
    Fault,
    Kind,
    Verification,
    about_entries,
    about_seal,
    listed,
)
from spotify_ai_agent_migrations.versions.audit_trail.reading import (
    QUERIES,
    copy_leaves,
    everything,
    is_current,
    read_seals,
    reading,
    recent,
)
from spotify_ai_agent_migrations.versions.audit_trail.spans import MOST_ENTRIES, Numbers, Spans, read_spans
from spotify_ai_agent_migrations.versions.core.errors import FileError, TableError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import Keyring, read_keyring

_PURPOSE: Final = "agentdb audit-trail verify"
_RESTORED: Final = "the database was restored since the last seal: `agentdb audit-trail seal` begins an epoch"
_STATEMENT_TIMEOUT_MS: Final = 6 * 3_600_000
# A partition holds entries by when they were written, a block by when their transactions ended.
_LATENESS: Final = timedelta(days=1)

Digests = Path | str | Iterable[Seal] | None


@dataclass(slots=True)
class Sealed:
    """What the seals that can be believed say, and everything that is wrong with them."""

    chain: Chain
    cutoff: datetime | None = None
    blocks: list[Block] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    seals: int = 0
    opened: bool = False
    first_xid: int | None = None
    places: int = 0
    epoch: int = 0

    def take(self, number: int, seal: Seal | None) -> None:
        """Check one seal, and note the block it made."""
        self.seals += 1
        believed = self.chain.take(number, seal)
        if seal is None:
            return
        opens, self.epoch = seal.epoch != self.epoch, seal.epoch
        self.opened = self.opened or opens
        self.first_xid = seal.first_xid if self.first_xid is None else min(self.first_xid, seal.first_xid)
        spans = _spans(seal)
        if spans is None:
            if believed:
                what = f"seal {number} counts other entries than it names"
                self.faults.append(about_seal(Kind.SEAL_EDITED, number, what))
            return
        self.blocks.append(Block(
            number, spans, seal.entry_count, seal.root, self.places if believed else -1,
            retires=self.cutoff is not None and seal.sealed_at < self.cutoff + _LATENESS,
            opens=opens and self.cutoff is not None,
        ))  # fmt: skip
        self.places += seal.entry_count if believed else 0


def verify(
    *,
    url: str | None = None,
    since: int | None = None,
    full: bool = False,
    public_key: Path | str | None = None,
    digests: Digests = None,
) -> Verification:
    """Verify the trail, and return everything that is wrong with it; nothing is written or locked.

    Args:
        url: in place of DATABASE_URL and .env.
        since: number of the last seal that was found good: it and all before it are not looked at again.
        full: every entry and every seal, whatever *since* says; without both, too.
        public_key: file of the public keys, PEM; without it signatures are said to be unchecked.
        digests: what was published, a file of digests or seals: finds what the holder of the key rewrote.

    Reads: the table once, from end to end, or by its index on xid with *since*.
    Space: 32 bytes an entry in a temporary file, and one in memory.

    Raises:
        TableError: the database has no seals.
        FileError: a key or a digest that cannot be read.
    """
    settings = resolve_settings(url, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    keys = read_keyring(Path(public_key)) if public_key is not None else None
    published = read_published(digests)
    with reading(settings, purpose=_PURPOSE) as connection:
        impostors = _impostors(connection)
        if impostors:
            return Verification(0, 0, None, 0, keys is not None, None, impostors)
        return _verified(connection, 0 if full else since or 0, keys, published)


def read_published(digests: Digests) -> Mapping[int, Seal]:
    """Return the seals that were published, by their numbers; of two with one number the first.

    What was published once is not taken back: whoever rewrites the trail has the sealer publish it again.

    Raises:
        FileError: cannot be read, holds none, or something else than digests of seals.
    """
    if digests is None:
        return {}
    if not isinstance(digests, Path | str):
        return _first_of_each(digests)
    path = Path(digests)
    try:
        with path.open(encoding="utf-8") as lines:
            found = _first_of_each(read_digests(without_cuts(lines), name=str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f'"{path}" cannot be read', hint="name a file of digests, one a line") from error
    if not found:
        raise FileError(
            f'"{path}" holds no digest, so nothing could be compared with it',
            hint="name the file that `agentdb audit-trail seal --append-to` writes, or leave it out",
        )
    return found


def window(sealed: Sealed, *, current: bool) -> Window:
    """Return of which transactions entries have to be sealed; of none where a new epoch is due."""
    last = sealed.chain.last
    return Window(
        first=0 if sealed.opened or sealed.first_xid is None else sealed.first_xid,
        last=last.horizon if last is not None and current else 0,
        gaps=tuple(sealed.chain.gaps),
    )


def _first_of_each(seals: Iterable[Seal]) -> Mapping[int, Seal]:
    found: dict[int, Seal] = {}
    for seal in seals:
        found.setdefault(seal.id, seal)
    return found


def _verified(
    connection: Connection, since: int, keys: Keyring | None, published: Mapping[int, Seal]
) -> Verification:
    sealed = _sealed(connection, since, keys, published)
    current = sealed.chain.last is not None and is_current(connection, sealed.chain.last)
    seen = window(sealed, current=current)
    whole = since == 0 or sealed.opened
    with tempfile.TemporaryFile() as file, connection.cursor() as cursor:
        blocks = Blocks(sealed.blocks, window=seen, file=file)
        if whole or sealed.first_xid is not None:
            last = sealed.chain.last
            condition = everything() if whole else recent(sealed.first_xid or 0, last.horizon if last else 0)
            copy_leaves(cursor, condition, blocks.take)
        foreign = _uncovered(connection, blocks.candidates(), since)
        faults = [*sealed.chain.faults, *sealed.faults, *blocks.faults(foreign)]
        faults += _unexplained(connection) if whole else []
    kept, more = listed(faults)
    return Verification(
        entries=blocks.entries,
        seals=sealed.seals,
        unsealed=blocks.unsealed if whole else None,
        retired=blocks.retired,
        signatures_checked=keys is not None,
        last_seal=sealed.chain.last,
        faults=kept,
        more_faults=more,
        notes=tuple(_notes(sealed.chain.last, published, since, current=current)),
    )


def _notes(last: Seal | None, published: Mapping[int, Seal], since: int, *, current: bool) -> Iterator[str]:
    if last is None:
        return
    if not current:
        yield _RESTORED
    # The seal that was good before may be known from elsewhere than from what was published.
    ends = max((number for number in published if number != since), default=None)
    if ends is not None and ends < last.id:
        yield f"what was published ends with seal {ends}: later ones stand on their signatures alone"


def _sealed(
    connection: Connection, since: int, keys: Keyring | None, published: Mapping[int, Seal]
) -> Sealed:
    hashes = {number: seal.hash for number, seal in published.items() if number >= since}
    # The seal that was good is looked at itself, that what follows is chained to something known.
    chain = Chain(keys=keys, published=hashes, since=max(since - 1, 0), hash_=None if since else NO_SEAL)
    sealed = Sealed(chain, cutoff=_cutoff(connection))
    for number, seal in read_seals(connection, since=max(since - 1, 0)):
        if number == since:
            chain.take(number, seal)
            sealed.epoch = seal.epoch if seal else 0
        else:
            sealed.take(number, seal)
    chain.end(anchored=max(since, _number(connection, "verify_last_anchor")))
    return sealed


def _spans(seal: Seal) -> Spans | None:
    try:
        spans = read_spans(seal.entry_ids)
    except ValueError:
        return None
    return spans if spans.size == seal.entry_count <= MOST_ENTRIES else None


def _uncovered(connection: Connection, candidates: Numbers, since: int) -> Numbers:
    """Return those of *candidates* that no seal up to *since* covers; the later ones were asked already."""
    if not since or not len(candidates):
        return candidates
    with connection.cursor() as cursor:
        values = {"candidates": candidates.tolist(), "since": since}
        cursor.execute(QUERIES["verify_uncovered"], values)
        return np.array([number for (number,) in cursor.fetchall()], np.int64)


def _unexplained(connection: Connection) -> list[Fault]:
    """Return redacted entries that no entry tells of, unless as many tellings were redacted themselves."""
    with connection.cursor() as cursor:
        cursor.execute(QUERIES["verify_unexplained"])
        numbers = [number for (number,) in cursor.fetchall()]
    if len(numbers) <= (_number(connection, "verify_tellings_redacted") if numbers else 0):
        return []
    what = "is redacted, and no entry tells of it"
    return [about_entries(Kind.UNEXPLAINED, None, number, number, what) for number in numbers]


def _impostors(connection: Connection) -> tuple[Fault, ...]:
    with connection.cursor() as cursor:
        cursor.execute(QUERIES["verify_impostors"])
        found = [name for (name,) in cursor.fetchall()]
    if "ops.audit_seal.id" in found and "ops.audit_seal.hash" in found:
        raise TableError(
            "the database has no seals of an audit trail", hint="agentdb upgrades it: alembic upgrade head"
        )
    what = "is not what the migrations made"
    return tuple(Fault(Kind.IMPOSTOR, None, None, None, f'"{name}" {what}') for name in found)


def _cutoff(connection: Connection) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(QUERIES["verify_cutoff"])
        found = cursor.fetchone()
    return found[0].astimezone(timezone.utc) if found and found[0] else None


def _number(connection: Connection, name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(QUERIES[name])
        (number,) = cursor.fetchone() or (0,)
    return int(number)
