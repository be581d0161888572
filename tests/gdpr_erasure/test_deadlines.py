"""Deadlines: a calendar month as Regulation 1182/71 counts it, worked out by hand beside each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone

import pytest

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.holidays import (
    Loaded,
    known_holidays,
    load_holidays,
    read_years,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import file_request, open_requests
from support import connected, rows

# Received, months, country, days the clock stood still: the last day, and why.
WORKED_OUT = {
    # 31 January 2026 has no twin in February: the 28th is the last, a Saturday; Sunday, then Monday 2 March.
    ("2026-01-31", 1, None, 0): "2026-03-02",
    # 2028 is a leap year: the last of February is the 29th, a Tuesday.
    ("2028-01-31", 1, None, 0): "2028-02-29",
    # 2027 is none: the last is the 28th, a Sunday; Monday 1 March.
    ("2027-01-31", 1, None, 0): "2027-03-01",
    # 30 January 2026 is a Friday.
    ("2025-12-30", 1, None, 0): "2026-01-30",
    # 30 January 2027 is a Saturday; Monday 1 February.
    ("2026-12-30", 1, None, 0): "2027-02-01",
    # 29 February comes from the 29th, 30th and 31st of January alike.
    ("2028-01-29", 1, None, 0): "2028-02-29",
    ("2028-01-30", 1, None, 0): "2028-02-29",
    # From the leap day: 29 March 2028 is a Wednesday.
    ("2028-02-29", 1, None, 0): "2028-03-29",
    # 31 March has no twin in April: 30 April 2026 is a Thursday.
    ("2026-03-31", 1, "DE", 0): "2026-04-30",
    # 1 May 2026 is a Friday and a holiday; Saturday, Sunday, then Monday 4 May.
    ("2026-04-01", 1, "DE", 0): "2026-05-04",
    ("2026-04-01", 1, None, 0): "2026-05-01",
    # A part of a country of which nothing of its own is known has the holidays of all of it.
    ("2026-04-01", 1, "DE-HH", 0): "2026-05-04",
    # 25 December 2026 is a Friday, the 26th a Saturday, both holidays; Monday the 28th is none.
    ("2026-11-25", 1, "DE", 0): "2026-12-28",
    # 1 January 2027 is a Friday; Monday 4 January.
    ("2026-12-01", 1, "DE", 0): "2027-01-04",
    # Epiphany, Wednesday 6 January 2027, is a holiday in Bavaria and none in all of Germany.
    ("2026-12-06", 1, "DE", 0): "2027-01-06",
    ("2026-12-06", 1, "DE-BY", 0): "2027-01-07",
    # A holiday of all of it counts in a part: Good Friday, 26 March 2027; Easter Monday is the 29th; Tuesday.
    ("2027-02-26", 1, "DE-BY", 0): "2027-03-30",
    # Three months in all, from receipt: 30 April 2026 is a Thursday. Two from the first end had been 28 April or 2 May.
    ("2026-01-31", 3, None, 0): "2026-04-30",
    # 30 November has no twin in February 2028: the 29th, a Tuesday.
    ("2027-11-30", 3, None, 0): "2028-02-29",
    # Sixteen days of standing still: 20 February 2026 becomes 8 March, a Sunday; Monday 9 March.
    ("2026-01-20", 1, None, 16): "2026-03-09",
    # Ten days after the month that is cut short at the 28th, which is not moved before they are added: 10 March.
    ("2026-01-31", 1, None, 10): "2026-03-10",
}  # fmt: skip


@pytest.fixture(scope="module")
def germany(databases: object, template: str) -> Iterator[str]:
    name = databases.create(template)  # type: ignore[attr-defined]
    url: str = databases.url(name)  # type: ignore[attr-defined]
    load_holidays("DE", range(2026, 2030), url=url)
    load_holidays("DE-BY", range(2026, 2029), url=url)
    yield url
    databases.drop(name)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("received", "months", "country", "days"), WORKED_OUT)
def test_the_last_day_is_the_one_worked_out_by_hand(
    germany: str, received: str, months: int, country: str | None, days: int
) -> None:
    counted = rows(germany, "SELECT ops.due_date_v1(%s, %s, %s, %s)", (received, months, country, days))
    assert counted == [(date.fromisoformat(WORKED_OUT[received, months, country, days]),)]


def test_thirty_days_are_no_month(germany: str) -> None:
    """Of one year's days, thirty days are late for some and early for most: they are another rule."""
    counted = rows(
        germany,
        "SELECT day::date, ops.due_date_v1(day::date, 1, NULL)"
        " FROM generate_series(timestamp '2026-01-01', timestamp '2026-12-31', INTERVAL '1 day') AS day",
    )
    thirty = {received: received + timedelta(days=30) for received, _ in counted}  # type: ignore[operator]
    late = [received for received, due in counted if thirty[received] > due]  # type: ignore[operator]
    early = [received for received, due in counted if thirty[received] < due]  # type: ignore[operator]
    assert len(counted) == 365
    # Received on 10 February 2026, due on 10 March, a Tuesday; thirty days end on 12 March.
    assert date(2026, 2, 10) in late
    # Received on 30 December 2026, due on Monday 1 February 2027; thirty days end on 29 January.
    assert date(2026, 12, 30) in early
    ((leap,),) = rows(germany, "SELECT ops.due_date_v1('2028-01-31', 1, NULL)")
    assert leap == date(2028, 2, 29) != date(2028, 1, 31) + timedelta(days=30)


