"""Faults of a database: how each is made, and what the health check says of it then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health, run
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Check
from support import connected, rows


@dataclass(frozen=True)
class Fault:
    """What makes a fault, and what is said of it; `lowered` are limits and settings that a test can reach.

    A summary that ends with … goes on with a time. Each fix is executed and clears it; where there is none, `mended` does.
    """

    check: str
    made: tuple[str, ...]
    state: State
    subject: str
    summary: str
    lowered: Mapping[str, float] = field(default_factory=dict)
    mended: tuple[str, ...] = ()
    since: int = 0


def lower(monkeypatch: pytest.MonkeyPatch, check: str, values: Mapping[str, float]) -> None:
    """Let *check* ask for less than it does: limits, and what else its statement takes."""

    def lowered(one: Check) -> Check:
        if one.id != check:
            return one
        rest = {name: value for name, value in values.items() if name != "warning"}
        return replace(one, warning=values.get("warning", one.warning), settings={**one.settings, **rest})

    monkeypatch.setattr(run, "CHECKS", tuple(map(lowered, CHECKS)))


def found(url: str, check: str) -> tuple[Finding, ...]:
    """What the check says."""
    (ran,) = check_health(url=url, only=[check]).checks
    assert ran.state is State.SKIPPED or not ran.reason, ran.reason
    return ran.findings


def counted(url: str, *statements: str) -> None:
    """Execute each on a connection of its own; what it counted is there for others then, and not some time later."""
    for statement in statements:
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            cursor.execute("SELECT pg_stat_force_next_flush()")


def role_of(url: str) -> str:
    """The role that a URL logs in as."""
    return str(parse_dsn(url)["user"])


def shows(url: str, one: Finding) -> bool:
    """Tell whether the evidence of a finding, asked again by a session like any other, is of its subject."""
    subject = (one.subject.kind, one.subject.schema, one.subject.name)
    return subject in {(row[0], row[1], row[2] or "") for row in rows(url, one.evidence_sql)}


def held(url: str, fault: Fault) -> None:
    """Hold that the fault is not found, then made and found as it is, then mended and not found."""
    with connected(url) as connection:
        if connection.server_version < fault.since:
            pytest.skip("this version has no such fault")
    assert found(url, fault.check) == ()
    counted(url, *fault.made)
    (one,) = found(url, fault.check)
    ((database,),) = rows(url, "SELECT current_database()")
    subject = fault.subject.format(database=database)
    summary = fault.summary.format(database=database)
    begun, ends = summary.removesuffix("…"), not summary.endswith("…")
    said = one.summary if ends else one.summary[: len(begun)]
    assert (one.state, str(one.subject), said) == (fault.state, subject, begun)
    assert shows(url, one)
    assert bool(one.fixes) != bool(fault.mended)
    assert all(fix.lock for fix in one.fixes)
    counted(url, *(fault.mended or [fix.sql for fix in one.fixes]))
    assert found(url, fault.check) == ()
