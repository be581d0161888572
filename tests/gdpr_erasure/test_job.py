"""The job: what was interrupted, what is over, what is left and who is to be told, each whatever becomes of the others."""

from __future__ import annotations

import threading

import pytest
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.errors import (
    LockError,
    MigrationError,
    SettingsError,
)
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.job import Worked, work, work_every
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import place_hold, release_hold
from support import connected, rows

BEAT = "SELECT every::text, succeeded_at > now() - interval '1 minute' FROM ops.job_heartbeat WHERE job = 'gdpr-erasure work'"


@pytest.mark.usefixtures("keys")
def test_a_round_goes_on_deletes_completes_and_says_that_it_ended_well(entangled: str) -> None:
    hold = place_hold("e", "3 O 12/26", "a claim", subject=BOB.id, table="public.listens", url=entangled)
    first = erase_user(BOB.id, url=entangled)
    release_hold(hold, "over", url=entangled)
    with connected(entangled, autocommit=False) as older, older.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
        with pytest.raises(LockError):
            erase_user(ADA.id, wait_s=0.3, url=entangled)
        stuck = work(entangled, wait_s=0.3)
        assert stuck.resumed == ()
        assert [one.split(":")[0].split()[0] for one in stuck.problems] == ["erasure", "completion"]
        assert str(ADA.id) not in str(stuck.problems)
        assert rows(entangled, BEAT) == []
    rows(entangled, "UPDATE agent_messages SET created_at = now() - interval '14 months'")
    done = work(entangled, every_s=600)
    assert done.problems == ()
    assert [one.completes for one in done.resumed] == [None, first.id]
    assert {one.table for one in done.retained} >= {"agent_messages", "consent_events", "users"}
    assert done.delivered is not None
    assert rows(entangled, BEAT) == [("00:10:00", True)]
    assert rows(entangled, "SELECT DISTINCT state FROM ops.erasures") == [("certified",)]
    again = work(entangled)
    assert (again.resumed, again.completed, again.problems) == ((), (), ())


@pytest.mark.usefixtures("keys")
def test_one_process_works_at_a_time(url: str) -> None:
    with connected(url) as connection, advisory_lock(connection, lock_key("gdpr-erasure work"), wait_ms=0):
        with pytest.raises(LockError) as refused:
            work(url)
        assert "the lock of the job that erases" in refused.value.problem
    assert work(url).problems == ()


def test_nothing_is_begun_without_a_key(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGNING_KEY", "SIGNING_KEY_FILE", "LEDGER_KEY", "LEDGER_KEY_FILE"):
        monkeypatch.delenv(f"ERASURE_{name}", raising=False)
    monkeypatch.setenv("MIGRATIONS_ENV", "production")
    with pytest.raises(SettingsError):
        work(url)
    with pytest.raises(SettingsError):
        work_every(url, stopped=threading.Event(), told=print, failed=print)


@pytest.mark.usefixtures("keys")
def test_it_goes_on_after_what_fails_until_it_is_stopped(url: str) -> None:
    rows(
        url,
        "SET ROLE agent_owner; INSERT INTO retention_policies (table_name, rule, time_column, keep_for, action) VALUES ('aaa', 'gone', 'at', '1 day', 'delete')",
    )
    stopped, told, failed = threading.Event(), list[Worked](), list[MigrationError]()

    def heard(round_: Worked) -> None:
        told.append(round_)
        if len(told) == 2:
            stopped.set()

    def refused(error: MigrationError) -> None:
        failed.append(error)
        held.__exit__(None, None, None)

    with connected(url) as connection:
        held = advisory_lock(connection, lock_key("gdpr-erasure work"), wait_ms=0)
        held.__enter__()
        work_every(url, every_s=0.1, stopped=stopped, told=heard, failed=refused)
    assert [type(one) for one in failed] == [LockError]
    assert [one.problems for one in told] == [
        ('retention of aaa, gone: there is no rule "gone" of "aaa", or no such table',)
    ] * 2
    assert rows(url, BEAT) == []
