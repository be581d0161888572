"""Change a table that 16 clients use: ours, and the plain statement that `op.*` sends, under the same offered load.

    python benchmarks/zero_downtime_migration.py [ROWS] [OPERATION ...] [--tracks FILE.csv]

The table holds plays of the tracks of a music store (with a file of them, name and milliseconds are those of its rows
in turn; without one they are made up). 16 clients of pgbench offer half of what the machine gave them without a limit:
eight in ten transactions read a play by its key, one changes one, one adds one. Every change has the same load without it
beside it, for as long (a minute at most); a client waits from when its transaction was due, so a queue counts. A reader
that keeps its transaction open for three seconds goes by every five. Printed are the longest any transaction took, the
99th percentile and the throughput, the two also as ratios to the load without a change, and before them the settings by
which what is written reaches the disk: with those that PostgreSQL comes with there is one checkpoint after the other.
Runs on DATABASE_URL or on the local server, in a database of its own that it drops.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import change
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import wish_of
from versions.core.embedded import home, program, start

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "zero_downtime_benchmark"
BASE = "zero_downtime_benchmark_base"
PGBENCH = str(program("pgbench") or "pgbench")
CLIENTS = 16
QUIET_S = 10
QUIET_MOST_S = 60
MIXED = """
\\set id random(1, {rows})
\\set dice random(1, 10)
\\if :dice <= 8
SELECT track, country FROM public.plays WHERE id = :id;
\\elif :dice = 9
UPDATE public.plays SET ms = ms + 1 WHERE id = :id;
\\else
INSERT INTO public.plays (listener, track, ms, country) VALUES (:id, 'new', 1, 'FR');
\\endif
"""
PLAYS = """
CREATE TABLE public.listeners (id bigint PRIMARY KEY);
INSERT INTO public.listeners SELECT generate_series(1, {rows});
CREATE TABLE public.plays (
    id bigserial PRIMARY KEY, listener bigint NOT NULL, track text, ms integer, country text, note text, played_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO public.plays (listener, track, ms, country)
SELECT n, coalesce(track.name, 'track ' || n % 3503), coalesce(track.ms, n % 300000), 'FR'
  FROM generate_series(1, {rows}) AS n LEFT JOIN tracks AS track ON track.place = n % {tracks};
CREATE INDEX ON public.plays (country);
VACUUM ANALYZE public.plays;
"""


@dataclass(frozen=True)
class Case:
    """An operation: what it is called, its arguments, and the statements of the plain way.

    What every write costs from then on, whoever made it, is `there` in the load that it is compared with.
    """

    operation: str
    arguments: dict[str, object]
    plain: str
    there: str = "SELECT"


CASES = (
    Case("add_column", {"table": "public.plays", "column": "seen_at", "type": "timestamptz", "default": "clock_timestamp()"},
         "ALTER TABLE public.plays ADD COLUMN seen_at timestamptz DEFAULT clock_timestamp()"),
    Case("set_not_null", {"table": "public.plays", "column": "track"},
         "ALTER TABLE public.plays ALTER COLUMN track SET NOT NULL"),
    Case("add_check", {"table": "public.plays", "condition": "ms >= 0"},
         "ALTER TABLE public.plays ADD CHECK (ms >= 0)"),
    Case("add_foreign_key", {"table": "public.plays", "columns": ("listener",), "referenced": "public.listeners", "without_index": True},
         "ALTER TABLE public.plays ADD FOREIGN KEY (listener) REFERENCES public.listeners (id)",
         "ALTER TABLE public.plays ADD FOREIGN KEY (listener) REFERENCES public.listeners (id) NOT VALID"),
    Case("create_index", {"table": "public.plays", "columns": ("listener",)},
         "CREATE INDEX ON public.plays (listener)"),
    Case("add_unique", {"table": "public.plays", "columns": ("listener", "id")},
         "ALTER TABLE public.plays ADD UNIQUE (listener, id)"),
    Case("rebuild_index", {"table": "public.plays", "name": "plays_country_idx"},
         "REINDEX INDEX public.plays_country_idx"),
    Case("change_type", {"table": "public.plays", "column": "ms", "type": "bigint"},
         "ALTER TABLE public.plays ALTER COLUMN ms TYPE bigint"),
    Case("rename_column", {"table": "public.plays", "column": "note", "to": "remark", "trust": True},
         "ALTER TABLE public.plays RENAME COLUMN note TO remark"),
)  # fmt: skip


@dataclass(frozen=True)
class Felt:
    """What the clients felt: the longest transaction, the 99th percentile, and transactions a second."""

    took_s: float
    longest_ms: float
    p99_ms: float
    per_s: float


def execute(url: str, *statements: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def settings(server: str) -> list[tuple[str, str]]:
    """Return by which settings what is written reaches the disk."""
    statement = "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s) ORDER BY name"
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, (["shared_buffers", "max_wal_size", "checkpoint_timeout"],))
        return cursor.fetchall()


def named(server: str, database: str) -> str:
    """Return the URL of another database of the server."""
    address, mark, query = server.partition("?")
    return f"{address.rpartition('/')[0]}/{database}{mark}{query}"


def prepared(server: str, rows: int, tracks: Path | None) -> None:
    """Make a database with the ledger and the table, to be cloned."""
    execute(server, f"DROP DATABASE IF EXISTS {BASE} WITH (FORCE)", f"CREATE DATABASE {BASE}")
    url = named(server, BASE)
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        check=True, capture_output=True, env={**os.environ, "DATABASE_URL": url}, cwd=ROOT,
    )  # fmt: skip
    found = read(tracks) if tracks else []
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE tracks (place integer PRIMARY KEY, name text, ms integer)")
            for place, (name, ms) in enumerate(found):
                cursor.execute("INSERT INTO tracks VALUES (%s, %s, %s)", (place, name, ms))
            for statement in PLAYS.format(rows=rows, tracks=max(1, len(found))).split(";\n"):
                if statement.strip():
                    cursor.execute(statement)


def fresh(server: str) -> str:
    """Return the URL of a clone of it, which is on the disk: what is written later would be in the clients' way."""
    execute(
        server,
        f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)",
        f"CREATE DATABASE {DATABASE} TEMPLATE {BASE} STRATEGY file_copy",
        "CHECKPOINT",
    )
    os.sync()
    return named(server, DATABASE)


