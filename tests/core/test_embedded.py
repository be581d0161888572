"""The local server starts by itself, is shared, and survives killed processes."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Protocol

import psutil
import pytest

from spotify_ai_agent_migrations import ServerError
from spotify_ai_agent_migrations.versions.core import embedded
from support import ROOT, Processes, beside, environment, heard, in_memory, run, until

CHILD = """
import pathlib, sys
from spotify_ai_agent_migrations.versions.core import embedded
import psycopg2
server = embedded.start(pathlib.Path(sys.argv[1]))
with psycopg2.connect(server.url) as connection:
    connection.cursor().execute("SELECT 1")
print("started" if server.started else "shared", flush=True)
if sys.argv[2:] == ["stays"]:
    sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A place for a server of the test's own; short, for its Unix socket."""
    parent = pathlib.Path(tempfile.mkdtemp(prefix="agent's db-", dir=in_memory()))
    parent.chmod(0o755)
    yield parent / "pg"
    embedded.stop(parent / "pg")
    shutil.rmtree(parent, ignore_errors=True)


class Child(Protocol):
    """Starts a process that uses the server of a folder; one that *stays* does so until its standard input ends."""

    def __call__(self, folder: pathlib.Path, *, stays: bool = False) -> subprocess.Popen[str]: ...


@pytest.fixture
def child(processes: Processes) -> Child:
    def start(folder: pathlib.Path, *, stays: bool = False) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD, str(folder), *(["stays"] if stays else [])]
        return processes.enter(beside(*command, cwd=ROOT, env=environment(None), stdin=subprocess.PIPE))

    return start


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def is_running(folder: pathlib.Path) -> bool:
    return embedded._running(folder / "data")


def test_the_first_process_starts_it_says_so_in_one_line_and_stops_it(
    child: Child, folder: pathlib.Path
) -> None:
    out, err = child(folder).communicate(timeout=60)
    assert out == "started\n"
    assert err.splitlines() == [
        f"using the local PostgreSQL in {folder}; set DATABASE_URL or say -x url=… to use another"
    ]
    assert (folder / "data" / "PG_VERSION").exists()
    assert not is_running(folder)


def test_a_second_process_shares_it_and_the_last_one_stops_it(child: Child, folder: pathlib.Path) -> None:
    first = child(folder, stays=True)
    assert said(first) == "started"
    second = child(folder)
    assert second.communicate(timeout=60)[0] == "shared\n"
    assert is_running(folder)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert not is_running(folder)


def test_ten_processes_at_once_start_one_server(child: Child, folder: pathlib.Path) -> None:
    ten = [child(folder, stays=True) for _ in range(10)]
    assert sorted(map(said, ten)) == ["shared"] * 9 + ["started"]
    for process in ten:
        process.communicate(timeout=120)
    assert not is_running(folder)


THREADS = """
import pathlib, sys
from concurrent.futures import ThreadPoolExecutor
from spotify_ai_agent_migrations.versions.core import embedded
with ThreadPoolExecutor(10) as pool:
    found = list(pool.map(embedded.start, [pathlib.Path(sys.argv[1])] * 30))
print(len({server.url for server in found}), sum(server.started for server in found))
"""


def test_ten_threads_at_once_start_one_server(folder: pathlib.Path) -> None:
    done = run(sys.executable, "-c", THREADS, folder)
    assert (done.stdout, done.returncode) == ("1 1\n", 0), done.stderr
    assert not is_running(folder)


def test_a_killed_process_leaves_a_server_that_the_next_one_uses(child: Child, folder: pathlib.Path) -> None:
    first = child(folder, stays=True)
    assert said(first) == "started"
    first.kill()
    first.communicate()
    assert is_running(folder)
    assert child(folder).communicate(timeout=60)[0] == "shared\n"
    assert not is_running(folder)


@pytest.mark.parametrize("after_s", [0.02, 0.1, 0.2, 0.3, 0.5, 0.8])
def test_killed_at_any_moment_of_the_first_start_the_next_start_works(
    child: Child, folder: pathlib.Path, after_s: float
) -> None:
    first = child(folder, stays=True)
    until(folder.exists)
    time.sleep(after_s)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    out, err = child(folder).communicate(timeout=60)
    assert out in {"started\n", "shared\n"}, err


