"""Rows exactly on a boundary, in any zone, and keys that are no time at all: kept where they belong, or refused."""

from __future__ import annotations

import pathlib

import psycopg2
import pytest
from partitioning.scene import converted_in_the_past, settings
from partitioning.test_maintain import kept, old_month

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import convert, split, unconvert
from support import connected, rows

ZONES = ("Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kolkata")


def content_of(url: str) -> list[tuple[object, ...]]:
    """Every row, as text: Python has no year before the first."""
    return rows(url, 'SET TimeZone = "UTC"; SELECT one::text FROM "Odd" AS one ORDER BY id')


def in_zone(url: str, zone: str) -> str:
    """The URL for sessions in a time zone, in a database of that zone as well."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''{zone}''', current_database()); END $$"
        )
    return f"{url}&options=-c%20TimeZone%3D{zone.replace('/', '%2F')}"


@pytest.mark.parametrize("zone", ZONES)
def test_rows_on_a_boundary_are_in_the_month_that_begins_there_after_the_split(scene: str, zone: str) -> None:
    bound = converted_in_the_past(scene)
    edges = rows(
        scene,
        """INSERT INTO "Odd" (tenant_id, amount, at)
           SELECT 1, 777, (%s::timestamptz AT TIME ZONE 'UTC' - n * interval '1 month') AT TIME ZONE 'UTC' - late * interval '1 microsecond'
             FROM generate_series(0, 2) AS n, generate_series(0, 1) AS late
           RETURNING id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), tableoid::regclass::text""",
        (bound,),
    )
    assert len(edges) == 6
    # The bound itself begins the month after the old rows.
    assert sorted(str(home) for _, _, home in edges).count('"Odd_legacy"') == 5
    content = content_of(scene)
    split('"Odd"', settings=settings(in_zone(scene, zone)))
    homes = rows(scene, 'SELECT id, tableoid::regclass::text FROM "Odd" WHERE amount = 777 ORDER BY id')
    assert homes == [(key, f'"Odd_p{str(at)[:7].replace("-", "_")}"') for key, at, _ in sorted(edges)]
    assert content_of(scene) == content


@pytest.mark.parametrize("zone", ZONES)
def test_months_begin_and_end_in_utc_and_what_is_over_goes_by_its_last_instant(
    url: str, zone: str, tmp_path: pathlib.Path
) -> None:
    """Maintained and archived from any zone: the first and the last microsecond of a month go with it."""
    name = old_month(url, 20)
    begin = f"{name[-7:-3]}-{name[-2:]}-01"
    rows(
        url,
        f"""SET TimeZone = 'UTC'; INSERT INTO analytics (user_id, event_name, created_at) VALUES
            (11, 'a.b', '{begin}'), (12, 'a.b', timestamptz '{begin}' + interval '1 month' - interval '1 microsecond')""",
    )
    assert rows(url, f"SELECT user_id FROM {name} WHERE user_id > 10 ORDER BY 1") == [(11,), (12,)]
    ((last,),) = rows(
        url, "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'analytics'::regclass"
    )
    bound = "SET TimeZone = 'UTC'; SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s"
    before = rows(url, bound, (last,))
    rows(url, f"DROP TABLE {last}; UPDATE ops.partition_policy SET grace = '0'")
    # Exactly as old as the policy keeps rows: what ends there is over, and what ends a microsecond later is not.
    rows(
        url,
        f"""UPDATE ops.partition_policy SET rule = NULL, keep_for = now() - (timestamptz '{begin} 00:00:00+00' + interval '1 month') + interval '1 hour'""",
    )
    zoned = in_zone(url, zone)
    assert kept(zoned, name) == set()
    assert rows(url, bound, (last,)) == before
    rows(
        url,
        f"""UPDATE ops.partition_policy SET keep_for = now() - ((timestamp '{begin} 00:00:00' + interval '1 month') AT TIME ZONE 'UTC')""",
    )
    found = {what: why for what, _, why in kept(zoned, name, archive=tmp_path)}
    assert set(found) == {"detached", "archived", "dropped"}
    assert str(found["archived"]).startswith("5 rows, ")


def test_a_key_that_is_no_time_is_kept_in_the_first_partition_or_refused(scene: str) -> None:
    rows(
        scene,
        """UPDATE "Odd" SET at = '-infinity' WHERE id = 9; UPDATE "Odd" SET at = '0044-03-15 00:00:00+00 BC' WHERE id = 10""",
    )
    content = content_of(scene)
    convert('"Odd"', "at", premake=1, settings=settings(scene))
    assert content_of(scene) == content
    for value, error, said in (
        ("NULL", psycopg2.errors.CheckViolation, 'no partition of relation "Odd" found'),
        ("'infinity'", psycopg2.errors.CheckViolation, 'no partition of relation "Odd" found'),
        ("'9999-12-31'", psycopg2.errors.CheckViolation, 'no partition of relation "Odd" found'),
    ):
        with pytest.raises(error, match=said):
            rows(scene, f'INSERT INTO "Odd" (tenant_id, at) VALUES (1, {value})')
    rows(scene, """INSERT INTO "Odd" (tenant_id, at) VALUES (1, '-infinity')""")
    assert rows(scene, """SELECT tableoid::regclass::text, count(*) FROM "Odd" WHERE at = '-infinity' GROUP BY 1""") == [
        ('"Odd_legacy"', 2)
    ]  # fmt: skip
    content = content_of(scene)
    assert unconvert('"Odd"', settings=settings(scene)) == 0
    assert content_of(scene) == content


def test_a_split_keeps_the_infinite_past_and_refuses_a_year_that_has_no_month(scene: str) -> None:
    converted_in_the_past(scene)
    rows(scene, """UPDATE "Odd" SET at = '-infinity' WHERE id = 1700""")
    content = content_of(scene)
    oldest = split('"Odd"', settings=settings(scene))[0]
    assert content_of(scene) == content
    assert rows(scene, 'SELECT tableoid::regclass::text FROM "Odd" WHERE id = 1700') == [(f'"{oldest}"',)]


def test_a_split_of_rows_from_before_our_era_is_refused_with_the_fix(scene: str) -> None:
    converted_in_the_past(scene)
    rows(scene, """UPDATE "Odd" SET at = '0044-03-15 00:00:00+00 BC' WHERE id = 1700""")
    content = content_of(scene)
    with pytest.raises(TableError) as refused:
        split('"Odd"', settings=settings(scene))
    assert refused.value.problem == 'the oldest row of "public."Odd_legacy"" is of no month that can be named'
    assert content_of(scene) == content
