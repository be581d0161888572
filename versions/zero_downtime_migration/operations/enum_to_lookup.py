"""Turn a column of an enum type into text that a table of labels is referenced by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import labels, reshaping
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Column, Table, version
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import (
    FIRST_WITH_NOT_VALID,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.shape import NewColumn, Shape, refuse


@dataclass(frozen=True)
class EnumToLookup:
    """Make *column* of *table* text that references the table *lookup*; both tables with their schema.

    The table of labels (`name`, its key, and `position`, which keeps the order of the enum) is made by the
    change, for the owner and the readers of *table*, or used as it is if it has all labels. Until the
    completion the text is in a column of its own, named by `beside` (`COLUMN_name` if it is not given): new
    code writes that, old code the enum, and each sees what the other has written; a label that only one of
    the two knows cannot be written. Completion gives the new column the name, the default, NOT NULL and the
    comment of the old one. The type is kept, for other columns may have it. Text is ordered as text.

    Raises:
        TableError: the column is of no enum type, something hangs on it, or there is no primary key.
    """

    table: str
    column: str
    lookup: str
    beside: str = ""
    operation: ClassVar[str] = "enum_to_lookup"

    @property
    def subject(self) -> str:
        """The column."""
        return self.column

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the column is text that references the table of labels."""
        column = table.column(self.column)
        lookup = session.value("name_of", table=self.lookup)
        if session.value("references_to", oid=table.oid, column=column.name, far=lookup):
            return ()
        found = session.ask("enum_of", oid=table.oid, column=column.name)
        if not found:
            raise TableError(
                f'"{column.name}" of "{table.name}" is {column.type} and no enum',
                hint="name a column whose own type is an enum",
            )
        known, kind = found[0]
        beside = self.beside or fitted(column.name, "name")
        shape = _shape(session, table, column, NewName(beside, kind, lookup))
        refuse(session, table, shape)
        return (
            *labels.table_of_labels(session, table, lookup, known),
            _proof_of_indexes(session, table, column.name, beside),
            *reshaping.steps(session, table, shape),
        )


@dataclass(frozen=True)
class NewName:
    """Where the text is meanwhile, what it was, and what it references."""

    beside: str
    enum: str
    lookup: str


def _shape(session: Session, table: Table, column: Column, new: NewName) -> Shape:
    text = session.text(SQL("{}::text").format(Identifier("new", column.name)))
    back = session.text(SQL("{}::{}").format(Identifier("new", new.beside), SQL(new.enum)))
    key = SQL("CONSTRAINT {} REFERENCES {} (name)").format(
        Identifier(fitted(table.plain, column.name, "fkey")), SQL(new.lookup)
    )
    return Shape(
        called=fitted(table.plain, column.name, "lookup"),
        old=((column.name, back),),
        # A column that is added with nothing in it is no work for a foreign key, which is valid at once.
        new=(NewColumn(new.beside, "text", text, column.not_null, session.text(key)),),
        beside=(Lock(new.lookup, "SHARE ROW EXCLUSIVE"),),
        final=tuple(map(session.text, _takes_over(session, table, column, new.beside))),
    )


def _takes_over(session: Session, table: Table, column: Column, beside: str) -> Iterator[Composable]:
    """Yield what gives the new column all that the old one had."""
    alter, name = SQL("ALTER TABLE {} ").format(SQL(table.name)), Identifier(column.name)
    yield alter + SQL("RENAME COLUMN {} TO {}").format(Identifier(beside), name)
    if column.default is not None:
        yield alter + SQL("ALTER COLUMN {} SET DEFAULT {}").format(name, _as_text(column.default))
    if column.not_null and version(session) >= FIRST_WITH_NOT_VALID:
        yield alter + SQL("RENAME CONSTRAINT {} TO {}").format(
            *(Identifier(fitted(table.plain, each, "not_null")) for each in (beside, column.name))
        )
    for (target,) in session.ask("statistics_of", oid=table.oid, column=column.name):
        yield alter + SQL("ALTER COLUMN {} SET STATISTICS {}").format(name, Literal(target))
    for part, said in session.ask("comments_of", oid=table.oid):
        if part == column.name:
            yield SQL("COMMENT ON COLUMN {}.{} IS {}").format(SQL(table.name), name, Literal(said))


def _as_text(default: str) -> Composable:
    """Return a default as text; a plain label without its type, which may be dropped one day."""
    label = re.fullmatch(r"('(?:[^']|'')*')::.*", default)
    return SQL(label[1]) if label else SQL("({})::text").format(SQL(default))


def _proof_of_indexes(session: Session, table: Table, column: str, beside: str) -> Step:
    query = SQL(STATEMENTS["indexes_on"]).format(table=Literal(table.name), column=Literal(column))
    return Step(
        name="look for indexes of the old column",
        phase=Phase.COMPLETE,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        plain=(),
        failure=f'{{count}} indexes of "{column}" would be dropped with it: {{first}}',
        hint=f'build one like it for "{beside}", then drop it',
    )
