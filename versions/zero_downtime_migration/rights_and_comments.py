"""Give a relation or a column the grants and comments that another one has."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def grants(session: Session, oid: int, to: Composable) -> tuple[str, ...]:
    """Return what gives to another relation the grants of one and of its columns."""
    return tuple(
        session.text(
            SQL("GRANT {} ON {} TO {}{}").format(
                SQL(", ").join(privilege(kind, column) for kind in kinds),
                to,
                SQL(role),
                SQL(" WITH GRANT OPTION" if may_grant else ""),
            )
        )
        for column, role, may_grant, kinds in session.ask("grants_of", oid=oid)
    )


def column_grants(session: Session, table: Table, columns: Iterable[str], to: str) -> tuple[str, ...]:
    """Return what gives to one column the grants that others of the same table have of their own."""
    wanted = set(columns)
    return tuple(
        session.text(
            SQL("GRANT {} ON {} TO {}{}").format(
                SQL(", ").join(privilege(kind, to) for kind in kinds),
                SQL(table.name),
                SQL(role),
                SQL(" WITH GRANT OPTION" if may_grant else ""),
            )
        )
        for column, role, may_grant, kinds in session.ask("grants_of", oid=table.oid)
        if column in wanted
    )


def comments(session: Session, oid: int, kind: str, to: Composable) -> tuple[str, ...]:
    """Return what gives to another relation, a TABLE or a VIEW, the comments of one and of its columns."""
    return tuple(
        session.text(comment(kind, to, column, said)) for column, said in session.ask("comments_of", oid=oid)
    )


def comment(kind: str, to: Composable, column: str | None, said: str | None) -> Composable:
    """Return what comments on a relation or on a column of it, or takes its comment away."""
    if column is None:
        return SQL("COMMENT ON {} {} IS {}").format(SQL(kind), to, Literal(said))
    return SQL("COMMENT ON COLUMN {}.{} IS {}").format(to, Identifier(column), Literal(said))


def privilege(kind: str, column: str | None) -> Composable:
    """Return a privilege on a relation, or on a column of it."""
    return SQL(kind) if column is None else SQL("{} ({})").format(SQL(kind), Identifier(column))
