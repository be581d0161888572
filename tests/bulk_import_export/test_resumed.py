"""An import that is killed, and the next call: nothing twice, nothing lost, and at most one at a time."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spotify_ai_agent_migrations import FileError, LockError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import importing
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from support import ROOT, beside, connected, environment, heard, rows, until

_ROWS = 250_000
# It stops for good once it has loaded so many rows: whoever looks for that moment may miss it.
_LOAD = """
import sys
from versions.bulk_import_export import bulk_import
stops = float(sys.argv[4])
def stop(progress):
    if progress.rows >= stops:
        print("loaded", flush=True)
        sys.stdin.read()
bulk_import("t", sys.argv[1], url=sys.argv[2], progress=stop, guarantee=sys.argv[3], workers=2, max_rejects=5)
"""


def _file(path: Path) -> Path:
    with path.open("w") as file:
        file.write("id,name\n")
        for number in range(_ROWS):
            file.write(
                f'{number},"name ""{number}"" of\na row that is long enough to make some blocks of it"\n'
            )
        file.write("x,bad\n")
    return path


def _table(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id bigint, name text)")


@contextmanager
def _killed(path: Path, url: str, guarantee: str, stops: float) -> Iterator[subprocess.Popen[str]]:
    """Begin to load in a process that stops at so many rows, and kill it at the end of the block."""
    command = (sys.executable, "-c", _LOAD, path, url, guarantee, str(stops))
    with beside(*command, env=environment(None), cwd=ROOT, stdin=subprocess.PIPE) as process:
        yield process
    at_work = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agentdb bulk import' AND datname = current_database()"
    until(lambda: rows(url, at_work) == [(0,)])


_SUM = "SELECT count(*), count(DISTINCT id), sum(id) FROM t"
_WHOLE = [(_ROWS, _ROWS, sum(range(_ROWS)))]


def test_a_resumable_import_goes_on_where_it_was_killed(url: str, tmp_path: Path) -> None:
    _table(url)
    path = _file(tmp_path / "t.csv")
    # Each of the two sessions may have loaded a block more.
    for stops in (1, 30_000, 30_000):
        with _killed(path, url, "resumable", stops) as process:
            heard(process.stdout, "loaded")
    [(before,)] = rows(url, "SELECT count(*) FROM t")
    assert 0 < int(str(before)) < _ROWS
    assert rows(url, "SELECT loaded_count, finished_at IS NULL FROM ops.import_job") == [(before, True)]
    result = bulk_import("t", path, url=url, guarantee="resumable", workers=2, max_rejects=5)
    assert (result.read, result.rows, result.rejected) == (_ROWS + 1, _ROWS, 1)
    assert rows(url, _SUM) == _WHOLE
    again = bulk_import("t", path, url=url, guarantee="resumable", workers=2, max_rejects=5)
    assert (again.rows, rows(url, _SUM)) == (_ROWS, _WHOLE)


def test_an_atomic_import_of_two_sessions_is_all_or_nothing_wherever_it_is_killed(
    url: str, tmp_path: Path
) -> None:
    _table(url)
    path = _file(tmp_path / "t.csv")
    here = "SELECT oid FROM pg_database WHERE datname = current_database()"
    waiting = f"SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND database = ({here})"
    copied = "SELECT COALESCE(max(tuples_processed), 0) > 1000 FROM pg_stat_progress_copy WHERE datname = current_database()"
    for when in (copied, waiting, waiting, waiting):
        with _killed(path, url, "atomic", math.inf) as process:
            # Where the moment is missed it has loaded everything, which is as well.
            until(lambda: bool(rows(url, when)[0][0]) or process.poll() is not None)  # noqa: B023
        assert rows(url, "SELECT count(*) %% %s FROM t", (_ROWS,)) == [(0,)]
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE t")
    assert bulk_import("t", path, url=url, workers=2, max_rejects=5).rows == _ROWS
    assert rows(url, _SUM) == _WHOLE


def test_two_sessions_that_wait_for_one_another_become_one(url: str, tmp_path: Path) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    path = tmp_path / "t.csv"
    with path.open("w") as file:
        file.write("id,name\n")
        for number in [*range(60_000), *range(300)]:
            file.write(f"{number},a name that is long enough to make more than one block of the file\n")
    result = bulk_import("t", path, url=url, workers=2, max_rejects=300)
    assert (result.rows, result.rejected) == (60_000, 300)
    assert rows(url, "SELECT count(*) FROM t") == [(60_000,)]


def test_of_the_same_import_there_is_one_at_a_time(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _table(url)
    path = tmp_path / "t.csv"
    path.write_text("id,name\n1,x\n")
    send, seen = Session.send, []

    def second(self: Session, prepared: object) -> object:
        monkeypatch.setattr(Session, "send", send)
        with pytest.raises(LockError) as caught:
            bulk_import("t", path, url=url, guarantee="resumable")
        seen.append(caught.value.problem)
        return send(self, prepared)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "send", second)
    assert bulk_import("t", path, url=url, guarantee="resumable").rows == 1
    assert seen[0].startswith(f'"{path}" is being loaded into public.t already; ')
    assert rows(url, "SELECT count(*) FROM t") == [(1,)]


def test_a_connection_that_is_cut_loses_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _table(url)
    path = _file(tmp_path / "t.csv")
    note = importing.Import._note
    cut = False

    def cutting(self: importing.Import, outcome: object) -> None:
        nonlocal cut
        note(self, outcome)  # type: ignore[arg-type]
        if not cut and self.counts.loaded > 50_000:
            cut = True
            rows(
                url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'agentdb bulk import' AND pid <> pg_backend_pid()",
            )

    monkeypatch.setattr(importing.Import, "_note", cutting)
    with pytest.raises(Exception, match=r"connection|terminat"):
        bulk_import("t", path, url=url, guarantee="resumable", max_rejects=5)
    assert cut
    assert bulk_import("t", path, url=url, guarantee="resumable", max_rejects=5).rows == _ROWS
    assert rows(url, _SUM) == _WHOLE


def test_a_pipe_needs_a_name_to_be_resumed(url: str) -> None:
    import io

    _table(url)
    with pytest.raises(FileError) as caught:
        bulk_import("t", io.BytesIO(b"id,name\n1,x\n"), url=url, guarantee="resumable")
    assert caught.value.hint == "name the load: job=…, --job NAME"
    for _ in range(2):
        bulk_import("t", io.BytesIO(b"id,name\n1,x\n"), url=url, guarantee="resumable", job="nightly")
    assert rows(url, "SELECT count(*) FROM t") == [(1,)]
