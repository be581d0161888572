"""Sessions in the way of a strong lock: nobody queues behind them, they are named, and the change goes on after them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.sql import Composable
from zero_downtime_migration.walked import settings

from spotify_ai_agent_migrations import LockError
from spotify_ai_agent_migrations.versions.core.retry import Patience
from spotify_ai_agent_migrations.versions.core.session import opened
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    AddCheck,
    AddUnique,
    Manner,
    State,
    abort,
    change,
    start,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.locking import strongly
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from support import connected, rows, until

WISH = AddCheck("public.t", "a > 0")
KEY = AddUnique("public.t", ("a",))
CHECKS = "SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'"
TRIES = 4
# Whoever was there before is old.
AT_ONCE = Manner(
    patience=Patience(tries=TRIES, base_s=0.05, most_s=0.1), long_transaction_s=0, lock_timeout_ms=100
)
# Nobody is.
QUEUEING = Manner(
    patience=Patience(tries=TRIES, base_s=0.05, most_s=0.1), long_transaction_s=600, lock_timeout_ms=100
)


@pytest.fixture
def url(ledger_url: str) -> str:
    """The URL of a database with a table that is to be changed, and one beside it."""
    rows(ledger_url, "CREATE TABLE t (id integer PRIMARY KEY, a integer, b text)")
    rows(ledger_url, "CREATE TABLE u (id integer PRIMARY KEY)")
    rows(ledger_url, "INSERT INTO t SELECT i, i, 'x' FROM generate_series(1, 100) AS i")
    return ledger_url


@contextmanager
def holding(url: str, statement: str, application: str = "somebody") -> Iterator[Connection]:
    """Leave a transaction open that has done something."""
    with connected(url, autocommit=False) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_catalog.set_config('application_name', %s, false)", (application,))
        connection.commit()
        cursor.execute(statement)
        yield connection
        if not connection.closed:
            connection.rollback()


@contextmanager
def reading(url: str, at_most_ms: int) -> Iterator[list[bool]]:
    """Read the table all the while; say of each time whether it was read without waiting longer."""
    seen: list[bool] = []
    over = threading.Event()

    def read() -> None:
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", (f"{at_most_ms}ms",))
            while not over.is_set():
                try:
                    cursor.execute("SELECT a FROM t WHERE id = 1")
                    seen.append(True)
                except psycopg2.errors.LockNotAvailable:
                    seen.append(False)
                over.wait(0.001)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        until(lambda: bool(seen))
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every ALTER and DROP that is sent to what is not temporary, each with the lock time-out it is sent under."""
    found: list[tuple[str, str]] = []
    run = Session.run

    def noted(session: Session, statement: str | Composable) -> int:
        text = session.text(statement)
        if text.startswith(("ALTER TABLE", "DROP")) and "pg_temp" not in text:
            found.append((text, str(session.value("lock_timeout_now"))))
        return run(session, statement)

    monkeypatch.setattr(
        Session, "named", {**Session.named, "lock_timeout_now": "SELECT current_setting('lock_timeout')"}
    )
    monkeypatch.setattr(Session, "run", noted)
    return found


def pid(connection: Connection) -> int:
    return connection.info.backend_pid


@pytest.mark.parametrize(
    "statement",
    ["SELECT count(*) FROM t WHERE b <> 'secret'", "UPDATE t SET b = 'secret' WHERE id = 2"],
    ids=["reader", "writer"],
)
def test_behind_a_long_transaction_nobody_queues_and_it_is_named(
    url: str, sent: list[tuple[str, str]], statement: str
) -> None:
    started = start(KEY, settings=settings(url), manner=AT_ONCE)
    index = rows(url, "SELECT indexrelid FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1")
    sent.clear()
    with holding(url, statement) as somebody, reading(url, 1) as seen:
        for _ in range(2):
            with pytest.raises(LockError) as caught:
                change(KEY, settings=settings(url), manner=AT_ONCE)
        assert all(seen)
        assert sent == []
        named = f'pid {pid(somebody)}, user "postgres" (somebody), idle in transaction: '
        assert named in str(caught.value)
        assert "secret" not in str(caught.value)
        assert f"pg_terminate_backend({pid(somebody)})" in str(caught.value.hint)
    made = change(KEY, settings=settings(url), manner=AT_ONCE)
    assert (made.id, made.state) == (started.id, State.COMPLETED)
    assert rows(url, "SELECT indexrelid FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1") == index
    assert len(sent) == 1


def test_an_abort_waits_for_a_long_reader_and_goes_on_after_it(url: str) -> None:
    start(WISH, settings=settings(url), manner=AT_ONCE)
    assert rows(url, CHECKS) == [(1,)]
    with holding(url, "SELECT FROM t"), pytest.raises(LockError):
        abort(WISH, settings=settings(url), manner=AT_ONCE)
    assert rows(url, "SELECT state FROM ops.online_change") == [("aborting",)]
    assert abort(WISH, settings=settings(url), manner=AT_ONCE).state is State.ABORTED
    assert rows(url, CHECKS) == [(0,)]


def test_a_prepared_transaction_is_named_with_what_ends_it(url: str) -> None:
    if rows(url, "SHOW max_prepared_transactions") == [("0",)]:
        pytest.skip("this server prepares no transactions")
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE t SET a = a; PREPARE TRANSACTION 'left behind'")
    try:
        with pytest.raises(LockError) as caught:
            change(WISH, settings=settings(url), manner=QUEUEING)
        assert 'prepared transaction "left behind" of user "postgres"' in str(caught.value)
        assert "ROLLBACK PREPARED 'left behind'" in str(caught.value.hint)
    finally:
        rows(url, "ROLLBACK PREPARED 'left behind'")
    assert change(WISH, settings=settings(url), manner=QUEUEING).state is State.COMPLETED


