"""What is allowed for now is told, and does not count; a rule that is over, or meets nothing, is a finding."""

from __future__ import annotations

import json
import pathlib
import time
from datetime import date, datetime, timedelta, timezone

import pytest

from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.health_check import (
    Finding,
    HealthReport,
    Ran,
    State,
    Subject,
    Suppression,
    check_health,
)
from spotify_ai_agent_migrations.versions.health_check.allowed import read_suppressions
from spotify_ai_agent_migrations.versions.health_check.outputs import FORMATS, Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import exit_code
from spotify_ai_agent_migrations.versions.health_check.suppressions import suppressed
from support import connected, rows

TODAY = date(2026, 11, 26)
TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)
FAR = date(9999, 12, 31)

WHOLE = """
[[suppress]]
check = "con.not_valid"
object = "public.t.*"
reason = "validated with the next release"
expires = 9999-12-31
"""


def rule(check: str, name: str = "*", expires: date = TOMORROW) -> Suppression:
    return Suppression(check, name, "known", expires)


def ran(check: str, *found: tuple[State, Subject]) -> Ran:
    findings = tuple(Finding(check, state, subject) for state, subject in found)
    worst = min((state for state, _ in found), key=lambda state: state.rank, default=State.OK)
    return Ran(check, worst, 0.0, findings)


def table(name: str) -> Subject:
    return Subject("table", "public", name)


def told(checks: tuple[Ran, ...]) -> dict[str, list[tuple[str, str]]]:
    return {
        one.check: [(found.state.value, found.subject.name or found.subject.kind) for found in one.findings]
        for one in checks
    }


def test_what_a_file_allows_moves_no_exit_code_and_is_still_told(
    empty_url: str, tmp_path: pathlib.Path
) -> None:
    rows(
        empty_url,
        "CREATE TABLE t (a integer); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
    )
    file = tmp_path / "health-suppressions.toml"
    file.write_text(WHOLE)
    before = check_health(empty_url, only="con.not_valid")
    assert (before.state, exit_code(before)) == (State.WARNING, 1)
    report = check_health(empty_url, only="con.not_valid", suppressions=file)
    assert (report.state, exit_code(report)) == (State.OK, 0)
    (one,) = report.findings
    assert (one.state, one.severity, str(one.subject)) == (
        State.SUPPRESSED, State.WARNING, "constraint public.t.c",
    )  # fmt: skip
    assert one.suppressed is not None
    assert (one.suppressed.reason, one.suppressed.expires) == ("validated with the next release", FAR)
    said = "constraint c of t holds for new rows only (warning, allowed until 9999-12-31: validated with the next release)"
    extra = Extra(datetime.now(timezone.utc))
    for form in ("text", "markdown", "nagios", "sarif"):
        assert said.split(" (")[0].replace("_", " ") in FORMATS[form](report, extra).replace("\\", "")
        assert "allowed until 9999-12-31" in FORMATS[form](report, extra).replace("\\", "")
    assert said in FORMATS["text"](report, extra)
    assert json.loads(FORMATS["json"](report, extra))["findings"][0]["suppressed"] == {
        "was": "warning", "reason": "validated with the next release", "expires": "9999-12-31",
    }  # fmt: skip
    rows(empty_url, "ALTER TABLE t VALIDATE CONSTRAINT c")
    mended = check_health(empty_url, only="con.not_valid", suppressions=file)
    assert (mended.state, [found.summary for found in mended.findings]) == (
        State.INFO,
        ["nothing is found of con.not_valid of public.t.*, which is allowed until 9999-12-31"],
    )


def test_only_what_is_meant_is_allowed() -> None:
    checks = (
        ran("idx.unused", (State.CRITICAL, table("a")), (State.WARNING, table("b"))),
        ran("idx.duplicate", (State.INFO, table("a"))),
        ran("tbl.no_pk", (State.INFO, table("a"))),
    )
    found = suppressed(checks, [rule("idx.unused", "public.a")], today=TODAY)
    assert told(found) == {
        "idx.unused": [("suppressed", "a"), ("warning", "b")],
        "idx.duplicate": [("info", "a")],
        "tbl.no_pk": [("info", "a")],
        "suppression.expired": [],
        "suppression.unused": [],
    }
    assert HealthReport(found, 0.0).state is State.WARNING
    every = suppressed(checks, [rule("idx", "*.a"), rule("tbl.*"), rule("*.unused", "public.b")], today=TODAY)
    assert {state for group in told(every).values() for state, _ in group} == {"suppressed"}
    assert HealthReport(every, 0.0).state is State.OK
    assert suppressed(checks, (), today=TODAY) == checks


