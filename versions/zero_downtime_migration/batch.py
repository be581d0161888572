"""Write one batch: the next so many rows along the key, in one transaction with how far it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2.extras import Json
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.ranges import Range
from spotify_ai_agent_migrations.versions.zero_downtime_migration.row_order import (
    At,
    Key,
    require_progress,
    said,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.two_way_sync import FILLING, filled

# Nobody has looked yet how the values are spread: the plan that walks the index is right whatever they are.
ALONG_THE_KEY: Final[Mapping[str, str]] = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "jit": "off",
}
_QUIET: Final = {"session_replication_role": "replica"}
# What a crash of the server loses of it, it loses with how far it came.
_NOT_AWAITED: Final = {"synchronous_commit": "off"}
# From a row for every second whole number on, the next key is reckoned and not looked for.
_DENSE: Final = 0.5


@dataclass(frozen=True)
class Job:
    """What a step is to write, where its progress is kept, and the settings of each batch."""

    change_id: int
    place: int
    fill: Fill
    settings: Mapping[str, str]

    def of(self, number: int) -> dict[str, int]:
        """Where the ledger has a range of it."""
        return {"id": self.change_id, "place": self.place, "number": number}

    @property
    def begin(self) -> Composable:
        """What begins a batch."""
        return SQL("; ").join([SQL("BEGIN"), *settings_of(self.settings)])


def job(change_id: int, place: int, fill: Fill, lock_timeout_ms: int, *, quiet: bool) -> Job:
    """Return a job whose batches wait for a row for so long."""
    filling = {FILLING: filled([name for name, _ in fill.values])}
    chosen = {**ALONG_THE_KEY, **_NOT_AWAITED, **filling, "lock_timeout": f"{lock_timeout_ms}ms"}
    return Job(change_id, place, fill, {**chosen, **(_QUIET if quiet else {})})


def settings_of(settings: Mapping[str, str]) -> list[Composable]:
    """Return the statements that make settings for one transaction."""
    return [SQL("SET LOCAL {} = {}").format(SQL(name), Literal(value)) for name, value in settings.items()]


class Refused(Exception):  # noqa: N818  (no error yet: half of the rows may pass)
    """The server refused to write the rows of a batch, for what is in `error`."""

    def __init__(self, error: psycopg2.Error) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Batch:
    """What one batch came to: the key up to which it wrote, and how many rows; `last` if it was the last.

    `density` is for how many of the whole numbers in that span there is a row, at least by what is known;
    None where it is too low to reckon by, or the key is no such number.
    """

    upto: At | None
    written: int
    last: bool
    density: float | None


def bound(session: Session, table: str, key: Key, span: tuple[At | None, At | None], rows: int) -> At | None:
    """Return the key of the last of the next *rows* rows of a span, its beginning left out; None if none."""
    at, high = span
    asked = {"behind": key.behind(at), "upto": key.upto(high), "rows": Literal(rows)}
    found = session.ask(said(session, "next_key", table, key, **asked))
    if not found:
        return None
    require_progress(table, at, found[0])
    return found[0]


def write(
    session: Session, wanted: Job, one: Range, at: At | None, rows: int, density: float | None
) -> Batch:
    """Write the next *rows* rows behind *at*, and commit them with how far they came.

    With the *density* of those before their last key is reckoned, and there are twice as many at most.

    Raises:
        Refused: these rows could not be written; nothing of them is.
    """
    session.run(wanted.begin)
    reckoned = _reckoned(one, at, rows, density)
    upto = reckoned or bound(session, one.table, one.key, (at, one.high), rows)
    written = 0 if upto is None else _written(session, _update(session, wanted.fill, one, at, upto))
    last = upto is None or list(upto) == list(one.high or ())
    session.ask(
        "range_at",
        **wanted.of(one.number),
        at=None if upto is None else Json(list(upto)),
        walked=_walked(rows, written, last=last, reckoned=reckoned is not None),
        rows=written,
        batch_rows=rows,
        ended=last,
    )
    session.run("COMMIT")
    return Batch(upto, written, last, _density(one, at, upto, written if reckoned or last else rows))


def _walked(rows: int, written: int, *, last: bool, reckoned: bool) -> int:
    """Return how many rows a batch came by: about, of the last and of one that was reckoned."""
    if last or (reckoned and not written):
        return written
    return max(rows, written)


def _reckoned(one: Range, at: At | None, rows: int, density: float | None) -> At | None:
    """Return the key up to which there are about so many rows, and twice as many at most."""
    # A single row is one that may have to be named.
    if density is None or rows == 1 or at is None or one.high is None:
        return None
    return (str(min(int(at[0]) + int(rows / density), int(one.high[0]))),)


def _density(one: Range, at: At | None, upto: At | None, rows: int) -> float | None:
    if not one.key.is_whole or at is None or upto is None:
        return None
    # It may have had fewer rows: the last of all may be gone meanwhile.
    density = min(1.0, rows / (int(upto[0]) - int(at[0])))
    return density if density >= _DENSE else None


def _written(session: Session, update: Composable) -> int:
    try:
        written = session.run(update)
        # What would be checked at the end is checked here, where it is known to be of these rows.
        session.run("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg2.Error as error:
        raise Refused(error) from error
    return written


def _update(session: Session, fill: Fill, one: Range, at: At | None, upto: At) -> Composable:
    span = {"behind": one.key.behind(at), "upto": one.key.upto(upto)}
    values = {"values": assigned(fill), "due": SQL(fill.due)}
    return said(session, "write_range", one.table, one.key, **span, **values)


def assigned(fill: Fill) -> Composable:
    """Return what an UPDATE sets."""
    return SQL(", ").join(SQL("{} = {}").format(Identifier(name), SQL(value)) for name, value in fill.values)
