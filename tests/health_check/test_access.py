"""Faults of roles, rights, migrations, extensions and imports are found, and what mends them clears them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults import Fault, found, held, role_of
from spotify_ai_agent_migrations.versions.core.locks import lock_key
from spotify_ai_agent_migrations.versions.health_check import State, check_health
from spotify_ai_agent_migrations.versions.health_check.checks_migrations import heads_of
from spotify_ai_agent_migrations.versions.runner.offline import VERSION_TABLE
from support import BEFORE_HEAD, HEAD, NEXT, connected, rows

SECDEF = "CREATE FUNCTION f(a integer DEFAULT 1) RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT a'"
VERSIONS = "CREATE TABLE alembic_version (version_num text PRIMARY KEY)"
OPS = "CREATE SCHEMA ops"
JOURNAL = (
    OPS,
    "CREATE TABLE ops.migration_journal (id bigint, at timestamptz DEFAULT now(), revision text, state text,"
    " direction text DEFAULT 'upgrade', previous_hash text, hash text)",
    "CREATE TABLE ops.migration_state (entries bigint, head text)",
)

FAULTS = (
    Fault(
        "sec.public_create", ("GRANT CREATE ON SCHEMA public TO PUBLIC",), State.CRITICAL, "schema public",
        "everybody may create in schema public",
    ),
    Fault(
        "sec.secdef_search_path", (SECDEF,), State.CRITICAL, "function public.f(integer)",
        "f(integer) runs as postgres with the search path of its caller",
    ),
    Fault(
        "sec.secdef_search_path", (SECDEF, "REVOKE EXECUTE ON FUNCTION f FROM PUBLIC"), State.WARNING,
        "function public.f(integer)", "f(integer) runs as postgres with the search path of its caller",
    ),
    Fault(
        "sec.rls_off", ("CREATE TABLE t (a integer)", "CREATE POLICY p ON t USING (a > 0)"), State.CRITICAL,
        "table public.t", "t has 1 policies, and row level security is off",
    ),
    Fault(
        "sec.rls_no_policy", ("CREATE TABLE t (a integer)", "ALTER TABLE t ENABLE ROW LEVEL SECURITY"), State.INFO,
        "table public.t", "t has row level security and no policy", mended=("CREATE POLICY p ON t USING (a > 0)",),
    ),
    Fault(
        "sec.policy_always_true",
        ("CREATE TABLE t (a integer)", "CREATE POLICY p ON t FOR INSERT WITH CHECK (true)"),
        State.WARNING, "policy public.t.p", "policy p of t lets everybody write any row",
        mended=("DROP POLICY p ON t",),
    ),
    Fault(
        "sec.policies_overlap",
        (
            "CREATE TABLE t (a integer)", "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY p ON t USING (a > 0)", "CREATE POLICY q ON t USING (a > 1)",
        ),
        State.INFO, "table public.t", "2 permissive policies of t hold for the same role and command",
        mended=("DROP POLICY p ON t",),
    ),
    Fault(
        "sec.view_bypass",
        (
            "CREATE TABLE t (a integer)", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE VIEW v AS TABLE t",
            "GRANT SELECT ON v TO PUBLIC",
        ),
        State.WARNING, "view public.v", "view v reads t as its owner, and passes by the policies",
    ),
    Fault(
        "sec.view_bypass",
        (
            "CREATE TABLE t (a integer)", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE VIEW v AS TABLE t",
            "GRANT SELECT ON v TO pg_monitor",
        ),
        State.INFO, "view public.v", "view v reads t as its owner, and passes by the policies",
    ),
    Fault(
        "sec.public_grants", ("CREATE TABLE t (a integer)", "GRANT SELECT, INSERT ON t TO PUBLIC"), State.WARNING,
        "table public.t", "everybody has INSERT, SELECT on t",
    ),
    Fault(
        "sec.public_grants",
        (
            "CREATE TABLE t (a integer)", "COMMENT ON COLUMN t.a IS 'personal: an address'",
            "GRANT SELECT ON t TO PUBLIC",
        ),
        State.CRITICAL, "table public.t", "everybody has SELECT on t",
    ),
    Fault(
        "sec.ext_public", ("CREATE EXTENSION citext",), State.INFO, "extension citext",
        "extension citext is in schema public",
    ),
    Fault(
        "sec.reg_columns", ("CREATE TABLE t (a regproc)",), State.INFO, "column public.t.a", "a of t is regproc",
    ),
    Fault(
        "mig.version_table", (VERSIONS,), State.CRITICAL, "table public.alembic_version",
        "alembic_version has 0 rows", mended=(f"INSERT INTO alembic_version VALUES ('{HEAD}')",),
    ),
    Fault(
        "mig.revision", (VERSIONS, f"INSERT INTO alembic_version VALUES ('{BEFORE_HEAD}')"), State.WARNING,
        f"revision {BEFORE_HEAD}", f"the database is at {BEFORE_HEAD}, behind {HEAD}",
        mended=(f"UPDATE alembic_version SET version_num = '{HEAD}'",),
    ),
    Fault(
        "mig.revision", (VERSIONS, f"INSERT INTO alembic_version VALUES ('{NEXT}')"), State.INFO,
        f"revision {NEXT}", f"the database is at {NEXT}, ahead of {HEAD}",
        mended=(f"UPDATE alembic_version SET version_num = '{HEAD}'",),
    ),
    Fault(
        "mig.revision", (VERSIONS, "INSERT INTO alembic_version VALUES ('abc')"), State.CRITICAL,
        "revision abc", f"the database is at abc, at a revision unknown to {HEAD}",
        mended=(f"UPDATE alembic_version SET version_num = '{HEAD}'",),
    ),
    Fault(
        "mig.unfinished", (*JOURNAL, "INSERT INTO ops.migration_journal (id, revision, state) VALUES (1, '008', 'dirty'), (2, '009', 'refused')"),
        State.CRITICAL, "revision 008", "upgrade of 008 is dirty",
        mended=("INSERT INTO ops.migration_journal (id, revision, state) VALUES (3, '008', 'applied')",),
    ),
    Fault(
        "mig.unfinished",
        (
            *JOURNAL,
            "INSERT INTO ops.migration_journal (id, at, revision, state) VALUES (1, now() - interval '1 h', '008', 'started')",
        ),
        State.WARNING, "revision 008", "upgrade of 008 is started",
        mended=("INSERT INTO ops.migration_journal (id, revision, state) VALUES (2, '008', 'applied')",),
    ),
    Fault(
        "mig.journal_broken",
        (*JOURNAL, "INSERT INTO ops.migration_journal (id, previous_hash, hash) VALUES (1, '', 'a'), (2, 'b', 'c')"),
        State.CRITICAL, "entry 2", "entry 2 of the journal does not follow on the one before",
        mended=("UPDATE ops.migration_journal SET previous_hash = 'a' WHERE id = 2",),
    ),
    Fault(
        "mig.journal_broken",
        (*JOURNAL, "INSERT INTO ops.migration_journal (id, previous_hash, hash) VALUES (2, 'b', 'c')"),
        State.CRITICAL, "entry 2", "entry 2 of the journal does not follow on the one before",
        mended=("INSERT INTO ops.migration_journal (id, previous_hash, hash) VALUES (1, '', 'b')",),
    ),
    Fault(
        "mig.journal_end", (*JOURNAL, "INSERT INTO ops.migration_state VALUES (2, 'c')"), State.CRITICAL,
        "table ops.migration_journal", "the journal has 0 entries and should have 2",
        mended=("INSERT INTO ops.migration_journal (id, hash) VALUES (1, 'a'), (2, 'c')",),
    ),
    Fault(
        "mig.leftovers", ("CREATE TABLE _alembic_tmp_users (a integer)",), State.WARNING,
        "table public._alembic_tmp_users", "_alembic_tmp_users was left by a migration that did not end",
    ),
    Fault(
        "ext.outdated", ("CREATE EXTENSION citext VERSION '1.5'",), State.WARNING, "extension citext",
        "extension citext is 1.5, and …",
    ),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.check for fault in FAULTS])
def test_a_fault_is_found_and_what_mends_it_clears_it(empty_url: str, fault: Fault) -> None:
    held(empty_url, fault)


def test_only_the_lock_of_the_migrations_says_that_one_is_at_work(empty_url: str) -> None:
    for statement in JOURNAL:
        rows(empty_url, statement)
    begun = "INSERT INTO ops.migration_journal (id, at, revision, state) VALUES (1, now() - interval '1 h', '008', 'started')"
    rows(empty_url, begun)
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7)")
        assert [one.state for one in found(empty_url, "mig.unfinished")] == [State.WARNING]
        cursor.execute("SELECT pg_advisory_lock(%s)", (lock_key(VERSION_TABLE),))
        assert found(empty_url, "mig.unfinished") == ()


def test_an_extension_of_which_the_files_are_gone_is_found(empty_url: str) -> None:
    rows(empty_url, "CREATE EXTENSION citext")
    assert found(empty_url, "ext.missing") == ()
    rows(empty_url, "UPDATE pg_extension SET extname = 'gone' WHERE extname = 'citext'")
    (one,) = found(empty_url, "ext.missing")
    rows(empty_url, "UPDATE pg_extension SET extname = 'citext' WHERE extname = 'gone'")
    assert (one.state, str(one.subject)) == (State.CRITICAL, "extension gone")
    assert found(empty_url, "ext.missing") == ()


OWN_TABLES = (
    Fault(
        "app.import_unfinished",
        (
            "INSERT INTO ops.import_job (fingerprint, table_name, source, mode, guarantee, started_at)"
            " VALUES ('f', 'public.tracks', 'tracks.csv', 'insert', 'resumable', clock_timestamp() - interval '2 days')",
        ),
        State.WARNING, "import 1", "import 1 into public.tracks began 48 h ago and did not end",
        mended=(
            "INSERT INTO ops.import_job (fingerprint, table_name, source, mode, guarantee, finished_at)"
            " VALUES ('f', 'public.tracks', 'tracks.csv', 'insert', 'resumable', clock_timestamp())",
        ),
    ),
    Fault(
        "app.import_rejects",
        (
            "INSERT INTO ops.import_job (fingerprint, table_name, source, mode, guarantee, finished_at)"
            " VALUES ('f', 'public.tracks', 'tracks.csv', 'insert', 'atomic', clock_timestamp())",
            "INSERT INTO ops.import_reject (job_id, line, byte_offset, sqlstate, reason)"
            " SELECT id, line, 0, '22P02', 'no number' FROM ops.import_job, generate_series(1, 3) AS line",
        ),
        State.WARNING, "import 1", "3 rows of import 1 into public.tracks were rejected",
        mended=("DELETE FROM ops.import_reject",),
    ),
    Fault(
        "part.retention_overdue",
        (
            "ALTER TABLE analytics DETACH PARTITION analytics_legacy",
            "CREATE TABLE analytics_old PARTITION OF analytics FOR VALUES FROM ('2001-01-01') TO ('2001-02-01')",
        ),
        State.CRITICAL, "table public.analytics", "the oldest partition of analytics ended at …",
        mended=("UPDATE ops.partition_policy SET hold = 'a court asked for it' WHERE table_name = 'public.analytics'",),
    ),
    Fault(
        "part.drop_overdue",
        (
            "CREATE TABLE gone ()",
            "INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid, detached_at)"
            " VALUES ('public.analytics', 'gone', 'gone'::regclass::oid::bigint, clock_timestamp() - interval '40 days')",
        ),
        State.CRITICAL, "partition gone", "partition gone of public.analytics should have been dropped 33 days ago",
        mended=("DROP TABLE gone",),
    ),
)  # fmt: skip


@pytest.mark.parametrize("fault", OWN_TABLES, ids=[fault.check for fault in OWN_TABLES])
def test_what_waits_in_the_tables_of_this_package_is_found(url: str, fault: Fault) -> None:
    held(url, fault)


def test_a_database_that_was_just_migrated_has_no_more_than_remarks(url: str) -> None:
    report = check_health(
        url=url,
        only=["vac", "stats", "tbl", "idx", "seq", "int", "con", "trg", "part", "sec", "mig", "ext", "app"],
    )
    assert {
        ran.check: ran.reason
        for ran in report.checks
        if ran.state is State.SKIPPED and not ran.check.endswith(("corrupt", "bloat"))
    }.keys() <= {
        "con.not_enforced",
        "seq.days_left",
        "tbl.temp_orphans",
        # Nobody said which queue; and of what is still to come there is no table.
        "app.queue_overdue",
        "app.erasure_overdue",
        "app.job_heartbeat",
        "app.audit_broken",
        "app.audit_unsealed",
    }
    assert report.state is State.INFO
    assert "mig.revision" in {ran.check for ran in report.checks if ran.state is State.OK}


def test_tables_of_this_package_that_are_not_there_are_skipped(empty_url: str) -> None:
    (ran,) = check_health(url=empty_url, only=["app.import_rejects"]).checks
    assert (ran.state, ran.reason) == (State.SKIPPED, "there is no table ops.import_reject")


def test_tables_of_this_package_that_the_login_may_not_read_are_unknown(
    empty_url: str, login: Callable[..., str]
) -> None:
    rows(empty_url, "CREATE SCHEMA ops")
    rows(empty_url, "CREATE TABLE ops.import_job ()")
    url = login()
    role = role_of(url)
    (ran,) = check_health(url=url, only=["app.import_unfinished"]).checks
    cure = f"GRANT USAGE ON SCHEMA ops TO {role}; GRANT SELECT ON ops.import_job TO {role}"
    assert (ran.state, ran.reason) == (State.UNKNOWN, f"the login may not ask: {cure}")
    (one,) = ran.findings
    assert (one.state, one.cure) == (State.UNKNOWN, cure)


def test_a_login_that_owns_a_table_with_policies_passes_by_them(
    empty_url: str, login: Callable[..., str]
) -> None:
    role = role_of(login())
    rows(empty_url, "CREATE TABLE t (a integer)")
    rows(empty_url, "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    assert found(empty_url, "sec.rls_not_forced") == ()
    rows(empty_url, f"ALTER TABLE t OWNER TO {role}")
    (one,) = found(empty_url, "sec.rls_not_forced")
    assert (one.state, one.summary) == (
        State.INFO,
        f"{role} owns t, and its policies do not hold for the owner",
    )
    for fix in one.fixes:
        rows(empty_url, fix.sql)
    assert found(empty_url, "sec.rls_not_forced") == ()


@pytest.mark.parametrize(
    ("attributes", "grants", "check", "state", "said"),
    [
        ("SUPERUSER", (), "sec.superusers", State.WARNING, "may log in and do anything"),
        ("BYPASSRLS", (), "sec.role_powers", State.WARNING, "has BYPASSRLS"),
        ("CREATEROLE", (), "sec.role_powers", State.WARNING, "has CREATEROLE"),
        (
            "",
            ("GRANT pg_execute_server_program TO {role}",),
            "sec.role_powers",
            State.CRITICAL,
            "has pg_execute_server_program",
        ),
        ("VALID UNTIL 'tomorrow'", (), "sec.password_expiry", State.CRITICAL, "the password of"),
    ],
)
def test_a_login_that_may_much_or_ends_soon_is_found(
    empty_url: str,
    login: Callable[..., str],
    attributes: str,
    grants: tuple[str, ...],
    check: str,
    state: State,
    said: str,
) -> None:
    role = role_of(login(attributes, grants=grants))
    (one,) = [each for each in found(empty_url, check) if each.subject.name == role]
    assert (one.state, said in one.summary) == (state, True)
    for fix in one.fixes or ():
        rows(empty_url, fix.sql)
    if not one.fixes:
        rows(empty_url, f"ALTER ROLE {role} VALID UNTIL 'infinity'")
    assert [each for each in found(empty_url, check) if each.subject.name == role] == []


def test_rules_of_access_that_the_login_may_not_read_are_unknown_until_it_is_granted_what_is_said(
    empty_url: str, login: Callable[..., str]
) -> None:
    url = login()
    (one,) = check_health(url=url, only=["sec.hba_trust"]).findings
    assert (one.state, one.summary) == (
        State.UNKNOWN,
        "networks that get in without a password, or show it: the login may not ask",
    )
    rows(empty_url, str(one.cure))
    (again,) = check_health(url=url, only=["sec.hba_trust"]).checks
    assert again.state is State.OK


def test_a_setting_of_the_database_is_found(empty_url: str) -> None:
    statement = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END $$"
    assert found(empty_url, "stats.track_off") == ()
    rows(empty_url, statement.format("SET track_activities = off"))
    (one,) = found(empty_url, "stats.track_off")
    rows(empty_url, statement.format("RESET track_activities"))
    assert (one.state, one.summary) == (State.WARNING, "track_activities is off")
    assert found(empty_url, "stats.track_off") == ()


@pytest.mark.parametrize("check", ["vac.saturated", "vac.wraparound_running"])
def test_what_autovacuum_does_is_unknown_to_who_may_not_see_it(login: Callable[..., str], check: str) -> None:
    url = login()
    (one,) = found(url, check)
    role = role_of(url)
    assert (one.state, one.cure) == (State.UNKNOWN, f"GRANT pg_monitor TO {role}")
    # How busy autovacuum is at this moment is not ours to say.
    (ran,) = check_health(url=login(grants=("GRANT pg_monitor TO {role}",)), only=[check]).checks
    assert (ran.state is not State.UNKNOWN, ran.reason) == (True, "")


CONTROLS = (
    ("sec.secdef_search_path", (SECDEF, "ALTER FUNCTION f SET search_path = pg_catalog, pg_temp"),),
    ("sec.secdef_search_path", (SECDEF.replace("SECURITY DEFINER", ""),),),
    ("sec.policy_always_true", ("CREATE TABLE t (a integer)", "CREATE POLICY p ON t FOR SELECT USING (true)"),),
    (
        "sec.view_bypass",
        (
            "CREATE TABLE t (a integer)", "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "CREATE VIEW v WITH (security_invoker) AS TABLE t", "GRANT SELECT ON v TO PUBLIC",
        ),
    ),
    ("sec.reg_columns", ("CREATE TABLE t (a regclass, b regtype, c regrole)",),),
    ("mig.revision", (VERSIONS, f"INSERT INTO alembic_version VALUES ('{HEAD}')"),),
)  # fmt: skip


@pytest.mark.parametrize(("check", "made"), CONTROLS, ids=[f"{one[0]}-{n}" for n, one in enumerate(CONTROLS)])
def test_what_only_looks_like_a_fault_is_none(empty_url: str, check: str, made: tuple[str, ...]) -> None:
    for statement in made:
        rows(empty_url, statement)
    assert found(empty_url, check) == ()


@pytest.mark.parametrize(
    ("texts", "heads"),
    [
        (('revision = "001"\ndown_revision = None', "revision = '002'\ndown_revision = '001'"), ("002",)),
        (('revision: str = "001"', 'revision: str = "002"\ndown_revision: str | None = "001"'), ("002",)),
        (
            ('revision = "002"\ndown_revision = "001"', 'revision = "003"\ndown_revision = "001"'),
            ("002", "003"),
        ),
        (
            ('revision = "002"', 'revision = "003"', 'revision = "004"\ndown_revision = ("002", "003")'),
            ("004",),
        ),
        # A draft that nobody can read yet.
        (('revision = "001"', "def upgrade(:\n\ufffd"), ("001",)),
    ],
)
def test_heads_are_found_however_a_revision_says_its_number(
    texts: tuple[str, ...], heads: tuple[str, ...]
) -> None:
    assert heads_of(texts) == heads
