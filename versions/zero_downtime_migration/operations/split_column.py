"""Split one column into several, which code that knows either form writes meanwhile."""

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
class SplitColumn:
    """Split *column* of *table*, which is given with its schema, into new columns.

    `into` are those columns, each a name, a type and the expression it gets from the old one; `back` is the
    expression that gives the old one back. Both are SQL of `new.COLUMN`; a function that is not PostgreSQL's
    own is written with its schema: `("first_name", "text", "split_part(new.full_name, ' ', 1)")`. `required`
    are those of the new columns that become NOT NULL. Unless it may be `lossy`, an old value that does not
    come back as it was ends the change before the old column is dropped, and rows of that kind are counted.

    Column grants pass to all new columns; an index on the old column alone is dropped with it.

    Raises:
        TableError: something else hangs on the column, an expression is wrong, or there is no primary key.
    """

    table: str
    column: str
    into: Sequence[tuple[str, str, str]]
    back: str
    required: tuple[str, ...] = ()
    lossy: bool = False
    operation: ClassVar[str] = "split_column"

    @property
    def subject(self) -> str:
        """The old column."""
        return self.column

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the new columns are there and the old one is not."""
        if not table.has(self.column) and all(table.has(name) for name, _, _ in self.into):
            return ()
        table.column(self.column)
        shape = Shape(
            called=fitted(table.plain, self.column, "split"),
            old=((self.column, self.back),),
            new=tuple(NewColumn(name, kind, value, name in self.required) for name, kind, value in self.into),
            lossy=self.lossy,
        )
        refuse(session, table, shape)
        return reshaping.steps(session, table, shape)
