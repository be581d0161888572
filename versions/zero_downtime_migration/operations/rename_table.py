"""Rename a table while code that knows the old name goes on: a view has that name until the completion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    namesake,
    refusals,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session


@dataclass(frozen=True)
class RenameTable:
    """Rename *table*, which is given with its schema, to *to*, a plain name in the same schema.

    In the transaction that renames it a view takes the old name, with the same owner, grants, comments and
    defaults. It reads and writes as whoever uses it (`security_invoker`), so that row security and grants of
    the table hold. Completion drops the view, abort renames back. Indexes, constraints and sequences keep
    their names; views, policies, foreign keys and publications follow the table, of which a subscriber
    expects the new name.

    What a view cannot do, old code cannot do meanwhile: COPY the view in or out (COPY (SELECT …) TO can),
    TRUNCATE, name a constraint in ON CONFLICT, see ctid or xmin, MERGE before PostgreSQL 17, DDL; and a
    trigger's TG_TABLE_NAME is the new name.

    Raises:
        TableError: the new name is taken, or a function takes rows of the table.
    """

    table: str
    to: str
    operation: ClassVar[str] = "rename_table"

    @property
    def subject(self) -> str:
        """The new name."""
        return self.to

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the table has that name."""
        if table.plain == self.to:
            return ()
        new = table.beside(self.to)
        refusals.refuse_long(self.to)
        _refuse(session, table, session.text(new))
        old = SQL(table.name)
        view = namesake.made(session, table, new)
        locks = (Lock(table.name), Lock(session.text(new)))
        rename = session.text(SQL("ALTER TABLE {} RENAME TO {}").format(old, Identifier(self.to)))
        return (
            Step(
                name="rename it, and make a view of the old name",
                phase=Phase.START,
                kind=Kind.BRIEF,
                sql=(rename, *view),
                locks=locks,
                undo=(namesake.undone(session, table, new),),
                plain=(rename,),
            ),
            *_looks(session, table),
            Step(
                name="drop the view",
                phase=Phase.COMPLETE,
                kind=Kind.BRIEF,
                sql=(session.text(SQL("DROP VIEW {}").format(old)),),
                locks=(Lock(table.name),),
                undo=view,
                plain=(),
            ),
        )


def _refuse(session: Session, table: Table, new: str) -> None:
    refusals.refuse(
        f'"{table.name}" cannot be called what something is called already',
        refusals.firsts(session, "taken", name=new),
        "choose another name, or rename that first",
    )
    refusals.refuse(
        f'functions take rows of "{table.name}", which a view of its old name has not',
        refusals.firsts(session, "taking_rows", oid=table.oid),
        "let them take the columns that they need",
    )


def _looks(session: Session, table: Table) -> tuple[Step, ...]:
    """Return the steps that look for what would miss the view."""
    return (
        Step(
            name="look for what hangs on the view",
            phase=Phase.COMPLETE,
            kind=Kind.PROOF,
            sql=(session.text(SQL(STATEMENTS["dependents_of_view"]).format(name=Literal(table.name))),),
            plain=(),
            failure=f'{{count}} things hang on the view "{table.name}" that has the old name: {{first}}',
            hint="let them use the new name, or drop them",
        ),
        Step(
            name="look for functions that say the old name",
            phase=Phase.COMPLETE,
            kind=Kind.PROOF,
            sql=(session.text(SQL(STATEMENTS["functions_saying"]).format(name=Literal(table.plain))),),
            plain=(),
            failure=f'the text of {{count}} functions holds "{table.plain}": {{first}}',
            hint="let them use the new name if it is the table that they mean",
            only_said=True,
        ),
    )
