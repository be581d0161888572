"""Describe the whole schema of a database, and hash it: equal hash, equal schema. Reads only."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Iterable
from typing import Final, NamedTuple

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.sql import queries

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")
# One more whenever the query says more, less or otherwise: what was kept before cannot be compared then.
LAYOUT: Final = 1

_NAME: Final = r'(?:"(?:[^"]|"")*"|[^".\s]+)'
# The relation that the name of a column, a constraint, … begins with.
_OWNER: Final = re.compile(rf"{_NAME}\.{_NAME}")
_REFERRED: Final = re.compile(rf" REFERENCES ({_NAME}\.{_NAME})\(")
_INDEXED: Final = re.compile(rf" ON (?:ONLY )?({_NAME}\.{_NAME}) USING ")


class SchemaObject(NamedTuple):
    """One object: what it is, what it is called, and all that was said of it."""

    kind: str
    identity: str
    definition: str


def schema_objects(connection: Connection) -> tuple[SchemaObject, ...]:
    """Return the objects of the schema, sorted, with their grants, owners and comments.

    They are schemas, relations, columns, constraints, indexes, triggers, policies, rules, routines, types,
    statistics objects, publications, event triggers, extensions and default privileges.
    Left out are the server's own objects, those of extensions, and Alembic's version table.
    Works in the caller's transaction, and leaves its search path as it was.
    Definitions are comparable between databases of one server version.
    """
    with connection.cursor() as cursor:
        # With an empty path the server writes every name in full.
        cursor.execute(_SQL["search_path"], {"path": ""})
        before = cursor.fetchone()
        cursor.execute(_SQL["schema_objects"], {})
        found = sorted(SchemaObject(*map(str, row)) for row in cursor.fetchall())
        cursor.execute(_SQL["search_path"], {"path": before[0] if before else "public"})
    return tuple(found)


def fingerprint(connection: Connection) -> str:
    """Return the SHA-256 of `schema_objects`, as 64 hexadecimal digits."""
    return hashed(schema_objects(connection))


def described_by(connection: Connection) -> str:
    """Return what two descriptions need in common to be compared: our layout and the server's version."""
    return f"{LAYOUT} on PostgreSQL {connection.server_version // 10_000}"


def hashed(objects: Iterable[SchemaObject]) -> str:
    """Return the SHA-256 of *objects*, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for described in objects:
        digest.update(json.dumps(described).encode() + b"\n")
    return digest.hexdigest()


def lasting(objects: Iterable[SchemaObject]) -> tuple[SchemaObject, ...]:
    """Return *objects* without partitions and what belongs to them, which come and go with the data."""
    every = tuple(objects)
    partitions = {thing.identity for thing in every if _is_partition(thing)}
    # An index that was made on a partition alone has no parent.
    partitions |= {thing.identity for thing in every if thing.kind == "index" and _table(thing) in partitions}
    return tuple(thing for thing in every if not _belongs(thing, partitions))


def _is_partition(thing: SchemaObject) -> bool:
    """Tell whether *thing* is a partition of a table, or of an index."""
    if thing.kind != "relation":
        return False
    kind, bound, parents = (json.loads(thing.definition)[place] for place in (0, 7, 10))
    return bound is not None or (kind in {"i", "I"} and parents is not None)


def _belongs(thing: SchemaObject, partitions: Container[str]) -> bool:
    if thing.kind in {"relation", "index"} and thing.identity in partitions:
        return True
    if thing.kind in {"column", "constraint", "trigger", "policy", "rule"}:
        owner = _OWNER.match(thing.identity)
        # A foreign key to a partitioned table has a part for each partition.
        referred = (
            _REFERRED.search(str(json.loads(thing.definition)[0])) if thing.kind == "constraint" else None
        )
        named = (owner[0] if owner else None, referred[1] if referred else None)
        return any(name in partitions for name in named if name is not None)
    return False


def _table(index: SchemaObject) -> str | None:
    found = _INDEXED.search(json.loads(index.definition)[0])
    return found[1] if found else None
