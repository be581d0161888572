"""Partitions are ahead by the clock, gaps are filled, what is over goes in good order, and once."""

from __future__ import annotations

import gzip
import hashlib
import pathlib
import re

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from killing import killed_before
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import Done, maintain
from spotify_ai_agent_migrations.versions.partitioning.maintain import maintenance_written
from support import connected, rows

NAMES = "SELECT child.relname::text FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = 'analytics'::regclass ORDER BY 1"


def kept(url: str, *names: str, archive: pathlib.Path | None = None) -> set[tuple[str, str, str | None]]:
    """What `maintain` did about these tables and partitions."""
    done = maintain("analytics", settings=resolve_settings(url), archive=archive)
    return {(one.what, one.name, one.why) for one in done if not names or one.name in names}


def old_month(url: str, back: int) -> str:
    """Make a partition of a month long ago beside the first one, with three rows; return its name."""
    month, after = rows(
        url,
        f"SELECT to_char(date_trunc('month', now() - interval '{back} months'), 'YYYY-MM-01'), to_char(date_trunc('month', now() - interval '{back - 1} months'), 'YYYY-MM-01')",
    )[0]
    name = f"analytics_p{str(month)[:7].replace('-', '_')}"
    rows(
        url,
        f"""SET TimeZone = 'UTC'; SET ROLE agent_owner;
        ALTER TABLE analytics DETACH PARTITION analytics_legacy;
        CREATE TABLE {name} (LIKE analytics INCLUDING ALL);
        COMMENT ON TABLE {name} IS 'partition made by agentdb: public.analytics from {month} to {after}';
        ALTER TABLE analytics ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{after}');
        INSERT INTO analytics (user_id, event_name, properties, created_at)
        SELECT n, 'a.b', '{{"said": "he said \\"é\\",\\n"}}', '{month}'::timestamptz + n * interval '1 day' FROM generate_series(1, 3) AS n;
        COMMENT ON TABLE analytics_legacy IS NULL;
        DROP TABLE analytics_legacy""",
    )
    return name


def test_a_month_that_is_missing_is_made_and_none_twice(url: str) -> None:
    before = rows(url, NAMES)
    assert kept(url) == set()
    rows(
        url,
        "ALTER TABLE analytics DETACH PARTITION analytics_p"
        + str(before[-3][0])[-7:]
        + "; DROP TABLE "
        + str(before[-3][0])
        + "; DROP TABLE "
        + str(before[-1][0]),
    )
    assert kept(url) == {("made", str(before[-3][0]), None), ("made", str(before[-1][0]), None)}
    assert rows(url, NAMES) == before
    assert kept(url) == set()


def test_a_row_far_ahead_makes_no_partitions(url: str) -> None:
    rows(
        url,
        "CREATE TABLE far PARTITION OF analytics FOR VALUES FROM ('9999-01-01') TO ('9999-02-01'); INSERT INTO analytics (user_id, event_name, created_at) VALUES (1, 'a.b', '9999-01-15')",
    )
    before = rows(url, NAMES)
    assert kept(url) == set()
    assert rows(url, NAMES) == before
    with pytest.raises(psycopg2.errors.CheckViolation, match="no partition of relation"):
        rows(url, "INSERT INTO analytics (user_id, event_name, created_at) VALUES (1, 'a.b', 'infinity')")


def test_a_month_that_is_over_is_detached_archived_and_dropped_after_its_grace(
    url: str, tmp_path: pathlib.Path
) -> None:
    name = old_month(url, 20)
    content = rows(url, f"SELECT user_id, properties ->> 'said' FROM {name} ORDER BY 1")
    first = kept(url, name)
    assert first == {("detached", name, None), ("kept", name, "it is not archived: say --archive FOLDER")}
    assert (name,) not in rows(url, NAMES)
    second = kept(url, name, archive=tmp_path)
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(rf"{parse_dsn(url)['dbname']}\.public\.{name}-\d+\.csv\.gz", file.name)
    text = gzip.decompress(file.read_bytes())
    sha256 = hashlib.sha256(text).hexdigest()
    until = str(
        rows(
            url,
            "SELECT to_char(detached_at AT TIME ZONE 'UTC' + interval '7 days', 'YYYY-MM-DD') FROM ops.partition_archives",
        )[0][0]
    )
    assert second == {
        ("archived", name, f"3 rows, SHA-256 {sha256}"),
        ("kept", name, f"until {until}, in case somebody misses it"),
    }
    assert file.stat().st_mode & 0o777 == 0o600
    # What is in the file is what was in the table.
    with connected(url) as connection, connection.cursor() as cursor, gzip.open(file) as packed:
        cursor.execute(f"CREATE TABLE again (LIKE {name})")
        cursor.copy_expert("COPY again FROM STDIN (FORMAT csv, HEADER)", packed)
        cursor.execute("SELECT user_id, properties ->> 'said' FROM again ORDER BY 1")
        assert cursor.fetchall() == content
    rows(url, "UPDATE ops.partition_archives SET detached_at = now() - interval '8 days'")
    assert kept(url, name, archive=tmp_path) == {("dropped", name, None)}
    assert rows(url, f"SELECT to_regclass('{name}')") == [(None,)]
    assert rows(
        url,
        "SELECT partition_name, archived_rows, sha256, dropped_at IS NOT NULL FROM ops.partition_archives",
    ) == [(f"public.{name}", 3, sha256, True)]
    # It is in the trail, like any deletion.
    assert rows(url, "SELECT action::text, entity_key FROM audit_log WHERE entity_type = 'partition_archive' ORDER BY id") == [
        (action, f"public.{name}") for action in ("insert", "update", "update", "update", "update")
    ]  # fmt: skip
    assert kept(url, name, archive=tmp_path) == set()


