"""Ten processes at the same change: one makes it, the others wait for it or say who is at it."""

from __future__ import annotations

import os
import warnings

import pytest
from zero_downtime_migration.walked import settings

from spotify_ai_agent_migrations import LockError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Manner,
    SetNotNull,
    State,
    change,
    start,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from support import rows

WISH = SetNotNull("public.t", "a")
MADE = "CREATE TABLE t (id integer PRIMARY KEY, a integer); INSERT INTO t VALUES (1, 1)"


def forked(url: str) -> int:
    """Start a process that makes the change; it ends with 0 when it has seen it completed."""
    with warnings.catch_warnings():
        # What a fork may break, a lock of another thread, this process does not use.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            made = change(WISH, settings=settings(url))
            os._exit(0 if (made.id, made.state) == (1, State.COMPLETED) else 8)
        finally:
            os._exit(9)
    return child


def test_of_ten_processes_one_makes_the_change_and_the_others_return_it(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    children = [forked(ledger_url) for _ in range(10)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 10
    assert rows(ledger_url, "SELECT id, state FROM ops.online_change") == [(1, "completed")]
    ((steps, tries),) = rows(ledger_url, "SELECT count(*), max(tries) FROM ops.online_step")
    assert steps == len(change(WISH, settings=settings(ledger_url)).steps) > 1
    assert tries == 1


def test_who_does_not_wait_says_who_is_at_the_table(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    refused: list[LockError] = []

    def told(_step: Step, moment: str) -> None:
        if moment == "begun" and not refused:
            with pytest.raises(LockError) as caught:
                start(WISH, settings=settings(ledger_url), manner=Manner(lock_wait_ms=1))
            refused.append(caught.value)

    assert change(WISH, settings=settings(ledger_url), manner=Manner(told=told)).state is State.COMPLETED
    (error,) = refused
    assert "waited 1 ms for the lock of online changes of public.t and gave up" in str(error)
    assert "held by pid " in str(error)
    assert "agentdb zero-downtime" in str(error)
