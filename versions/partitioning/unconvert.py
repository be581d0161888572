"""Take a conversion back: one partition becomes the table again, the rows of the others are moved into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import psycopg2
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import facts, incoming
from spotify_ai_agent_migrations.versions.partitioning.convert import (
    give_numbers,
    incoming_links,
    keep_numbers,
    lock_in_order,
)
from spotify_ai_agent_migrations.versions.partitioning.facts import Table
from spotify_ai_agent_migrations.versions.partitioning.plan import Partition
from spotify_ai_agent_migrations.versions.partitioning.session import Session, Written, said

_UNIQUE_VIOLATION: Final = "23505"
_ASIDE: Final = "_partitioned"
# The place of the statements about views among those that carry a table over.
_VIEWS: Final = 70


def take_back(session: Session, name: str, *, max_rows: int) -> int:
    """Make the table called *name* a plain one again; return how many rows were moved.

    Locks: ACCESS EXCLUSIVE on the table for as long as the rows take to be moved, about 100,000 a second;
    before that it builds the old key beside, which blocks nobody.
    """
    key = facts.key_of(session, name)
    if key is None:
        # Nothing of a conversion is left, but for what comes after the swap back.
        incoming.validate(session, facts.number_of(session, name))
        return 0
    table = facts.table(session, name, key)
    if not table.partitioned:
        _forget(session, table)
        return 0
    was = table.was
    receiver, others = _receiver(session, table)
    moving = _refuse_many(session, others, max_rows)
    _refuse_obstacles(session, table, was["primary_key"], moving)
    built = f"{table.plain}_undone_key"
    _build_old_key(session, table, receiver, built, was["primary_key"])
    session.note(f"swapping {table.name} back")
    try:
        session.transaction(lambda: _swap_back(session, table, receiver, others, built))
    except psycopg2.Error as error:
        if error.pgcode == _UNIQUE_VIOLATION:
            raise _twice(table, was["primary_key"]) from error
        raise
    if not isinstance(session, Written):
        incoming.validate(session, facts.number_of(session, name))
    return moving


def _forget(session: Session, table: Table) -> None:
    """Take away what a conversion that was cut off, or one that was taken back, has left."""
    found = facts.progress(session, table)
    # First, for it is the check and the index that tell the next run that there is something to take away.
    incoming.forget(session, table)
    if found.bound is not None:
        session.transaction(
            lambda: session.run(
                SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.identifier, Identifier(table.check))
            )
        )
    if found.index_valid is not None:
        with session.patient():
            session.run(
                SQL("DROP INDEX {} {}").format(
                    SQL("CONCURRENTLY" if session.alone else ""), table.beside(table.built)
                )
            )
    incoming.validate(session, table.oid)


def _receiver(session: Session, table: Table) -> tuple[Partition, tuple[Partition, ...]]:
    """Return the partition that becomes the table, which is the one with the most rows, and the others."""
    there = facts.partitions(session, table)
    if not there or any(one.detaching for one in there):
        raise TableError(
            f'table "{table.name}" has no partition to go back to, or one that is half detached',
            hint="agentdb partitioning maintain finishes what was begun",
        )
    first = next((one for one in there if one.plain == table.legacy), None)
    receiver = first or max(there, key=lambda one: one.size_bytes)
    return receiver, tuple(one for one in there if one != receiver)


def _refuse_many(session: Session, others: Sequence[Partition], max_rows: int) -> int:
    with session.patient():
        counts = [int(session.value(SQL("SELECT count(*) FROM {}").format(_called(one)))) for one in others]
    if sum(counts) > max_rows:
        raise TableError(
            f"{sum(counts)} rows would be moved, and nobody could read or write for about "
            f"{sum(counts) / 100_000:.0f} s",
            hint=f"accept that with --max-rows {sum(counts)}",
        )
    return sum(counts)


def _refuse_obstacles(session: Session, table: Table, key: Sequence[str], moving: int) -> None:
    """Refuse what has come since the conversion and would be lost, or stay behind, or is under way."""
    found = [f"{one} and would go with it: drop it" for one in facts.dependents(session, table.oid)]
    found += [str(line) for (line,) in session.ask("own_triggers", oid=table.oid)]
    found += [
        f'foreign key "{link.name}" of "{link.plain}" refers to the key of the partitioned table: drop it'
        for link in facts.incoming(session, table.oid)
        if not incoming.is_carried(link) and set(link.referred) != set(key)
    ]
    if facts.is_being_split(session, table):
        found.append("it is being split: agentdb partitioning split --abort")
    if moving:
        found += [
            f'publication "{name}" sends every table, and the {moving} rows that are moved a second time'
            for (name,) in session.ask("published_whole", oid=table.oid)
        ]
    facts.refuse_all(f'table "{table.name}" cannot be made a plain one as it is', found)


def _called(partition: Partition) -> Identifier:
    return Identifier(partition.schema, partition.plain)


def _build_old_key(
    session: Session, table: Table, receiver: Partition, built: str, columns: Sequence[str]
) -> None:
    """Build the old key on the partition that becomes the table."""
    valid = session.value("index_is_valid", oid=receiver.oid, name=built)
    if valid is False:
        with session.patient():
            session.run(SQL("DROP INDEX CONCURRENTLY {}").format(table.beside(built)))
    if valid:
        return
    with session.patient():
        try:
            session.run(
                SQL("CREATE UNIQUE INDEX {} {} ON {} ({})").format(
                    SQL("CONCURRENTLY" if session.alone else ""),
                    Identifier(built),
                    _called(receiver),
                    SQL(", ").join(map(Identifier, columns)),
                )
            )
        except psycopg2.Error as error:
            if error.pgcode != _UNIQUE_VIOLATION or not session.alone:
                raise
            session.run(SQL("DROP INDEX CONCURRENTLY {}").format(table.beside(built)))
            raise _twice(table, columns) from error


def _twice(table: Table, columns: Sequence[str]) -> TableError:
    spoken = ", ".join(columns)
    return TableError(
        f'two rows of "{table.name}" have the same {spoken}, which was its key; it stays partitioned',
        hint=f"find them by GROUP BY {spoken} HAVING count(*) > 1, and delete one of each pair",
    )


def _swap_back(
    session: Session, table: Table, receiver: Partition, others: Sequence[Partition], built: str
) -> None:
    was = table.was
    links = incoming_links(session, table)
    lock_in_order(session, table, links)
    carried = session.ask("carry", oid=table.oid)
    # The last of the partitioned tables in a publication puts it back as it was.
    publications = [
        name
        for name, _, partitioned in session.ask("published", oid=table.oid)
        if name in was["publications"] and not partitioned
    ]
    pairs = session.ask("index_pairs", oid=receiver.oid)
    keys = session.ask("link_pairs", oid=receiver.oid)
    numbers = facts.numbered(session, table.oid)
    primary = str(session.value("primary_key_of", oid=receiver.oid))
    before: list[str | Composable] = [
        # What is moved refers to what it referred to before; to check that later would be too late to go on.
        "SET CONSTRAINTS ALL IMMEDIATE",
        *(["SET LOCAL statement_timeout = '12h'"] if session.alone else []),
        *keep_numbers(numbers),
        *incoming.drop_statements(links),
        *(row[1] for row in session.ask("strip", oid=table.oid)),
        SQL("ALTER TABLE {} DETACH PARTITION {}").format(table.identifier, _called(receiver)),
        *_identities_off(table, numbers),
        *(_moved(session, table, receiver, other) for other in others),
        SQL("ALTER TABLE {} RENAME TO {}").format(table.identifier, Identifier(table.plain + _ASIDE)),
        SQL("ALTER TABLE {} RENAME TO {}").format(_called(receiver), Identifier(table.plain)),
    ]
    for statement in before:
        session.run(statement)
    give_numbers(session, table, numbers)
    after: list[str | Composable] = [
        # Its views read the other one by now.
        *(text for place, _, text in carried if place == _VIEWS),
        SQL("DROP TABLE {}").format(table.beside(table.plain + _ASIDE)),
        *_own_names(table, pairs, keys, primary, built),
        SQL("COMMENT ON TABLE {} IS NULL").format(table.identifier),
        # Whoever has row security brings it back with what is carried.
        SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(table.identifier),
        *(text for place, _, text in carried if place != _VIEWS),
        *_publications_as_before(publications),
        *incoming.plain_statements(links, table),
    ]
    if was["comment"]:
        after.append(
            SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(
                Identifier(table.primary), table.identifier, Literal(was["comment"])
            )
        )
    for statement in after:
        session.run(statement)


def _identities_off(table: Table, numbers: Sequence[facts.Numbered]) -> Iterator[Composable]:
    for number in numbers:
        if number.identity:
            yield SQL("ALTER TABLE {} ALTER COLUMN {} DROP IDENTITY").format(
                table.identifier, Identifier(number.column)
            )


def _moved(session: Session, table: Table, receiver: Partition, other: Partition) -> Composable:
    columns = [str(name) for (name,) in session.ask("stored_columns", oid=table.oid)]
    spoken = SQL(", ").join(map(Identifier, columns))
    return said("move", receiver=_called(receiver), other=_called(other), columns=spoken)


def _own_names(
    table: Table,
    pairs: Sequence[tuple[str, str]],
    keys: Sequence[tuple[str, str]],
    primary: str,
    built: str,
) -> Iterator[Composable]:
    """Yield what gives the table the key and the names it had."""
    yield SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.identifier, Identifier(primary))
    yield SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {}").format(
        table.identifier, Identifier(table.primary), Identifier(built)
    )
    for own, whole in pairs:
        yield SQL("ALTER INDEX {} RENAME TO {}").format(table.beside(own), Identifier(whole))
    for own, whole in keys:
        yield SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(
            table.identifier, Identifier(own), Identifier(whole)
        )


def _publications_as_before(names: Sequence[str]) -> Iterator[Composable]:
    for name in names:
        yield SQL("ALTER PUBLICATION {} SET (publish_via_partition_root = false)").format(Identifier(name))
