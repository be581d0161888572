"""Fill a column of a table that was never analyzed: by one and two sessions of ours, one plain UPDATE, batches of pgroll.

    python benchmarks/zero_downtime_backfill.py [ROWS ...]

The four take turns, each with the same new table, and begin in turn; the median of each is taken. The batches are
pgroll's statement written down here, not the tool: 1,000 rows after the last key by LIMIT, locked and joined back to the
table. Each of them waits for the disk; ours wait once, at the end of the fill, since each is committed together with how far
it came. Printed are rows a second, and ours as a multiple of the others. Runs on DATABASE_URL or on the local server, in a
database of its own.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Backfill,
    Manner,
    Pace,
    abort,
    backfill,
    start,
)
from versions.core.embedded import home
from versions.core.embedded import start as started

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "backfill_benchmark"
TABLE = """
DROP TABLE IF EXISTS things;
CREATE TABLE things (id bigint PRIMARY KEY, said text NOT NULL, amount int NOT NULL, doubled bigint) WITH (autovacuum_enabled = off);
INSERT INTO things SELECT n, repeat('x', 60), n % 1000 FROM generate_series(1, {rows}) AS n;
CHECKPOINT
"""
WISH = Backfill("public.things", (("doubled", "amount * 2"),), "doubled IS NULL")
PGROLL = """
WITH batch AS (SELECT id FROM things WHERE id > %s ORDER BY id LIMIT 1000 FOR NO KEY UPDATE),
     updated AS (UPDATE things SET doubled = amount * 2 FROM batch WHERE things.id = batch.id RETURNING things.id)
SELECT max(id) FROM updated
"""


def execute(url: str, text: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        for statement in text.split(";"):
            connection.cursor().execute(statement)


def ours(url: str, workers: int = 1) -> float:
    given = resolve_settings(url)
    start(WISH, settings=given)
    began_s = time.monotonic()
    backfill(WISH, settings=given, manner=Manner(pace=Pace(workers=workers)))
    took_s = time.monotonic() - began_s
    abort(WISH, settings=given)
    return took_s


def by_two(url: str) -> float:
    return ours(url, workers=2)


def plain(url: str) -> float:
    began_s = time.monotonic()
    execute(url, "UPDATE things SET doubled = amount * 2 WHERE doubled IS NULL")
    return time.monotonic() - began_s


def pgroll(url: str) -> float:
    began_s = time.monotonic()
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        last: object = 0
        while last is not None:
            cursor.execute(PGROLL, (last,))
            (last,) = cursor.fetchone() or (None,)
    return time.monotonic() - began_s


def recreate(server: str) -> str:
    execute(server, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE); CREATE DATABASE {DATABASE}")
    parts = parse_dsn(make_dsn(server, dbname=DATABASE))
    return f"postgresql://{parts.get('user', '')}@/{DATABASE}?host={parts.get('host', '')}&port={parts.get('port', 5432)}"


def taken_s(url: str, rows: int) -> list[float]:
    """Return the median of the seconds that each way took."""
    ways: tuple[Callable[[str], float], ...] = (ours, by_two, plain, pgroll)
    took_s: dict[Callable[[str], float], list[float]] = {way: [] for way in ways}
    times = 5 if rows <= 100_000 else 3
    for first in range(times):
        for place in range(len(ways)):
            execute(url, TABLE.format(rows=rows))
            way = ways[(first + place) % len(ways)]
            took_s[way].append(way(url))
    return [statistics.median(took_s[way]) for way in ways]


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [10_000, 100_000, 1_000_000, 10_000_000]
    url = recreate(os.environ.get("DATABASE_URL") or started(home()).url)
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(
        command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True, capture_output=True
    )
    print(
        f"{'rows':>12}{'ours rows/s':>14}{'by two':>12}{'plain':>12}{'pgroll':>12}"
        f"{'/plain':>9}{'/pgroll':>9}{'two/pgroll':>12}{'client MiB':>12}"
    )
    for rows in sizes:
        one, two, whole, batches = (rows / took_s for took_s in taken_s(url, rows))
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{rows:>12,}{one:>14,.0f}{two:>12,.0f}{whole:>12,.0f}{batches:>12,.0f}"
            f"{one / whole:>9.2f}{one / batches:>9.2f}{two / batches:>12.2f}{peak_mib:>12.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
