"""Standbys that should be there, and backups that leave a trace, on servers of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from partitioning.test_replicas import as_owner, folder_of, own_server, started

from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from spotify_ai_agent_migrations.versions.health_check.probes import ready
from support import rows


@pytest.fixture(scope="module")
def archived(server: dict[str, str]) -> Iterator[str]:
    """The URL of a server of its own, that archives."""
    with own_server(server, "archive_mode=on", "archive_command=/bin/true") as (url, _):
        yield url


def _found(url: str, check: str, **told: object) -> tuple[Finding, ...]:
    (ran,) = check_health(url=url, only=[check], expected={check: told}).checks
    assert ran.state is not State.SKIPPED, ran.reason
    return ran.findings


def test_a_backup_leaves_its_time_and_a_standby_that_is_gone_is_missed(archived: str) -> None:
    (unknown,) = _found(archived, "backup.freshness")
    assert (unknown.state, unknown.summary) == (
        State.INFO, "backup pg_wal: nothing here says when the last backup was made",
    )  # fmt: skip
    (missing,) = _found(archived, "repl.expected_standbys", names=["second"])
    assert (missing.state, missing.summary) == (State.CRITICAL, "standby second is not there")
    with folder_of(archived) as folder:
        # A copy of the server is a backup, and a standby.
        as_owner(
            archived,
            "pg_basebackup",
            "-d",
            f"{archived}&application_name=second",
            "-D",
            folder / "data",
            "-R",
            "-c",
            "fast",
            "--no-sync",
        )
        assert _found(archived, "backup.freshness") == ()
        report = check_health(url=archived, only=["backup.freshness"], limits={"backup.freshness": (0, None)})
        (fresh,) = report.findings
        assert (fresh.state, fresh.summary) == (
            State.WARNING,
            "the last backup that pg_wal knows of is 0 h old",
        )
        with started(archived, folder, "fsync=off") as place:
            standby = f"postgresql://postgres@/postgres?{place}"
            for _ in range(1000):
                if not _found(archived, "repl.expected_standbys", names=["second"]):
                    break
                time.sleep(0.01)
            assert _found(archived, "repl.expected_standbys", names=["second"]) == ()
            (other,) = _found(archived, "repl.expected_standbys", names=["second", "third"])
            assert other.subject.name == "third"
            (role,) = _found(standby, "avail.role_expected", role="primary")
            assert role.summary == "the server is a standby, and should be a primary"
            assert ready(standby, role="primary").said == "it is a standby, and not a primary"
            (ran,) = check_health(url=standby, only=["backup.freshness"]).checks
            assert ran.state is State.SKIPPED
    for _ in range(1000):
        if found := _found(archived, "repl.expected_standbys", names=["second"]):
            break
        time.sleep(0.01)
    assert [one.state for one in found] == [State.CRITICAL]


def test_who_may_not_see_the_standbys_of_others_knows_nothing_of_them(archived: str) -> None:
    rows(archived, "CREATE ROLE watcher LOGIN")
    url = archived.replace("postgres@", "watcher@")
    (one,) = _found(url, "repl.expected_standbys", names=["second"])
    assert (one.state, one.cure) == (State.UNKNOWN, "GRANT pg_monitor TO watcher")
    rows(archived, str(one.cure))
    (missing,) = _found(url, "repl.expected_standbys", names=["second"])
    assert missing.state is State.CRITICAL
