"""Measure the export of one person beside a COPY of each table written by hand, while the rows of others grow.

    python benchmarks/gdpr_export.py [ROWS_OF_OTHERS …]

A person with 10,000 rows in the five largest tables, among so many rows of others (one person for every hundred of
them). By hand is what a careful colleague would write: for each table that the catalogue knows of, COPY (SELECT … WHERE
user_id = …) TO STDOUT as CSV, by index, and nothing else: one format, no schema, no page, no count past row security,
no entry in the trail, and the identifiers of others left in. Both write to the same disk, in turn, five times; medians.
The trail has no index by person, so that every change stays cheap, and is read as a whole: what that takes is shown
on its own. Runs on DATABASE_URL, or on the local server; drops the database that it made.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.core.embedded import home, start
from versions.gdpr_erasure.export import export_subject

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "gdpr_export_benchmark"
PERSON = 1
OWN_ROWS = 10_000
ROUNDS = 5
SIZES = (100_000, 1_000_000)

TABLES = {
    "users": "id", "user_identities": "user_id", "consent": "user_id", "consent_events": "user_id", "playlists": "user_id",
    "playlist_items": "user_id", "playlist_item_versions": "user_id", "playlist_snapshots": "user_id",
    "playlist_collaborators": "user_id", "listens": "user_id", "analytics": "user_id", "agent_conversations": "user_id",
    "agent_messages": "user_id", "agent_tool_calls": "user_id", "user_features": "user_id", "recommendations": "user_id",
}  # fmt: skip

FILL = """
SET session_replication_role = replica;
INSERT INTO tracks (title, source) SELECT 'track ' || n, 'internal' FROM generate_series(1, 5000) AS n WHERE NOT EXISTS (SELECT FROM tracks);
INSERT INTO users (id) SELECT n FROM generate_series(%(first)s, %(last)s) AS n ON CONFLICT DO NOTHING;
INSERT INTO playlists (user_id, id, name) SELECT n, n, 'list' FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO listens (user_id, track_id, listened_at, ms_played)
    SELECT %(first)s + n %% (%(last)s - %(first)s + 1), 1 + n %% 5000, '2026-01-01'::timestamptz + n * interval '1 s', n FROM generate_series(1, %(rows)s / 2) AS n;
INSERT INTO analytics (user_id, event_name, properties, created_at)
    SELECT %(first)s + n %% (%(last)s - %(first)s + 1), 'track.played', '{"from": "home"}', '2026-01-01'::timestamptz + n * interval '1 s' FROM generate_series(1, %(rows)s * 3 / 10) AS n;
INSERT INTO playlist_items (user_id, playlist_id, rank, track_id, added_by)
    SELECT %(first)s + n %% (%(last)s - %(first)s + 1), %(first)s + n %% (%(last)s - %(first)s + 1), n, 1 + n %% 5000, %(first)s + n %% (%(last)s - %(first)s + 1) FROM generate_series(1, %(rows)s / 10) AS n;
INSERT INTO user_features (user_id, feature, event_at, value)
    SELECT %(first)s + n %% (%(last)s - %(first)s + 1), 'taste@1', '2026-01-01'::timestamptz + n * interval '1 s', '0.5' FROM generate_series(1, %(rows)s / 10) AS n;
INSERT INTO audit_log (entity_id, action, actor_type, entity_type, subject_ref)
    SELECT n, 'update', 'service', 'listen', n FROM generate_series(1, %(rows)s / 10) AS n;
"""


def filled(connection: Connection, first: int, last: int, rows: int) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(FILL, {"first": first, "last": last, "rows": rows})
    connection.autocommit = True
    connection.cursor().execute("VACUUM ANALYZE")
    connection.autocommit = False


def by_hand(connection: Connection, folder: Path) -> None:
    with connection.cursor() as cursor:
        for table, column in TABLES.items():
            with (folder / f"{table}.csv").open("wb") as file:
                cursor.copy_expert(
                    f"COPY (SELECT * FROM {table} WHERE {column} = {PERSON}) TO STDOUT (FORMAT csv, HEADER)",
                    file,
                )
    connection.rollback()


def timed(do: Callable[[Path], object]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        do(Path(folder))
        return time.perf_counter() - began


def exported(url: str, place: Path, trail: list[float]) -> None:
    done = export_subject(PERSON, place, url=url)
    assert done.rows >= OWN_ROWS, done.rows
    trail.append(sum(part.seconds for part in done.parts if part.table == "public.audit_log"))


def measured(url: str, others: int) -> None:
    trail: list[float] = []
    with closing(psycopg2.connect(url)) as connection:
        ways: dict[str, Callable[[Path], object]] = {
            "by hand": lambda folder: by_hand(connection, folder),
            "export, ZIP": lambda folder: exported(url, folder / "out.zip", trail),
            "export, directory": lambda folder: exported(url, folder / "out", trail),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, do in ways.items():
                took[name].append(timed(do))
    took["of that, the trail"] = trail
    print(f"{others:,} rows of others")
    for name, seconds in took.items():
        print(
            f"  {name:<18} {statistics.median(seconds):7.3f} s   ({min(seconds):.3f}-{max(seconds):.3f})",
            flush=True,
        )


def main(sizes: Sequence[int]) -> None:
    url = os.environ.get("DATABASE_URL") or start(home()).url
    address, mark, query = url.partition("?")
    target = f"{address.rpartition('/')[0]}/{DATABASE}{mark}{query}"
    with closing(psycopg2.connect(url)) as admin:
        admin.autocommit = True
        admin.cursor().execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin.cursor().execute(f"CREATE DATABASE {DATABASE}")
        try:
            grown(target, sizes)
        finally:
            admin.cursor().execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def grown(target: str, sizes: Sequence[int]) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        check=True, capture_output=True, env={**os.environ, "DATABASE_URL": target}, cwd=ROOT,
    )  # fmt: skip
    people, rows = PERSON, 0
    with closing(psycopg2.connect(target)) as connection:
        filled(connection, PERSON, PERSON, OWN_ROWS)
        for size in sizes:
            more = max(1, (size - rows) // 100)
            filled(connection, people + 1, people + more, size - rows)
            people, rows = people + more, size
            measured(target, size)


if __name__ == "__main__":
    main([int(one.replace(",", "")) for one in sys.argv[1:]] or SIZES)
