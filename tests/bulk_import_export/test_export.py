"""What an export writes, that an import reads it back as the same values, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import (
    ExportResult,
    FileError,
    LockError,
    MigrationError,
    PrivilegeError,
    TableError,
    bulk_export,
    bulk_import,
)
from spotify_ai_agent_migrations.versions.bulk_import_export import run, target
from spotify_ai_agent_migrations.versions.bulk_import_export.progress import Progress
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from support import Processes, connected, data, rows, until


def _execute(url: str, statement: str, values: object = None) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)  # type: ignore[arg-type]


def test_a_table_is_written_whole_with_null_and_the_empty_text_apart(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    _execute(empty_url, """INSERT INTO t VALUES (1, NULL), (2, ''), (3, 'a "b", c'), (NULL, 'é')""")
    path = tmp_path / "t.csv"
    written = 'a,b\n1,\n2,""\n3,"a ""b"", c"\n,é\n'.encode()
    result = bulk_export("t", path, url=empty_url)
    assert result == ExportResult("public.t", path, ("a", "b"), 4, len(written))
    assert path.read_bytes() == written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_naughty_strings_come_back_byte_for_byte(empty_url: str, tmp_path: Path) -> None:
    strings = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    _execute(empty_url, "CREATE TABLE t (string text); CREATE TABLE again (string text)")
    for string in [*strings, None, "\\.", "\\N", "a\r\nb\rc\n", "\ufeff", None]:
        _execute(empty_url, "INSERT INTO t VALUES (%s)", (string,))
    bulk_export("t", tmp_path / "one.csv", url=empty_url)
    bulk_import("again", tmp_path / "one.csv", url=empty_url)
    bulk_export("again", tmp_path / "two.csv", url=empty_url)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert rows(empty_url, "SELECT string FROM again") == rows(empty_url, "SELECT string FROM t")
    assert rows(empty_url, "SELECT count(*) FROM again") == [(len(strings) + 6,)]


def test_every_type_comes_back_as_it_was_whatever_the_server_is_set_to(
    empty_url: str, tmp_path: Path
) -> None:
    columns = (
        "i bigint, n numeric, f double precision, r real, d date, t timestamp, z timestamptz, w interval, "
        "b bytea, j jsonb, a text[], u uuid, o boolean, c char(4), g int4range, p point, h inet, y time"
    )
    _execute(empty_url, f"CREATE TABLE t ({columns}); CREATE TABLE again ({columns})")
    _execute(
        empty_url,
        """INSERT INTO t VALUES
        (-9223372036854775808, 'NaN', 0.1 + 0.2::float8, 1.1, '0044-03-15 BC', 'infinity',
         '2020-02-03 04:05:06.789+09',
         '-1 year 2 mons -3 days +04:05:06.7', '\\x00ff', '{"a": ["\\\\", "\\n"]}', '{NULL,"",a\\,b,"NULL"}',
         'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', true, 'x', '[1,5)', '(1.5,-2)', '::1', '23:59:59.999999'),
        (1, 1e-20, '-infinity', '-0', '10/11/2012', '2012-11-10', '1900-01-01', '1 mon', '', 'null', '{}',
         NULL, false, '', 'empty', NULL, '10.0.0.0/8', '00:00')""",
    )
    strange = "&options=-cdatestyle%3DSQL,DMY%20-cintervalstyle%3Dsql_standard%20-ctimezone%3DAsia/Kolkata"
    strange += "%20-cbytea_output%3Descape%20-cextra_float_digits%3D-5"
    bulk_export("t", tmp_path / "one.csv", url=empty_url + strange)
    bulk_import("again", tmp_path / "one.csv", url=empty_url + strange)
    bulk_export("again", tmp_path / "two.csv", url=empty_url)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert "2020-02-02 19:05:06.789+00" in (tmp_path / "one.csv").read_text()


@pytest.mark.parametrize("name", ["artist", "customer", "track"])
def test_a_real_table_comes_back_as_it_was(empty_url: str, tmp_path: Path, name: str) -> None:
    path = data("chinook", f"{name}.csv")
    header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    _execute(empty_url, f"CREATE TABLE t ({', '.join(f'{column} text' for column in header)})")
    bulk_import("t", path, url=empty_url)
    before = rows(empty_url, "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM t")
    bulk_export("t", tmp_path / "t.csv", url=empty_url)
    _execute(empty_url, "TRUNCATE t")
    bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert rows(empty_url, "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM t") == before


def test_hostile_names_are_only_names(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, 'CREATE TABLE "T {x}" ("100%" integer, "F*G" text, "a ""b"", c" text)')
    _execute(empty_url, """INSERT INTO "T {x}" VALUES (1, 'x', 'y')""")
    assert bulk_export('"T {x}"', tmp_path / "t.csv", url=empty_url).rows == 1
    assert (tmp_path / "t.csv").read_text() == '100%,F*G,"a ""b"", c"\n1,x,y\n'
    assert bulk_import('"T {x}"', tmp_path / "t.csv", url=empty_url).rows == 1


def test_partitions_views_and_materialized_views_are_written(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);"
        "INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT a FROM t;"
        "CREATE MATERIALIZED VIEW m AS SELECT a FROM t",
    )
    for name in ("t", "v", "m"):
        assert bulk_export(name, tmp_path / name, url=empty_url).rows == 1
        assert (tmp_path / name).read_text() == "a\n1\n"


def test_generated_columns_are_left_out(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, twice integer GENERATED ALWAYS AS (a * 2) STORED)")
    _execute(empty_url, "INSERT INTO t VALUES (2)")
    assert bulk_export("t", tmp_path / "t.csv", url=empty_url).columns == ("a",)
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url).rows == 1


def test_an_empty_table_gives_a_header(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    assert bulk_export("t", tmp_path / "t.csv", url=empty_url).rows == 0
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url).rows == 0


def test_a_file_that_was_there_is_replaced_and_only_by_a_whole_one(empty_url: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("before")
    _execute(empty_url, "CREATE TABLE t (a integer); INSERT INTO t SELECT generate_series(1, 100000)")
    _execute(empty_url, "CREATE VIEW v AS SELECT 1 / (100000 - a) AS x FROM t")
    with pytest.raises(MigrationError) as caught:
        bulk_export("v", path, url=empty_url)
    assert caught.value.problem == "exporting public.v: division by zero"
    assert (path.read_text(), list(tmp_path.iterdir())) == ("before", [path])
    assert bulk_export("t", path, url=empty_url).rows == 100_000
    assert path.read_text().startswith("a\n1\n")


def test_a_link_stays_a_link(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    bulk_export("t", tmp_path / "link.csv", url=empty_url)
    assert ((tmp_path / "link.csv").is_symlink(), (tmp_path / "real.csv").read_text()) == (True, "a\n")


def test_a_place_that_cannot_be_written_is_refused(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    expected = {
        Path("none/t.csv"): (
            "cannot be written: no such file or directory",
            "mend the path, the permissions or the space on the disk",
        ),
        Path(): ("is not a regular file", "name a file to write or to replace"),
        Path("pipe"): ("is not a regular file", "name a file to write or to replace"),
    }
    for path, (problem, hint) in expected.items():
        with pytest.raises(FileError) as caught:
            bulk_export("t", path, url=empty_url)
        assert (caught.value.problem, caught.value.hint) == (f'"{path}" {problem}', hint)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_leaves_nothing_behind(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a text); INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 5000)",
    )
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(target, "_unnamed", lambda _: (full, None))
    with pytest.raises(FileError) as caught:
        bulk_export("t", tmp_path / "t.csv", url=empty_url)
    assert caught.value.problem == f'"{tmp_path / "t.csv"}" cannot be written: no space left on device'
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_table_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE SEQUENCE s; CREATE TABLE t (); CREATE TABLE albums (a integer)")
    expected = {
        "s": (
            "public.s is a sequence and cannot be exported",
            "what can be exported: tables, partitioned tables, views, materialized views",
        ),
        "t": ("public.t has no columns to export", "add a column, or name another table"),
        "album": ("there is no table album", "did you mean public.albums?"),
    }
    for name, found in expected.items():
        with pytest.raises(TableError) as caught:
            bulk_export(name, tmp_path / "t.csv", url=empty_url)
        assert (caught.value.problem, caught.value.hint) == found
    assert list(tmp_path.iterdir()) == []


def test_rows_that_row_security_would_hide_are_never_silently_missing(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t USING (a = 1)",
    )
    other = login(grants=("GRANT SELECT ON t TO {role}",))
    assert rows(other, "SELECT a FROM t") == [(1,)]
    with pytest.raises(PrivilegeError) as caught:
        bulk_export("t", tmp_path / "t.csv", url=other)
    assert caught.value.problem == (
        'exporting public.t: query would be affected by row-level security policy for table "t"'
    )
    assert list(tmp_path.iterdir()) == []


def test_an_export_sees_one_moment_and_hinders_nobody(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer); INSERT INTO t SELECT generate_series(1, 200000)")
    thread = threading.Thread(target=bulk_export, args=("t", tmp_path / "t.csv"), kwargs={"url": empty_url})
    thread.start()
    _execute(empty_url, "UPDATE t SET a = a + 1000000")
    thread.join()
    numbers = [int(line) for line in (tmp_path / "t.csv").read_text().splitlines()[1:]]
    assert (len(numbers), max(numbers) - min(numbers)) == (200_000, 199_999)


def _slow(url: str) -> None:
    _execute(
        url,
        "CREATE VIEW v AS SELECT repeat('x', 100000) AS x, pg_sleep(0.05)::text AS y"
        " FROM generate_series(1, 2000)",
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_export_does_not_wait_for_the_rest(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    class Failing:
        def write(self, _: bytes) -> int:
            raise error

    def begin(self: target.Target, *values: object, **named: object) -> None:
        before(self, *values, **named)  # type: ignore[arg-type]
        self._file = Failing()  # type: ignore[assignment]

    before = target.Target.__init__
    monkeypatch.setattr(target.Target, "__init__", begin)
    _slow(empty_url)
    began = time.monotonic()
    with pytest.raises((KeyboardInterrupt, FileError)):
        bulk_export("v", tmp_path / "t.csv", url=empty_url)
    assert time.monotonic() - began < 20
    assert list(tmp_path.iterdir()) == []


_EXPORT = """
import sys
from versions.bulk_import_export import bulk_export
bulk_export("v", sys.argv[1], url=sys.argv[2])
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="no files without a name on this system")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_export_leaves_nothing_behind(
    processes: Processes, empty_url: str, tmp_path: Path, how: signal.Signals
) -> None:
    _slow(empty_url)
    command = [sys.executable, "-c", _EXPORT, str(tmp_path / "t.csv"), empty_url]
    process = processes.start(*command)
    at_work = "SELECT 1 FROM pg_stat_progress_copy WHERE datname = current_database()"
    until(lambda: rows(empty_url, at_work) != [])
    process.send_signal(how)
    assert process.wait(timeout=30) == -how
    assert list(tmp_path.iterdir()) == []


