"""A backfill: along any key, in batches that grow, killed anywhere, under a stream of inserts, to its proof."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from killing import killed_before
from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, LockError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Backfill,
    Change,
    Manner,
    Pace,
    State,
    abort,
    backfill,
    change,
    start,
    verify,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import arguments_of, wish_of
from support import connected, rows

DUE = "SELECT count(*), count(*) FILTER (WHERE b IS NULL), count(*) FILTER (WHERE b <> a + 1) FROM t"
RANGES = "SELECT table_name, walked_count, row_count, low, high, reached, finished_at IS NOT NULL FROM ops.online_range ORDER BY number"
WISH = Backfill("public.t", (("b", "t.a + 1"),), "b IS NULL")
SMALL = Manner(pace=Pace(first_rows=7, most_rows=50, least_rows=1, look_every_s=0.02))


def made(url: str, key: str = "id integer PRIMARY KEY", value: str = "i", many: int = 1_000) -> str:
    """A table of that key, and rows whose column `b` is due."""
    rows(url, f"CREATE TABLE t ({key}, a integer NOT NULL, b integer)")
    rows(url, f"INSERT INTO t SELECT {value}, i FROM generate_series(1, {many}) AS i")
    return url


def run(url: str, wish: Backfill = WISH, manner: Manner = SMALL) -> Change:
    return change(wish, settings=resolve_settings(url), manner=manner)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id integer PRIMARY KEY", "i * 3"),
        ("id uuid PRIMARY KEY", "md5(i::text)::uuid"),
        ("id text PRIMARY KEY", "'it''s %s \\ {x} ' || i"),
        ("x text, y timestamptz, PRIMARY KEY (x, y)", "i % 7, 'epoch'::timestamptz + i * interval '1.000001 s'"),
        ("x numeric NOT NULL, y bytea NOT NULL, UNIQUE (y, x)", "i / 7.0, decode(md5(i::text), 'hex')"),
        ('many float8 NOT NULL, "t" char(9) NOT NULL, z date, UNIQUE (many, t) INCLUDE (z)', "i / 3.0::float8, i, NULL"),
        ('id integer NOT NULL, j integer, UNIQUE (id)', "-i, i"),
    ],
    ids=["integer", "uuid", "text", "composite", "unique index", "odd names", "unique of several"],
)  # fmt: skip
def test_every_row_is_filled_once_along_any_key(ledger_url: str, key: str, value: str) -> None:
    made(ledger_url, key, value)
    done = run(ledger_url)
    assert (done.state, rows(ledger_url, DUE)) == (State.COMPLETED, [(1_000, 0, 0)])
    # Of what it has walked along no key is left.
    assert rows(ledger_url, RANGES) == [("public.t", 1_000, 1_000, None, None, None, True)]
    assert run(ledger_url) == done


@dataclass(frozen=True)
class SizedPace(Pace):
    """A pace with batches of so many rows, then of one."""

    sizes: Iterator[int] = field(default_factory=lambda: iter(()))

    def next_rows(self, rows: int, took_s: float, share: float = 1.0) -> int:  # noqa: ARG002
        return next(self.sizes, 1)


# Of each transaction that wrote to `t`, how many rows it wrote.
COUNTED = """
CREATE TABLE written (txid xid8, many bigint);
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO written SELECT pg_current_xact_id(), count(*) FROM new; RETURN NULL; END$$;
CREATE TRIGGER counted AFTER UPDATE ON t REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION counted();
"""


@pytest.mark.parametrize("filled", [0, 2])
def test_where_keys_lie_far_apart_and_then_close_no_batch_has_more_than_twice_its_rows(
    ledger_url: str, filled: int
) -> None:
    made(ledger_url, "id bigint PRIMARY KEY", "i - 200", many=400)
    # Some begin where those before end, in the middle of a batch; the others behind holes.
    for begin, apart in (
        (200, 2),
        (1_010, 1),
        (1_415, 50),
        (21_665, 1),
        (10**15, 1),
        (2 * 10**15, 7),
        (3 * 10**15, 2),
        (4 * 10**15, 1),
    ):
        statement = "INSERT INTO t SELECT %s + i * %s, i FROM generate_series(1, 405) AS i"
        rows(ledger_url, statement, (begin, apart))
    # Of what others have filled already, it is not known how many keys a batch came by.
    rows(ledger_url, f"UPDATE t SET b = a + 1 WHERE abs(id % 3) < {filled}")
    left = rows(ledger_url, "SELECT count(*) FROM t WHERE b IS NULL")
    rows(ledger_url, COUNTED)
    pace = Pace(first_rows=40, most_rows=40, least_rows=40, workers=1)
    assert run(ledger_url, manner=Manner(pace=pace)).state is State.COMPLETED
    assert rows(ledger_url, DUE) == [(400 + 8 * 405, 0, 0)]
    assert rows(ledger_url, "SELECT sum(many) FROM written") == left
    # More than were asked for, since the end of a batch was reckoned.
    least = 1 if filled else 41
    assert rows(ledger_url, f"SELECT max(many) BETWEEN {least} AND 80 FROM written") == [(True,)]


def test_a_last_row_that_goes_meanwhile_leaves_its_range_an_end(ledger_url: str) -> None:
    made(ledger_url, value="i * 3", many=100)
    rows(ledger_url, "INSERT INTO t VALUES (301, 1, NULL), (1000000, 1, NULL)")
    rows(
        ledger_url,
        "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM t WHERE id = 1000000; RETURN NULL; END$$",
    )
    rows(
        ledger_url,
        "CREATE TRIGGER gone AFTER UPDATE ON t FOR EACH ROW WHEN (new.id = 75) EXECUTE FUNCTION gone()",
    )
    # The eleventh asks for 90 rows and finds one, a key further.
    pace = SizedPace(first_rows=10, sizes=iter([*[10] * 9, 90, 2]))
    assert run(ledger_url, manner=Manner(pace=pace)).state is State.COMPLETED
    assert rows(ledger_url, DUE) == [(101, 0, 0)]


def test_killed_before_any_statement_it_goes_on_and_fills_no_row_twice(ledger_url: str) -> None:
    made(ledger_url, "x text, y integer, PRIMARY KEY (x, y)", "i % 5, i", many=200)
    counting = "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE n SET n = n + 1; RETURN new; END$$"
    rows(ledger_url, f"CREATE TABLE n AS SELECT 0 AS n; {counting}")
    rows(ledger_url, "CREATE TRIGGER counted AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION counted()")
    number, kills = 0, 0
    while killed_before(number := number + 9, lambda: run(ledger_url)):
        kills += 1
    assert kills > 3
    assert rows(ledger_url, DUE) == [(200, 0, 0)]
    assert rows(ledger_url, "SELECT n FROM n") == [(200,)]
    assert run(ledger_url).state is State.COMPLETED


@contextmanager
def inserting(url: str, statement: str) -> Iterator[list[int]]:
    """Execute a statement with a number, from 10,000 on, again and again beside the block; give how often."""
    over, count = threading.Event(), [0]

    def insert() -> None:
        with connected(url) as connection, connection.cursor() as cursor:
            while not over.is_set():
                count[0] += 1
                cursor.execute(statement, (9_999 + count[0],))

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        yield count
    finally:
        over.set()
        thread.join()


def test_it_ends_under_a_stream_of_inserts_and_the_proof_says_that_they_go_on(ledger_url: str) -> None:
    made(ledger_url)
    given = resolve_settings(ledger_url)
    start(WISH, settings=given)
    with inserting(ledger_url, "INSERT INTO t VALUES (%s, 1, NULL)") as count:
        filled = backfill(WISH, settings=given)
        assert filled.state is State.FILLED
        with pytest.raises(TableError, match=r'rows of "public\.t" were missed; the first: id=\d+'):
            verify(WISH, settings=given)
    assert count[0] > 1
    done = run(ledger_url)
    assert done.id == filled.id
    assert (done.state, rows(ledger_url, DUE)[0][1:]) == (State.COMPLETED, (0, 0))


def test_a_row_that_cannot_be_filled_is_named_and_all_before_it_are_filled(ledger_url: str) -> None:
    made(ledger_url)
    rows(ledger_url, "ALTER TABLE t ADD CHECK (b <> 701)")
    with pytest.raises(TableError) as failed:
        run(ledger_url)
    assert failed.value.problem == (
        'the row id=700 of "public.t" cannot be filled: new row for relation "t" violates check constraint "t_b_check"'
    )
    assert rows(ledger_url, DUE) == [(1_000, 301, 0)]
    rows(ledger_url, "ALTER TABLE t DROP CONSTRAINT t_b_check")
    assert run(ledger_url).state is State.COMPLETED
    assert rows(ledger_url, "SELECT count(*), count(DISTINCT change_id) FROM ops.online_range") == [(1, 1)]


def test_a_key_that_may_be_somebodys_is_in_no_error_but_a_query_finds_the_row(ledger_url: str) -> None:
    made(ledger_url, "mail text, n integer, PRIMARY KEY (mail, n)", "'ann' || i || '@example.org', i")
    rows(ledger_url, "CREATE UNIQUE INDEX ON t (b) WHERE b = 5; UPDATE t SET a = 4 WHERE n IN (300, 400)")
    with pytest.raises(TableError) as failed:
        run(ledger_url)
    assert "@" not in str(failed.value)
    assert failed.value.problem.startswith('the row n=400 of "public.t" cannot be filled: ')
    found = rows(ledger_url, failed.value.hint.partition("go on: ")[2])
    assert found == [("ann400@example.org", 400, 4, None)]


def test_a_row_that_is_held_is_waited_for_and_who_holds_it_is_named(ledger_url: str) -> None:
    made(ledger_url)
    pace = Pace(first_rows=512, row_wait_s=0.3, lock_timeout_ms=20)
    with connected(ledger_url, autocommit=False) as holder:
        holder.cursor().execute("UPDATE t SET a = a WHERE id = 600")
        with pytest.raises(
            LockError, match=rf'a row of "public\.t" was held .* pid {holder.info.backend_pid}, '
        ):
            run(ledger_url, manner=Manner(pace=pace))
        assert rows(ledger_url, DUE) == [(1_000, 401, 0)]
        holder.rollback()
    assert run(ledger_url).state is State.COMPLETED


PARTS = """
CREATE TABLE t (id integer, a integer NOT NULL, b integer, PRIMARY KEY (a, id)) PARTITION BY RANGE (a);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (500);
CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (500) TO (MAXVALUE) PARTITION BY LIST (a);
CREATE TABLE "T %s" PARTITION OF t2 DEFAULT;
CREATE TABLE empty PARTITION OF t2 FOR VALUES IN (-1);
INSERT INTO t SELECT i, i FROM generate_series(1, 1000) AS i
"""


def test_each_partition_is_filled_by_a_worker_of_its_own(ledger_url: str) -> None:
    rows(ledger_url, PARTS)
    run(ledger_url, manner=Manner(pace=Pace(workers=3, first_rows=20)))
    assert rows(ledger_url, DUE) == [(1_000, 0, 0)]
    assert sorted(row[:3] for row in rows(ledger_url, RANGES)) == [
        ('public."T %s"', 501, 501),
        ("public.t1", 499, 499),
    ]


def test_a_large_table_is_cut_into_ranges_that_several_workers_fill(ledger_url: str) -> None:
    rows(ledger_url, "CREATE TABLE t (id uuid PRIMARY KEY, a integer, b integer, wide text)")
    rows(ledger_url, "ALTER TABLE t ALTER wide SET STORAGE PLAIN")
    rows(
        ledger_url,
        "INSERT INTO t SELECT md5(i::text)::uuid, i, NULL, repeat('x', 7000) FROM generate_series(1, 2500) AS i",
    )
    run(ledger_url, manner=Manner(pace=Pace(workers=2, first_rows=100)))
    assert rows(ledger_url, DUE) == [(2_500, 0, 0)]
    counts = [int(str(row[2])) for row in rows(ledger_url, RANGES)]
    assert len(counts) == 4
    assert sum(counts) == 2_500
    assert min(counts) > 100


def test_what_makes_no_sense_is_refused_before_anything_is_begun(ledger_url: str) -> None:
    rows(ledger_url, "CREATE TABLE t (id integer, b integer, g integer GENERATED ALWAYS AS (1) STORED)")
    rows(ledger_url, "INSERT INTO t VALUES (1)")
    with pytest.raises(TableError, match="neither a primary key nor a unique index of NOT NULL columns"):
        run(ledger_url)
    with pytest.raises(TableError, match='PostgreSQL computes "g"'):
        run(ledger_url, Backfill("public.t", (("g", "1"),), "g IS NULL"))
    rows(ledger_url, "ALTER TABLE t ADD PRIMARY KEY (id)")
    with pytest.raises(DatabaseError, match='column "c" does not exist'):
        run(ledger_url, Backfill("public.t", (("b", "c"),), "b IS NULL"))
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change") == [(0,)]


def test_triggers_are_kept_quiet_where_that_is_wished(ledger_url: str) -> None:
    made(ledger_url, many=10)
    rows(ledger_url, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$")
    rows(ledger_url, "CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no()")
    with pytest.raises(TableError, match=r'10 rows of "public\.t" were missed; the first: id=1'):
        run(ledger_url)
    assert abort(WISH, settings=resolve_settings(ledger_url)).state is State.ABORTED
    assert rows(ledger_url, RANGES) == []
    run(ledger_url, manner=Manner(pace=Pace(quiet=True)))
    assert rows(ledger_url, DUE) == [(10, 0, 0)]


def test_a_backfill_is_the_wish_again_that_was_recorded() -> None:
    assert wish_of("backfill", json.loads(json.dumps(arguments_of(WISH)))) == WISH
