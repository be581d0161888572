"""The role that may look, the checks as SQL has them, and what was measured before."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from faults import counted
from spotify_ai_agent_migrations.versions.health_check import HealthReport, State, check_health
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.published import is_published, published
from support import BEFORE_HEAD, Checkout, Databases, connected, rows, run_alembic

# Rows in tables with policies and without, a sequence behind, a small key, rows that no partition takes, an index
# of a column that is NULL, a constraint that was not validated, a row that should have been deleted.
FAULTS = """
    INSERT INTO users (id) VALUES (5), (6);
    INSERT INTO artists (id, name, sort_name, source) VALUES (9, 'Björk', 'Björk', 'internal');
    SET ROLE agent_owner;
    CREATE TABLE spans (a integer, b timestamptz) PARTITION BY RANGE (b);
    CREATE TABLE spans_1 PARTITION OF spans FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
    CREATE TABLE spans_rest PARTITION OF spans DEFAULT;
    INSERT INTO spans VALUES (1, '2020-02-03');
    CREATE TABLE small (id smallint PRIMARY KEY CHECK (id > 0));
    INSERT INTO small VALUES (32000);
    ALTER TABLE small ADD CONSTRAINT even CHECK (id % 2 = 0) NOT VALID;
    CREATE TABLE hollow (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
    INSERT INTO hollow (v) SELECT NULL FROM generate_series(1, 1600000);
    CREATE INDEX hollow_v_idx ON hollow (v);
    INSERT INTO ops.rollbacks (run, started_from, target, digest, rows_at_risk, rows_kept, done_at)
    VALUES ('0123456789ab', '009', '008', '', 0, 0, now() - INTERVAL '3 years');
    RESET ROLE;
"""
# Each of them takes privileges of its own.
FOUND = {
    "seq.behind_max": State.CRITICAL, "int.pk_no_sequence": State.CRITICAL, "part.default_rows": State.CRITICAL,
    "idx.null_heavy": State.INFO, "con.not_valid": State.WARNING, "app.retention_overdue": State.CRITICAL,
}  # fmt: skip


@pytest.fixture
def monitor(databases: Databases, url: str) -> Iterator[str]:
    """The URL of a login that is in the monitoring role, and in no other."""
    role = f"m{uuid.uuid4().hex[:8]}"
    rows(url, f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_monitor")
    yield databases.url(str(parse_dsn(url)["dbname"]), user=role, password="secret")
    rows(url, f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def faulty_database(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a migrated database with faults in it, which tests look at and leave as it is."""
    name = databases.create(template)
    counted(databases.url(name), FAULTS, "VACUUM ANALYZE hollow", "ANALYZE")
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture
def url(databases: Databases, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh clone of the migrated template, or of the database with faults in it."""
    if "faulty" in request.fixturenames:
        yield request.getfixturevalue("faulty_database")
        return
    name = databases.create(template)
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture
def faulty(url: str) -> str:
    """The URL of a migrated database with faults in it."""
    return url


def refused(report: HealthReport) -> dict[str, str]:
    """What nobody could look at, and why."""
    return {one.check: one.cure for one in report.findings if one.cure} | {
        ran.check: ran.reason for ran in report.checks if ran.state is State.UNKNOWN and ran.reason
    }


def states(report: HealthReport) -> dict[str, State]:
    return {ran.check: ran.state for ran in report.checks}


def test_the_monitoring_role_is_refused_no_check_and_sees_what_a_superuser_sees(
    faulty: str, monitor: str
) -> None:
    before, seen, after = (check_health(url, deadline_s=60) for url in (faulty, monitor, faulty))
    assert refused(before) == refused(seen) == refused(after) == {}
    # Of what changes by itself meanwhile, either is what a superuser sees.
    assert states(before).keys() == states(seen).keys()
    other = {check for check, state in states(seen).items() if state is not states(before)[check]}
    assert {check: states(seen)[check] for check in other} == {check: states(after)[check] for check in other}
    assert {check: states(seen)[check] for check in FOUND} == FOUND
    of = "SELECT current_setting('is_superuser')"
    assert (rows(monitor, of), rows(faulty, of)) == ([("off",)], [("on",)])


def test_the_monitoring_role_reads_no_table_of_the_domain(url: str, monitor: str) -> None:
    tables = rows(
        monitor,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')"
        " AND relnamespace IN ('public'::regnamespace, 'ops'::regnamespace)"
        " AND has_any_column_privilege(oid, 'SELECT') AND pg_get_userbyid(relowner) = 'agent_owner'",
    )
    assert {name for (name,) in tables} == {
        "alembic_version", "retention_policies", "ops.health_checks", "ops.health_findings", "ops.health_history",
        "ops.health_status", "ops.import_job", "ops.import_reject", "ops.migration_journal", "ops.migration_state",
        "ops.partition_archives", "ops.partition_policy", "ops.job_heartbeat", "ops.audit_seal", "ops.audit_anchor",
        "audit_log", "data_subject_requests", "ops.erasures", "ops.erasure_notices", "ops.erasure_gate",
        "ops.backup_policies", "ops.rewrites",
    }  # fmt: skip
    for whose in ("SELECT subject_id FROM ops.erasures", "SELECT payload FROM ops.erasure_notices"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(monitor, whose)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(monitor, "SELECT user_id FROM data_subject_requests")
    assert rows(monitor, "SELECT kind, status, due_at FROM data_subject_requests") == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(monitor, "SELECT entity_id FROM audit_log")
    assert int(str(rows(monitor, "SELECT count(created_at) FROM audit_log")[0][0])) > 0
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(monitor, "SELECT value FROM ops.import_reject")
    assert rows(monitor, "SELECT count(*) FROM ops.import_reject") == [(0,)]
    rows(url, "SET ROLE agent_owner; CREATE TABLE public.later (id bigserial); RESET ROLE")
    assert rows(monitor, "SELECT last_value FROM public.later_id_seq") == [(1,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(monitor, "SELECT * FROM public.later")


@pytest.mark.parametrize("who", ["superuser", "monitor"])
def test_sql_finds_what_python_finds(faulty: str, monitor: str, who: str) -> None:
    url = faulty if who == "superuser" else monitor
    published_ones = {check.id for check in CHECKS if is_published(check)}
    # How long ago the server was started is another second by then; other logins come and go, and checkpoints too.
    moving = ["avail.restart", "wal.checkpoints_requested"]
    report = check_health(url, only=sorted(published_ones - set(moving)), deadline_s=30)
    own = parse_dsn(monitor)["user"]
    expected = {
        (one.fingerprint, one.check, one.state.value, one.subject.kind, one.subject.schema, one.subject.name, one.summary,
         tuple((fix.sql, fix.lock) for fix in one.fixes))
        for one in report.findings
        if one.check != "set.no_timeouts" or one.subject.name == own
    }  # fmt: skip
    found = {
        (*row, tuple(map(tuple, fixes or ())))  # type: ignore[call-overload]
        for *row, fixes in rows(
            url,
            "SELECT fingerprint, check_id, state, kind, schema_name, name, summary, fixes FROM ops.health_findings"
            " WHERE check_id <> ALL (%s) AND (check_id <> 'set.no_timeouts' OR name = %s)",
            (moving, own),
        )
    }
    assert found == expected
    assert {row[1] for row in found} >= (set(FOUND) & published_ones) - set(moving) != set()
    ended = {str(check): state for check, state in rows(url, "SELECT check_id, state FROM ops.health_status")}
    assert ended.pop("avail.restart") in {"info", "ok"}
    assert ended.pop("wal.checkpoints_requested") in {"warning", "ok"}
    assert ended == {check: state.value for check, state in states(report).items()}


def test_a_check_or_a_group_alone_can_be_asked_for(faulty: str) -> None:
    asked = "SELECT check_id, state, name, fixes FROM ops.health_v1(ARRAY['seq.exhaustion', 'con'])"
    assert rows(faulty, asked) == [
        ("con.domain_not_valid", "ok", None, None),
        ("con.not_enforced", "ok" if _version(faulty) >= 180_000 else "skipped", *_unnamed(faulty)),
        (
            "con.not_valid", "warning", "small.even",
            [["ALTER TABLE public.small VALIDATE CONSTRAINT even", "SHARE UPDATE EXCLUSIVE"]],
        ),
        ("seq.exhaustion", "ok", None, None),
    ]  # fmt: skip


def _version(url: str) -> int:
    with connected(url) as connection:
        return connection.server_version


def _unnamed(url: str) -> tuple[str | None, None]:
    return (None if _version(url) >= 180_000 else "", None)


def test_a_table_that_is_locked_hides_no_other_from_sql(faulty: str, monitor: str) -> None:
    asked = (
        "SELECT state, name, details ->> 'reason' FROM ops.health_v1(ARRAY['seq.behind_max'])"
        ' ORDER BY name COLLATE "C"'
    )
    both = [("critical", "artists_id_seq", None), ("critical", "users_id_seq", None)]
    assert rows(monitor, asked) == both
    with connected(faulty, autocommit=False) as connection:
        connection.cursor().execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        assert rows(monitor, asked) == [
            both[0], ("unknown", "users_id_seq", "a table that it reads is locked"),
        ]  # fmt: skip


def test_a_login_without_the_role_gets_nothing_of_it(databases: Databases, url: str, monitor: str) -> None:
    role = f"n{uuid.uuid4().hex[:8]}"
    rows(url, f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_app, agent_readonly")
    try:
        other = databases.url(str(parse_dsn(url)["dbname"]), user=role, password="secret")
        for asked in (
            "SELECT FROM ops.health_findings", "SELECT FROM ops.health_v1()",
            "SELECT ops.health_extreme_v1('public.users', 'id', true)",
        ):  # fmt: skip
            assert rows(monitor, asked) is not None
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                rows(other, asked)
    finally:
        rows(url, f"DROP ROLE {role}")


ASKED = {
    "SELECT ops.health_extreme_v1('public.users', 'id', true)": True,
    # Personal, though a number; and not a number at all.
    "SELECT ops.health_extreme_v1('public.users', 'birth_year', true)": False,
    "SELECT ops.health_extreme_v1('public.users', 'email', true)": False,
    # Somebody else's, whose policies would run as the owner of the function.
    "SELECT ops.health_extreme_v1('elsewhere', 'id', true)": False,
    "SELECT ops.health_default_holds_v1('public.spans_rest', NULL, NULL)": True,
    "SELECT ops.health_default_holds_v1('public.spans_1', NULL, NULL)": False,
    "SELECT ops.health_default_holds_v1('public.users', NULL, NULL)": False,
    "SELECT ops.health_oldest_v1('public.listens', 'listened_at')": True,
    "SELECT ops.health_oldest_v1('public.users', 'created_at')": False,
}


def test_of_a_table_that_may_not_be_read_no_more_is_told_than_a_check_needs(url: str, monitor: str) -> None:
    rows(
        url,
        "SET ROLE agent_owner; CREATE TABLE spans (b timestamptz) PARTITION BY RANGE (b);"
        " CREATE TABLE spans_1 PARTITION OF spans FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');"
        " CREATE TABLE spans_rest PARTITION OF spans DEFAULT; RESET ROLE;"
        " CREATE TABLE elsewhere (id serial PRIMARY KEY); GRANT SELECT ON elsewhere TO agent_owner",
    )
    for asked, is_told in ASKED.items():
        if is_told:
            assert len(rows(monitor, asked)) == 1
        else:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                rows(monitor, asked)


def test_every_function_that_runs_as_its_owner_looks_in_a_fixed_place(url: str) -> None:
    made = rows(
        url,
        "SELECT proname, prosecdef, proconfig[1], has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc"
        " WHERE proname LIKE 'health%' AND pronamespace = 'ops'::regnamespace ORDER BY proname COLLATE \"C\"",
    )
    assert {row[2:] for row in made} == {("search_path=pg_catalog, pg_temp", False)}
    assert [name for name, is_definer, *_ in made if is_definer] == [
        "health_default_holds_v1", "health_extreme_v1", "health_md5_v1", "health_null_part_v1", "health_oldest_v1",
    ]  # fmt: skip
    assert len(made) == 10


def test_the_checks_in_the_database_are_those_of_this_build_however_often_they_are_published(
    url: str,
) -> None:
    kept = "SELECT DISTINCT check_id FROM ops.health_checks ORDER BY 1"
    expected = sorted(check.id for check in CHECKS if is_published(check))
    assert sorted(str(check) for (check,) in rows(url, kept)) == expected
    assert len(expected) > 120
    whole = "SELECT count(*), md5(string_agg(one::text, '' ORDER BY check_id, since)) FROM ops.health_checks AS one"
    before = rows(url, whole)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE ops.health_checks SET title = 'old'")
        assert rows(url, whole) != before
        cursor.execute(published())
    assert rows(url, whole) == before


def test_a_newer_server_is_asked_in_its_own_words(url: str) -> None:
    asked = rows(
        url,
        "SELECT since, statement LIKE '%%pg_stat_checkpointer%%' FROM ops.health_checks"
        " WHERE check_id = 'wal.checkpoints_requested' ORDER BY since",
    )
    assert asked == [(0, False), (170_000, True)]
    assert rows(url, "SELECT state FROM ops.health_v1(ARRAY['wal.checkpoints_requested'])") in (
        [("ok",)], [("warning",)],
    )  # fmt: skip


def test_the_past_of_one_thing_is_read_by_an_index_and_written_by_the_monitor(url: str, monitor: str) -> None:
    rows(
        monitor,
        "INSERT INTO ops.health_history (taken_at, database, check_id, kind, schema_name, name, fingerprint, state,"
        " measure, unit) SELECT now() - (n - 0.5) * interval '1 hour', 'd', 'conn.usage', 'server', NULL, 'connections',"
        " md5((n % 200)::text), 'ok', 0.5, 'of the slots' FROM generate_series(1, 20000) AS n",
    )
    rows(url, "VACUUM ANALYZE ops.health_history")
    plan = "EXPLAIN SELECT * FROM ops.health_history WHERE fingerprint = 'a' AND taken_at > now() - interval '90 days'"
    assert "health_history_fingerprint_taken_at_idx" in str(rows(url, plan))
    late = "DELETE FROM ops.health_history WHERE taken_at < now() - interval '400 days' RETURNING 1"
    assert "health_history_taken_at_idx" in str(rows(url, f"EXPLAIN {late}"))
    assert len(rows(monitor, late)) == 20_000 - 400 * 24
    kept = "SELECT rule, time_column, keep_for::text, action FROM retention_policies WHERE table_name = 'ops.health_history'"
    assert rows(url, kept) == [("history", "taken_at", "400 days", "delete")]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(monitor, "UPDATE ops.health_history SET state = 'critical'")
    with pytest.raises(psycopg2.errors.CheckViolation, match="health_history_state_check"):
        rows(
            monitor,
            "INSERT INTO ops.health_history (database, check_id, kind, name, fingerprint, state)"
            " VALUES ('d', 'c', 'k', 'n', 'f', 'fine')",
        )


HELD = (
    "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'agent_monitor'::regrole"
    " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def test_on_the_way_back_the_role_keeps_nothing_here_and_stays_for_the_databases_that_use_it(
    url: str,
) -> None:
    assert rows(url, HELD) != [(0,)]
    done = run_alembic("downgrade", BEFORE_HEAD if BEFORE_HEAD < "009" else "008", url=url)
    assert done.returncode == 0, done.stderr
    assert rows(url, HELD) == [(0,)]
    assert rows(url, "SELECT rolname FROM pg_roles WHERE rolname = 'agent_monitor'") == [("agent_monitor",)]
    assert rows(url, "SELECT to_regclass('ops.health_history')") == [(None,)]


@pytest.mark.soak
def test_a_role_of_our_own_making_goes_and_one_of_an_administrator_stays(
    checkout: Checkout, empty_url: str
) -> None:
    ours, theirs = (f"watch_{uuid.uuid4().hex[:8]}" for _ in range(2))
    file = checkout.versions / "009_health_check.py"
    text = file.read_text()
    for role, is_there_after in ((ours, False), (theirs, True)):
        file.write_text(text.replace("agent_monitor", role))
        if role == theirs:
            rows(empty_url, f"CREATE ROLE {role}")
        assert checkout.alembic("upgrade", "009", url=empty_url).returncode == 0
        member = f"SELECT pg_has_role('{role}', 'pg_monitor', 'USAGE')"
        assert rows(empty_url, member) == [(True,)]
        done = checkout.alembic("downgrade", "base", url=empty_url)
        assert done.returncode == 0, done.stderr
        there = rows(empty_url, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'")
        assert (there == [(1,)]) is is_there_after
    rows(empty_url, f"DROP ROLE {theirs}")


def test_a_login_that_may_make_no_role_is_told_what_an_administrator_runs(
    checkout: Checkout, empty_url: str, login: Callable[..., str]
) -> None:
    assert run_alembic("upgrade", "008", url=empty_url).returncode == 0
    # The server's other databases have made the real role: one that nobody made stands for it.
    file = checkout.versions / "009_health_check.py"
    file.write_text(file.read_text().replace("agent_monitor", "nobody_made_this"))
    url = login(grants=("ALTER DATABASE {database} OWNER TO {role}", "GRANT agent_owner TO {role}"))
    done = checkout.alembic("upgrade", "009", url=url)
    problem, hint = done.stderr.splitlines()[-2:]
    assert problem.startswith(
        'error: upgrade of revision 009_health_check failed: role "nobody_made_this" does not exist'
    )
    assert problem.endswith("lacks CREATEROLE to create it")
    assert hint == (
        "Hint: as an administrator run CREATE ROLE nobody_made_this; GRANT pg_monitor TO nobody_made_this;"
    )


def test_a_login_that_may_not_grant_pg_monitor_goes_on_and_the_checks_say_what_is_missing(
    checkout: Checkout, databases: Databases, empty_url: str, login: Callable[..., str]
) -> None:
    assert run_alembic("upgrade", "008", url=empty_url).returncode == 0
    role, member = (f"watch_{uuid.uuid4().hex[:8]}" for _ in range(2))
    file = checkout.versions / "009_health_check.py"
    file.write_text(file.read_text().replace("agent_monitor", role))
    rows(empty_url, f"CREATE ROLE {role}; CREATE ROLE {member} LOGIN PASSWORD 'secret' IN ROLE {role}")
    url = login(grants=("ALTER DATABASE {database} OWNER TO {role}", "GRANT agent_owner TO {role}"))
    try:
        done = checkout.alembic("upgrade", "009", url=url)
        assert done.returncode == 0, done.stderr
        watching = databases.url(str(parse_dsn(empty_url)["dbname"]), user=member, password="secret")
        asked = "SELECT state, summary, cure FROM ops.health_v1(ARRAY['conn.usage', 'set.hba_errors'])"
        assert rows(watching, asked) == [
            (
                "unknown", "connections in use: the login sees its own sessions only", f"GRANT pg_monitor TO {member}",
            ),
            (
                "unknown", "lines of pg_hba.conf that are not taken: the login may not ask",
                f"GRANT SELECT ON pg_catalog.pg_hba_file_rules TO {member}; "
                f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO {member}",
            ),
        ]  # fmt: skip
        done = checkout.alembic("downgrade", "008", url=url)
        assert done.returncode == 0, done.stderr
    finally:
        rows(empty_url, f"DROP OWNED BY {role} CASCADE; DROP ROLE {member}; DROP ROLE {role}")
