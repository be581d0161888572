"""Recommendations: profiling needs consent, every reason can be explained, what was served stays."""

from __future__ import annotations

import json

import psycopg2
import pytest
from ai_ml.scene import acting, add_model, add_person, add_tracks, ask, one, refused, refused_on

from support import rows

RECOMMEND = (
    "INSERT INTO recommendations (user_id, model_version_id, surface, items, profiling_used, main_parameters)"
    " VALUES (%s, %s, 'home', %s, %s, %s) RETURNING id"
)
CONSENT = "SELECT record_consent_v1(%s, 'personalisation', %s, '1', 'en', 'web')"
ITEMS = '[{"track": 1, "reasons": ["similar_audio"]}]'
WEIGHTS = '{"listening_history": 0.7, "similar_audio": 0.3}'
NO_CONSENT = (
    'profiling needs a consent to "personalisation" that holds',
    "recommend without profiling, or ask first: record_consent_v1",
)


@pytest.fixture
def served(url: str) -> tuple[str, int, int]:
    """The database, a person and a recommender."""
    return url, add_person(url), add_model(url, "dj", task="recommender", dimensions=None)


def test_profiling_needs_a_consent_that_holds(served: tuple[str, int, int]) -> None:
    url, person, version = served
    values = (person, version, ITEMS, True, WEIGHTS)
    assert refused(url, RECOMMEND, values) == NO_CONSENT
    rows(url, CONSENT, (person, True))
    rows(url, RECOMMEND, values)
    rows(url, CONSENT, (person, False))
    assert refused(url, RECOMMEND, values) == NO_CONSENT
    rows(url, RECOMMEND, (person, version, ITEMS, False, "{}"))
    assert one(url, "SELECT count(*) FROM recommendations") == 2


def test_a_consent_that_expired_does_not_hold(served: tuple[str, int, int]) -> None:
    url, person, version = served
    rows(
        url,
        "INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)"
        " VALUES (%s, 'personalisation', true, '1', 'en', 'web', now() - INTERVAL '14 months')",
        (person,),
    )
    assert one(url, "SELECT granted FROM consent") is True
    assert refused(url, RECOMMEND, (person, version, ITEMS, True, WEIGHTS)) == NO_CONSENT


def test_the_consent_of_one_person_is_not_that_of_another(served: tuple[str, int, int]) -> None:
    url, person, version = served
    other = add_person(url)
    rows(url, CONSENT, (person, True))
    both = (
        "INSERT INTO recommendations (user_id, model_version_id, surface, items, profiling_used, main_parameters)"
        " SELECT person, %s, 'home', %s, true, %s FROM unnest(%s) AS person"
    )
    assert refused(url, both, (version, ITEMS, WEIGHTS, [person, other])) == NO_CONSENT
    assert one(url, "SELECT count(*) FROM recommendations") == 0


