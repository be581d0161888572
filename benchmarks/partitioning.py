"""Partition a table while others write to it: ours, a copy in one transaction, pgslice's steps, a drained DEFAULT.

    python benchmarks/partitioning.py [ROWS]

Each way begins with the same table of 24 months, under the same offered load: about 350 writes a second (inserts,
updates of any row, deletes) and a reader of single rows. Every acknowledged write is looked up afterwards, and every
row that is known to exist is looked for while the way is going. The two of other tools are their steps written down
here, not the tools: pgslice copies by id and takes the table to be append-only; the other attaches the table as
DEFAULT and moves its rows out, month by month. Then: ours with a report of eight seconds in the way, the swap at a
tenth of the size, and a hundred calls of `maintain` at once. Runs on DATABASE_URL or on the local server.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import make_dsn, parse_dsn
from psycopg2.sql import Composable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import convert
from spotify_ai_agent_migrations.versions.partitioning.session import Session
from versions.core.embedded import home, start

DATABASE = "partitioning_benchmark"
TABLE = """
CREATE TABLE things (id bigserial PRIMARY KEY, kind int NOT NULL, amount int NOT NULL, said text, at timestamptz NOT NULL DEFAULT now());
INSERT INTO things (kind, amount, said, at)
SELECT n % 100, 0, repeat('x', 60), now() - interval '24 months' + interval '24 months' * n / {rows}::float8 FROM generate_series(1, {rows}) AS n;
CREATE INDEX things_at_idx ON things (at);
CREATE INDEX things_kind_at_idx ON things (kind, at);
VACUUM ANALYZE things
"""
MONTHS = "SELECT to_char(month, 'YYYY_MM'), month::text, (month + interval '1 month')::text FROM generate_series(date_trunc('month', now() - interval '25 months'), date_trunc('month', now() + interval '1 month'), interval '1 month') AS month ORDER BY month"


class Load:
    """Writers and a reader, and what was acknowledged to them."""

    def __init__(self, url: str, rows: int) -> None:
        self.url, self.rows = url, rows
        self.over = threading.Event()
        self.amounts: dict[int, int | None] = {}
        self.held: set[int] = set()
        self.lock = threading.Lock()
        self.longest_ms, self.writes, self.missing, self.errors = 0.0, 0, 0, 0
        self.threads = [threading.Thread(target=self._run, args=(act, seed)) for seed, act in enumerate(
            [self._insert, self._insert, self._insert, self._update, self._delete, self._read])]  # fmt: skip

    def _run(self, act: Callable[[Cursor, random.Random], bool], seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        pause_s = {0: 0.01, 1: 0.01, 2: 0.01, 3: 0.02, 4: 0.1, 5: 0.02}[seed]
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not self.over.is_set():
                began_s = time.monotonic()
                try:
                    written = act(cursor, chance)
                except psycopg2.Error:
                    self.errors, written = self.errors + 1, False
                took_s = time.monotonic() - began_s
                if written:
                    self.writes += 1
                    self.longest_ms = max(self.longest_ms, took_s * 1_000)
                time.sleep(max(0.0, pause_s - took_s))

    def _insert(self, cursor: Cursor, chance: random.Random) -> bool:
        cursor.execute(
            "INSERT INTO things (kind, amount, said) VALUES (%s, 1, 'new') RETURNING id",
            (chance.randrange(100),),
        )
        self.amounts[one(cursor)] = 1
        return True

    def _own(self, chance: random.Random) -> int:
        while True:
            with self.lock:
                key = chance.randrange(1, self.rows + 1)
                if self.amounts.get(key, 0) is not None and key not in self.held:
                    self.held.add(key)
                    return key

    def _change(self, cursor: Cursor, chance: random.Random, statement: str, amount: int | None) -> bool:
        key = self._own(chance)
        try:
            cursor.execute(statement, {"id": key, "amount": amount})
            if cursor.rowcount == 1:
                self.amounts[key] = amount
            else:
                self.missing += 1
        finally:
            self.held.discard(key)
        return True

    def _update(self, cursor: Cursor, chance: random.Random) -> bool:
        return self._change(
            cursor,
            chance,
            "UPDATE things SET amount = %(amount)s WHERE id = %(id)s",
            chance.randrange(1, 1000),
        )

    def _delete(self, cursor: Cursor, chance: random.Random) -> bool:
        return self._change(cursor, chance, "DELETE FROM things WHERE id = %(id)s", None)

    def _read(self, cursor: Cursor, chance: random.Random) -> bool:
        key = self._own(chance)
        try:
            cursor.execute("SELECT 1 FROM things WHERE id = %s", (key,))
            self.missing += cursor.fetchone() is None
        finally:
            self.held.discard(key)
        return False

    def audited(self) -> tuple[int, int]:
        """Return how many acknowledged writes are not there, and how many deleted rows are."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id, amount FROM things WHERE id = ANY (%s)", (list(self.amounts),))
            found = dict(cursor.fetchall())
        lost = sum(amount is not None and found.get(key) != amount for key, amount in self.amounts.items())
        return lost, sum(amount is None and key in found for key, amount in self.amounts.items())


