"""What is wrong with a server, its settings, its files and its replication is found, and its own fix clears it."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from support import connected, rows, until

ALONE = pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="others use this server")
ANY = (0.0, None)


def _found(url: str, check: str, *limits: float | None) -> tuple[Finding, ...]:
    given = {check: (limits[0], limits[1])} if limits else {}
    (ran,) = check_health(url=url, only=[check], limits=given).checks
    assert ran.state is not State.UNKNOWN, ran.reason
    return ran.findings


def _of(found: tuple[Finding, ...], name: str) -> Finding | None:
    return next((one for one in found if one.subject.name == name), None)


def _eventually(asked: Callable[[], Finding | None], *, there: bool = True) -> Finding | None:
    for _ in range(500):
        if ((seen := asked()) is not None) is there:
            return seen
        time.sleep(0.01)
    raise AssertionError("it is as it was")


def _mended(url: str, finding: Finding) -> None:
    assert finding.fixes
    for fix in finding.fixes:
        rows(url, fix.sql)


def _database(url: str) -> str:
    ((name,),) = rows(url, "SELECT current_database()")
    return str(name)


def _file(url: str, name: str) -> Path:
    """A file of the server; the test skips where it is on another machine."""
    ((folder,),) = rows(url, "SHOW data_directory")
    path = Path(str(folder)) / name
    if not path.exists():
        pytest.skip("the server's files are elsewhere")
    return path


@pytest.mark.parametrize(
    ("check", "setting", "state", "summary"),
    [
        ("avail.read_only", "default_transaction_read_only = on", State.CRITICAL,
         "transactions are read-only by default for {name}"),
        ("set.durability", "synchronous_commit = off", State.WARNING, "synchronous_commit of {name} is off"),
        ("set.corruption_masking", "zero_damaged_pages = on", State.CRITICAL, "zero_damaged_pages is on for {name}"),
    ],
)  # fmt: skip
def test_a_setting_of_a_database_alone_is_found(
    empty_url: str, check: str, setting: str, state: State, summary: str
) -> None:
    name = _database(empty_url)
    said = summary.format(name=name)
    assert said not in {one.summary for one in _found(empty_url, check)}
    rows(empty_url, f"ALTER DATABASE {name} SET {setting}")
    (seen,) = [one for one in _found(empty_url, check) if one.summary == said]
    assert seen.state is state
    _mended(empty_url, seen)
    assert said not in {one.summary for one in _found(empty_url, check)}


def test_a_role_that_is_given_a_millisecond_is_found(empty_url: str, login: Callable[..., str]) -> None:
    ((role,),) = rows(login(), "SELECT current_user")
    rows(empty_url, f"ALTER ROLE {role} SET statement_timeout = '1ms'")
    seen = _of(_found(empty_url, "set.timeouts"), str(role))
    assert seen is not None
    assert (seen.state, seen.summary) == (
        State.CRITICAL, f"statement_timeout is 1ms for {role} in every database",
    )  # fmt: skip
    rows(empty_url, f"ALTER ROLE {role} SET statement_timeout = '5min'")
    assert _of(_found(empty_url, "set.timeouts"), str(role)) is None
    rows(empty_url, f"ALTER ROLE {role} SET statement_timeout = '20'")
    _mended(empty_url, seen)
    assert _of(_found(empty_url, "set.timeouts"), str(role)) is None


def test_a_role_that_only_reads_may_be_told_so(empty_url: str, login: Callable[..., str]) -> None:
    ((role,),) = rows(login(), "SELECT current_user")
    rows(empty_url, f"ALTER ROLE {role} SET default_transaction_read_only = on")
    seen = _of(_found(empty_url, "avail.read_only"), str(role))
    assert seen is not None
    assert seen.state is State.INFO
    _mended(empty_url, seen)
    assert _of(_found(empty_url, "avail.read_only"), str(role)) is None


@contextmanager
def _line(path: Path, line: str) -> Iterator[int]:
    """A line more in a file of the server; its number."""
    before = path.read_text()
    path.write_text(f"{before.rstrip()}\n{line}\n")
    try:
        yield len(before.rstrip().splitlines()) + 1
    finally:
        path.write_text(before)


def test_a_line_of_pg_hba_that_is_not_taken_is_named(empty_url: str) -> None:
    assert _found(empty_url, "set.hba_errors") == ()
    with _line(_file(empty_url, "pg_hba.conf"), "local nonsense") as number:
        (seen,) = _found(empty_url, "set.hba_errors")
        assert (seen.state, seen.values["line"]) == (State.WARNING, number)
    assert _found(empty_url, "set.hba_errors") == ()


def test_a_line_of_the_configuration_that_is_not_taken_is_named(empty_url: str) -> None:
    assert _found(empty_url, "set.conf_errors") == ()
    with _line(_file(empty_url, "postgresql.conf"), "work_mem = nonsense") as number:
        (seen,) = _found(empty_url, "set.conf_errors")
        assert (seen.subject.name, seen.values["line"]) == ("work_mem", number)
    assert _found(empty_url, "set.conf_errors") == ()


def test_what_waits_for_a_restart_is_said_once_and_is_no_error(empty_url: str) -> None:
    ((before,),) = rows(empty_url, "SHOW max_worker_processes")
    rows(empty_url, "ALTER SYSTEM SET max_worker_processes = 17")
    rows(empty_url, "SELECT pg_reload_conf()")
    try:
        seen = _eventually(lambda: _of(_found(empty_url, "set.pending_restart"), "max_worker_processes"))
        assert seen is not None
        assert seen.summary == "max_worker_processes waits for a restart"
        assert _found(empty_url, "set.conf_errors") == ()
    finally:
        # The server takes it back where it is told the value it has, and not where the line is gone.
        rows(empty_url, "ALTER SYSTEM SET max_worker_processes = %s", (int(str(before)),))
        rows(empty_url, "SELECT pg_reload_conf()")
    _eventually(lambda: _of(_found(empty_url, "set.pending_restart"), "max_worker_processes"), there=False)
    rows(empty_url, "ALTER SYSTEM RESET max_worker_processes")


@ALONE
def test_a_standby_that_every_commit_waits_for_and_that_is_not_there_is_found(empty_url: str) -> None:
    assert _found(empty_url, "repl.sync_missing") == ()
    rows(empty_url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    rows(empty_url, "SELECT pg_reload_conf()")
    seen = _eventually(lambda: next(iter(_found(empty_url, "repl.sync_missing")), None))
    assert seen is not None
    assert seen.summary == "every commit waits for 1 standbys, and 0 are there; 0 wait now"
    _mended(empty_url, seen)
    _eventually(lambda: next(iter(_found(empty_url, "repl.sync_missing")), None), there=False)
    rows(empty_url, "ALTER SYSTEM RESET synchronous_standby_names")


def test_a_file_that_is_not_there_is_found(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t AS SELECT 1 AS a")
    ((path,),) = rows(empty_url, "SELECT pg_relation_filepath('t')")
    file = _file(empty_url, str(path))
    assert _found(empty_url, "chk.missing_files") == ()
    rows(empty_url, "CHECKPOINT")
    file.unlink()
    (seen,) = _found(empty_url, "chk.missing_files")
    assert (seen.state, seen.summary) == (State.CRITICAL, "the file of t is not there")
    rows(empty_url, "DROP TABLE t")
    assert _found(empty_url, "chk.missing_files") == ()


def test_a_page_with_a_wrong_checksum_is_found(empty_url: str) -> None:
    if rows(empty_url, "SHOW data_checksums") == [("off",)]:
        assert [one.summary for one in _found(empty_url, "chk.disabled")] == ["pages have no checksums"]
        pytest.skip("the pages of this server have no checksums")
    assert _found(empty_url, "chk.disabled") == ()
    rows(empty_url, "CREATE TABLE t AS SELECT 1 AS a")
    ((path,),) = rows(empty_url, "SELECT pg_relation_filepath('t')")
    file = _file(empty_url, str(path))
    rows(empty_url, "CHECKPOINT")
    page = bytearray(file.read_bytes())
    page[-1] ^= 1
    # Behind what the server has in memory: it is read from the disk when somebody looks for it.
    with file.open("ab") as opened:
        opened.write(page)
    name = _database(empty_url)
    try:
        with pytest.raises(psycopg2.errors.DataCorrupted):
            rows(empty_url, "SELECT a FROM t")
        seen = _eventually(lambda: _of(_found(empty_url, "chk.failures"), name))
        assert seen is not None
        assert (seen.state, seen.summary) == (State.CRITICAL, f"1 pages of {name} had a wrong checksum")
    finally:
        rows(empty_url, "DROP TABLE t; SELECT pg_stat_reset()")


def test_a_database_sorted_by_another_version_is_found(empty_url: str) -> None:
    name = _database(empty_url)
    asked = "SELECT pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = %s"
    if rows(empty_url, asked, (name,)) == [(None,)]:
        pytest.skip("the collation of this server has no version")
    assert _found(empty_url, "coll.database") == ()
    rows(empty_url, "UPDATE pg_database SET datcollversion = '0' WHERE datname = %s", (name,))
    (seen,) = _found(empty_url, "coll.database")
    assert (seen.state, str(seen.subject)) == (State.CRITICAL, f"database {name}")
    _mended(empty_url, seen)
    assert _found(empty_url, "coll.database") == ()


def test_a_collation_of_another_version_is_found_with_every_index_that_it_sorts(empty_url: str) -> None:
    with connected(empty_url) as connection:
        newer = connection.server_version >= 170_000
    made = "(provider = builtin, locale = 'C.UTF-8')" if newer else "(provider = icu, locale = 'en')"
    rows(empty_url, f"CREATE COLLATION c {made}")
    rows(empty_url, "CREATE TABLE t (a text COLLATE c PRIMARY KEY, b text COLLATE c UNIQUE)")
    assert _found(empty_url, "coll.objects") == ()
    rows(empty_url, "UPDATE pg_collation SET collversion = '0' WHERE collname = 'c'")
    (seen,) = _found(empty_url, "coll.objects")
    assert (seen.state, seen.values["indexes"], len(seen.fixes)) == (State.WARNING, 2, 3)
    assert seen.fixes[-1].sql == "ALTER COLLATION public.c REFRESH VERSION"
    _mended(empty_url, seen)
    assert _found(empty_url, "coll.objects") == ()


def test_a_slot_that_nobody_reads_is_found(empty_url: str) -> None:
    slot = f"s{uuid.uuid4().hex[:8]}"
    rows(empty_url, "SELECT pg_create_physical_replication_slot(%s, true)", (slot,))
    assert _of(_found(empty_url, "slot.retained"), slot) is None
    kept = _of(_found(empty_url, "slot.retained", *ANY), slot)
    seen = _of(_found(empty_url, "slot.inactive", *ANY), slot)
    assert kept is not None
    assert seen is not None
    assert seen.state is State.WARNING
    _mended(empty_url, seen)
    assert _of(_found(empty_url, "slot.inactive", *ANY), slot) is None


@ALONE
def test_a_slot_of_which_the_wal_is_gone_is_found_and_not_said_to_keep_nothing(empty_url: str) -> None:
    slot = f"s{uuid.uuid4().hex[:8]}"
    rows(empty_url, "SELECT pg_create_physical_replication_slot(%s, true)", (slot,))
    rows(empty_url, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    rows(empty_url, "SELECT pg_reload_conf()")
    try:
        for _ in range(3):
            rows(empty_url, "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000)), pg_switch_wal()")
        rows(empty_url, "CHECKPOINT")
        seen = _eventually(lambda: _of(_found(empty_url, "slot.lost"), slot))
        assert seen is not None
        assert seen.state is State.CRITICAL
        _mended(empty_url, seen)
        assert _of(_found(empty_url, "slot.lost"), slot) is None
    finally:
        rows(empty_url, "ALTER SYSTEM RESET max_slot_wal_keep_size")
        rows(empty_url, "SELECT pg_reload_conf()")


def test_a_subscription_that_is_disabled_and_then_one_that_has_no_worker_are_found(empty_url: str) -> None:
    rows(
        empty_url,
        "CREATE SUBSCRIPTION sub CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = 'x')",
    )
    try:
        (seen,) = _found(empty_url, "sub.disabled")
        assert (seen.state, seen.summary) == (State.CRITICAL, "subscription sub is disabled")
        assert _found(empty_url, "sub.errors") == ()
        _mended(empty_url, seen)
        assert _found(empty_url, "sub.disabled") == ()
        _eventually(lambda: _of(_found(empty_url, "sub.errors"), "sub"))
    finally:
        rows(empty_url, "ALTER SUBSCRIPTION sub DISABLE")
        rows(empty_url, "ALTER SUBSCRIPTION sub SET (slot_name = NONE)")
        rows(empty_url, "DROP SUBSCRIPTION sub")


def test_a_published_table_without_a_key_is_found(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer); CREATE TABLE u (a integer PRIMARY KEY)")
    rows(empty_url, "CREATE PUBLICATION pub FOR TABLE t, u")
    try:
        (seen,) = _found(empty_url, "pub.no_replica_identity")
        assert (seen.state, seen.summary) == (
            State.CRITICAL, "table t is published by pub, and nothing says which row was changed",
        )  # fmt: skip
        _mended(empty_url, seen)
        assert _found(empty_url, "pub.no_replica_identity") == ()
    finally:
        rows(empty_url, "DROP PUBLICATION pub")


def test_a_checkpoint_is_due_where_wal_was_written_since(empty_url: str) -> None:
    def due() -> tuple[Finding, ...]:
        return _found(empty_url, "wal.checkpoint_age", 0.01, None)

    def nothing_is_due() -> bool:
        # Others may write meanwhile.
        rows(empty_url, "CHECKPOINT")
        return due() == ()

    until(nothing_is_due)
    rows(empty_url, "SELECT pg_logical_emit_message(false, 'x', repeat('x', 17000000))")
    (seen,) = due()
    assert seen.values["bytes"] > 17_000_000
    assert [fix.sql for fix in seen.fixes] == ["CHECKPOINT"]
    until(nothing_is_due)


def test_checkpoints_before_their_time_are_counted(empty_url: str) -> None:
    for _ in range(10):
        rows(empty_url, "CHECKPOINT")
    asked = _eventually(lambda: next(iter(_found(empty_url, "wal.checkpoints_requested", *ANY)), None))
    assert asked is not None
    assert asked.values["requested"] <= asked.values["every"]


def test_what_is_rolled_back_and_what_goes_to_files_are_counted(empty_url: str) -> None:
    name = _database(empty_url)
    with connected(empty_url) as connection, connection.cursor() as cursor:
        for _ in range(101):
            cursor.execute("BEGIN; SELECT 1; ROLLBACK")
        cursor.execute("SET work_mem = '64kB'; SELECT FROM generate_series(1, 50000) AS a ORDER BY a")
    back = _eventually(lambda: _of(_found(empty_url, "rollback.ratio", 0.0001, None), name))
    files = _eventually(lambda: _of(_found(empty_url, "temp.bytes", 1.0, None), name))
    assert back is not None
    assert files is not None
    assert (back.state, files.state) == (State.WARNING, State.INFO)


def test_what_is_not_archived_is_said(empty_url: str) -> None:
    (seen,) = _found(empty_url, "wal.archive_off")
    assert (seen.state, seen.summary) == (State.INFO, "no WAL is archived")


def test_what_no_record_of_statements_is_kept_of_is_said(empty_url: str) -> None:
    (seen,) = _found(empty_url, "set.preload")
    assert (seen.state, seen.summary) == (State.INFO, "pg_stat_statements is not loaded")


def test_reads_that_were_answered_from_memory_are_counted(empty_url: str) -> None:
    name = _database(empty_url)
    rows(
        empty_url,
        "SELECT sum((SELECT count(*) FROM pg_class WHERE oid = g::oid)) FROM generate_series(1, 10000) AS g",
    )
    seen = _eventually(lambda: _of(_found(empty_url, "cache.hit", 1.1, None), name))
    assert seen is not None
    assert seen.state is State.INFO
    assert _of(_found(empty_url, "cache.hit", 0.01, None), name) is None


def test_sessions_of_which_the_client_vanished_are_counted(empty_url: str) -> None:
    name = _database(empty_url)
    check = "conn.abandoned_fatal"

    def abandoned() -> int:
        seen = _of(_found(empty_url, check, *ANY), name)
        return 0 if seen is None else int(seen.values["abandoned"])

    before = abandoned()
    with connected(empty_url) as connection, socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
    _eventually(lambda: _of(_found(empty_url, check, *ANY), name) if abandoned() > before else None)
