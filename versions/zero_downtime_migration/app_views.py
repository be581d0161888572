"""Show one table to the applications of released revisions, each by the names that it knows.

The views read and write as whoever uses them (`security_invoker`), so that row security and the grants of
the table hold; grants, column grants and comments are those of the table. Who may read some columns only has
to read the table, for a view reads all that it shows. What a view cannot do, nobody can
by it: COPY the view (COPY (SELECT …) TO can), TRUNCATE, ON CONFLICT ON CONSTRAINT, see ctid or xmin, MERGE
before PostgreSQL 17. An INSERT gets the defaults of the table; `SET column = DEFAULT` in an UPDATE writes
NULL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    facts,
    forms,
    refusals,
    rights_and_comments,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

# What a schema says that was made for such views.
MARK: Final = "Views for applications of a released revision; agentdb zero-downtime-migration views"


def schema_of(revision: str) -> str:
    """Return the schema with the views of a revision."""
    return f"app_v{revision}"


def revisions(session: Session) -> tuple[str, ...]:
    """Return the revisions that have views, the oldest one first."""
    return tuple(row[0] for row in session.ask("app_schemas", mark=MARK))


def made(session: Session, oid: int, revision: str, changes: Collection[forms.Open]) -> tuple[str, ...]:
    """Return what makes the view of one table for one revision; nothing if it is not in schema public."""
    name = session.value("name_of_shown", oid=oid)
    if name is None:
        return ()
    table = facts.table(session, name)
    own = _about(changes, table.name, table.plain)
    columns = forms.shown([column.name for column in table.columns], own, revision)
    view = Identifier(schema_of(revision), forms.called(table.plain, own, revision))
    body = SQL(", ").join(
        SQL("{} AS {}").format(Identifier(actual), Identifier(called)) for actual, called in columns
    )
    return (
        session.text(
            SQL("CREATE VIEW {} WITH (security_invoker = true) AS SELECT {} FROM {}").format(
                view, body, SQL(table.name)
            )
        ),
        session.text(SQL("ALTER VIEW {} OWNER TO {}").format(view, SQL(table.owner))),
        *_grants(session, oid, dict(columns), view),
        *_comments(session, oid, dict(columns), view),
    )


def _about(changes: Collection[forms.Open], name: str, plain: str) -> tuple[forms.Open, ...]:
    return tuple(
        one
        for one in changes
        if one.table == name or (one.operation == "rename_table" and one.arguments["to"] == plain)
    )


def _grants(session: Session, oid: int, called: dict[str, str], view: Composable) -> Iterator[str]:
    for column, role, may_grant, kinds in session.ask("grants_of", oid=oid):
        if column is None or column in called:
            yield session.text(
                SQL("GRANT {} ON {} TO {}{}").format(
                    SQL(", ").join(
                        rights_and_comments.privilege(kind, column and called[column]) for kind in kinds
                    ),
                    view,
                    SQL(role),
                    SQL(" WITH GRANT OPTION" if may_grant else ""),
                )
            )


def _comments(session: Session, oid: int, called: dict[str, str], view: Composable) -> Iterator[str]:
    for column, said in session.ask("comments_of", oid=oid):
        if column is None or column in called:
            yield session.text(rights_and_comments.comment("VIEW", view, column and called[column], said))


def open_changes(session: Session) -> tuple[forms.Open, ...]:
    """Return the changes that are not over."""
    if not session.value("has_ledger"):
        return ()
    return tuple(forms.Open(*row) for row in session.ask("open_changes"))


def locks(session: Session, tables: Sequence[Lock]) -> tuple[Lock, ...]:
    """Return the locks on the views of tables that a step is about to change, which come before theirs."""
    if not revisions(session):
        return ()
    names = {name for oid in _numbers(session, tables) for name in views(session, oid)}
    return tuple(map(Lock, sorted(names)))


@contextmanager
def made_anew(session: Session, tables: Sequence[Lock], *, but: str | None = None) -> Iterator[None]:
    """Take down the views of *tables* for the block and make them anew behind it, in one transaction.

    Those of revisions before *but* are not made again: what they show is gone.
    """
    wanted = revisions(session)
    if not wanted:
        yield
        return
    numbers = _numbers(session, tables)
    for name in {name for oid in numbers for name in views(session, oid)}:
        session.run(SQL("DROP VIEW {}").format(SQL(name)))
    yield
    changes = open_changes(session)
    for oid in dict.fromkeys((*numbers, *_numbers(session, tables))):
        for revision in wanted:
            if but is None or revision >= but:
                for statement in made(session, oid, revision, changes):
                    session.run(statement)


def views(session: Session, oid: int) -> tuple[str, ...]:
    """Return the views of released revisions that show a table.

    Raises:
        TableError: something else beside them depends on it, which would be dropped and not made again.
    """
    found = session.ask("views_of_table", oid=oid, mark=MARK)
    name = session.value("name_of_shown", oid=oid) if found else None
    plain, own = "", tuple[forms.Open, ...]()
    if name is not None:
        table = facts.table(session, name)
        plain, own = table.plain, _about(open_changes(session), table.name, table.plain)
    refuse_others(view for revision, its, view in found if its != forms.called(plain, own, revision))
    return tuple(view for _, _, view in found)


def refuse_others(names: Iterable[str]) -> None:
    """Refuse what somebody else has put into the schema of a revision."""
    refusals.refuse(
        "what is in the schema of a released revision, and no view of a table of its, would be lost",
        names,
        "move it to a schema of its own, or drop it",
    )


def _numbers(session: Session, tables: Sequence[Lock]) -> tuple[int, ...]:
    found = (session.value("number_of", table=lock.table) for lock in tables)
    return tuple(dict.fromkeys(oid for oid in found if oid))
