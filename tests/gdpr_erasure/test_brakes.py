"""Brakes: an erasure that does more than it may waits for two persons."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg2
import pytest
from gdpr_erasure.people import ADA
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.errors import (
    ApprovalError,
    DatabaseError,
    PrivilegeError,
    SettingsError,
    SubjectError,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.brakes import approve, hold_back, limits_of
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Step
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import plan_erasure
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from support import Databases, connected, rows


def plan_of(count: int, table: str = "public.listens") -> ErasurePlan:
    """A plan that does so many rows of one table."""
    return ErasurePlan(
        1, (Step(1, table, Action.DELETE, (), count, True, 0, "ROW EXCLUSIVE", str, "", ""),), ()
    )


def held(url: str, plan: ErasurePlan, **limits: float) -> str | None:
    """What *plan* is held back with; None passes."""
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        try:
            hold_back(cursor, plan, **limits)  # type: ignore[arg-type]
        except ApprovalError as error:
            return error.problem
    return None


@pytest.fixture
def registered(url: str) -> str:
    """A database with one person in it, who has the number 1."""
    rows(url, "INSERT INTO users (id, email, display_name) VALUES (1, 'a@example.org', 'A')")
    return url


@pytest.fixture
def officers(databases: Databases) -> Iterator[Callable[[str], str]]:
    """Makes logins of people who answer for privacy, of the database of a URL."""
    made: list[str] = []

    def make(url: str) -> str:
        role = f"officer_{uuid.uuid4().hex[:8]}"
        rows(url, f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_privacy")
        made.append(role)
        return databases.url(str(parse_dsn(url)["dbname"]), user=role, password="secret")

    yield make
    for role in made:
        rows(databases.url("postgres"), f"DROP ROLE {role}")


def test_an_erasure_within_the_limits_passes(registered: str) -> None:
    assert held(registered, plan_of(100_000)) is not None
    assert held(registered, plan_of(900)) is None
    assert held(registered, plan_of(0)) is None


def test_more_rows_than_the_limit_are_held_back(registered: str) -> None:
    assert held(registered, plan_of(100_001)) == (
        "the erasure does 100001 rows, of 100000 that it may; it takes the approval of 2 persons, and 0 have given it"
    )
    assert held(registered, plan_of(500), most_rows=499) == (
        "the erasure does 500 rows, of 499 that it may; it takes the approval of 2 persons, and 0 have given it"
    )


def test_a_large_share_of_a_table_is_held_back_without_statistics_and_with_stale_ones(
    registered: str,
) -> None:
    rows(registered, "CREATE TABLE things AS SELECT n FROM generate_series(1, 20000) AS n")
    assert rows(registered, "SELECT reltuples FROM pg_class WHERE relname = 'things'") == [(-1.0,)]
    problem = 'the erasure does 1001 rows of "public.things", more than 5.00% of it; it takes the approval of 2 persons, and 0 have given it'
    assert held(registered, plan_of(1_001, "public.things")) == problem
    assert held(registered, plan_of(1_000, "public.things")) is None
    rows(registered, "ANALYZE things; DELETE FROM things WHERE n > 10000")
    assert held(registered, plan_of(1_000, "public.things")) == problem.replace("1001", "1000")
    assert held(registered, plan_of(999, "public.things")) is None


def test_partitions_and_heirs_are_counted_together(registered: str) -> None:
    rows(
        registered,
        "CREATE TABLE parted (n int) PARTITION BY RANGE (n);"
        "CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (20000);"
        "CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (20000) TO (90000);"
        "INSERT INTO parted SELECT generate_series(0, 50000); ANALYZE parted_a; ANALYZE parted_b",
    )
    assert held(registered, plan_of(1_200, "public.parted")) is None
    assert held(registered, plan_of(2_600, "public.parted")) is not None


def test_nobody_raises_the_limits_by_asking(registered: str) -> None:
    with connected(registered) as connection, connection.cursor() as cursor:
        limits = limits_of(cursor)
        assert (limits.most_rows, limits.most_share, limits.approvers) == (100_000, 0.05, 2)
        assert limits.lowered(10**9, 1.0) == limits
        assert limits.lowered(5, 0.01) != limits
        for wrong in ((-1, None), (None, 1.5), (None, -0.1)):
            with pytest.raises(SettingsError):
                limits.lowered(*wrong)
        rows(registered, "DELETE FROM ops.erasure_limits")
        assert (limits_of(cursor).most_rows, limits_of(cursor).approvers) == (0, 2)


def test_two_persons_let_it_pass_and_one_does_not_however_often(
    registered: str, officers: Callable[[str], str]
) -> None:
    first, second = officers(registered), officers(registered)
    plan = plan_of(200_000, "public.things")
    rows(registered, "CREATE TABLE things AS SELECT n FROM generate_series(1, 10) AS n")
    assert approve(plan.hash, first, user_id=1, rows=200_000) == 1
    assert approve(plan.hash, first, user_id=1, rows=200_000) == 1
    assert held(registered, plan) == (
        "the erasure does 200000 rows, of 100000 that it may; it takes the approval of 2 persons, and 1 have given it"
    )
    assert approve(plan.hash, second, user_id=1, rows=200_000) == 2
    assert held(registered, plan) is None
    assert held(registered, plan_of(200_001, "public.things")) is not None
    assert held(registered, replace(plan, subject=2)) is not None
    assert held(registered, replace(plan, derived=("public.other",))) is not None


def test_an_approval_ends_and_is_never_taken_out(registered: str, officers: Callable[[str], str]) -> None:
    first, second, plan = officers(registered), officers(registered), plan_of(200_000)
    for officer in (first, second):
        rows(
            officer, "SELECT ops.approve_erasure_v1(1, decode(%s, 'hex'), 200000, '2 minutes')", (plan.hash,)
        )
    assert held(registered, plan) is None
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(first, "DELETE FROM ops.erasure_approvals")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="append-only"):
        rows(registered, "UPDATE ops.erasure_approvals SET expires_at = now()")
    rows(
        registered,
        "SET ROLE agent_owner; UPDATE ops.erasure_approvals"
        " SET approved_at = now() - interval '2 days', expires_at = now() - interval '1 second'",
    )
    assert held(registered, plan) is not None


def test_a_login_that_says_it_is_somebody_else_is_still_one_person(
    registered: str, officers: Callable[[str], str]
) -> None:
    """`app.user_id` is anybody's to set; and a login met twice at once may have two pseudonyms."""
    rows(registered, "INSERT INTO users (id, email, display_name) VALUES (2, 'b@example.org', 'B')")
    one = officers(registered)
    for signed_in in ("1", "2", ""):
        rows(
            one,
            f"SET app.user_id = '{signed_in}'; SELECT ops.approve_erasure_v1(1, decode(repeat('ab', 32), 'hex'), 9)",
        )
    rows(
        registered,
        "INSERT INTO ops.pseudonyms (role_name) SELECT role_name FROM ops.pseudonyms WHERE role_name LIKE 'officer_%';"
        "SET ROLE agent_owner; INSERT INTO ops.erasure_approvals (subject_id, plan_hash, most_rows, approved_by, expires_at)"
        " SELECT 1, decode(repeat('ab', 32), 'hex'), 9, audit_ref, now() + interval '1 day' FROM ops.pseudonyms WHERE role_name LIKE 'officer_%'",
    )
    assert rows(registered, "SELECT count(DISTINCT approved_by) FROM ops.erasure_approvals") == [(2,)]
    assert rows(registered, "SELECT ops.erasure_approvers_v1(1, decode(repeat('ab', 32), 'hex'), 9)") == [
        (1,)
    ]


