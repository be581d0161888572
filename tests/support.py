"""What tests share: connections, databases made and dropped, processes run, real files found."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import IO, Any

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from forked import run_python
from spotify_ai_agent_migrations.versions.core import embedded

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
NUMBERS = sorted(file.name[:3] for file in (ROOT / "versions").glob("[0-9][0-9][0-9]_*.py"))
HEAD = NUMBERS[-1]
BEFORE_HEAD = NUMBERS[-2]
NEXT = f"{int(HEAD) + 1:03d}"
AFTER_NEXT = f"{int(HEAD) + 2:03d}"
# What the databases of all workers take at the same time, and as much again.
ROOM_BYTES = 8 << 30


_EMPTY = """
DO $$
DECLARE name text;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    COMMENT ON SCHEMA public IS 'standard public schema';
END
$$
"""


@contextmanager
def connected(url: str, *, autocommit: bool = True) -> Iterator[Connection]:
    """A plain connection of the test's own, closed at the end of the block."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = autocommit
        yield connection


def rows(url: str, statement: str, values: object = None) -> list[tuple[object, ...]]:
    """The rows of one query, on a connection of its own."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def emptied(url: str) -> str:
    """Take out of a database all that is in it; return its URL."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(_EMPTY)
    return url


class Databases:
    """Makes databases on the server of this session and drops them all at its end."""

    def __init__(self, server: dict[str, str]) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._prefix = f"t{uuid.uuid4().hex[:6]}"
        self._made: list[str] = []
        # To copy files is quicker only where no checkpoint waits for the disk.
        ((syncs,),) = rows(make_dsn(**self._maintenance), "SHOW fsync")
        self._strategy = "wal_log" if syncs == "on" else "file_copy"

    def url(self, name: str, **changes: str) -> str:
        """A URL for database *name*, for the superuser or with other parameters."""
        parts = {**self._server, "dbname": name, **changes}
        user, password = parts.pop("user", ""), parts.pop("password", "")
        query = "&".join(f"{key}={value}" for key, value in parts.items() if key != "dbname")
        login = f"{user}:{password}@" if password else f"{user}@"
        return f"postgresql://{login}/{name}?{query}"

    def create(self, template: str | None = None) -> str:
        """Create a database, as a clone of *template* if given, and return its name."""
        name = f"{self._prefix}_{next(self._numbers)}"
        self._admin(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(name), sql.Identifier(template or "template0"), sql.Identifier(self._strategy)
            )
        )
        self._made.append(name)
        return name

    def drop(self, name: str) -> None:
        self._admin(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.remove(name)

    def drop_all(self) -> None:
        for name in reversed(self._made.copy()):
            self.drop(name)

    @property
    def _maintenance(self) -> dict[str, str]:
        return {**self._server, "dbname": self._server.get("dbname", "postgres")}

    def _admin(self, statement: sql.Composable) -> None:
        with closing(psycopg2.connect(make_dsn(**self._maintenance))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


def environment(url: str | None, **more: str) -> dict[str, str]:
    """An environment for a process, with this DATABASE_URL or none."""
    # Compiled files may be kept: hundreds of processes would compile the same modules.
    left_out = {"DATABASE_URL", "MIGRATIONS_ENV", "PYTHONDONTWRITEBYTECODE"}
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    return {**kept, **({"DATABASE_URL": url} if url else {}), **more}


def run(
    *command: str | pathlib.Path, url: str | None = None, cwd: pathlib.Path = ROOT, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in text, with this DATABASE_URL."""
    program, *arguments = map(str, command)
    env = environment(url, **more)
    if program == sys.executable:
        return run_python(arguments, env=env, cwd=cwd)
    return subprocess.run(
        [program, *arguments], env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def run_alembic(
    *arguments: str, url: str | None = None, cwd: pathlib.Path = ROOT, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run Alembic's own command line in the checkout."""
    return run(sys.executable, "-m", "alembic", *arguments, url=url, cwd=cwd, **more)


@contextmanager
def beside(*command: str | pathlib.Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a command beside the block; at its end, however it ends, the process is killed and waited for."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(list(map(str, command)), **{**both, **options}) as process:
        try:
            yield process
        finally:
            process.kill()


class Processes:
    """Starts what runs beside a test; when the test has ended, however it did, so have they."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def start(
        self, *command: str | pathlib.Path, url: str | None = None, cwd: pathlib.Path = ROOT, **more: str
    ) -> subprocess.Popen[str]:
        """Start a command, in text, with this DATABASE_URL, and do not wait for it."""
        return self.enter(beside(*command, cwd=cwd, env=environment(url, **more)))

    def enter(self, process: AbstractContextManager[subprocess.Popen[str]]) -> subprocess.Popen[str]:
        return self._stack.enter_context(process)

    def end(self) -> None:
        self._stack.close()


def heard(stream: IO[str] | None, words: str) -> str:
    """Read what a process says up to the line that holds *words*, which cannot be missed; return that line."""
    assert stream is not None
    lines: list[str] = []
    for line in iter(stream.readline, ""):
        lines.append(line)
        if words in line:
            return line
    raise AssertionError(f"{words!r} was not said: {''.join(lines)}")


def until(condition: Callable[[], bool], *, pause_s: float = 0.02) -> None:
    """Wait for what stays so once it is: of what comes and goes, a busy machine sees nothing."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(pause_s)


# How many sessions of a database wait for a lock.
LOCKED = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
# How many of them migrate.
WAITING = f"{LOCKED} AND application_name = 'agentdb migrate'"


def client(name: str, url: str) -> pathlib.Path:
    """PostgreSQL's program *name*, of the server's own version: a newer one writes what an older does not read."""
    major = int(str(rows(url, "SHOW server_version_num")[0][0])) // 10_000
    places = [
        pathlib.Path(f"/usr/lib/postgresql/{major}/bin/{name}"),
        embedded.program(name),
        shutil.which(name),
    ]
    for place in places:
        if place and pathlib.Path(place).exists() and f") {major}." in run(place, "--version").stdout:
            return pathlib.Path(place)
    pytest.skip(f"there is no {name} of version {major}")


def in_memory() -> pathlib.Path | None:
    """A folder whose files are in memory, if there is room: to clone a database takes a sixth of the time there."""
    folder = pathlib.Path("/dev/shm")
    roomy = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM_BYTES
    return folder if roomy else None


def data(*parts: str) -> pathlib.Path:
    """A real file of the data folder beside the checkout; the test skips where it is not there."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no such file: {path}")
    return path


_LEFT_OUT = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "tests", "benchmarks", "CHECKSUMS", "APPROVALS", "RECEIPTS"
)


def equalise(source: pathlib.Path, target: pathlib.Path) -> None:
    """Let a folder hold what a checkout does, and write only what differs: of a test before, that is little."""
    target.mkdir(exist_ok=True)
    names = {entry.name for entry in source.iterdir()}
    wanted = names - _LEFT_OUT(str(source), sorted(names))
    for there in target.iterdir():
        if there.is_dir() and not there.is_symlink():
            if there.name not in wanted:
                shutil.rmtree(there)
        elif there.name not in wanted or _state(there) != _state(source / there.name):
            there.unlink()
    for name in wanted:
        # What Python has compiled may be replaced at any time.
        with contextlib.suppress(FileNotFoundError):
            if (source / name).is_dir():
                equalise(source / name, target / name)
            elif not (target / name).exists():
                shutil.copy2(source / name, target / name)


def _state(file: pathlib.Path) -> tuple[int, int, int] | None:
    """Return what changes with a file; None where there is none."""
    with contextlib.suppress(FileNotFoundError):
        found = file.lstat()
        return found.st_mode, found.st_size, found.st_mtime_ns
    return None


class Checkout:
    """A copy of this checkout, with revisions of the test's own; not installed, found by PYTHONPATH."""

    def __init__(self, parent: pathlib.Path, processes: Processes) -> None:
        self._processes = processes
        self.root = parent / "spotify_ai_agent_migrations"
        equalise(ROOT, self.root)
        self.versions = self.root / "versions"

    def add(self, upgrade: str, *, downgrade: str = "execute('SELECT 1')", name: str | None = None) -> str:
        """Add the next revision with these bodies; return its number."""
        number = max(int(file.name[:3]) for file in self.versions.glob("[0-9]*.py")) + 1
        (self.versions / (name or f"{number:03d}_added.py")).write_text(
            REVISION.format(
                number=f"{number:03d}",
                parent=f"{number - 1:03d}",
                upgrade=textwrap.indent(textwrap.dedent(upgrade).strip(), "    "),
                downgrade=textwrap.indent(textwrap.dedent(downgrade).strip(), "    "),
            )
        )
        return f"{number:03d}"

    def environment(self, url: str | None) -> dict[str, str]:
        return environment(url, PYTHONPATH=str(self.root.parent))

    def alembic(self, *arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run Alembic's command line in this checkout."""
        return self.python("-m", "alembic", *arguments, url=url)

    def python(
        self, *arguments: str, url: str | None = None, imported: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run Python in this checkout; where it is *imported* already, or anew."""
        return run_python(arguments, env=self.environment(url), cwd=self.root, imported=imported)

    def start(self, *arguments: str, url: str) -> subprocess.Popen[str]:
        """Start Alembic's command line and do not wait for it."""
        return self.start_python("-m", "alembic", *arguments, url=url)

    def start_python(self, *arguments: str, url: str, **options: Any) -> subprocess.Popen[str]:
        """Start Python in this checkout and do not wait for it."""
        env = self.environment(url)
        return self._processes.enter(beside(sys.executable, *arguments, cwd=self.root, env=env, **options))


REVISION = '''"""Added by a test.

Locks: as the test says.
Reverse: lossless
Data: none
Needs: membership of agent_owner
"""

import sqlalchemy as sa
from alembic import op

from spotify_ai_agent_migrations.versions.core.ddl import execute

revision = "{number}"
down_revision = "{parent}"
branch_labels = None
depends_on = None


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
'''
