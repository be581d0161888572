"""A backfill that is paused, resumed and cancelled by another process, and held by what stands against it."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from psycopg2.errors import QueryCanceled

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.errors import LockError, SettingsError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Backfill,
    Change,
    Limits,
    Manner,
    Pace,
    State,
    Step,
    backfill,
    cancel,
    pause,
    progress_of,
    resume,
    start,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.meter import line
from support import connected, rows, run, until

DUE = "SELECT count(*) FILTER (WHERE b IS NULL) FROM t"
WISH = Backfill("public.t", (("b", "a"),), "b IS NULL")
# Each row of a batch takes some milliseconds.
SLOW = Backfill("public.t", (("b", "a + (pg_catalog.pg_sleep(0.003) IS NULL)::int"),), "b IS NULL")
BRISK = Pace(first_rows=10, least_rows=5, most_rows=10, look_every_s=0.01, tell_every_s=0.0)
PAUSE = """
from spotify_ai_agent_migrations.versions.zero_downtime_migration import Backfill, pause
pause(Backfill("public.t", (("b", "a"),), "b IS NULL"))
"""


@pytest.fixture
def filling(ledger_url: str) -> str:
    """The URL of a database with a table that is to be filled."""
    rows(ledger_url, "CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer)")
    rows(ledger_url, "INSERT INTO t SELECT i, i FROM generate_series(1, 500) AS i")
    return ledger_url


class Told:
    """What is told of a backfill, and a wait for words of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._new = threading.Condition()

    def __call__(self, step: Step, moment: str) -> None:
        with self._new:
            self.lines.append(line(step, moment))
            self._new.notify_all()

    def heard(self, words: str) -> str:
        """Wait for a line with these words; return it."""
        with self._new:
            assert self._new.wait_for(lambda: any(words in each for each in self.lines), 60), self.lines
            return next(each for each in self.lines if words in each)


def beside(
    url: str, pace: Pace, told: Told, work: Callable[[], None], wish: Backfill = WISH
) -> Future[Change]:
    """Run a backfill beside *work*; return what it came to."""
    with ThreadPoolExecutor(1) as pool:
        manner = Manner(pace=pace, told=told)
        done = pool.submit(backfill, wish, settings=resolve_settings(url), manner=manner)
        work()
    return done


def test_another_process_pauses_a_backfill_and_lets_it_go_on(filling: str) -> None:
    told = Told()

    def steer() -> None:
        assert run(sys.executable, "-c", PAUSE, url=filling).returncode == 0
        told.heard("fill the rows that are due: waiting: paused, as was asked")
        before = rows(filling, DUE)
        told.heard("0 rows/s")
        assert rows(filling, DUE) == before != [(0,)]
        resume(WISH, settings=resolve_settings(filling))

    start(WISH, settings=resolve_settings(filling))
    pause(WISH, settings=resolve_settings(filling))
    assert beside(filling, BRISK, told, steer).result().state is State.FILLED
    assert rows(filling, DUE) == [(0,)]
    (seen,) = progress_of(WISH, settings=resolve_settings(filling))
    assert (seen.walked, seen.written, seen.total) == (500, 500, 500)


def test_a_cancelled_backfill_ends_and_may_be_resumed(filling: str) -> None:
    given = resolve_settings(filling)
    start(WISH, settings=given)
    cancel(WISH, settings=given)
    with pytest.raises(TableError, match=r"the backfill of change 1 was cancelled; what is filled stays"):
        backfill(WISH, settings=given)
    assert rows(filling, DUE) == [(500,)]
    resume(WISH, settings=given)
    assert backfill(WISH, settings=given).state is State.FILLED
    with pytest.raises(TableError, match="was never started"):
        pause(replace(WISH, values=(("a", "b"),)), settings=given)


