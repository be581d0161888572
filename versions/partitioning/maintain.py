"""What a scheduler calls: partitions ahead, gaps filled, what is over taken away, what was cut off done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import facts, policies, sets
from spotify_ai_agent_migrations.versions.partitioning.periods import kind_of, moment_of
from spotify_ai_agent_migrations.versions.partitioning.plan import Done, Policy
from spotify_ai_agent_migrations.versions.partitioning.premake import in_the_way, premake
from spotify_ai_agent_migrations.versions.partitioning.retention import caught, detach, finalize, retain
from spotify_ai_agent_migrations.versions.partitioning.session import (
    Bounds,
    Session,
    Written,
    maintenance_key,
    opened,
)

# A bound that is nearer than this and that nobody works towards would soon refuse rows.
_NEAR: Final = timedelta(days=2)


def maintain(
    table: str | None = None,
    *,
    settings: Settings | None = None,
    archive: Path | None = None,
    bounds: Bounds | None = None,
    wait_ms: int = 60_000,
) -> tuple[Done, ...]:
    """Do for *table*, or for every one that has a policy, whatever the hour asks; return what was done.

    The clock decides and never the rows. Nothing is done on a standby. One process at a time for each table:
    another waits, and finds nothing left to do. A table that fails does not keep the others from their turn.

    Locks: SHARE UPDATE EXCLUSIVE for a moment each; nobody who reads or writes waits.
    """
    with translated(), opened(settings or resolve_settings(), "agentdb partitioning") as connection:
        session = Session(connection, bounds)
        now, standby = facts.clock(session)
        if standby:
            return (Done("skipped", "everything", "this server is a standby"),)
        done: list[Done] = []
        done += _watch(session, now)
        if table and (divided := _unclocked(session, table)):
            return (*done, divided)
        found = policies.read(session, facts.qualified(session, table) if table else None)
        # What is ahead of all of them first: to detach waits for readers, and to archive takes its time.
        sound = []
        for policy in found:
            failed: list[Done] = []
            with caught(policy.table, failed), _held(session, policy, wait_ms):
                done += _make_ahead(session, policy, now)
            done += failed
            if not failed:
                sound.append(policy)
        for policy in sound:
            with caught(policy.table, done), _held(session, policy, wait_ms):
                done += _take_away(session, policy, now, archive)
        return tuple(done)


def _held(session: Session, policy: Policy, wait_ms: int) -> AbstractContextManager[object]:
    """Hold the lock of a table's maintenance for the block."""
    called = f"the partitions of {policy.table}"
    return advisory_lock(session.connection, maintenance_key(policy.table), wait_ms=wait_ms, called=called)


def maintenance_written(table: str | None, *, settings: Settings) -> tuple[str, ...]:
    """Return the statements that make, finish and detach partitions now; executes none.

    What is detached already is archived and dropped by its rows and its date, which statements do not tell.
    """
    with translated(), opened(settings, "agentdb partitioning") as connection:
        session = Written(connection)
        now, _ = facts.clock(session)
        for policy in policies.read(session, facts.qualified(session, table) if table else None):
            if _unclocked(session, policy.table):
                continue
            described = facts.table(session, policy.table)
            finalize(session, described)
            premake(session, described, policy, now)
            detach(session, described, policy, now)
        return tuple(session.statements)


def _make_ahead(session: Session, policy: Policy, now: datetime) -> tuple[Done, ...]:
    if divided := _unclocked(session, policy.table):
        return (divided,)
    table = facts.table(session, policy.table)
    made = tuple(Done("made", name) for name in premake(session, table, policy, now))
    stopped = tuple(
        Done(
            "failed", new.plain, "a table of this name is there and is no partition: attach it, or rename it"
        )
        for new in in_the_way(session, table, policy, now)
    )
    return (*made, *stopped)


def _take_away(session: Session, policy: Policy, now: datetime, archive: Path | None) -> tuple[Done, ...]:
    if _unclocked(session, policy.table):
        return ()
    return retain(session, facts.table(session, policy.table), policy, now, archive)


def _unclocked(session: Session, table: str) -> Done | None:
    """Return what is said of a table whose partitions do not follow the clock."""
    how = sets.how(session, table)
    if how in {None, "range"}:
        return None
    name = facts.qualified(session, table)
    return Done("skipped", name, f"it is divided by {how}, and its partitions do not follow the clock")


def _watch(session: Session, now: datetime) -> Iterator[Done]:
    """Drop the check of a conversion that was left alone before its bound arrives, and refuses rows."""
    for schema, plain, name, check, type_name, bound in session.ask("bounded"):
        try:
            near = moment_of(kind_of(type_name), bound) <= now + _NEAR
        except (MigrationError, ValueError, TypeError, AttributeError):
            # Somebody else's check, which only has the name.
            continue
        if near:
            yield from _unbound(session, name, Identifier(schema, plain), check, bound)


def _unbound(session: Session, name: str, table: Identifier, check: str, bound: str) -> Iterator[Done]:
    statement = SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, Identifier(check))
    failed: list[Done] = []
    with caught(name, failed):
        if _alone(session, name, lambda: session.run(statement)):
            yield Done("unbound", name, f"its conversion was left alone, and {bound} is near")
    yield from failed


def _alone(session: Session, name: str, work: Callable[[], int]) -> bool:
    """Do *work* in a transaction unless another process is at the table; tell whether it was done."""

    def tried() -> bool:
        if not session.value("try_lock", key=maintenance_key(name)):
            return False
        work()
        return True

    return session.transaction(tried)
