"""Add a foreign key: rows are looked at while others read and write, of a partitioned table part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import facts
from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import (
    comments,
    deferrable,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.foreign_keys import (
    Reference,
    by_partitions,
    refuse_unfit,
    there_already,
    whole,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.refusals import refuse_long
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_FIRST_WITH_NOT_VALID: Final = 18
_ACTIONS: Final = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")


@dataclass(frozen=True)
class AddForeignKey:
    """Let *columns* of *table* refer to rows of *referenced*; both tables are named with their schemas.

    Without `referenced_columns` they refer to its primary key. `on_delete` and `on_update` are the actions
    as SQL writes them; `full` is MATCH FULL; `deferrable` is "", "deferrable" or "deferred". New rows are
    held to it from the start on. Without an index on the columns, which every DELETE of a referenced row
    would miss, it is refused, unless `without_index`. Without a `name` it is called after the table and its
    columns.

    Locks: SHARE ROW EXCLUSIVE on both tables for a moment: writers wait, readers do not. Of a partitioned
    table before PostgreSQL 18 it is added to each partition first; the last step then locks the referenced
    table for readers too, for a moment.
    """

    table: str
    columns: tuple[str, ...]
    referenced: str
    referenced_columns: tuple[str, ...] = ()
    name: str | None = None
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    full: bool = False
    deferrable: str = ""
    without_index: bool = False
    comment: str | None = None
    operation: ClassVar[str] = "add_foreign_key"

    @property
    def subject(self) -> str:
        """Its name, or the columns."""
        return self.name or ", ".join(self.columns)

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if it is there and validated, the last ones if it is not validated.

        Raises:
            TableError: a column, an index or a key is missing, types differ, or another one is called so.
        """
        other = facts.table(session, self.referenced)
        reference = self._reference(session, table, other)
        there = there_already(session, reference)
        if there is not None and there:
            return ()
        refuse_unfit(session, reference, indexed=not self.without_index)
        if table.partitioned and facts.version(session) < _FIRST_WITH_NOT_VALID:
            return by_partitions(session, reference)
        return whole(session, reference, begun=there is not None)

    def _reference(self, session: Session, table: Table, other: Table) -> Reference:
        targets = self.referenced_columns or other.primary
        name = self.name or fitted(table.plain, *self.columns, "fkey")
        refuse_long(name)
        _refuse_columns(table, self.columns, other, targets)
        for action in (self.on_delete, self.on_update):
            if action not in _ACTIONS:
                raise TableError(
                    f'a foreign key does not know "{action}"', hint=f"say one of {', '.join(_ACTIONS)}"
                )
        said = SQL("FOREIGN KEY ({columns}) REFERENCES {other} ({targets}){full}{delete}{update}{ending}")
        definition = said.format(
            columns=SQL(", ").join(map(Identifier, self.columns)),
            other=SQL(other.name),
            targets=SQL(", ").join(map(Identifier, targets)),
            full=SQL(" MATCH FULL" if self.full else ""),
            delete=SQL(f" ON DELETE {self.on_delete}"),
            update=SQL(f" ON UPDATE {self.on_update}"),
            ending=SQL(deferrable(self.deferrable)),
        )
        return Reference(
            table=table,
            columns=self.columns,
            other=other,
            targets=targets,
            name=name,
            definition=session.text(definition),
            marks=(
                _mark(self.on_delete),
                _mark(self.on_update),
                "f" if self.full else "s",
                bool(self.deferrable),
                self.deferrable == "deferred",
            ),
            said=comments(session, table.name, name, self.comment),
        )


def _mark(action: str) -> str:
    """Return the catalogue's letter for an action."""
    return {"NO ACTION": "a", "SET NULL": "n", "SET DEFAULT": "d"}.get(action, action[0].lower())


def _refuse_columns(table: Table, columns: tuple[str, ...], other: Table, targets: tuple[str, ...]) -> None:
    if not targets:
        raise TableError(
            f'"{other.name}" has no primary key to refer to',
            hint=f'AddPrimaryKey("{other.name}", …) adds one, or name its columns',
        )
    if not columns or len(columns) != len(targets):
        raise TableError(
            f"a foreign key of {len(columns)} columns cannot refer to {len(targets)}",
            hint=f"it refers to {', '.join(targets)}: name as many columns",
        )
    for mine, theirs in zip(columns, targets, strict=True):
        table.column(mine)
        other.column(theirs)
