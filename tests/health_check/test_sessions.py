"""What sessions do to each other is found, named by the session at fault, and its own fix ends it."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from support import connected, rows, until


@contextmanager
def busy(url: str, *statements: str) -> Iterator[int]:
    """A session that runs these statements beside the test, in one transaction; the last may never end."""
    with connected(url, autocommit=False) as connection:
        pid = connection.info.backend_pid
        thread = threading.Thread(target=_run, args=(connection, statements))
        thread.start()
        try:
            _until_it_waits(url, pid, statements[-1])
            yield pid
        finally:
            rows(url, "SELECT pg_terminate_backend(%s)", (pid,))
            thread.join()


def _run(connection: Connection, statements: tuple[str, ...]) -> None:
    with suppress(psycopg2.Error), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _until_it_waits(url: str, pid: int, statement: str) -> None:
    asked = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND query = %s AND wait_event_type IN ('Lock', 'Timeout')"
    until(lambda: rows(url, asked, (pid, statement)) != [])


def found(url: str, check: str, pid: int, *, least: float = 0.0) -> Finding | None:
    """What *check* says of session *pid*, where any time at all is too long."""
    report = check_health(url=url, only=[check], limits={check: (least, None)})
    return next((one for one in report.findings if one.subject.name == str(pid)), None)


def spoken(seen: Finding) -> str:
    """What is said, but for how many seconds it is: on a busy machine more than one thinks."""
    return re.sub(r"\b\d+ s\b", "… s", seen.summary)


def seen_and_mended(url: str, check: str, pid: int) -> Finding:
    """What is found of *pid*; its fixes are executed, and it is not found any more."""
    seen = found(url, check, pid)
    assert seen is not None
    assert seen.state is State.WARNING
    for fix in seen.fixes:
        rows(url, fix.sql)
    for _ in range(500):
        if found(url, check, pid) is None:
            return seen
        time.sleep(0.01)
    raise AssertionError("it is found for ever")


def test_a_session_that_is_idle_in_a_transaction_is_named(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        pid = connection.info.backend_pid
        assert found(empty_url, "conn.idle_in_tx", pid, least=60) is None
        assert found(empty_url, "conn.idle_in_tx_aborted", pid) is None
        seen = seen_and_mended(empty_url, "conn.idle_in_tx", pid)
        assert spoken(seen) == f"session {pid} has been idle in a transaction for … s"


def test_a_transaction_that_failed_and_was_left_is_told_from_one_that_did_not(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cursor.execute("SELECT 1 / 0")
        pid = connection.info.backend_pid
        assert found(empty_url, "conn.idle_in_tx", pid) is None
        seen = seen_and_mended(empty_url, "conn.idle_in_tx_aborted", pid)
        assert spoken(seen) == f"session {pid} has been in a failed transaction for … s"


def test_a_statement_that_takes_long_is_named(empty_url: str) -> None:
    with busy(empty_url, "SELECT pg_sleep(60)") as pid:
        assert found(empty_url, "conn.long_query", pid, least=300) is None
        seen = seen_and_mended(empty_url, "conn.long_query", pid)
        assert (spoken(seen), seen.values["waits_for"]) == (
            f"session {pid} has been running a statement for … s",
            "PgSleep",
        )


def test_a_dump_may_take_long(empty_url: str) -> None:
    with busy(empty_url, "SET application_name = 'pg_dump'", "SELECT 1", "SELECT pg_sleep(60)") as pid:
        assert found(empty_url, "conn.long_query", pid) is None
        assert found(empty_url, "conn.long_xact", pid) is None


def test_a_transaction_of_many_statements_that_takes_long_is_named(empty_url: str) -> None:
    with busy(empty_url, "SELECT 1", "SELECT pg_sleep(60)") as pid:
        seen = seen_and_mended(empty_url, "conn.long_xact", pid)
        assert spoken(seen) == f"session {pid} has had a transaction open for … s"


def test_who_stands_at_the_head_of_a_queue_is_named_and_not_who_stands_in_it(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer)")
    with connected(empty_url, autocommit=False) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE t IN ACCESS SHARE MODE")
        pid = holder.info.backend_pid
        with busy(empty_url, "LOCK TABLE t") as ddl, busy(empty_url, "SELECT FROM t") as reader:
            assert found(empty_url, "lock.blocked", ddl) is None
            assert found(empty_url, "lock.blocked", reader) is None
            seen = seen_and_mended(empty_url, "lock.blocked", pid)
            assert spoken(seen) == f"2 sessions wait behind {pid}, one of them for … s"
            assert [fix.sql for fix in seen.fixes] == [f"SELECT pg_terminate_backend({pid})"]


def test_no_check_waits_for_a_table_that_somebody_has_for_itself(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a bigint PRIMARY KEY, b text)")
    with connected(empty_url, autocommit=False) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE t")
        report = check_health(url=empty_url)
    assert {ran.check: ran.reason for ran in report.checks if ran.state is State.UNKNOWN} == {}
    assert report.seconds < 5


def test_who_waits_to_have_a_table_for_itself_is_named_with_the_table(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer)")
    with connected(empty_url, autocommit=False) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT FROM t")
        with busy(empty_url, "ALTER TABLE t ADD COLUMN b integer") as pid:
            seen = seen_and_mended(empty_url, "lock.ddl_queue", pid)
        assert spoken(seen) == (
            f"session {pid} has been waiting for public.t for … s, and who comes after waits behind it"
        )


LONG = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 't'::regclass AND waitstart < now() - interval '1 second'"


def test_sessions_that_wait_for_more_than_a_second_are_counted(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer)")
    limits = {"conn.waiting_sessions": (1.0, 100.0)}
    with connected(empty_url, autocommit=False) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE t")
        with busy(empty_url, "SELECT FROM t"):
            # The check counts those of the whole server, and only once they have waited for a second.
            until(lambda: rows(empty_url, LONG) != [])
            (seen,) = check_health(url=empty_url, only=list(limits), limits=limits).findings
            waiting = seen.values["waiting"]
            assert waiting >= 1
            assert (seen.state, seen.summary) == (State.WARNING, f"{waiting} sessions wait for a lock")


def test_who_holds_an_advisory_lock_and_does_nothing_is_named(empty_url: str) -> None:
    with connected(empty_url) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(4711)")
        pid = holder.info.backend_pid
        assert found(empty_url, "lock.advisory_idle_holder", pid, least=600) is None
        with busy(empty_url, "SELECT pg_advisory_lock(4711)"):
            seen = seen_and_mended(empty_url, "lock.advisory_idle_holder", pid)
        assert seen.values["waiting"] == 1


def test_who_keeps_what_is_dead_is_named(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as holder, holder.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        pid = holder.info.backend_pid
        for _ in range(5):
            rows(empty_url, "SELECT pg_current_xact_id()")
        seen = seen_and_mended(empty_url, "xid.horizon_holder", pid)
        assert seen.values["age"] >= 5
        assert seen.values["holder"] == f"session {pid}"


def test_a_transaction_that_was_prepared_and_left_is_named(empty_url: str) -> None:
    if rows(empty_url, "SHOW max_prepared_transactions") == [("0",)]:
        pytest.skip("this server prepares none")
    limits = {"lock.prepared_xacts": (0.0, None)}
    name = f"left_{uuid.uuid4().hex[:8]}"

    def left() -> list[Finding]:
        every = check_health(url=empty_url, only=["lock.prepared_xacts"], limits=limits).findings
        return [one for one in every if one.subject.name == name]

    rows(empty_url, f"BEGIN; CREATE TABLE t (a integer); PREPARE TRANSACTION '{name}'")
    try:
        (seen,) = left()
        assert spoken(seen) == f"transaction {name} was prepared … s ago"
        assert seen.fixes[0].sql == f"ROLLBACK PREPARED '{name}'"
    finally:
        rows(empty_url, f"ROLLBACK PREPARED '{name}'")
    assert left() == []


def test_a_database_at_its_limit_is_named_and_more_is_given(empty_url: str) -> None:
    ((name,),) = rows(empty_url, "SELECT quote_ident(current_database())")
    only = ["conn.db_or_role_limit"]
    with connected(empty_url):
        rows(empty_url, f"ALTER DATABASE {name} CONNECTION LIMIT 1")
        (seen,) = check_health(url=empty_url, only=only).findings
        assert (seen.state, str(seen.subject)) == (State.CRITICAL, f"database {name}")
        assert seen.values["limit"] == 1
        rows(empty_url, f"ALTER DATABASE {name} CONNECTION LIMIT 100")
        assert check_health(url=empty_url, only=only).findings == ()
    rows(empty_url, f"ALTER DATABASE {name} CONNECTION LIMIT -1")


def test_a_login_that_sees_its_own_sessions_only_says_which_grant_shows_the_others(
    empty_url: str, login: Callable[..., str]
) -> None:
    url = login()
    ((role,),) = rows(url, "SELECT current_user")
    watching = [check.id for check in CHECKS if check.watching and not check.told and not check.wants]
    assert len(watching) > 5
    blind = check_health(url=url, only=watching)
    assert {ran.state for ran in blind.checks} == {State.UNKNOWN}
    assert {one.cure for one in blind.findings} == {f"GRANT pg_monitor TO {role}"}
    rows(empty_url, f"GRANT pg_monitor TO {role}")
    seeing = check_health(url=url, only=watching)
    assert State.UNKNOWN not in {ran.state for ran in seeing.checks}


def test_two_transactions_that_wait_for_each_other_are_counted(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer); CREATE TABLE u (a integer)")
    with connected(empty_url, autocommit=False) as one, one.cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '50ms'; LOCK TABLE t")
        with busy(empty_url, "LOCK TABLE u", "LOCK TABLE t"):
            with pytest.raises(psycopg2.errors.DeadlockDetected):
                cursor.execute("LOCK TABLE u")
            one.rollback()
    ((name,),) = rows(empty_url, "SELECT current_database()")
    limits = {"lock.deadlocks": (0.01, None)}
    for _ in range(200):
        every = check_health(url=empty_url, only=["lock.deadlocks"], limits=limits).findings
        if seen := [finding for finding in every if finding.subject.name == name]:
            assert (seen[0].state, seen[0].values["deadlocks"]) == (State.WARNING, 1)
            return
        time.sleep(0.02)
    raise AssertionError("it is not counted")
