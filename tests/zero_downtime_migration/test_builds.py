"""Builds of indexes that are cut off, or held up by a long transaction."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg2.sql import SQL, Identifier
from zero_downtime_migration.walked import settings

from spotify_ai_agent_migrations import LockError
from spotify_ai_agent_migrations.versions.core.session import opened as opened_by_core
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    CreateIndex,
    Manner,
    State,
    abort,
    change,
    plan,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.revision import acting_as
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened
from support import connected, rows, until

WISH = CreateIndex("shop.t", ("a",))
MADE = (
    "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer PRIMARY KEY, a integer);"
    " INSERT INTO shop.t SELECT i, i FROM generate_series(1, 100) AS i"
)
INDEX = "SELECT indexrelid, indisvalid FROM pg_index WHERE indexrelid = to_regclass('shop.t_a_idx')"
BUILDERS = "FROM pg_stat_progress_create_index WHERE relid = 'shop.t'::regclass AND phase LIKE 'waiting%'"


@contextmanager
def reading(url: str) -> Iterator[Callable[[], None]]:
    """A transaction that has read the table, and sees it as it is until it is told to end."""
    with connected(url, autocommit=False) as connection:
        connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM shop.t")
        yield connection.rollback


def begun(url: str) -> int:
    """Start the change in a process of its own; return its number when its build waits for a reader."""
    child = os.fork()
    if child == 0:
        try:
            change(WISH, settings=settings(url))
        finally:
            os._exit(0)
    until(lambda: rows(url, f"SELECT count(*) {BUILDERS}") == [(1,)])
    # Nobody waits for it.
    rows(url, "INSERT INTO shop.t VALUES (1000, 1); UPDATE shop.t SET a = 2 WHERE id = 1000")
    return child


def killed(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_build_whose_client_is_killed_is_waited_for_and_kept(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    with reading(ledger_url) as ended:
        killed(begun(ledger_url))
        [(built, valid)] = rows(ledger_url, INDEX)
        assert not valid
        with pytest.raises(LockError, match="held by"):
            change(WISH, settings=settings(ledger_url), manner=Manner(lock_wait_ms=50))
        ended()
    assert change(WISH, settings=settings(ledger_url)).state is State.COMPLETED
    assert rows(ledger_url, INDEX) == [(built, True)]


def test_a_build_that_is_cut_off_is_removed_and_made_anew(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    with reading(ledger_url) as ended:
        child = begun(ledger_url)
        rows(ledger_url, f"SELECT pg_terminate_backend(pid) {BUILDERS}")
        os.waitpid(child, 0)
        [(built, valid)] = rows(ledger_url, INDEX)
        assert not valid
        assert [step.name for step in plan(WISH, settings=settings(ledger_url)).steps] == [
            "build the index t_a_idx"
        ]
        ended()
    assert change(WISH, settings=settings(ledger_url)).state is State.COMPLETED
    assert rows(ledger_url, INDEX) == [(rows(ledger_url, "SELECT 'shop.t_a_idx'::regclass::oid")[0][0], True)]
    assert rows(ledger_url, INDEX) != [(built, True)]


def test_a_long_reader_holds_a_build_up_no_longer_than_is_allowed(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    brief = Manner(alone_wait_ms=50)
    with reading(ledger_url) as ended:
        with pytest.raises(
            LockError, match=r"has waited 50 ms for older transactions to end: .*idle in transaction"
        ):
            change(WISH, settings=settings(ledger_url), manner=brief)
        ended()
    assert [valid for _, valid in rows(ledger_url, INDEX)] == [False]
    assert abort(WISH, settings=settings(ledger_url), manner=brief).state is State.ABORTED
    assert rows(ledger_url, INDEX) == []
    assert change(WISH, settings=settings(ledger_url), manner=brief).state is State.COMPLETED
    assert [valid for _, valid in rows(ledger_url, INDEX)] == [True]


def test_a_build_has_one_process_from_the_command_line_and_in_a_revision_which_gets_its_own_back(
    url: str,
) -> None:
    def workers(session: Session) -> list[object]:
        names = ("max_parallel_maintenance_workers", "max_parallel_workers_per_gather")
        return [session.ask(SQL("SHOW {}").format(Identifier(name)))[0][0] for name in names]

    with opened(settings(url), "test") as connection:
        assert workers(Session(connection)) == ["0", "0"]
    with opened_by_core(settings(url), "test") as connection:
        session = Session(connection)
        session.run("SET max_parallel_maintenance_workers = 3; SET max_parallel_workers_per_gather = 4")
        with acting_as(session, "agent_owner"):
            assert workers(session) == ["0", "0"]
        assert workers(session) == ["3", "4"]
