"""Add a column that is kept at what an expression makes of others, whoever writes the row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import psycopg2
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.derived_sync import kept
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.fired import as_fired, nothing_of
from spotify_ai_agent_migrations.versions.zero_downtime_migration.missed_rows import proof_of_fill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    Fill,
    Kind,
    Lock,
    Phase,
    Step,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import not_null_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.unique_filled import unique_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class AddSyncedColumn:
    """Add *column* of *type*, which a trigger keeps at what *expression* makes of the columns *sources*.

    Old code writes the sources alone. New code may write the column alone where *back* names a source and
    the expression that gives it a value of the column; who writes both is believed in the source. *check*
    is a condition that every row keeps, *comment* what the column is for. No two rows have the same value
    if it is *unique*. The column is NOT NULL in the end, and so must the expression be.

    Raises of `steps`:
        TableError: there is another column of that name, no primary key, partitions, or the expression is
            none of the sources.
    """

    table: str
    column: str
    type: str
    sources: tuple[str, ...]
    expression: str
    comment: str
    back: tuple[str, ...] = ()
    check: str = ""
    unique: bool = False
    operation: ClassVar[str] = "add_synced_column"

    @property
    def subject(self) -> str:
        """The column."""
        return self.column

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the column is kept already."""
        if table.has(self.column):
            if session.value("is_kept", table=table.name, column=self.column):
                return ()
            raise TableError(
                f'"{table.name}" has a column "{self.column}" that nothing keeps in step',
                hint="rename it, or choose another name",
            )
        self._refuse(session, table)
        unique = unique_steps(session, table, self.column, self.sources[0]) if self.unique else ()
        not_null = [
            step if step.kind is Kind.PROOF else replace(step, phase=Phase.COMPLETE, final=False)
            for step in not_null_steps(session, table, self.column)
        ]
        filled = self._filled(session, table)
        assert filled.fill is not None
        made = (self._added(session, table), filled, proof_of_fill(session, table, filled.fill.due))
        steps = (*made, *self._validated(session, table), *unique, *not_null)
        order = list(Phase)
        return tuple(sorted(steps, key=lambda step: order.index(step.phase)))

    def _refuse(self, session: Session, table: Table) -> None:
        if table.partitioned:
            raise TableError(
                f'"{table.name}" is partitioned, and a column of it is not kept in step',
                hint="make it a generated column of a new table, and swap the two",
            )
        if not table.primary:
            raise TableError(
                f'"{table.name}" has no primary key to walk along',
                hint="give it one first: add_primary_key",
            )
        for source in self.sources:
            table.column(source)
        sources = SQL("SELECT {} FROM {} WHERE false").format(
            SQL(", ").join(map(Identifier, self.sources)), SQL(table.name)
        )
        column = SQL("SELECT {}").format(nothing_of(session, [(self.column, self.type)]))
        for expression, of in ((self.expression, sources), *((each, column) for each in self.back[1:])):
            try:
                with as_fired(session):
                    session.ask(SQL("SELECT {} FROM ({}) AS t").format(SQL(expression), of))
            except psycopg2.ProgrammingError as error:
                raise TableError(
                    f'"{self.column}" cannot be made of {", ".join(self.sources)}: {shown_message(error)}',
                    hint="name no other columns than its sources, and functions with their schema",
                ) from error

    def _added(self, session: Session, table: Table) -> Step:
        sync = kept(session, table, self.column, self.sources, self.expression, self.back)
        comment = self._said(
            session, table, "COMMENT ON COLUMN {table}.{column} IS {comment}", comment=Literal(self.comment)
        )
        add, check = (
            "ALTER TABLE {table} ADD COLUMN {column} {type}",
            ", ADD CONSTRAINT {name} CHECK ({check})",
        )
        if not self.check:
            check = ""
        plain = self._said(session, table, add + check)
        return Step(
            name="add the column, and what keeps it",
            phase=Phase.START,
            kind=Kind.BRIEF,
            sql=(plain + " NOT VALID" if check else plain, comment, *sync.create),
            locks=(Lock(table.name),),
            undo=(
                *sync.drop,
                self._said(session, table, "ALTER TABLE {table} DROP COLUMN IF EXISTS {column}"),
            ),
            plain=(plain, comment, *sync.create),
        )

    def _filled(self, session: Session, table: Table) -> Step:
        due = self._said(session, table, "{column} IS DISTINCT FROM {expression}")
        return Step(
            name="fill it",
            phase=Phase.BACKFILL,
            kind=Kind.FILL,
            locks=(Lock(table.name, "ROW EXCLUSIVE"),),
            held="while a batch is written",
            plain=(
                self._said(
                    session,
                    table,
                    "UPDATE {table} AS t SET {column} = {expression} WHERE {due}",
                    due=SQL(due),
                ),
            ),
            fill=Fill(table.name, ((self.column, self.expression),), due),
        )

    def _validated(self, session: Session, table: Table) -> tuple[Step, ...]:
        if not self.check:
            return ()
        done = (
            "SELECT made.convalidated FROM pg_catalog.pg_constraint AS made"
            " WHERE made.conrelid = pg_catalog.to_regclass({quoted}) AND made.conname = {called}"
        )
        return (
            Step(
                name="validate the check",
                phase=Phase.VERIFY,
                kind=Kind.ALONE,
                sql=(self._said(session, table, "ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),),
                locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
                held="while it reads the table; others read and write meanwhile",
                done=self._said(
                    session,
                    table,
                    done,
                    quoted=Literal(table.name),
                    called=Literal(fitted(table.plain, self.column, "check")),
                ),
                plain=(),
            ),
        )

    def _said(self, session: Session, table: Table, text: str, **parts: Composable) -> str:
        return session.text(
            SQL(text).format(
                table=SQL(table.name),
                column=Identifier(self.column),
                type=SQL(self.type),
                expression=SQL(self.expression),
                name=Identifier(fitted(table.plain, self.column, "check")),
                check=SQL(self.check),
                **parts,
            )
        )
