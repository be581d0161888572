"""Make the partitions of the periods to come, and those missing between: created alone, then attached."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.partitioning import facts
from spotify_ai_agent_migrations.versions.partitioning.facts import Table
from spotify_ai_agent_migrations.versions.partitioning.periods import literal
from spotify_ai_agent_migrations.versions.partitioning.plan import New, Partition, Policy, missing
from spotify_ai_agent_migrations.versions.partitioning.session import (
    Session,
    Written,
    lock_for_transaction,
    said,
)


def premake(session: Session, table: Table, policy: Policy, now: datetime) -> tuple[str, ...]:
    """Make what *policy* wants to be there and is not; return the names.

    Locks: SHARE UPDATE EXCLUSIVE on the table, for a moment each: nobody who reads or writes waits.
    One process at a time, by an advisory lock.
    """
    return tuple(
        name
        for new in wanted(session, table, policy, now)
        if (name := _one(session, table, policy, new, now))
    )


def wanted(session: Session, table: Table, policy: Policy, now: datetime) -> tuple[New, ...]:
    """Return the partitions that are to be made, but for those whose name another table has."""
    taken = in_the_way(session, table, policy, now)
    return tuple(new for new in _missing(session, table, policy, now) if new not in taken)


def in_the_way(session: Session, table: Table, policy: Policy, now: datetime) -> tuple[New, ...]:
    """Return the partitions that cannot be made, since a table has their name: one that was detached."""
    missed = _missing(session, table, policy, now)
    names = [new.plain for new in missed]
    taken = {name for (name,) in session.ask("names_taken", oid=0, schema=table.schema, names=names)}
    return tuple(new for new in missed if new.plain in taken)


def _missing(session: Session, table: Table, policy: Policy, now: datetime) -> tuple[New, ...]:
    there = facts.partitions(session, table)
    return missing(policy, table.plain, [one.span for one in there if not one.detaching], now)


def _one(session: Session, table: Table, policy: Policy, new: New, now: datetime) -> str | None:
    def work() -> str | None:
        lock_for_transaction(session, table.name)
        if not isinstance(session, Written) and new not in _missing(session, table, policy, now):
            # Another process was quicker.
            return None
        for statement in statements(session, table, new, template(facts.partitions(session, table))):
            session.run(statement)
        _verify(session, table, new)
        return new.plain

    return session.transaction(work)


def template(there: Iterable[Partition]) -> int | None:
    """Return the number of the partition that new ones take their storage options from: the newest."""
    found = [one for one in there if not one.detaching]
    return found[-1].oid if found else None


def statements(session: Session, table: Table, new: New, like: int | None) -> list[Composable]:
    """Return what makes one partition: CREATE TABLE … LIKE and ATTACH, which lock less than PARTITION OF."""
    partition = table.beside(new.plain)
    since, until = literal(table.kind, new.since), literal(table.kind, new.until)
    options = session.value("storage", oid=like) if like is not None else ""
    return [
        said("create_partition", partition=partition, table=table.identifier, options=SQL(options or "")),
        SQL("ALTER TABLE {} OWNER TO {}").format(partition, SQL(table.owner)),
        SQL("COMMENT ON TABLE {} IS {}").format(
            partition, Literal(f"{facts.MARK}: {table.name} from {since} to {until}")
        ),
        *like_its_neighbours(session, partition, table.oid, like),
        said(
            "attach",
            table=table.identifier,
            partition=partition,
            since=Literal(since),
            until=Literal(until),
        ),
    ]


def like_its_neighbours(
    session: Session, partition: Identifier, whole: int, like: int | None
) -> list[Composable]:
    """Return what a partition has of its table and of the neighbour *like*, and what LIKE does not copy.

    Statistics targets, which only count for a partition; row security without a policy, so that nobody but
    its owner reads it by its own name, whatever is granted later; the replica identity.
    """
    settings = session.ask("leaf_settings", oid=whole, partition=session.text(partition))
    found: list[Composable] = [SQL(statement) for (statement,) in settings]
    if session.value("row_security", oid=whole):
        found.append(SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(partition))
    identity = session.value("replica_identity", oid=like) if like is not None else None
    if identity:
        found.append(SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(partition, SQL(identity)))
    return found


def _verify(session: Session, table: Table, new: New) -> None:
    """Refuse a partition whose bounds are not those that were meant, or that others may use by its name."""
    if isinstance(session, Written):
        return
    made = next((one for one in facts.partitions(session, table) if one.plain == new.plain), None)
    if made is None or (made.span.since, made.span.until) != (new.since, new.until):
        raise DatabaseError(
            f'partition "{new.plain}" of "{table.name}" has other bounds than were meant',
            hint="nothing of it was kept; report it, with the type of the key",
        )
    for _, statement in session.ask("strip", oid=made.oid):
        session.run(statement)
