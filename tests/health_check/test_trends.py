"""Days left and growth are told by what was measured of the same database before, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from partitioning.test_replicas import own_server

from faults import lower
from spotify_ai_agent_migrations.versions.health_check import Measured, Ran, State, check_health
from spotify_ai_agent_migrations.versions.health_check.history import remembered
from spotify_ai_agent_migrations.versions.health_check.past import Past
from spotify_ai_agent_migrations.versions.health_check.trends import since_reset, slope
from support import rows

TOO_YOUNG = "nothing was measured 6 h ago or before, in two weeks"
SEQUENCE = "CREATE TABLE t (a integer); CREATE SEQUENCE s; ALTER TABLE t ALTER a SET DEFAULT nextval('s')"
HALF, TWO_FIFTHS = 1_073_741_824, 858_993_459


def _ran(url: str, check: str, history: Sequence[Past] | None) -> Ran:
    (ran,) = check_health(url=url, only=[check], history=history).checks
    return ran


def _past(url: str, check: str, *, days: float) -> list[Past]:
    """What a run measured now, as if it had been so many days ago."""
    report = check_health(url=url, only=[check], history=[])
    return list(remembered(report, now=datetime.now(timezone.utc) - timedelta(days=days)))


def _measured(url: str, check: str, name: str) -> Measured:
    (one,) = (one for one in _ran(url, check, []).measured if one.subject.name == name)
    return one


def _sequence(url: str, *, was: int, now: int, days: float = 10) -> list[Past]:
    rows(url, SEQUENCE)
    rows(url, f"SELECT setval('s', {was})")
    past = _past(url, "seq.exhaustion", days=days)
    rows(url, f"SELECT setval('s', {now})")
    return past


def test_a_sequence_ends_in_as_many_days_as_it_needs_and_the_fix_takes_it_away(empty_url: str) -> None:
    past = _sequence(empty_url, was=TWO_FIFTHS, now=HALF)
    ran = _ran(empty_url, "seq.days_left", past)
    (found,) = ran.findings
    assert (ran.state, found.state, str(found.subject)) == (State.WARNING, State.WARNING, "sequence public.s")
    assert found.summary == "sequence s has no number left in 50 days, by what it gave out in 240 h"
    assert found.measure == pytest.approx(50, abs=0.1)
    assert (found.unit, found.warning, found.critical) == ("days", 90, 30)
    for fix in found.fixes:
        rows(empty_url, fix.sql)
    assert (_ran(empty_url, "seq.days_left", past).state, len(found.fixes)) == (State.OK, 2)


def test_a_sequence_that_ends_soon_is_critical(empty_url: str) -> None:
    past = _sequence(empty_url, was=TWO_FIFTHS, now=HALF, days=2)
    assert _ran(empty_url, "seq.days_left", past).state is State.CRITICAL


@pytest.mark.parametrize(
    ("was", "now", "days"),
    [
        pytest.param(HALF, HALF, 10, id="it stands"),
        pytest.param(HALF, TWO_FIFTHS, 10, id="it was set back, as after a restore"),
        pytest.param(HALF - 1000, HALF, 10, id="it is slow"),
    ],
)
def test_a_sequence_that_has_time_is_no_finding(empty_url: str, was: int, now: int, days: float) -> None:
    past = _sequence(empty_url, was=was, now=now, days=days)
    assert _ran(empty_url, "seq.days_left", past).state is State.OK


@pytest.mark.parametrize("days", [0.2, 15])
def test_what_is_too_young_or_too_old_to_tell_is_unknown(empty_url: str, days: float) -> None:
    past = _sequence(empty_url, was=TWO_FIFTHS, now=HALF, days=days)
    ran = _ran(empty_url, "seq.days_left", past)
    assert (ran.state, ran.reason, ran.findings) == (State.UNKNOWN, TOO_YOUNG, ())


@pytest.mark.parametrize("elsewhere", ["another@1/1", "{}1"])
def test_what_another_database_or_another_timeline_measured_is_not_compared(
    empty_url: str, elsewhere: str
) -> None:
    past = _sequence(empty_url, was=TWO_FIFTHS, now=HALF)
    moved = [replace(one, database=elsewhere.format(one.database)) for one in past]
    assert _ran(empty_url, "seq.days_left", moved).reason == TOO_YOUNG
    assert _ran(empty_url, "seq.days_left", past).state is State.WARNING


def test_without_a_history_what_needs_one_is_left_out(empty_url: str) -> None:
    report = check_health(url=empty_url)
    left_out = {ran.check: ran.state for ran in report.checks if ran.reason == "no history was given"}
    assert left_out == dict.fromkeys(
        ["disk.days_left", "disk.size", "disk.growth", "seq.days_left", "xid.burn_rate", "mxid.burn_rate",
         "query.times", "query.regression"], State.SKIPPED,
    )  # fmt: skip
    assert report.database == ""
    assert {one.first_seen for one in report.findings} == {None}


def test_transactions_used_up_faster_than_frozen_are_found(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        rows(empty_url, "SELECT pg_current_xact_id()")
    name = _past(empty_url, "xid.database", days=1)[0].database.partition("@")[0]
    age = _measured(empty_url, "xid.database", name).measure
    past = [
        replace(one, measure=age / 2) if one.subject.name == name else one
        for one in _past(empty_url, "xid.database", days=10)
    ]
    # An age below that at which autovacuum freezes grows, and that is well.
    assert _ran(empty_url, "xid.burn_rate", past).state is State.OK
    lower(monkeypatch, "xid.burn_rate", {"full": 2 * age, "least": 0})
    ran = _ran(empty_url, "xid.burn_rate", past)
    (found,) = ran.findings
    assert (ran.state, found.subject.name, found.warning, found.critical) == (State.WARNING, name, 30, 7)
    assert found.summary.startswith(f"{name} has no transaction number left in ")
    assert found.measure == pytest.approx(20, rel=0.3)
    rows(empty_url, "VACUUM (FREEZE)")


def test_a_disk_that_fills_is_found_and_one_that_empties_is_not(empty_url: str) -> None:
    (now,) = _ran(empty_url, "disk.free", []).measured
    past = _past(empty_url, "disk.free", days=1)

    def seen(share: float) -> Ran:
        history = [replace(one, measure=share) if one.check == "disk.free" else one for one in past]
        return _ran(empty_url, "disk.days_left", history)

    ran = seen(now.measure - (1 - now.measure) / 4)
    (found,) = ran.findings
    assert (ran.state, found.subject, found.unit) == (State.WARNING, now.subject, "days")
    assert found.measure == pytest.approx(4, abs=0.2)
    assert (
        found.summary
        == f"{now.subject.name} is full in {found.values['days']} days, by what was written to it in 24 h"
    )
    assert seen(min(1.0, now.measure + 0.1)).state is State.OK


def test_a_database_that_grows_fast_is_told_and_one_that_does_not_is_not(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = _past(empty_url, "disk.size", days=1)[0].database.partition("@")[0]
    past = [
        replace(one, measure=one.measure / 2) if one.subject.name == name and one.measure else one
        for one in _past(empty_url, "disk.size", days=1)
    ]
    # Twice as large in a day, and still so small that nobody asks.
    assert _ran(empty_url, "disk.growth", past).state is State.OK
    lower(monkeypatch, "disk.growth", {"least_bytes": 1024})
    (found,) = _ran(empty_url, "disk.growth", past).findings
    assert (found.state, found.summary) == (State.INFO, f"{name} grew by 100 % a day in 24 h")


@pytest.fixture(scope="module")
def counting(server: dict[str, str]) -> Iterator[str]:
    """The URL of a server that counts what statements take."""
    with own_server(server, "shared_preload_libraries=pg_stat_statements") as (url, _):
        # Elsewhere than in public, where its views are found by luck.
        rows(url, "CREATE SCHEMA x; CREATE EXTENSION pg_stat_statements SCHEMA x")
        yield url


def _sleep(url: str, seconds: float) -> None:
    rows(url, f"DO $$ BEGIN FOR i IN 1..25 LOOP PERFORM pg_sleep({seconds}); END LOOP; END $$")


def test_a_statement_that_got_slower_is_told_and_not_across_a_reset(counting: str) -> None:
    rows(counting, "ALTER ROLE postgres SET pg_stat_statements.track = 'all'")
    rows(counting, "CREATE FUNCTION work(s float8) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(s)'")
    past: list[Past] = []
    for days, seconds in ((2, 0.0), (1, 0.0)):
        past += _past(counting, "query.times", days=days)
        _sleep(counting, seconds)
    past += _past(counting, "query.times", days=0.5)
    assert _ran(counting, "query.regression", past).state is State.OK
    _sleep(counting, 0.02)
    ran = _ran(counting, "query.regression", past)
    assert (ran.state, {found.subject.kind for found in ran.findings}) == (State.INFO, {"statement"})
    for found in ran.findings:
        assert found.measure is not None
        assert found.measure >= 2
        assert found.values["now_ms"] >= 20 > found.values["before_ms"] + 10
        assert "pg_sleep" not in repr(found)
    rows(counting, "SELECT x.pg_stat_statements_reset()")
    _sleep(counting, 0.02)
    assert _ran(counting, "query.regression", past).findings == ()


def test_a_counter_is_followed_from_where_it_began_anew() -> None:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    points = [(start + timedelta(days=day), value) for day, value in enumerate([5.0, 9.0, 1.0, 3.0, 5.0])]
    assert since_reset(points) == points[2:]
    assert since_reset(points[:2]) == points[:2]
    assert slope(since_reset(points)) == pytest.approx(2)
    assert slope(points[:1]) == 0


def test_an_age_that_is_frozen_again_and_again_does_not_rise() -> None:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    teeth = [(start + timedelta(hours=hour), float(hour % 24) * 8e6) for hour in range(24 * 14)]
    assert abs(slope(teeth)) < 3e6
    assert slope(teeth[:24]) == pytest.approx(24 * 8e6)
