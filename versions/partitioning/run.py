"""The verbs on one table: convert it, keep its partitions ahead, take the conversion back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
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
# Below this everything is done within the transaction of the migration, in some hundredths of a second.
SMALL_BYTES: Final = 8 * 1024 * 1024


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
        moved = take_back(session, table, max_rows=max_rows)
        policies.forget(session, facts.qualified(session, table))
        return moved


def split(
    table: str,
    *,
    period: Period | str = Period.MONTH,
    pace: Pace | None = None,
    settings: Settings | None = None,
    bounds: Bounds | None = None,
) -> tuple[str, ...]:
    """Split the first partition of *table*, once its end has passed, into periods; see `split_rows`."""
    with maintained(table, settings, bounds) as session:
        now, _ = facts.clock(session)
        return split_rows(session, facts.table(session, table), Period(period), now, pace or Pace())


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
    bound = None
    now, _ = facts.clock(session)
    if not table.partitioned:
        bound = prepare(session, table, period, now)
        swap(session, table, bound)
        if isinstance(session, Written):
            return Conversion(
                table.name, bound, _to_be_made(session, table, Policy(table.name, period, ahead), bound)
            )
        table = facts.table(session, name, key)
    _refuse_other_key(table, key)
    incoming.validate(session, table.oid, table)
    policy = Policy(table.name, period, ahead)
    made = premake(session, table, policy, now)
    policies.remember(session, policy)
    if session.alone and session.value("never_analyzed", oid=table.oid):
        with session.patient():
            session.run(SQL("ANALYZE {}").format(table.identifier))
    return Conversion(table.name, bound, made)


def _to_be_made(session: Session, table: Table, policy: Policy, bound: str) -> tuple[str, ...]:
    """Write down the partitions that come after the old rows, which are none yet."""
    now, _ = facts.clock(session)
    new = missing(policy, table.plain, [Span(None, moment_of(table.kind, bound))], now)
    for one in new:
        for statement in statements(session, table, one, table.oid):
            session.run(statement)
    return tuple(one.plain for one in new)


def _refuse_other_key(table: Table, key: str) -> None:
    if table.key != key:
        raise TableError(
            f'table "{table.name}" is partitioned by "{table.key}", not by "{key}"',
            hint="take that back first: agentdb partitioning unconvert",
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
        name = facts.qualified(session, table)
        with advisory_lock(
            connection, maintenance_key(name), wait_ms=wait_ms, called=f"the partitions of {name}"
        ):
            yield session
