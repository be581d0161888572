"""Killed at any step, in the way of somebody, raced by a writer: nothing lost, nobody waits without a bound."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest
from rollback.scene import accepted, agentdb, contents, everything, losses, planned, revise, upgraded

from support import BEFORE_HEAD, HEAD, NEXT, Checkout, Processes, connected, heard, rows, until

STEPS = ("one", "two", "three")


ROLLBACK = ("-m", "spotify_ai_agent_migrations", "rollback")

# Once all is planned and before anything is moved, it says so and waits for an answer.
HELD = """
import runpy, sys

from spotify_ai_agent_migrations.versions.rollback import run

raw = run.run_downgrade


def held(target, options, *, around):
    if not options.dry_run:
        print("planned", flush=True)
        sys.stdin.readline()
    return raw(target, options, around=around)


run.run_downgrade = held
runpy.run_module("spotify_ai_agent_migrations", run_name="__main__", alter_sys=True)
"""

# Kills itself before the statement or commit of that number, counted from where the plan is accepted.
KILLED = """
import os, runpy, signal, sys

import psycopg2
from psycopg2.extensions import connection, cursor

left = int(sys.argv.pop(1))
begun = False


def passed(what):
    global left, begun
    begun = begun or "pg_create_restore_point" in str(what)
    if begun and left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= begun


class Cursor(cursor):
    def execute(self, statement, *values):
        passed(statement)
        return super().execute(statement, *values)


class Connection(connection):
    def cursor(self, *names, **options):
        return super().cursor(*names, **{"cursor_factory": Cursor, **options})

    def commit(self):
        passed("COMMIT")
        super().commit()


raw = psycopg2.connect
psycopg2.connect = lambda *given, **options: raw(*given, connection_factory=Connection, **options)
runpy.run_module("spotify_ai_agent_migrations", run_name="__main__", alter_sys=True)
"""


def test_killed_before_any_statement_the_same_command_goes_on(
    checkout: Checkout, url: str, request: pytest.FixtureRequest
) -> None:
    for name in STEPS:
        revise(
            checkout,
            f"CREATE TABLE public.{name} (id bigint PRIMARY KEY); INSERT INTO public.one VALUES (2) ON CONFLICT DO NOTHING",
            # A row of a table that a later step drops goes already: counted once, and the digest stays good.
            f"DELETE FROM public.one WHERE id = {len(name)}; DROP TABLE public.{name}",
        )
    upgraded(checkout, url)
    for name in STEPS:
        rows(url, f"INSERT INTO {name} SELECT n FROM generate_series(3, 9) AS n")
    before = {name: contents(url, name) for name in STEPS}
    digest = planned(url, HEAD, checkout=checkout)["digest"]
    command = ("rollback", "to", HEAD, "--accept-data-loss", digest)
    stride = 1 if request.config.getoption("--soak") else 29
    at, reached, killed = 0, [f"{int(NEXT) + 2:03d}"], 0
    while (done := checkout.python("-c", KILLED, str(at), *command, url=url, imported=True)).returncode:
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
        ((version,),) = rows(url, "SELECT version_num FROM alembic_version")
        at = at + stride if version == reached[-1] else 0
        reached += [str(version)] if version != reached[-1] else []
        assert [_places(url, name) for name in STEPS] == [1, 1, 1]
    assert reached[:3] == [f"{int(NEXT) + number:03d}" for number in (2, 1, 0)]
    assert killed > 40 // stride
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    upgraded(checkout, url)
    # Oldest revision last kept: what was cut off kept in one schema, the rest in another.
    for (kept,) in rows(
        url, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^rollback_' ORDER BY oid DESC"
    ):
        assert agentdb(url, "restore", str(kept), checkout=checkout).err == []
    assert {name: contents(url, name) for name in STEPS} == before


def _places(url: str, table: str) -> object:
    """In how many places a table is: its own, and those of what was kept."""
    found = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ ('^(r[0-9]+__public__)?' || %s || '$')"
    return rows(url, found, (table,))[0][0]


@pytest.mark.soak
def test_a_try_that_was_in_somebody_s_way_is_forgotten_in_the_plan(checkout: Checkout, url: str) -> None:
    revise(checkout, "CREATE TABLE public.one (id bigint PRIMARY KEY)", "DROP TABLE public.one")
    revise(
        checkout,
        "CREATE TABLE public.two (id bigint PRIMARY KEY)",
        "DELETE FROM public.one WHERE id = 1; DROP TABLE public.two",
    )
    upgraded(checkout, url)
    rows(url, "INSERT INTO one VALUES (1), (2), (3); INSERT INTO two VALUES (1)")
    expected = [
        ("table", "public.two", None, 1),
        ("deleted", "public.one", None, 1),
        ("table", "public.one", None, 2),
    ]
    assert losses(planned(url, HEAD, checkout=checkout)) == expected
    with connected(url, autocommit=False) as reader:
        # The first step runs, and the second one finds somebody on its table.
        reader.cursor().execute("SELECT id FROM one WHERE id = 2 FOR SHARE")
        bounds = ("-x", "lock-timeout-ms=300", "-x", "tries=30")
        process = checkout.start_python(*ROLLBACK, "plan", HEAD, *bounds, "--json", url=url)
        heard(process.stderr, "trying again in")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert losses(__import__("json").loads(out)) == expected


def test_a_move_that_is_in_somebody_s_way_is_tried_again(checkout: Checkout, url: str) -> None:
    revise(checkout, "CREATE TABLE public.one (id bigint PRIMARY KEY)", "DROP TABLE public.one")
    upgraded(checkout, url)
    rows(url, "INSERT INTO one VALUES (1)")
    digest = planned(url, checkout=checkout)["digest"]
    tried = "SELECT count(*) FROM ops.migration_journal WHERE direction = 'downgrade' AND state = 'failed'"
    with connected(url, autocommit=False) as reader:
        command = ("rollback", "to", HEAD, "--accept-data-loss", digest)
        bounds = ("-x", "lock-timeout-ms=200", "-x", "tries=30")
        process = checkout.start_python("-c", HELD, *command, *bounds, url=url, stdin=subprocess.PIPE)
        heard(process.stdout, "planned")
        reader.cursor().execute("SELECT FROM one")
        assert process.stdin is not None
        process.stdin.write("go on\n")
        process.stdin.flush()
        until(lambda: rows(url, tried) != [(0,)])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.startswith(f"rolled back from {NEXT} to {HEAD}\nkept in rollback_")


BIG = "INSERT INTO big (said) SELECT repeat('x', 100) FROM generate_series(1, 200000)"


@pytest.fixture
def big(checkout: Checkout, url: str) -> str:
    """The URL of a database where the last step drops a column of a table of 200,000 rows."""
    revise(
        checkout, "CREATE TABLE public.big (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)", "SELECT 1"
    )
    revise(checkout, "ALTER TABLE public.big ADD said text", "ALTER TABLE public.big DROP said")
    upgraded(checkout, url)
    rows(url, BIG)
    return url


class Writer(threading.Thread):
    """Writes without a pause, and notes how long each write took."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._enough = threading.Event()
        self.took_s: list[float] = []

    def run(self) -> None:
        with connected(self._url) as connection, connection.cursor() as cursor:
            while not self._enough.is_set():
                began_s = time.monotonic()
                cursor.execute("INSERT INTO big DEFAULT VALUES")
                self.took_s.append(time.monotonic() - began_s)
                time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self.join()

    def __enter__(self) -> Writer:
        self.start()
        return self


