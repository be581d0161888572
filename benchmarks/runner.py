"""Measure the runner beside bare Alembic on the same revisions, interleaved in one run.

    python benchmarks/runner.py [ROUNDS]

Each round migrates a new database to head and then finds nothing to do, through our env.py and through the
one that `alembic init` writes. Runs on DATABASE_URL or on the local server; drops what it made.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.core.embedded import home, start

ROOT = Path(__file__).resolve().parents[1]

DATABASE = "runner_benchmark"
BARE = """
from alembic import context
from sqlalchemy import create_engine, pool
import os

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"),
                       poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
"""


def bare_configuration(folder: Path) -> Path:
    (folder / "env.py").write_text(BARE)
    (folder / "script.py.mako").write_text("")
    ini = folder / "alembic.ini"
    ini.write_text(
        f"[alembic]\nscript_location = {folder}\n"
        f"version_locations = {ROOT / 'versions'}\npath_separator = os\n"
    )
    return ini


def upgrade(ini: Path, url: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ini), "upgrade", "head"],
        check=True, capture_output=True, env={**os.environ, "DATABASE_URL": url}, cwd=ROOT,
    )  # fmt: skip
    return time.perf_counter() - started


def recreate(url: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {DATABASE}")


def main(rounds: int) -> None:
    url = os.environ.get("DATABASE_URL") or start(home()).url
    address, mark, query = url.partition("?")
    target = f"{address.rpartition('/')[0]}/{DATABASE}{mark}{query}"
    seconds: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ways = {"ours": ROOT / "alembic.ini", "bare Alembic": bare_configuration(Path(folder))}
        for number in range(rounds):
            for name in sorted(ways, reverse=bool(number % 2)):
                recreate(url)
                for what in ("to head", "nothing to do"):
                    seconds.setdefault((what, name), []).append(upgrade(ways[name], target))
    for what in ("to head", "nothing to do"):
        ours, bare = (statistics.median(seconds[what, name]) for name in ways)
        print(f"{what:14} ours {ours:.2f} s, bare Alembic {bare:.2f} s, ratio {ours / bare:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