def test_who_waits_for_a_row_of_a_batch_lets_it_stop_and_take_fewer_rows(filling: str) -> None:
    told, given = Told(), resolve_settings(filling)
    pace = replace(BRISK, first_rows=100, most_rows=100, limits=Limits(waiting_s=0.03))

    def wait() -> None:
        with connected(filling) as connection, connection.cursor() as cursor:
            for id_ in itertools.cycle(range(1, 500, 7)):
                cursor.execute("UPDATE t SET a = a WHERE id = %s", (id_,))
                if any("has waited" in each or each.endswith(": done") for each in told.lines):
                    break
            assert f"pid {connection.info.backend_pid} has waited 0." in told.heard("has waited")

    start(SLOW, settings=given)
    assert beside(filling, pace, told, wait, SLOW).result().state is State.FILLED
    assert rows(filling, DUE) == [(0,)]
    told.heard("going on")
    assert any("rows written" in each and "s left" in each for each in told.lines)


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Have a transaction at work beside the block that has written."""
    with connected(url, autocommit=False) as writer, ThreadPoolExecutor(1) as pool:
        writer.cursor().execute("CREATE TABLE u ()")
        working = pool.submit(writer.cursor().execute, "SELECT pg_sleep(600)")
        try:
            yield
        finally:
            rows(url, "SELECT pg_cancel_backend(%s)", (writer.info.backend_pid,))
            with pytest.raises(QueryCanceled):
                working.result()
            writer.rollback()


def test_while_others_write_it_rests_between_batches_and_goes_on_when_they_have_ended(filling: str) -> None:
    given, told = resolve_settings(filling), Told()
    # One batch, and a rest of minutes.
    pace = replace(BRISK, share=1e-6, heeded_s=0.05)
    start(WISH, settings=given)
    with ExitStack() as others:
        others.enter_context(writing(filling))

        def end() -> None:
            told.heard("others write: it fills for a part of the time")
            until(lambda: sum("10 rows written" in each for each in told.lines) > 20)
            assert rows(filling, DUE) == [(490,)]
            others.close()

        done = beside(filling, pace, told, end)
    assert done.result().state is State.FILLED
    assert rows(filling, DUE) == [(0,)]


def test_the_share_is_what_was_said_or_what_the_environment_says(
    filling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"MIGRATIONS_FILL_SHARE": "0.5"}
    assert (Pace().part, Pace().under({}).part, Pace().under(said).part) == (0.25, 0.25, 0.5)
    assert Pace(share=1.0).under(said).part == 1.0
    for wrong in (0.0, -1.0, 1.1, float("nan")):
        with pytest.raises(SettingsError, match="a backfill cannot have"):
            Pace(share=wrong)
        with pytest.raises(SettingsError, match=r"MIGRATIONS_FILL_SHARE is .* and no share of the time"):
            Pace().under({"MIGRATIONS_FILL_SHARE": str(wrong)})
    with pytest.raises(SettingsError, match='MIGRATIONS_FILL_SHARE is "much"'):
        Pace().under({"MIGRATIONS_FILL_SHARE": "much"})
    assert (Pace().next_rows(1_000, 0.1), Pace().next_rows(1_000, 0.1, 0.25)) == (1_000, 250)
    monkeypatch.setenv("MIGRATIONS_FILL_SHARE", "much")
    start(WISH, settings=resolve_settings(filling), manner=Manner(pace=Pace(share=1.0)))
    with pytest.raises(SettingsError, match='MIGRATIONS_FILL_SHARE is "much"'):
        backfill(WISH, settings=resolve_settings(filling))
    verb = ("zero-downtime-migration", "backfill", "backfill", "t")
    fields = ("values=" + json.dumps(WISH.values), f"due={WISH.due}")
    command = (sys.executable, "-m", "spotify_ai_agent_migrations", *verb, *fields)
    assert run(*command, url=filling, MIGRATIONS_FILL_SHARE="much").returncode == 2
    done = run(*command, "--share", "1", url=filling, MIGRATIONS_FILL_SHARE="much")
    assert (done.returncode, rows(filling, DUE)) == (0, [(0,)]), done.stderr


def test_what_stands_against_it_for_too_long_is_named(filling: str) -> None:
    given = resolve_settings(filling)
    pace = replace(BRISK, most_held_s=0.05, limits=Limits(own=lambda: "the shop is full"))
    start(SLOW, settings=given)
    with pytest.raises(LockError) as refused:
        backfill(SLOW, settings=given, manner=Manner(pace=pace))
    assert refused.value.problem.endswith("has stood still for 0.05 s: the shop is full")
    assert rows(filling, DUE) != [(0,)]