def owned(url: str) -> str:
    """Give the table to a role that may not see what others do; return a URL by which it connects."""
    rows(url, "ALTER TABLE t OWNER TO agent_owner; GRANT CREATE ON SCHEMA public TO agent_owner")
    for kind in ("TABLES", "SEQUENCES"):
        rows(url, f"GRANT ALL ON ALL {kind} IN SCHEMA ops TO agent_owner")
    return f"{url}&options=-c%20role%3Dagent_owner"


def test_of_a_transaction_whose_age_is_hidden_one_short_request_finds_out(
    url: str, sent: list[tuple[str, str]]
) -> None:
    owner = owned(url)
    with holding(url, "SELECT FROM t") as somebody:
        with pytest.raises(LockError) as caught:
            change(WISH, settings=settings(owner), manner=AT_ONCE)
        assert [timeout for _, timeout in sent] == ["50ms"]
        assert f'pid {pid(somebody)}, user "postgres" (somebody), running: ' in str(caught.value)
        assert "its query is hidden from this role" in str(caught.value)
    assert change(WISH, settings=settings(owner), manner=AT_ONCE).state is State.COMPLETED


def test_an_owner_who_sees_no_ages_changes_a_table_that_is_busy(url: str) -> None:
    owner = owned(url)
    over = threading.Event()

    def write() -> None:
        with connected(url) as connection, connection.cursor() as cursor:
            while not over.is_set():
                cursor.execute("BEGIN; UPDATE t SET b = 'y' WHERE id = 3; SELECT pg_sleep(0.005); COMMIT")

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        until(lambda: rows(url, "SELECT b FROM t WHERE id = 3") == [("y",)])
        assert change(WISH, settings=settings(owner)).state is State.COMPLETED
    finally:
        over.set()
        for writer in writers:
            writer.join()


def test_only_who_may_be_cancelled_is_cancelled(url: str) -> None:
    allowed = Manner(
        patience=Patience(tries=20, base_s=0.05, most_s=0.1),
        long_transaction_s=0,
        cancel=frozenset({"application:reports", "application:nightly"}),
    )
    cancelled: list[object] = []

    def sleep(connection: Connection) -> None:
        try:
            connection.cursor().execute("SELECT pg_sleep(60)")
        except psycopg2.errors.QueryCanceled as error:
            cancelled.append(error)
            connection.rollback()

    with (
        holding(url, "SELECT FROM t", "reports") as reports,
        holding(url, "SELECT FROM t", "nightly") as nightly,
        holding(url, "SELECT FROM u", "reports") as bystander,
    ):
        active = threading.Thread(target=sleep, args=(nightly,))
        active.start()
        with holding(url, "SELECT FROM t", "shop") as shop:
            with pytest.raises(LockError, match="shop") as caught:
                change(WISH, settings=settings(url), manner=allowed)
            assert "nightly" not in str(caught.value)
            shop.cursor().execute("SELECT FROM t")
        active.join()
        assert change(WISH, settings=settings(url), manner=allowed).state is State.COMPLETED
        assert len(cancelled) == 1
        nightly.cursor().execute("SELECT FROM t")
        bystander.cursor().execute("SELECT FROM u")
        with pytest.raises(psycopg2.OperationalError):
            reports.cursor().execute("SELECT FROM t")


def test_readers_behind_a_request_wait_no_longer_than_it_may(url: str, sent: list[tuple[str, str]]) -> None:
    with holding(url, "SELECT FROM t") as somebody, reading(url, 2_000) as seen:
        with pytest.raises(LockError, match="due to lock timeout") as caught:
            change(WISH, settings=settings(url), manner=QUEUEING)
        assert f"pid {pid(somebody)}, " in str(caught.value)
        assert all(seen)
    assert [timeout for _, timeout in sent] == ["50ms", "75ms", "100ms", "100ms"]


def test_every_strong_statement_has_a_time_out_those_of_an_abort_too(
    url: str, sent: list[tuple[str, str]]
) -> None:
    for wish in (WISH, KEY):
        start(wish, settings=settings(url), manner=QUEUEING)
        abort(wish, settings=settings(url), manner=QUEUEING)
    assert {text.split()[0] for text, _ in sent} == {"ALTER", "DROP"}
    strong = [timeout for text, timeout in sent if "CONCURRENTLY" not in text]
    assert len(strong) > 1
    assert set(strong) == {"50ms"}


def test_a_deadlock_is_tried_again(url: str) -> None:
    tries: list[str] = []
    threads: list[threading.Thread] = []

    def crosswise(session: Session, other: Connection) -> Callable[[], None]:
        def work() -> None:
            tries.append("tried")
            session.run("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            if len(tries) == 1:
                threads.append(threading.Thread(target=take, args=(other,)))
                threads[0].start()
                waits = f"SELECT 1 FROM pg_locks WHERE pid = {pid(other)} AND NOT granted"
                until(lambda: len(rows(url, waits)) == 1)
            session.run("LOCK TABLE u IN ACCESS EXCLUSIVE MODE")

        return work

    def take(other: Connection) -> None:
        other.cursor().execute("SELECT FROM t")
        other.rollback()

    told: list[str] = []
    with opened(settings(url), "test") as connection, holding(url, "LOCK TABLE u") as other:
        session = Session(connection)
        # Whoever looks first is the one who is given up.
        session.run("SET deadlock_timeout = '5ms'")
        strongly(session, QUEUEING, [Lock("public.t")], crosswise(session, other), told.append)
        threads[0].join()
    assert len(tries) > 1
    assert "deadlock detected" in told[0]
