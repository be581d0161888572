"""Settings are beside what they should be, in whatever unit either is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spotify_ai_agent_migrations import MigrationError
from spotify_ai_agent_migrations.versions.health_check import Ran, State, check_health
from spotify_ai_agent_migrations.versions.health_check.expected import expected_settings
from support import rows


def _ran(url: str, **expected: str) -> Ran:
    (ran,) = check_health(url=url, only=["set.drift"], settings=expected).checks
    return ran


def test_a_setting_that_is_not_what_it_should_be_is_told_and_the_fix_mends_it(empty_url: str) -> None:
    try:
        (found,) = _ran(empty_url, vacuum_cost_limit="1234", vacuum_cost_page_hit="1").findings
        assert (found.state, str(found.subject)) == (State.INFO, "setting vacuum_cost_limit")
        assert found.summary == "vacuum_cost_limit is 200 and should be 1234"
        for fix in found.fixes:
            rows(empty_url, fix.sql)
        assert _ran(empty_url, vacuum_cost_limit="1234").state is State.OK
    finally:
        rows(empty_url, "ALTER SYSTEM RESET vacuum_cost_limit")
        rows(empty_url, "SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("name", "same", "other"),
    [
        ("work_mem", "4MB", "4GB"),
        ("work_mem", "4096", "4097"),
        ("work_mem", "4096 kB", "4096MB"),
        ("checkpoint_timeout", "5min", "5s"),
        ("checkpoint_timeout", "300", "301"),
        ("checkpoint_timeout", "300000ms", "1d"),
        ("autovacuum_vacuum_scale_factor", "0.2", "0.3"),
        ("autovacuum_vacuum_scale_factor", "0.20", "20"),
        ("autovacuum", "TRUE", "no"),
        ("AutoVacuum", "1", "maybe"),
        ("log_statement", "NONE", "all"),
        ("log_line_prefix", "%m [%p] ", "%m"),
        ("vacuum_cost_delay", "0", "2"),
        ("autovacuum_vacuum_cost_delay", "2ms", "2s"),
        ("wal_segment_size", "16MB", "16"),
        ("max_connections", "100", "100kB"),
        ("old_or_new", "1", "1"),
    ],
)  # fmt: skip
def test_units_and_spellings_are_not_what_is_compared(
    empty_url: str, name: str, same: str, other: str
) -> None:
    ran, drifted = _ran(empty_url, **{name: same}), _ran(empty_url, **{name: other})
    if name == "old_or_new":
        (found,) = ran.findings
        assert (ran.state, found.summary) == (
            State.UNKNOWN,
            "setting old_or_new: the server has no such setting",
        )
        return
    assert (ran.state, ran.reason) == (State.OK, "")
    (found,) = drifted.findings
    assert (drifted.state, found.subject.name) == (State.INFO, name.lower())


def test_what_this_session_sets_for_itself_is_unknown(empty_url: str) -> None:
    (found,) = _ran(empty_url, lock_timeout="0").findings
    assert (found.state, found.summary) == (
        State.UNKNOWN, "setting lock_timeout: who asks has set it for itself",
    )  # fmt: skip


def test_a_login_that_sees_a_part_of_the_settings_is_told_what_would_cure_it(
    login: Callable[..., str],
) -> None:
    ran = _ran(login(), fsync="on")
    assert ran.state is State.UNKNOWN
    assert "GRANT pg_monitor TO" in ran.reason


def test_without_a_file_it_is_left_out(empty_url: str) -> None:
    (ran,) = check_health(url=empty_url, only=["set.drift"]).checks
    assert (ran.state, ran.reason) == (State.SKIPPED, "no expected settings were given")


def test_a_file_is_read_as_the_server_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "postgresql.conf"
    file.write_text(
        "# all of it\n\nwork_mem = 64MB  # for sorts\nfsync on\nMax_Connections=200\n"
        "log_line_prefix = '%m ''x'' # no comment '\nx.y = ''\nwork_mem = '32MB'\n"
    )
    assert expected_settings(file) == {
        "work_mem": "32MB", "fsync": "on", "max_connections": "200", "log_line_prefix": "%m 'x' # no comment ",
        "x.y": "",
    }  # fmt: skip


@pytest.mark.parametrize("line", ["work_mem", "= 3", "work_mem = '3", "work_mem = 3 4", "work_mem == 3"])
def test_a_line_that_is_no_setting_is_refused_without_its_value(tmp_path: Path, line: str) -> None:
    file = tmp_path / "expected.conf"
    file.write_text(f"fsync = on\n{line}\n")
    with pytest.raises(MigrationError) as error:
        expected_settings(file)
    assert (error.value.problem, error.value.hint) == (
        f'line 2 of "{file}" is no setting', "write it as work_mem = '64MB'; # begins a comment",
    )  # fmt: skip


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MigrationError) as error:
        expected_settings(tmp_path / "none.conf")
    assert error.value.problem == f'"{tmp_path}/none.conf" cannot be read as expected settings'