@contextmanager
def loaded(url: str, rows: int) -> Iterator[Load]:
    load = Load(url, rows)
    for thread in load.threads:
        thread.start()
    time.sleep(1)
    try:
        yield load
        time.sleep(1)
    finally:
        load.over.set()
        for thread in load.threads:
            thread.join()


def one(cursor: Cursor) -> int:
    found = cursor.fetchone()
    assert found is not None
    return int(found[0])


def ours(url: str, _: int) -> None:
    convert("things", "at", premake=2, settings=resolve_settings(url))


def naive(url: str, _: int) -> None:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE things RENAME TO things_old; ALTER INDEX things_at_idx RENAME TO o1; ALTER INDEX things_kind_at_idx RENAME TO o2"
        )
        parent(cursor, "things", "things_old")
        cursor.execute("INSERT INTO things SELECT * FROM things_old; DROP TABLE things_old CASCADE")


def parent(cursor: Cursor, name: str, like: str) -> list[tuple[str, str, str]]:
    """Make a partitioned table with its months and indexes, all but the numbering."""
    cursor.execute(
        f"CREATE TABLE {name} (LIKE {like} INCLUDING DEFAULTS, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)"
    )
    cursor.execute(f"ALTER SEQUENCE things_id_seq OWNED BY {name}.id")
    cursor.execute(MONTHS)
    months = cursor.fetchall()
    for suffix, since, until in months:
        cursor.execute(
            f"CREATE TABLE {name}_{suffix} PARTITION OF {name} FOR VALUES FROM ('{since}') TO ('{until}')"
        )
    cursor.execute(f"CREATE INDEX ON {name} (at); CREATE INDEX ON {name} (kind, at)")
    return list(months)


def pgslice(url: str, _: int) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        parent(cursor, "things_new", "things")
        fill = "INSERT INTO things_new SELECT * FROM {} WHERE id > %s AND id <= %s"
        cursor.execute("SELECT max(id) FROM things")
        most = one(cursor)
        for since in range(0, most, 10_000):
            cursor.execute(fill.format("things"), (since, min(since + 10_000, most)))
        cursor.execute(
            "BEGIN; SET LOCAL lock_timeout = '5s'; ALTER TABLE things RENAME TO things_retired; ALTER TABLE things_new RENAME TO things; COMMIT"
        )
        cursor.execute("SELECT max(id) FROM things_retired")
        cursor.execute(fill.replace("things_new", "things").format("things_retired"), (most, one(cursor)))


def drained(url: str, _: int) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY old_key ON things (id, at)")
        cursor.execute(
            "BEGIN; ALTER TABLE things DROP CONSTRAINT things_pkey, ADD CONSTRAINT old_key PRIMARY KEY USING INDEX old_key;"
            " ALTER TABLE things RENAME TO things_default; CREATE TABLE things (LIKE things_default INCLUDING ALL) PARTITION BY RANGE (at);"
            " ALTER SEQUENCE things_id_seq OWNED BY things.id; ALTER TABLE things ATTACH PARTITION things_default DEFAULT; COMMIT"
        )
        cursor.execute(MONTHS)
        for suffix, since, until in cursor.fetchall():
            span = f"at >= '{since}' AND at < '{until}'"
            cursor.execute(f"CREATE TABLE things_{suffix} (LIKE things INCLUDING ALL)")
            while True:
                cursor.execute(
                    f"WITH gone AS (DELETE FROM things_default WHERE ctid IN (SELECT ctid FROM things_default WHERE {span} LIMIT 5000) RETURNING *) INSERT INTO things_{suffix} SELECT * FROM gone"
                )
                if cursor.rowcount == 0:
                    break
            cursor.execute(
                f"BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE;"
                f" WITH gone AS (DELETE FROM things_default WHERE {span} RETURNING *) INSERT INTO things_{suffix} SELECT * FROM gone;"
                f" ALTER TABLE things ATTACH PARTITION things_{suffix} FOR VALUES FROM ('{since}') TO ('{until}'); COMMIT"
            )


