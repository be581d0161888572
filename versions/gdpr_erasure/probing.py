"""Look for what one person is known by, in every column that can hold text: where, and in how many rows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.asking import SLOW, STATEMENTS, opened
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding, Held
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import (
    ROW,
    Escaped,
    identifier,
    rows_of,
    source_of,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.scanning import Searched, searched

TIMEOUT_MS: Final = 60_000
_KNOWN_BY: Final = frozenset({"identifier", "contact"})
# What is shorter stands in too many texts to say anything.
_SHORTEST: Final = 4
_MOST: Final = 100
_SLOW: Final = "give it more time: --timeout-ms"
_UNREAD: Final = "look at it by hand: a column of type json has \\u0000 in it"
# Text of one byte a character has one form, and to find it takes most of the time.
_NORMAL: Final = (
    "pg_catalog.lower(CASE WHEN pg_catalog.octet_length({0}) = pg_catalog.char_length({0}) THEN {0}"
    " ELSE pg_catalog.normalize({0}, 'NFKC') END)"
)
_WILD: Final = re.compile(r"([%_\\])")
_BEHIND: Final = r"\\\1"
_SPECIAL: Final = re.compile(r"([.^$*+?()\[\]{}|\\])")


@dataclass(frozen=True)
class Sought:
    """A regular expression of PostgreSQL, and what a text has to be LIKE to be worth the time it takes."""

    pattern: str
    likes: tuple[str, ...]


@dataclass(frozen=True)
class Probe:
    """Where a person was found; `findings` are the places that the catalogue does not lead to."""

    held: tuple[Held, ...]
    findings: tuple[Finding, ...]


def probe(
    subject: int, url: str | None = None, *, also: Sequence[str] = (), timeout_ms: int = TIMEOUT_MS
) -> Probe:
    """Return the columns that hold what the person *subject* is known by; no value is in it.

    also: what they are known by besides, or were before they were erased.

    They are found in any case and Unicode form, an e-mail address with or without dots and a tag in its local
    part too. Every row of every table is read: it takes the time of that, *timeout_ms* a table at the most.

    Raises:
        TableError: nothing is known of the person that could be looked for.
        RevisionError: the database has no catalogue.
    """
    with translated(), closing(opened(url)) as connection, connection.cursor() as cursor:
        catalogue = read_catalogue(cursor)
        cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(timeout_ms),))
        reaches = {reach.name: reach for reach in reached(catalogue)}
        found = sought([*_identifiers(cursor, catalogue, reaches, subject), *also])
        if found is None:
            raise TableError(
                f"nothing is known of person {subject} that could be looked for",
                hint="name a person who is there and not erased: --subject ID",
            )
        return _probed(cursor, catalogue, reaches, found, subject)


def sought(identifiers: Iterable[str]) -> Sought | None:
    """Return how to find one of *identifiers* in normalised text; None where none is long enough."""
    forms = dict(form for one in identifiers if len(one) >= _SHORTEST for form in _forms(one))
    return Sought("|".join(forms), tuple(dict.fromkeys(forms.values()))) if forms else None


def _forms(known: str) -> Iterator[tuple[str, str]]:
    """Yield what *known* is looked for as, of compatible form, in the small letters of two ways."""
    plain = unicodedata.normalize("NFKC", known).strip()
    for small in (plain.lower(), unicodedata.normalize("NFKC", plain.casefold())):
        local, at, host = small.rpartition("@")
        if at and local:
            yield _address(local, host), _like(f"@{host}")
        elif small:
            yield rf"(?<!\w){_escaped(small)}(?!\w)", _like(small)


def _like(text: str) -> str:
    return f"%{_WILD.sub(_BEHIND, text)}%"


def _address(local: str, host: str) -> str:
    """Return the pattern of an address whatever dots and tag stand in its local part."""
    letters = local.partition("+")[0].replace(".", "") or local
    spread = r"\.?".join(_escaped(letter) for letter in letters)
    return rf"(?<![\w.]){spread}\.?(?:\+[^@\s]*)?@{_escaped(host)}(?!\w)"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_BEHIND, text)


def _identifiers(
    cursor: Cursor, catalogue: Catalogue, reaches: Mapping[str, Reach], subject: int
) -> list[str]:
    """Return what the person is known by: texts of the catalogue's identifiers and contacts in their rows."""
    text = {(one.table, one.name) for one in searched(cursor)}
    found: list[str] = []
    for reach in reaches.values():
        if (owned := reach.owned()) is None:
            continue
        for column in catalogue.columns_of(reach.name):
            is_known_by = column.class_ in _KNOWN_BY and column.people == "users" and not column.follows
            if is_known_by and (reach.name, column.name) in text:
                found += texts_of(cursor, owned, column.name, subject)
    return found


