"""What is over is dropped only while the policy, a hold, its archive and its rows all still say so."""

from __future__ import annotations

import gzip
import pathlib
import re
import threading
import time
import uuid

import pytest
from partitioning.scene import in_the_past, settings

from killing import killed_before
from spotify_ai_agent_migrations.versions.partitioning import maintain, retention, split
from spotify_ai_agent_migrations.versions.partitioning.archive import archive
from spotify_ai_agent_migrations.versions.partitioning.status import as_prometheus, status
from support import Databases, connected, rows

# Rows of seven months and more; what is detached may be dropped an hour later.
OLD = """
DELETE FROM ops.partition_policy;
CREATE TABLE ev (id bigint PRIMARY KEY, a text, at timestamptz NOT NULL);
INSERT INTO ev SELECT n, 'x', date_trunc('month', now()) - n * interval '10 days' FROM generate_series(1, 21) AS n;
"""
LATER = "UPDATE ops.partition_archives SET detached_at = now() - interval '2 hours' WHERE dropped_at IS NULL"


@pytest.fixture(scope="module")
def months(databases: Databases, template: str) -> str:
    """The name of a database with a table in months, most of them over."""
    name = databases.create(template)
    url = databases.url(name)
    rows(url, OLD)
    in_the_past(url, "ev")
    split("ev", settings=settings(url))
    rows(
        url,
        "DROP TABLE ev_legacy; UPDATE ops.partition_policy SET keep_for = '90 days', grace = '1 hour'",
    )
    return name


@pytest.fixture
def kept_url(databases: Databases, months: str) -> str:
    """The URL of a clone of that database."""
    return databases.url(databases.create(months))


def done(url: str, archive: pathlib.Path | None = None) -> dict[str, list[str | None]]:
    """Maintain, and return by name what was done, or why not."""
    found: dict[str, list[str | None]] = {}
    for one in maintain(settings=settings(url), archive=archive):
        found.setdefault(one.name, []).append(one.what if one.why is None else f"{one.what}: {one.why}")
    return found


def over(url: str) -> list[str]:
    return [
        str(name)
        for (name,) in rows(
            url,
            "SELECT relname::text FROM pg_class WHERE relname ~ '^ev_p' AND relkind = 'r' AND NOT relispartition ORDER BY 1",
        )
    ]


