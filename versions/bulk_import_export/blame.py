"""Say which line and column of the file the server means by an error. No value of a row is repeated.

What the server says is read without its words, which follow the language it is set to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import Constraint
from spotify_ai_agent_migrations.versions.bulk_import_export.keys import equal_of, first_of, key_of
from spotify_ai_agent_migrations.versions.bulk_import_export.layout import Layout
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column, Table, quoted
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record
from spotify_ai_agent_migrations.versions.bulk_import_export.refusal import elsewhere, is_custom, words
from spotify_ai_agent_migrations.versions.bulk_import_export.source import Source
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, RowError

NOT_NULL: Final = "23502"
FOREIGN_KEY: Final = "23503"
UNIQUE: Final = "23505"
EXCLUSION: Final = "23P01"

# What waits, time-outs, resources, connections and the server itself do: no row's fault, wherever it strikes.
NOT_A_ROWS: Final = ("55P03", "40", "57", "53", "58", "08")
# Data, constraints, limits of one row, and what functions raise: a row's fault, even where no line is named.
_A_ROWS: Final = ("22", "23", "54", "P0")
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


Find = Callable[[int], Record | None]


@dataclass(frozen=True)
class Load:
    """What was being loaded from where, by way of which table, and what an error leaves.

    `expected` is how many rows the manifest says; `is_ahead`, that the table held greater numbers than a
    sequence that the load moves has given out.
    """

    table: Table
    layout: Layout
    source: Source
    staging: str | None = None
    left: str = "nothing was loaded"
    expected: int | None = None
    is_ahead: bool = False

    @property
    def doing(self) -> str:
        """What a message says was being done."""
        return f'loading "{self.source.name}" into {self.table.qualified}'


@dataclass(frozen=True)
class _Place:
    """What the server says of the place: the number of the record, the column, and what was at work.

    `reading` says that the value of the column was being read; `inside`, that a function or trigger ran.
    """

    number: int | None = None
    column: Column | None = None
    reading: bool = False
    inside: bool = False


@dataclass(frozen=True)
class Blame:
    """What the server refused: the number of the record in what it was sent, and why."""

    number: int | None
    column: Column | None
    sqlstate: str
    reason: str
    hint: str


def judge(error: psycopg2.Error, load: Load, constraint: Constraint | None) -> Blame | None:
    """Return which row *error* blames, and for what; None where no row is at fault.

    The place decides: whatever strikes while a record is loaded is an error of its line.
    """
    sqlstate = error.pgcode or ""
    place = _place(error, load, constraint)
    of_a_row = place.number or place.inside or sqlstate.startswith(_A_ROWS) or is_custom(sqlstate)
    if not sqlstate or sqlstate.startswith(NOT_A_ROWS) or not (of_a_row or is_policy(error)):
        return None
    reason, hint = _reason(error, load, place, constraint)
    return Blame(place.number, place.column, sqlstate, reason, hint)


def is_policy(error: psycopg2.Error) -> bool:
    """Tell whether a policy of row security refused the row."""
    return error.pgcode == "42501" and error.diag.source_function == "ExecWithCheckOptions"


def _is_of_an_erased_person(error: psycopg2.Error, table: Table) -> bool:
    """Tell whether the guard of erased people refused the row (see `ops.guard_table_v1`)."""
    return error.diag.constraint_name in {f"{table.name}_guard_insert", f"{table.name}_guard_update"}


def blame(error: psycopg2.Error, load: Load, constraint: Constraint | None, find: Find) -> MigrationError:
    """Return the error of this package for what the server refused; *constraint* is the one it names.

    *find* gives the record by the number that the server names. An error without one (a foreign key is
    checked last) is looked for in the file by its key.
    """
    found = judge(error, load, constraint)
    if found is None:
        return elsewhere(error, doing=load.doing)
    record = find(found.number) if found.number else _record_of_key(error, load, constraint)
    return row_error(found, load, record)


def row_error(found: Blame, load: Load, record: Record | None) -> RowError:
    """Return the error for *record*, or for one that cannot be read again."""
    return RowError(
        f"{_where(load, found, record)}: {found.reason}",
        hint=f"{found.hint}; {load.left}",
        path=load.source.name,
        line=record.line if record else None,
        column=found.column.name if found.column else None,
        sqlstate=found.sqlstate,
    )


def wrong_value(sqlstate: str, column: Column) -> str:
    """Say what *sqlstate* means for a value of *column*."""
    return _wrong_value(sqlstate, _Place(1, column, reading=True))


def _place(error: psycopg2.Error, load: Load, constraint: Constraint | None) -> _Place:
    """Read `COPY table, line 3, column name: "…"` out of the context, whatever its words.

    Another line before it may name a "line 1" too, that of a JSON value or of a function.
    """
    columns = {column.name: column for column in load.table.columns}
    names = "|".join(map(re.escape, filter(None, (load.table.name, load.staging))))
    pattern = rf"^COPY (?:{names})\D*?(\d+)(.*)"
    context = error.diag.context or ""
    match = re.search(pattern, context, re.MULTILINE)
    number, read = (int(match[1]), _named(match[2], columns)) if match else (None, None)
    name = read or error.diag.column_name
    if name is None and constraint is not None and len(constraint.columns) == 1:
        name = constraint.columns[0]
    inside = read is None and bool(context[: match.start()] if match else context)
    return _Place(number, columns.get(name or ""), reading=read is not None, inside=inside)


def _named(rest: str, names: Iterable[str]) -> str | None:
    """Return the name that stands before the colon; the value behind it may look like anything."""
    found: dict[int, str] = {}
    for name in names:
        match = re.match(rf"""[^:"«„]*?[\s,、]{re.escape(name)}(?=\s?[:\uff1a]|$)""", rest)
        if match:
            found[match.end()] = name
    return found[max(found)] if found else None


