"""What a run has measured is kept, thinned with time, and tells since when a thing is found."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations import MigrationError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.health_check import HealthReport, State, check_health, stores
from spotify_ai_agent_migrations.versions.health_check.history import remembered, thinned, with_first_seen
from spotify_ai_agent_migrations.versions.health_check.past import Past
from spotify_ai_agent_migrations.versions.health_check.recording import Recording
from spotify_ai_agent_migrations.versions.health_check.stores import FileStore, TableStore, store
from support import Databases, rows

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=timezone.utc)
TABLE = """
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE IF NOT EXISTS ops.health_history (
    taken_at timestamptz, database text, check_id text, kind text, schema_name text, name text,
    fingerprint text, state text, measure double precision, unit text
)
"""
NO_TABLE = (
    'there is no table "ops.health_history"', "`alembic upgrade head` makes it; or say --history FILE",
)  # fmt: skip


@pytest.fixture
def report(empty_url: str) -> HealthReport:
    """What a run says of a server with something wrong, and something measured."""
    rows(empty_url, "CREATE TABLE t (a integer, b serial)")
    rows(empty_url, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID")
    rows(empty_url, "SELECT setval('t_b_seq', 1000000)")
    return check_health(url=empty_url, only=["con", "seq", "xid", "disk.size"], history=[])


def _said(error: pytest.ExceptionInfo[MigrationError]) -> tuple[str, str]:
    return error.value.problem, error.value.hint


def test_what_was_found_and_what_was_measured_is_kept_with_the_checks_that_answered(
    report: HealthReport,
) -> None:
    kept = remembered(report, now=NOW)
    assert {past.taken_at for past in kept} == {NOW}
    assert {past.database for past in kept} == {report.database}
    run, *others = kept
    assert (run.check, run.state, run.unit) == ("run", State.UNKNOWN, "seconds")
    assert {"con.not_valid", "seq.exhaustion"} <= set(run.subject.name.split())
    # A history that is empty tells no days left.
    assert "seq.days_left" not in run.subject.name.split()
    seen = {(past.check, str(past.subject), past.state) for past in others}
    assert ("con.not_valid", "constraint public.t.c", State.WARNING) in seen
    assert ("seq.exhaustion", "sequence public.t_b_seq", State.OK) in seen
    (found,) = (one for one in report.findings if one.check == "con.not_valid")
    assert found.fingerprint in {past.fingerprint for past in others}
    assert len({past.fingerprint for past in kept}) == len(kept)


def test_nothing_is_kept_of_a_server_that_did_not_answer() -> None:
    report = check_health(url="postgresql://x@localhost:1/x", only=["conn.usage"], history=[])
    assert (report.state, remembered(report, now=NOW)) == (State.UNKNOWN, ())


def test_a_file_gives_back_what_it_was_given(tmp_path: Path, report: HealthReport) -> None:
    kept = FileStore(tmp_path / "history.jsonl")
    assert kept.read(now=NOW) == []
    first, second = (remembered(report, now=at) for at in (NOW - timedelta(minutes=5), NOW))
    kept.add(first, now=NOW)
    kept.add(second, now=NOW)
    assert kept.read(now=NOW) == [*first, *second]
    assert len(kept.path.read_text().splitlines()) == 2


def test_a_line_that_was_cut_off_is_left_out_and_written_over(tmp_path: Path, report: HealthReport) -> None:
    kept = FileStore(tmp_path / "history.jsonl")
    first, second = (remembered(report, now=at) for at in (NOW - timedelta(minutes=5), NOW))
    kept.add(first, now=NOW)
    whole = kept.path.read_text()
    kept.path.write_text(whole + whole[: len(whole) // 2])
    assert kept.read(now=NOW) == list(first)
    kept.add(second, now=NOW)
    assert kept.read(now=NOW) == [*first, *second]


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "{}",
        '{"taken_at": "never"}',
        "[]",
        '{"taken_at": "2026-11-26T20:00:00+00:00", "database": "d", "rows": [[1]]}',
    ],
)
def test_a_line_that_is_no_record_is_refused_and_stays(
    tmp_path: Path, report: HealthReport, line: str
) -> None:
    kept = FileStore(tmp_path / "history.jsonl")
    kept.add(remembered(report, now=NOW), now=NOW)
    damaged = kept.path.read_text() + line + "\n"
    kept.path.write_text(damaged)
    for use in (lambda: kept.read(now=NOW), lambda: kept.add(remembered(report, now=NOW), now=NOW)):
        with pytest.raises(MigrationError) as error:
            use()
        assert _said(error) == (
            f'line 2 of "{kept.path}" is no record of a run', "move the file away; the next run begins another",
        )  # fmt: skip
    assert kept.path.read_text() == damaged


def test_runs_that_end_at_once_lose_nothing(tmp_path: Path, report: HealthReport) -> None:
    kept = FileStore(tmp_path / "history.jsonl")
    times = [NOW - timedelta(seconds=number) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: kept.add(remembered(report, now=at), now=NOW), times))
    assert {past.taken_at for past in kept.read(now=NOW)} == set(times)


def test_a_file_that_somebody_holds_is_waited_for_no_longer_than_that(
    tmp_path: Path, report: HealthReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_WAIT_S", 0.1)
    kept = FileStore(tmp_path / "history.jsonl")
    with kept._locked(), pytest.raises(MigrationError) as error:
        kept.add(remembered(report, now=NOW), now=NOW)
    assert _said(error) == (
        f'another process has been writing "{kept.path}" for 0.1 s',
        "give each server a file of its own, or run less often",
    )
    kept.add(remembered(report, now=NOW), now=NOW)
    assert kept.read(now=NOW) != []


@pytest.mark.soak
def test_a_file_grows_no_further_than_what_is_worth_its_room(tmp_path: Path, report: HealthReport) -> None:
    kept = FileStore(tmp_path / "history.jsonl", keep_days=30)
    run = remembered(report, now=NOW)
    for hours in range(24 * 60, -1, -3):
        at = NOW - timedelta(hours=hours)
        kept.add([replace(past, taken_at=at) for past in run], now=at)
    ages = sorted({NOW - past.taken_at for past in kept.read(now=NOW)})
    assert (ages[0], timedelta(days=29) < ages[-1] < timedelta(days=34)) == (timedelta(), True)
    # Three hours apart for a week, a day for the rest, and a tenth that is not yet forgotten.
    assert 7 * 8 + 23 <= len(ages) <= (7 * 8 + 23) * 1.15


def test_old_runs_are_thinned_to_one_an_hour_and_one_a_day() -> None:
    times = [NOW - timedelta(minutes=5 * number) for number in range(12 * 24 * 20)]
    kept = thinned(times, now=NOW, keep_days=10)
    ages = [NOW - at for at in kept]
    assert sum(age <= timedelta(hours=6) for age in ages) == 6 * 12 + 1
    assert sum(timedelta(hours=6) < age <= timedelta(days=7) for age in ages) in range(7 * 24 - 6, 7 * 24 - 4)
    assert sum(age > timedelta(days=7) for age in ages) in {3, 4}
    assert max(ages) <= timedelta(days=10)
    # What was kept is kept: thinning again takes nothing.
    assert thinned(kept, now=NOW, keep_days=10) == kept


@pytest.mark.parametrize(
    ("runs", "since"),
    [
        ([], 0),
        (["found"], 1),
        (["found", "found"], 2),
        (["found", "gone", "found"], 1),
        (["found", "not asked", "found"], 3),
        (["found", "not answered", "found"], 3),
        (["found", "after a failover", "found"], 3),
        (["found", "of another database", "found"], 3),
        (["found", "gone"], 0),
    ],
)
def test_since_when_it_is_there_is_told(report: HealthReport, runs: list[str], since: int) -> None:
    history = [
        past
        for age, kind in zip(range(len(runs), 0, -1), runs, strict=True)
        for past in _run(report, kind, NOW - timedelta(hours=age))
    ]
    seen = with_first_seen(report, history, now=NOW)
    (found,) = (one for one in seen.findings if one.check == "con.not_valid")
    assert found.first_seen == NOW - timedelta(hours=since)


def _run(report: HealthReport, kind: str, at: datetime) -> Iterator[Past]:
    for past in remembered(report, now=at):
        if kind == "after a failover":
            yield replace(past, database=f"{past.database}1")
        elif kind == "of another database" and past.check == "run":
            yield replace(past, database="another@1/1")
        elif kind in {"not asked", "not answered"} and past.check == "run":
            yield replace(past, subject=replace(past.subject, name="seq.exhaustion"))
        elif kind == "found" or past.check != "con.not_valid":
            yield past


def _table(url: str) -> TableStore:
    rows(url, TABLE)
    return TableStore(resolve_settings(url))


def test_the_table_gives_back_what_it_was_given_and_forgets(url: str) -> None:
    kept = _table(url)
    assert kept.read(now=NOW, deadline_s=2) == []
    report = check_health(url=url, only=["con", "seq", "disk.size"], history=[])
    old = remembered(report, now=NOW - timedelta(days=401))
    first, second = (remembered(report, now=at) for at in (NOW - timedelta(minutes=5), NOW))
    for run in (old, first, second):
        kept.add(run, now=NOW)
    assert set(kept.read(now=NOW, deadline_s=2)) == {*first, *second}
    ((count,),) = rows(url, "SELECT count(DISTINCT taken_at) FROM ops.health_history")
    assert count == 2


def test_the_monitoring_role_keeps_a_history_and_is_told_by_it(databases: Databases, url: str) -> None:
    role = f"m{uuid.uuid4().hex[:8]}"
    rows(url, f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_monitor")
    try:
        monitor = databases.url(str(parse_dsn(url)["dbname"]), user=role, password="secret")
        kept = TableStore(resolve_settings(monitor))
        asked = ["disk.size", "disk.growth", "seq", "xid", "set.drift"]
        report = check_health(url=monitor, only=asked, history=[], settings={"fsync": "on"})
        young = {ran.check for ran in report.checks if ran.state is State.UNKNOWN}
        assert young <= {"disk.growth", "seq.days_left", "xid.burn_rate"}
        past = [replace(one, taken_at=NOW - timedelta(days=1)) for one in remembered(report, now=NOW)]
        kept.add(past, now=NOW)
        assert set(kept.read(now=NOW, deadline_s=2)) == set(past)
        now = datetime.now(timezone.utc)
        shifted = [replace(one, taken_at=now - timedelta(days=1)) for one in past]
        again = check_health(url=monitor, only=asked, history=shifted, settings={"fsync": "on"})
        assert State.UNKNOWN not in {ran.state for ran in again.checks}
    finally:
        rows(url, f"DROP ROLE {role}")


def test_a_table_that_is_not_there_is_said_with_what_makes_it(empty_url: str, report: HealthReport) -> None:
    kept = TableStore(resolve_settings(empty_url))
    for use in (
        lambda: kept.read(now=NOW, deadline_s=2), lambda: kept.add(remembered(report, now=NOW), now=NOW),
    ):  # fmt: skip
        with pytest.raises(MigrationError) as error:
            use()
        assert _said(error) == NO_TABLE


def test_a_login_that_may_not_read_the_table_is_told_so(empty_url: str, login: Callable[..., str]) -> None:
    _table(empty_url)
    url = login(grants=("GRANT USAGE ON SCHEMA ops TO {role}",))
    with pytest.raises(MigrationError) as error:
        TableStore(resolve_settings(url)).read(now=NOW, deadline_s=2)
    assert (
        error.value.problem == "the history in ops.health_history: permission denied for table health_history"
    )


@contextmanager
def _silent_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"postgresql://x@127.0.0.1:{listening.getsockname()[1]}/x"


def test_a_server_that_does_not_answer_keeps_nobody_from_being_told() -> None:
    with _silent_server() as url:
        recording = Recording(store("table", url=url), NOW)
        began = time.monotonic()
        report, measured = recording.asked(
            lambda past, left_s: check_health(url=url, deadline_s=left_s, history=past), deadline_s=0.6
        )
        assert time.monotonic() - began < 0.6 + 1.0
    assert (
        {ran.state for ran in report.checks} <= {State.UNKNOWN, State.CRITICAL},
        measured,
        recording.problems,
    ) == (True, (), [])
    recording.keep(report)
    assert recording.problems == []


def test_a_history_that_cannot_be_read_is_said_and_the_server_is_asked(
    empty_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text("x\n")
    recording = Recording(store(str(file)), NOW)
    report, _ = recording.asked(
        lambda past, left_s: check_health(
            url=empty_url, only=["conn.usage"], deadline_s=left_s, history=past
        ),
        deadline_s=5,
    )
    recording.keep(report)
    assert report.state is State.OK
    assert [problem.problem for problem in recording.problems] == [
        f'line 1 of "{file}" is no record of a run'
    ]
    assert file.read_text() == "x\n"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, report: HealthReport) -> None:
    file = tmp_path / "none" / "history.jsonl"
    with pytest.raises(MigrationError) as error:
        FileStore(file).add(remembered(report, now=NOW), now=NOW)
    assert _said(error) == (
        f'the history "{file}" cannot be used: No such file or directory',
        "name a file in a folder that exists and may be written to",
    )


def test_a_line_holds_a_run_and_no_fingerprint(tmp_path: Path, report: HealthReport) -> None:
    kept = FileStore(tmp_path / "history.jsonl")
    kept.add(remembered(report, now=NOW), now=NOW)
    record = json.loads(kept.path.read_text())
    assert (record["taken_at"], record["database"]) == ("2026-11-26T20:00:00+00:00", report.database)
    assert ["con.not_valid", "constraint", "public", "t.c", "warning", None, ""] in record["rows"]
