"""Give a column another type: in the catalogue alone where the server can, else by a second column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import dragging, facts
from spotify_ai_agent_migrations.versions.zero_downtime_migration.column_swap import contracted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.conversion import expanded
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.following import Carried, carried
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import rolled_back, unpathed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_type import (
    altered,
    asked,
    is_so,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.turning import Turn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import written

_WHOLE: Final = frozenset({"smallint", "integer", "bigint"})


@dataclass(frozen=True)
class ChangeType:
    """Make *column* of *table*, named with its schema, of another *type*.

    `using` says what the new value is of the old one and `back` the old one of the new one: expressions of
    the column by its own name; without them the value is assigned. Whether the type can be changed in the
    catalogue alone is asked of the server, on an empty table made like this one. Else code writes either
    form, the old name or the old name and "_new", until it is completed; sequences, defaults, grants,
    comments, keys, indexes, checks, foreign keys, views, policies and triggers come along.
    Locks: ACCESS EXCLUSIVE for milliseconds at a time.

    Raises:
        TableError: the server refuses the type, the way back is not certain and `back` is not given, or
            something depends on the column that cannot be carried over, which is named.
    """

    table: str
    column: str
    type: str
    using: str | None = None
    back: str | None = None
    collation: str | None = None
    operation: ClassVar[str] = "change_type"

    @property
    def subject(self) -> str:
        """The column."""
        return self.column

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the column is of that type."""
        refuse_generated(table, self.column)
        turn = Turn(self.column, self.type, self.collation, self.using, self.back)
        if is_so(session, table, turn):
            return ()
        along = _along(session, table, self.column)
        tables = _divided(session, table, self.column)
        trials = [asked(session, each, (turn,), back_wanted=False) for each in tables]
        if all(trial.free for trial in trials) and not _is_referred(session, table, self.column):
            return (_at_once(session, table, turn, along),)
        refuse_family(session, table)
        trial = asked(session, table, (turn,))
        _refuse_identity(table, self.column, trial.columns[0].type)
        dragged = dragging.read(session, table, trial)
        steps = (*expanded(session, dragged), *contracted(session, dragged))
        return with_plain(steps, _plain(session, table, turn, along))


def with_plain(steps: tuple[Step, ...], plain: tuple[str, ...]) -> tuple[Step, ...]:
    """Return *steps*, the first of which does all of it at once in a migration's transaction."""
    first, *others = steps
    return (Step(**{**vars(first), "plain": plain}), *others)


def refuse_generated(table: Table, column: str) -> None:
    """Refuse a column whose value is generated.

    Raises:
        TableError: it is.
    """
    if table.column(column).generated:
        raise TableError(
            f'"{column}" of "{table.name}" is generated, its expression decides',
            hint="add a column with the other expression, and drop this one",
        )


def refuse_family(session: Session, table: Table) -> None:
    """Refuse a table whose rows are in others too: a second column cannot be kept for all of them at once.

    Raises:
        TableError: it is partitioned, a partition, or has parents or children.
    """
    if table.partitioned or table.is_partition or session.value("is_inherited", oid=table.oid):
        raise TableError(
            f'"{table.name}" is partitioned or inherits, and this type would write its rows anew',
            hint="make a new table with the type, and exchange the two: swap_table",
        )


def _divided(session: Session, table: Table, column: str) -> list[Table]:
    """Return a table and its partitions.

    Raises:
        TableError: it is divided by the column.
    """
    with rolled_back(session):
        ((_, number, *_),) = session.ask("column_marks", oid=table.oid, names=[column])
        found = session.ask("partition_leaves", oid=table.oid, numbers=[number]) if table.partitioned else []
    if any(divides for _, divides in found):
        raise TableError(
            f'"{table.name}" is partitioned by "{column}"',
            hint="make a new table with the type, and exchange the two: swap_table",
        )
    return [table, *(facts.table(session, name) for name, _ in found if name != table.name)]


def _is_referred(session: Session, table: Table, column: str) -> bool:
    """Tell whether a foreign key is on the column, which the server may check anew."""
    ((_, number, *_),) = session.ask("column_marks", oid=table.oid, names=[column])
    return bool(session.ask("references_of", oid=table.oid, numbers=[number]))


def _refuse_identity(table: Table, column: str, sort: str) -> None:
    if table.column(column).identity and sort not in _WHOLE:
        raise TableError(
            f'"{column}" of "{table.name}" is an identity, which is a whole number',
            hint="drop the identity first",
        )


def _along(session: Session, table: Table, column: str) -> Carried:
    with rolled_back(session):
        unpathed(session)
        ((_, number, *_),) = session.ask("column_marks", oid=table.oid, names=[column])
        return carried(session, table, (number,))


def _at_once(session: Session, table: Table, turn: Turn, along: Carried) -> Step:
    return Step(
        name="change the type in the catalogue",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=_plain(session, table, turn, along),
        locks=(Lock(table.name), *map(Lock, along.views)),
        final=True,
    )


def _plain(session: Session, table: Table, turn: Turn, along: Carried) -> tuple[str, ...]:
    change = written(session, "ALTER TABLE {table} {how}", table=SQL(table.name), how=altered(turn))
    return (*along.drop, change, *along.create)
