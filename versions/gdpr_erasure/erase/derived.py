"""Renew what is made of rows: materialised views, what the planner knows of values; unlink large objects.

Every function takes a cursor of the session that erases, in its transaction.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Literal

from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import SUBJECT, about
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import Escaped, rows_of, source_of

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
# Changed by every erasure, beside the tables of its steps.
TRAIL: Final = ("public.audit_log", "ops.pseudonyms")
_NAMING: Final = frozenset(
    {("public.audit_log", "entity_id"), ("public.audit_log", "entity_key"), ("ops.pseudonyms", "user_id")}
)
_AUDIT: Final = "public.audit_log"
# From here on the server lets single values be taken out of what it knows; before, a table is counted anew.
_RESTORES: Final = 180_000
_POLL_S: Final = 0.1


def refresh(cursor: Cursor, views: Sequence[str]) -> tuple[str, ...]:
    """Fill and count materialised *views* anew, and return those that were: one never filled stays as it is.

    Locks: EXCLUSIVE on a view with a unique index, whose readers go on; ACCESS EXCLUSIVE on others.
    """
    wanted = _rows(cursor, "derived_views", {"views": list(views)})
    for view, concurrently in wanted:
        cursor.execute(_SQL["derived_refresh"], {"view": view, "concurrently": concurrently})
    # Filled anew, it is known as it was.
    return _counted(cursor, [view for view, _ in wanted])


def unlink_large_objects(cursor: Cursor, objects: Iterable[int]) -> int:
    """Unlink large *objects*, and return how many there were.

    Raises:
        PrivilegeError: one belongs to a role that the owner of the tables is no member of.
    """
    ((unlinked,),) = _rows(cursor, "derived_unlink", {"objects": list(objects)})
    return int(unlinked)


def remember(
    cursor: Cursor,
    subject: int,
    *,
    tables: Sequence[str] | None = None,
    catalogue: Catalogue | None = None,
    reaches: Sequence[Reach] | None = None,
) -> None:
    """Keep in the session which values of *subject* the planner knows, before their rows are erased.

    tables: those that have rows of the person, where that is known already; the trail is always among them.
    The values stay on the server. Without this, `renew_statistics` has every table counted anew.
    Locks: ACCESS SHARE on the tables that are reached.
    """
    catalogue = catalogue or read_catalogue(cursor)
    about(cursor, subject)
    cursor.execute(_SQL["derived_remembered"])
    cursor.execute(_SQL["derived_forgotten"])
    known = _known(cursor, catalogue, tables)
    entries = [
        SQL(_SQL["derived_entries"]).format(
            source=source_of(reach), rows=rows_of(reach), values=_values(known[reach.name])
        )
        for reach in (reaches if reaches is not None else reached(catalogue))
        # The trail goes on naming what was touched, and no more whose it was.
        if reach.name in known and reach.name != _AUDIT
    ]
    if entries:
        marking = SQL(_SQL["derived_remember"]).format(entries=SQL(" UNION ALL ").join(entries))
        cursor.execute(marking, {"subject": SUBJECT})
    cursor.execute(_SQL["derived_number"], {"tables": list(TRAIL), "subject": SUBJECT})
    cursor.execute(_SQL["derived_known_only"])
    cursor.execute(_SQL["derived_whose"], {"subject": SUBJECT})


def renew_statistics(
    cursor: Cursor, subject: int, tables: Sequence[str], *, wait_s: float = 60
) -> tuple[str, ...]:
    """Take what was of *subject* out of what the planner knows of *tables*; return those that were touched.

    What `remember` found is looked for again; without it, all of *tables* is counted anew. The trail and the
    pseudonyms are always among them.

    Locks: SHARE UPDATE EXCLUSIVE on each table that is touched, to the end of the transaction.

    Raises:
        LockError: another session still counts one of them after *wait_s*, from before it was erased.
    """
    wanted = list(dict.fromkeys((*tables, *TRAIL)))
    _await_others(cursor, wanted, wait_s)
    about(cursor, subject)
    ((is_remembered,),) = _rows(cursor, "derived_is_remembered", {"subject": SUBJECT})
    if not is_remembered:
        return _counted(cursor, [name for (name,) in _rows(cursor, "derived_stored", {"tables": wanted})])
    touched = _restored(cursor, wanted)
    # Values of several columns at once stand nowhere one by one.
    extended = [name for (name,) in _rows(cursor, "derived_extended", {"tables": wanted})]
    return tuple(dict.fromkeys((*touched, *_counted(cursor, extended))))


def _known(
    cursor: Cursor, catalogue: Catalogue, tables: Sequence[str] | None
) -> Mapping[str, Sequence[tuple[Any, ...]]]:
    """Keep what is known of values; return of each table the relation, column, expression, if an array."""
    personal = [
        one
        for one in catalogue.columns
        if one.is_personal
        and (tables is None or one.table_name in (*tables, *TRAIL))
        # What is kept is known after the erasure as before; of the trail, parts of entries go.
        and (one.strategy is not Strategy.KEEP or (one.table_name, one.name) in _NAMING)
    ]
    values = {
        "tables": [one.table_name for one in personal],
        "columns": [one.name for one in personal],
        "classes": [one.class_ for one in personal],
    }
    rows = _rows(cursor, "derived_known", values)
    roots, relations, columns = ([row[place] for row in rows] for place in range(3))
    cursor.execute(_SQL["derived_values"], {"roots": roots, "relations": relations, "columns": columns})
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    known = set(_rows(cursor, "derived_found"))
    for table, *rest in rows:
        if (rest[0], rest[1]) in known:
            found[table].append(tuple(rest))
    return found


def _values(known: Sequence[tuple[Any, ...]]) -> Composable:
    """Return a query of the values of one row, those in arrays too, each with where it would be known."""
    # The server wrote the expressions, and quoted what has to be; no other relation with columns is in sight.
    parts = [
        SQL("SELECT {relation}::oid, {name}::name, ({spoken})::text").format(**_parts(one)) for one in known
    ]
    elements = [
        SQL(
            "SELECT {relation}::oid, {name}::name, element::text FROM pg_catalog.unnest({spoken}) AS element"
        ).format(**_parts(one))
        for one in known
        if one[3]
    ]
    return SQL(" UNION ALL ").join([*parts, *elements])


def _parts(known: tuple[Any, ...]) -> dict[str, Composable]:
    relation, name, spoken, *_ = known
    return {"relation": Literal(relation), "name": Escaped(Literal(name)), "spoken": Escaped(SQL(spoken))}


def _restored(cursor: Cursor, tables: Sequence[str]) -> tuple[str, ...]:
    """Take what was remembered out of what is known; count anew where the server cannot do with less."""
    way = "derived_restore" if cursor.connection.server_version >= _RESTORES else "derived_held"
    held = _rows(cursor, way, {"tables": list(tables)})
    columns: dict[str, list[str] | None] = {}
    for table, column, is_index, is_restored in held:
        if is_restored:
            continue
        # With columns named, expressions of indexes are not counted.
        before = columns.get(table, [])
        columns[table] = None if is_index or before is None else [*dict.fromkeys((*before, column))]
    _count(cursor, columns)
    return tuple(dict.fromkeys(table for table, *_ in held))


def _counted(cursor: Cursor, tables: Sequence[str]) -> tuple[str, ...]:
    _count(cursor, dict.fromkeys(tables))
    return tuple(tables)


def _count(cursor: Cursor, tables: Mapping[str, Sequence[str] | None]) -> None:
    for table, columns in tables.items():
        cursor.execute(_SQL["derived_analyze"], {"table": table, "columns": columns})
    if tables:
        cursor.execute(_SQL["derived_clear"], {"tables": list(tables)})


def _await_others(cursor: Cursor, tables: Sequence[str], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while running := _rows(cursor, "derived_analysing", {"tables": list(tables)}):
        if time.monotonic() >= deadline:
            ((pid,),) = running
            raise LockError(
                f"pid {pid} still runs ANALYZE on a table of the person, after {wait_s:g} s",
                hint="nothing has to be undone: call it again when that has ended",
            )
        time.sleep(_POLL_S)


def _rows(cursor: Cursor, name: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
    cursor.execute(_SQL[name], values or {})
    return cursor.fetchall()