def test_an_approval_of_nothing_is_refused(registered: str, officers: Callable[[str], str]) -> None:
    one = officers(registered)
    with pytest.raises(SettingsError):
        approve("abc", one, user_id=1, rows=5)
    with pytest.raises(SettingsError):
        approve("ab" * 32, one, user_id=1, rows=0)
    for nobody in (None, 0, -1, True, "1"):
        with pytest.raises(SubjectError):
            approve("ab" * 32, one, user_id=nobody, rows=5)  # type: ignore[arg-type]
    with pytest.raises(DatabaseError) as unknown:
        approve("ab" * 32, one, user_id=4711, rows=5)
    assert unknown.value.problem == "there is no person of this number"
    assert rows(registered, "SELECT count(*) FROM ops.erasure_approvals") == [(0,)]


def test_the_application_approves_of_nothing(registered: str, databases: Databases) -> None:
    role = f"application_{uuid.uuid4().hex[:8]}"
    rows(registered, f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_app")
    try:
        name = str(parse_dsn(registered)["dbname"])
        with pytest.raises(PrivilegeError):
            approve("ab" * 32, databases.url(name, user=role, password="secret"), user_id=1, rows=5)
    finally:
        rows(registered, f"DROP ROLE {role}")


@pytest.mark.usefixtures("keys")
def test_an_erasure_that_was_held_back_has_begun_nothing_and_is_done_when_two_approved(
    entangled: str, officers: Callable[[str], str]
) -> None:
    plan = plan_erasure(ADA.id, entangled)
    with pytest.raises(ApprovalError) as held_back:
        erase_user(ADA.id, most_rows=plan.rows - 1, url=entangled)
    assert held_back.value.hint == (
        "each by a login of their own, once they have seen what it does:"
        f" agentdb gdpr-erasure approve {plan.hash} --rows {plan.rows} --person NUMBER"
    )
    assert str(ADA.id) not in str(held_back.value)
    assert rows(entangled, "SELECT count(*) FROM ops.erasures") == [(0,)]
    for _ in range(2):
        approve(plan.hash, officers(entangled), user_id=ADA.id, rows=plan.rows)
    certificate = erase_user(ADA.id, most_rows=plan.rows - 1, url=entangled)
    assert certificate.body["plan_hash"] == plan.hash
