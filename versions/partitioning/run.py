"""The verbs on one table: convert it, keep its partitions ahead, take the conversion back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import SettingsError, TableError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import facts, incoming, policies, sets
from spotify_ai_agent_migrations.versions.partitioning.convert import prepare, swap
from spotify_ai_agent_migrations.versions.partitioning.facts import Table
from spotify_ai_agent_migrations.versions.partitioning.indexes import add_index
from spotify_ai_agent_migrations.versions.partitioning.periods import Period, Span, moment_of
from spotify_ai_agent_migrations.versions.partitioning.plan import Policy, missing
from spotify_ai_agent_migrations.versions.partitioning.premake import premake, statements
from spotify_ai_agent_migrations.versions.partitioning.session import (
    Bounds,
    Session,
    Written,
    maintenance_key,
    opened,
)
from spotify_ai_agent_migrations.versions.partitioning.split import Pace, abort_split, split_rows
from spotify_ai_agent_migrations.versions.partitioning.unconvert import take_back

PREMAKE: Final = 12
_PURPOSE: Final = "agentdb partitioning"


@dataclass(frozen=True)
class Conversion:
    """What a conversion did: where the old rows end, and the partitions it made; nothing on a second run."""

    table: str
    bound: str | None
    made: tuple[str, ...]


def convert(
    table: str,
    key: str,
    *,
    period: Period | str = Period.MONTH,
    premake: int = PREMAKE,
    settings: Settings | None = None,
    bounds: Bounds | None = None,
) -> Conversion:
    """Make *table* partitioned by its column *key*, while others go on reading and writing it.

    The rows there are become the first partition and are not moved; see `split` for them. Killed anywhere,
    the same call goes on from what the catalogue says.

    Locks: ACCESS EXCLUSIVE for one transaction of some milliseconds, waited for no longer than the lock
    time-out and tried again; before it, nothing that keeps a reader or writer waiting.

    Raises:
        TableError: something of the table cannot be carried over; everything is named, nothing was changed.
        LockError: the table was held at every try.
    """
    with maintained(table, settings, bounds) as session:
        return converted(session, table, key, Period(period), premake)


def unconvert(
    table: str,
    *,
    settings: Settings | None = None,
    bounds: Bounds | None = None,
    max_rows: int = 1_000_000,
) -> int:
    """Make *table* a plain one again, all its rows and everything about it kept; return how many were moved.

    The rows of the partition with the old ones stay where they are; those of the others are moved under an
    ACCESS EXCLUSIVE lock, so no more than *max_rows* of them.

    Raises:
        TableError: more rows would be moved, or two of them have the same old key; nothing was changed.
    """
    with maintained(table, settings, bounds) as session:
        policies.refuse_unwritable(session, facts.qualified(session, table), PREMAKE)
        moved = take_back(session, table, max_rows=max_rows)
        policies.forget(session, facts.qualified(session, table))
        return moved


def split(
    table: str,
    *,
    period: Period | str | None = None,
    pace: Pace | None = None,
    settings: Settings | None = None,
    bounds: Bounds | None = None,
) -> tuple[str, ...]:
    """Split the first partition of *table*, once its end has passed, into periods; see `split_rows`.

    Without a period, into those of its policy.
    """
    with maintained(table, settings, bounds) as session:
        now, _ = facts.clock(session)
        described = facts.table(session, table)
        chosen = Period(period) if period else policies.period_of(session, described.name)
        return split_rows(session, described, chosen, now, pace or Pace())


def written_split(
    table: str, *, period: Period | str | None, pace: Pace, settings: Settings
) -> tuple[str, ...]:
    """Return the statements that `split` would execute from its beginning; executes none."""
    with translated(), opened(settings, _PURPOSE) as connection:
        session = Written(connection)
        described = facts.table(session, table)
        if facts.is_being_split(session, described):
            raise TableError(
                f'a split of "{described.name}" was begun, and goes on as it was begun',
                hint="run it without --dry-run, or take it away: --abort",
            )
        chosen = Period(period) if period else policies.period_of(session, described.name)
        split_rows(session, described, chosen, facts.clock(session)[0], pace)
        return tuple(session.statements)


def create_index(
    table: str, name: str, what: str, *, settings: Settings | None = None, bounds: Bounds | None = None
) -> tuple[str, ...]:
    """Make index *name* on a partitioned *table* while others write to it; see `add_index`."""
    with maintained(table, settings, bounds) as session:
        return add_index(session, sets.whole(session, table), name, what)


def unsplit(table: str, *, settings: Settings | None = None, bounds: Bounds | None = None) -> bool:
    """Take away what a split of *table* that was cut off has begun; tell whether there was any."""
    with maintained(table, settings, bounds) as session:
        return abort_split(session, facts.table(session, table))


def written(
    table: str, key: str, *, period: Period | str, premake: int, settings: Settings
) -> tuple[str, ...]:
    """Return the statements that `convert` would execute from here on; executes none."""
    with translated(), opened(settings, _PURPOSE) as connection:
        session = Written(connection)
        converted(session, table, key, Period(period), premake)
        return tuple(session.statements)


def written_back(table: str, *, settings: Settings) -> tuple[str, ...]:
    """Return the statements that `unconvert` would execute from here on; executes none."""
    with translated(), opened(settings, _PURPOSE) as connection:
        session = Written(connection)
        take_back(session, table, max_rows=1 << 62)
        return tuple(session.statements)


def converted(session: Session, name: str, key: str, period: Period, ahead: int) -> Conversion:
    """Convert a table in *session*; see `convert`."""
    table = facts.table(session, name, key)
    policies.refuse_unwritable(session, table.name, ahead)
    bound = None
    now, _ = facts.clock(session)
    if not table.partitioned:
        bound = prepare(session, table, period, now)
        swap(session, table, bound)
        if isinstance(session, Written):
            return Conversion(table.name, bound, _write_rest(session, table, period, ahead, bound))
        table = facts.table(session, name, key)
    _refuse_other_key(table, key)
    policy = Policy(table.name, period, ahead)
    # First what keeps rows from being refused; what may take hours comes after.
    policies.remember(session, policy)
    made = premake(session, table, policy, now)
    incoming.validate(session, table.oid, table)
    if session.alone and session.value("never_analyzed", oid=table.oid):
        with session.patient():
            session.run(SQL("ANALYZE {}").format(table.identifier))
    return Conversion(table.name, bound, made)


def _write_rest(session: Session, table: Table, period: Period, premake: int, bound: str) -> tuple[str, ...]:
    """Write down what comes after the swap: the old rows are no partition yet that could be looked at."""
    now, _ = facts.clock(session)
    policy = Policy(table.name, period, premake)
    for statement in incoming.validating_statements(session, table):
        session.run(statement)
    new = missing(policy, table.plain, [Span(None, moment_of(table.kind, bound))], now)
    for one in new:
        granted = session.ask(
            "default_grants", table=session.text(table.beside(one.plain)), schema=table.schema
        )
        for made in (*statements(session, table, one, table.oid), *(line for (line,) in granted)):
            session.run(made)
    policies.remember(session, policy)
    session.run(SQL("ANALYZE {}").format(table.identifier))
    return tuple(one.plain for one in new)


def _refuse_other_key(table: Table, key: str) -> None:
    if table.key != key:
        raise TableError(
            f'table "{table.name}" is partitioned by "{table.key}", not by "{key}"',
            hint="take that back first: agentdb partitioning unconvert",
        )


def _refuse_long_waits(session: Session) -> None:
    """Refuse to wait so long for a lock that a deadlock is found, whose victim may be the application."""
    most_ms = int(session.value("deadlock_timeout"))
    asked_ms = session.bounds.lock_timeout_ms
    if asked_ms >= most_ms:
        raise SettingsError(
            f"a lock time-out of {asked_ms} ms is not below deadlock_timeout, {most_ms} ms",
            hint="others would be cut off for a deadlock before this gives way: choose less",
        )


@contextmanager
def maintained(
    table: str, settings: Settings | None, bounds: Bounds | None, *, wait_ms: int = 60_000
) -> Iterator[Session]:
    """Open a session of its own for the block, the only one that works on the partitions of *table*.

    Raises:
        LockError: another one did so for all of *wait_ms*.
    """
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection, bounds)
        _refuse_long_waits(session)
        name = facts.qualified(session, table)
        with advisory_lock(
            connection, maintenance_key(name), wait_ms=wait_ms, called=f"the partitions of {name}"
        ):
            yield session
