"""Measure the runner beside bare Alembic on the same revisions, interleaved in one run.

    python benchmarks/runner.py [ROUNDS] [REVISIONS]

Each round migrates a new database to head and then finds nothing to do, through our env.py and through the
one that `alembic init` writes. What ours adds is the gate, the lock, the journal and the fingerprints. With
REVISIONS, that many small ones are made for it in a copy of this checkout; without, our own are taken. Runs on
DATABASE_URL or on the local server; drops what it made.
"""

from __future__ import annotations

import os
import shutil
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
from versions.governance.checksums import LIST, rendered

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "spotify_ai_agent_migrations"
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
REVISION = '''"""Make table t{number}.

Locks: none; the table is new.
Reverse: lossy
Data: none
Needs: CREATE on schema public
"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {parent}


def upgrade() -> None:
    op.create_table(
        "t{number}",
        sa.Column("id", sa.BigInteger, nullable=False, comment="none: number of the row"),
        sa.PrimaryKeyConstraint("id", name="t{number}_pkey"),
    )


def downgrade() -> None:
    op.drop_table("t{number}")
'''


def checkout(folder: Path, count: int) -> Path:
    """Return a copy of this checkout below *folder*, with *count* small revisions in place of ours."""
    copy = folder / PACKAGE
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests", "[0-9]*.py", LIST)
    shutil.copytree(ROOT, copy, ignore=left_out)
    for number in range(1, count + 1):
        parent = f'"{number - 1:03d}"' if number > 1 else "None"
        text = REVISION.format(number=f"{number:03d}", parent=parent)
        (copy / "versions" / f"{number:03d}_step.py").write_text(text)
    (copy / "versions" / LIST).write_text(rendered(sorted((copy / "versions").glob("[0-9]*.py"))))
    return copy


def bare_configuration(folder: Path, root: Path) -> Path:
    """Return the alembic.ini of a bare environment over the revisions of *root*."""
    (folder / "env.py").write_text(BARE)
    (folder / "script.py.mako").write_text("")
    ini = folder / "alembic.ini"
    ini.write_text(
        f"[alembic]\nscript_location = {folder}\n"
        f"version_locations = {root / 'versions'}\npath_separator = os\n"
    )
    return ini


def upgrade(ini: Path, url: str, root: Path) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ini), "upgrade", "head"],
        check=True, capture_output=True, cwd=root,
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(root.parent)},
    )  # fmt: skip
    return time.perf_counter() - started


def recreate(url: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {DATABASE}")


def main(rounds: int, count: int) -> None:
    url = os.environ.get("DATABASE_URL") or start(home()).url
    address, mark, query = url.partition("?")
    target = f"{address.rpartition('/')[0]}/{DATABASE}{mark}{query}"
    seconds: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = checkout(folder, count) if count else ROOT
        ways = {"ours": root / "alembic.ini", "bare Alembic": bare_configuration(folder, root)}
        for number in range(rounds):
            for way in sorted(ways, reverse=bool(number % 2)):
                recreate(url)
                for what in ("to head", "nothing to do"):
                    seconds.setdefault((what, way), []).append(upgrade(ways[way], target, root))
        made = len(list((root / "versions").glob("[0-9]*.py")))
    for what in ("to head", "nothing to do"):
        ours, bare = (statistics.median(seconds[what, way]) for way in ways)
        print(
            f"{made} revisions, {what:13} ours {ours:.2f} s, bare Alembic {bare:.2f} s, "
            f"added {ours - bare:.2f} s, ratio {ours / bare:.2f}"
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["5", "0"][len(sys.argv) - 1 :])))
