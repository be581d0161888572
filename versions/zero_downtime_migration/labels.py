"""A table of labels, in the place of an enum type."""

from __future__ import annotations

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import facts, refusals
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def table_of_labels(session: Session, table: Table, lookup: str, labels: list[str]) -> tuple[Step, ...]:
    """Return the step that makes the table of labels, if it is not there."""
    if session.ask("table_facts", table=lookup):
        _refuse_other(session, lookup, labels)
        return ()
    name = SQL(lookup)
    plain = session.value(SQL("SELECT (pg_catalog.parse_ident({}))[2]").format(Literal(lookup)))
    made = (
        SQL(
            "CREATE TABLE {} (name text CONSTRAINT {} PRIMARY KEY,"
            " position integer NOT NULL CONSTRAINT {} UNIQUE)"
        ).format(name, Identifier(fitted(plain, "pkey")), Identifier(fitted(plain, "position", "key"))),
        SQL("INSERT INTO {} (name, position) SELECT * FROM pg_catalog.unnest({}) WITH ORDINALITY").format(
            name, Literal(labels)
        ),
        SQL("COMMENT ON COLUMN {}.name IS 'none: the label'").format(name),
        SQL("COMMENT ON COLUMN {}.position IS 'none: its place among the labels, from 1'").format(name),
        SQL("ALTER TABLE {} OWNER TO {}").format(name, SQL(table.owner)),
        *(SQL("GRANT SELECT ON {} TO {}").format(name, SQL(role)) for role in _readers(session, table)),
    )
    return (
        Step(
            name="make the table of labels",
            phase=Phase.START,
            kind=Kind.BRIEF,
            sql=tuple(map(session.text, made)),
            undo=(session.text(SQL("DROP TABLE IF EXISTS {}").format(name)),),
        ),
    )


def _refuse_other(session: Session, lookup: str, labels: list[str]) -> None:
    if facts.table(session, lookup).primary != ("name",):
        raise TableError(f'"{lookup}" has no key "name"', hint="name a table that is not there yet")
    missing = session.ask(
        SQL("SELECT label FROM pg_catalog.unnest({}) AS label EXCEPT SELECT name FROM {}").format(
            Literal(labels), SQL(lookup)
        )
    )
    refusals.refuse(f'"{lookup}" lacks labels', (row[0] for row in missing), "insert them into it")


def _readers(session: Session, table: Table) -> tuple[str, ...]:
    found = session.ask("grants_of", oid=table.oid)
    return tuple(dict.fromkeys(role for _, role, _, kinds in found if "SELECT" in kinds))
