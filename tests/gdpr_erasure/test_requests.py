"""Requests: taken up, paused, extended, refused, answered; each with its deadline, and none changed afterwards."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import (
    Request,
    complete,
    extend,
    file_request,
    note,
    open_requests,
    pause,
    reject,
    resume,
)
from spotify_ai_agent_migrations.versions.health_check import State, check_health
from support import Databases, connected, rows

EVENTS = "SELECT kind, due_at, late, told FROM data_subject_request_events ORDER BY id"


def at(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=timezone.utc)


@pytest.fixture
def asked(url: str) -> str:
    """Request 1, received on 20 January 2025, a Monday; due on 20 February, a Thursday."""
    rows(url, "INSERT INTO users (id) VALUES (7)")
    assert file_request(7, "access", received_at=at("2025-01-20 12:00"), url=url) == 1
    return url


def due(url: str) -> tuple[str, date | None]:
    (found,) = open_requests(url=url)
    return found.status, found.due_on


def test_a_request_is_due_a_month_after_it_came(asked: str) -> None:
    (found,) = open_requests(url=asked)
    assert found == Request(
        1, 7, "access", "received", date(2025, 1, 20), date(2025, 2, 20), at("2025-02-21"),
        "no country is named: weekends were counted and no public holidays", None, True,
    )  # fmt: skip
    assert rows(asked, EVENTS) == [("received", at("2025-02-21"), False, None)]


def test_an_extension_with_notice_in_time_makes_it_three_months_from_receipt(asked: str) -> None:
    # 20 April 2025 is a Sunday: Monday the 21st, where nobody knows that it is Easter.
    assert extend(1, "three archives", notice_sent_at=at("2025-02-20 23:59"), url=asked) == at("2025-04-22")
    assert due(asked) == ("extended", date(2025, 4, 21))
    assert rows(asked, EVENTS)[-1] == ("extended", at("2025-04-22"), False, "three archives")
    with pytest.raises(DatabaseError, match="request 1 is extended already, or paused"):
        extend(1, "and more", notice_sent_at=at("2025-03-20"), url=asked)


def test_an_extension_after_the_month_is_refused_and_leaves_the_deadline(asked: str) -> None:
    with pytest.raises(DatabaseError) as late:
        extend(1, "three archives", notice_sent_at=at("2025-02-21 00:00"), url=asked)
    assert str(late.value) == (
        "request 1 was due before the notice was sent\n"
        "Hint: an extension is told within the first month (GDPR art. 12(3)): answer now"
    )
    assert due(asked) == ("received", date(2025, 2, 20))


@pytest.mark.parametrize("reasons", ["", " \n", None])
def test_nothing_is_extended_refused_or_paused_without_reasons(asked: str, reasons: str) -> None:
    for refused in (
        lambda: extend(1, reasons, notice_sent_at=at("2025-02-01"), url=asked),
        lambda: reject(1, reasons, notice_sent_at=at("2025-02-01"), url=asked),
        lambda: pause(1, reasons, at=at("2025-02-01"), url=asked),
    ):
        with pytest.raises(DatabaseError, match="data_subject_request_events_told_check"):
            refused()
    assert due(asked) == ("received", date(2025, 2, 20))


def test_no_notice_that_is_still_to_be_sent_extends_or_refuses(asked: str) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    for refused in (extend, reject):
        with pytest.raises(DatabaseError, match="is dated in the future, or not at all"):
            refused(1, "reasons", notice_sent_at=tomorrow, url=asked)
        with pytest.raises(DatabaseError, match="is dated in the future, or not at all"):
            refused(1, "reasons", notice_sent_at=None, url=asked)  # type: ignore[arg-type]


def test_the_clock_stands_still_over_the_end_of_the_month(asked: str) -> None:
    """Five days had run on 25 January; sixteen days later it goes on, from 10 February."""
    pause(1, "two accounts of that name", at=at("2025-01-25 09:00"), url=asked)
    (found,) = open_requests(url=asked)
    assert (found.status, found.due_on, found.due_at, found.overdue) == ("paused", None, None, False)
    # 20 February and sixteen days: 8 March 2025, a Saturday; Monday the 10th.
    assert resume(1, at=at("2025-02-10 17:00"), url=asked) == at("2025-03-11")
    assert due(asked) == ("received", date(2025, 3, 10))
    # Paused again for a day: 20 February and seventeen days is Sunday 9 March; the same Monday.
    pause(1, "the copy cannot be read", at=at("2025-02-11"), url=asked)
    assert resume(1, at=at("2025-02-12"), url=asked) == at("2025-03-11")
    # With the extension: 20 April and seventeen days, Wednesday 7 May.
    assert extend(1, "three archives", notice_sent_at=at("2025-03-10 12:00"), url=asked) == at("2025-05-08")


def test_a_pause_after_the_month_makes_no_late_refusal_one_in_time(asked: str) -> None:
    extend(1, "three archives", notice_sent_at=at("2025-02-01"), url=asked)
    pause(1, "proof of identity", at=at("2025-03-01"), url=asked)
    assert reject(1, "manifestly unfounded", notice_sent_at=at("2025-03-02"), url=asked) is False
    other = file_request(7, "erasure", received_at=at("2025-01-20 12:00"), url=asked)
    pause(other, "proof of identity", at=at("2025-02-20"), url=asked)
    assert reject(other, "nobody proved it", notice_sent_at=at("2025-03-02"), url=asked) is True


def test_days_of_a_pause_that_an_answer_ends_move_the_deadline_too(asked: str) -> None:
    """Answered on 3 March, in a pause of sixteen days since 15 February: it was due on 8 March, a Saturday."""
    pause(1, "proof of identity", at=at("2025-02-15"), url=asked)
    assert complete(1, "handed over in person", at=at("2025-03-03"), url=asked) is True
    assert rows(asked, EVENTS)[-1][:3] == ("completed", at("2025-03-11"), False)
    assert rows(asked, "SELECT due_on, paused_days FROM data_subject_requests") == [(date(2025, 3, 10), 16)]


def test_a_pause_within_one_day_moves_nothing(asked: str) -> None:
    pause(1, "proof of identity", at=at("2025-01-25 09:00"), url=asked)
    assert resume(1, at=at("2025-01-25 18:00"), url=asked) == at("2025-02-21")


def test_days_of_a_pause_are_counted_where_the_controller_is(url: str) -> None:
    """From 23:30 in Berlin to half past midnight a day has passed there, and none in UTC."""
    file_request(None, "access", received_at=at("2025-01-20 12:00"), time_zone="Europe/Berlin", url=url)
    pause(1, "proof of identity", at=at("2025-01-25 22:30"), url=url)
    assert resume(1, at=at("2025-01-25 23:30"), url=url) == at("2025-02-21 23:00")


def test_what_is_overdue_or_paused_is_not_paused(asked: str) -> None:
    with pytest.raises(DatabaseError, match="request 1 is paused already, or overdue"):
        pause(1, "proof of identity", at=at("2025-02-21"), url=asked)
    with pytest.raises(DatabaseError, match="request 1 is not paused"):
        resume(1, at=at("2025-02-01"), url=asked)
    pause(1, "proof of identity", at=at("2025-02-01"), url=asked)
    with pytest.raises(DatabaseError, match="request 1 is paused already, or overdue"):
        pause(1, "proof of identity", at=at("2025-02-02"), url=asked)
    with pytest.raises(DatabaseError, match="request 1 is extended already, or paused"):
        extend(1, "three archives", notice_sent_at=at("2025-02-02"), url=asked)


def test_a_refusal_is_in_time_within_the_month_though_it_was_extended(asked: str) -> None:
    extend(1, "three archives", notice_sent_at=at("2025-02-01"), url=asked)
    assert reject(1, "manifestly unfounded", notice_sent_at=at("2025-03-01"), url=asked) is False
    assert rows(asked, EVENTS)[-1][2:] == (True, "manifestly unfounded")
    other = file_request(7, "erasure", received_at=at("2025-01-20 12:00"), url=asked)
    assert reject(other, "needed for a claim", notice_sent_at=at("2025-02-20 23:59"), url=asked) is True
    assert rows(asked, "SELECT id, status, closed_at FROM data_subject_requests ORDER BY id") == [
        (1, "rejected", at("2025-03-01")),
        (2, "rejected", at("2025-02-20 23:59")),
    ]


def test_an_answer_is_in_time_until_the_last_moment_of_the_day(asked: str) -> None:
    late = file_request(7, "access", received_at=at("2025-01-20 12:00"), url=asked)
    paused = file_request(7, "access", received_at=at("2025-01-20 12:00"), url=asked)
    pause(paused, "proof of identity", at=at("2025-02-01"), url=asked)
    assert complete(1, at=at("2025-02-20 23:59:59.999999"), url=asked) is True
    assert complete(late, at=at("2025-02-21"), url=asked) is False
    assert complete(paused, "proved and answered at once", at=at("2025-06-01"), url=asked) is True
    assert open_requests(url=asked) == ()
    with pytest.raises(DatabaseError, match="request 1 was answered already"):
        complete(1, url=asked)


def test_what_happens_is_recorded_in_its_order(asked: str) -> None:
    pause(1, "proof of identity", at=at("2025-02-01"), url=asked)
    with pytest.raises(DatabaseError, match="is dated before what happened last"):
        resume(1, at=at("2025-01-31"), url=asked)
    with pytest.raises(DatabaseError, match="there is no request 99"):
        note(99, "asked the archive", url=asked)
    with pytest.raises(DatabaseError, match="a request is dated in the future"):
        file_request(7, "access", received_at=datetime.now(timezone.utc) + timedelta(hours=1), url=asked)


def test_a_country_is_named_as_its_holidays_are(url: str) -> None:
    with pytest.raises(DatabaseError, match="data_subject_requests_country_check"):
        file_request(None, "access", country="Germany", url=url)
    file_request(None, "access", country="DE-BY", url=url)


def test_events_are_append_only_and_the_trail_names_what_changed(asked: str) -> None:
    extend(1, "a secret reason", notice_sent_at=at("2025-02-01"), url=asked)
    for statement in ("UPDATE data_subject_request_events SET told = 'x'", "TRUNCATE data_subject_request_events"):  # fmt: skip
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="is append-only"):
            rows(asked, statement)
    trail = rows(
        asked,
        "SELECT action::text, changed_columns, subject_ref IS NOT NULL FROM audit_log WHERE entity_type = 'data_subject_request' ORDER BY id",
    )
    changed = ["status", "extended", "due_on", "due_at"]
    assert trail == [("insert", None, True), ("update", changed, True)]
    assert rows(asked, "SELECT count(*) FROM audit_log WHERE audit_log::text ~ 'a secret'") == [(0,)]


def test_the_list_is_of_what_is_due_by_then_the_first_in_front(url: str) -> None:
    now = datetime.now(timezone.utc)
    old = file_request(None, "access", received_at=now - timedelta(days=60), url=url)
    new = file_request(None, "erasure", received_at=now - timedelta(hours=1), url=url)
    still = file_request(None, "access", received_at=now - timedelta(days=10), url=url)
    pause(still, "proof of identity", at=now - timedelta(days=9), url=url)
    assert [one.number for one in open_requests(url=url)] == [old, new, still]
    assert [one.number for one in open_requests(due_within_days=7, url=url)] == [old]
    assert [one.number for one in open_requests(due_within_days=40, url=url)] == [old, new]
    assert [one.overdue for one in open_requests(url=url)] == [True, False, False]


def test_people_file_and_see_their_own_requests_and_whoever_answers_sees_all(url: str) -> None:
    rows(url, "INSERT INTO users (id) VALUES (1), (2)")
    file_request(2, "access", url=url)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SET app.user_id = '1'; SELECT file_request_v1(1, 'portability')")
        cursor.execute("SELECT kind, status FROM requests_of_v1(1)")
        assert cursor.fetchall() == [("portability", "received")]
        cursor.execute("SELECT kind FROM requests_of_v1(2)")
        assert cursor.fetchall() == []
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="asks for nobody else"):
            cursor.execute("SELECT file_request_v1(2, 'portability')")
        for refused in ("SELECT ops.extend_request_v1(1, 'x')", "SELECT FROM data_subject_requests"):  # fmt: skip
            with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"):
                cursor.execute(refused)
        cursor.execute("RESET app.user_id; SET ROLE agent_privacy")
        cursor.execute("SELECT ops.complete_request_v1(2), count(*) FROM data_subject_requests")
        assert cursor.fetchall() == [(True, 2)]
        cursor.execute("SET ROLE agent_monitor; SELECT kind, status, due_at IS NOT NULL FROM data_subject_requests ORDER BY kind")  # fmt: skip
        assert cursor.fetchall() == [("access", "received", True), ("portability", "completed", True)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"):
            cursor.execute("SELECT user_id FROM data_subject_requests")


def test_a_health_check_that_sees_nobody_finds_what_is_overdue(databases: Databases, asked: str) -> None:
    pause(file_request(7, "erasure", url=asked), "proof of identity", url=asked)
    login = f"l{abs(hash(asked)) % 10**10}"
    rows(asked, f"CREATE ROLE {login} LOGIN PASSWORD 'x' IN ROLE agent_monitor")
    try:
        url = databases.url(str(parse_dsn(asked)["dbname"]), user=login, password="x")
        found = check_health(url=url, only="app.erasure_overdue").findings
        assert [(one.state, one.subject.name) for one in found] == [(State.CRITICAL, "access")]
    finally:
        rows(asked, f"DROP ROLE {login}")