def read(tracks: Path) -> list[tuple[str, int]]:
    with tracks.open(encoding="utf-8", newline="") as file:
        return [(row["name"], int(row["milliseconds"])) for row in csv.DictReader(file)]


def loaded(url: str, rows: int, work: Callable[[], None], rate: float | None, least_s: float) -> Felt:
    """Offer the load while *work* runs, and for *least_s* at least; return what its clients felt."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "mixed.sql")
        script.write_text(MIXED.format(rows=rows))
        command = [
            PGBENCH, url, "-n", "-M", "prepared", "-f", str(script), "-c", str(CLIENTS), "-j", "2", "-T", "100000",
            "--log", f"--log-prefix={folder}/log", *([f"--rate={rate}"] if rate else []),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began_s = time.monotonic()
        try:
            # The clients have to be there before the change is.
            time.sleep(1)
            work()
            # Who had to wait for it is served by now.
            time.sleep(1)
            time.sleep(max(0.0, least_s - (time.monotonic() - began_s)))
        finally:
            process.kill()
            process.wait()
        took_s = time.monotonic() - began_s
        times_ms = sorted(of_log(Path(folder)))
    return Felt(took_s, times_ms[-1], times_ms[int(len(times_ms) * 0.99)], len(times_ms) / took_s)


def of_log(folder: Path) -> Iterator[float]:
    """Yield how long each transaction took, from when it was due."""
    for file in folder.glob("log*"):
        for line in file.read_text().splitlines():
            parts = line.split()
            # The last line may have been cut off.
            if len(parts) >= 6 and parts[2].isdigit():
                yield int(parts[2]) / 1_000


@contextmanager
def reader(url: str) -> Iterator[None]:
    """Have a reader go by whose transaction stays open for three seconds, every five."""
    over = threading.Event()

    def read_on() -> None:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            while not over.is_set():
                cursor.execute("SELECT 1 FROM public.plays LIMIT 1")
                over.wait(3)
                connection.rollback()
                over.wait(2)

    thread = threading.Thread(target=read_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ours(url: str, case: Case) -> Callable[[], None]:
    def work() -> None:
        change(wish_of(case.operation, case.arguments), settings=resolve_settings(url))

    return work


def shown(name: str, felt: Felt, quiet: Felt) -> None:
    print(
        f"{name:28}{felt.took_s:6.0f} s   longest {felt.longest_ms:8.0f} ms"
        f"   p99 {felt.p99_ms:8.1f} ms ({felt.p99_ms / quiet.p99_ms:6.2f}x)"
        f"   {felt.per_s:7.0f}/s ({felt.per_s / quiet.per_s:5.2f}x)", flush=True,
    )  # fmt: skip


def measured(server: str, rows: int, case: Case, rate: float) -> None:
    """Print what the clients felt with ours, as long without a change, and with the plain one, each on a clone."""
    with reader(url := fresh(server)):
        felt = loaded(url, rows, ours(url, case), rate, QUIET_S)
    url = fresh(server)
    execute(url, case.there)
    with reader(url):
        quiet = loaded(url, rows, lambda: None, rate, min(felt.took_s, QUIET_MOST_S))
    shown(f"{case.operation}, no change", quiet, quiet)
    shown(f"{case.operation}, ours", felt, quiet)
    with reader(url := fresh(server)):
        felt = loaded(url, rows, partial(execute, url, case.plain), rate, QUIET_S)
    shown(f"{case.operation}, plain", felt, quiet)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int, nargs="?", default=10_000_000)
    parser.add_argument("operations", nargs="*")
    parser.add_argument("--tracks", type=Path)
    said = parser.parse_args()
    server = os.environ.get("DATABASE_URL") or start(home()).url
    prepared(server, said.rows, said.tracks)
    print(", ".join(f"{name} {value}" for name, value in settings(server)), flush=True)
    peak = loaded(fresh(server), said.rows, lambda: None, None, QUIET_S).per_s
    print(
        f"{said.rows:,} rows; {peak:.0f} transactions a second without a limit, half of it is offered",
        flush=True,
    )
    for case in CASES:
        if not said.operations or case.operation in said.operations:
            measured(server, said.rows, case, peak / 2)
    execute(server, *(f"DROP DATABASE {name} WITH (FORCE)" for name in (DATABASE, BASE)))


if __name__ == "__main__":
    main()
