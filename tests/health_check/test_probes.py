"""A probe says what an orchestrator needs, in time, and nothing that is no reason to restart or to leave out."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest
from health_check.test_bounded import _postmaster

from faults import role_of
from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.health_check.probes import Probed, live, ready, unfit
from support import BEFORE_HEAD, HEAD, NEXT, connected, rows, run

GOOD = "it answers, and has what this build needs"
DOWN = "postgresql://u@127.0.0.1:1/d"


def _ready(url: str, *, role: str | None = None, revision: str | None = None, deadline_s: float = 2.0) -> str:
    """What is said, and that it was in time."""
    began = time.monotonic()
    found = ready(url, role=role, revision=revision, deadline_s=deadline_s)
    assert time.monotonic() - began < deadline_s + 1.0
    assert found.is_ok is (found.said == GOOD)
    return found.said


def test_a_database_at_the_revision_of_this_build_or_past_it_is_ready(url: str) -> None:
    assert _ready(url) == GOOD
    assert _ready(url, role="primary", revision=BEFORE_HEAD) == GOOD
    rows(url, f"UPDATE alembic_version SET version_num = '{NEXT}'")
    assert _ready(url) == GOOD
    rows(url, f"UPDATE alembic_version SET version_num = '{BEFORE_HEAD}'")
    assert _ready(url) == f"it is at revision {BEFORE_HEAD}, and this build needs {HEAD}"
    assert _ready(url, revision=BEFORE_HEAD) == GOOD


def test_what_is_wrong_and_no_reason_to_leave_it_out_leaves_it_in(url: str) -> None:
    rows(url, "CREATE TABLE odd (a integer); CREATE SEQUENCE s; SELECT setval('s', 9223372036854775807)")
    assert _ready(url) == GOOD


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((), f"it has no revision, and this build needs {HEAD}"),
        (("abc",), "it is at a revision that is none of this package"),
        (("002", "001"), "it is at several revisions at once: 001, 002"),
        (("001",), f"it is at revision 001, and this build needs {HEAD}"),
        ((HEAD,), None),
        (("999",), None),
    ],
)
def test_which_revisions_a_build_can_work_with(found: tuple[str, ...], said: str | None) -> None:
    assert unfit(found, HEAD) == said


def test_a_database_without_what_this_build_needs_says_what(
    empty_url: str, login: Callable[..., str]
) -> None:
    assert _ready(empty_url) == f"it has no revision, and this build needs {HEAD}"
    rows(empty_url, "CREATE TABLE alembic_version (version_num text)")
    assert _ready(empty_url) == f"it has no revision, and this build needs {HEAD}"
    rows(empty_url, f"INSERT INTO alembic_version VALUES ('{HEAD}')")
    assert _ready(empty_url) == GOOD
    assert _ready(empty_url, role="standby") == "it is a primary, and not a standby"
    url = login()
    assert _ready(url) == "the login may not read public.alembic_version"
    rows(empty_url, f"GRANT SELECT ON alembic_version TO {role_of(url)}")
    assert _ready(url) == GOOD


def test_a_version_table_that_somebody_has_for_himself_is_said(url: str) -> None:
    with connected(url, autocommit=False) as holder:
        holder.cursor().execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        assert _ready(url) == "somebody has locked public.alembic_version"
    assert _ready(url) == GOOD


def test_a_server_that_is_not_there_or_frozen_is_not_ready_by_the_deadline(empty_url: str) -> None:
    assert _ready(DOWN) == "127.0.0.1:1 does not answer: nobody listens there"
    process = _postmaster(empty_url)
    os.kill(process, signal.SIGSTOP)
    try:
        assert _ready(empty_url, deadline_s=0.4).endswith(" takes connections and says nothing")
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_role_or_a_revision_that_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        ready(DOWN, role="leader")
    assert (caught.value.problem, caught.value.hint) == (
        'there is no role "leader"', "say primary or standby",
    )  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        ready(DOWN, revision="999")
    assert (caught.value.problem, caught.value.hint) == (
        "this build has no revision 999", f"its last one is {HEAD}",
    )  # fmt: skip


def test_whether_this_process_lives_asks_no_server() -> None:
    assert live() == Probed("live", is_ok=True, said="this process answers")


def _agentdb(*arguments: str, url: str) -> tuple[int, str]:
    done = run(sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", *arguments, url=url)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_command_ends_with_0_where_a_probe_is_so_and_with_2_where_it_is_not(url: str) -> None:
    assert _agentdb("--probe", "live", url=DOWN) == (0, "this process answers\n")
    assert _agentdb("--probe", "ready", url=url) == (0, f"{GOOD}\n")
    told = ("--expect", "avail.role_expected.role=standby")
    assert _agentdb("--probe", "ready", *told, url=url) == (2, "it is a primary, and not a standby\n")
    assert _agentdb("--only", "avail.role_expected", *told, url=url)[0] == 2
    assert _agentdb("--probe", "nonsense", url=url)[0] == 64
    assert _agentdb("--expect", "nonsense", url=url)[0] == 64
