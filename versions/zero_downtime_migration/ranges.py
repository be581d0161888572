"""Cut a table into ranges of keys, by a sample of its pages, and remember how far each is filled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from psycopg2.extras import Json
from psycopg2.sql import Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.walkable import At, Key, Part, said

# Less is not worth a session of its own; more ranges than workers, so that these end together.
_LEAST_BYTES: Final = 4 << 20
_EACH: Final = 4
_SAMPLED_BYTES: Final = 2 << 20


@dataclass(frozen=True)
class Range:
    """A range of one table: from behind `low` to `high`; `reached` is the last key that is filled."""

    number: int
    table: str
    key: Key
    low: At | None
    high: At | None
    reached: At | None
    batch_rows: int | None

    @property
    def at(self) -> At | None:
        """The key behind which it goes on."""
        return self.low if self.reached is None else self.reached


def unfinished(session: Session, change: Change, place: int, parts: tuple[Part, ...]) -> tuple[Range, ...]:
    """Return the ranges that a step has still to fill; one whose table is gone has nothing to fill."""
    keys = {part.name: part.key for part in parts}
    found = []
    for number, table, low, high, reached, batch_rows in session.ask("ranges_of", id=change.id, place=place):
        if table in keys:
            found.append(Range(number, table, keys[table], low, high, reached, batch_rows))
        else:
            session.ask("end_range", id=change.id, place=place, number=number)
    return tuple(found)


def make(session: Session, change: Change, place: int, parts: tuple[Part, ...], workers: int) -> None:
    """Remember the ranges of all parts up to the last key that is there now; none of a part without rows.

    All at once: of what was killed meanwhile, nothing is remembered.
    """
    session.once(lambda: [_make(session, change, place, part, workers) for part in parts])


def _make(session: Session, change: Change, place: int, part: Part, workers: int) -> None:
    last = session.ask(said(session, "last_key", part.name, part.key))
    if not last:
        return
    pieces = 1 if workers == 1 else min(workers * _EACH, max(1, part.size_bytes // _LEAST_BYTES))
    cuts, estimate = _sampled(session, part, pieces)
    bounds = [None, *cuts, list(last[0])]
    for low, high in pairwise(bounds):
        values = {"low": low and Json(low), "high": Json(high), "estimate": estimate // (len(cuts) + 1)}
        session.ask("make_range", id=change.id, place=place, table=part.name, **values)


def _sampled(session: Session, part: Part, pieces: int) -> tuple[list[list[str]], int]:
    """Return keys between *pieces* of about as many rows each, and about how many rows there are."""
    percent = min(100.0, 100.0 * _SAMPLED_BYTES * pieces / max(1, part.size_bytes))
    statement = said(
        session, "sampled_keys", part.name, part.key, pieces=Literal(pieces), percent=Literal(percent)
    )
    rows = session.ask(statement)
    estimate = int(rows[0][0] * 100 / percent) if rows else 0
    return [list(row[1:]) for row in rows[:-1]], estimate
