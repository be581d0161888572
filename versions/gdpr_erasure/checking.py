"""Compare the catalogue of personal data with the database: what is not in it, and what cannot be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import open_connection, translated
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import Shape, constant, misfits
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached, unreached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import (
    Catalogue,
    Column,
    Edge,
    Kind,
    Strategy,
    Table,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import identifier

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure")
_CLASSES: Final = "none, identifier, contact, location, behavioural, content, derived"


def check_catalogue(url: str | None = None) -> tuple[Finding, ...]:
    """Return what is wrong about the catalogue of a database; nothing is well.

    Locks: ACCESS SHARE on catalogs and the tables of the catalogue. Reads no personal value.

    Raises:
        RevisionError: the database has no catalogue.
    """
    with translated(), closing(opened(url)) as connection, connection.cursor() as cursor:
        catalogue = read_catalogue(cursor)
        return tuple(_findings(cursor, catalogue))


def opened(url: str | None) -> Connection:
    """Return a connection that reads only, each statement by itself; the caller closes it.

    Raises:
        RevisionError: the database has no catalogue.
    """
    connection = open_connection(resolve_settings(url), purpose="agentdb gdpr-erasure", row_security=False)
    connection.set_session(readonly=True, autocommit=True)
    with connection.cursor() as cursor:
        if asked(cursor, "is_there") != [(True,)]:
            connection.close()
            raise RevisionError(
                "the database has no catalogue of personal data",
                hint="apply the revisions: alembic upgrade head",
            )
    return connection


def asked(cursor: Cursor, name: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a named statement."""
    cursor.execute(STATEMENTS[name], values)
    return cursor.fetchall()


def _findings(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    known = {(one.table_name, one.name): one for one in catalogue.columns}
    for table in catalogue.tables:
        if table.root is None:
            yield from _of_table(cursor, table, known)
    for name, column in asked(cursor, "gone"):
        where = SQL("table_name = {} AND column_name = {}").format(Literal(name), Literal(column))
        yield Finding(
            "gone",
            f"{name}.{column}",
            "is in the catalogue, and not in the database",
            f"DELETE FROM ops.personal_data WHERE {where.as_string(cursor)};",  # noqa: S608  (it is shown)
        )
    yield from _valued(cursor, catalogue)
    yield from _edges(cursor, catalogue)
    yield from _reaches(catalogue)
    yield from _references(cursor, catalogue)


def _of_table(cursor: Cursor, table: Table, known: dict[tuple[str, str], Column]) -> Iterator[Finding]:
    """Yield the columns of *table* that the catalogue does not know, or knows otherwise than they are."""
    for name, comment, base, category, not_null, is_unique in asked(cursor, "live", table=table.name):
        entry, place = known.get((table.name, name)), f"{table.name}.{name}"
        if entry is None:
            yield Finding("unclassified", place, "is not in the catalogue", _classify(table.name, name))
            continue
        if comment != entry.comment:
            yield Finding(
                "comment",
                place,
                "has another comment than the catalogue says",
                f"{_classify(table.name, name)} writes it again",
            )
        for problem in misfits(entry, Shape(base, category, not_null, is_unique)):
            yield Finding("strategy", place, problem, "choose a strategy that its type allows")


def _classify(table: str, column: str) -> str:
    spoken = SQL("SELECT ops.classify_column_v1({}, {}, …);").as_string(None) if False else ""
    del spoken
    return f"SELECT ops.classify_column_v1('{table}', '{column}', class => '…', description => '…', …);"


def _valued(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield the columns whose NULL or constant their type, a check or a foreign key refuses."""
    told = {
        (one.table_name, one.name): one
        for one in catalogue.columns
        if one.strategy in {Strategy.NULL, Strategy.CONSTANT}
    }
    for (table, name), column in told.items():
        if column.strategy is Strategy.CONSTANT and not _casts(cursor, column):
            yield _refused(table, name, f"is to be a constant that is none of {column.type}")
            del catalogue
            return
