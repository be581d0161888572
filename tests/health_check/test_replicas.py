"""Faults that need a server of their own: an archive that fails, a standby that is cut off, a crash."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psycopg2
import pytest
from partitioning.test_replicas import as_owner, folder_of, own_server, started

from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from support import beside, client, connected, rows, run_alembic

ANY = 0.0
T = TypeVar("T")


@pytest.fixture(scope="module")
def other(server: dict[str, str]) -> Iterator[str]:
    """The URL of a server of its own, that archives and decodes; the last test here breaks it."""
    options = ("wal_level=logical", "archive_mode=on", "max_prepared_transactions=5", "logging_collector=on")
    with own_server(server, *options) as (url, _):
        yield url


@pytest.fixture
def standby(other: str) -> Iterator[str]:
    """The URL of a standby of that server, which receives."""
    with folder_of(other) as folder:
        as_owner(other, "pg_basebackup", "-d", other, "-D", folder / "data", "-R", "-c", "fast", "--no-sync")
        options = (
            "fsync=off",
            "max_prepared_transactions=5",
            "wal_retrieve_retry_interval=100ms",
            "max_standby_streaming_delay=50ms",
        )
        with started(other, folder, *options) as place:
            url = f"postgresql://postgres@/postgres?{place}"
            _eventually(lambda: _found(url, "repl.receiver_down"), there=False)
            yield url


def _found(url: str, check: str, *, least: float | None = None) -> tuple[Finding, ...]:
    limits = {} if least is None else {check: (least, None)}
    (ran,) = check_health(url=url, only=[check], limits=limits).checks
    assert ran.state not in {State.UNKNOWN, State.SKIPPED}, ran.reason
    return ran.findings


def _eventually(asked: Callable[[], tuple[T, ...]], *, there: bool = True) -> tuple[T, ...]:
    for _ in range(1000):
        if bool(seen := asked()) is there:
            return seen
        time.sleep(0.01)
    raise AssertionError("it is as it was")


def _set(url: str, setting: str) -> None:
    rows(url, f"ALTER SYSTEM SET {setting}")
    rows(url, "SELECT pg_reload_conf()")


def test_a_log_that_somebody_removed_is_found_and_begun_anew(other: str) -> None:
    assert _found(other, "avail.log_writable") == ()
    asked = "SELECT current_setting('data_directory'), pg_current_logfile()"
    ((folder, file),) = rows(other, asked)
    (Path(str(folder)) / str(file)).unlink()
    (seen,) = _found(other, "avail.log_writable")
    assert (seen.state, seen.summary) == (
        State.WARNING, f"the server writes its log to {file}, which is not there",
    )  # fmt: skip
    for fix in seen.fixes:
        rows(other, fix.sql)
    _eventually(lambda: _found(other, "avail.log_writable"), there=False)


def test_a_log_that_a_login_may_not_look_for_is_unknown_until_it_is_granted_what_is_said(other: str) -> None:
    rows(other, "CREATE ROLE looks LOGIN")
    url = other.replace("//postgres@", "//looks@")
    (ran,) = check_health(url=url, only=["avail.log_writable"]).checks
    cure = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_current_logfile(), pg_catalog.pg_stat_file(text, boolean) TO looks"
    assert [(one.state, one.cure) for one in ran.findings] == [(State.UNKNOWN, cure)]
    rows(other, cure)
    assert _found(url, "avail.log_writable") == ()


def test_an_archive_that_is_on_and_goes_nowhere_fails_or_is_behind_is_found(other: str) -> None:
    (seen,) = _found(other, "wal.archive_off")
    assert (seen.state, seen.summary) == (
        State.CRITICAL, "archive_mode is on, and nothing says how to archive: WAL piles up",
    )  # fmt: skip
    assert _found(other, "wal.archive_failing") == ()
    _set(other, "archive_command = 'false'")
    rows(other, "SELECT pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()")
    (failing,) = _eventually(lambda: _found(other, "wal.archive_failing"))
    assert failing.state in {State.WARNING, State.CRITICAL}
    (behind,) = _found(other, "wal.archive_stalled", least=ANY)
    assert behind.values["files"] >= 1
    _set(other, "archive_command = 'true'")
    rows(other, "SELECT pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()")
    _eventually(lambda: _found(other, "wal.archive_failing"), there=False)
    _eventually(lambda: _found(other, "wal.archive_stalled", least=ANY), there=False)
    assert _found(other, "wal.archive_off") == ()


def test_a_slot_that_holds_what_is_dead_is_found(other: str) -> None:
    rows(other, "SELECT pg_create_logical_replication_slot('held', 'pgoutput')")
    for _ in range(5):
        rows(other, "SELECT pg_current_xact_id()")
    (seen,) = _found(other, "slot.xmin_horizon", least=5)
    assert str(seen.subject) == "slot held"
    rows(other, seen.fixes[0].sql)
    assert _found(other, "slot.xmin_horizon", least=5) == ()


def test_a_transaction_that_was_prepared_and_left_is_found(other: str) -> None:
    rows(other, "BEGIN; CREATE TABLE prepared (a integer); PREPARE TRANSACTION 'left'")
    (seen,) = _found(other, "lock.prepared_xacts", least=ANY)
    assert seen.summary.startswith("transaction left was prepared ")
    rows(other, seen.fixes[0].sql)
    assert _found(other, "lock.prepared_xacts", least=ANY) == ()


def test_a_slot_that_writes_what_it_reads_to_files_is_found(other: str) -> None:
    rows(other, "CREATE TABLE spilled (a integer)")
    rows(other, "CREATE PUBLICATION spills FOR TABLE spilled")
    rows(other, "SELECT pg_create_logical_replication_slot('spills', 'pgoutput')")
    assert _found(other, "slot.spill", least=1) == ()
    rows(other, "INSERT INTO spilled SELECT generate_series(1, 5000)")
    rows(
        other,
        "SET logical_decoding_work_mem = '64kB'; SELECT count(*) FROM pg_logical_slot_get_binary_changes("
        "'spills', NULL, NULL, 'proto_version', '1', 'publication_names', 'spills')",
    )
    (seen,) = _eventually(lambda: _found(other, "slot.spill", least=1))
    assert (seen.state, str(seen.subject)) == (State.INFO, "slot spills")
    rows(other, "SELECT pg_drop_replication_slot('spills'); DROP TABLE spilled; DROP PUBLICATION spills")


def test_a_copy_of_the_server_that_does_not_end_is_found_and_ended(other: str, tmp_path: Path) -> None:
    command = [
        str(client("pg_basebackup", other)),
        "-d",
        other,
        "-D",
        str(tmp_path / "copy"),
        "-X",
        "none",
        "--max-rate=32",
    ]
    with beside(*command, "-c", "fast", stderr=subprocess.DEVNULL) as copying:
        (seen,) = _eventually(lambda: _found(other, "backup.in_progress_stuck", least=ANY))
        assert seen.state is State.WARNING
        for fix in seen.fixes:
            rows(other, fix.sql)
        assert copying.wait(20) != 0
    _eventually(lambda: _found(other, "backup.in_progress_stuck", least=ANY), there=False)


def test_who_comes_from_elsewhere_in_clear_is_found(other: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        # Nothing is sent; which of its addresses the machine would send from is what is asked.
        try:
            line.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its own")
        address = line.getsockname()[0]
    with socket.create_server((address, 0)) as line:
        port = line.getsockname()[1]
    with folder_of(other) as folder:
        as_owner(
            other, "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C"
        )
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {address}/32 trust\nhost all all 127.0.0.1/0 trust\n")
        with started(other, folder, "fsync=off", f"listen_addresses={address}", f"port={port}") as place:
            url = f"postgresql://postgres@/postgres?{place}&port={port}"
            (off,) = _found(url, "sec.ssl_off")
            assert off.summary == f"the server listens at {address} without TLS"
            trusted = _found(url, "sec.hba_trust")
            # One is for everybody, whatever its address looks like.
            assert [one.values["method"] for one in trusted] == ["trust", "trust"]
            assert _found(url, "conn.unencrypted") == ()
            with connected(f"postgresql://postgres@{address}:{port}/postgres?sslmode=disable") as connection:
                (seen,) = _found(url, "conn.unencrypted")
                assert seen.values["pid"] == connection.info.backend_pid


def test_a_database_that_was_dropped_in_part_is_found(other: str) -> None:
    rows(other, "CREATE DATABASE half")
    assert _found(other, "avail.invalid_database") == ()
    rows(other, "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'")
    (seen,) = _found(other, "avail.invalid_database")
    assert (seen.state, seen.summary) == (State.WARNING, "database half was dropped in part")
    rows(other, seen.fixes[0].sql)
    assert _found(other, "avail.invalid_database") == ()


def test_every_check_can_be_asked_of_a_standby(other: str, standby: str) -> None:
    report = check_health(url=standby)
    assert report.role == "standby"
    assert {ran.check: ran.reason for ran in report.checks if ran.state is State.UNKNOWN} == {}
    rows(other, "CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher")
    _eventually(lambda: tuple(rows(standby, "SELECT 1 FROM pg_roles WHERE rolname = 'watcher'")))
    watched = check_health(url=standby.replace("postgres@", "watcher@"))
    assert {ran.check for ran in watched.checks if ran.state is State.UNKNOWN} == {
        "set.conf_errors", "set.hba_errors", "sec.hba_trust", "chk.missing_files",
        "set.no_timeouts", "mxid.members", "sec.password_md5",
    }  # fmt: skip
    # What nobody has written since makes nobody late.
    assert _found(standby, "repl.lag_seconds", least=ANY) == ()


def test_the_checks_in_sql_answer_on_a_standby(other: str, standby: str) -> None:
    rows(other, "CREATE DATABASE migrated")
    primary, replica = (url.replace("/postgres?", "/migrated?") for url in (other, standby))
    done = run_alembic("upgrade", "head", url=primary)
    assert done.returncode == 0, done.stderr
    there = "SELECT 1 FROM pg_database WHERE datname = 'migrated'"
    _eventually(lambda: tuple(rows(standby, there)))
    _eventually(
        lambda: tuple(
            rows(
                replica,
                "SELECT to_regclass('ops.health_status') WHERE to_regclass('ops.health_status') IS NOT NULL",
            )
        )
    )
    asked = "SELECT check_id, state, summary FROM ops.health_v1(ARRAY['seq.exhaustion', 'seq.behind_max'])"
    assert rows(replica, asked) == [
        ("seq.behind_max", "skipped", "not on a standby of this version"), ("seq.exhaustion", "ok", None),
    ]  # fmt: skip
    assert rows(primary, asked) == [("seq.behind_max", "ok", None), ("seq.exhaustion", "ok", None)]
    assert rows(replica, "SELECT check_id FROM ops.health_status WHERE state = 'unknown'") == []
    rows(other, "DROP DATABASE migrated")


def test_a_standby_that_was_told_to_stop_is_found_on_both_sides(other: str, standby: str) -> None:
    assert _found(standby, "repl.replay_paused") == ()
    rows(other, "SELECT pg_current_xact_id()")
    rows(standby, "SELECT pg_wal_replay_pause()")
    (seen,) = _found(standby, "repl.replay_paused")
    assert seen.state is State.WARNING
    assert seen.values["doing"] in {"pause requested", "paused"}
    rows(other, "CREATE TABLE late AS SELECT 1 AS a; DROP TABLE late")
    (behind,) = _eventually(lambda: _found(other, "repl.lag_bytes", least=1))
    assert behind.values["bytes"] > 0
    _eventually(lambda: _found(standby, "repl.lag_seconds", least=ANY))
    rows(standby, seen.fixes[0].sql)
    assert _found(standby, "repl.replay_paused") == ()
    _eventually(lambda: _found(other, "repl.lag_bytes", least=1), there=False)
    _eventually(lambda: _found(standby, "repl.lag_seconds", least=ANY), there=False)


def test_a_standby_that_is_cut_off_is_found_and_not_said_to_be_up_to_date(standby: str) -> None:
    ((before,),) = rows(standby, "SHOW primary_conninfo")
    _set(standby, "primary_conninfo = 'host=/nowhere'")
    (seen,) = _eventually(lambda: _found(standby, "repl.receiver_down"))
    assert seen.summary == "the standby receives nothing from its primary"
    with connected(standby) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET primary_conninfo = %s", (before,))
        cursor.execute("SELECT pg_reload_conf()")
    _eventually(lambda: _found(standby, "repl.receiver_down"), there=False)


def test_what_is_unlogged_is_missing_on_no_standby(other: str, standby: str) -> None:
    rows(other, "CREATE UNLOGGED TABLE fleeting (a serial PRIMARY KEY); INSERT INTO fleeting DEFAULT VALUES")
    _eventually(lambda: tuple(rows(standby, "SELECT 1 FROM pg_class WHERE relname = 'fleeting'")))
    report = check_health(url=standby, only=["chk", "seq", "tbl", "int", "stats"])
    assert {ran.check: ran.reason for ran in report.checks if ran.state is State.UNKNOWN} == {}
    assert _found(standby, "chk.missing_files") == ()
    rows(other, "DROP TABLE fleeting")


def test_how_far_a_standby_of_files_alone_is_behind_is_unknown(other: str) -> None:
    with folder_of(other) as folder:
        as_owner(other, "pg_basebackup", "-d", other, "-D", folder / "data", "-R", "-c", "fast", "--no-sync")
        options = ("fsync=off", "max_prepared_transactions=5", "primary_conninfo=")
        with started(other, folder, *options) as place:
            limits = {"repl.lag_seconds": (ANY, None)}
            url = f"postgresql://postgres@/postgres?{place}"
            (one,) = check_health(url=url, only=["repl.lag_seconds"], limits=limits).findings
    assert one.state is State.UNKNOWN
    assert one.summary.endswith("where its primary is nobody says")


def test_what_replay_cancels_on_a_standby_is_counted(other: str, standby: str) -> None:
    rows(other, "CREATE TABLE seen AS SELECT 1 AS a")
    _eventually(lambda: tuple(rows(standby, "SELECT 1 FROM pg_class WHERE relname = 'seen'")))
    with connected(standby, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT a FROM seen")
        rows(other, "DROP TABLE seen")
        _eventually(lambda: _found(standby, "repl.conflicts", least=0.1))
    (seen,) = [one for one in _found(standby, "repl.conflicts", least=0.1) if one.subject.name == "postgres"]
    assert (seen.state, seen.values["conflicts"]) == (State.INFO, 1)


def test_a_table_that_cannot_be_copied_is_found_and_its_errors_are_counted(other: str) -> None:
    rows(other, "CREATE TABLE n AS SELECT 1 AS a; ALTER TABLE n ADD PRIMARY KEY (a)")
    rows(other, "CREATE PUBLICATION pub FOR TABLE n")
    rows(other, "SELECT pg_create_logical_replication_slot('sub', 'pgoutput')")
    rows(other, "CREATE DATABASE receiver TEMPLATE template0")
    receiver = other.replace("/postgres?", "/receiver?")
    rows(receiver, "CREATE TABLE n (a integer PRIMARY KEY)")
    rows(receiver, "INSERT INTO n VALUES (1)")
    place = other.partition("?host=")[2]
    line = f"host={place} user=postgres dbname=postgres"
    rows(receiver, f"CREATE SUBSCRIPTION sub CONNECTION '{line}' PUBLICATION pub WITH (create_slot = false)")
    assert _found(other, "sub.table_not_ready") == ()
    (waiting,) = _found(receiver, "sub.table_not_ready")
    assert (waiting.state, waiting.subject.name, waiting.values["subscription"]) == (State.INFO, "n", "sub")
    _eventually(lambda: tuple(one for one in _found(receiver, "sub.errors") if one.values["errors"]))
    rows(receiver, "DELETE FROM n")
    _eventually(lambda: _found(receiver, "sub.table_not_ready"), there=False)
    rows(receiver, "ALTER SUBSCRIPTION sub DISABLE")
    rows(receiver, "ALTER SUBSCRIPTION sub SET (slot_name = NONE)")
    rows(receiver, "DROP SUBSCRIPTION sub")


def test_a_crash_is_remembered(other: str) -> None:
    assert _found(other, "avail.crash_recovery") == ()
    while rows(other, "SELECT now() < pg_postmaster_start_time() + interval '6 seconds'") == [(True,)]:
        time.sleep(0.1)
    with connected(other) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)

    def crashed() -> tuple[Finding, ...]:
        # It lets nobody in for a moment.
        with suppress(AssertionError, psycopg2.OperationalError):
            return _found(other, "avail.crash_recovery")
        return ()

    (seen,) = _eventually(crashed)
    assert seen.state is State.CRITICAL
