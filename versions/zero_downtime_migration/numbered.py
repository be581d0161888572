"""Give a new column its numbers from a sequence: as a serial type does, and as an identity does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.server_names import sequence_name
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class Numbered:
    """What makes the sequence of a column, the value of a row, which are due, and what follows at last."""

    create: tuple[Composable, ...]
    value: str
    due: str
    last: tuple[Step, ...] = ()


def serial(session: Session, table: Table, column: str, type_: str) -> Numbered:
    """Return what makes a column serial."""
    return _numbered(session, table, column, type_, sequence_name(session, table, column))


def identity(session: Session, table: Table, column: str, type_: str, drawn: str) -> Numbered:
    """Return what makes a column an identity: until then it has a sequence that the identity goes on from."""
    name = fitted("zz", table.plain, column, "seq")
    made = _numbered(session, table, column, type_, name)
    parts = {
        "table": SQL(table.name),
        "column": Identifier(column),
        "sequence": table.beside(name),
        "called_table": Literal(table.name),
        "called_column": Literal(column),
        "always": SQL(drawn.upper()),
    }
    last = Step(
        name="let it be an identity, which goes on from the sequence",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=tuple(session.text(SQL(text).format(**parts)) for text in _BECOMES),
        locks=(Lock(table.name),),
        plain=(),
        final=True,
    )
    return Numbered(made.create, made.value, made.due, (last,))


def _numbered(session: Session, table: Table, column: str, type_: str, name: str) -> Numbered:
    sequence = table.beside(name)
    draw = SQL("nextval({}::regclass)").format(Literal(session.text(sequence)))
    parts = {
        "table": SQL(table.name),
        "owner": SQL(table.owner),
        "column": Identifier(column),
        "sequence": sequence,
        "type": SQL(type_),
        "draw": draw,
    }
    grants = (
        SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sequence, SQL(role))
        for (role,) in session.ask("inserting_roles", oid=table.oid)
    )
    made = tuple(SQL(text).format(**parts) for text in _CREATES)
    due = session.text(SQL("{} IS NULL").format(Identifier("t", column)))
    return Numbered((*made, *grants), session.text(draw), due)


_CREATES: Final = (
    "CREATE SEQUENCE {sequence} AS {type}",
    "ALTER SEQUENCE {sequence} OWNER TO {owner}",
    "ALTER SEQUENCE {sequence} OWNED BY {table}.{column}",
    "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {draw}",
)
_BECOMES: Final = (
    "ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT",
    "ALTER SEQUENCE {sequence} OWNED BY NONE",
    "ALTER TABLE {table} ALTER COLUMN {column} ADD GENERATED {always} AS IDENTITY",
    """SELECT pg_catalog.setval(
        pg_catalog.pg_get_serial_sequence({called_table}, {called_column}), drawn.last_value, drawn.is_called
    ) FROM {sequence} AS drawn""",
    "DROP SEQUENCE {sequence}",
)
