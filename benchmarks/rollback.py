"""Measure what it costs to keep a dropped table by moving it, beside copying it, interleaved in one run.

    python benchmarks/rollback.py [ROUNDS]

Each round rolls back, through our own runner, a revision that drops a table, for tables of three sizes: once as
it is, which moves the table, and once with an enum column whose type goes too, which has to copy it. Printed is the
median of the time that the step took by the journal, and how long a writer was kept waiting at most. Runs on
DATABASE_URL or on the local server; drops what it made.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.core.embedded import home, start

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "spotify_ai_agent_migrations"
DATABASE = "rollback_benchmark"
ROWS = (10_000, 100_000, 1_000_000)
REVISION = '''"""Make table big.

Locks: none; the table is new.
Reverse: lossy
Data: none
Needs: CREATE on schema public
"""

from spotify_ai_agent_migrations.versions.core.ddl import execute

revision = "{number}"
down_revision = "{parent}"


def upgrade() -> None:
    execute("DO $revision$ BEGIN EXECUTE $up${up}$up$; END $revision$")


def downgrade() -> None:
    execute("DROP TABLE public.big")
    execute("{down}")
'''
WAYS = {
    "moved": ("CREATE TABLE public.big (id bigint PRIMARY KEY, said text, how text)", "SELECT 1"),
    "copied": (
        (
            "CREATE TYPE public.feeling AS ENUM ('glad'); "
            "CREATE TABLE public.big (id bigint PRIMARY KEY, said text, how public.feeling)"
        ),
        "DROP TYPE public.feeling",
    ),
}
FILL = "INSERT INTO big SELECT n, repeat('x', 100), 'glad' FROM generate_series(1, %s) AS n"
STEP = "SELECT duration_ms FROM ops.migration_journal WHERE direction = 'downgrade' AND state = 'applied'"


def checkout(folder: Path, way: str) -> Path:
    """Return a copy of this checkout with one revision more, whose table goes by *way*."""
    copy = folder / way / PACKAGE
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests", "CHECKSUMS")
    shutil.copytree(ROOT, copy, ignore=left_out)
    last = max(int(file.name[:3]) for file in (copy / "versions").glob("[0-9]*.py"))
    up, down = WAYS[way]
    text = REVISION.format(number=f"{last + 1:03d}", parent=f"{last:03d}", up=up, down=down)
    (copy / "versions" / f"{last + 1:03d}_big.py").write_text(text)
    return copy


def run(root: Path, url: str, *command: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(root.parent)}
    subprocess.run(
        [sys.executable, "-m", *command], check=True, capture_output=True, cwd=root, env=environment
    )


def recreate(url: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {DATABASE}")


def filled(url: str, count: int, way: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(FILL.replace("'glad'", "'glad'::feeling") if way == "copied" else FILL, (count,))
        connection.commit()


def writes(url: str, enough: threading.Event, took_s: list[float]) -> None:
    """Write into the table without a pause until it is gone."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while not enough.is_set():
            began_s = time.monotonic()
            try:
                cursor.execute("UPDATE big SET said = said WHERE id = 1")
            except psycopg2.errors.UndefinedTable:
                return
            finally:
                took_s.append(time.monotonic() - began_s)
            time.sleep(0.01)


def back(root: Path, url: str) -> tuple[float, float]:
    """Roll back; return how long the step took and how long a writer waited at most, in milliseconds."""
    code = (
        "from spotify_ai_agent_migrations.versions.rollback import plan_rollback, rollback;"
        "rollback('-1', accept_data_loss=plan_rollback('-1').digest, copy_timeout_ms=600_000)"
    )
    enough, took_s = threading.Event(), [0.0]
    writer = threading.Thread(target=writes, args=(url, enough, took_s))
    writer.start()
    try:
        environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(root.parent)}
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, cwd=root, env=environment
        )
    finally:
        enough.set()
        writer.join()
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(STEP)
        ((took_ms,),) = cursor.fetchall()
    return float(took_ms), max(took_s) * 1_000


def main(rounds: int) -> None:
    url = os.environ.get("DATABASE_URL") or start(home()).url
    address, mark, query = url.partition("?")
    target = f"{address.rpartition('/')[0]}/{DATABASE}{mark}{query}"
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        roots = {way: checkout(Path(name), way) for way in WAYS}
        for number in range(rounds):
            for count in ROWS:
                for way in sorted(WAYS, reverse=bool(number % 2)):
                    recreate(url)
                    run(roots[way], target, "alembic", "upgrade", "head")
                    filled(target, count, way)
                    found.setdefault((count, way), []).append(back(roots[way], target))
    medians = {key: [statistics.median(part) for part in zip(*each)] for key, each in found.items()}  # noqa: B905
    for count in ROWS:
        (moved, waited), (copied, held_up) = medians[count, "moved"], medians[count, "copied"]
        print(
            f"{count:>9,} rows: moved {moved:6.0f} ms (a writer waits {waited:5.0f}), "
            f"copied {copied:6.0f} ms (a writer waits {held_up:5.0f}), ratio {copied / moved:.1f}"
        )
    growth = {way: medians[ROWS[-1], way][0] / medians[ROWS[0], way][0] for way in WAYS}
    print(f"a table a hundred times as large: moved x {growth['moved']:.2f}, copied x {growth['copied']:.2f}")
    recreate(url)
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
