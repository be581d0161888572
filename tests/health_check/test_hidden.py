"""What a login may not read, or a lock or a policy hides, is unknown and never well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults import found, role_of
from spotify_ai_agent_migrations.versions.health_check import State, check_health
from support import connected, rows


def test_what_a_login_may_not_see_is_unknown_and_says_what_would_cure_it(
    empty_url: str, login: Callable[..., str]
) -> None:
    rows(empty_url, "CREATE SEQUENCE s; SELECT setval('s', 9223372036854775807)")
    url = login()
    role = role_of(url)
    (found,) = check_health(url=url, only=["seq.exhaustion"]).findings
    assert (found.state, found.cure) == (State.UNKNOWN, f"GRANT SELECT ON SEQUENCE public.s TO {role}")
    (seen,) = check_health(url=empty_url, only=["seq"]).findings
    assert seen.state is State.CRITICAL


@pytest.mark.parametrize("check", ["seq.exhaustion", "seq.behind_max"])
def test_many_things_that_a_login_may_not_see_are_said_once_with_one_cure(
    empty_url: str, login: Callable[..., str], check: str
) -> None:
    for number in range(21):
        rows(empty_url, f"CREATE TABLE t{number} (a serial PRIMARY KEY)")
        rows(empty_url, f"INSERT INTO t{number} DEFAULT VALUES")
    url = login()
    (one,) = check_health(url=url, only=[check]).findings
    assert one.summary.endswith(": the login may not read 21 of them")
    assert (one.state, one.cure) == (State.UNKNOWN, f"GRANT pg_read_all_data TO {role_of(url)}")
    rows(empty_url, str(one.cure))
    assert check_health(url=url, only=[check]).state is State.OK


def test_a_table_that_the_login_may_not_read_is_unknown_with_its_cure(
    empty_url: str, login: Callable[..., str]
) -> None:
    rows(empty_url, "CREATE TABLE t (a serial PRIMARY KEY)")
    rows(empty_url, "INSERT INTO t VALUES (7)")
    url = login()
    role = role_of(url)
    (one,) = found(url, "seq.behind_max")
    assert (one.state, one.cure) == (State.UNKNOWN, f"GRANT SELECT ON public.t, public.t_a_seq TO {role}")
    assert one.summary == "sequence public.t_a_seq: the login may not read it"
    (seen,) = found(login(grants=("GRANT pg_read_all_data TO {role}",)), "seq.behind_max")
    assert seen.state is State.CRITICAL


CURED = (
    ("seq.behind_max", "CREATE TABLE s.t (a serial PRIMARY KEY)", "INSERT INTO s.t VALUES (7)", State.CRITICAL),
    ("int.pk_no_sequence", "CREATE TABLE s.t (a smallint PRIMARY KEY)", "INSERT INTO s.t VALUES (32767)", State.CRITICAL),
    (
        "part.default_rows", "CREATE TABLE s.t (a integer) PARTITION BY LIST (a); CREATE TABLE s.d PARTITION OF s.t DEFAULT",
        "INSERT INTO s.t VALUES (7)", State.WARNING,
    ),
    (
        "con.fk_orphans", "CREATE TABLE s.t (a integer PRIMARY KEY, b integer REFERENCES s.t)",
        "SET session_replication_role = replica; INSERT INTO s.t VALUES (7, 8)", State.CRITICAL,
    ),
)  # fmt: skip


@pytest.mark.parametrize(("check", "made", "filled", "state"), CURED, ids=[one[0] for one in CURED])
def test_the_cure_of_what_a_login_may_not_read_lets_it_be_read(
    empty_url: str, login: Callable[..., str], check: str, made: str, filled: str, state: State
) -> None:
    for statement in ("CREATE SCHEMA s", made, filled):
        rows(empty_url, statement)
    url = login()
    (one,) = found(url, check)
    assert one.state is State.UNKNOWN
    rows(empty_url, str(one.cure))
    (seen,) = found(url, check)
    assert seen.state is state


def test_a_table_that_is_locked_hides_none_beside_it(empty_url: str) -> None:
    for name in ("t", "u"):
        rows(empty_url, f"CREATE TABLE {name} (a serial PRIMARY KEY)")
        rows(empty_url, f"INSERT INTO {name} VALUES (7)")
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE t")
        one, other = sorted(found(empty_url, "seq.behind_max"), key=lambda each: each.state.rank)
    assert (one.state, one.subject.name) == (State.CRITICAL, "u_a_seq")
    assert (other.state, other.summary) == (
        State.UNKNOWN,
        "sequence public.t_a_seq: a table that it reads is locked",
    )
    # No grant would have helped.
    assert other.cure is None


def test_a_policy_hides_no_row_from_a_check(empty_url: str, login: Callable[..., str]) -> None:
    rows(empty_url, "CREATE TABLE t (a serial PRIMARY KEY)")
    rows(empty_url, "INSERT INTO t VALUES (7)")
    rows(empty_url, "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    url = login(grants=("GRANT pg_read_all_data TO {role}",))
    (one,) = found(url, "seq.behind_max")
    assert (one.state, one.cure) == (State.UNKNOWN, f"ALTER ROLE {role_of(url)} BYPASSRLS")
    rows(empty_url, str(one.cure))
    (seen,) = found(url, "seq.behind_max")
    assert seen.state is State.CRITICAL


def test_no_table_under_an_exclusive_lock_keeps_a_check_from_its_answer(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a serial PRIMARY KEY, at timestamptz) PARTITION BY RANGE (a)")
    rows(empty_url, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (1) TO (9)")
    rows(empty_url, "CREATE INDEX i ON t (at)")
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE t")
        report = check_health(
            url=empty_url,
            only=["vac", "stats", "tbl", "idx", "con", "trg", "part", "sec"],
            exclude=["*.corrupt", "*_bloat", "*orphans"],
        )
    assert [ran.check for ran in report.checks if ran.state is State.UNKNOWN] == []


def test_what_a_monitor_may_not_read_is_unknown_with_the_grants(
    empty_url: str, login: Callable[..., str]
) -> None:
    url = login(grants=("GRANT pg_monitor TO {role}",))
    ((role,),) = rows(url, "SELECT current_user")
    only = ["set.conf_errors", "set.hba_errors", "chk.missing_files"]
    blind = check_health(url=url, only=only)
    assert {ran.state for ran in blind.checks} == {State.UNKNOWN}
    for ran in blind.checks:
        assert ran.findings[0].cure is not None
        rows(empty_url, ran.findings[0].cure)
    assert {ran.state for ran in check_health(url=url, only=only).checks} == {State.OK}
    assert str(role) in str(blind.findings[0].cure)
