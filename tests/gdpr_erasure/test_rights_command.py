"""The commands about requests, holds, restrictions and objections: what they write, and with which code they end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from support import rows, run

KEY = "0123456789abcdef" * 4


def ran(url: str, *words: str, key: str = "") -> subprocess.CompletedProcess[str]:
    command = ("-m", "spotify_ai_agent_migrations", "gdpr-erasure", *words)
    return run(sys.executable, *command, url=url, SUPPRESSION_KEY=key)


def said(url: str, *words: str, code: int = 0, key: str = "") -> str:
    done = ran(url, *words, key=key)
    assert done.returncode == code, done.stderr
    return done.stdout.strip()


@pytest.fixture
def person(url: str) -> str:
    rows(url, "INSERT INTO users (id) VALUES (1)")
    return url


def test_a_request_goes_from_its_receipt_to_its_answer(person: str) -> None:
    assert said(person, "requests") == "request  person  kind  status  received  due\n0 open, 0 overdue"
    filed = (
        "request",
        "file",
        "access",
        "--person",
        "1",
        "--received",
        "2025-01-20T12:00:00Z",
        "--reference",
        "T-9",
    )
    assert said(person, *filed) == "request 1"
    assert said(person, "requests", code=3) == (
        "request  person  kind    status    received    due\n"
        "1        1       access  received  2025-01-20  2025-02-20  overdue\n"
        "note: request 1: no country is named: weekends were counted and no public holidays\n"
        "1 open, 1 overdue"
    )
    said(person, "request", "pause", "1", "--reasons", "two of that name", "--at", "2025-01-25T09:00+00:00")
    assert (
        said(person, "requests").splitlines()[1]
        == "1        1       access  paused  2025-01-20  stands still"
    )
    resumed = said(person, "request", "resume", "1", "--at", "2025-02-10T09:00+00:00")
    assert resumed == "request 1 is due before 2025-03-11T00:00:00+00:00"
    notice = ("--reasons", "three archives", "--notice-sent", "2025-03-01T09:00+00:00")
    # 20 April 2025 and sixteen days: Tuesday 6 May.
    assert (
        said(person, "request", "extend", "1", *notice) == "request 1 is due before 2025-05-07T00:00:00+00:00"
    )
    assert (
        said(person, "request", "complete", "1", "--at", "2025-05-07T00:00+00:00", code=3)
        == "request 1 completed, late"
    )
    assert said(person, "requests", "--due-within", "30", "--format", "json") == "[]"


def test_requests_are_read_by_programs(person: str) -> None:
    said(person, "request", "file", "erasure", "--received", "2025-01-20T12:00:00Z", "--country", "DE")
    assert json.loads(said(person, "requests", "--format", "json", code=3)) == [
        {
            "number": 1, "person": None, "kind": "erasure", "status": "received", "received_on": "2025-01-20",
            "due_on": "2025-02-20", "due_at": "2025-02-21T00:00:00+00:00", "reference": None, "overdue": True,
            "note": "public holidays of DE in 2025 are not known: weekends alone were counted",
        }
    ]  # fmt: skip
    assert (
        said(person, "holidays", "--country", "DE", "--years", "2025")
        == "DE: holidays 9, deadlines changed 1"
    )
    assert json.loads(said(person, "requests", "--format", "json", code=3))[0]["note"] is None
    refused = said(
        person, "request", "reject", "1", "--reasons", "a claim", "--notice-sent", "2025-02-20T23:00Z"
    )
    assert refused == "request 1 rejected"


def test_an_instant_is_written_with_its_zone(person: str) -> None:
    for written, problem in (
        ("2025-01-20", "a time without its zone is no instant"),
        ("soon", '"soon" is no instant'),
    ):
        done = ran(person, "request", "file", "access", "--received", written)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"error: {problem}")


def test_consent_is_granted_and_withdrawn_with_as_many_words(person: str) -> None:
    assert said(person, "grant", "1", "analytics", "--version", "1") == "event 1"
    assert said(person, "withdraw", "1", "analytics") == "event 2"
    assert rows(person, "SELECT granted, channel, policy_version FROM consent_events ORDER BY id") == [
        (True, "support", "1"),
        (False, "support", "1"),
    ]


def test_holds_are_placed_listed_and_released(person: str) -> None:
    placed = ("hold", "place", "--basis", "be", "--law", "3 O 12/26", "--reason", "a claim", "--subject", "1")
    assert said(person, *placed) == "hold 1"
    row = (
        "--table",
        "public.listens",
        "--column",
        "raw",
        "--key",
        '{"id": 5}',
        "--expires",
        "2999-01-01T00:00Z",
    )
    assert said(person, *placed[:8], *row) == "hold 2"
    assert said(person, "hold", "list") == (
        "hold 1: all tables of person 1, art. 17(3)(b, e), 3 O 12/26, until released\n"
        "hold 2: public.listens.raw of everybody, art. 17(3)(b, e), 3 O 12/26, until 2999-01-01T00:00:00+00:00"
    )
    assert said(person, "hold", "release", "1", "--reason", "settled").startswith("hold 1 released at 2")
    assert said(person, "hold", "list", "--subject", "1").startswith("hold 2:")
    done = ran(person, *placed, "--table", "public.users", "--key", "[5]")
    assert (done.returncode, done.stderr) == (
        2,
        """error: the key is no JSON object\nHint: write it as '{"id": 5}'\n""",
    )


def test_restrictions_are_placed_and_lifted(person: str) -> None:
    assert said(person, "restriction", "place", "1", "--ground", "unlawful") == "restriction 1"
    ((now,),) = rows(
        person, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00')"
    )
    lifted = said(person, "restriction", "lift", "1", "--reason", "erased instead", "--notice-sent", str(now))
    assert lifted.startswith("restriction 1 lifted at 2")


def test_an_objection_is_recorded_looked_up_and_taken_back(person: str) -> None:
    address = ("--identifier", "Anna+x@Example.org")
    assert (
        said(person, "objection", "place", "marketing", "--person", "1", *address, key=KEY)
        == 'no more "marketing"'
    )
    asked = ("objection", "suppressed", "marketing", "anna@example.org")
    assert said(person, *asked, code=3, key=KEY) == "suppressed"
    assert (
        said(person, "objection", "withdraw", "marketing", "--person", "1", *address, key=KEY) == "taken back"
    )
    assert said(person, *asked, key=KEY) == "not suppressed"
    assert (
        said(person, "objection", "withdraw", "marketing", "--person", "1", *address, key=KEY)
        == "there was none"
    )
    done = ran(person, *asked)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: there is no key to hash addresses with",
    )


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        (("request", "file", "acces"), "automated_decision"),
        (("request", "file", "access", "--channel", "pigeon"), "mail"),
        (("restriction", "place", "1", "--ground", "illegal"), "objection_pending"),
    ],
)
def test_a_word_that_is_none_of_the_choices_is_refused_with_all_of_them(
    person: str, words: tuple[str, ...], choice: str
) -> None:
    done = ran(person, *words)
    assert done.returncode == 2
    assert f"'{words[-1]}' is not one of" in done.stderr
    assert choice in done.stderr
    assert rows(person, "SELECT count(*) FROM data_subject_requests") == [(0,)]


def test_an_objection_that_no_address_outlives_says_so(person: str) -> None:
    warning = "no address is kept: the objection ends with the account; --identifier keeps one\n"
    place = ("objection", "place", "marketing", "--person", "1")
    assert ran(person, *place).stderr == warning
    assert ran(person, *place, "--identifier", "anna@example.org", key=KEY).stderr == ""
