"""Keep a column at what an expression makes of others: triggers, and the way back for who writes it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.two_way_sync import Sync


def kept(
    session: Session,
    table: Table,
    column: str,
    sources: tuple[str, ...],
    expression: str,
    back: tuple[str, ...],
) -> Sync:
    """Return what keeps *column* at what *expression* makes of its *sources*.

    It fires after the table's other triggers BEFORE a row is written, and for replicated rows too. It works
    as the owner of the table: who writes a row may not be let call what the expression calls.
    """
    routine = table.beside(fitted(table.plain, column, "sync"))
    inserted, updated = (fitted("zz", table.plain, column, verb) for verb in ("insert", "update"))
    parts: dict[str, Composable] = {
        "table": SQL(table.name),
        "routine": routine,
        "owner": SQL(table.owner),
        "inserted": Identifier(inserted),
        "updated": Identifier(updated),
        "told": Literal(f"Keep {column} at what it is made of"),
        "changed": SQL(" OR ").join(
            SQL("OLD.{0} IS DISTINCT FROM NEW.{0}").format(Identifier(name)) for name in (*sources, column)
        ),
    }
    given = {
        "column": Identifier(column),
        "made": SQL(expression),
        "sources": SQL(", ").join(SQL("new.{0} AS {0}").format(Identifier(name)) for name in sources),
    }
    body = SQL(_BODY).format(back=_back(given, back), **given)
    parts["body"] = Literal(session.text(body))
    return Sync(
        tuple(session.text(SQL(text).format(**parts)) for text in _CREATE),
        tuple(session.text(SQL(text).format(**parts)) for text in _DROP),
    )


def _back(given: Mapping[str, Composable], back: tuple[str, ...]) -> Composable:
    if not back:
        return SQL("")
    source, expression = back
    return SQL(_BACK).format(source=Identifier(source), expression=SQL(expression), **given)


_CREATE: Final = (
    """CREATE OR REPLACE FUNCTION {routine}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS {body}""",
    "ALTER FUNCTION {routine}() OWNER TO {owner}",
    "REVOKE ALL ON FUNCTION {routine}() FROM PUBLIC",
    "COMMENT ON FUNCTION {routine}() IS {told}",
    "CREATE OR REPLACE TRIGGER {inserted} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {routine}()",
    """CREATE OR REPLACE TRIGGER {updated} BEFORE UPDATE ON {table}
    FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {routine}()""",
    "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {inserted}",
    "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {updated}",
)
_DROP: Final = (
    "DROP TRIGGER IF EXISTS {inserted} ON {table}",
    "DROP TRIGGER IF EXISTS {updated} ON {table}",
    "DROP FUNCTION IF EXISTS {routine}()",
)
# Who fills the column asks whether a trigger gives it to every row that is written, and knows it by both.
_BODY: Final = """
BEGIN{back}
    -- Whatever agentdb.filling says: who fills writes the same.
    "new".{column} := (SELECT {made} FROM (SELECT {sources}) AS t);
    RETURN new;
END
"""
# OLD is NULL where a row is inserted. What the source makes is no news: a backfill leaves the source alone.
_BACK: Final = """
    IF tg_op = 'INSERT' AND new.{source} IS NULL
       OR tg_op = 'UPDATE' AND new.{column} IS DISTINCT FROM old.{column}
          AND new.{source} IS NOT DISTINCT FROM old.{source}
          AND new.{column} IS DISTINCT FROM (SELECT {made} FROM (SELECT {sources}) AS t) THEN
        new.{source} := (SELECT {expression} FROM (SELECT new.{column} AS {column}) AS t);
    END IF;"""
