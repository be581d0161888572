"""Ask the catalogue about tables that a rollback keeps, and name them in SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Composed, Identifier

from spotify_ai_agent_migrations.versions.core.sql import queries

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.rollback")
# The order in which changed rows were kept, in a column of this name.
ORDER: Final = "rollback order"
_PART: Final = re.compile(r'"(?:[^"]|"")*"|[^".\s]+')


@dataclass(frozen=True)
class Column:
    """A column, and the type its values are kept in: a built-in one, since its own may go.

    `needs_copy`: its type or collation is not built in. `numbered`: only the server may give its values.
    """

    name: str
    kept_type: str
    generated: bool
    is_domain: bool
    needs_copy: bool
    numbered: bool


def parts(name: str) -> tuple[str, ...]:
    """Return the schema and the name that "schema.table" says in SQL, without quotes."""
    return tuple(
        part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()
        for part in _PART.findall(name)
    )


def named(table: str) -> Identifier:
    """Return "schema.table", as the catalogue writes it, as an identifier."""
    return Identifier(*parts(table))


def own_rows(cursor: Cursor, table: str) -> Composed:
    """Return *table* as what to read its own rows from, without those of tables that inherit from it."""
    only = value(cursor, STATEMENTS["has_own_rows"], {"table": table})
    return SQL("ONLY {}" if only else "{}").format(named(table))


def columns(cursor: Cursor, table: str) -> tuple[Column, ...]:
    """Return the columns of *table*, in order."""
    cursor.execute(STATEMENTS["columns"], {"table": table})
    return tuple(Column(*row) for row in cursor.fetchall())


def key_columns(cursor: Cursor, table: str) -> tuple[str, ...]:
    """Return the columns of the primary key of *table*; none where it has none."""
    cursor.execute(STATEMENTS["key_columns"], {"table": table})
    return tuple(str(name) for (name,) in cursor.fetchall())


def names(found: tuple[Column, ...]) -> Composed:
    """Return the columns as a list in SQL."""
    return SQL(", ").join(Identifier(column.name) for column in found)


def kept_values(found: tuple[Column, ...]) -> Composed:
    """Return the columns as a list in SQL, each in the type it is kept in."""
    return SQL(", ").join(
        SQL("{}::{} AS {}").format(Identifier(column.name), SQL(column.kept_type), Identifier(column.name))
        for column in found
    )


def statement(name: str, **parts: Composable) -> Composed:
    """Return a named statement with its identifiers filled in."""
    return SQL(STATEMENTS[name]).format(**parts)


def value(cursor: Cursor, query: str | Composable, values: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
    """Return the first column of the first row; None where there is no row."""
    cursor.execute(query, values)
    found = cursor.fetchone()
    return found[0] if found else None


def counted(cursor: Cursor, table: Composable) -> tuple[int, str]:
    """Return how many rows a table has, and a hash of them in any order."""
    cursor.execute(statement("checksum", table=table))
    found = cursor.fetchone()
    assert found is not None
    return int(found[0]), str(found[1])


def lock(cursor: Cursor, table: str) -> None:
    """Let nobody write a table until the transaction ends; readers stay.

    Locks: SHARE ROW EXCLUSIVE.
    """
    cursor.execute(SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(named(table)))


def driver(connection: Any) -> Connection:  # noqa: ANN401  (SQLAlchemy's)
    """Return psycopg2's connection behind SQLAlchemy's."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, Connection)
    return raw
