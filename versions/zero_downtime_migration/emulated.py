"""Compute a column by a trigger, whenever a row is written, as a stored generated column would be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.two_way_sync import differing


@dataclass(frozen=True)
class Computed:
    """What makes the trigger and what takes it away, the value of a row `t`, and which rows are due."""

    create: tuple[Composable, ...]
    drop: tuple[Composable, ...]
    expression: str
    due: str


def computed(session: Session, table: Table, column: str, type_: str, expression: str) -> Computed:
    """Return what computes a column, after the other triggers BEFORE, for replicated rows too."""
    name = fitted("zz", table.plain, column, "computed")
    routine, trigger = table.beside(name), Identifier(name)
    value = SQL("({})::{}").format(SQL(expression), SQL(type_))
    body = SQL(_BODY).format(column=Identifier("new", column), value=value)
    create = (
        SQL(
            "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql\n"
            "    SET search_path = pg_catalog, pg_temp AS {}"
        ).format(routine, Literal(session.text(body))),
        SQL("ALTER FUNCTION {}() OWNER TO {}").format(routine, SQL(table.owner)),
        SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(routine),
        SQL("CREATE TRIGGER {} BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
            trigger, SQL(table.name), routine
        ),
        SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(SQL(table.name), trigger),
    )
    drop = (
        SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, SQL(table.name)),
        SQL("DROP FUNCTION IF EXISTS {}()").format(routine),
    )
    due = session.text(differing(Identifier("t", column), value))
    return Computed(create, drop, session.text(value), due)


# A column of the table may be called like a variable of the language.
_BODY: Final = """
#variable_conflict use_column
BEGIN
    {column} := (SELECT {value} FROM (SELECT new.*) AS t);
    RETURN new;
END
"""
