"""Write one batch: the next so many rows along the key, in one transaction with how far it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from psycopg2.extras import Json
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import walkable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.ranges import Range
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.sync import FILLING
from spotify_ai_agent_migrations.versions.zero_downtime_migration.walkable import At, said

# Nobody has looked yet how the values are spread: the plan that walks the index is right whatever they are.
ALONG_THE_KEY: Final[Mapping[str, str]] = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "jit": "off",
}
_QUIET: Final = {"session_replication_role": "replica"}


@dataclass(frozen=True)
class Job:
    """What a step is to write, where its progress is kept, and the settings of each batch."""

    change_id: int
    place: int
    fill: Fill
    settings: Mapping[str, str]

    @property
    def begin(self) -> Composable:
        """What begins a batch."""
        return SQL("; ").join([SQL("BEGIN"), *settings_of(self.settings)])


def job(change_id: int, place: int, fill: Fill, lock_timeout_ms: int, *, quiet: bool) -> Job:
    """Return a job whose batches wait for a row for so long."""
    chosen = {**ALONG_THE_KEY, FILLING: "on", "lock_timeout": f"{lock_timeout_ms}ms"}
    return Job(change_id, place, fill, {**chosen, **(_QUIET if quiet else {})})


def settings_of(settings: Mapping[str, str]) -> list[Composable]:
    """Return the statements that make settings for one transaction."""
    return [SQL("SET LOCAL {} = {}").format(SQL(name), Literal(value)) for name, value in settings.items()]


@dataclass(frozen=True)
class Batch:
    """What one batch came to: the key of its last row, how many rows it came by, how many it wrote."""

    upto: At
    walked: int
    written: int


def bound(session: Session, one: Range, at: At | None, rows: int) -> tuple[At, int] | None:
    """Return the key of the last of the next *rows* rows behind *at*, and how many they are; None is none."""
    statement = said(
        session,
        "next_key",
        one.table,
        one.key,
        behind=one.key.behind(at),
        upto=one.key.upto(one.high),
        rows=Literal(rows),
    )
    found = session.ask(statement)
    return (found[0][:-1], found[0][-1]) if found else None


def write(session: Session, wanted: Job, one: Range, at: At | None, rows: int) -> Batch | None:
    """Write the next *rows* rows behind *at*, and commit them; None if there are none."""
    session.run(wanted.begin)
    found = bound(session, one, at, rows)
    if found is None:
        session.run("ROLLBACK")
        return None
    upto, walked = found
    values = {"values": assigned(wanted.fill), "due": SQL(wanted.fill.due)}
    span = {"behind": one.key.behind(at), "upto": one.key.upto(upto)}
    written = session.run(said(session, "write_range", one.table, one.key, **span, **values))
    said_of = {"id": wanted.change_id, "place": wanted.place, "number": one.number}
    session.ask("range_at", **said_of, at=Json(list(upto)), walked=walked, rows=written, batch_rows=rows)
    session.run("COMMIT")
    return Batch(upto, walked, written)


def assigned(fill: Fill) -> Composable:
    """Return what an UPDATE sets."""
    return SQL(", ").join(SQL("{} = {}").format(Identifier(name), SQL(value)) for name, value in fill.values)