def test_no_last_day_is_a_day_off_or_longer_than_a_month_and_the_days_off_after_it(germany: str) -> None:
    off = set(known_holidays("DE", range(2026, 2030)))
    counted = rows(
        germany,
        "SELECT day::date, ops.due_date_v1(day::date, 1, 'DE'), (day + INTERVAL '1 month')::date"
        " FROM generate_series(timestamp '2026-01-01', timestamp '2028-11-30', INTERVAL '1 day') AS day",
    )
    assert len(counted) == 1065
    for received, due, nominal in counted:
        assert isinstance(due, date)
        assert isinstance(nominal, date)
        passed = [nominal + timedelta(days=n) for n in range((due - nominal).days)]
        assert due.weekday() < 5, received
        assert due not in off, received
        assert all(day.weekday() > 4 or day in off for day in passed), received


def test_the_day_ends_with_its_last_hour_where_the_controller_is(url: str) -> None:
    """Berlin puts its clocks on on Sunday 26 March 2023, and back on Sunday 27 October 2024."""
    for received, zone, due in (
        # Due on Monday 27 March, which ends in summer time, two hours before UTC's.
        ("2023-02-26T12:00+01:00", "Europe/Berlin", "2023-03-27T22:00+00:00"),
        # Due on Friday 24 March, which ends in winter time.
        ("2023-02-24T12:00+01:00", "Europe/Berlin", "2023-03-24T23:00+00:00"),
        # Due on Monday 28 October: the 27th is a Sunday.
        ("2024-09-27T12:00+02:00", "Europe/Berlin", "2024-10-28T23:00+00:00"),
        # In Cairo there is no midnight between 25 and 26 April 2024: clocks go from 0:00 to 1:00.
        ("2024-03-25T12:00+02:00", "Africa/Cairo", "2024-04-25T22:00+00:00"),
        # Half past midnight in Kiritimati, when it was the day before in UTC: due on Monday 10 March.
        ("2025-02-09T10:30+00:00", "Pacific/Kiritimati", "2025-03-10T10:00+00:00"),
    ):
        number = file_request(
            None, "access", received_at=datetime.fromisoformat(received), time_zone=zone, url=url
        )
        (found,) = [one for one in open_requests(url=url) if one.number == number]
        assert found.due_at == datetime.fromisoformat(due), (received, found)


def test_where_no_holidays_are_known_the_earlier_day_holds_and_a_note_says_so(url: str) -> None:
    received = datetime(2024, 11, 3, 12, tzinfo=timezone.utc)
    file_request(None, "access", received_at=received, country="DE", url=url)
    file_request(None, "access", received_at=received, url=url)
    assert [(one.due_on, one.note) for one in open_requests(url=url)] == [
        (date(2024, 12, 3), "public holidays of DE in 2024 are not known: weekends alone were counted"),
        (date(2024, 12, 3), "no country is named: weekends were counted and no public holidays"),
    ]


def test_open_requests_are_counted_again_once_holidays_are_known(url: str) -> None:
    """Received on Sunday 3 November 2024; a day off on 3 December, a Tuesday, makes it the Wednesday."""
    received = datetime(2024, 11, 3, 12, tzinfo=timezone.utc)
    file_request(None, "access", received_at=received, country="DE", url=url)
    loaded = load_holidays("DE", (2024,), url=url)
    assert (loaded.holidays > 8, loaded.moved) == (True, 1)
    assert [(one.due_on, one.note) for one in open_requests(url=url)] == [(date(2024, 12, 3), None)]
    rows(url, "INSERT INTO ops.public_holidays VALUES ('DE', '2024-12-03', 'a day of mourning')")
    rows(url, "SELECT ops.recount_requests_v1()")
    assert [one.due_on for one in open_requests(url=url)] == [date(2024, 12, 4)]
    # What is loaded again is as the library has it.
    assert load_holidays("DE", (2024,), url=url) == Loaded(loaded.holidays, 1)
    assert load_holidays("DE", (2024,), url=url) == Loaded(loaded.holidays, 0)
    assert [one.due_on for one in open_requests(url=url)] == [date(2024, 12, 3)]


def test_the_place_of_the_controller_holds_where_none_is_named(url: str) -> None:
    rows(
        url,
        "INSERT INTO ops.controller (name, address, contact, holidays_of, time_zone)"
        " VALUES ('n', 'a', 'c', 'DE', 'Europe/Berlin')",
    )
    # Just after midnight in Berlin, and the day before in UTC: from 10 February to 10 March.
    file_request(None, "access", received_at=datetime(2025, 2, 9, 23, 30, tzinfo=timezone.utc), url=url)
    (found,) = open_requests(url=url)
    assert (found.received_on, found.due_on) == (date(2025, 2, 10), date(2025, 3, 10))
    assert found.due_at == datetime(2025, 3, 10, 23, tzinfo=timezone.utc)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT country, time_zone FROM data_subject_requests")
        assert cursor.fetchall() == [("DE", "Europe/Berlin")]


@pytest.mark.parametrize(
    ("written", "years"),
    [("2026", (2026,)), ("2026-2028", (2026, 2027, 2028)), ("2026,2030", (2026, 2030))],
)
def test_years_are_written_in_one_of_three_ways(written: str, years: tuple[int, ...]) -> None:
    assert read_years(written) == years


@pytest.mark.parametrize("written", ["", "2030-2026", "next", "2026-", "1-999999"])
def test_what_names_no_years_is_refused(written: str) -> None:
    with pytest.raises(SettingsError, match="names no years"):
        read_years(written)


def test_a_country_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError) as refused:
        known_holidays("XX", (2026,))
    assert str(refused.value) == (
        'the library knows no holidays of "XX"\nHint: name a country as DE, or a part of it as DE-BY'
    )
