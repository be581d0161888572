"""One database for all tests of the room that ask for an empty one, emptied before each: a new one takes longer."""

from __future__ import annotations

import pytest

from support import Databases, connected

_EMPTY = """
DO $$
DECLARE name text;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    COMMENT ON SCHEMA public IS 'standard public schema';
END
$$
"""


@pytest.fixture(scope="session")
def _shared(databases: Databases, template: str) -> str:
    del template
    return databases.create()


@pytest.fixture
def empty_url(databases: Databases, _shared: str) -> str:
    """The URL of a database with nothing in it."""
    url = databases.url(_shared)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(_EMPTY)
    return url
