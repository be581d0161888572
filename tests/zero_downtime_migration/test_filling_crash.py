"""A server that crashes loses of a fill no row without how far it came: its batches do not wait for the disk."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
import threading
from collections.abc import Iterator

import psutil
import pytest

from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Backfill,
    Manner,
    Pace,
    State,
    backfill,
    change,
    start,
)
from support import in_memory, rows, run_alembic, until

WISH = Backfill("public.t", (("b", "t.a + 1"),), "b IS NULL")
SMALL = Manner(pace=Pace(first_rows=50, most_rows=50, least_rows=50))
REMEMBERED = "SELECT coalesce(sum(row_count), 0)::int FROM ops.online_range"
FILLED = "SELECT count(*)::int, count(*) FILTER (WHERE b = a + 1)::int FROM t"
# What no commit waits for comes to the disk late, and nothing else brings it there.
LATE = ("wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'", "autovacuum = off")


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A place for a server of the test's own; short, for its Unix socket."""
    parent = pathlib.Path(tempfile.mkdtemp(prefix="agentdb-", dir=in_memory()))
    parent.chmod(0o755)
    yield parent / "pg"
    embedded.stop(parent / "pg")
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def made(folder: pathlib.Path) -> str:
    """The URL of a database on it with the ledger, and a table whose fill is begun."""
    url = embedded.start(folder).url
    assert run_alembic("upgrade", "head", url=url).returncode == 0
    rows(url, "CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL, b integer)")
    rows(url, "INSERT INTO t SELECT i, i FROM generate_series(1, 200000) AS i")
    for setting in LATE:
        rows(url, f"ALTER SYSTEM SET {setting}")
    rows(url, "SELECT pg_reload_conf()")
    until(lambda: rows(url, "SHOW wal_writer_delay") == [("10s",)])
    start(WISH, settings=resolve_settings(url))
    return url


def is_over(process: psutil.Process) -> bool:
    """Whether a process has ended, be it that nobody has asked for its end yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def crashed(folder: pathlib.Path) -> None:
    """Kill the server and start it again."""
    server = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
    server.kill()
    until(lambda: is_over(server))
    assert embedded.start(folder).started


def remembered(url: str) -> int:
    ((count,),) = rows(url, REMEMBERED)
    return int(str(count))


def test_what_a_crash_takes_of_the_rows_it_takes_of_the_ledger_too(folder: pathlib.Path, made: str) -> None:
    given = resolve_settings(made)
    failed: list[MigrationError] = []
    seen = [0]

    def fill() -> None:
        try:
            change(WISH, settings=given, manner=SMALL)
        except MigrationError as error:
            failed.append(error)

    def far() -> bool:
        seen[0] = remembered(made)
        return seen[0] > 5_000

    filling = threading.Thread(target=fill)
    filling.start()
    until(far)
    crashed(folder)
    filling.join()
    assert len(failed) == 1
    assert remembered(made) < seen[0]
    assert rows(made, FILLED) == [(200_000, remembered(made))]
    assert change(WISH, settings=given).state is State.COMPLETED
    assert rows(made, FILLED) == [(200_000, 200_000)]
    assert remembered(made) == 200_000


def test_what_is_said_to_be_filled_outlives_a_crash(folder: pathlib.Path, made: str) -> None:
    given = resolve_settings(made)
    assert backfill(WISH, settings=given).state is State.FILLED
    crashed(folder)
    assert rows(made, FILLED) == [(200_000, 200_000)]
    assert rows(made, "SELECT state FROM ops.online_change") == [("filled",)]
    assert change(WISH, settings=given).state is State.COMPLETED
