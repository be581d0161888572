"""Find who reads what a change takes away: functions by their text, statements by the server's counts.

What cannot be known: a statement that says `*`, one in the text of a function that counts as its caller, one
that a session with a setting of its own leaves uncounted, one on a standby, which counts for itself, and an
application that only reads once a month.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg2
from psycopg2.extras import Json
from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.evidence import Reading
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import Going
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session


@dataclass(frozen=True)
class Counts:
    """How often the statements were executed that name what goes, as the server has counted them."""

    calls: Mapping[str, int]
    forgotten: int
    reset_at: datetime


def naming(session: Session, change: Change, taken: Going) -> tuple[str, ...]:
    """Return the functions whose text names what goes, but for those that the wish trusts."""
    trusted = {*change.arguments.get("trust", ())}
    found = session.ask("functions_naming", table=taken.table)
    return tuple(
        name
        for name, text in found
        if taken.is_named_by(text) and trusted.isdisjoint({name, name.partition("(")[0]})
    )


def look(session: Session, change: Change, taken: Going, now: datetime) -> tuple[Reading | None, str]:
    """Return since when nobody has named what goes, or why that is not known; writes nothing."""
    counts = _counts(session, taken)
    if isinstance(counts, str):
        return None, counts
    before = _kept(session, change)
    if before is None:
        return Reading(counts.calls, now, counts.forgotten), ""
    found = before.looked(counts.calls, now, counts.reset_at, counts.forgotten)
    return replace(found, forgotten=counts.forgotten - min(found.forgotten, counts.forgotten)), ""


def begin(session: Session, change: Change, taken: Going, now: datetime) -> None:
    """Begin to watch who names what goes: what was executed until now is no use of the old form."""
    counts = _counts(session, taken)
    if not isinstance(counts, str):
        _keep(session, change, Reading(counts.calls, now, counts.forgotten))


def keep(session: Session, change: Change, taken: Going, now: datetime) -> None:
    """Write down what a look finds; the first one begins to watch."""
    counts = _counts(session, taken)
    if isinstance(counts, str):
        return
    before = _kept(session, change) or Reading(counts.calls, now, counts.forgotten)
    _keep(session, change, before.looked(counts.calls, now, counts.reset_at, counts.forgotten))


def overlook(session: Session, change: Change, taken: Going) -> None:
    """Take what was counted since the last look for no use: a proof has read the old form itself."""
    counts = _counts(session, taken)
    before = _kept(session, change)
    if not isinstance(counts, str) and before is not None:
        _keep(session, change, replace(before, calls=counts.calls))


def _kept(session: Session, change: Change) -> Reading | None:
    rows = session.ask("reading", id=change.id)
    return Reading(*rows[0]) if rows else None


def _keep(session: Session, change: Change, reading: Reading) -> None:
    session.ask(
        "keep_reading",
        id=change.id,
        calls=Json(dict(reading.calls)),
        unread_since=reading.unread_since,
        forgotten=reading.forgotten,
    )


def _counts(session: Session, taken: Going) -> Counts | str:
    """Return the counts, or why there are none."""
    with _as_login(session):
        schema = session.value("counted_in")
        if not schema:
            return "pg_stat_statements is not installed here"
        if not session.value("may_see_statements"):
            return "this login does not see the statements of others: GRANT pg_read_all_stats"
        uncounted = session.value("uncounted")
        if uncounted:
            return str(uncounted)
        parts = {"schema": SQL(schema), "table": Literal(taken.table)}
        try:
            counted = session.ask(SQL(STATEMENTS["counted"]).format(**parts))
            forgotten, reset_at = session.ask(SQL(STATEMENTS["forgotten"]).format(**parts))[0]
        except psycopg2.errors.ObjectNotInPrerequisiteState:
            return "pg_stat_statements is not in shared_preload_libraries"
    calls = {number: count for number, count, text in counted if taken.is_named_by(text)}
    return Counts(calls, forgotten, reset_at)


@contextmanager
def _as_login(session: Session) -> Iterator[None]:
    """Be the login itself for the block: the owner of the tables need not see the statements of others."""
    role = session.value(SQL("SHOW role"))
    session.run("RESET ROLE")
    try:
        yield
    finally:
        if role != "none":
            session.run(SQL("SET ROLE {}").format(Literal(role)))
