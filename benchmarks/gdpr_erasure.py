"""Measure the erasure of people beside DELETEs written by hand, while the rows of others grow.

    python benchmarks/gdpr_erasure.py [ROWS_OF_OTHERS …]

People with 10,000 rows each in the largest tables, among so many rows of others (one person for every hundred of
them). By hand is what a careful colleague would write: for each table of a person, DELETE … WHERE
user_id = …, by index, children first, and users set to NULL; one transaction, and nothing else: no plan, no tombstone,
no wait for older transactions, no second look, no statistics, no trail redacted, no certificate. One person is erased
by hand and the next by `erase_user`, in turn; medians. The same triggers fire for both, and each is given a URL: it
opens a session of its own.

Meanwhile another session writes a row of its own again and again: how long its longest write took is told of both.
Runs on DATABASE_URL, or on the local server; drops the database that it made.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.core.embedded import home, start
from versions.core.signing import make_keys
from versions.gdpr_erasure.erase.run import erase_user

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "gdpr_erasure_benchmark"
OWN_ROWS = 10_000
ROUNDS = 5
SIZES = (100_000, 1_000_000)
WRITER = 1

BY_HAND = (
    "agent_tool_calls", "agent_messages", "agent_conversations", "analytics", "consent", "listens",
    "objections", "playlist_collaborators", "playlist_item_versions", "playlist_items", "playlist_snapshots", "playlists",
    "recommendations", "user_features", "user_identities",
)  # fmt: skip
USERS = """
UPDATE users SET email = NULL, email_hmac = NULL, display_name = NULL, country_code = NULL, birth_year = NULL WHERE id = %s
"""
WRITE = "INSERT INTO listens (user_id, track_id, listened_at, ms_played) VALUES (%s, 1, clock_timestamp(), 1)"

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


def vacuumed(connection: Connection) -> None:
    connection.autocommit = True
    connection.cursor().execute("VACUUM ANALYZE")
    connection.autocommit = False


def by_hand(url: str, person: int) -> None:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for table in BY_HAND:
            cursor.execute(f"DELETE FROM {table} WHERE user_id = %s", (person,))
        cursor.execute(USERS, (person,))


def by_us(url: str, person: int) -> None:
    certificate = erase_user(person, url=url)
    assert sum(one.rows for one in certificate.tables) >= OWN_ROWS


@contextmanager
def writing(url: str, took: list[float]) -> Iterator[None]:
    """Write a row again and again beside the block, and note how long the longest took."""
    ended = threading.Event()

    def write() -> None:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            longest = 0.0
            while not ended.is_set():
                began = time.perf_counter()
                cursor.execute(WRITE, (WRITER,))
                longest = max(longest, time.perf_counter() - began)
                time.sleep(0.001)
            took.append(longest)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def measured(url: str, people: Iterator[int], others: int) -> None:
    took: dict[str, list[float]] = {"by hand": [], "erase_user": []}
    longest: dict[str, list[float]] = {name: [] for name in took}
    ways: dict[str, Callable[[int], None]] = {
        "by hand": lambda person: by_hand(url, person),
        "erase_user": lambda person: by_us(url, person),
    }
    for _ in range(ROUNDS):
        for name, do in ways.items():
            person = next(people)
            with writing(url, longest[name]):
                took[name].append(timed(lambda do=do, person=person: do(person)))  # type: ignore[misc]
    print(f"{others:,} rows of others")
    for name, seconds in took.items():
        ratio = statistics.median(seconds) / statistics.median(took["by hand"])
        print(
            f"  {name:<10} {statistics.median(seconds):7.3f} s   ({min(seconds):.3f}-{max(seconds):.3f})   {ratio:4.2f} times"
            f"   longest write of another session {1000 * max(longest[name]):.0f} ms",
            flush=True,
        )


@contextmanager
def keys() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        make_keys(Path(folder, "key"), Path(folder, "key.pub"))
        os.environ |= {"ERASURE_SIGNING_KEY_FILE": f"{folder}/key", "ERASURE_LEDGER_KEY": "ab" * 32}
        os.environ |= {"ERASURE_LEDGER_FILE": f"{folder}/ledger"}
        yield


def main(sizes: Sequence[int]) -> None:
    url = os.environ.get("DATABASE_URL") or start(home()).url
    address, mark, query = url.partition("?")
    target = f"{address.rpartition('/')[0]}/{DATABASE}{mark}{query}"
    with closing(psycopg2.connect(url)) as admin, keys():
        admin.autocommit = True
        admin.cursor().execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin.cursor().execute(f"CREATE DATABASE {DATABASE}")
        try:
            grown(target, sizes)
        finally:
            admin.cursor().execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


def grown(target: str, sizes: Sequence[int]) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        check=True, capture_output=True, env={**os.environ, "DATABASE_URL": target}, cwd=ROOT,
    )  # fmt: skip
    people, rows = WRITER, 0
    with closing(psycopg2.connect(target)) as connection:
        filled(connection, WRITER, WRITER, 100)
        # In a table that has few rows yet anybody has a large share.
        connection.cursor().execute("UPDATE ops.erasure_limits SET most_share = 1")
        for size in sizes:
            erased = range(people + 1, people + 1 + 2 * ROUNDS)
            for person in erased:
                filled(connection, person, person, OWN_ROWS)
            people = erased[-1]
            more = max(1, (size - rows) // 100)
            filled(connection, people + 1, people + more, size - rows)
            people, rows = people + more, size
            vacuumed(connection)
            measured(target, iter(erased), size)


if __name__ == "__main__":
    main([int(one.replace(",", "")) for one in sys.argv[1:]] or SIZES)
