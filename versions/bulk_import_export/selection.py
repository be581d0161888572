"""Find what an export holds: which columns, as which expressions, from where. Changes nothing."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export import plan
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL, find_table, read_ranges
from spotify_ai_agent_migrations.versions.bulk_import_export.origins import counts_in
from spotify_ai_agent_migrations.versions.bulk_import_export.personal import Holding, Holdings
from spotify_ai_agent_migrations.versions.bulk_import_export.wish import COLUMNAR, Wish
from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, SettingsError, TableError

_SERIAL_BELOW_BYTES: Final = 32 << 20
_RANGE_BYTES: Final = 8 << 20
# What is made of one takes several times its size.
_COLUMNAR_RANGE_BYTES: Final = 4 << 20
_UNSURE: Final = (
    "; what is made of values counts as personal where a table is read that holds personal data, "
    "but for the columns of a view whose comments say none: …"
)
# The categories of types whose values may begin with anything: strings, labels, what is the server's own,
# unknown; and in a text also types of anybody's. Numbers and times are what they are, lists have a bracket.
_ANYTHING: Final = "SEZX"
_ANYTHING_IN_TEXT: Final = _ANYTHING + "U"
_FORMULA: Final = re.compile(r"[=+@\t\r\n-]")
_DOCUMENTS: Final = ("json", "jsonb")
# What JSON has a form for, or what is a text there that reads back as the same; and lists of those.
_IN_JSON: Final = re.compile(
    r"(?:(jsonb?)|smallint|integer|bigint|numeric|real|double precision|boolean|text|character(?: varying)?"
    r"|date|time|timestamp|uuid)(?:\([0-9,-]+\))?(?: with(?:out)? time zone)?(\[\])?"
)


@dataclass(frozen=True)
class Selection:
    """What is written: from what, which columns, as which expressions.

    `relation` is the table of which all rows are written in the order in which they lie; `made` are the
    columns that no column of a relation is written as, and that are not masked.
    """

    name: str
    source: Composable
    columns: tuple[str, ...]
    types: tuple[str, ...]
    values: tuple[Composable, ...]
    masked: tuple[str, ...] = ()
    relation: int | None = None
    made: tuple[str, ...] = ()


def select_table(connection: Connection, name: str, wish: Wish) -> Selection:
    """Return what an export of the table or view *name* holds.

    Raises:
        TableError: there is none, or it lacks a column.
        PrivilegeError: personal columns of it may not be exported.
    """
    with connection.cursor() as cursor:
        table = find_table(cursor, name, kinds=plan.EXPORTABLE)
        plan.refuse_other_kinds(table, plan.EXPORTABLE, verb="exported")
        columns = _chosen(table, wish.columns)
        holdings = Holdings(cursor)
        held = holdings.of_relation(table.oid)
        of_columns = {one.name: held.get(one.number, Holding()) for one in columns}
        masked = _masked(holdings, table.qualified, of_columns, wish)
    return _selection(
        table.qualified,
        Identifier(table.schema, table.name),
        columns,
        masked,
        wish,
        relation=table.oid if wish.where is None and not wish.order_by and table.kind in "rp" else None,
        made=_made(of_columns, masked),
    )


def ranges_of(cursor: Cursor, relation: int | None, wish: Wish) -> tuple[Composable, ...]:
    """Return the stretches of a table that are read side by side; none if it is small, or None.

    Locks: ACCESS SHARE on the table, to ask for its size.
    """
    if relation is None:
        return ()
    range_bytes = _COLUMNAR_RANGE_BYTES if wish.format in COLUMNAR else _RANGE_BYTES
    return read_ranges(cursor, relation, range_bytes=range_bytes, least_bytes=_SERIAL_BELOW_BYTES)


def select_query(connection: Connection, text: str, wish: Wish) -> Selection:
    """Ask the server for the columns of a query, which is executed as it is and may only read."""
    with connection.cursor() as cursor:
        body = filled(cursor, text, wish.parameters).rstrip().rstrip(";")
        # On a line of its own: a comment may end the query.
        source = Statement("({}\n) AS exported").format(Statement(body))
        refuse_several(cursor, Statement(SQL["every_column"]).format(source=source))
        cursor.execute(Statement(SQL["columns_of_query"]).format(source=source))
        found = cursor.description or ()
        cursor.execute(SQL["names_of_types"], {"types": [column.type_code for column in found]})
        types = cursor.fetchall()
        holdings = Holdings(cursor)
        held = holdings.of_query((column.table_oid, column.table_column) for column in found)
        if any(one.is_personal and not one.sure for one in held):
            counts = counts_in(_plan(cursor, source), len(held))
            held = tuple(Holding() if is_count else one for one, is_count in zip(held, counts, strict=True))
        of_columns = dict(zip((str(column.name) for column in found), held, strict=True))
        masked = _masked(holdings, "the query", of_columns, wish)
    columns = [
        plan.Column(
            str(column.name),
            f"numeric({column.precision},{column.scale})"
            if type_ == "numeric" and column.precision
            else type_,
            category=category,
        )
        for column, (type_, category) in zip(found, types, strict=True)
    ]
    return _selection("the query", source, columns, masked, wish, made=_made(of_columns, masked))


def _plan(cursor: Cursor, source: Composable) -> Any:
    cursor.execute(Statement(SQL["plan_of_query"]).format(source=source))
    row = cursor.fetchone()
    return row[0][0]["Plan"] if row is not None else {}


def _made(held: Mapping[str, Holding], masked: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name, one in held.items() if not one.sure and name not in masked)


@contextmanager
def nothing_hidden(connection: Connection, found: Selection, wish: Wish) -> Iterator[None]:
    """Refuse what the block wrote, if a function read personal data meanwhile that a column may be made of.

    Raises:
        PrivilegeError: one did, and the export may not hold them.
    """
    if not found.made:
        yield
        return
    with connection.cursor() as cursor:
        holdings = Holdings(cursor)
        before = holdings.locked()
        yield
        read = holdings.of_functions(before)
        if read.is_personal and not (wish.personal in {None, "keep"} and holdings.may_keep([read])):
            made = plan.listed(map(plan.quoted, found.made))
            raise PrivilegeError(
                f"{found.name} holds what may be personal data in {made}: "
                "a function that it calls reads some, and this export may not hold it",
                hint="leave the columns out, read them by a view where comments on them say what they hold, "
                "or connect as a member of agent_privacy",
            )


def _selection(
    name: str, source: Composable, columns: Sequence[plan.Column], masked: tuple[str, ...], wish: Wish,
    *, relation: int | None = None, made: tuple[str, ...] = (),
) -> Selection:  # fmt: skip
    names = [column.name for column in columns]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise TableError(
            f"two columns of the export are called {plan.quoted(twice)}",
            hint="give one of them another name: AS …, or leave it out",
        )
    return Selection(
        name,
        source,
        tuple(column.name for column in columns),
        tuple("text" if column.name in masked else column.type for column in columns),
        tuple(_value(column, masked, wish) for column in columns),
        masked,
        relation,
        made,
    )


def filled(cursor: Cursor, text: str, parameters: Mapping[str, object]) -> str:
    """Return SQL of the caller's with the values of its parameters in it.

    Raises:
        SettingsError: it asks for one that there is not, or for what is none.
    """
    try:
        found = cursor.mogrify(text, parameters or None).decode()
    except KeyError as error:
        raise SettingsError(
            f"the SQL of the export asks for the parameter {plan.quoted(str(error.args[0]))}",
            hint="say it: parameters={…}",
        ) from None
    except (TypeError, ValueError, IndexError, psycopg2.ProgrammingError) as error:
        raise SettingsError(
            "the SQL of the export and its parameters do not fit together",
            hint="write %(name)s for a parameter, and %% for a percent sign where there are parameters",
        ) from error
    if "\0" in found:
        raise SettingsError("the SQL of the export holds a NUL byte", hint="leave it out")
    return found


def header_of(found: Selection, wish: Wish) -> bytes:
    """Return the line of CSV with the names of the columns."""
    delimiter = "\t" if wish.format == "tsv" else ","
    names = (f"'{name}" if wish.for_spreadsheets and _FORMULA.match(name) else name for name in found.columns)
    return (delimiter.join(_quoted(name, delimiter) for name in names) + "\n").encode()


def _quoted(name: str, delimiter: str) -> str:
    special = (
        any(letter in name for letter in (delimiter, '"', "\n", "\r")) or not name.strip() or name == "\\."
    )
    return '"' + name.replace('"', '""') + '"' if special else name


def refuse_several(cursor: Cursor, text: Composable) -> None:
    """Refuse SQL of the caller's that is more than the one query it was asked for.

    Raises:
        TableError: it is; none of it was executed.
    """
    try:
        cursor.execute(
            Statement(SQL["one_query"]).format(
                text=Literal(text.as_string(cursor)),
                # Nothing in the text can hold it, and so end that of the block.
                tag=Statement("$agentdb_" + secrets.token_hex(16) + "$"),
            )
        )
    except psycopg2.errors.InvalidCursorDefinition as error:
        raise TableError(
            "the SQL of the export is more than one query, or none", hint="say one SELECT, or one condition"
        ) from error


def _chosen(table: plan.Table, names: Sequence[str] | None) -> tuple[plan.Column, ...]:
    """Return the columns to write: those named, or all that an import could fill."""
    if names is None:
        return plan.exported_columns(table)
    by_name = {column.name: column for column in table.columns}
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        raise TableError(
            f"{table.qualified} has no column {plan.listed(map(plan.quoted, unknown)) or 'without a name'}",
            hint=f"it has: {plan.names_of(table.columns)}",
        )
    return tuple(by_name[name] for name in names)


def _masked(holdings: Holdings, name: str, held: Mapping[str, Holding], wish: Wish) -> tuple[str, ...]:
    """Return the columns to mask, by what each of them holds.

    Raises:
        PrivilegeError: some may neither be written as they are nor are they to be masked.
    """
    personal = {column: found for column, found in held.items() if found.is_personal}
    if not personal or (wish.personal in {None, "keep"} and holdings.may_keep(personal.values())):
        return ()
    if wish.personal == "mask":
        return tuple(personal)
    sure = all(found.sure for found in personal.values())
    what = f"{'' if sure else 'what may be '}personal data in {plan.listed(map(plan.quoted, personal))}"
    raise PrivilegeError(
        f"{name} holds {what}, and this export may not hold it",
        hint='leave the columns out, mask them (personal="mask", --personal mask), '
        "or connect as a member of agent_privacy" + ("" if sure else _UNSURE),
    )


def _value(column: plan.Column, masked: Sequence[str], wish: Wish) -> Composable:
    name = Identifier(column.name)
    if column.name in masked:
        return Statement(SQL["masked"]).format(column=name)
    if wish.for_spreadsheets and column.category in (_ANYTHING_IN_TEXT if wish.is_text else _ANYTHING):
        return Statement(SQL["no_formula"]).format(column=name)
    return _as_json(column.type, name) if wish.format == "jsonl" else name


def members_of(found: Selection, wish: Wish) -> Composable | None:
    """Return the members of an object for each row, written one by one; None where the server may do it.

    It has one null for a document that is NULL and for one that says null.
    """
    documents = [type_ in _DOCUMENTS and not wish.for_spreadsheets for type_ in found.types]
    if not any(documents):
        return None
    return Statement(", ").join(
        Statement(SQL["member_unless_null" if is_document else "member"]).format(
            name=Literal(json.dumps(name, ensure_ascii=False) + ":"), column=Identifier(name)
        )
        for name, is_document in zip(found.columns, documents, strict=True)
    )


def _as_json(type_: str, name: Identifier) -> Composable:
    """Return a value as JSON Lines hold it, so that it is read back as the same."""
    found = _IN_JSON.fullmatch(type_)
    if found is None or (found[1] and found[2]):
        return Statement(SQL["as_text"]).format(column=name)
    return Statement(SQL["array_as_json"]).format(column=name) if found[2] else name
