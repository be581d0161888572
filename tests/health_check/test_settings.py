"""What stops no login, how passwords are kept, which release runs: found, and silent where all is well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from faults import found, role_of
from spotify_ai_agent_migrations.versions.health_check import Finding, State, check_health
from support import connected, rows

MONITOR = "GRANT pg_monitor TO {role}"
# In a subtransaction each: groups of the same members would be one.
SHARED = """
DO $$
BEGIN
    FOR number IN 1..300 LOOP
        BEGIN
            PERFORM FROM t WHERE a = number FOR KEY SHARE;
        EXCEPTION WHEN division_by_zero THEN
        END;
    END LOOP;
END
$$
"""


def _told(url: str, check: str, **told: object) -> tuple[Finding, ...]:
    (ran,) = check_health(url=url, only=[check], expected={check: told}).checks
    assert not ran.reason, ran.reason
    return ran.findings


def _of(url: str, check: str, name: str) -> Finding | None:
    return next((one for one in found(url, check) if one.subject.name == name), None)


@pytest.fixture(params=["superuser", "monitor"])
def asker(request: pytest.FixtureRequest, empty_url: str, login: Callable[..., str]) -> str:
    """The URL of a superuser, and then of a login that is in pg_monitor and no other role."""
    return empty_url if request.param == "superuser" else login(grants=(MONITOR,))


def test_a_release_that_mends_the_one_that_runs_is_named(asker: str) -> None:
    with connected(asker) as connection:
        major, minor = divmod(connection.server_version, 10_000)
    assert _told(asker, "avail.minor_behind", newest=f"{major}.{minor} {major + 1}.{minor + 1}") == ()
    (one,) = _told(asker, "avail.minor_behind", newest=f"14.99  {major}.{minor + 1}")
    assert (one.state, one.summary) == (
        State.WARNING, f"the server is {major}.{minor}; {major}.{minor + 1} is out",
    )  # fmt: skip


def test_much_memory_in_small_pages_is_said(asker: str) -> None:
    with connected(asker) as connection:
        if connection.server_version < 170_000:
            pytest.skip("this version does not say which pages it has")
    ((status, shared),) = rows(
        asker, "SELECT current_setting('huge_pages_status'), current_setting('shared_buffers')"
    )
    if status != "off":
        pytest.skip("this server has huge pages")
    assert found(asker, "set.huge_pages") == ()
    (one,) = _told(asker, "set.huge_pages", least_bytes=1)
    assert (one.state, one.summary) == (State.INFO, f"{shared} of shared memory are in small pages")


def test_a_login_that_nothing_stops_is_found_until_it_has_the_timeouts(
    empty_url: str, login: Callable[..., str]
) -> None:
    role = role_of(login())
    one = _of(empty_url, "set.no_timeouts", role)
    assert one is not None
    with connected(empty_url) as connection:
        newer = ", transaction_timeout" if connection.server_version >= 170_000 else ""
    assert (one.state, one.summary) == (
        State.INFO, f"{role} has no idle_in_transaction_session_timeout, lock_timeout{newer}",
    )  # fmt: skip
    for fix in one.fixes:
        rows(empty_url, fix.sql)
    assert _of(empty_url, "set.no_timeouts", role) is None


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (("ROLE {role} SET lock_timeout = '1s'",), False),
        (("DATABASE {database} SET lock_timeout = '1s'",), False),
        (("DATABASE {database} SET lock_timeout = '1s'", "ROLE {role} SET lock_timeout = 0"), True),
        (("ROLE {role} SET lock_timeout = 0", "ROLE {role} IN DATABASE {database} SET lock_timeout = '1s'"), False),
        (("ROLE {role} IN DATABASE postgres SET lock_timeout = '1s'",), True),
        (("DATABASE {database} SET lock_timeout = '0ms'",), True),
    ],
)  # fmt: skip
def test_the_timeout_that_a_session_would_have_counts(
    empty_url: str, login: Callable[..., str], settings: tuple[str, ...], missing: bool
) -> None:
    url = login()
    role = role_of(url)
    ((database,),) = rows(empty_url, "SELECT current_database()")
    try:
        for setting in settings:
            rows(empty_url, f"ALTER {setting.format(role=role, database=database)}")
        assert (rows(url, "SHOW lock_timeout") == [("0",)]) is missing
        one = _of(empty_url, "set.no_timeouts", role)
        assert one is not None
        assert ("lock_timeout" in one.summary) is missing
    finally:
        rows(empty_url, f"ALTER DATABASE {database} RESET lock_timeout")


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="others use this server")
def test_a_timeout_of_the_whole_server_counts(empty_url: str, login: Callable[..., str]) -> None:
    role = role_of(login())
    rows(empty_url, "ALTER SYSTEM SET lock_timeout = '1min'")
    try:
        one = _of(empty_url, "set.no_timeouts", role)
        assert one is not None
        assert "lock_timeout" not in one.summary
    finally:
        rows(empty_url, "ALTER SYSTEM RESET lock_timeout")


def test_no_timeout_is_asked_of_who_may_do_anything_or_cannot_log_in(
    empty_url: str, login: Callable[..., str]
) -> None:
    roles = {role_of(login(attribute)) for attribute in ("SUPERUSER", "REPLICATION")}
    idle, seen = role_of(login()), role_of(login())
    rows(empty_url, f"ALTER ROLE {idle} NOLOGIN")
    names = {one.subject.name for one in found(empty_url, "set.no_timeouts")}
    assert (seen in names, names & {idle, *roles}) == (True, set())


@pytest.mark.parametrize("check", ["set.no_timeouts", "mxid.members", "sec.password_md5"])
def test_what_a_monitor_may_not_read_is_unknown_until_it_is_granted_what_is_said(
    empty_url: str, login: Callable[..., str], check: str
) -> None:
    url = login(grants=(MONITOR,))
    (one,) = check_health(url=url, only=[check]).findings
    assert one.state is State.UNKNOWN
    rows(empty_url, str(one.cure))
    assert State.UNKNOWN not in {ran.state for ran in check_health(url=url, only=[check]).checks}


@pytest.fixture
def weak(empty_url: str, login: Callable[..., str]) -> Iterator[str]:
    """A login whose password is kept by MD5."""
    role = role_of(login())
    rows(empty_url, f"SET password_encryption = md5; ALTER ROLE {role} PASSWORD 'weak'")
    yield role
    rows(empty_url, f"ALTER ROLE {role} PASSWORD NULL")


def test_a_password_that_is_kept_by_md5_is_found_until_it_is_set_anew(empty_url: str, weak: str) -> None:
    (one,) = found(empty_url, "sec.password_md5")
    assert (one.state, weak in one.values["roles"]) == (State.WARNING, True)
    assert "md5" not in f"{one.summary}{one.values}"
    rows(empty_url, f"ALTER ROLE {weak} PASSWORD 'weak'")
    assert all(weak not in one.values["roles"] for one in found(empty_url, "sec.password_md5"))


def test_the_monitoring_role_is_told_who_has_such_a_password_and_not_what_is_kept(
    url: str, weak: str, login: Callable[..., str]
) -> None:
    del login
    role = f"{weak}_looks"
    rows(url, f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_monitor")
    try:
        seen = url.replace("//postgres@", f"//{role}:secret@")
        assert seen != url
        (one,) = found(seen, "sec.password_md5")
        assert (one.state, weak in one.values["roles"]) == (State.WARNING, True)
    finally:
        rows(url, f"DROP ROLE {role}")


@pytest.mark.parametrize("of", ["DATABASE {database}", "ROLE {role}", "ROLE {role} IN DATABASE {database}"])
def test_passwords_that_will_be_kept_by_md5_are_found(
    empty_url: str, login: Callable[..., str], of: str
) -> None:
    role = role_of(login())
    ((database,),) = rows(empty_url, "SELECT current_database()")
    assert found(empty_url, "sec.password_hash") == ()
    rows(empty_url, f"ALTER {of.format(role=role, database=database)} SET password_encryption = 'md5'")
    (one,) = found(empty_url, "sec.password_hash")
    assert (one.state, one.summary.startswith("passwords are kept by md5 for ")) == (State.WARNING, True)
    for fix in one.fixes:
        rows(empty_url, fix.sql)
    assert found(empty_url, "sec.password_hash") == ()


def test_the_room_for_those_that_share_a_lock_is_measured(empty_url: str) -> None:
    check = "mxid.members"
    assert found(empty_url, check) == ()

    def measured() -> float:
        (ran,) = check_health(url=empty_url, only=[check]).checks
        return float(ran.measured[0].measure)

    before = measured()
    rows(empty_url, "CREATE TABLE t AS SELECT generate_series(1, 300) AS a")
    # The n-th session makes groups of n: of twenty, 209 members a row; a file holds 52,352.
    with ExitStack() as sessions:
        for _ in range(20):
            session = sessions.enter_context(connected(empty_url, autocommit=False))
            session.cursor().execute(SHARED)
    rows(empty_url, "CHECKPOINT")
    after = measured()
    assert after >= before + 52_352 / 2**32
    (one,) = check_health(url=empty_url, only=[check], limits={check: (after, None)}).findings
    assert one.state is State.WARNING
    assert one.summary.endswith("kB of pg_multixact/members")
    # The oldest of every database, template0 too, says what may go; nothing is said to be gone that is not.
    for fix in one.fixes:
        rows(empty_url, fix.sql)
