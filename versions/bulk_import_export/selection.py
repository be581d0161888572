"""Find what an export holds: which columns, as which expressions, from where. Changes nothing."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export import plan
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL, find_table, read_ranges
from spotify_ai_agent_migrations.versions.bulk_import_export.wish import COLUMNAR, Wish
from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, TableError

_SERIAL_BELOW_BYTES: Final = 32 << 20
_RANGE_BYTES: Final = 8 << 20
# What is made of one takes several times its size.
_COLUMNAR_RANGE_BYTES: Final = 4 << 20
_TEXTS: Final = ("text", "character", "name", "json", "citext")
_DOCUMENTS: Final = ("json", "jsonb")
# What JSON has a form for, or what is a text there that reads back as the same; and lists of those.
_IN_JSON: Final = re.compile(
    r"(?:(jsonb?)|smallint|integer|bigint|numeric|real|double precision|boolean|text|character(?: varying)?"
    r"|date|time|timestamp|uuid)(?:\([0-9,-]+\))?(?: with(?:out)? time zone)?(\[\])?"
)


@dataclass(frozen=True)
class Selection:
    """What is written: from what, which columns, as which expressions.

    `relation` is the table of which all rows are written in the order in which they lie.
    """

    name: str
    source: Composable
    columns: tuple[str, ...]
    types: tuple[str, ...]
    values: tuple[Composable, ...]
    masked: tuple[str, ...] = ()
    relation: int | None = None


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
        masked = _masked(connection, table, columns, wish)
    return Selection(
        table.qualified,
        Identifier(table.schema, table.name),
        tuple(column.name for column in columns),
        tuple("text" if column.name in masked else column.type for column in columns),
        tuple(_value(column, masked, wish) for column in columns),
        masked,
        table.oid if wish.where is None and not wish.order_by and table.kind in "rp" else None,
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
        body = cursor.mogrify(text, wish.parameters or None).decode().rstrip().rstrip(";")
        # On a line of its own: a comment may end the query.
        source = Statement("({}\n) AS exported").format(Statement(body))
        refuse_several(cursor, Statement(SQL["every_column"]).format(source=source))
        cursor.execute(Statement(SQL["columns_of_query"]).format(source=source))
        found = cursor.description or ()
        cursor.execute(SQL["names_of_types"], {"types": [column.type_code for column in found]})
        types = [str(name) for (name,) in cursor.fetchall()]
    columns = [
        plan.Column(
            str(column.name),
            f"numeric({column.precision},{column.scale})"
            if type_ == "numeric" and column.precision
            else type_,
        )
        for column, type_ in zip(found, types, strict=True)
    ]
    return Selection(
        "the query",
        source,
        tuple(column.name for column in columns),
        tuple(column.type for column in columns),
        tuple(_value(column, (), wish) for column in columns),
    )


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


def _masked(
    connection: Connection, table: plan.Table, columns: Sequence[plan.Column], wish: Wish
) -> tuple[str, ...]:
    personal = [column for column in columns if column.is_personal]
    if not personal or (wish.personal in {None, "keep"} and _may_keep(connection, table)):
        return ()
    if wish.personal == "mask":
        return tuple(column.name for column in personal)
    raise PrivilegeError(
        f"{table.qualified} holds personal data in {plan.names_of(personal)}, "
        "and this export may not hold it",
        hint='leave the columns out, mask them (personal="mask", --personal mask), '
        "or connect as a member of agent_privacy",
    )


def _may_keep(connection: Connection, table: plan.Table) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(SQL["may_keep_personal"], {"relation": table.oid})
        row = cursor.fetchone()
    return bool(row and row[0])


def _value(column: plan.Column, masked: Sequence[str], wish: Wish) -> Composable:
    name = Identifier(column.name)
    if column.name in masked:
        return Statement(SQL["masked"]).format(column=name)
    if wish.for_spreadsheets and column.type.startswith(_TEXTS):
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
