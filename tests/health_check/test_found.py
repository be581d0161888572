"""Each fault is found where it is there, and what mends it clears it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2
import pytest

from faults import shows
from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from support import connected, rows


@dataclass(frozen=True)
class Fault:
    """What makes a fault, in statements of which the last may fail, and what is said of it then."""

    check: str
    made: tuple[str, ...]
    state: State
    subject: str
    summary: str
    since: int = 0
    mended: tuple[str, ...] | None = None


FAULTS = (
    Fault(
        "con.not_valid",
        ("CREATE TABLE t (a integer)", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"),
        State.WARNING,
        "constraint public.t.c",
        "constraint c of t holds for new rows only",
    ),
    Fault(
        "con.not_enforced",
        (
            "CREATE TABLE t (a integer PRIMARY KEY)",
            "CREATE TABLE u (a integer CONSTRAINT c REFERENCES t NOT ENFORCED)",
        ),
        State.WARNING,
        "constraint public.u.c",
        "constraint c of u is not enforced",
        since=180_000,
    ),
    Fault(
        "trg.disabled",
        (
            "CREATE TABLE t (a integer)",
            "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "ALTER TABLE t DISABLE TRIGGER g",
        ),
        State.WARNING,
        "trigger public.t.g",
        "trigger g of t is disabled",
    ),
    Fault(
        "idx.invalid",
        (
            "CREATE TABLE t AS SELECT 1 AS a FROM generate_series(1, 2)",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
        ),
        State.WARNING,
        "index public.i",
        "index i on t is not valid",
    ),
    Fault(
        "seq.exhaustion",
        (
            "CREATE SEQUENCE s",
            "CREATE TABLE t (a integer DEFAULT nextval('s'))",
            "SELECT setval('s', 2100000000)",
        ),
        State.CRITICAL,
        "sequence public.s",
        "sequence s has given out 2100000000 of 1 to 2147483647",
        mended=(),
    ),
)


def _made(url: str, statements: tuple[str, ...]) -> None:
    for statement in statements:
        try:
            rows(url, statement)
        except psycopg2.errors.UniqueViolation:
            assert statement == statements[-1]


def _found(url: str, check: str) -> tuple[Finding, ...]:
    return check_health(url=url, only=[check]).findings


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.check for fault in FAULTS])
def test_a_fault_is_found_and_what_mends_it_clears_it(empty_url: str, fault: Fault) -> None:
    with connected(empty_url) as connection:
        if connection.server_version < fault.since:
            pytest.skip("this version has no such fault")
    assert _found(empty_url, fault.check) == ()
    _made(empty_url, fault.made)
    (found,) = _found(empty_url, fault.check)
    assert (found.state, str(found.subject), found.summary) == (fault.state, fault.subject, fault.summary)
    assert check_health(url=empty_url, only=[fault.check]).state is fault.state
    assert shows(empty_url, found)
    if fault.mended is None:
        assert found.fixes
        assert all(fix.lock for fix in found.fixes)
        for fix in found.fixes:
            with connected(empty_url) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                cursor.execute(fix.sql)
        assert _found(empty_url, fault.check) == ()


@pytest.mark.parametrize(
    ("check", "made"),
    [
        ("seq.exhaustion", "CREATE SEQUENCE s INCREMENT -1"),
        ("seq.exhaustion", "CREATE SEQUENCE s MAXVALUE 10 CYCLE; SELECT setval('s', 10)"),
        ("con.not_valid", "CREATE TABLE t (a integer CHECK (a > 0))"),
        ("idx.invalid", "CREATE TABLE t (a integer PRIMARY KEY)"),
    ],
)
def test_what_only_looks_like_a_fault_is_none(empty_url: str, check: str, made: str) -> None:
    _made(empty_url, (made,))
    report = check_health(url=empty_url, only=[check])
    assert [(ran.check, ran.state) for ran in report.checks] == [(check, State.OK)]
