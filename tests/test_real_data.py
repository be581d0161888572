"""Real music in the domain: the owner's three queries return rows, and every file arrives whole."""

from __future__ import annotations

import csv
import pathlib
import sys
from collections.abc import Iterator

import pytest

from spotify_ai_agent_migrations import bulk_export, bulk_import
from support import ROOT, Databases, connected, data, rows, run

CHINOOK = {
    "genre": 25, "media_type": 5, "employee": 8,
    "artist": 275, "album": 347, "track": 3503, "playlist": 18, "playlist_track": 8715,
    "customer": 59, "invoice": 412, "invoice_line": 2240,
}  # fmt: skip


@pytest.fixture(scope="module")
def store_template(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database with the whole of Chinook in the domain, kept free of connections to be cloned."""
    folder, made = data("chinook"), databases.create(template)
    url = databases.url(made)
    rows(url, (ROOT / "tests" / "tour" / "staging.sql").read_text())
    loaded = {name: bulk_import(f"chinook.{name}", folder / f"{name}.csv", url=url).rows for name in CHINOOK}
    assert loaded == CHINOOK
    rows(url, (ROOT / "tests" / "tour" / "map.sql").read_text())
    yield made
    databases.drop(made)


@pytest.fixture
def store(databases: Databases, store_template: str) -> Iterator[str]:
    """The URL of such a database of one's own."""
    name = databases.create(store_template)
    yield databases.url(name)
    databases.drop(name)


def test_the_whole_store_is_in_the_domain(store: str) -> None:
    counted = {
        table: rows(store, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("artists", "albums", "tracks", "track_artists", "playlists", "playlist_items", "users")
    }
    assert counted == {
        "artists": 275, "albums": 347, "tracks": 3503, "track_artists": 3905, "playlists": 18,
        "playlist_items": 8715, "users": 68,
    }  # fmt: skip
    assert rows(store, "SELECT display_name FROM users WHERE id = 101") == [("Luís Gonçalves",)]


def test_the_owners_three_queries_return_rows_as_written(store: str) -> None:
    touched = rows(store, "SELECT * FROM audit_log WHERE entity_type = 'user' AND entity_id = 123;")
    assert len(touched) == 1
    refused = rows(store, "SELECT * FROM consent WHERE granted = false;")
    assert len(refused) == 10
    months = rows(
        store,
        "SELECT date_trunc('month', created_at) AS month, COUNT(*) FROM analytics GROUP BY month;",
    )
    assert len(months) == 12
    assert sum(int(str(count)) for _, count in months) == 442


def test_a_new_row_gets_the_next_number_after_an_import(store: str) -> None:
    assert rows(store, "INSERT INTO users (display_name) VALUES ('New') RETURNING id") == [(209,)]


def test_the_owners_two_calls_work_as_written(store: str, tmp_path: pathlib.Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from versions.bulk_import_export import bulk_import, bulk_export\n"
        "bulk_export('users', 'users.csv'); bulk_export('analytics', 'analytics.csv')\n"
        "print(bulk_import('analytics_copy', 'analytics.csv').rows)"
    )
    with connected(store) as connection:
        connection.cursor().execute("CREATE TABLE analytics_copy (LIKE analytics INCLUDING DEFAULTS)")
    done = run(sys.executable, "-c", code, url=store, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "442\n"), done.stderr
    difference = "SELECT * FROM analytics EXCEPT ALL SELECT * FROM analytics_copy"
    assert rows(store, difference) == []


def test_cities_countries_and_languages_arrive_whole(empty_url: str, tmp_path: pathlib.Path) -> None:
    for file in (
        data("geonames_world_cities", "world-cities.csv"),
        data("iso_country_codes", "country-codes.csv"),
        data("iso_language_codes", "language-codes-full.csv"),
        data("fivethirtyeight_music", "classic-rock-song-list.csv"),
        data("billboard_hot100_by_year", "hot-100-2016.csv"),
    ):
        with file.open(encoding="utf-8-sig", newline="") as source:
            header, *expected = list(csv.reader(source))
        columns = ", ".join('"' + name.replace('"', '""') + '" text' for name in header)
        with connected(empty_url) as connection:
            connection.cursor().execute(f"DROP TABLE IF EXISTS arrived; CREATE TABLE arrived ({columns})")
        assert bulk_import("arrived", file, url=empty_url).rows == len(expected)
        bulk_export("arrived", tmp_path / "again.csv", url=empty_url)
        with (tmp_path / "again.csv").open(encoding="utf-8", newline="") as again:
            # A table keeps no order: PostgreSQL fills several new pages at a time.
            first, *others = list(csv.reader(again))
        assert first == header
        assert sorted(others) == sorted(expected)
