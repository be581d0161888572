"""Faults of tables, indexes, sequences, constraints and partitions are found, and what mends them clears them."""

from __future__ import annotations

import psycopg2
import pytest

from faults import Fault, counted, found, held, lower
from spotify_ai_agent_migrations.versions.health_check import Finding, State
from support import connected, rows

# Nothing but the test comes to the table.
ALONE = "WITH (autovacuum_enabled = false)"
FILLED = f"CREATE TABLE t {ALONE} AS SELECT a FROM generate_series(1, 20000) AS a"
DAYS = "CREATE TABLE t (at timestamptz NOT NULL) PARTITION BY RANGE (at)"


def _day(name: str, first: int, last: int) -> str:
    """A partition from so many days from now to so many."""
    return (
        "DO $$ BEGIN EXECUTE format('CREATE TABLE %I PARTITION OF t FOR VALUES FROM (%L) TO (%L)', "
        f"'{name}', current_date + {first}, current_date + {last}); END $$"
    )


FAULTS = (
    Fault(
        "vac.dead_tuples", (FILLED, "DELETE FROM t"), State.WARNING, "table public.t",
        "20000 rows of t are dead; autovacuum should come at 50",
    ),
    Fault(
        "vac.not_running", (FILLED, "DELETE FROM t"), State.WARNING, "table public.t",
        "t has 20000 dead rows and was not vacuumed for 0 h", {"warning": 0},
    ),
    Fault(
        "vac.autovacuum_off", (f"CREATE TABLE t (a integer) {ALONE}",), State.WARNING, "table public.t",
        "autovacuum does not come to t",
    ),
    Fault(
        "vac.autovacuum_off", ("CREATE TABLE t (a text) WITH (toast.autovacuum_enabled = false)",), State.WARNING,
        "table public.t", "autovacuum does not come to toast.t",
    ),
    Fault(
        "stats.never_analyzed", (FILLED,), State.WARNING, "table public.t",
        "t has 20000 rows and was never analyzed",
    ),
    Fault(
        "stats.stale", (FILLED, "ANALYZE t", "INSERT INTO t SELECT a FROM t"), State.WARNING,
        "table public.t", "20000 rows of t changed since it was analyzed, and it has 40000",
    ),
    Fault(
        "stats.partitioned_parent",
        (
            "CREATE TABLE t (a integer) PARTITION BY RANGE (a)", "CREATE TABLE t1 PARTITION OF t DEFAULT",
            "INSERT INTO t SELECT a FROM generate_series(1, 20000) AS a", "ANALYZE t1",
        ),
        State.INFO, "table public.t", "t was never analyzed as a whole, and has 20000 rows",
    ),
    Fault(
        "tbl.unlogged", ("CREATE UNLOGGED TABLE t (a integer)", "INSERT INTO t VALUES (1)"), State.WARNING,
        "table public.t", "t is unlogged and has about 1 rows",
    ),
    Fault(
        "tbl.hot_updates",
        (FILLED, "CREATE INDEX i ON t (a)", "UPDATE t SET a = -a"),
        State.INFO, "table public.t", "0 % of 20000 updates of t stayed on their page", mended=("DROP TABLE t",),
    ),
    Fault(
        "tbl.large_objects_orphan", ("SELECT lo_create(0)",), State.INFO, "database {database}",
        "1 large objects, and no column that could hold the number of one",
    ),
    Fault(
        "idx.parent_invalid",
        (
            "CREATE TABLE t (a integer) PARTITION BY RANGE (a)", "CREATE TABLE t1 PARTITION OF t DEFAULT",
            "CREATE INDEX i1 ON t1 (a)", "CREATE INDEX i ON ONLY t (a)",
        ),
        State.WARNING, "index public.i", "index i on t has no part in 1 partitions",
    ),
    Fault(
        "idx.unused", (FILLED, "CREATE INDEX i ON t (a)", "ANALYZE t"), State.INFO, "index public.i",
        "no query has used index i on t, of 466944 bytes", {"window_days": 0, "least_bytes": 100_000},
    ),
    Fault(
        "idx.duplicate", ("CREATE TABLE t (a integer PRIMARY KEY)", "CREATE UNIQUE INDEX i ON t (a)"), State.INFO,
        "index public.i", "index i on t is the same as t_pkey",
    ),
    Fault(
        "idx.redundant_prefix",
        ("CREATE TABLE t (a integer, b integer)", "CREATE INDEX i ON t (a)", "CREATE INDEX j ON t (a, b)"),
        State.INFO, "index public.i", "index j on t begins with the columns of i",
    ),
    Fault(
        "idx.fk_missing",
        (
            "CREATE TABLE t (a integer PRIMARY KEY)",
            "CREATE TABLE u (a integer CONSTRAINT c REFERENCES t)",
            "CREATE INDEX i ON u (a) WHERE a > 7",
        ),
        State.INFO, "constraint public.u.c", "no index of u begins with a, the columns of c",
    ),
    Fault(
        "idx.fk_missing",
        (
            "CREATE TABLE t (a integer PRIMARY KEY)", "CREATE TABLE u (a integer CONSTRAINT c REFERENCES t)",
            "INSERT INTO t VALUES (1); DELETE FROM t",
        ),
        State.WARNING, "constraint public.u.c", "no index of u begins with a, the columns of c",
    ),
    Fault(
        "idx.fk_type_mismatch",
        ("CREATE TABLE t (a bigint PRIMARY KEY)", "CREATE TABLE u (a integer CONSTRAINT c REFERENCES t)"),
        State.WARNING, "constraint public.u.c", "a of u is integer, and c points at bigint",
    ),
    Fault(
        "idx.null_heavy",
        (FILLED, "UPDATE t SET a = NULL WHERE a > 5000", "CREATE INDEX i ON t (a)", "ANALYZE t"), State.INFO,
        "index public.i", "75 % of a of t is NULL, and i holds all of it in …", {"least_bytes": 8_192},
        mended=("DROP INDEX i",),
    ),
    Fault(
        "idx.array_btree", ("CREATE TABLE t (a text[])", "CREATE INDEX i ON t (a)"), State.INFO, "index public.i",
        "index i on t finds a only as a whole", mended=("DROP INDEX i",),
    ),
    Fault(
        "idx.boolean", ("CREATE TABLE t (a boolean)", "CREATE INDEX i ON t (a)"), State.INFO, "index public.i",
        "index i on t holds no more than true and false, in 8192 bytes", {"least_bytes": 8192}, mended=("DROP INDEX i",),
    ),
    Fault(
        "idx.boolean", ("CREATE TABLE t (a integer)", "CREATE INDEX i ON t ((a > 0))"), State.INFO, "index public.i",
        "index i on t holds no more than true and false, in 8192 bytes", {"least_bytes": 8192}, mended=("DROP INDEX i",),
    ),
    Fault(
        "tbl.no_pk", ("CREATE TABLE t (a integer UNIQUE)",), State.INFO, "table public.t", "t has no primary key",
        mended=("ALTER TABLE t ADD PRIMARY KEY (a)",),
    ),
    Fault(
        "tbl.seq_scan_heavy", (FILLED, "SELECT count(*) FROM t"), State.INFO, "table public.t",
        "t of 20000 rows was read as a whole 1 times, by an index 0 times",
        {"least_rows": 10_000, "least_scans": 0}, mended=("DROP TABLE t",),
    ),
    Fault(
        "seq.behind_max", ("CREATE TABLE t (a serial PRIMARY KEY)", "INSERT INTO t VALUES (7)"), State.CRITICAL,
        "sequence public.t_a_seq", "sequence t_a_seq is 7 behind a of t",
    ),
    Fault(
        "seq.behind_max",
        (
            "CREATE SEQUENCE s INCREMENT -1", "CREATE TABLE t (a bigint DEFAULT nextval('s') PRIMARY KEY)",
            "INSERT INTO t VALUES (DEFAULT), (-4)",
        ),
        State.CRITICAL, "sequence public.s", "sequence s is 3 behind a of t",
    ),
    Fault(
        "seq.exhaustion",
        ("CREATE TABLE t (a serial PRIMARY KEY)", "SELECT setval('t_a_seq', 2100000000)"), State.CRITICAL,
        "sequence public.t_a_seq", "sequence t_a_seq has given out 2100000000 of 1 to 2147483647",
    ),
    Fault(
        "seq.exhaustion",
        (
            "CREATE TABLE t (a smallint GENERATED ALWAYS AS IDENTITY (INCREMENT -1))",
            "SELECT setval('t_a_seq', -26000)",
        ),
        State.WARNING, "sequence public.t_a_seq", "sequence t_a_seq has given out -26000 of -32768 to -1",
    ),
    Fault(
        "int.pk_no_sequence",
        ("CREATE TABLE t (a smallint PRIMARY KEY)", "INSERT INTO t VALUES (26000)"), State.WARNING,
        "column public.t.a", "a of t has come to 79 % of 32767", mended=("ALTER TABLE t ALTER a TYPE bigint",),
    ),
    Fault(
        "int.narrow_identity",
        ("CREATE TABLE t (a smallint GENERATED ALWAYS AS IDENTITY)", "INSERT INTO t DEFAULT VALUES"),
        State.WARNING, "column public.t.a", "a of t is smallint, and 1 rows were inserted",
    ),
    Fault(
        "con.not_valid", ("CREATE TABLE t (a integer)", "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID"),
        State.WARNING, "constraint public.t.c", "constraint c of t holds for new rows only", since=180_000,
    ),
    Fault(
        "trg.disabled",
        (
            "CREATE TABLE t (a integer PRIMARY KEY)", "CREATE TABLE u (a integer CONSTRAINT c REFERENCES t)",
            "ALTER TABLE u DISABLE TRIGGER ALL",
        ),
        State.CRITICAL, "trigger public.u.c", "trigger c of u is disabled",
    ),
    Fault(
        "con.domain_not_valid", ("CREATE DOMAIN d AS integer", "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID"),
        State.INFO, "domain public.d.c", "constraint c of domain d holds for new values only",
    ),
    Fault(
        "con.not_enforced", ("CREATE TABLE t (a integer CONSTRAINT c CHECK (a > 0) NOT ENFORCED)",), State.WARNING,
        "constraint public.t.c", "constraint c of t is not enforced", since=180_000,
    ),
    Fault(
        "trg.replication_role",
        (
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database());"
            " END $$",
        ),
        State.CRITICAL, "setting session_replication_role",
        "every session of {database} begins with session_replication_role = replica",
    ),
    Fault(
        "con.fk_orphans",
        (
            "CREATE TABLE t (a integer PRIMARY KEY)", "CREATE TABLE u (a integer CONSTRAINT c REFERENCES t)",
            "SET session_replication_role = replica; INSERT INTO u VALUES (1), (NULL)",
        ),
        State.CRITICAL, "constraint public.u.c", "rows of u point at none by c", mended=("DELETE FROM u",),
    ),
    Fault(
        "part.future_missing", (DAYS, _day("t1", -1, 0), _day("t2", 0, 1)), State.CRITICAL, "table public.t",
        "t has partitions for …",
    ),
    Fault(
        "part.default_rows",
        (DAYS, "CREATE TABLE t0 PARTITION OF t DEFAULT", _day("t1", 0, 1), "INSERT INTO t VALUES ('2001-01-01')"),
        State.WARNING, "partition public.t0", "t0 holds rows that no other partition of t takes",
        mended=("DELETE FROM t0",),
    ),
    Fault(
        "part.default_rows",
        (DAYS, "CREATE TABLE t0 PARTITION OF t DEFAULT", _day("t1", 0, 1), "INSERT INTO t VALUES (current_date + 1)"),
        State.CRITICAL, "partition public.t0", "t0 holds rows that no other partition of t takes",
        mended=("DELETE FROM t0",),
    ),
    Fault(
        "part.gap", (DAYS, _day("t1", 0, 1), _day("t2", 2, 3)), State.CRITICAL, "table public.t",
        "t has no partition for …",
    ),
    Fault(
        "part.gap", (DAYS, _day("t1", -9, -8), _day("t2", -7, 0)), State.WARNING, "table public.t",
        "t has no partition for …",
    ),
    Fault(
        "part.no_partitions", (DAYS,), State.CRITICAL, "table public.t", "t has no partition",
        mended=(_day("t1", 0, 1),),
    ),
    Fault(
        "part.too_many", (DAYS, _day("t1", 0, 1), _day("t2", 1, 2)), State.INFO, "table public.t",
        "t has 2 partitions", {"most": 1}, mended=("DROP TABLE t1",),
    ),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.check for fault in FAULTS])
