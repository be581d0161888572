"""Decide what an entry of the journal says, how entries are chained, and whether a journal is whole.

No database here, and no clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

Direction = Literal["upgrade", "downgrade", "stamp", "accept"]
# Those of a step that was tried; and, in production, what came of asking whether it may be.
State = Literal["started", "applied", "failed", "dirty", "refused", "allowed", "overridden"]


ANSWERS: Final = frozenset({"refused", "allowed", "overridden"})


@dataclass(frozen=True)
class Origin:
    """Who runs a command of this package, where and with what; the same for all its entries."""

    run: str
    git_commit: str | None
    os_user: str | None
    host: str
    application_version: str
    alembic_version: str
    sqlalchemy_version: str


@dataclass(frozen=True)
class Entry:
    """One entry: what happened to a revision, or which exception was made and why.

    `checksum` is of the file, `code` of what it makes Python do; `fingerprint_before` and
    `fingerprint_after` are of the schema. `heads_after` is where the database is then, "" for base, and
    None where the entry moves it nowhere. `locks` maps a relation that existed before to the modes it was
    locked in. `statement` holds no literal. `details` are what a gate decided on: JSON, without numbers that
    are not whole.
    """

    direction: Direction
    state: State
    revision: str | None = None
    checksum: str | None = None
    code: str | None = None
    duration_ms: int | None = None
    sqlstate: str | None = None
    statement: str | None = None
    locks: Mapping[str, list[str]] | None = None
    fingerprint_before: str | None = None
    fingerprint_after: str | None = None
    heads_after: str | None = None
    reason: str | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Written:
    """An entry as it stands in the journal; `at` is in UTC with microseconds, `hash` over all the rest."""

    id: int
    at: str
    database_user: str
    server_version: str
    origin: Origin
    entry: Entry
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class End:
    """Where the journal ends by its own account: how many entries, and the hash of the last."""

    entries: int
    head: str


@dataclass(frozen=True)
class Fault:
    """Something about a journal that is not as it was written; `id` is the entry it shows at."""

    id: int
    problem: str

    def __str__(self) -> str:
        return f"entry {self.id}: {self.problem}"


GENESIS: Final = End(entries=0, head="0" * 64)

COLUMNS: Final = tuple(
    field.name
    for kind in (Written, Origin, Entry)
    for field in fields(kind)
    if field.name not in {"origin", "entry"}
)


def columns_of(written: Written) -> dict[str, Any]:
    """Return the columns of an entry by their names."""
    flat = asdict(written)
    return {**flat.pop("origin"), **flat.pop("entry"), **flat}


def from_columns(row: Mapping[str, Any]) -> Written:
    """Return the entry that a row of the journal holds."""
    own = {name: row[name] for name in row if name in {field.name for field in fields(Written)}}
    return Written(**own, origin=_part(Origin, row), entry=_part(Entry, row))


def _part(kind: type[Any], row: Mapping[str, Any]) -> Any:  # noqa: ANN401  (either of two)
    return kind(**{field.name: row[field.name] for field in fields(kind)})


def sealed(
    entry: Entry, origin: Origin, end: End, *, at: str, database_user: str, server_version: str
) -> Written:
    """Return *entry* as the one that follows *end*."""
    unsealed = Written(
        id=end.entries + 1,
        at=at,
        database_user=database_user,
        server_version=server_version,
        origin=origin,
        entry=entry,
        previous_hash=end.head,
        hash="",
    )
    return Written(**{**vars(unsealed), "hash": seal(unsealed)})


def seal(written: Written) -> str:
    """Return the SHA-256 over every column of an entry but its own hash, in hexadecimal."""
    covered = {name: value for name, value in columns_of(written).items() if name != "hash"}
    text = json.dumps(covered, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def verify(entries: Iterable[Written], end: End, heads: Iterable[str] | None) -> Iterator[Fault]:
    """Yield what is wrong with a journal whose end is recorded as *end*, in a database at *heads*.

    An edited entry does not match its hash; one that was deleted or moved breaks the chain behind it; where
    the last ones are gone, the recorded end shows it. Whoever can write all of it can write it anew: keep the
    hash of the last entry elsewhere to see that too. Without *heads* it is not asked where the database is.
    Each entry is looked at once and not kept.
    """
    previous, expected, count = GENESIS.head, 1, 0
    at: tuple[str, ...] = ()
    for written in entries:
        if written.id != expected:
            yield Fault(written.id, f"entry {expected} should stand here; what was between is gone or moved")
        elif written.previous_hash != previous:
            yield Fault(written.id, "does not follow from the entry before it")
        if written.hash != seal(written):
            yield Fault(written.id, "is not what was written: its hash is another")
        previous, expected, count = written.hash, written.id + 1, count + 1
        if written.entry.heads_after is not None:
            at = tuple(written.entry.heads_after.split(",")) if written.entry.heads_after else ()
    if End(count, previous) != end:
        yield Fault(
            expected - 1, f"the journal ends here, and {_count(end.entries)} were written: the end is another"
        )
    if heads is not None and (now := tuple(sorted(heads))) != at:
        yield Fault(expected - 1, f"the database is at {_shown(now)}, and the journal says {_shown(at)}")


def unfinished(entries: Sequence[Written]) -> Written | None:
    """Return the last attempt if nothing says how it ended: its process was killed."""
    tried = [
        written
        for written in entries
        if written.entry.state not in ANSWERS and written.entry.direction != "accept"
    ]
    return tried[-1] if tried and tried[-1].entry.state == "started" else None


def _shown(heads: tuple[str, ...]) -> str:
    return ", ".join(heads) or "base"


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"
