"""Look for personal data that the catalogue does not know: by names, and by some values of every column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.gdpr_erasure.asking import SLOW, STATEMENTS, asked, opened
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Table
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import identifier
from spotify_ai_agent_migrations.versions.gdpr_erasure.recognising import counted, keys_of, kind_of_name

ROWS: Final = 1_000
PAGES: Final = 1_000
TIMEOUT_MS: Final = 5_000
_CHARACTERS: Final = 4_000
_DECLARE: Final = (
    "classify it with ops.classify_column_v1, or say why it is none: strategy_args => '{\"why\": …}'"
)


@dataclass(frozen=True)
class Searched:
    """A column that can hold text; `holds` is text, document or address."""

    table: str
    name: str
    holds: str
    is_json: bool
    can_be_sampled: bool

    @property
    def place(self) -> str:
        """Return the column, as SQL writes it."""
        return f"{self.table}.{self.name}"


def scan(
    url: str | None = None, *, rows: int = ROWS, pages: int = PAGES, timeout_ms: int = TIMEOUT_MS
) -> tuple[Finding, ...]:
    """Return the columns that look personal, and that the catalogue does not say are; no value is in it.

    rows: values that are looked at, of each column; of a table of more than *pages* they come from as many.
    timeout_ms: how long one column may take; what takes longer is a finding, for nobody has looked at it.

    Locks: ACCESS SHARE on one table at a time.

    Raises:
        RevisionError: the database has no catalogue.
        PrivilegeError: the login may not read a table, or row security would hide rows of it.
    """
    with translated(), closing(opened(url)) as connection, connection.cursor() as cursor:
        catalogue = read_catalogue(cursor)
        cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(timeout_ms),))
        return (*_named(cursor, catalogue), *_valued(cursor, catalogue, rows=rows, pages=pages))


def searched(cursor: Cursor) -> tuple[Searched, ...]:
    """Return the columns that can hold text, in the order of their tables."""
    return tuple(Searched(*row) for row in asked(cursor, "searched"))


def _named(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield the columns whose names speak of a person, and that nobody said speak of none."""
    known = {(one.table_name, one.name): one for one in catalogue.columns}
    for table in _own(catalogue):
        for name, *_ in asked(cursor, "live", table=table.name):
            kind, entry = kind_of_name(name), known.get((table.name, name))
            if kind is None or (entry is not None and (entry.is_personal or "why" in entry.strategy_args)):
                continue
            yield Finding("named", f"{table.name}.{name}", f"is named as if it held: {kind}", _DECLARE)


def _own(catalogue: Catalogue) -> Sequence[Table]:
    return [table for table in catalogue.tables if table.root is None]


def _valued(cursor: Cursor, catalogue: Catalogue, *, rows: int, pages: int) -> Iterator[Finding]:
    """Yield the columns whose values look personal, with the share of those that do."""
    known = {(one.table_name, one.name): one for one in catalogue.columns}
    for column in searched(cursor):
        entry = known.get((column.table, column.name))
        if (entry is not None and entry.is_personal) or column.table.endswith(".alembic_version"):
            continue
        try:
            values = _sample(cursor, column, rows=rows, pages=pages)
        except SLOW:
            yield Finding(
                "unseen", column.place, "took too long to be looked at", "give it more time: --timeout-ms"
            )
            continue
        yield from _looked_at(column, values)
        if entry is None or "why" not in entry.strategy_args:
            yield from _keyed(column, values)


def _looked_at(column: Searched, values: Sequence[str]) -> Iterator[Finding]:
    found = {"IP address": len(values)} if column.holds == "address" and values else counted(values)
    for kind, count in found.items():
        yield _shared(column, "valued", f"looks as if it held: {kind}", count, len(values))


def _shared(column: Searched, kind: str, problem: str, count: int, total: int) -> Finding:
    return Finding(kind, column.place, f"{problem} ({100 * count / total:.1f} % of {total} values)", _DECLARE)


def _keyed(column: Searched, values: Sequence[str]) -> Iterator[Finding]:
    """Yield the kinds that keys of documents speak of; a document that was cut is not read."""
    found: dict[str, int] = {}
    for value in values if column.holds == "document" else ():
        for kind in dict.fromkeys(filter(None, map(kind_of_name, keys_of(_read(value))))):
            found[kind] = found.get(kind, 0) + 1
    for kind, count in found.items():
        yield _shared(column, "named", f"has keys as if it held: {kind}", count, len(values))


def _read(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None


def _sample(cursor: Cursor, column: Searched, *, rows: int, pages: int) -> list[str]:
    statement = SQL(STATEMENTS["sample"]).format(
        column=Identifier(column.name),
        table=identifier(column.table),
        sampling=_sampling(cursor, column, pages),
        most_characters=Literal(_CHARACTERS),
        most_rows=Literal(rows),
    )
    cursor.execute(statement)
    return [value for (value,) in cursor.fetchall()]


def _sampling(cursor: Cursor, column: Searched, pages: int) -> Composable:
    ((there,),) = asked(cursor, "pages", table=column.table)
    if there is None or there <= pages or not column.can_be_sampled:
        return SQL("")
    return SQL("TABLESAMPLE SYSTEM ({})").format(Literal(100 * pages / there))
