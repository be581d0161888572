"""What hides a fault hides none, and what only looks like one is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psycopg2
import pytest
from partitioning.test_replicas import folder_of
from psycopg2.extensions import parse_dsn

from faults import Fault, counted, found, held, role_of, shows
from spotify_ai_agent_migrations.versions.health_check import State, check_health, run
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import judged
from support import connected, rows

ALONE = pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="others use this server")
T = TypeVar("T")
BY_TIME = "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at)"
POLICIES = ("CREATE TABLE t (a integer)", "ALTER TABLE t ENABLE ROW LEVEL SECURITY")

FAULTS = (
    Fault(
        "sec.policy_always_true",
        (
            *POLICIES, "CREATE POLICY p ON t USING (a > 0)", "CREATE POLICY q ON t FOR UPDATE USING (true)",
        ),
        State.WARNING, "policy public.t.q", "policy q of t lets everybody write any row",
        mended=("DROP POLICY q ON t",),
    ),
    Fault(
        "sec.view_bypass",
        (*POLICIES, "CREATE VIEW v AS TABLE t", "CREATE VIEW w AS TABLE v", "GRANT SELECT ON w TO PUBLIC"),
        State.WARNING, "view public.w", "view w reads t as its owner, and passes by the policies",
    ),
    Fault(
        "sec.view_bypass",
        (*POLICIES, "CREATE MATERIALIZED VIEW m AS TABLE t", "GRANT SELECT ON m TO PUBLIC"),
        State.WARNING, "materialized view public.m", "view m reads t as its owner, and passes by the policies",
        mended=("REVOKE SELECT ON m FROM PUBLIC",),
    ),
    Fault(
        "sec.public_grants", ("CREATE TABLE t (a integer, b text)", "GRANT SELECT (b) ON t TO PUBLIC"), State.WARNING,
        "table public.t", "everybody has SELECT (b) on t",
    ),
    Fault(
        "part.future_missing",
        (BY_TIME, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('2020-01-01')"), State.CRITICAL,
        "table public.t", "t has partitions for …",
    ),
    Fault(
        "part.future_missing",
        (BY_TIME, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('-infinity') TO ('2020-01-01')"), State.CRITICAL,
        "table public.t", "t has partitions for …",
    ),
    Fault(
        "part.gap",
        (
            BY_TIME, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('2020-01-01')",
            "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-02-01') TO (MAXVALUE)",
        ),
        State.WARNING, "table public.t", "t has no partition for …",
    ),
    Fault(
        "seq.exhaustion",
        (
            "CREATE SEQUENCE s AS integer", "CREATE TABLE t (a bigint DEFAULT nextval('s'))",
            "SELECT setval('s', 2100000000)",
        ),
        State.CRITICAL, "sequence public.s", "sequence s has given out 2100000000 of 1 to 2147483647",
    ),
    Fault(
        "seq.exhaustion",
        ("CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY (MAXVALUE 100))", "SELECT setval('t_a_seq', 99)"),
        State.CRITICAL, "sequence public.t_a_seq", "sequence t_a_seq has given out 99 of 1 to 100",
    ),
    Fault(
        "seq.exhaustion",
        (
            "CREATE SEQUENCE s INCREMENT -1 MINVALUE -100", "CREATE TABLE t (a bigint DEFAULT nextval('s'))",
            "SELECT setval('s', -80)",
        ),
        State.WARNING, "sequence public.s", "sequence s has given out -80 of -100 to -1",
    ),
    Fault(
        "seq.exhaustion", ("CREATE SEQUENCE s START 10 MAXVALUE 10", "SELECT nextval('s')"), State.CRITICAL,
        "sequence public.s", "sequence s has given out 10 of 1 to 10", mended=("DROP SEQUENCE s",),
    ),
    Fault(
        "idx.fk_missing",
        (
            "CREATE TABLE t (a integer PRIMARY KEY)", "CREATE TABLE u (a integer CONSTRAINT c REFERENCES t)",
            "CREATE INDEX i ON u USING brin (a)",
        ),
        State.INFO, "constraint public.u.c", "no index of u begins with a, the columns of c",
    ),
    Fault(
        "idx.duplicate",
        (
            "CREATE TABLE t (a text, b integer)", "CREATE INDEX i ON t (lower(a)) WHERE b > 1",
            "CREATE INDEX longer ON t (lower(a)) WHERE b > 1",
        ),
        State.INFO, "index public.longer", "index longer on t is the same as i",
    ),
    Fault(
        "idx.redundant_prefix",
        (
            "CREATE TABLE t (a integer, b integer)", "CREATE INDEX i ON t (a) WHERE b > 1",
            "CREATE INDEX longer ON t (a, b) WHERE b > 1",
        ),
        State.INFO, "index public.i", "index longer on t begins with the columns of i",
    ),
    Fault(
        "con.not_valid",
        (
            "CREATE TABLE t (a integer) PARTITION BY LIST (a)", "CREATE TABLE t1 PARTITION OF t DEFAULT",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        ),
        State.WARNING, "constraint public.t.c", "constraint c of t holds for new rows only",
    ),
    Fault(
        "con.not_enforced",
        (
            "CREATE TABLE t (a integer) PARTITION BY LIST (a)", "CREATE TABLE t1 PARTITION OF t DEFAULT",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED",
        ),
        State.WARNING, "constraint public.t.c", "constraint c of t is not enforced", since=180_000,
    ),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{one.check}-{n}" for n, one in enumerate(FAULTS)])
def test_what_would_hide_a_fault_hides_none(empty_url: str, fault: Fault) -> None:
    held(empty_url, fault)


CONTROLS = (
    (
        "part",
        (
            "CREATE TABLE t (a text) PARTITION BY RANGE (a)", "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('a') TO ('b')",
            "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('c') TO ('d')", "CREATE TABLE t0 PARTITION OF t DEFAULT",
        ),
    ),
    (
        "part",
        (
            "CREATE TABLE t (at date) PARTITION BY RANGE (at)",
            "CREATE TABLE y PARTITION OF t FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY RANGE (at)",
            "CREATE TABLE y1 PARTITION OF y FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
            "CREATE TABLE rest PARTITION OF t FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)",
        ),
    ),
    ("part", (BY_TIME, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2100-01-01')")),
    (
        "con.fk_orphans",
        (
            "CREATE EXTENSION citext", "CREATE TABLE t (a citext PRIMARY KEY)", "CREATE TABLE u (a citext REFERENCES t)",
            "INSERT INTO t VALUES ('A')", "INSERT INTO u VALUES ('a')",
        ),
    ),
    (
        "sec.view_bypass",
        (
            *POLICIES, "CREATE VIEW v WITH (check_option = local, security_invoker = on) AS SELECT * FROM t",
            "CREATE VIEW w WITH (security_invoker) AS TABLE v", "GRANT SELECT ON v, w TO PUBLIC",
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("check", "made"), CONTROLS, ids=[f"{one[0]}-{n}" for n, one in enumerate(CONTROLS)])
def test_what_only_looks_like_a_fault_is_none(empty_url: str, check: str, made: tuple[str, ...]) -> None:
    for statement in made:
        rows(empty_url, statement)
    report = check_health(url=empty_url, only=[check])
    assert {ran.check: (ran.state, ran.reason) for ran in report.checks if ran.state is not State.OK} == {
        ran.check: (State.SKIPPED, ran.reason) for ran in report.checks if ran.reason.startswith("there is no table")
    }  # fmt: skip


NAMES = ("a{b}", "{0}", "x{schema!r}", "a%s", "%(x)s", 'A"q', "o'r", "b\\n", "naïve", "the login")


def test_no_name_breaks_a_check_its_evidence_or_its_cure(empty_url: str) -> None:
    for name in NAMES:
        quoted = '"' + name.replace('"', '""') + '"'
        made = (
            "CREATE SCHEMA {0}; CREATE TABLE {0}.{0} ({0} serial PRIMARY KEY); INSERT INTO {0}.{0} VALUES (7);"
            " CREATE UNLOGGED TABLE {0}.u ({0} integer CONSTRAINT {0} REFERENCES {0}.{0});"
            " INSERT INTO {0}.u VALUES (NULL); CREATE POLICY {0} ON {0}.u USING (true);"
            " ALTER TABLE {0}.u ADD CONSTRAINT c CHECK ({0} > 1) NOT VALID; ALTER TABLE {0}.u DISABLE TRIGGER ALL;"
            " CREATE FUNCTION {0}.{0}({0} integer) RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';"
            " CREATE DOMAIN {0}.d AS integer; ALTER DOMAIN {0}.d ADD CONSTRAINT {0} CHECK (VALUE > 1) NOT VALID"
        )
        with connected(empty_url) as connection:
            connection.cursor().execute(made.replace("{0}", quoted))
    only = ["tbl", "idx", "seq", "int", "con", "trg", "part", "sec"]
    report = check_health(url=empty_url, only=only, deep=True)
    assert {ran.check: ran.reason for ran in report.checks if ran.state is State.UNKNOWN} == {}
    # Of what is in each of these schemas.
    mine = [one for one in report.findings if one.subject.schema in NAMES]
    assert len({one.check for one in mine}) >= 8
    assert {one.subject.schema for one in mine} == set(NAMES)
    assert [str(one.subject) for one in mine if not shows(empty_url, one)] == []
    for one in mine:
        for fix in one.fixes:
            rows(empty_url, fix.sql)
    again = check_health(url=empty_url, only=only, deep=True).findings
    assert [one.summary for one in again if one.subject.schema in NAMES and one.fixes] == []


@ALONE
def test_a_name_in_another_encoding_costs_the_answer_that_it_is_in(empty_url: str) -> None:
    ((name,),) = rows(empty_url, "SELECT 'latin' || pg_backend_pid()")
    rows(
        empty_url,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING LATIN1 LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    ((here,),) = rows(empty_url, "SELECT current_database()")
    other = empty_url.replace(f"/{here}", f"/{name}")
    try:
        rows(other, 'CREATE ROLE "rôle" LOGIN SUPERUSER')
        seen = {ran.check: ran for ran in check_health(url=empty_url, only=["sec", "seq"]).checks}
        assert seen["sec.superusers"].state is State.UNKNOWN
        assert (
            seen["sec.superusers"].reason == "its answer cannot be read: a name in it is of another encoding"
        )
        assert seen["seq.exhaustion"].state is State.OK
    finally:
        rows(other, 'DROP ROLE IF EXISTS "rôle"')
        rows(empty_url, f"DROP DATABASE {name} WITH (FORCE)")
    (again,) = check_health(url=empty_url, only=["sec.superusers"]).checks
    assert again.state is not State.UNKNOWN


def test_a_check_that_is_at_fault_itself_loses_no_other(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (
        replace(one, summary="{nonsense}") if one.id == "tbl.no_pk" else one
        for one in CHECKS
    )  # fmt: skip
    monkeypatch.setattr(run, "CHECKS", tuple(broken))
    rows(empty_url, "CREATE TABLE t (a integer)")
    rows(empty_url, "CREATE POLICY p ON t USING (a > 0)")
    seen = {ran.check: ran for ran in check_health(url=empty_url, only=["tbl.no_pk", "sec.rls_off"]).checks}
    assert (seen["tbl.no_pk"].state, seen["tbl.no_pk"].reason) == (
        State.UNKNOWN, "the check is at fault: KeyError",
    )  # fmt: skip
    assert seen["sec.rls_off"].state is State.CRITICAL


def test_a_measure_that_is_no_number_is_not_well() -> None:
    (check,) = (one for one in CHECKS if one.id == "vac.index_bloat")
    assert (judged(check, float("nan")), judged(check, 0.1)) == (State.UNKNOWN, State.OK)


def test_where_only_what_is_critical_was_given_it_is_compared_with_that(empty_url: str) -> None:
    limits = {"xid.table": (None, 0.0)}
    found_ = check_health(url=empty_url, only=["xid.table"], limits=limits).findings
    assert {one.state for one in found_} == {State.CRITICAL}


@pytest.mark.parametrize(
    ("check", "made"),
    [
        ("seq.behind_max", ("CREATE TABLE t (a serial PRIMARY KEY) WITH (autovacuum_enabled = false)", "INSERT INTO t VALUES (7)")),
        (
            "int.pk_no_sequence",
            ("CREATE TABLE t (a smallint PRIMARY KEY) WITH (autovacuum_enabled = false)", "INSERT INTO t VALUES (32767)"),
        ),
    ],
)  # fmt: skip
def test_a_table_is_not_taken_for_empty_where_the_counters_were_lost(
    empty_url: str, check: str, made: tuple[str, ...]
) -> None:
    counted(empty_url, *made)
    rows(empty_url, "SELECT pg_stat_reset()")
    (one,) = found(empty_url, check)
    assert one.state is State.CRITICAL


def test_a_table_is_not_said_to_be_never_analyzed_where_the_counters_were_lost(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer) WITH (autovacuum_enabled = false)")
    rows(empty_url, "CREATE TABLE u (a integer) WITH (autovacuum_enabled = false)")
    counted(
        empty_url, "INSERT INTO t SELECT generate_series(1, 20000)", "ANALYZE t", "SELECT pg_stat_reset()"
    )
    counted(empty_url, *(f"INSERT INTO {name} SELECT generate_series(1, 15000)" for name in ("t", "u")))
    assert [one.subject.name for one in found(empty_url, "stats.never_analyzed")] == ["u"]
    (stale,) = found(empty_url, "stats.stale")
    assert stale.summary == "15000 rows of t changed since it was analyzed, and it has 20000"


def test_a_key_that_is_checked_at_the_end_of_a_transaction_says_which_row_of_none(empty_url: str) -> None:
    rows(
        empty_url, "CREATE TABLE t (a integer PRIMARY KEY DEFERRABLE); CREATE TABLE u (a integer PRIMARY KEY)"
    )
    rows(empty_url, "CREATE PUBLICATION pub FOR TABLE t, u")
    try:
        (one,) = found(empty_url, "pub.no_replica_identity")
        assert (one.state, one.subject.name) == (State.CRITICAL, "t")
        rows(empty_url, "INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
            rows(empty_url, "UPDATE t SET a = 2")
        for fix in one.fixes:
            rows(empty_url, fix.sql)
        assert found(empty_url, "pub.no_replica_identity") == ()
        rows(empty_url, "UPDATE t SET a = 2")
    finally:
        rows(empty_url, "DROP PUBLICATION pub")


def test_what_who_asks_has_set_for_itself_is_nobody_elses(empty_url: str) -> None:
    own = f"{empty_url}&options=-c%20default_transaction_read_only%3Don%20-c%20synchronous_commit%3Doff"
    seen = check_health(url=own, only=["avail.read_only", "set.durability"]).findings
    assert [
        one.summary for one in seen if "fsync" not in one.summary and "full_page" not in one.summary
    ] == []
    ((name,),) = rows(empty_url, "SELECT current_database()")
    rows(empty_url, f"ALTER DATABASE {name} SET zero_damaged_pages = 'TRUE'")
    rows(empty_url, f"ALTER DATABASE {name} SET default_transaction_read_only = 'T'")
    (masked,) = found(empty_url, "set.corruption_masking")
    (read_only,) = found(empty_url, "avail.read_only")
    for one in (masked, read_only):
        assert one.state is State.CRITICAL
        for fix in one.fixes:
            rows(empty_url, f"BEGIN READ WRITE; {fix.sql}; COMMIT")
    assert (found(empty_url, "set.corruption_masking"), found(empty_url, "avail.read_only")) == ((), ())


@ALONE
def test_every_role_that_fires_no_trigger_is_found(empty_url: str) -> None:
    assert found(empty_url, "trg.replication_role") == ()
    rows(empty_url, "ALTER ROLE ALL SET session_replication_role = replica")
    try:
        (one,) = found(empty_url, "trg.replication_role")
        assert one.summary == "every session of everybody begins with session_replication_role = replica"
    finally:
        for fix in one.fixes:
            rows(empty_url, fix.sql)
    assert found(empty_url, "trg.replication_role") == ()
    rows(empty_url, "ALTER SYSTEM SET session_replication_role = replica")
    rows(empty_url, "SELECT pg_reload_conf()")
    (one,) = _eventually(lambda: found(empty_url, "trg.replication_role"))
    for fix in one.fixes:
        rows(empty_url, fix.sql)
    _eventually(lambda: found(empty_url, "trg.replication_role"), there=False)


@ALONE
def test_a_login_that_may_become_a_superuser_is_found_and_its_cure_takes_that_away(
    empty_url: str, login: Callable[..., str]
) -> None:
    role = role_of(login())
    group, chief = f"{role}_group", f"{role}_chief"
    rows(empty_url, f"CREATE ROLE {chief} SUPERUSER; CREATE ROLE {group}")
    rows(empty_url, f"GRANT {chief}, pg_write_server_files TO {group}; GRANT {group} TO {role}")
    try:
        seen = [one for one in found(empty_url, "sec.role_powers") if one.subject.name == role]
        assert {(one.state, one.values["power"]) for one in seen} == {
            (State.CRITICAL, f"SUPERUSER by way of {chief}"), (State.CRITICAL, "pg_write_server_files"),
        }  # fmt: skip
        for one in seen:
            for fix in one.fixes:
                rows(empty_url, fix.sql)
        assert [one for one in found(empty_url, "sec.role_powers") if one.subject.name == role] == []
    finally:
        rows(empty_url, f"DROP ROLE {group}; DROP ROLE {chief}")


@ALONE
def test_one_standby_of_two_that_every_commit_waits_for_is_not_enough(empty_url: str) -> None:
    for names, wanted in (("FIRST 2 (a, b)", 2), ("ANY 3 (*)", 3), ("a, b", 1)):
        rows(empty_url, f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        rows(empty_url, "SELECT pg_reload_conf()")
        try:
            _until_set(empty_url, names)
            (one,) = found(empty_url, "repl.sync_missing")
            assert (one.values["wanted"], one.values["there"]) == (wanted, 0)
        finally:
            rows(empty_url, "ALTER SYSTEM RESET synchronous_standby_names")
            rows(empty_url, "SELECT pg_reload_conf()")
    _eventually(lambda: found(empty_url, "repl.sync_missing"), there=False)


def test_a_transaction_that_is_between_two_of_its_statements_is_as_long_as_it_is(empty_url: str) -> None:
    limits = {"conn.long_xact": (0.0, None)}
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        pid = str(connection.info.backend_pid)
        seen = check_health(url=empty_url, only=["conn.long_xact"], limits=limits).findings
    assert pid in {one.subject.name for one in seen}


def test_a_vacuum_keeps_nothing_that_is_dead(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer) WITH (autovacuum_enabled = false)")
    rows(empty_url, "INSERT INTO t SELECT generate_series(1, 200000); DELETE FROM t")
    limits = {"xid.horizon_holder": (1.0, None)}
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 20")
        pid = connection.info.backend_pid
        thread = threading.Thread(target=_try, args=(cursor, "VACUUM t"), daemon=True)
        thread.start()
        asked = f"SELECT 1 FROM pg_stat_progress_vacuum JOIN pg_stat_activity USING (pid) WHERE pid = {pid}"
        _eventually(lambda: bool(rows(empty_url, f"{asked} AND backend_xmin IS NOT NULL")))
        for _ in range(3):
            rows(empty_url, "SELECT pg_current_xact_id()")
        seen = check_health(url=empty_url, only=["xid.horizon_holder"], limits=limits).findings
        rows(empty_url, "SELECT pg_cancel_backend(%s)", (pid,))
        thread.join()
    assert str(pid) not in {one.subject.name for one in seen}


def test_an_index_that_is_being_dropped_is_not_left_behind(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a integer); CREATE INDEX i ON t (a)")
    with connected(empty_url, autocommit=False) as reader, connected(empty_url) as dropper:
        reader.cursor().execute("SELECT FROM t")
        statement = "SET statement_timeout = '20s'; DROP INDEX CONCURRENTLY i"
        thread = threading.Thread(target=_drop, args=(dropper.cursor(), statement), daemon=True)
        thread.start()
        _eventually(lambda: bool(rows(empty_url, "SELECT 1 FROM pg_index WHERE NOT indisvalid")))
        assert found(empty_url, "idx.invalid") == ()
        dropper.cancel()
        thread.join()
    (one,) = found(empty_url, "idx.invalid")
    assert one.subject.name == "i"


def test_a_table_that_is_not_as_its_pages_say_is_found(empty_url: str) -> None:
    rows(
        empty_url,
        "CREATE EXTENSION amcheck; CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE u AS SELECT 1 AS a",
    )
    assert found(empty_url, "chk.amcheck") == ()
    # As if what is in it had been frozen.
    rows(
        empty_url, "UPDATE pg_class SET relfrozenxid = (SELECT pg_current_xact_id()::xid) WHERE relname = 't'"
    )
    (one,) = found(empty_url, "chk.amcheck")
    assert (one.state, one.summary) == (State.CRITICAL, "t is corrupt in block 0")
    rows(empty_url, "DROP TABLE t")
    assert found(empty_url, "chk.amcheck") == ()


@pytest.mark.parametrize("check", ["idx.corrupt", "chk.amcheck"])
def test_who_may_not_read_what_is_corrupt_is_told_once_how_he_may(
    empty_url: str, login: Callable[..., str], check: str
) -> None:
    rows(
        empty_url,
        "CREATE SCHEMA e; CREATE EXTENSION amcheck SCHEMA e; CREATE TABLE t (a integer PRIMARY KEY)",
    )
    url = login()
    findings = check_health(url=url, only=[check]).findings
    assert {one.state for one in findings} == {State.UNKNOWN}
    (cure,) = {one.cure for one in findings}
    assert cure is not None
    rows(empty_url, cure)
    assert found(url, check) == ()


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed")
def test_a_pooler_that_takes_no_options_is_asked_without_any(empty_url: str) -> None:
    here = parse_dsn(empty_url)
    if not Path(here.get("host", "")).is_absolute():
        pytest.skip("the server is not on a socket of this machine")
    with folder_of(empty_url) as folder:
        written = (
            "[databases]", f"pooled = host={here['host']} port={here.get('port', 5432)} user={here['user']}"
            f" dbname={here['dbname']}", "[pgbouncer]", f"unix_socket_dir = {folder}", "listen_addr =",
            "listen_port = 6432", "auth_type = any", "pool_mode = transaction",
        )  # fmt: skip
        (folder / "pooler.ini").write_text("\n".join(written))
        who = ("runuser", "-u", Path(folder).owner(), "--") if os.geteuid() == 0 else ()
        with subprocess.Popen(
            [*who, "pgbouncer", "-q", folder / "pooler.ini"], stderr=subprocess.DEVNULL
        ) as pooler:
            try:
                _eventually(lambda: (folder / ".s.PGSQL.6432").exists())
                url = f"postgresql://{here['user']}@/pooled?host={folder}&port=6432"
                rows(empty_url, "CREATE TABLE t (a serial PRIMARY KEY); INSERT INTO t VALUES (7)")
                report = check_health(url=url, only=["seq", "idx", "avail.connect"])
                said = {ran.check: ran.reason for ran in report.checks if ran.state is State.UNKNOWN}
            finally:
                pooler.terminate()
    assert (said, [one.check for one in report.findings if one.state is State.CRITICAL]) == (
        {},
        ["seq.behind_max"],
    )


def _until_set(url: str, names: str) -> None:
    _eventually(lambda: rows(url, "SHOW synchronous_standby_names") == [(names,)])


def _drop(cursor: psycopg2.extensions.cursor, statement: str) -> None:
    for part in statement.split("; "):
        _try(cursor, part)


def _try(cursor: psycopg2.extensions.cursor, statement: str) -> None:
    with suppress(psycopg2.errors.QueryCanceled):
        cursor.execute(statement)


def _eventually(asked: Callable[[], T], *, there: bool = True) -> T:
    for _ in range(1000):
        if bool(seen := asked()) is there:
            return seen
        time.sleep(0.01)
    raise AssertionError("it is as it was")