def test_a_fault_is_found_and_what_mends_it_clears_it(
    empty_url: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower(monkeypatch, fault.check, fault.lowered)
    held(empty_url, fault)


CONTROLS = (
    ("vac.dead_tuples", (FILLED, "DELETE FROM t WHERE a < 9000")),
    ("vac.autovacuum_off", ("CREATE TABLE t (a text) WITH (autovacuum_enabled = true)",)),
    ("stats.never_analyzed", (FILLED, "ANALYZE t")),
    (
        "stats.never_analyzed",
        ("CREATE TABLE t (a integer) PARTITION BY RANGE (a)", "CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ),
    ("tbl.unlogged", ("CREATE UNLOGGED TABLE t (a integer)",)),
    ("tbl.large_objects_orphan", ("CREATE TABLE t (a oid)", "SELECT lo_create(0)")),
    ("idx.unused", (FILLED, "CREATE UNIQUE INDEX i ON t (a)", "ANALYZE t")),
    ("idx.duplicate", ("CREATE TABLE t (a integer PRIMARY KEY)", "CREATE INDEX i ON t (a DESC)")),
    ("idx.duplicate", ("CREATE TABLE t (a text)", "CREATE INDEX i ON t (a)", 'CREATE INDEX j ON t (a COLLATE "C")')),
    ("idx.redundant_prefix", ("CREATE TABLE t (a integer UNIQUE, b integer)", "CREATE INDEX j ON t (a, b)")),
    (
        "idx.fk_missing",
        (
            "CREATE TABLE t (a integer, b integer, PRIMARY KEY (a, b))",
            "CREATE TABLE u (a integer, b integer, FOREIGN KEY (a, b) REFERENCES t)",
            "CREATE INDEX i ON u (b, a)",
        ),
    ),
    ("seq.behind_max", ("CREATE TABLE t (a serial PRIMARY KEY)", "INSERT INTO t VALUES (DEFAULT), (DEFAULT)")),
    ("seq.behind_max", ("CREATE TABLE t (a serial PRIMARY KEY)",)),
    ("int.pk_no_sequence", ("CREATE TABLE t (a integer PRIMARY KEY)", "INSERT INTO t VALUES (26000)")),
    (
        "con.fk_orphans",
        ("CREATE TABLE t (a integer PRIMARY KEY)", "CREATE TABLE u (a integer REFERENCES t)", "INSERT INTO u VALUES (NULL)"),
    ),
    ("part.future_missing", (DAYS, _day("t1", 0, 1), _day("t2", 1, 2), _day("t3", 2, 3))),
    ("part.future_missing", (DAYS, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2001-01-01') TO (MAXVALUE)")),
    ("part.future_missing", ("CREATE TABLE t (a integer) PARTITION BY RANGE (a)",)),
    ("part.default_rows", (DAYS, "CREATE TABLE t0 PARTITION OF t DEFAULT")),
    ("part.gap", (DAYS, _day("t1", 0, 1), _day("t2", 1, 2))),
)  # fmt: skip


@pytest.mark.parametrize(
    ("check", "made"), CONTROLS, ids=[f"{check}-{n}" for n, (check, _) in enumerate(CONTROLS)]
)
def test_what_only_looks_like_a_fault_is_none(empty_url: str, check: str, made: tuple[str, ...]) -> None:
    counted(empty_url, *made)
    assert found(empty_url, check) == ()


def test_a_partition_detached_in_part_is_found_and_finished(empty_url: str) -> None:
    rows(empty_url, DAYS)
    rows(empty_url, _day("t1", 0, 1))
    with connected(empty_url, autocommit=False) as reader, connected(empty_url) as other:
        reader.cursor().execute("SELECT FROM t")
        other.cursor().execute("SET statement_timeout = '300ms'")
        with pytest.raises(psycopg2.errors.QueryCanceled):
            other.cursor().execute("ALTER TABLE t DETACH PARTITION t1 CONCURRENTLY")
    (one,) = found(empty_url, "part.detach_pending")
    assert (one.state, one.summary) == (State.WARNING, "partition t1 of t is detached in part")
    for fix in one.fixes:
        rows(empty_url, fix.sql)
    assert found(empty_url, "part.detach_pending") == ()


def test_an_index_without_a_row_of_its_table_is_corrupt(empty_url: str) -> None:
    rows(empty_url, "CREATE EXTENSION amcheck")
    rows(empty_url, "CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT a'")
    rows(empty_url, "CREATE TABLE t (a integer PRIMARY KEY)")
    rows(empty_url, "CREATE INDEX i ON t (f(a))")
    rows(empty_url, "INSERT INTO t VALUES (1), (2)")
    assert found(empty_url, "idx.corrupt") == ()
    # As an upgrade of the library that sorts text does.
    rows(
        empty_url,
        "CREATE OR REPLACE FUNCTION f(a integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT -a'",
    )
    (one,) = found(empty_url, "idx.corrupt")
    assert (one.state, one.summary) == (State.CRITICAL, "index public.i: it is corrupt: XX001")
    for fix in one.fixes:
        rows(empty_url, fix.sql)
    assert found(empty_url, "idx.corrupt") == ()


@pytest.mark.parametrize(
    ("check", "summary"),
    [
        ("vac.table_bloat", "86 % of t hold nothing"),
        ("vac.index_bloat", "97 % of the leaves of i hold nothing"),
    ],
)
def test_what_is_mostly_empty_is_measured_and_written_anew(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, check: str, summary: str
) -> None:
    rows(empty_url, "CREATE EXTENSION pgstattuple")
    rows(empty_url, FILLED)
    rows(empty_url, "CREATE INDEX i ON t (a)")
    rows(empty_url, "ANALYZE t")
    lower(monkeypatch, check, {"least_bytes": 100_000})

    def seen() -> list[Finding]:
        # Catalogs that all databases share are what the tests beside have left of them.
        return [one for one in found(empty_url, check) if one.subject.schema == "public"]

    assert seen() == []
    # In each page a few rows stay.
    rows(empty_url, "DELETE FROM t WHERE a % 30 <> 0")
    rows(empty_url, "VACUUM t")
    (one,) = seen()
    assert (one.state, one.summary) == (State.WARNING, summary)
    for fix in one.fixes:
        rows(empty_url, fix.sql)
    rows(empty_url, "ANALYZE t")
    assert seen() == []


def test_an_index_is_not_called_unused_before_the_server_has_counted_for_long(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(empty_url, FILLED)
    rows(empty_url, "CREATE INDEX i ON t (a)")
    lower(monkeypatch, "idx.unused", {"least_bytes": 100_000})
    (one,) = found(empty_url, "idx.unused")
    assert (one.state, one.fixes) == (State.UNKNOWN, ())
    assert (
        one.summary == "index public.i: it was not used yet, and the server has not counted for long enough"
    )
