"""Places are found by distance, across the date line and at the poles; a release has its markets."""

from __future__ import annotations

import math

import psycopg2
import pytest

from support import connected, rows

# Degrees north and east, to a hundredth.
CAPITALS = {
    "Suva": ("FJ", -18.14, 178.44),
    "Apia": ("WS", -13.83, -171.77),
    "Nuku'alofa": ("TO", -21.14, -175.2),
    "Paris": ("FR", 48.85, 2.35),
    "Brussels": ("BE", 50.85, 4.35),
    "London": ("GB", 51.51, -0.13),
    "Reykjavik": ("IS", 64.15, -21.94),
    "Quito": ("EC", -0.18, -78.47),
    "Wellington": ("NZ", -41.29, 174.78),
}


def haversine_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, point)) for point in (one, other))
    half = (
        math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * 6371.0088 * math.asin(math.sqrt(half))


@pytest.fixture
def globe(url: str) -> str:
    with connected(url) as connection, connection.cursor() as cursor:
        for name, (country, latitude, longitude) in CAPITALS.items():
            cursor.execute(
                "INSERT INTO places (name, country_code, latitude, longitude, source) VALUES (%s, %s, %s, %s, 'geonames')",
                (name, country, latitude, longitude),
            )
        cursor.execute("INSERT INTO places (name, source) VALUES ('Somewhere', 'geonames')")
    return url


@pytest.mark.parametrize(
    "here", [(-17.0, -179.9), (-17.0, 179.9), (90.0, 0.0), (-90.0, 77.0), (48.0, 2.0), (0.0, 180.0)]
)
def test_the_nearest_come_first_wherever_on_the_globe(globe: str, here: tuple[float, float]) -> None:
    found = rows(globe, "SELECT name, km FROM nearest_places_v1(%s, %s, 20)", here)
    expected = sorted((haversine_km(here, (lat, lon)), name) for name, (_, lat, lon) in CAPITALS.items())
    assert [name for name, _ in found] == [name for _, name in expected]
    assert [km for _, km in found] == pytest.approx([km for km, _ in expected], rel=1e-6)


def test_a_distance_bounds_what_is_found(globe: str) -> None:
    assert rows(globe, "SELECT name FROM nearest_places_v1(48.85, 2.35, 20, 300)") == [
        ("Paris",),
        ("Brussels",),
    ]
    assert rows(globe, "SELECT name FROM nearest_places_v1(48.85, 2.35, 1, 300)") == [("Paris",)]
    assert rows(globe, "SELECT name FROM nearest_places_v1(48.85, 2.35, 20, 0.1)") == [("Paris",)]
    assert rows(globe, "SELECT count(*) FROM nearest_places_v1(48.85, 2.35, 20, 30000)") == [(len(CAPITALS),)]


def test_artists_near_a_place_are_found(globe: str) -> None:
    rows(
        globe,
        "INSERT INTO artists (name, sort_name, place_id, source)"
        " SELECT 'Artist of ' || name, name, id, 'internal' FROM places",
    )
    found = rows(globe, "SELECT name, round(km) FROM artists_near_v1(50.85, 4.35, 5, 330)")
    assert found == [("Artist of Brussels", 0), ("Artist of Paris", 265), ("Artist of London", 321)]


@pytest.mark.parametrize(
    ("columns", "values", "constraint"),
    [
        ("latitude, longitude", "91, 0", "places_latitude_check"),
        ("latitude, longitude", "0, 181", "places_longitude_check"),
        ("latitude", "1", "places_position_check"),
        ("latitude, longitude", "'NaN', 0", "places_latitude_check"),
        ("country_code", "'XX'", "places_country_code_fkey"),
    ],
)
def test_a_position_that_is_none_is_refused(url: str, columns: str, values: str, constraint: str) -> None:
    with pytest.raises(psycopg2.IntegrityError, match=constraint):
        rows(url, f"INSERT INTO places (name, source, {columns}) VALUES ('x', 'geonames', {values})")


@pytest.fixture
def release(url: str) -> str:
    rows(url, "INSERT INTO albums (id, title, source) VALUES (1, 'x', 'internal'), (2, 'y', 'internal')")
    rows(
        url,
        "INSERT INTO tracks (id, album_id, title, source) VALUES (1, 1, 'x', 'internal'), (2, 2, 'y', 'internal')",
    )
    return url


WINDOW = "INSERT INTO market_availability (album_id, country_code, available, source) VALUES (1, %s, %s, 'internal')"


def test_a_release_is_played_where_and_when_it_may_be(release: str) -> None:
    rows(release, WINDOW, ("FR", "[2024-01-01,2025-01-01)"))
    rows(release, WINDOW, ("FR", "[2026-01-01,)"))
    rows(release, WINDOW, ("DE", "(,)"))
    ask = "SELECT is_available_v1(%s, %s, %s)"
    expected = {
        (1, "FR", "2024-06-01"): True, (1, "FR", "2025-06-01"): False, (1, "FR", "2026-01-01"): True,
        (1, "DE", "1990-01-01"): True, (1, "US", "2024-06-01"): False, (2, "US", "2024-06-01"): True,
    }  # fmt: skip
    assert {case: rows(release, ask, case)[0][0] for case in expected} == expected
    assert rows(release, ask, (99, "FR", "2024-06-01")) == [(None,)]


@pytest.mark.parametrize(
    ("window", "error"),
    [
        ("[2024-06-01,2024-07-01)", "market_availability_available_excl"),
        ("empty", "market_availability_available_check"),
    ],
)
def test_windows_of_a_market_never_overlap_and_are_never_empty(release: str, window: str, error: str) -> None:
    rows(release, WINDOW, ("FR", "[2024-01-01,2025-01-01)"))
    rows(release, WINDOW, ("BE", "[2024-01-01,2025-01-01)"))
    with pytest.raises(psycopg2.IntegrityError, match=error):
        rows(release, WINDOW, ("FR", window))


def test_extensions_of_others_stay_and_ours_go(empty_url: str) -> None:
    from support import run_alembic

    made = "SELECT extname FROM pg_extension WHERE extname IN ('cube', 'btree_gist') ORDER BY extname"
    rows(empty_url, "CREATE EXTENSION cube")
    assert run_alembic("upgrade", "004", url=empty_url).returncode == 0
    assert rows(empty_url, made) == [("btree_gist",), ("cube",)]
    assert run_alembic("downgrade", "003", url=empty_url).returncode == 0
    assert rows(empty_url, made) == [("cube",)]