@pytest.mark.soak
def test_a_writer_waits_no_longer_than_the_copy_may_take(checkout: Checkout, big: str) -> None:
    with Writer(big) as writer:
        digest = planned(big, checkout=checkout)["digest"]
        done = agentdb(
            big, "to", NEXT, "--accept-data-loss", digest, "--copy-timeout-ms", "5000", checkout=checkout
        )
    assert (done.code, done.err) == (0, [])
    assert len(writer.took_s) > 50
    # The copy, and behind it the step itself: a moment, and room for a slow machine.
    assert max(writer.took_s) < 5.0 + 2.0
    assert rows(big, "SELECT count(*) > 200000 FROM big") == [(True,)]


@pytest.mark.soak
def test_a_copy_that_would_take_longer_is_undone(checkout: Checkout, big: str) -> None:
    digest = planned(big, checkout=checkout)["digest"]
    before = contents(big, "big")
    with Writer(big) as writer:
        done = agentdb(
            big, "to", NEXT, "--accept-data-loss", digest, "--copy-timeout-ms", "20", checkout=checkout
        )
    assert (done.code, done.err) == (
        1,
        [
            'error: to keep the rows of "public.big" takes longer than the 20 ms that writers may wait; the step is undone',
            "Hint: --copy-timeout-ms 200 lets them wait longer",
        ],
    )
    assert len(writer.took_s) > 20
    assert max(writer.took_s) < 2.0
    assert rows(big, "SELECT count(said) FROM big") == [(200000,)]
    assert before[0] == 200000
    assert rows(big, "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^rollback_'") == [(0,)]
    accepted(big, NEXT, "--copy-timeout-ms", "60000", checkout=checkout)


def test_a_table_that_was_empty_in_the_plan_and_is_filled_before_it_goes_is_refused(
    checkout: Checkout, url: str
) -> None:
    number = revise(checkout, "CREATE TABLE public.one (id bigint PRIMARY KEY)", "DROP TABLE public.one")
    upgraded(checkout, url)
    code = (
        "import psycopg2, os\n"
        "from spotify_ai_agent_migrations.versions.rollback import run\n"
        "raw = run.run_downgrade\n"
        "def late(target, options, *, around):\n"
        "    if not options.dry_run:\n"
        "        with psycopg2.connect(os.environ['DATABASE_URL']) as c: c.cursor().execute('INSERT INTO one VALUES (1)')\n"
        "    raw(target, options, around=around)\n"
        "run.run_downgrade = late\n"
        "try: run.rollback('-1')\n"
        "except Exception as error: print(error.problem)\n"
    )
    done = checkout.python("-c", code, url=url, imported=True)
    assert done.stdout.splitlines() == [
        f'"public.one" was empty when it was planned and holds rows now; nothing of revision {number} is undone'
    ], done.stderr
    assert rows(url, "SELECT * FROM one") == [(1,)]


def test_two_rollbacks_at_once_go_back_once(processes: Processes, store: str) -> None:
    before = everything(store)
    digest = planned(store, BEFORE_HEAD)["digest"]
    command = (sys.executable, *ROLLBACK, "to", BEFORE_HEAD, "--accept-data-loss", digest)
    both = [processes.start(*command, url=store) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]
    assert sorted(process.returncode for process in both)[0] == 0, said
    assert "Traceback" not in "".join(err for _, err in said)
    assert rows(store, "SELECT version_num FROM alembic_version") == [(BEFORE_HEAD,)]
    assert len(before) > 20