def texts_of(cursor: Cursor, reach: Reach, column: str, subject: object) -> list[str]:
    """Return the texts of a column in the rows of *subject*: a number, or what stands for it."""
    statement = SQL(STATEMENTS["identifiers"]).format(
        column=Escaped(Identifier(column)),
        source=source_of(reach),
        rows=rows_of(reach),
        most_rows=Literal(_MOST),
    )
    cursor.execute(statement, {"subject": subject})
    return [value for (value,) in cursor.fetchall()]


def _probed(
    cursor: Cursor, catalogue: Catalogue, reaches: Mapping[str, Reach], found: Sought, subject: int
) -> Probe:
    personal = {f"{one.table_name}.{one.name}" for one in catalogue.columns if one.is_personal}
    held: list[Held] = []
    unseen: list[Finding] = []
    for table, columns in groupby(searched(cursor), key=lambda one: one.table):
        try:
            held += _held(cursor, list(columns), reaches.get(table), found, subject)
        except SLOW:
            unseen.append(Finding("unseen", table, "took too long to be looked at", _SLOW))
        except psycopg2.DataError:
            unseen.append(Finding("unseen", table, "has JSON that jsonb cannot hold", _UNREAD))
    findings = [finding for one in held if (finding := _judged(one, personal)) is not None]
    return Probe(tuple(held), (*unseen, *findings))


def _judged(held: Held, personal: set[str]) -> Finding | None:
    if held.place not in personal:
        hint = "classify it with ops.classify_column_v1, and give its table a way from the person"
        return Finding("subject", held.place, f"holds the person in {_rows(held.rows)}, undeclared", hint)
    if held.elsewhere:
        problem = f"holds the person in {_rows(held.elsewhere)} that no way leads to"
        return Finding(
            "subject", held.place, problem, "declare an edge in ops.personal_edges, or edit the rows"
        )
    return None


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _held(
    cursor: Cursor, columns: Sequence[Searched], reach: Reach | None, found: Sought, subject: int
) -> Iterator[Held]:
    """Yield the columns of one table that hold the person; all of them are counted in one pass."""
    table = Escaped(identifier(columns[0].table))
    source = source_of(reach) if reach else SQL("{} AS {}").format(table, Identifier(ROW))
    theirs = rows_of(reach) if reach else SQL("false")
    names = [f"column_{place}" for place in range(len(columns))]
    statement = SQL(STATEMENTS["held"]).format(
        counts=SQL(", ").join([_count(name) for name in names]),
        source=source,
        answers=SQL(", ").join(
            [
                *(_answer(column, name) for column, name in zip(columns, names, strict=True)),
                SQL("({}) IS NOT TRUE AS elsewhere").format(theirs),
            ]
        ),
    )
    cursor.execute(statement, {"subject": subject, "found": found.pattern, "likes": list(found.likes)})
    numbers = cursor.fetchone() or ()
    for column, rows, elsewhere in zip(columns, numbers[::2], numbers[1::2], strict=True):
        if rows:
            yield Held(column.place, rows, elsewhere)


def _count(name: str) -> Composable:
    return SQL(
        "pg_catalog.count(*) FILTER (WHERE subject_held.{name}), "
        "pg_catalog.count(*) FILTER (WHERE subject_held.{name} AND subject_held.elsewhere)"
    ).format(name=Identifier(name))


def _answer(column: Searched, name: str) -> Composable:
    text = SQL(_NORMAL).format(_text(column))
    # The regular expression takes ten times as long.
    holds = "{text} LIKE ANY (%(likes)s) AND {text} ~ %(found)s AS {name}"
    return SQL(holds).format(text=text, name=Identifier(name))


def _text(column: Searched) -> Composable:
    # The older type keeps \u00e9 as it was written.
    cast = "{}::jsonb::text" if column.is_json else "{}::text"
    return SQL(cast).format(Escaped(Identifier(ROW, column.name)))
