"""One database with every file of the data folder that has a place in the domain."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from real_data.files import HERE, TABLES, load_files, load_store, read

from support import Databases, connected

KEY = b"a key of the application's own"


@dataclass(frozen=True)
class World:
    """A database of the real data, and how many rows `bulk_import` said that it loaded from each file."""

    url: str
    loaded: dict[str, int]


@pytest.fixture(scope="session")
def world(databases: Databases, template: str) -> Iterator[World]:
    """Everything, loaded and moved; the tests read it and leave it as it is."""
    name = databases.create(template)
    url = databases.url(name)
    loaded = load_store(url) | load_files(url, *TABLES)
    with connected(url) as connection, connection.cursor() as cursor:
        for script in ("places.sql", "songs.sql"):
            cursor.execute((HERE / script).read_text())
        # The application hashes an address with a key that the database never sees.
        for number, customer in enumerate(read("chinook/customer.csv"), 101):
            cursor.execute(
                "UPDATE users SET email_hmac = %s WHERE id = %s",
                (hmac.digest(KEY, customer["email"].encode(), "sha256"), number),
            )
        cursor.execute("VACUUM ANALYZE")
    yield World(url, loaded)
    databases.drop(name)