def test_a_dry_run_says_it_in_sql_and_does_nothing(url: str) -> None:
    name = old_month(url, 20)
    before = rows(url, NAMES)
    said = maintenance_written("analytics", settings=resolve_settings(url))
    assert rows(url, NAMES) == before
    assert said[-2] == f'ALTER TABLE "public"."analytics" DETACH PARTITION "public"."{name}" CONCURRENTLY'
    assert "ops.partition_archives" in said[-3]
    assert kept(url, name)


def test_a_hold_a_changed_row_and_a_table_of_somebody_else_are_respected(
    url: str, tmp_path: pathlib.Path
) -> None:
    name = old_month(url, 20)
    rows(url, "UPDATE ops.partition_policy SET hold = 'case 7', grace = '0'")
    assert kept(url, name) == {("kept", name, "a legal hold: case 7")}
    rows(url, "UPDATE ops.partition_policy SET hold = NULL; COMMENT ON TABLE " + name + " IS 'mine'")
    assert kept(url, name) == {("kept", name, "it was not made by this package")}
    rows(
        url,
        f"COMMENT ON TABLE {name} IS 'partition made by agentdb: public.analytics from 2025-01-01 to 2025-02-01'; UPDATE ops.partition_policy SET grace = '1 hour'",
    )
    assert ("archived", name) in {one[:2] for one in kept(url, name, archive=tmp_path)}
    rows(
        url,
        f"DELETE FROM {name} WHERE user_id = 1; UPDATE ops.partition_archives SET detached_at = now() - interval '1 day'",
    )
    assert kept(url, name, archive=tmp_path) == {
        ("failed", name, f'"public.{name}" has not the rows any more that were archived')
    }
    assert rows(url, f"SELECT count(*) FROM {name}") == [(2,)]


def test_the_last_partition_and_the_present_month_stay(url: str) -> None:
    rows(
        url,
        "UPDATE ops.partition_policy SET keep_for = '1 second', rule = NULL, archive = false, grace = '0'",
    )
    assert {one for one in kept(url) if one[0] != "made"} == set()
    name = old_month(url, 3)
    assert kept(url, name) == {("detached", name, None), ("dropped", name, None)}


def test_a_detaching_that_was_cut_off_is_finished(url: str) -> None:
    name = old_month(url, 20)
    with connected(url, autocommit=False) as reader, connected(url) as other:
        reader.cursor().execute("SELECT count(*) FROM analytics")
        with pytest.raises(psycopg2.errors.QueryCanceled):
            other.cursor().execute("SET statement_timeout = '500ms'")
            other.cursor().execute(f"ALTER TABLE analytics DETACH PARTITION {name} CONCURRENTLY")
    assert rows(url, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == [(1,)]
    assert ("finalized", name, None) in kept(url, name)
    assert rows(url, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == [(0,)]


def test_a_check_whose_conversion_was_left_alone_is_dropped_before_its_bound(url: str) -> None:
    near, far = rows(
        url,
        "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 day', 'YYYY-MM-DD'), to_char(now() + interval '9 days', 'YYYY-MM-DD')",
    )[0]
    for table, bound in (("listens", near), ("playlists", far)):
        column = "listened_at" if table == "listens" else "created_at"
        rows(
            url,
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_legacy_bound_check CHECK ({column} IS NOT NULL AND {column} < '{bound} 00:00:00+00') NOT VALID",
        )
    done = maintain(settings=resolve_settings(url))
    assert (
        Done("unbound", "public.listens", f"its conversion was left alone, and {near} 00:00:00+00 is near")
        in done
    )
    assert rows(url, "SELECT conname FROM pg_constraint WHERE conname LIKE '%legacy_bound_check'") == [
        ("playlists_legacy_bound_check",)
    ]


@pytest.mark.soak
def test_killed_before_any_statement_it_goes_on(url: str, tmp_path: pathlib.Path) -> None:
    name = old_month(url, 20)
    ((last,),) = rows(
        url, "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'analytics'::regclass"
    )
    rows(url, f"DROP TABLE {last}; UPDATE ops.partition_policy SET grace = '0'")
    tried = 0
    for number in range(1, 60):
        # From its beginning each time: what the last run has done is done.
        if not killed_before(number % 8 + 1, lambda: kept(url, archive=tmp_path)):
            break
        tried += 1
    assert tried > 8
    kept(url, archive=tmp_path)
    assert (str(last),) in rows(url, NAMES)
    assert rows(url, f"SELECT to_regclass('{name}'), count(*) FROM pg_inherits WHERE inhdetachpending") == [
        (None, 0)
    ]
    assert rows(
        url,
        "SELECT archived_rows, dropped_at IS NOT NULL FROM ops.partition_archives WHERE partition_name = %s",
        (f"public.{name}",),
    ) == [(3, True)]
    assert [file.suffixes[-2:] for file in tmp_path.iterdir() if name in file.name] == [[".csv", ".gz"]]
