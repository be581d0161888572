"""A view that has the name of a table that was renamed."""

from __future__ import annotations

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import rights_and_comments
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import only_if


def made(session: Session, table: Table, new: Composable) -> tuple[str, ...]:
    """Return what makes the view; executed again, it changes nothing."""
    old = SQL(table.name)
    made = (
        SQL("CREATE OR REPLACE VIEW {} WITH (security_invoker = true) AS SELECT {} FROM {}").format(
            old, SQL(", ").join(Identifier(column.name) for column in table.columns), new
        ),
        SQL("ALTER VIEW {} OWNER TO {}").format(old, SQL(table.owner)),
        # An INSERT would find those of the table; SET column = DEFAULT would write NULL.
        *(
            SQL("ALTER VIEW {} ALTER COLUMN {} SET DEFAULT {}").format(
                old, Identifier(column.name), SQL(column.default)
            )
            for column in table.columns
            if column.default is not None and not column.generated
        ),
    )
    return (
        *map(session.text, made),
        *rights_and_comments.grants(session, table.oid, old),
        *rights_and_comments.comments(session, table.oid, "VIEW", old),
    )


def undone(session: Session, table: Table, new: Composable) -> str:
    """Return what drops the view and renames the table back, if there is a view."""
    is_view = SQL(
        "EXISTS (SELECT FROM pg_catalog.pg_class AS class"
        " WHERE class.oid = pg_catalog.to_regclass({}) AND class.relkind = 'v')"
    ).format(Literal(table.name))
    return only_if(
        session,
        is_view,
        SQL("DROP VIEW {}").format(SQL(table.name)),
        SQL("ALTER TABLE {} RENAME TO {}").format(new, Identifier(table.plain)),
    )
