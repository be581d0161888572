"""What refers to rows that are over holds them, and row security holds for whoever is no superuser."""

from __future__ import annotations

import pathlib
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from partitioning.scene import SCENE, build, converted_in_the_past, everything, settings
from partitioning.test_maintain import NAMES, kept, old_month

from spotify_ai_agent_migrations.versions.partitioning import maintain, split
from spotify_ai_agent_migrations.versions.partitioning.split import Pace
from support import Databases, connected, rows

WITHOUT_NOTES = SCENE.split("CREATE TABLE notes")[0] + (
    'CREATE TABLE notes (odd_id bigint); INSERT INTO "Odd" (tenant_id, payload, amount, at)'
    " SELECT n % 5 + 1, jsonb_build_object('k', n), n % 100, now() - n * interval '6 hours' FROM generate_series(1, 2000) AS n;"
)


def test_a_partition_that_rows_refer_to_is_kept_and_they_are_named(url: str, tmp_path: pathlib.Path) -> None:
    name = old_month(url, 20)
    rows(
        url,
        f"""CREATE TABLE bookmarks (id int, user_id bigint, event_id bigint, event_at timestamptz,
            CONSTRAINT bookmarks_event_fkey FOREIGN KEY (user_id, event_id, event_at) REFERENCES analytics (user_id, id, created_at));
            INSERT INTO bookmarks SELECT 1, user_id, id, created_at FROM {name} WHERE user_id = 2;
            UPDATE ops.partition_policy SET grace = '0'""",
    )
    for _ in range(2):
        ((what, _, why),) = kept(url, name, archive=tmp_path)
        assert what == "kept"
        assert why is not None
        assert why.startswith(
            f'rows refer to it: removing partition "{name}" violates foreign key constraint "bookmarks_'
        )
    assert (name,) in rows(url, NAMES)
    assert rows(url, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == [(0,)]
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="bookmarks_event_fkey"):
        rows(url, "INSERT INTO bookmarks VALUES (2, 99, 99, now())")
    rows(url, "DELETE FROM bookmarks")
    assert {what for what, _, _ in kept(url, name, archive=tmp_path)} == {"detached", "archived", "dropped"}


def test_a_split_under_forced_row_security_shows_each_role_its_rows_only(databases: Databases) -> None:
    url = databases.url(databases.create())
    build(url, WITHOUT_NOTES)
    # The owner is no superuser, so that forced row security holds for it too.
    rows(
        url,
        """SELECT pg_advisory_lock(7); DO $$ BEGIN CREATE ROLE part_owner; EXCEPTION WHEN duplicate_object THEN END $$;
           GRANT USAGE, CREATE ON SCHEMA public TO part_owner; ALTER TABLE "Odd" OWNER TO part_owner; ALTER TABLE tenants OWNER TO part_owner""",
    )
    converted_in_the_past(url)
    content = everything(url)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute('SET ROLE part_rw; SELECT count(*) FROM "Odd"')
        ((visible,),) = cursor.fetchall()
        assert 0 < visible < len(content)
        # Written while the copy is made: by the trigger, in the name of an owner to whom no row is shown.
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(split, '"Odd"', pace=Pace(blocks=2, pause_s=0.02), settings=settings(url))
            written = 0
            while not done.done():
                cursor.execute(
                    'UPDATE "Odd" SET amount = amount + 1 WHERE id = (SELECT max(id) FROM "Odd") RETURNING id'
                )
                written += len(cursor.fetchall())
            assert len(done.result()) >= 16
        assert written > 5
        cursor.execute('SELECT count(*), count(*) FILTER (WHERE tenant_id > 2) FROM "Odd"')
        assert cursor.fetchall() == [(visible, 0)]
        for name in done.result():
            with pytest.raises(
                psycopg2.errors.InsufficientPrivilege, match=f"permission denied for table {name}"
            ):
                cursor.execute(f'SELECT count(*) FROM "{name}"')
        cursor.execute('SET ROLE part_owner; SELECT count(*) FROM "Odd"')
        ((shown,),) = cursor.fetchall()
        assert shown < len(content)
    after = everything(url)
    assert [row[:3] for row in after] == [row[:3] for row in content]
    assert sum(before != now for before, now in zip(content, after, strict=True)) == 1
    assert rows(url, "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'Odd'") == [
        (True, True)
    ]


@pytest.mark.soak
def test_a_hundred_premakes_at_once_make_each_partition_once(url: str) -> None:
    wanted = rows(url, NAMES)
    rows(url, "; ".join(f"DROP TABLE {name}" for (name,) in wanted[3:]))
    # So many connections as a server with its own hundred still has for this test.
    with ThreadPoolExecutor(40) as pool:
        ran = [pool.submit(maintain, "analytics", settings=settings(url)) for _ in range(100)]
        done = [one for each in ran for one in each.result()]
    assert sorted((one.what, one.name) for one in done) == [("made", str(name)) for (name,) in wanted[3:]]
    assert rows(url, NAMES) == wanted
