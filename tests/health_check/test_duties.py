"""What is owed by a day, what a server should have, and what was changed beside the migrations, is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from partitioning.scene import build, converted_in_the_past, settings
from partitioning.test_interrupted import SMALL, convert_again

from faults import Fault, found, held, lower, role_of
from killing import killed_before
from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from spotify_ai_agent_migrations.versions.partitioning import split
from support import Databases, connected, rows

REQUESTS = (
    "CREATE TABLE data_subject_requests (kind text, status text DEFAULT 'received', due_at timestamptz)",
    "INSERT INTO data_subject_requests VALUES ('access', 'completed', now() - interval '9 days')",
    "INSERT INTO data_subject_requests VALUES ('access', 'received', now() + interval '20 days')",
    "INSERT INTO data_subject_requests VALUES ('access', 'paused', NULL), ('erasure', 'paused', NULL)",
)
OPS = "CREATE SCHEMA ops"
BEATS = (
    OPS,
    "CREATE TABLE ops.job_heartbeat (job text, succeeded_at timestamptz, every interval)",
    "INSERT INTO ops.job_heartbeat VALUES ('backup', now() - interval '23 hours', '1 day')",
)
SEALS = (
    OPS,
    "CREATE TABLE ops.audit_seal (id bigint, sealed_at timestamptz, previous_hash text, hash text,"
    " horizon xid8, entry_ids int8multirange, system_identifier text DEFAULT (pg_control_system()).system_identifier)",
    "CREATE TABLE audit_log (id bigint, created_at timestamptz, xid xid8 DEFAULT pg_current_xact_id())",
    "INSERT INTO audit_log SELECT 1, now() - interval '90 minutes'",
    "INSERT INTO ops.audit_seal VALUES (1, now() - interval '2 hours', 'z', 'a', '3', '{}'),"
    " (2, now() - interval '1 hour', 'a', 'b', '4', '{[1,2)}')",
)
POLICIES = (
    "CREATE TABLE retention_policies (table_name text, rule text, time_column text, keep_for interval, action text)",
    "CREATE TABLE kept (at timestamptz)",
    "INSERT INTO retention_policies VALUES ('kept', 'raw', 'at', '30 days', 'delete')",
    "INSERT INTO kept VALUES (now() - interval '33 days')",
)
ERASURES = (
    OPS,
    "CREATE TABLE ops.erasures (state text, hidden_at timestamptz, swept_at timestamptz)",
    "INSERT INTO ops.erasures VALUES ('certified', now() - interval '90 days', now() - interval '90 days'),"
    " ('hidden', now() - interval '1 hour', NULL), ('swept', now() - interval '90 days', now() - interval '1 minute')",
    "CREATE TABLE ops.backup_policies (name text)",
    "INSERT INTO ops.backup_policies VALUES ('nightly')",
)
NOTICES = (
    OPS,
    "CREATE TABLE ops.erasure_notices (recipient text, queued_at timestamptz, outcome text)",
    "INSERT INTO ops.erasure_notices VALUES ('label', now() - interval '90 days', 'told'), ('label', now(), NULL)",
)
REWRITES = (
    OPS,
    "CREATE TABLE ops.rewrites (table_name text, erased_at timestamptz, due_at timestamptz, rewritten_at timestamptz)",
    "CREATE TABLE people (a integer)",
    "CREATE TABLE clean (a integer)",
    "INSERT INTO ops.rewrites VALUES ('public.people', now(), now() + interval '9 days', now() - interval '1 hour'),"
    " ('public.clean', now() - interval '1 hour', now() - interval '1 hour', now()),"
    " ('public.gone', now() - interval '1 hour', now() - interval '1 hour', NULL)",
)
GATE = (
    OPS,
    "CREATE TABLE ops.erasure_gate (is_open boolean)",
    "INSERT INTO ops.erasure_gate VALUES (true)",
    "CREATE FUNCTION ops.gate_is_open_v1() RETURNS boolean LANGUAGE sql AS 'SELECT is_open FROM ops.erasure_gate'",
)

FAULTS = (
    (
        REQUESTS,
        Fault(
            "app.erasure_overdue",
            ("INSERT INTO data_subject_requests VALUES ('erasure', 'received', now() - interval '5 days')",),
            State.CRITICAL, "request erasure", "1 requests for erasure are open, the next one due in -5 days",
            mended=("UPDATE data_subject_requests SET status = 'completed' WHERE kind = 'erasure'",),
        ),
    ),
    (
        REQUESTS,
        Fault(
            "app.erasure_overdue",
            ("INSERT INTO data_subject_requests VALUES ('access', 'received', now() + interval '5 days')",),
            State.WARNING, "request access", "2 requests for access are open, the next one due in 5 days",
            mended=("UPDATE data_subject_requests SET status = 'rejected' WHERE due_at < now() + interval '6 days'",),
        ),
    ),
    (
        BEATS,
        Fault(
            "app.job_heartbeat", ("INSERT INTO ops.job_heartbeat VALUES ('retention', now() - interval '3 hours', '1 hour')",),
            State.WARNING, "job retention", "job retention last ended well 3 h ago, and should every 01:00:00",
            mended=("UPDATE ops.job_heartbeat SET succeeded_at = now()",),
        ),
    ),
    (
        SEALS,
        Fault(
            "app.audit_broken", ("UPDATE ops.audit_seal SET previous_hash = 'x' WHERE id = 2",), State.CRITICAL,
            "seal 2", "seal 2 does not follow on the one before",
            mended=("UPDATE ops.audit_seal SET previous_hash = 'a' WHERE id = 2",),
        ),
    ),
    (
        SEALS,
        Fault(
            "app.audit_broken", ("INSERT INTO ops.audit_seal VALUES (4, now(), 'b', 'd', '5', '{}')",), State.CRITICAL,
            "seal 4", "seal 4 does not follow on the one before",
            mended=("INSERT INTO ops.audit_seal VALUES (3, now(), 'b', 'b', '5', '{}')",),
        ),
    ),
    (
        SEALS,
        Fault(
            "app.audit_unsealed", ("INSERT INTO audit_log SELECT 2, now() - interval '20 minutes'",), State.WARNING,
            "table public.audit_log", "the oldest entry that no seal covers is 20 min old",
            mended=("INSERT INTO ops.audit_seal VALUES (3, now(), 'b', 'c', pg_current_xact_id(), '{[2,3)}')",),
        ),
    ),
    (
        (*SEALS, "DELETE FROM ops.audit_seal", "DELETE FROM audit_log"),
        Fault(
            "app.audit_unsealed", ("INSERT INTO audit_log SELECT 2, now() - interval '2 hours'",), State.INFO,
            "table public.audit_log", "the oldest entry that no seal covers is 120 min old",
            mended=("INSERT INTO ops.audit_seal VALUES (1, now(), 'b', 'c', pg_current_xact_id(), '{[2,3)}')",),
        ),
    ),
    (
        # Restored: the entry that a seal covers has a number that transactions of this server have not come to.
        (*SEALS, "UPDATE audit_log SET xid = '999999999999'", "UPDATE ops.audit_seal SET system_identifier = '1'"),
        Fault(
            "app.audit_unsealed", ("INSERT INTO audit_log SELECT 2, now() - interval '20 minutes'",), State.WARNING,
            "table public.audit_log", "the oldest entry that no seal covers is 20 min old",
            mended=("INSERT INTO ops.audit_seal VALUES (3, now(), 'b', 'c', pg_current_xact_id(), '{[2,3)}')",),
        ),
    ),
    (
        POLICIES,
        Fault(
            "app.retention_overdue", ("INSERT INTO kept VALUES (now() - interval '40 days')",), State.WARNING,
            "policy kept.raw", "kept.raw keeps rows for 10 days longer than it should",
            mended=("DELETE FROM kept WHERE at < now() - interval '39 days'",),
        ),
    ),
    (
        ERASURES,
        Fault(
            "app.erasure_unfinished",
            ("INSERT INTO ops.erasures VALUES ('hidden', now() - interval '25 hours'), ('erased', now())",),
            State.WARNING, "erasure hidden", "2 erasures are hidden, the first of them for 25 h",
            mended=("UPDATE ops.erasures SET state = 'certified' WHERE hidden_at < now() - interval '1 day'",),
        ),
    ),
    (
        ERASURES,
        Fault(
            "app.certificate_missing", ("UPDATE ops.erasures SET swept_at = now() - interval '30 hours' WHERE state = 'swept'",),
            State.CRITICAL, "erasure swept", "1 erasures have been without a certificate for up to 30 h",
            mended=("UPDATE ops.erasures SET state = 'certified'",),
        ),
    ),
    (
        ERASURES,
        Fault(
            "app.backups_undeclared", ("DELETE FROM ops.backup_policies",), State.INFO, "table ops.backup_policies",
            "people were erased, and backup_policies says of no backup how long it is kept",
            mended=("INSERT INTO ops.backup_policies VALUES ('nightly')",),
        ),
    ),
    (
        NOTICES,
        Fault(
            "app.notice_overdue", ("UPDATE ops.erasure_notices SET queued_at = now() - interval '15 days' WHERE outcome IS NULL",),
            State.CRITICAL, "recipient label", "1 notices wait for label, the first of them for 15 days",
            mended=("UPDATE ops.erasure_notices SET outcome = 'told'",),
        ),
    ),
    (
        REWRITES,
        Fault(
            "app.rewrite_wanted", ("UPDATE ops.rewrites SET due_at = now() + interval '2 days'",),
            State.WARNING, "table public.people", "the files of public.people are to be written anew, in 2 days",
            mended=("UPDATE ops.rewrites SET rewritten_at = now()",),
        ),
    ),
    (
        GATE,
        Fault(
            "app.gate_closed", ("UPDATE ops.erasure_gate SET is_open = false",), State.CRITICAL, "gate erasures",
            "the application is kept out until erasures are replayed: agentdb gdpr-erasure replay",
            mended=("UPDATE ops.erasure_gate SET is_open = true",),
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("made", "fault"), FAULTS, ids=[fault.check for _, fault in FAULTS])
def test_what_is_owed_is_found_and_what_is_not_yet_is_not(
    empty_url: str, made: tuple[str, ...], fault: Fault
) -> None:
    for statement in made:
        rows(empty_url, statement)
    held(empty_url, fault)


@pytest.mark.parametrize("check", sorted({fault.check for _, fault in FAULTS}))
def test_where_nothing_is_owed_by_design_the_check_is_skipped(empty_url: str, check: str) -> None:
    (ran,) = check_health(url=empty_url, only=[check]).checks
    assert ran.state is State.SKIPPED
    assert ran.reason.startswith("there is no table ")


def test_a_table_that_a_policy_is_about_and_that_the_login_may_not_read_is_unknown(
    empty_url: str, login: Callable[..., str]
) -> None:
    url = login()
    for statement in POLICIES:
        rows(empty_url, statement)
    rows(empty_url, f"GRANT SELECT ON retention_policies TO {role_of(url)}")
    (one,) = check_health(url=url, only=["app.retention_overdue"]).findings
    assert (one.state, str(one.subject)) == (State.UNKNOWN, "policy kept.raw")
    rows(empty_url, str(one.cure))
    assert check_health(url=url, only=["app.retention_overdue"]).state is State.OK


def _told(url: str, check: str, **told: object) -> tuple[Finding, ...]:
    (ran,) = check_health(url=url, only=[check], expected={check: told}).checks
    assert ran.state is not State.SKIPPED, ran.reason
    return ran.findings


def test_a_queue_that_is_named_is_looked_at(empty_url: str) -> None:
    for statement in (
        "CREATE TABLE job (due_at timestamptz, done_at timestamptz, at timestamptz)",
        "INSERT INTO job VALUES (now() - interval '5 hours', now()), (now() + interval '3 hours', NULL)",
    ):
        rows(empty_url, statement)
    assert _told(empty_url, "app.queue_overdue", table="public.job") == ()
    rows(empty_url, "INSERT INTO job VALUES (now() - interval '2 hours', NULL, now() - interval '2 hours')")
    (one,) = _told(empty_url, "app.queue_overdue", table="public.job")
    assert (one.state, one.summary) == (
        State.CRITICAL, "2 entries of job are open, the next one due in -2 h",
    )  # fmt: skip
    # By another column, the one that is due has the time of the one that is not.
    rows(empty_url, "UPDATE job SET at = now() + interval '2 days' WHERE done_at IS NULL")
    assert _told(empty_url, "app.queue_overdue", table="public.job", due="at") == ()
    (nothing,) = _told(empty_url, "app.queue_overdue", table="public.nothing")
    assert (nothing.state, nothing.summary) == (State.UNKNOWN, "queue public.nothing: there is no such table")


def test_the_role_that_a_server_should_have_is_compared_with_the_one_it_has(empty_url: str) -> None:
    (ran,) = check_health(url=empty_url, only=["avail.role_expected"]).checks
    assert (ran.state, ran.reason) == (State.SKIPPED, "nobody said avail.role_expected.role")
    assert _told(empty_url, "avail.role_expected", role="primary") == ()
    (one,) = _told(empty_url, "avail.role_expected", role="standby")
    assert (one.state, one.summary) == (State.CRITICAL, "the server is a primary, and should be a standby")


@pytest.mark.parametrize(
    ("expected", "problem", "hint"),
    [
        ({"conn.nonsense": {}}, 'there is no check "conn.nonsense" to be told', "say its whole id: conn.usage"),
        (
            {"avail.role_expected": {"rule": "primary"}}, 'avail.role_expected cannot be told "rule"',
            "it can be told role",
        ),
        ({"conn.usage": {"role": "x"}}, 'conn.usage cannot be told "role"', "it can be told nothing"),
        (
            {"repl.expected_standbys": {"names": "a"}}, "repl.expected_standbys.names is not of type list",
            "it is [] else",
        ),
    ],
)  # fmt: skip
def test_what_no_check_can_be_told_is_refused(
    expected: dict[str, dict[str, object]], problem: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        check_health(expected=expected)
    assert (caught.value.problem, caught.value.hint) == (problem, hint)


def test_a_backup_that_is_recorded_in_a_table_has_an_age(empty_url: str, login: Callable[..., str]) -> None:
    told = {"table": "public.backups", "column": "ended_at"}
    (none,) = _told(empty_url, "backup.freshness", **told)
    assert (none.state, none.summary) == (
        State.UNKNOWN, "backup public.backups.ended_at: there is no column public.backups.ended_at",
    )  # fmt: skip
    rows(empty_url, "CREATE TABLE backups (ended_at timestamptz)")
    (never,) = _told(empty_url, "backup.freshness", **told)
    assert (never.state, never.summary) == (
        State.CRITICAL, "backup public.backups.ended_at: it knows of none",
    )  # fmt: skip
    rows(empty_url, "INSERT INTO backups VALUES (now() - interval '30 hours')")
    (old,) = _told(empty_url, "backup.freshness", **told)
    assert (old.state, old.summary) == (
        State.WARNING, "the last backup that public.backups.ended_at knows of is 30 h old",
    )  # fmt: skip
    (hidden,) = _told(login(), "backup.freshness", **told)
    assert hidden.state is State.UNKNOWN
    rows(empty_url, "INSERT INTO backups VALUES (now())")
    assert _told(empty_url, "backup.freshness", **told) == ()


def test_where_nobody_says_when_backups_are_made_that_is_said(
    empty_url: str, login: Callable[..., str]
) -> None:
    (one,) = found(empty_url, "backup.freshness")
    assert (one.state, one.summary) == (
        State.INFO, "backup pg_wal: nothing here says when the last backup was made",
    )  # fmt: skip
    url = login()
    (hidden,) = check_health(url=url, only=["backup.freshness"]).findings
    assert (hidden.state, hidden.cure) == (State.UNKNOWN, f"GRANT pg_monitor TO {role_of(url)}")


def test_memory_that_was_left_as_it_is_made_is_a_remark_where_the_data_outgrew_it(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(empty_url, "set.memory") == ()
    lower(monkeypatch, "set.memory", {"least_times": 0, "least_bytes": 0, "most_times": 0})
    said = {one.subject.name: one for one in found(empty_url, "set.memory")}
    assert sorted(said) == ["random_page_cost", "shared_buffers", "work_mem"]
    assert {one.state for one in said.values()} == {State.INFO}
    assert (
        said["random_page_cost"].summary
        == "random_page_cost is 4: as if every page were on a disk that turns"
    )
    with connected(empty_url) as connection, connection.cursor() as cursor:
        for fix in said["random_page_cost"].fixes:
            cursor.execute(fix.sql)
    try:
        for _ in range(500):
            if "random_page_cost" not in {one.subject.name for one in found(empty_url, "set.memory")}:
                break
        else:
            raise AssertionError("it is as it was")
    finally:
        rows(empty_url, "ALTER SYSTEM RESET random_page_cost")
        rows(empty_url, "SELECT pg_reload_conf()")


def test_a_build_with_two_ends_is_found(empty_url: str) -> None:
    assert found(empty_url, "mig.multiple_heads") == ()
    (one,) = _told(empty_url, "mig.multiple_heads", heads=["008", "009"])
    assert (one.state, one.summary) == (
        State.CRITICAL, "this build ends at 008, 009, and should at one of them",
    )  # fmt: skip


def test_what_was_changed_beside_the_migrations_is_found_and_its_own_fix_takes_it_back(url: str) -> None:
    assert found(url, "mig.drift") == ()
    for statement in (
        "CREATE TABLE public.beside (a integer)",
        "DROP INDEX public.playlist_items_added_by_idx",
        "ALTER TABLE public.users ALTER COLUMN locale SET DEFAULT 'fr'",
    ):
        rows(url, statement)
    seen = {one.summary: one for one in found(url, "mig.drift")}
    assert seen.keys() == {
        "public.beside is new", "public.playlist_items_added_by_idx is gone", "public.users.locale has another default",
    }  # fmt: skip
    assert {one.state for one in seen.values()} == {State.WARNING}
    assert seen["public.beside is new"].fixes == ()
    rows(url, "DROP TABLE public.beside")
    for one in seen.values():
        for fix in one.fixes:
            rows(url, fix.sql)
    assert found(url, "mig.drift") == ()


@pytest.fixture
def scene_url(databases: Databases) -> Iterator[str]:
    """The URL of a database of its own, with a publication, that holds a table with everything about it."""
    name = databases.create()
    build(databases.url(name), SMALL)
    yield databases.url(name)
    databases.drop(name)


def test_a_conversion_that_was_killed_is_found_and_is_gone_when_it_ends(scene_url: str) -> None:
    assert found(scene_url, "mig.partitioning_unfinished") == ()
    assert killed_before("VALIDATE CONSTRAINT", lambda: convert_again(scene_url))
    (one,) = _eventually_alone(scene_url)
    assert (one.state, str(one.subject), one.summary) == (
        State.WARNING, "table public.Odd",
        "to convert Odd was begun and did not end: agentdb partitioning convert goes on",
    )  # fmt: skip
    convert_again(scene_url)
    assert found(scene_url, "mig.partitioning_unfinished") == ()


def test_a_split_that_was_killed_is_found_and_is_gone_when_it_ends(scene_url: str) -> None:
    converted_in_the_past(scene_url)
    assert found(scene_url, "mig.partitioning_unfinished") == ()
    assert killed_before("FOR SHARE OF old", lambda: split('"Odd"', settings=settings(scene_url)))
    (one,) = _eventually_alone(scene_url)
    assert (one.state, one.summary) == (
        State.WARNING, "to split Odd was begun and did not end: agentdb partitioning split goes on",
    )  # fmt: skip
    split('"Odd"', settings=settings(scene_url))
    assert found(scene_url, "mig.partitioning_unfinished") == ()


def _eventually_alone(url: str) -> tuple[Finding, ...]:
    """What is found once the server knows that nobody is at it any more."""
    for _ in range(500):
        seen = found(url, "mig.partitioning_unfinished")
        if all(one.state is not State.INFO for one in seen):
            return seen
        time.sleep(0.01)
    raise AssertionError("somebody is at it")


def test_a_schema_that_nobody_journaled_is_not_compared(empty_url: str) -> None:
    (ran,) = check_health(url=empty_url, only=["mig.drift"]).checks
    assert (ran.state, ran.reason) == (State.SKIPPED, "there is no table ops.migration_state")


def test_a_schema_that_was_described_otherwise_cannot_be_compared_and_that_is_said(url: str) -> None:
    rows(url, "UPDATE ops.migration_state SET described_by = '0 on PostgreSQL 9'")
    (one,) = check_health(url=url, only=["mig.drift"]).findings
    assert one.state is State.UNKNOWN
    assert "the schema was described by 0 on PostgreSQL 9, and is by " in one.summary
