"""Find the columns that a revision makes, or gives another type, wherever it says so. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    AddColumn,
    AlterColumn,
    Column,
    CreateTable,
)
from spotify_ai_agent_migrations.versions.governance.column_types import INTEGERS, SERIALS
from spotify_ai_agent_migrations.versions.governance.finding import Place
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision


@dataclass(frozen=True, eq=False)
class NewColumn:
    """A column with its new type; `is_key` tells of a primary key of it alone, `points` of a foreign one."""

    revision: Revision
    act: Act
    table: str | None
    column: Column
    is_key: bool = False
    points: bool = False

    @property
    def place(self) -> Place:
        """Return where it is written."""
        return self.revision.place_of_act(self.act, self.column.part)

    @property
    def shown(self) -> str:
        """Return how a problem names it."""
        return f'"{self.column.name}" of {hints.quoted(self.table)}'

    def of_type(self, *, operation: str, sql: str) -> str:
        """Return the code that gives it another type: one of SQLAlchemy, or of SQL."""
        name = self.column.name
        if self.act.tokens:
            return f"{name} {sql}"
        if isinstance(self.act, AlterColumn):
            return hints.operation("alter_column", self.table, f'"{name}"', type_=operation)
        return f'sa.Column("{name}", {operation}, …)'

    @property
    def is_serial(self) -> bool:
        """Tell whether it takes its values from a sequence that is only its default.

        SQLAlchemy makes a serial of an integer that is a key alone, unless it points at another table or is
        told not to; and of the one that is told to.
        """
        if self.column.type.name in SERIALS:
            return True
        if self.act.tokens or self.column.type.name not in INTEGERS or self.column.default is not None:
            return False
        told = self.column.autoincrement
        return told if told is not None else self.is_key and not self.points


def new_columns(history: History) -> Iterator[NewColumn]:
    """Yield every column that an `upgrade()` makes, adds or gives another type."""
    for revision, created in history.acts(CreateTable):
        yield from _of_table(revision, created)
    for revision, added in history.acts(AddColumn):
        key = any(made.kind == "pkey" for made in added.column.constraints)
        yield NewColumn(revision, added, added.table, added.column, is_key=key)
    for revision, altered in history.acts(AlterColumn):
        if altered.type is not None:
            column = Column(altered.column or "…", altered.type)
            yield NewColumn(revision, altered, altered.table, column)


def _of_table(revision: Revision, created: CreateTable) -> Iterator[NewColumn]:
    keys = {made.columns for made in created.constraints if made.kind == "pkey"}
    pointing = {column for made in created.constraints if made.kind == "fkey" for column in made.columns}
    for column in created.columns:
        inline = {made.kind for made in column.constraints}
        alone = (column.name,) in keys or "pkey" in inline
        points = column.name in pointing or "fkey" in inline
        yield NewColumn(revision, created, created.table, column, is_key=alone, points=points)