def recreate(server: str) -> str:
    with closing(psycopg2.connect(server)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.cursor().execute(f"CREATE DATABASE {DATABASE}")
    parts = parse_dsn(make_dsn(server, dbname=DATABASE))
    return f"postgresql://{parts.get('user', '')}@/{DATABASE}?host={parts.get('host', '')}&port={parts.get('port', 5432)}"


def filled(server: str, rows: int) -> str:
    url = recreate(server)
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        for statement in TABLE.format(rows=rows).split(";"):
            connection.cursor().execute(statement)
    return url


def measured(server: str, rows: int, way: Callable[[str, int], None]) -> tuple[float, Load]:
    url = filled(server, rows)
    with loaded(url, rows) as load:
        began_s = time.monotonic()
        way(url, rows)
        took_s = time.monotonic() - began_s
    return took_s, load


def swap_ms(server: str, rows: int) -> tuple[float, float]:
    """Return how long the statements of the swap took, without a load, and how long its COMMIT.

    COMMIT frees the locks and then removes the file of the old key, for which nobody waits any more.
    """
    url, took = filled(server, rows), [(0.0, 0.0)]
    once, run = Session.once, Session.run
    before = [0.0]

    def noted(session: Session, statement: str | Composable) -> int:
        if session.text(statement) == "COMMIT":
            before[0] = time.monotonic()
        return run(session, statement)

    def timed(session: Session, work: Callable[[], object]) -> object:
        began_s = time.monotonic()
        try:
            return once(session, work)
        finally:
            spans = (before[0] - began_s) * 1_000, (time.monotonic() - before[0]) * 1_000
            took[0] = max(took[0], spans, key=sum)

    Session.once, Session.run = timed, noted  # type: ignore[method-assign, assignment]
    try:
        ours(url, rows)
    finally:
        Session.once, Session.run = once, run  # type: ignore[method-assign]
    return took[0]


def with_report(url: str, rows: int) -> None:
    """Convert, with a report that begins to read just before the swap."""
    note = Session.note

    def report() -> None:
        with closing(psycopg2.connect(url)) as connection:
            connection.cursor().execute(
                "SELECT count(*), pg_sleep(8) FROM (SELECT FROM things LIMIT 1) AS one"
            )

    def noted(_: Session, words: str) -> None:
        if words.startswith("swapping"):
            threading.Thread(target=report).start()
            time.sleep(0.3)

    Session.note = noted  # type: ignore[method-assign, assignment]
    try:
        ours(url, rows)
    finally:
        Session.note = note  # type: ignore[method-assign]


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    server = os.environ.get("DATABASE_URL") or start(home()).url
    print(f"{rows:,} rows, 24 months\n")
    print(
        f"{'way':<34}{'total s':>9}{'longest write ms':>18}{'writes':>8}{'lost':>6}{'back':>6}{'unseen':>8}{'errors':>8}"
    )
    ways = {"ours": ours, "a copy in one transaction": naive, "pgslice's steps": pgslice,
            "DEFAULT, drained by month": drained, "ours, a report of 8 s in the way": with_report}  # fmt: skip
    for name, way in ways.items():
        took_s, load = measured(server, rows, way)
        lost, back = load.audited()
        print(
            f"{name:<34}{took_s:>9.1f}{load.longest_ms:>18.0f}{load.writes:>8}{lost:>6}{back:>6}{load.missing:>8}{load.errors:>8}",
            flush=True,
        )
    whole, tenth = swap_ms(server, rows), swap_ms(server, rows // 10)
    print(
        f"\nthe swap: {whole[0]:.0f} ms, and {tenth[0]:.0f} ms with a tenth of the rows; its COMMIT, which also removes "
        f"the file of the old key: {whole[1]:.0f} ms and {tenth[1]:.0f} ms"
    )
    at_once(server)


def at_once(server: str) -> None:
    """Call for the months to come a hundred times at once."""
    url = filled(server, 1_000)
    with ThreadPoolExecutor(20) as pool:
        done = list(
            pool.map(
                lambda _: convert("things", "at", premake=12, settings=resolve_settings(url)), range(100)
            )
        )
    made = [name for one in done for name in one.made]
    print(f"100 calls at once: {len(made)} partitions made, {len(set(made))} different ones, no errors")


if __name__ == "__main__":
    main()
