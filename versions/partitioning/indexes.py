"""Add an index to a partitioned table while others write: on each partition by itself, then put together."""

from __future__ import annotations

import hashlib

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, TableError
from spotify_ai_agent_migrations.versions.partitioning.session import Session
from spotify_ai_agent_migrations.versions.partitioning.sets import Set

_LONGEST_NAME_BYTES = 63


def add_index(session: Session, table: Set, name: str, what: str) -> tuple[str, ...]:
    """Make index *name* on *table*, *what* being SQL from its columns on; return the parts that were built.

    Killed anywhere, the same call goes on; an index of a partition whose build was cut off is built anew.

    Locks: SHARE on the partitioned table for a moment; each partition CONCURRENTLY, which blocks nobody.

    Raises:
        TableError: an index of this name belongs to another table.
        DatabaseError: it is not valid at the end, since a partition has come that has no such index.
    """
    owner = session.value("index_owner", schema=table.schema, name=name)
    if owner is None:
        made = SQL("CREATE INDEX {} ON ONLY {} {}").format(Identifier(name), table.identifier, SQL(what))
        session.transaction(lambda: session.run(made))
    elif owner != table.oid:
        raise TableError(f'index "{name}" belongs to another table', hint="choose another name")
    else:
        session.transaction(lambda: _refuse_another(session, table, name, what))
    built = []
    for schema, leaf, oid in session.ask("leaves_without", oid=table.oid, schema=table.schema, name=name):
        part = part_name(str(leaf), name, table.plain)
        _build(session, Identifier(schema, part), Identifier(schema, leaf), oid, part, what)
        attach = SQL("ALTER INDEX {} ATTACH PARTITION {}").format(
            Identifier(table.schema, name), Identifier(schema, part)
        )
        session.transaction(lambda attach=attach: session.run(attach))  # type: ignore[misc]
        built.append(part)
    if not session.value("index_is_valid", oid=table.oid, name=name):
        raise DatabaseError(
            f'index "{name}" is not valid yet: a partition has come meanwhile', hint="run it again"
        )
    return tuple(built)


def part_name(leaf: str, name: str, table: str) -> str:
    """Return the name of the part that index *name* of *table* has on the partition *leaf*."""
    whole = f"{leaf}{name.removeprefix(table)}"
    if name.startswith(f"{table}_") and len(whole.encode()) <= _LONGEST_NAME_BYTES:
        return whole
    begun = leaf.encode()[:40].decode(errors="ignore")
    return f"{begun}_{hashlib.sha256(f'{leaf} {name}'.encode()).hexdigest()[:12]}_idx"


def _refuse_another(session: Session, table: Set, name: str, what: str) -> None:
    """Refuse when the index that is there is another than is asked for: a second one is made to compare."""
    probe = f"{table.plain}_compared_idx"
    session.run(SQL("CREATE INDEX {} ON ONLY {} {}").format(Identifier(probe), table.identifier, SQL(what)))
    asked, there = (session.value("index_text", schema=table.schema, name=index) for index in (probe, name))
    session.run(SQL("DROP INDEX {}").format(Identifier(table.schema, probe)))
    if asked != there:
        raise TableError(
            f'index "{name}" is there, and is another: {there}', hint="choose another name, or drop that one"
        )


def _build(session: Session, index: Identifier, leaf: Identifier, oid: int, part: str, what: str) -> None:
    valid = session.value("index_is_valid", oid=oid, name=part)
    with session.patient():
        if valid is False:
            session.run(SQL("DROP INDEX CONCURRENTLY {}").format(index))
        if not valid:
            session.note(f"building index {part}")
            session.run(
                SQL("CREATE INDEX CONCURRENTLY {} ON {} {}").format(Identifier(part), leaf, SQL(what))
            )
