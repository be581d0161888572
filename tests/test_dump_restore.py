"""A filled database comes back out of a dump as it was: schema, rows, indexes and triggers."""

from __future__ import annotations

import pathlib

import pytest

from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, schema_objects
from support import Databases, client, connected, rows, run

FILL = """
    SELECT register_user_v1('anna@example.org', sha256('anna'), 'Anna', 'fr-CA', 'CA', 'America/Toronto', 1990::smallint);
    INSERT INTO artists (id, name, sort_name, source) VALUES (1, 'Björk', 'Björk', 'internal');
    INSERT INTO albums (id, title, upc, release_date, release_date_precision, source)
    VALUES (1, 'Debut', '042282826824', '1993-01-01', 'year', 'internal');
    INSERT INTO tracks (id, album_id, title, isrc, source)
    SELECT n, 1, 'Track ' || n, isrc_v1('gb-um7-15-' || lpad(n::text, 5, '0')), 'internal' FROM generate_series(1, 200) AS n;
    INSERT INTO playlists (user_id, id, name) VALUES (1, 1, 'Mine');
    SELECT playlist_insert_v1(1, 1, ARRAY[1, 2, 3]);
    SELECT playlist_move_v1(1, 1, 0, 2);
    SELECT record_consent_v1(1, 'personalisation', true, '1', 'fr', 'web');
    INSERT INTO places (name, country_code, latitude, longitude, source)
    SELECT 'Place ' || n, 'CA', n % 80, n, 'geonames' FROM generate_series(1, 150) AS n;
    INSERT INTO market_availability (album_id, country_code, available, source) VALUES (1, 'CA', '[2020-01-01,)', 'internal');
    INSERT INTO analytics (user_id, event_name) VALUES (1, 'track.played');
"""


def schema(url: str) -> tuple[SchemaObject, ...]:
    with connected(url, autocommit=False) as connection:
        return schema_objects(connection)


def counts(url: str) -> dict[str, int]:
    tables = rows(
        url,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace IN ('public'::regnamespace, 'ops'::regnamespace)",
    )
    return {str(table): int(str(rows(url, f"SELECT count(*) FROM {table}")[0][0])) for (table,) in tables}


@pytest.fixture
def filled(url: str) -> str:
    with connected(url, autocommit=False) as connection:
        connection.cursor().execute(FILL)
        connection.commit()
    return url


@pytest.mark.parametrize("form", ["custom", "plain"])
def test_a_dump_restores_to_the_same_database(
    databases: Databases, filled: str, tmp_path: pathlib.Path, form: str
) -> None:
    dump = tmp_path / "dump"
    copy = databases.url(databases.create())
    done = run(client("pg_dump", filled), f"--format={form}", "-f", dump, "-d", filled)
    assert done.returncode == 0, done.stderr
    if form == "custom":
        done = run(client("pg_restore", filled), "--exit-on-error", "-d", copy, dump)
    else:
        done = run(client("psql", filled), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", copy, "-f", dump)
    assert done.returncode == 0, done.stderr
    assert schema(copy) == schema(filled)
    assert counts(copy) == counts(filled)
    assert counts(copy)["audit_log"] > 5
    nearest = "SELECT name FROM nearest_places_v1(10, 10, 3)"
    assert rows(copy, nearest) == rows(filled, nearest) != []
    assert rows(copy, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    # What is restored lives on: the rules hold, and the trail is written.
    before = counts(copy)["audit_log"]
    rows(copy, "UPDATE users SET display_name = 'Anne'")
    assert counts(copy)["audit_log"] == before + 1
