"""The answer comes in time whatever the server does, and is never a false all-clear."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from partitioning.test_replicas import own_server
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.health_check import State, asking, check_health, run
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.session import Session
from support import rows

# The server leaves its files to the system, has just been made, archives nothing, and stops no login; and what needs more
# than a monitor may do is shown elsewhere.
UNSAFE = (
    "set.durability", "set.preload", "set.conf_errors", "set.hba_errors", "avail.restart", "wal.archive_off",
    "wal.checkpoints_requested", "chk.disabled", "chk.missing_files", "disk.free", "backup.freshness", "stats.window",
    "set.no_timeouts",
)  # fmt: skip

# On a busy machine it takes a while to be let in.
BUSY = {"avail.connect": (60.0, 60.0)}

# What the files of the server, and its passwords, say takes grants of its own.
GRANTED = ("sec.hba_trust", "mxid.members", "sec.password_md5")


@pytest.fixture(scope="module")
def alone(server: dict[str, str]) -> Iterator[str]:
    """The URL of a server where nothing but these tests was ever done, of which a whole report speaks."""
    with own_server(server) as (url, _):
        yield url


def _postmaster(url: str) -> int:
    ((folder,),) = rows(url, "SHOW data_directory")
    return int((Path(str(folder)) / "postmaster.pid").read_text().splitlines()[0])


def _socket(url: str) -> str:
    place = parse_dsn(url)
    return f"{place['host']}/.s.PGSQL.{place.get('port', 5432)}"


def test_a_server_that_is_frozen_is_said_to_be_by_the_deadline(alone: str) -> None:
    process = _postmaster(alone)
    os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        report = check_health(url=alone, deadline_s=0.5)
        took_s = time.monotonic() - began
    finally:
        os.kill(process, signal.SIGCONT)
    (one,) = report.findings
    assert (report.state, one.check, one.summary) == (
        State.CRITICAL, "avail.hang", f"{_socket(alone)} takes connections and says nothing",
    )  # fmt: skip
    assert {ran.state for ran in report.checks if ran.check != "avail.hang"} == {State.UNKNOWN}
    assert {ran.reason for ran in report.checks} == {"the server did not answer"}
    assert took_s < 0.5 + 1.0
    report = check_health(url=alone, exclude=UNSAFE, limits=BUSY)
    assert ([found.summary for found in report.findings], report.state) == ([], State.OK)


def test_a_role_that_is_given_a_millisecond_can_still_ask(alone: str) -> None:
    rows(alone, "CREATE ROLE hurried LOGIN; GRANT pg_monitor TO hurried")
    rows(alone, "ALTER ROLE hurried SET statement_timeout = '1ms'")
    report = check_health(
        url=alone.replace("postgres@", "hurried@", 1),
        exclude=(*UNSAFE, "set.timeouts", *GRANTED),
        limits=BUSY,
    )
    assert {ran.check: ran.state for ran in report.checks if ran.state not in {State.OK, State.SKIPPED}} == {}
    assert report.state is State.OK


def test_what_there_was_no_time_to_ask_is_said_and_a_deep_run_asks_it(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("t", "u"):
        rows(empty_url, f"CREATE TABLE {name} (a serial PRIMARY KEY)")
        rows(empty_url, f"INSERT INTO {name} VALUES (7)")
    monkeypatch.setattr(run, "CHECKS", tuple(replace(one, most_s=0.0) for one in CHECKS))
    hurried = check_health(url=empty_url, only=["seq.behind_max"])
    (one,) = hurried.findings
    said = "check seq.behind_max: there was no time to ask 2 of 2; a deep run asks all"
    assert (hurried.state, one.summary, one.values["unasked"]) == (State.INFO, said, 2)
    patient = check_health(url=empty_url, only=["seq.behind_max"], deep=True)
    assert [found.state for found in patient.findings] == [State.CRITICAL, State.CRITICAL]


def test_a_table_with_more_rows_than_numbers_given_out_is_asked_first(empty_url: str) -> None:
    for name in ("a", "b", "c"):
        rows(empty_url, f"CREATE TABLE {name} (id serial PRIMARY KEY, at integer)")
        rows(empty_url, f"INSERT INTO {name} (at) SELECT 1 FROM generate_series(1, 100)")
    rows(empty_url, "INSERT INTO b SELECT n, 1 FROM generate_series(1001, 1100) AS n")
    rows(empty_url, "ANALYZE")
    (check,) = (one for one in CHECKS if one.id == "seq.behind_max")
    with closing(Session(resolve_settings(empty_url), deadline=time.monotonic() + 10)) as session:
        session.open()
        asked = [row[2] for row in session.rows(asking.shown(session, check), most_s=5)]
    assert (asked[0], sorted(asked)) == ("b_id_seq", ["a_id_seq", "b_id_seq", "c_id_seq"])


def test_a_check_that_is_none_is_refused_with_the_groups() -> None:
    with pytest.raises(SettingsError) as caught:
        check_health(only=["nonsense"])
    assert caught.value.problem == 'there is no check "nonsense"'
    assert "conn" in caught.value.hint
