"""Consent: an answer is an event, the latest holds, and whoever is erased grants nothing."""

from __future__ import annotations

import threading

import psycopg2
import pytest

from support import LOCKED, connected, rows, until

EVENT = (
    "INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)"
    " VALUES (1, %s, %s, '1', 'en', 'web', %s)"
)
HOLDS = "SELECT granted, recorded_at::date::text FROM consent WHERE user_id = 1 AND purpose = 'marketing'"


@pytest.fixture
def person(url: str) -> str:
    rows(url, "INSERT INTO users (id) VALUES (1)")
    return url


def test_the_latest_answer_holds_and_an_older_one_does_not_undo_it(person: str) -> None:
    rows(person, EVENT, ("marketing", True, "2026-03-01"))
    rows(person, EVENT, ("marketing", False, "2026-05-01"))
    rows(person, EVENT, ("marketing", True, "2026-01-01"))
    assert rows(person, HOLDS) == [(False, "2026-05-01")]
    assert rows(person, "SELECT count(*) FROM consent_events") == [(3,)]
    rows(person, EVENT, ("marketing", True, "2026-05-01"))
    assert rows(person, HOLDS) == [(True, "2026-05-01")]


def test_answers_loaded_at_once_leave_the_latest_of_each(person: str) -> None:
    rows(
        person,
        "INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)"
        " SELECT 1, purpose, n % 2 = 0, '1', 'en', 'import', timestamptz '2026-01-01' + n * INTERVAL '1 hour'"
        " FROM generate_series(1, 501) AS n, unnest(ARRAY['marketing', 'analytics']) AS purpose ORDER BY random()",
    )
    assert rows(person, "SELECT purpose, granted FROM consent ORDER BY purpose") == [
        ("analytics", False),
        ("marketing", False),
    ]


@pytest.mark.parametrize("status", ["erasing", "erased"])
def test_whoever_is_erased_withdraws_and_does_not_grant(person: str, status: str) -> None:
    rows(person, EVENT, ("marketing", True, "2026-01-01"))
    erased_at = "now()" if status == "erased" else "NULL"
    rows(person, f"UPDATE users SET status = '{status}', erased_at = {erased_at}")
    with pytest.raises(psycopg2.errors.CheckViolation, match="a person who is erased grants nothing"):
        rows(person, EVENT, ("marketing", True, "2026-02-01"))
    rows(person, EVENT, ("marketing", False, "2026-03-01"))
    assert rows(person, HOLDS) == [(False, "2026-03-01")]


def test_a_grant_beside_an_erasure_is_before_it_or_refused(person: str) -> None:
    outcome: list[str] = []

    def grant() -> None:
        try:
            rows(person, "SELECT record_consent_v1(1, 'marketing', true, '1', 'en', 'web')")
            outcome.append("granted")
        except psycopg2.errors.CheckViolation:
            outcome.append("refused")

    with connected(person, autocommit=False) as erasure:
        erasure.cursor().execute("UPDATE users SET status = 'erasing' WHERE id = 1")
        waiting = threading.Thread(target=grant)
        waiting.start()
        until(lambda: rows(person, LOCKED) == [(1,)])
        erasure.commit()
        waiting.join()
    assert outcome == ["refused"]
    assert rows(person, "SELECT count(*) FROM consent_events") == [(0,)]


def test_consent_is_written_through_its_events_only(person: str) -> None:
    with pytest.raises(
        psycopg2.errors.IntegrityConstraintViolation, match="takes no answer without its event"
    ):
        rows(
            person,
            "INSERT INTO consent (user_id, purpose, granted, policy_version, locale, channel) VALUES (1, 'marketing', true, '1', 'en', 'web')",
        )
    rows(person, EVENT, ("marketing", False, "2026-01-01"))
    with pytest.raises(psycopg2.errors.IntegrityConstraintViolation):
        rows(person, "UPDATE consent SET granted = true")
    with pytest.raises(psycopg2.errors.CheckViolation, match="dated in the future"):
        rows(person, EVENT, ("marketing", True, "2999-01-01"))
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="consent_user_id_fkey"):
        rows(person, EVENT.replace("(1,", "(99,"), ("marketing", True, "2026-01-01"))
    assert rows(person, HOLDS) == [(False, "2026-01-01")]


def test_what_held_at_an_instant_can_be_shown(person: str) -> None:
    rows(person, EVENT, ("analytics", True, "2025-01-10 12:00+00"))
    rows(person, EVENT, ("analytics", False, "2025-02-10 12:00+00"))
    rows(person, EVENT, ("analytics", True, "2025-03-10 12:00+00"))
    expected = {
        "2025-01-10 11:59:59+00": None, "2025-01-10 12:00:00+00": True, "2025-02-10 11:59:59+00": True,
        "2025-02-10 12:00:00+00": False, "2025-04-01 00:00:00+00": True,
        # It has to be asked for again after thirteen months.
        "2026-04-10 11:59:59+00": True, "2026-04-10 12:00:01+00": False,
    }  # fmt: skip
    asked = "SELECT consent_at_v1(1, 'analytics', %s)"
    assert {instant: rows(person, asked, (instant,))[0][0] for instant in expected} == expected


def test_processing_stands_on_a_consent_that_holds_or_on_a_basis_that_needs_none(person: str) -> None:
    asked = "SELECT may_process_v1(1, %s)"
    assert rows(person, asked, ("service",)) == [(True,)]
    assert rows(person, asked, ("marketing",)) == [(False,)]
    rows(person, "SELECT record_consent_v1(1, 'marketing', true, '1', 'en', 'web')")
    assert rows(person, asked, ("marketing",)) == [(True,)]
    rows(person, EVENT, ("analytics", True, "2020-01-01"))
    assert rows(person, asked, ("analytics",)) == [(False,)]
    rows(
        person,
        "INSERT INTO consent_purposes (code, legal_basis, description) VALUES ('fraud', 'legitimate_interests', 'x')",
    )
    assert rows(person, asked, ("fraud",)) == [(True,)]
    rows(person, "SELECT record_consent_v1(1, 'fraud', false, '1', 'en', 'web')")
    assert rows(person, asked, ("fraud",)) == [(False,)]
