"""Cut a table into ranges of keys, by a sample of its pages, and remember how far each is filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.extras import Json
from psycopg2.sql import Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change
from spotify_ai_agent_migrations.versions.zero_downtime_migration.row_order import At, Key, Part, said
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Row, Session

# Less is not worth a session of its own; more ranges than workers, so that these end together.
_LEAST_BYTES: Final = 4 << 20
_EACH: Final = 4
_SAMPLED_BYTES: Final = 1 << 19


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


def unfinished(session: Session, change: Change, place: int, parts: Sequence[Part]) -> tuple[Range, ...]:
    """Return the ranges that a step has still to fill; one whose table is gone has nothing to fill."""
    keys = {part.name: part.key for part in parts}
    found = []
    for number, table, low, high, reached, batch_rows in session.ask("ranges_of", id=change.id, place=place):
        if table in keys:
            found.append(Range(number, table, keys[table], low, high, reached, batch_rows))
        else:
            gone = {"at": None, "walked": 0, "rows": 0, "batch_rows": None, "ended": True}
            session.ask("range_at", id=change.id, place=place, number=number, **gone)
    return tuple(found)


def make(
    session: Session, change: Change, place: int, parts: Sequence[Part], workers: int, lows: Mapping[str, At]
) -> None:
    """Remember the ranges of all parts up to the last key that is there now; none of a part without rows.

    Of a part that has a key in *lows*, what is behind it. All at once: of what was killed meanwhile, nothing
    is remembered.
    """

    def each() -> None:
        for part in parts:
            for low, high, estimate in _cut(session, part, workers, lows.get(part.name)):
                values = {"low": low and Json(list(low)), "high": Json(list(high)), "estimate": estimate}
                session.ask("make_range", id=change.id, place=place, table=part.name, **values)

    session.once(each)


def _cut(session: Session, part: Part, workers: int, low: At | None) -> list[tuple[At | None, At, int]]:
    """Return ranges of a part, each from behind a key to another, with about how many rows it has."""
    last = session.ask(said(session, "last_key", part.name, part.key))
    if not last or (low and list(low) == list(last[0])):
        return []
    if low:
        return [(low, last[0], 0)]
    pieces = 1 if workers == 1 else min(workers * _EACH, max(1, part.size_bytes // _LEAST_BYTES))
    percent = min(100.0, 100.0 * _SAMPLED_BYTES * pieces / max(1, part.size_bytes))
    sample = {"percent": Literal(percent)}
    many = session.value(said(session, "sampled_count", part.name, part.key, **sample))
    cuts: list[Row] = []
    if pieces > 1:
        statement = said(session, "sampled_keys", part.name, part.key, pieces=Literal(pieces), **sample)
        cuts = session.ask(statement)[:-1]
    estimate = int(many * 100 / percent) // (len(cuts) + 1)
    return [(behind, upto, estimate) for behind, upto in zip((None, *cuts), (*cuts, last[0]), strict=True)]
