"""Look for what an erased person was known by where no way leads to, before the certificate.

What is looked for never leaves the server: it stands in temporary tables of the session (see `identifiers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Final

from psycopg2.extensions import AsIs
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, PrivilegeError
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, SUBJECT
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import (
    ROW,
    Escaped,
    identifier,
    rows_of,
    source_of,
)

# Up to this the texts of a table are read, so that what it costs does not grow with what others have.
MOST_ROWS: Final = 1_000
MOST_BYTES: Final = 1_000_000
_TIMEOUT_MS: Final = 600_000
_OTHER: Final = "subject_other"
# Each text is put together once; of those that are like nothing sought a regular expression reads none.
_TOLD: Final = (
    "(SELECT CASE WHEN plain.text"
    " LIKE ANY ((SELECT sought.likes FROM pg_temp.subject_sought AS sought)::text[])"
    " THEN plain.text ~ (SELECT sought.telling FROM pg_temp.subject_sought AS sought) ELSE false END"
    " FROM (SELECT pg_catalog.lower("
    "CASE WHEN pg_catalog.octet_length(written.text) = pg_catalog.char_length(written.text)"
    " THEN written.text ELSE pg_catalog.normalize(written.text, 'NFKC') END) AS text"
    " FROM (SELECT {text} AS text OFFSET 0) AS written OFFSET 0) AS plain)"
)
_EQUAL: Final = (
    "{column} = ANY ((SELECT pg_catalog.array_agg(known.value) FROM pg_temp.subject_known AS known"
    " WHERE pg_catalog.length(known.value) >= 4)::{type}[])"
)
# The older type keeps \u00e9 as it was written, and may hold what the newer one cannot.
_PLAIN_JSON: Final = (
    "CASE WHEN {0}::text ~ '\\\\u(0000|[dD][89a-fA-F])' THEN {0}::text ELSE {0}::jsonb::text END"
)


class Verified(str, Enum):
    """How far it was looked for what is left of a person.

    REACHED: in the rows that ways lead to. INDEXED: for what they were known by, too, in columns that an
    index leads to and in small tables. EVERYTHING: in the text and JSON columns of all tables.
    """

    REACHED = "reached"
    INDEXED = "indexed"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class _Place:
    """A column; equals: the type in which an index finds values of it, None where none does."""

    table: str
    name: str
    is_json: bool
    identifies: bool
    equals: str | None
    is_small: bool
    is_readable: bool

    def told(self, *, is_read: bool) -> Composable:
        """Return the condition that it holds the person: as a whole by its index, or in its text."""
        ways = [_equal(self)] if self.equals else []
        return SQL("({})").format(SQL(" OR ").join([*ways, *([_in_text([self])] if is_read else [])]))


def verify(cursor: Cursor, *, everything: bool = False) -> Verified:
    """Look for what the person of this session was known by, as `identifiers.remember` keeps it.

    A row that is theirs is no hit: whether it had to go was looked at, and what stays is kept on a ground.
    Nor is a row that ways lead to from another person who is there, in a column that identifies people: that
    one shares the value. A plain word is looked for only where it identifies somebody, not in prose.

    everything: reads all tables, in the time that takes; without it, what the role at work may not read is
    left out. Locks: ACCESS SHARE on what is read.

    Raises:
        DatabaseError: a column holds the person; it is named, and no value is.
        PrivilegeError: everything is to be looked at, and the role may not read it.
    """
    cursor.execute(STATEMENTS["is_known"])
    ((is_known,),) = cursor.fetchall()
    if not is_known:
        return Verified.REACHED
    if everything:
        cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (str(_TIMEOUT_MS),))
    hits = tuple(_elsewhere(cursor, _told(cursor, _places(cursor, everything=everything), everything)))
    if hits:
        raise DatabaseError(
            f"what the person was known by is left in {', '.join(hits)}",
            hint="declare an edge in ops.personal_edges, classify the column (or say why it is none), or "
            "edit the rows; call it again then",
        )
    return Verified.EVERYTHING if everything else Verified.INDEXED


def _places(cursor: Cursor, *, everything: bool) -> tuple[_Place, ...]:
    cursor.execute(STATEMENTS["places"], {"most_rows": MOST_ROWS, "most_bytes": MOST_BYTES})
    found = tuple(_Place(*row) for row in cursor.fetchall())
    hidden = list(dict.fromkeys(one.table for one in found if not one.is_readable))
    if everything and hidden:
        raise PrivilegeError(
            f"not everything can be looked at: the eraser may not read all of {', '.join(hidden)}",
            hint=f"GRANT SELECT ON {', '.join(hidden)} TO agent_eraser; its row security may not hide rows",
        )
    return tuple(one for one in found if one.is_readable and (everything or one.is_small or one.equals))


def _told(cursor: Cursor, places: Sequence[_Place], everything: bool) -> tuple[tuple[_Place, ...], bool]:
    """Return the columns of the tables that hold the person at all, asked in one statement."""
    tables = [tuple(columns) for _, columns in groupby(places, lambda one: one.table)]
    asked = [
        SQL(STATEMENTS["told_in"]).format(
            number=Literal(number),
            table=Escaped(identifier(columns[0].table)),
            told=_any(columns, everything),
        )
        for number, columns in enumerate(tables)
    ]
    if not asked:
        return (), everything
    cursor.execute(SQL(" UNION ALL ").join(asked), {"first": 0})
    return tuple(one for (number,) in cursor.fetchall() for one in tables[number]), everything


def _any(columns: Sequence[_Place], everything: bool) -> Composable:
    read = [one for one in columns if everything or one.is_small]
    texts = [_in_text(read)] if read else []
    return SQL(" OR ").join([*(_equal(one) for one in columns if one.equals), *texts])


def _equal(column: _Place) -> Composable:
    return SQL(_EQUAL).format(column=_named(column), type=Escaped(SQL(column.equals or "text")))


def _in_text(columns: Sequence[_Place]) -> Composable:
    """Return the condition that one of *columns* holds the person; they are put together to be read once."""
    joined = SQL("pg_catalog.concat_ws(E'\\n', {})").format(SQL(", ").join([_text(one) for one in columns]))
    return SQL(_TOLD).format(text=joined)


def _text(column: _Place) -> Composable:
    return SQL(_PLAIN_JSON if column.is_json else "{0}::text").format(_named(column))


def _named(column: _Place) -> Composable:
    return Escaped(Identifier(ROW, column.name))


def _elsewhere(cursor: Cursor, told: tuple[Iterable[_Place], bool]) -> Iterator[str]:
    """Yield the columns that hold the person in rows that are nobody's own, asked column by column."""
    columns, everything = told
    reaches: Mapping[str, Reach] | None = None
    for column in columns:
        if reaches is None:
            reaches = {one.name: one for one in reached(read_catalogue(cursor))}
        if _is_elsewhere(cursor, column, reaches.get(column.table), everything):
            yield f"{column.table}.{column.name}"