def test_the_last_day_of_a_rule_still_counts_and_the_next_is_a_warning() -> None:
    checks = (ran("idx.unused", (State.INFO, table("a"))),)
    (one, expired, _) = suppressed(checks, [rule("idx.unused", expires=TODAY)], today=TODAY)
    assert (one.state, expired.state) == (State.SUPPRESSED, State.OK)
    (one, expired, unused) = suppressed(checks, [rule("idx.unused", expires=YESTERDAY)], today=TODAY)
    assert (one, unused.state) == (checks[0], State.OK)
    assert (expired.state, expired.findings[0].summary) == (
        State.WARNING, "idx.unused of * was allowed until 2026-11-25: known",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("checks", "is_idle"),
    [
        ((ran("idx.unused"),), True),
        ((ran("idx.unused", (State.INFO, table("b"))),), True),
        ((ran("idx.unused", (State.INFO, table("a"))),), False),
        # What was not asked, or could not be, may be there.
        ((ran("tbl.no_pk"),), False),
        ((Ran("idx.unused", State.SKIPPED, 0.0),), False),
        ((Ran("idx.unused", State.UNKNOWN, 0.0),), False),
        ((ran("idx.unused", (State.UNKNOWN, table("b"))),), False),
    ],
)
def test_a_rule_is_idle_when_all_that_it_is_about_was_looked_at(
    checks: tuple[Ran, ...], is_idle: bool
) -> None:
    *_, unused = suppressed(checks, [rule("idx.unused", "public.a")], today=TODAY)
    assert (unused.state is State.INFO) is is_idle


def test_what_nobody_could_look_at_is_not_allowed() -> None:
    checks = (ran("idx.unused", (State.UNKNOWN, table("a")), (State.CRITICAL, table("a"))),)
    (one, *_) = suppressed(checks, [rule("idx.unused")], today=TODAY)
    assert [found.state for found in one.findings] == [State.UNKNOWN, State.SUPPRESSED]
    assert one.state is State.UNKNOWN


def test_a_session_is_known_by_its_role_and_not_by_its_number(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as idle:
        idle.cursor().execute("SELECT 1")
        number = str(idle.info.backend_pid)
        role = idle.info.user
        time.sleep(0.05)
        asked = {"only": "conn.idle_in_tx", "limits": {"conn.idle_in_tx": (0.01, None)}}
        for name, state in ((number, State.WARNING), (role, State.SUPPRESSED)):
            report = check_health(
                empty_url,
                suppressions=[rule("conn.idle_in_tx", name, FAR)],
                **asked,  # type: ignore[arg-type]
            )
            assert {one.subject.name: one.state for one in report.checks[0].findings}[number] is state


RULE = 'check = "idx.unused"\nobject = "*"\nreason = "r"\nexpires = 2027-02-01\n'


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("[[suppress]\n", 'is not TOML: ', "write [[suppress]] and below it"),
        ("[[supress]]\n" + RULE, 'has "supress", which is no list of rules', "write [[suppress]] and below it"),
        ("suppress = 3\n", 'has "suppress", which is no list of rules', "write [[suppress]] and below it"),
        ("suppress = [3]\n", "is no table", "write [[suppress]] and below it"),
        ("[[suppress]]\n" + RULE.replace("reason", "why"), 'unknown "why"', "a rule says"),
        ("[[suppress]]\n" + RULE.replace('reason = "r"\n', ""), 'has no "reason"', "a rule says"),
        ("[[suppress]]\n" + RULE.replace('"r"', '" "'), "has an empty text", "a rule says"),
        ("[[suppress]]\n" + RULE.replace("2027-02-01", '"2027-02-01"'), "does not end on a day", "without quotes"),
        (
            "[[suppress]]\n" + RULE.replace("2027-02-01", "2027-02-01T00:00:00Z"), "does not end on a day",
            "without quotes",
        ),
        ("[[suppress]]\n" + RULE.replace("idx.unused", "idx.unusd"), 'is about "idx.unusd", which is no check', "--list"),
        ("[[suppress]]\n" + RULE.replace('"r"', '"postgresql://u:secret1@h/d"'), "holds a password", "take it out"),
        ("[[suppress]]\n" + RULE.replace('"r"', '"password=secret1"'), "holds a password", "take it out"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_with_the_fix(
    tmp_path: pathlib.Path, text: str, problem: str, hint: str
) -> None:
    file = tmp_path / "allowed.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        check_health(suppressions=file)
    assert problem in caught.value.problem
    assert str(file) in caught.value.problem
    assert hint in caught.value.hint
    assert "secret1" not in str(caught.value)
    file.write_text("[[suppress]]\n" + RULE)
    assert read_suppressions(file) == (Suppression("idx.unused", "*", "r", date(2027, 2, 1)),)


def test_a_file_that_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SettingsError) as caught:
        check_health(suppressions=str(tmp_path / "none.toml"))
    assert caught.value.problem == f'"{tmp_path / "none.toml"}" cannot be read: FileNotFoundError'
    (tmp_path / "none.toml").write_text("")
    assert read_suppressions(tmp_path / "none.toml") == ()
