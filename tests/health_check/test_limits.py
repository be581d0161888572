"""From where on something is bad is what whoever asks has said."""

from __future__ import annotations

import pytest

from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from support import rows


def _found(url: str, check: str, *limits: float | None) -> tuple[Finding, ...]:
    given = {check: (limits[0], limits[1])} if limits else {}
    return check_health(url=url, only=[check], limits=given).findings


@pytest.mark.parametrize(
    ("check", "warning", "state"),
    [
        ("avail.connect", 0.0, State.WARNING),
        ("avail.restart", 1e9, State.INFO),
        ("avail.version_eol", 1e6, State.WARNING),
        ("stats.window", 1e6, State.INFO),
        ("avail.clock_skew", 0.0, State.WARNING),
        ("conn.usage", 0.0, State.WARNING),
        ("lock.table_fill", 0.0, State.WARNING),
        ("xid.database", 0.0, State.WARNING),
        ("xid.table", 0.0, State.WARNING),
        ("mxid.database", 0.0, State.WARNING),
        ("xid.autovacuum_emergency", 0.0, State.WARNING),
        ("wal.dir_size", 0.0, State.WARNING),
        ("notify.queue", 0.0, State.WARNING),
    ],
)
def test_a_measure_is_compared_with_the_limits_that_are_given(
    empty_url: str, check: str, warning: float, state: State
) -> None:
    rows(empty_url, "CREATE TABLE t (a integer)")
    assert {one.state for one in _found(empty_url, check, warning, None)} == {state}
    if check not in {"avail.restart", "stats.window"}:
        # More than any of them is, and not what is said by default: what else is done here and how busy it is decides that.
        assert _found(empty_url, check, -1e6 if check == "avail.version_eol" else 1e6, None) == ()


def test_limits_of_a_check_that_is_none_are_refused(empty_url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_health(url=empty_url, limits={"conn": (0.1, 0.2)})
    assert caught.value.problem == 'there is no check "conn" to be given limits'
