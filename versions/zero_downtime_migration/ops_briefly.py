"""What takes milliseconds and may be repeated: not recorded, but the lock is taken as for a change."""

from __future__ import annotations

from typing import Final

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.revising import briefly

_REFERENCED: Final = """
SELECT pg_catalog.format('%I.%I', space.nspname, other.relname)
  FROM pg_catalog.pg_constraint AS rule
  JOIN pg_catalog.pg_class AS other ON other.oid = rule.confrelid
  JOIN pg_catalog.pg_namespace AS space ON space.oid = other.relnamespace
 WHERE rule.conrelid = pg_catalog.to_regclass({})
   AND rule.conname = {}
   AND rule.confrelid <> rule.conrelid
"""


def set_default(table: str, column: str, default: str | None) -> None:
    """Give a column a default, which is SQL, for rows that come; None takes it away.

    Locks: ACCESS EXCLUSIVE for milliseconds.
    """
    how = SQL("DROP DEFAULT") if default is None else SQL("SET DEFAULT {}").format(SQL(default))
    statement = SQL("ALTER TABLE {} ALTER COLUMN {} {}").format(SQL(table), Identifier(column), how)
    briefly(table, f"change the default of {column}", statement, Lock(table))


def set_comment(table: str, comment: str | None, column: str | None = None) -> None:
    """Say what a table, or a *column* of it, holds; None takes the words away.

    Locks: SHARE UPDATE EXCLUSIVE, which nobody who reads or writes waits for.
    """
    what = SQL("TABLE {}").format(SQL(table))
    if column is not None:
        what = SQL("COLUMN {}.{}").format(SQL(table), Identifier(column))
    statement = SQL("COMMENT ON {} IS {}").format(what, Literal(comment))
    briefly(table, "comment on it", statement, Lock(table, "SHARE UPDATE EXCLUSIVE"))


def drop_constraint(table: str, name: str) -> None:
    """Drop a constraint: a check, a key or a foreign key; none of that name is none to drop.

    Locks: ACCESS EXCLUSIVE for milliseconds, of a foreign key on both tables.
    """
    statement = SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(SQL(table), Identifier(name))
    query = SQL(_REFERENCED).format(Literal(table), Literal(name))
    briefly(table, f"drop the constraint {name}", statement, Lock(table), others=query)
