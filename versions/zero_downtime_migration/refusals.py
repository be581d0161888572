"""Refuse by name what would break when a table or a column goes or gets another name."""

from __future__ import annotations

from collections.abc import Iterable

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import LONGEST_BYTES
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def refuse(problem: str, names: Iterable[str], hint: str) -> None:
    """Refuse what stands in the way, if anything does.

    Raises:
        TableError: with all the names.
    """
    found = ", ".join(names)
    if found:
        raise TableError(f"{problem}: {found}", hint=hint)


def firsts(session: Session, statement: str, **values: object) -> tuple[str, ...]:
    """Return the first values of what a named statement finds."""
    return tuple(row[0] for row in session.ask(statement, **values))


def refuse_family(session: Session, table: Table) -> None:
    """Refuse a partition, and a table that inherits: their columns belong to others too."""
    if table.is_partition:
        raise TableError(
            f'"{table.name}" is a partition: its columns are those of its parent', hint="name the parent"
        )
    if session.value("is_inheriting", oid=table.oid):
        raise TableError(
            f'"{table.name}" inherits columns, or is inherited from: this is not done online',
            hint="take the inheritance away first: ALTER TABLE … NO INHERIT",
        )


def refuse_partition_key(session: Session, table: Table, column: str) -> None:
    """Refuse a column that rows are put into partitions by."""
    if session.value("is_partition_key", oid=table.oid, column=column):
        raise TableError(
            f'"{table.name}" is partitioned by "{column}"',
            hint="make a new table that is partitioned otherwise, and swap the two",
        )


def refuse_triggers(session: Session, table: Table, column: str, trust: Iterable[str]) -> None:
    """Refuse triggers whose functions have the column's name in their text, but for those in *trust*."""
    for trigger, routine in session.ask("naming_triggers", oid=table.oid, column=column):
        if routine not in trust:
            raise TableError(
                f'the function "{routine}" of the trigger {trigger} on "{table.name}" names "{column}"',
                hint="let it get along without, by to_jsonb(new) for one, then say "
                f"trust=({routine!r},) of it",
            )


def refuse_watchers(session: Session, table: Table, column: str) -> None:
    """Refuse triggers that fire for updates that name the column."""
    for (trigger,) in session.ask("watching_triggers", oid=table.oid, column=column):
        raise TableError(
            f'the trigger {trigger} on "{table.name}" fires for updates of "{column}" only',
            hint="let it fire for every update, and compare the values itself",
        )


def refuse_long(name: str) -> None:
    """Refuse a name that PostgreSQL would cut off."""
    if len(name.encode()) > LONGEST_BYTES:
        raise TableError(
            f'"{name}" is longer than the {LONGEST_BYTES} bytes of a name', hint="give it a shorter one"
        )


def refuse_hanging(session: Session, table: Table, column: str) -> None:
    """Refuse what hangs on a column that is to be dropped and does not go with it unnoticed."""
    number = session.value("column_number", oid=table.oid, column=column)
    found = session.ask("hanging_on", oid=table.oid, number=number)
    if found:
        users = ", ".join(row[0] for row in found)
        raise TableError(
            f'"{column}" of "{table.name}" cannot be dropped: it is used by {users}',
            hint="drop or change that first, in a step of its own",
        )