def test_a_killed_server_is_started_again(child: Child, folder: pathlib.Path) -> None:
    first = child(folder, stays=True)
    assert said(first) == "started"
    _kill_server(folder, _server(folder))
    first.kill()
    first.communicate()
    out, err = child(folder).communicate(timeout=60)
    assert out == "started\n", err


def test_a_child_of_a_killed_server_that_does_not_end_is_waited_for(
    child: Child, folder: pathlib.Path
) -> None:
    first = child(folder, stays=True)
    assert said(first) == "started"
    server = _server(folder)
    left = server.children()[0]
    left.suspend()
    try:
        _kill_server(folder, server)
        second = child(folder)
        heard(second.stderr, f"waiting for what is left of a killed server in {folder}")
    finally:
        left.resume()
    out, err = second.communicate(timeout=60)
    assert out == "started\n", err


def test_what_is_left_of_a_killed_server_for_long_is_named(
    child: Child, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = child(folder, stays=True)
    assert said(first) == "started"
    server = _server(folder)
    left = server.children()[0]
    left.suspend()
    try:
        _kill_server(folder, server)
        psutil.wait_procs([one for one in embedded._orphans(folder / "data") if one != left])
        monkeypatch.setattr(embedded, "_ORPHANS_S", 0.1)
        with pytest.raises(ServerError) as caught:
            embedded.start(folder)
    finally:
        left.resume()
    assert caught.value.problem == f'of a killed server in "{folder}" these processes are left: {left.pid}'
    assert caught.value.hint == f"end them: kill -QUIT {left.pid}"


def _server(folder: pathlib.Path) -> psutil.Process:
    return psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))


def _kill_server(folder: pathlib.Path, server: psutil.Process) -> None:
    server.kill()
    until(lambda: not is_running(folder))


def test_a_pid_file_that_names_another_program_is_not_believed(child: Child, folder: pathlib.Path) -> None:
    assert child(folder).communicate(timeout=60)[0] == "started\n"
    pid_file = folder / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder / 'data'}\n1\n5432\n{folder / 'data'}\n\n1 1\nready\n")
    shutil.copystat(folder / "data" / "PG_VERSION", pid_file)
    assert child(folder).communicate(timeout=60)[0] == "started\n"


def test_a_server_started_to_stay_stays_until_it_is_stopped(child: Child, folder: pathlib.Path) -> None:
    keep = f"from pathlib import Path; from {embedded.__name__} import start; start(Path({str(folder)!r}), keep=True)"
    subprocess.run([sys.executable, "-c", keep], check=True, capture_output=True, cwd=ROOT)
    assert is_running(folder)
    assert child(folder).communicate(timeout=60)[0] == "shared\n"
    assert is_running(folder)
    assert embedded.stop(folder) is True
    assert not is_running(folder)
    assert embedded.stop(folder) is False


def test_a_server_that_does_not_start_is_an_error_that_names_its_log(
    child: Child, folder: pathlib.Path
) -> None:
    assert child(folder).communicate(timeout=60)[0] == "started\n"
    (folder / "data" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerError) as caught:
        embedded.start(folder)
    assert caught.value.problem == f'the local PostgreSQL in "{folder}" does not start'
    assert caught.value.hint == f'read "{folder / "data" / "log"}"; to begin anew, remove "{folder}"'


@pytest.mark.parametrize("content", ["5", '["x"]', "[1", ""])
def test_a_count_cut_short_is_mended(child: Child, folder: pathlib.Path, content: str) -> None:
    assert child(folder).communicate(timeout=60)[0] == "started\n"
    (folder / "data" / ".handle_pids.json").write_text(content)
    out, err = child(folder).communicate(timeout=60)
    assert out == "started\n", err
    assert not is_running(folder)


def test_a_path_too_long_for_a_socket_works(child: Child, folder: pathlib.Path) -> None:
    deep = folder.parent / ("d" * 90)
    deep.mkdir(mode=0o755)
    try:
        assert child(deep / "pg").communicate(timeout=60)[0] == "started\n"
    finally:
        embedded.stop(deep / "pg")
