"""Consent: a grant and a withdrawal are one call each, and what held can be shown for any instant."""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.consent import (
    consent_at,
    consent_history,
    grant,
    publish_text,
    withdraw,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.restriction import restrict
from support import connected, rows

TEXT = "May we measure how you use the service? You may take it back at any time."
TEXTE = "Pouvons-nous mesurer votre usage du service ? Vous pouvez changer d'avis à tout moment."


@pytest.fixture
def person(url: str) -> str:
    rows(url, "INSERT INTO users (id, locale) VALUES (1, 'fr')")
    publish_text("analytics", "1", "en", TEXT, url=url)
    publish_text("analytics", "1", "fr", TEXTE, url=url)
    return url


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_three_answers_are_three_events_and_the_state_is_right_at_every_instant(person: str) -> None:
    publish_text("analytics", "2", "fr", TEXTE + " Merci.", url=person)
    numbers = [
        grant(1, "analytics", version="1", url=person),
        grant(1, "analytics", version="2", url=person),
        withdraw(1, "analytics", url=person),
    ]
    shown = consent_history(1, url=person)
    assert [(one.event, one.granted, one.version) for one in shown] == [
        (numbers[0], True, "1"),
        (numbers[1], True, "2"),
        (numbers[2], False, "2"),
    ]
    moment = timedelta(microseconds=1)
    first, second, third = (one.recorded_at for one in shown)
    expected = {
        first - moment: None, first: True, first + moment: True,
        second - moment: True, second: True, second + moment: True,
        third - moment: True, third: False, third + moment: False,
    }  # fmt: skip
    assert {at: consent_at(1, "analytics", at, url=person) for at in expected} == expected
    assert consent_at(1, "analytics", url=person) is False
    for statement in ("UPDATE consent_events SET granted = true", "DELETE FROM consent_events"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="is append-only"):
            rows(person, statement)


def test_the_proof_shows_the_text_that_the_hash_is_of(person: str) -> None:
    grant(1, "analytics", url=person)
    grant(1, "analytics", text=TEXT, channel="ios", evidence={"screen": "settings"}, url=person)
    assert [(one.locale, one.channel, one.text, one.sha256) for one in consent_history(1, "analytics", url=person)] == [
        ("fr", "web", TEXTE, sha256(TEXTE)),
        ("en", "ios", TEXT, sha256(TEXT)),
    ]  # fmt: skip


def test_an_unknown_text_is_refused_unless_its_version_says_what_it_was(person: str) -> None:
    with pytest.raises(DatabaseError) as unknown:
        grant(1, "marketing", url=person)
    assert str(unknown.value) == (
        'no text that was published for "marketing" is the one shown\n'
        "Hint: publish_consent_text_v1 makes it known; or name policy_version"
    )
    with pytest.raises(DatabaseError, match='version "1" of the text for "analytics" is another text than'):
        grant(1, "analytics", version="1", text="Yes?", url=person)
    grant(1, "marketing", version="paper 2019", text="On paper", locale="en", channel="import", url=person)
    ((version, digest),) = rows(
        person, "SELECT policy_version, encode(policy_sha256, 'hex') FROM consent_events"
    )
    assert (version, digest) == ("paper 2019", sha256("On paper"))


def test_a_text_that_was_published_stays_as_it_was(person: str) -> None:
    assert publish_text("analytics", "1", "en", TEXT, url=person) == sha256(TEXT)
    with pytest.raises(DatabaseError) as other:
        publish_text("analytics", "1", "en", TEXT + "!", url=person)
    assert str(other.value) == (
        'version "1" of the text for "analytics" is another text\n'
        "Hint: what people were shown does not change: publish a new version"
    )
    with pytest.raises(
        psycopg2.errors.InsufficientPrivilege, match=r'"public[.]consent_texts" is append-only'
    ):
        rows(person, "UPDATE consent_texts SET body = 'x'")
    with pytest.raises(psycopg2.errors.CheckViolation, match="consent_texts_sha256_check"):
        rows(person, "INSERT INTO consent_texts VALUES ('analytics', '9', 'en', 'x', sha256('y'))")


def test_the_text_is_looked_for_in_the_language_of_the_person_and_then_where_it_falls_back(
    person: str,
) -> None:
    rows(person, "UPDATE users SET locale = 'fr-CA'")
    publish_text("marketing", "1", "en", "News?", url=person)
    grant(1, "analytics", url=person)
    grant(1, "marketing", url=person)
    assert [one.locale for one in consent_history(1, url=person)] == ["fr", "en"]


def test_a_withdrawal_asks_for_no_more_than_a_grant_and_is_never_refused(person: str) -> None:
    withdraw(1, "marketing", url=person)
    grant(1, "analytics", text=TEXT, url=person)
    rows(person, "UPDATE users SET status = 'erased', erased_at = now(), locale = 'en'")
    with pytest.raises(DatabaseError, match="a person who is erased grants nothing"):
        grant(1, "analytics", url=person)
    withdraw(1, "analytics", url=person)
    assert [(one.purpose, one.granted, one.version, one.text) for one in consent_history(1, url=person)] == [
        ("marketing", False, "none", None),
        ("analytics", True, "1", TEXT),
        ("analytics", False, "1", TEXT),
    ]


def test_an_answer_counts_although_the_clock_went_back(person: str) -> None:
    ahead = datetime.now(timezone.utc) + timedelta(minutes=4)
    rows(
        person,
        "INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)"
        " VALUES (1, 'analytics', true, '1', 'en', 'web', %s)",
        (ahead,),
    )
    withdraw(1, "analytics", url=person)
    assert rows(person, "SELECT granted, recorded_at FROM consent") == [(False, ahead)]
    assert consent_at(1, "analytics", ahead, url=person) is False
    grant(1, "analytics", url=person)
    assert rows(person, "SELECT granted, recorded_at FROM consent") == [(True, ahead)]


def test_of_two_answers_at_one_instant_the_later_number_holds_whoever_commits_last(person: str) -> None:
    event = (
        "INSERT INTO consent_events (user_id, id, purpose, granted, policy_version, locale, channel, recorded_at)"
        " VALUES (1, %s, 'analytics', %s, '1', 'en', 'web', '2026-03-01')"
    )

    def older() -> None:
        rows(person, event, (101, True))

    with connected(person, autocommit=False) as later:
        later.cursor().execute(event, (102, False))
        waiting = threading.Thread(target=older)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        later.commit()
        waiting.join()
    at = datetime(2026, 3, 1, tzinfo=timezone.utc)
    assert rows(person, "SELECT id, granted FROM consent_events ORDER BY id") == [(101, True), (102, False)]
    assert consent_at(1, "analytics", at, url=person) is False
    assert rows(person, "SELECT granted, expires_at FROM consent") == [(False, None)]


def test_an_instant_has_a_time_zone(person: str) -> None:
    with pytest.raises(SettingsError, match="a time without its zone is no instant"):
        consent_at(1, "analytics", datetime(2026, 1, 1), url=person)


def test_the_application_answers_for_whoever_is_signed_in_and_nobody_else(person: str) -> None:
    rows(person, "INSERT INTO users (id) VALUES (2)")
    with connected(person) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SET app.user_id = '1'")
        cursor.execute("SELECT grant_consent_v1(1, 'analytics'), withdraw_consent_v1(1, 'analytics')")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            cursor.execute("SELECT withdraw_consent_v1(2, 'analytics')")
    assert [one.granted for one in consent_history(1, url=person)] == [True, False]
    assert consent_history(2, url=person) == ()
    assert consent_history(1, signed_in=1, url=person) != ()


def test_a_restricted_person_grants_the_text_of_their_own_language(person: str) -> None:
    restrict(1, "accuracy_contested", url=person)
    rows(person, "SET ROLE agent_app; SET app.user_id = '1'; SELECT grant_consent_v1(1, 'analytics')")
    (shown,) = consent_history(1, url=person)
    assert (shown.locale, shown.sha256) == ("fr", sha256(TEXTE))