@pytest.mark.parametrize(
    ("items", "profiling", "parameters", "constraint"),
    [
        (ITEMS, True, "{}", "recommendations_profiling_used_check"),
        (ITEMS, True, '{"popularity": "much"}', "recommendations_main_parameters_check"),
        (ITEMS, True, "[]", "recommendations_main_parameters_check"),
        ("[]", False, "{}", "recommendations_items_check"),
        ("{}", False, "{}", "recommendations_items_check"),
        ('[{"track": 1}]', False, "{}", "recommendations_items_check"),
        ('[{"track": "1", "reasons": ["popularity"]}]', False, "{}", "recommendations_items_check"),
        ('[{"track": 1, "reasons": []}]', False, "{}", "recommendations_items_check"),
        ('[{"track": 1, "reasons": [7]}]', False, "{}", "recommendations_items_check"),
        ('[{"track": 1, "reasons": ["popularity"]}, 2]', False, "{}", "recommendations_items_check"),
        ('[[{"track": 1, "reasons": ["popularity"]}]]', False, "{}", "recommendations_items_check"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    served: tuple[str, int, int], items: str, profiling: bool, parameters: str, constraint: str
) -> None:
    url, person, version = served
    rows(url, CONSENT, (person, True))
    with pytest.raises(psycopg2.errors.CheckViolation, match=constraint):
        rows(url, RECOMMEND, (person, version, items, profiling, parameters))


@pytest.mark.parametrize(
    ("items", "parameters"), [(ITEMS.replace("similar_audio", "magic"), "{}"), (ITEMS, '{"magic": 1}')]
)
def test_a_reason_without_words_is_refused(served: tuple[str, int, int], items: str, parameters: str) -> None:
    url, person, version = served
    values = (person, version, items, False, parameters)
    assert refused(url, RECOMMEND, values) == (
        'reason "magic" cannot be explained',
        'insert its text into recommendation_reasons, in "en" at least',
    )
    rows(url, "INSERT INTO recommendation_reasons VALUES ('magic', 'en', 'By magic')")
    rows(url, RECOMMEND, values)


def test_what_was_served_does_not_change_and_feedback_is_added(served: tuple[str, int, int]) -> None:
    url, person, version = served
    rows(url, RECOMMEND, (person, version, ITEMS, False, "{}"))
    assert refused(
        url, "UPDATE recommendations SET profiling_used = true, main_parameters = '{\"popularity\": 1}'"
    ) == (
        "what was recommended, and why, does not change",
        "only feedback is added to it",
    )
    with acting(url, user_id=person) as connection:
        ask(connection, "UPDATE recommendations SET feedback = 1")
        assert refused_on(connection, "UPDATE recommendations SET surface = 'x'")[0] == (
            "permission denied for table recommendations"
        )
    assert one(url, "SELECT feedback FROM recommendations") == 1


def test_a_recommendation_is_explained_in_the_language_of_the_person(served: tuple[str, int, int]) -> None:
    url, person, version = served
    rows(url, CONSENT, (person, True))
    [track] = add_tracks(url, 1)
    items = json.dumps([{"track": track, "reasons": ["similar_audio", "popularity"]}])
    number = one(url, RECOMMEND, (person, version, items, True, WEIGHTS))
    rows(url, "INSERT INTO recommendation_reasons VALUES ('magic', 'en', 'By magic')")
    explain = "SELECT explain_recommendation_v1(%s, %s, %s)"
    with acting(url, user_id=person) as connection:
        [(english,)] = ask(connection, explain, (person, number, "en"))
        [(french,)] = ask(connection, explain, (person, number, "fr-CA"))
        [(german,)] = ask(connection, explain, (person, number, "de"))
    assert english == german
    assert english["model"] == "dj 1"
    assert english["profiling_used"] is True
    assert "withdrawing your consent" in english["basis"]
    assert [(one["code"], one["weight"]) for one in english["parameters"]] == [
        ("listening_history", 0.7),
        ("similar_audio", 0.3),
    ]
    assert english["items"] == [
        {
            "track": track,
            "title": "track 1",
            "reasons": ["It sounds like music you play", "Many people play it at the moment"],
        }
    ]
    assert french["items"][0]["reasons"][1] == "Très écouté en ce moment"


def test_only_the_person_and_who_answers_for_privacy_see_it(served: tuple[str, int, int]) -> None:
    url, person, version = served
    number = one(url, RECOMMEND, (person, version, ITEMS, False, "{}"))
    explain = "SELECT explain_recommendation_v1(%s, %s) ->> 'basis'"
    other = add_person(url)
    with acting(url, user_id=other) as connection:
        assert refused_on(connection, explain, (person, number))[0] == f"there is no recommendation {number}"
    with acting(url) as connection:
        assert ask(connection, "SELECT count(*) FROM recommendations") == [(0,)]
    with acting(url, "agent_privacy", subject_id=person) as connection:
        assert ask(connection, explain, (person, number)) == [("Not based on anything about you",)]
    with acting(url, "agent_readonly") as connection:
        assert refused_on(connection, "SELECT FROM recommendations")[0].startswith("permission denied")
        assert ask(
            connection,
            "SELECT analyst_ref IS NOT NULL, surface, items, feedback FROM analyst_recommendations",
        ) == [(True, "home", 1, None)]


def test_what_is_kept_and_for_how_long_is_written_down(url: str) -> None:
    assert rows(
        url,
        "SELECT table_name, time_column, keep_for::text FROM retention_policies WHERE table_name ~ '^agent_|^rec|_features' ORDER BY 1",
    ) == [
        ("agent_conversations", "created_at", "1 year 1 mon"),
        ("agent_messages", "created_at", "1 year 1 mon"),
        ("agent_tool_calls", "requested_at", "1 year 1 mon"),
        ("recommendations", "served_at", "6 mons"),
        ("user_features", "event_at", "1 year 1 mon"),
    ]