def _where(load: Load, place: Blame, record: Record | None) -> str:
    if record is not None:
        line = f" line {record.line}"
    elif place.number is not None:
        line = f" record {place.number} (the file cannot be read again to find its line)"
    else:
        line = " (the line cannot be told)"
    column = f", column {quoted(place.column.name)}" if place.column else ""
    return f'"{load.source.name}"{line}{column}'


def _reason(
    error: psycopg2.Error, load: Load, place: _Place, constraint: Constraint | None
) -> tuple[str, str]:
    """Say why in words of our own: the server's may repeat values, and a trigger's are anybody's."""
    sqlstate = error.pgcode or ""
    if is_policy(error):
        return "row security of the table refuses the row", "mend the line and run again"
    if _is_of_an_erased_person(error, load.table):
        return (
            "the row names a person who is erased",
            "take the lines of that person out and run again (max_rejects puts them aside)",
        )
    if place.inside or sqlstate.startswith("P0"):
        rule = f", by {quoted(constraint.name)}" if constraint else ""
        return (
            f"a trigger or function refused the row{rule} (SQLSTATE {sqlstate})",
            "mend the line and run again",
        )
    if sqlstate.startswith("23"):
        return _broken_rule(sqlstate, load.table, constraint)
    if place.reading or sqlstate.startswith("22"):
        return _wrong_value(sqlstate, place), "mend the value and run again"
    if sqlstate.startswith("54"):
        return _limit(error, constraint), "mend the line and run again"
    return f"{words(sqlstate)} (SQLSTATE {sqlstate})", "mend the line and run again"


def _wrong_value(sqlstate: str, place: _Place) -> str:
    """Say what SQLSTATE means: the message itself repeats the value."""
    if place.column is not None and sqlstate in _OF_TYPE:
        return _OF_TYPE[sqlstate].format(type=place.column.type)
    if place.column is not None and not sqlstate.startswith(("22", "54", "0A")):
        # A name that means nothing, for a regclass; a syntax error, for a tsquery.
        return f"not a valid {place.column.type} (SQLSTATE {sqlstate})"
    return f"{words(sqlstate)} (SQLSTATE {sqlstate})"


def _limit(error: psycopg2.Error, constraint: Constraint | None) -> str:
    """Return the server's message about a limit; what it quotes may be a value, unless it is the index."""
    message = " ".join((error.diag.message_primary or "").split())
    name = f'"{constraint.name}"' if constraint else ""
    return re.sub("[\"'«»„“”].*[\"'«»„“”]", lambda found: found[0] if found[0] == name else '"…"', message)


def _broken_rule(sqlstate: str, table: Table, constraint: Constraint | None) -> tuple[str, str]:
    named = quoted(constraint.name) if constraint else ""
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


def _record_of_key(error: psycopg2.Error, load: Load, constraint: Constraint | None) -> Record | None:
    """Find the record by `Key (a, b)=(1, 2)` in the detail; for a key that is there twice, the second one."""
    names = [column.name for column in load.layout.columns]
    key = key_of(error.diag.message_detail)
    if key is None or constraint is None or not set(constraint.columns) <= set(names):
        return None
    places = [names.index(name) for name in constraint.columns]
    types = [load.layout.columns[place].type for place in places]
    if not places:
        return None
    if error.pgcode == FOREIGN_KEY:
        return next(iter(first_of(lambda: _values(load), places, types, key)), None)
    return next(reversed(equal_of(lambda: _values(load), places, types, key)), None)


def _values(load: Load) -> Iterable[Record]:
    """Yield the records of the file with the values of the columns in place of the fields."""
    for record in load.source.again():
        with suppress(Malformed):
            yield replace(record, fields=load.layout.values(record))
