"""Measure the scan for undeclared personal data beside a regular expression over every row by hand, interleaved.

    python benchmarks/gdpr_scan.py [ROWS] [ROUNDS]

A table of ROWS rows has a text column and a JSON column; one row in a hundred holds an e-mail address in each. By
hand every row of both columns is matched in one query. The scan looks at a sample of every column of the database,
this table among them; `--subject` reads every row, as by hand, for four identifiers in any case and Unicode form.
Printed is the median time, and whether both columns were found. Runs on DATABASE_URL, in a database of its own, or
on the local server; drops what it made.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.core.embedded import home, start
from versions.gdpr_erasure import probe, scan

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "gdpr_scan_benchmark"
FILL = """
    CREATE TABLE public.big AS
    SELECT n AS id, CASE n %% 100 WHEN 0 THEN 'write to p' || n || '@example.org' ELSE repeat('word ', 20) END AS note,
           jsonb_build_object('n', n, 'to', CASE n %% 100 WHEN 50 THEN 'p' || n || '@example.org' END) AS doc
      FROM generate_series(1, %s) AS n;
    INSERT INTO public.users (id, email, display_name) VALUES (1, 'P.100+a@example.org', 'Some Body');
    INSERT INTO public.user_identities (user_id, provider, provider_user_id) VALUES (1, 'spotify', 'somebody1');
"""
BY_HAND = """
    SELECT count(*) FILTER (WHERE note ~* '[a-z0-9._%+-]+@[a-z0-9.-]+[.][a-z]{2,}'),
           count(*) FILTER (WHERE doc::text ~* '[a-z0-9._%+-]+@[a-z0-9.-]+[.][a-z]{2,}')
      FROM public.big
"""
PLACES = {"public.big.note", "public.big.doc"}


def made(server: str) -> str:
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
        parameters = {**connection.info.dsn_parameters, "dbname": DATABASE}
    host = parameters.get("host", "")
    url = f"postgresql://{parameters['user']}@/{DATABASE}?host={host}&port={parameters['port']}"
    upgrade = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(
        upgrade, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True, capture_output=True
    )
    return url


def by_hand(url: str) -> set[str]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(BY_HAND)
        counts = cursor.fetchone() or ()
    return PLACES if all(counts) else set()


def timed(work: Callable[[], set[str]]) -> tuple[float, bool]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found >= PLACES


def main(rows: int, rounds: int) -> None:
    server = os.environ.get("DATABASE_URL") or start(home()).url
    url = made(server)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(FILL, (rows,))
    ways: dict[str, Callable[[], set[str]]] = {
        "by hand, every row of the table": lambda: by_hand(url),
        "scan, a sample of every column there is": lambda: {one.place for one in scan(url)},
        "scan --subject, every row of every column": lambda: {
            one.place for one in probe(1, url, also=["p150@example.org"]).held
        },
    }
    times: dict[str, list[tuple[float, bool]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            times[name].append(timed(work))
    print(f"{rows:,} rows, median of {rounds}")
    for name, taken in times.items():
        said = "both columns found" if all(found for _, found in taken) else "NOT both columns found"
        print(f"{name:45} {statistics.median(seconds for seconds, _ in taken):7.2f} s  {said}")
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*(given + [1_000_000, 5][len(given) :]))