def test_where_files_need_a_name_they_get_one(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "_unnamed", lambda _: None)
    _execute(empty_url, "CREATE TABLE t (a integer)")
    bulk_export("t", tmp_path / "t.csv", url=empty_url)
    assert list(tmp_path.iterdir()) == [tmp_path / "t.csv"]
    with pytest.raises(TableError):
        bulk_export("none", tmp_path / "t.csv", url=empty_url)
    assert list(tmp_path.iterdir()) == [tmp_path / "t.csv"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_is_replaced_keeps_its_owner(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    path = tmp_path / "t.csv"
    path.write_text("before")
    os.chown(path, 1234, 5678)
    bulk_export("t", path, url=empty_url)
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 5678, 0o600)


def test_a_path_that_leads_nowhere_is_refused_with_the_reason(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(FileError) as loop:
        bulk_export("t", tmp_path / "loop", url=empty_url)
    assert loop.value.problem == f'"{tmp_path / "loop"}" cannot be written: too many levels of symbolic links'
    with pytest.raises(FileError) as nul:
        bulk_export("t", "a\0b", url=empty_url)
    assert nul.value.problem == '"a\\x00b" cannot be written: its name holds a NUL byte'
    with pytest.raises(FileError) as read:
        bulk_import("t", "a\0b", url=empty_url)
    assert read.value.problem == '"a\\x00b" cannot be read: its name holds a NUL byte'


def test_an_export_outlasts_the_statement_timeout_and_names_who_locks(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "resolve_settings", lambda url: resolve_settings(url, statement_timeout_ms=200))
    _execute(empty_url, "CREATE TABLE t (a integer); CREATE VIEW v AS SELECT pg_sleep(0.5)::text AS a")
    assert bulk_export("v", tmp_path / "v.csv", url=empty_url).rows == 1
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE t")
        pid = connection.info.backend_pid
        with pytest.raises(LockError) as caught:
            bulk_export("t", tmp_path / "t.csv", url=empty_url)
    assert caught.value.problem.startswith(
        "exporting public.t: waited 2000 ms for a lock on public.t and gave up; nothing was changed; "
        f"in the way: pid {pid}, "
    )
    assert "pg_terminate_backend" in caught.value.hint


@pytest.mark.parametrize("more", [{}, {"compression": "gzip"}, {"split_rows": 15_000}])
def test_an_export_by_one_session_says_how_far_it_is(
    empty_url: str, tmp_path: Path, more: dict[str, Any]
) -> None:
    _execute(empty_url, "CREATE VIEW v AS SELECT repeat('x', 99) AS a FROM generate_series(1, 40000)")
    seen: list[Progress] = []
    bulk_export("v", tmp_path / "v.csv", url=empty_url, progress=seen.append, **more)
    *before, last = [(one.rows, one.bytes) for one in seen]
    assert last == (40_000, 4_000_000 + 2 * (3 if "split_rows" in more else 1))
    assert len(before) > 2
    assert {rows for rows, _ in before} == {None}
    assert [size for _, size in before] == sorted({size for _, size in before})