def _is_elsewhere(cursor: Cursor, column: _Place, reach: Reach | None, everything: bool) -> bool:
    if not (everything or column.is_small or column.equals):
        return False
    source = SQL("{} AS {}").format(Escaped(identifier(column.table)), Identifier(ROW))
    statement = SQL(STATEMENTS["elsewhere"]).format(
        source=source_of(reach) if reach else source,
        told=column.told(is_read=everything or column.is_small),
        theirs=rows_of(reach) if reach else SQL("false"),
        others=_others(cursor, reach) if reach and column.identifies else SQL("false"),
    )
    cursor.execute(statement, {"subject": SUBJECT, "other": AsIs(_other(reach))})
    ((is_there,),) = cursor.fetchall()
    return bool(is_there)


def _other(reach: Reach | None) -> str:
    return f'{_OTHER}."{reach.subject_key}"' if reach else "NULL"


def _others(cursor: Cursor, reach: Reach) -> Composable:
    """Return the condition that a row is, as a whole, that of another person who is there."""
    owned = reach.owned()
    if owned is None:
        return SQL("false")
    # The same condition, of another person than the one it is written for.
    theirs = rows_of(owned).as_string(cursor).replace("%(subject)s", "%(other)s")
    return SQL("EXISTS (SELECT FROM {people} AS {other} WHERE {key} <> %(subject)s AND {theirs})").format(
        people=Escaped(identifier(reach.subject.name)),
        other=Identifier(_OTHER),
        key=Escaped(Identifier(_OTHER, reach.subject_key)),
        theirs=SQL(theirs),
    )
