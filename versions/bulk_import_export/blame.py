"""Say which line and column of the file the server means by an error. No value of a row is repeated.

What the server says is read without its words, which follow the language it is set to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import Constraint
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column, Table, shown
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Record
from spotify_ai_agent_migrations.versions.bulk_import_export.source import Source
from spotify_ai_agent_migrations.versions.core.database import translate
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, RowError

NOT_NULL: Final = "23502"
FOREIGN_KEY: Final = "23503"
UNIQUE: Final = "23505"
CHECK: Final = "23514"
EXCLUSION: Final = "23P01"
RAISED: Final = "P0001"

# Data, constraints, limits of one row, and what functions and triggers raise. The rest is not a row's fault.
_ROW_CLASSES: Final = ("22", "23", "54", "P0")
_OF_TYPE: Final = {
    "22P02": "not a valid {type}",
    "22007": "not a valid {type}",
    "22P03": "not a valid {type}",
    "22001": "too long for {type}",
    "22003": "out of range for {type}",
    "22008": "out of range for {type}",
    "22P05": "a character that the database cannot store",
    "22021": "a character that the database cannot store",
}


@dataclass(frozen=True)
class Load:
    """What was being loaded from where."""

    table: Table
    columns: tuple[Column, ...]
    source: Source


@dataclass(frozen=True)
class _Place:
    """What the server says of the place: the number of the record, and the column."""

    number: int | None = None
    column: Column | None = None


def blame(error: psycopg2.Error, load: Load, constraint: Constraint | None) -> MigrationError:
    """Return the error of this package for what the server refused; *constraint* is the one it names.

    An error without a line (a foreign key is checked last) is looked for in the file by its key.
    """
    sqlstate = error.pgcode or ""
    if not sqlstate.startswith(_ROW_CLASSES):
        return translate(error, doing=f'loading "{load.source.path}" into {load.table.qualified}')
    place = _place(error, load, constraint)
    record = load.source.record(place.number) if place.number else _record_of_key(error, load, constraint)
    reason, hint = _reason(error, load, place, constraint, record)
    return RowError(
        f"{_where(load, place, record)}: {reason}",
        hint=f"{hint}; nothing was loaded",
        path=str(load.source.path),
        line=record.line if record else None,
        column=place.column.name if place.column else None,
        sqlstate=sqlstate,
    )


def _place(error: psycopg2.Error, load: Load, constraint: Constraint | None) -> _Place:
    """Read `COPY table, line 3, column name: "…"` out of the context, whatever its words.

    Another line before it may name a "line 1" too, that of a JSON value or of a function.
    """
    columns = {column.name: column for column in load.table.columns}
    pattern = rf"^COPY {re.escape(load.table.name)}\D*?(\d+)(.*)"
    match = re.search(pattern, error.diag.context or "", re.MULTILINE)
    number, name = (int(match[1]), _named(match[2], columns)) if match else (None, None)
    name = name or error.diag.column_name
    if name is None and constraint is not None and len(constraint.columns) == 1:
        name = constraint.columns[0]
    return _Place(number, columns.get(name or ""))


def _named(rest: str, names: Iterable[str]) -> str | None:
    """Return the name that stands before the colon; the value behind it may look like anything."""
    found: dict[int, str] = {}
    for name in names:
        match = re.match(rf"""[^:"«„]*?[\s,、]{re.escape(name)}(?=\s?[:\uff1a]|$)""", rest)
        if match:
            found[match.end()] = name
    return found[max(found)] if found else None


def _where(load: Load, place: _Place, record: Record | None) -> str:
    if record is not None:
        line = f" line {record.line}"
    elif place.number is not None:
        line = f" record {place.number} (the file cannot be read again to find its line)"
    else:
        line = " (the line cannot be told)"
    column = f', column "{shown(place.column.name)}"' if place.column else ""
    return f'"{load.source.path}"{line}{column}'


def _reason(
    error: psycopg2.Error, load: Load, place: _Place, constraint: Constraint | None, record: Record | None
) -> tuple[str, str]:
    sqlstate = error.pgcode or ""
    if sqlstate.startswith("22"):
        return _wrong_value(sqlstate, place.column), "mend the value and run again"
    if sqlstate.startswith("23"):
        return _broken_rule(sqlstate, load.table, constraint)
    fields = record.fields if record else None
    return _said(error, fields), "mend the line and run again"


def _wrong_value(sqlstate: str, column: Column | None) -> str:
    """Say what SQLSTATE means: the message itself repeats the value."""
    if column is not None and sqlstate in _OF_TYPE:
        return _OF_TYPE[sqlstate].format(type=column.type)
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", psycopg2.errors.lookup(sqlstate).__name__).lower()
    return f"{words} (SQLSTATE {sqlstate})"


def _broken_rule(sqlstate: str, table: Table, constraint: Constraint | None) -> tuple[str, str]:
    named = f'"{shown(constraint.name)}"' if constraint else ""
    if sqlstate == NOT_NULL:
        return "no value where the table must have one", 'fill the field; "" in quotes is the empty text'
    if sqlstate == UNIQUE:
        again = f"remove the line, or the row of {table.qualified} with this key"
        return f"the key is there already, and {named} allows it once", again
    if sqlstate == FOREIGN_KEY:
        target = (constraint and constraint.target) or "the table pointed at"
        return f"{target} has no row with this key, and {named} needs one", f"load {target} first"
    if sqlstate == EXCLUSION:
        return f"the row conflicts with another, which {named} forbids", "remove one of the two"
    if constraint is None:
        return f"no partition of {table.qualified} takes the row", "create the partition and run again"
    return f"the row breaks the check {named}", "mend the line and run again"


def _said(error: psycopg2.Error, fields: Sequence[bytes | None] | None) -> str:
    """Return the server's message without the values of the record; without a record, none of it.

    What a function or trigger raises may repeat any of them.
    """
    if fields is None and (error.pgcode or "").startswith("P0"):
        return f"a function or trigger raised an error (SQLSTATE {error.pgcode})"
    message = " ".join((error.diag.message_primary or "").split())
    values = {" ".join(value.decode().split()) for value in fields or () if value}
    for value in sorted(values - {""}, key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", message)
    return message


def _record_of_key(error: psycopg2.Error, load: Load, constraint: Constraint | None) -> Record | None:
    """Find the record by `Key (a, b)=(1, 2)` in the detail: the first one that has this key.

    For a key that is there twice, the last one.
    """
    names = [column.name for column in load.columns]
    if constraint is None or not constraint.columns or not set(constraint.columns) <= set(names):
        return None
    places = [names.index(name) for name in constraint.columns]
    _, found, key = (error.diag.message_detail or "").partition(")=(")
    if not found:
        return None
    has_key = (record for record in load.source.again() if _has_key(record, places, key))
    record = next(has_key, None)
    if error.pgcode == FOREIGN_KEY:
        return record
    for record in has_key:  # noqa: B007  (the last one is meant)
        pass
    return record


def _has_key(record: Record, places: Sequence[int], key: str) -> bool:
    values = [record.fields[place] for place in places]
    if None in values:
        return False
    texts = [value.decode() for value in values if value is not None]
    if key.startswith(", ".join(texts) + ")"):
        return True
    # The server writes a value its own way: 007 as 7, a UUID in lower case.
    return key.casefold().startswith(", ".join(map(_canonical, texts)) + ")")


def _canonical(text: str) -> str:
    text = text.strip().casefold()
    try:
        return str(int(text))
    except ValueError:
        return text
