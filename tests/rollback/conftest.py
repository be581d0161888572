"""Databases with real music in them, and one with the revisions of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_data.files import load_store

from support import Databases, connected

# What Chinook has nothing for.
MORE = """
    INSERT INTO places (name, country_code, latitude, longitude, source)
    SELECT 'Place ' || n, 'CA', n % 80, n, 'geonames' FROM generate_series(1, 150) AS n;
    UPDATE artists SET place_id = (SELECT min(id) FROM places) + id % 150 WHERE id % 2 = 0;
    INSERT INTO market_availability (album_id, country_code, available, source)
    SELECT id, 'CA', '[2020-01-01,)', 'internal' FROM albums WHERE id % 3 = 0;
    SELECT record_consent_v1((SELECT min(id) FROM users), 'personalisation', true, '1', 'fr', 'web');
"""


@pytest.fixture(scope="session")
def filled_template(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database full of real data, kept free of connections to be cloned."""
    name = databases.create(template)
    load_store(databases.url(name))
    with connected(databases.url(name)) as connection:
        connection.cursor().execute(MORE)
    yield name
    databases.drop(name)


@pytest.fixture
def store(databases: Databases, filled_template: str) -> Iterator[str]:
    """The URL of a database of one's own that is full of real data."""
    name = databases.create(filled_template)
    yield databases.url(name)
    databases.drop(name)
