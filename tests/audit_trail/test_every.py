"""Sealing again and again: through lost connections, until it is told to stop, and whoever was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from spotify_ai_agent_migrations.versions.audit_trail import run
from spotify_ai_agent_migrations.versions.audit_trail.run import Round, seal, seal_every
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, ServerError, SettingsError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import environment, rows

CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'agentdb audit-trail'"


def within(most_s: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + most_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def looping(url: str, key: SigningKey) -> Iterator[tuple[list[Round], list[MigrationError]]]:
    rounds: list[Round] = []
    failures: list[MigrationError] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=seal_every,
        args=(url,),
        kwargs={
            "key": key,
            "every_s": 0.1,
            "stopped": stop,
            "told": rounds.append,
            "failed": failures.append,
        },
    )
    thread.start()
    try:
        yield rounds, failures
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def test_a_lost_connection_is_told_and_sealing_goes_on(url: str, key: SigningKey) -> None:
    with looping(url, key) as (rounds, failures):
        assert within(10, lambda: len(rounds) == 1)
        assert within(10, lambda: rows(url, CUT) == [(1,)])
        rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
        assert within(20, lambda: len(rounds) == 2)
    assert rounds[1].entry_count == 1
    assert [type(one) for one in failures] == [ServerError]


def test_what_is_written_is_sealed_a_moment_later_and_a_round_of_nothing_says_nothing(
    url: str, key: SigningKey
) -> None:
    with looping(url, key) as (rounds, failures):
        assert within(10, lambda: len(rounds) == 1)
        time.sleep(0.5)
        assert len(rounds) == 1
        rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
        assert within(2, lambda: len(rounds) == 2)
        assert within(
            2,
            lambda: (
                rows(
                    url,
                    "SELECT count(*) FROM ops.job_heartbeat WHERE job = 'audit-trail seal' AND every = '1 minute'",
                )
                == [(1,)]
            ),
        )
    assert failures == []


def test_a_database_that_nobody_named_ends_it_at_once(key: SigningKey) -> None:
    with pytest.raises(SettingsError):
        seal_every("", key=key, stopped=threading.Event(), told=print, failed=print)


DAEMON = """
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.audit_trail.run import seal_every
from spotify_ai_agent_migrations.versions.core.stopping import stopping

with stopping() as stopped:
    seal_every(
        key=SigningKey(Ed25519PrivateKey.generate()), every_s=0.1, stopped=stopped,
        told=lambda done: print(done.entry_count, flush=True), failed=lambda error: print(error, flush=True),
    )
print("over", flush=True)
"""


@pytest.fixture
def daemon(url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON],
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_round_at_hand(
    daemon: subprocess.Popen[str], told: signal.Signals
) -> None:
    assert daemon.stdout is not None
    assert int(daemon.stdout.readline()) > 100
    daemon.send_signal(told)
    assert daemon.stdout.read() == "over\n"
    assert daemon.wait(10) == 0


def test_where_one_was_killed_the_next_goes_on(
    url: str, daemon: subprocess.Popen[str], key: SigningKey
) -> None:
    assert daemon.stdout is not None
    assert int(daemon.stdout.readline()) > 100
    daemon.kill()
    daemon.wait(10)
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    done = seal(url, key=key)
    assert [(one.id, one.entry_count) for one in done.seals] == [(2, 1)]
    assert rows(
        url,
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    ) == [(0,)]
    assert run.EVERY_S <= 5
