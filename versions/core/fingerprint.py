"""Describe the whole schema of a database, and hash it: equal hash, equal schema. Reads only."""

from __future__ import annotations

import hashlib
import json
from typing import Final, NamedTuple

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.sql import queries

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")


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
    digest = hashlib.sha256()
    for described in schema_objects(connection):
        digest.update(json.dumps(described).encode() + b"\n")
    return digest.hexdigest()
