"""Take indexes and foreign keys off a table for a load, and put them back in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Table
from spotify_ai_agent_migrations.versions.core.errors import TableError


@dataclass(frozen=True)
class Part:
    """An index, or a foreign key, as the server defines it."""

    schema: str
    name: str
    definition: str
    comment: str | None
    tablespace: str = ""
    is_index: bool = True


def refuse_unfit(table: Table) -> None:
    """Refuse a table whose indexes could not be put back as they were.

    Raises:
        TableError: it is partitioned: the indexes of its partitions would have other names.
    """
    if table.kind != "r":
        raise TableError(
            f"{table.qualified} is partitioned, and the indexes of its partitions cannot be rebuilt as one",
            hint="load a partition of it, or leave rebuild out",
        )


def take_off(cursor: Cursor, table: Table, options: Options) -> tuple[Part, ...]:
    """Drop the indexes that no constraint needs, and if asked the foreign keys; return how they were.

    Locks: ACCESS EXCLUSIVE on the table, and on those that its foreign keys point at. The transaction that
    drops them is the one that makes them again: whatever ends it early, they are there.
    """
    # A row that a unique index refuses can only be kept aside while the index is there.
    cursor.execute(SQL["loose_indexes"], {"relation": table.oid, "unique": options.max_rejects == 0})
    parts = [Part(*row) for row in cursor.fetchall()]
    if options.rebuild == "constraints":
        cursor.execute(SQL["foreign_keys"], {"relation": table.oid})
        parts += [
            Part(schema, name, definition, comment, is_index=False)
            for schema, name, definition, comment in cursor.fetchall()
        ]
    for part in parts:
        name = "drop_index" if part.is_index else "drop_constraint"
        cursor.execute(Statement(SQL[name]).format(**_names(table, part)))
    return tuple(parts)


def put_back(cursor: Cursor, table: Table, parts: tuple[Part, ...]) -> None:
    """Make again what `take_off` took.

    Raises:
        psycopg2.Error: a row that was loaded breaks one of them.
    """
    for part in parts:
        cursor.execute(SQL["set_tablespace"], {"tablespace": part.tablespace})
        if part.is_index:
            cursor.execute(part.definition)
        else:
            definition = Statement(part.definition)
            cursor.execute(
                Statement(SQL["add_constraint"]).format(**_names(table, part), definition=definition)
            )
        if part.comment is not None:
            name = "comment_on_index" if part.is_index else "comment_on_constraint"
            comment = Literal(part.comment)
            cursor.execute(Statement(SQL[name]).format(**_names(table, part), comment=comment))


def _names(table: Table, part: Part) -> dict[str, Identifier]:
    if part.is_index:
        return {"index": Identifier(part.schema, part.name)}
    return {"table": Identifier(table.schema, table.name), "constraint": Identifier(part.name)}
