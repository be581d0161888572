"""A server that crashes loses of a fill no row without how far it came: its batches do not wait for the disk."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator

import pytest

from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Backfill,
    Manner,
    Pace,
    State,
    change,
    start,
)
from support import in_memory, rows, run_alembic, until

WISH = Backfill("public.t", (("b", "t.a + 1"),), "b IS NULL")
SMALL = Manner(pace=Pace(first_rows=50, most_rows=50, least_rows=50))
REMEMBERED = "SELECT coalesce(sum(row_count), 0) FROM ops.online_range"


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A place for a server of the test's own; short, for its Unix socket."""
    parent = pathlib.Path(tempfile.mkdtemp(prefix="agentdb-", dir=in_memory()))
    parent.chmod(0o755)
    yield parent / "pg"
    embedded.stop(parent / "pg")
    shutil.rmtree(parent, ignore_errors=True)


def test_what_a_crash_takes_of_the_rows_it_takes_of_the_ledger_too(folder: pathlib.Path) -> None:
    url = embedded.start(folder).url
    assert run_alembic("upgrade", "head", url=url).returncode == 0
    rows(url, "CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL, b integer)")
    rows(url, "INSERT INTO t SELECT i, i FROM generate_series(1, 200000) AS i")
    given = resolve_settings(url)
    start(WISH, settings=given)
    failed: list[MigrationError] = []

    def fill() -> None:
        try:
            change(WISH, settings=given, manner=SMALL)
        except MigrationError as error:
            failed.append(error)

    filling = threading.Thread(target=fill)
    filling.start()
    until(lambda: int(str(rows(url, REMEMBERED)[0][0])) > 5_000)
    server = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(server, signal.SIGKILL)
    filling.join()
    assert len(failed) == 1
    assert embedded.start(folder).started
    ((remembered,),) = rows(url, REMEMBERED)
    ((filled, beyond),) = rows(url, "SELECT count(b), count(*) FILTER (WHERE b IS NULL) FROM t")
    assert (filled == remembered, beyond > 0) == (True, True)
    assert change(WISH, settings=given).state is State.COMPLETED
    assert rows(url, "SELECT count(*), count(*) FILTER (WHERE b = a + 1) FROM t") == [(200_000, 200_000)]
    assert rows(url, REMEMBERED) == [(200_000,)]
