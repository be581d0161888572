"""Merge several columns into one, which code that knows either form writes meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from spotify_ai_agent_migrations.versions.zero_downtime_migration import reshaping
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.shape import NewColumn, Shape, refuse


@dataclass(frozen=True)
class MergeColumns:
    """Merge columns of *table*, which is given with its schema, into the new column *into* of type *kind*.

    `columns` are the old ones, each with the expression that gives it back from the new one; `value` is what
    the new one gets from them. All are SQL of `new.COLUMN`; a function that is not PostgreSQL's own is
    written with its schema. With `required` the new column becomes NOT NULL. Unless it may be `lossy`, an old
    value that does not come back as it was ends the change before the old columns are dropped, and rows of
    that kind are counted.

    Column grants of any of the old ones pass to the new one; an index on old ones alone is dropped with them.

    Raises:
        TableError: something else hangs on a column, an expression is wrong, or there is no primary key.
    """

    table: str
    columns: Sequence[tuple[str, str]]
    into: str
    kind: str
    value: str
    required: bool = False
    lossy: bool = False
    operation: ClassVar[str] = "merge_columns"

    @property
    def subject(self) -> str:
        """The new column."""
        return self.into

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the new column is there and no old one is."""
        if table.has(self.into) and not any(table.has(name) for name, _ in self.columns):
            return ()
        for name, _ in self.columns:
            table.column(name)
        shape = Shape(
            called=fitted(table.plain, self.into, "merge"),
            old=tuple((name, back) for name, back in self.columns),
            new=(NewColumn(self.into, self.kind, self.value, self.required),),
            lossy=self.lossy,
        )
        refuse(session, table, shape)
        return reshaping.steps(session, table, shape)