def test_an_archive_is_never_written_over(kept_url: str, tmp_path: pathlib.Path) -> None:
    done(kept_url, tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(files) > 3
    # As in a database that was restored from an older dump, with the same folder.
    rows(
        kept_url,
        "UPDATE ops.partition_archives SET archived_at = NULL, archived_rows = NULL, sha256 = NULL, file = NULL",
    )
    changed, *others = over(kept_url)
    rows(kept_url, f"UPDATE {changed} SET a = 'of another time'")
    found = done(kept_url, tmp_path)
    assert "is there, with other rows" in str(found[changed])
    assert all(str(found[name][0]).startswith("archived: ") for name in others)
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.gz")} == files


def test_without_its_archive_or_with_other_rows_it_stays(kept_url: str, tmp_path: pathlib.Path) -> None:
    done(kept_url, tmp_path)
    rows(kept_url, LATER)
    changed, lost, damaged, sound = over(kept_url)[:4]
    rows(kept_url, f"UPDATE {changed} SET a = 'corrected by hand'")
    (file,) = tmp_path.glob(f"*{lost}-*.gz")
    file.unlink()
    (file,) = tmp_path.glob(f"*{damaged}-*.gz")
    file.write_bytes(gzip.compress(b"something else"))
    found = done(kept_url, tmp_path)
    assert found[changed] == [f'failed: "public.{changed}" has not the rows any more that were archived']
    assert str(found[lost]).startswith(f"""['failed: the archive of "public.{lost}" cannot be read""")
    assert str(found[damaged]).startswith(f"""['failed: the archive of "public.{damaged}" is not what""")
    assert found[sound] == ["dropped"]
    assert {changed, lost, damaged} <= set(over(kept_url))


def test_what_is_not_over_any_more_or_was_detached_by_hand_stays(kept_url: str) -> None:
    rows(kept_url, "UPDATE ops.partition_policy SET archive = false")
    (last,) = rows(
        kept_url,
        "SELECT max(inhrelid::regclass::text) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'ev'::regclass AND reltuples > 0",
    )
    rows(kept_url, f"ALTER TABLE ev DETACH PARTITION {last[0]}")
    found = done(kept_url)
    assert found[str(last[0])][-1] == "kept: it was not detached by this package: attach it, or drop it"
    detached = [name for name in over(kept_url) if name != last[0]]
    assert len(detached) > 2
    rows(kept_url, f"{LATER}; UPDATE ops.partition_policy SET keep_for = '10 years'")
    found = done(kept_url)
    assert all(
        "are not over any more by the policy: attach it again" in str(found[name]) for name in detached
    )
    rows(kept_url, "UPDATE ops.partition_policy SET keep_for = '90 days'")
    assert [done(kept_url)[name] for name in detached[:1]] == [["dropped"]]
    assert over(kept_url) == [last[0]]


def test_a_hold_is_seen_that_is_set_meanwhile(
    kept_url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(kept_url, "UPDATE ops.partition_policy SET grace = '0'")

    def held(*arguments: object) -> object:
        made = archive(*arguments)  # type: ignore[arg-type]
        rows(kept_url, "UPDATE ops.partition_policy SET hold = 'case 7'")
        return made

    monkeypatch.setattr(f"{retention.__name__}.archive", held)
    found = done(kept_url, tmp_path)
    detached = over(kept_url)
    assert len(detached) > 3
    assert {str(found[name][-1]) for name in detached} == {"kept: a legal hold: case 7"}


def test_an_entry_of_another_table_with_the_same_number_is_not_its_archive(
    kept_url: str, tmp_path: pathlib.Path
) -> None:
    first = str(rows(kept_url, "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'ev'::regclass")[0][0])  # fmt: skip
    rows(
        kept_url,
        f"INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid, detached_at, archived_at, archived_rows, sha256, file) VALUES ('public.other', 'public.other_p2020_01', '{first}'::regclass::oid::bigint, now() - interval '1 year', now(), 1, repeat('0', 64), '/nowhere')",
    )
    found = done(kept_url, tmp_path)
    assert found[first][0] == "detached"
    assert str(found[first][1]).startswith("archived: ")


def test_while_a_split_is_under_way_the_old_rows_stay(url: str) -> None:
    rows(url, OLD)
    in_the_past(url, "ev")
    rows(url, "UPDATE ops.partition_policy SET keep_for = '1 day', archive = false, grace = '0'")
    assert killed_before("FOR SHARE OF old", lambda: split("ev", settings=settings(url)))
    assert done(url)["ev_legacy"] == ["kept: a split of it has begun: finish it, or --abort"]
    (seen,) = status(settings=settings(url))
    assert "a split was begun and is not over" in seen.problems
    split("ev", settings=settings(url))
    assert rows(url, "SELECT count(*) FROM ev") == [(21,)]


def test_one_table_in_trouble_does_not_keep_the_others(url: str) -> None:
    stranger = f"r{uuid.uuid4().hex[:8]}"
    rows(
        url,
        """INSERT INTO ops.partition_policy (table_name, period) VALUES ('public."gone Tä"', 'month');
        UPDATE ops.partition_policy SET keep_for = '3000 years', rule = NULL WHERE table_name = 'public.analytics';
        CREATE TABLE x (a int, CONSTRAINT x_legacy_bound_check CHECK (a > 0)); CREATE TABLE y (t timestamptz, CONSTRAINT y_legacy_bound_check CHECK (t < now()));
        CREATE TABLE z (a int); COMMENT ON TABLE z IS 'partition made by agentdb: public.analytics from 1 to 2';
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET IntervalStyle = iso_8601', current_database()); EXECUTE format('ALTER DATABASE %I SET DateStyle = German', current_database()); END $$""",
    )
    (last,) = rows(
        url, "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'analytics'::regclass"
    )
    rows(url, f"DROP TABLE {last[0]}; CREATE ROLE {stranger} NOLOGIN; ALTER TABLE z OWNER TO {stranger}")
    try:
        found = done(url)
    finally:
        rows(url, f"DROP TABLE z; DROP ROLE {stranger}")
    assert found == {
        str(last[0]): ["made"],
        'public."gone Tä"': ['failed: there is no table "public."gone Tä""'],
    }
    seen = status(settings=settings(url))
    assert [one.problems for one in seen if one.table == 'public."gone Tä"'] == [
        ('there is no table "public."gone Tä""',)
    ]
    assert 'agentdb_partitioning_ahead{table="public.\\"gone Tä\\""} 0' in as_prometheus(seen)


def test_a_writer_to_a_table_that_refers_waits_no_longer_than_the_bound(url: str) -> None:
    rows(url, OLD + "CREATE TABLE notes (id bigserial PRIMARY KEY, ev_id bigint REFERENCES ev (id)); INSERT INTO notes (ev_id) VALUES (1)")  # fmt: skip
    in_the_past(url, "ev")
    split("ev", settings=settings(url))
    rows(url, "UPDATE ops.partition_policy SET keep_for = '90 days', archive = false; DROP TABLE ev_legacy")
    with connected(url, autocommit=False) as batch:
        batch.cursor().execute("INSERT INTO notes (ev_id) VALUES (1)")
        maintaining = threading.Thread(target=done, args=(url,))
        maintaining.start()
        for _ in range(10):
            # Behind a lock that is waited for without a bound this one would wait for the batch, which is ours.
            rows(url, "SET statement_timeout = '20s'; INSERT INTO notes (ev_id) VALUES (1)")
            time.sleep(0.1)
        assert maintaining.is_alive()
        batch.commit()
    maintaining.join(60)
    assert len(over(url)) > 3


def test_a_folder_that_cannot_be_written_keeps_everything(kept_url: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    found = done(kept_url, tmp_path / "file")
    assert len(over(kept_url)) > 3
    assert all("cannot be written: Not a directory" in str(found[name][-1]) for name in over(kept_url))


def test_an_archive_that_is_cut_off_keeps_its_partition_and_no_other(
    kept_url: str, tmp_path: pathlib.Path
) -> None:
    done(kept_url, tmp_path)
    rows(kept_url, LATER)
    cut, garbled, empty, sound = over(kept_url)[:4]
    (file,) = tmp_path.glob(f"*{cut}-*.gz")
    file.write_bytes(file.read_bytes()[:-12])
    (file,) = tmp_path.glob(f"*{garbled}-*.gz")
    packed = file.read_bytes()
    file.write_bytes(packed[:12] + bytes(255 - byte for byte in packed[12:-8]) + packed[-8:])
    (file,) = tmp_path.glob(f"*{empty}-*.gz")
    file.write_bytes(b"")
    found = done(kept_url, tmp_path)
    for name in (cut, garbled):
        assert f'the archive of "public.{name}" cannot be read' in str(found[name])
    assert f'the archive of "public.{empty}" is not what was archived' in str(found[empty])
    assert found[sound] == ["dropped"]
    assert {cut, garbled, empty} <= set(over(kept_url))


def test_a_partition_whose_comment_says_no_time_is_none_that_a_split_left(kept_url: str) -> None:
    rows(kept_url, "UPDATE ops.partition_policy SET archive = false, grace = '0', keep_for = NULL")
    (last,) = rows(
        kept_url, "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'ev'::regclass"
    )
    rows(
        kept_url,
        f"ALTER TABLE ev DETACH PARTITION {last[0]}; COMMENT ON TABLE {last[0]} IS 'partition made by agentdb: public.ev from then till now'",
    )
    for _ in range(2):
        found = done(kept_url)
        assert found[str(last[0])][-1] == "kept: it was not detached by this package: attach it, or drop it"
    assert over(kept_url) == [last[0]]


def test_killed_before_any_statement_it_ends_as_if_it_had_not_been(
    databases: Databases, months: str, request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> None:
    every = bool(request.config.getoption("--soak"))
    (last,) = rows(
        databases.url(months),
        "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'ev'::regclass",
    )

    def run(number: int) -> tuple[bool, object, object]:
        name = databases.create(months)
        url, folder = databases.url(name), tmp_path / name
        folder.mkdir()
        # Something to be made, and what is over is dropped at once.
        rows(url, f"DROP TABLE {last[0]}; UPDATE ops.partition_policy SET grace = '0'")
        killed = killed_before(number, lambda: maintain(settings=settings(url), archive=folder))
        maintain(settings=settings(url), archive=folder)
        tables = rows(url, "SELECT relname::text, relispartition FROM pg_class WHERE relname ~ '^ev' AND relkind IN ('r', 'p') ORDER BY 1")  # fmt: skip
        ledger = rows(url, "SELECT partition_name, archived_rows, rows_sha256, dropped_at IS NOT NULL FROM ops.partition_archives ORDER BY 1")  # fmt: skip
        archives = [re.sub(r"^.*ev_p|-\d+", "", file.name) for file in sorted(folder.iterdir())]
        databases.drop(name)
        return killed, tables, (ledger, archives)

    _, *whole = run(0)
    assert (last[0], True) in whole[0]  # type: ignore[operator]
    tried = 0
    for number in range(1, 400, 1 if every else 13):
        killed, *found = run(number)
        if not killed:
            break
        assert (number, *found) == (number, *whole)
        tried += 1
    assert tried > (30 if every else 2)


def test_a_try_that_failed_long_ago_does_not_shorten_the_grace(kept_url: str) -> None:
    rows(kept_url, "UPDATE ops.partition_policy SET archive = false")
    first = str(rows(kept_url, "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'ev'::regclass")[0][0])  # fmt: skip
    rows(
        kept_url,
        f"INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid, detached_at) VALUES ('public.ev', 'public.{first}', '{first}'::regclass::oid::bigint, now() - interval '8 days')",
    )
    # Killed when it is detached, and before that is written down.
    assert killed_before("AND entry.table_name = ", lambda: maintain(settings=settings(kept_url)))
    assert over(kept_url) == [first]
    assert str(done(kept_url)[first][-1]).startswith("kept: until ")
    assert first in over(kept_url)
