"""Twenty-eight questions of a music backend, each by who asks it and with the index that is there for it."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

import psycopg2
import pytest

from support import Databases, connected, rows

HERE = pathlib.Path(__file__).parent
LARGE = (
    "listens",
    "analytics",
    "tracks",
    "artists",
    "playlist_items",
    "audit_log",
    "places",
    "consent",
    "users",
)

# The role that asks, and the indexes that answer.
ASKED = {
    "recently_played": ("agent_app", ["listens_user_id_listened_at_idx"]),
    "played_before": ("agent_app", ["listens_user_id_listened_at_idx"]),
    "playlist_page": ("agent_app", ["playlist_items_pkey"]),
    "playlist_before": ("agent_app", ["playlist_item_versions_pkey"]),
    "translated_titles": ("agent_app", ["content_translations_pkey"]),
    "words_in_french": ("agent_app", ["content_translations_french_idx"]),
    "tracks_like_this": ("agent_app", ["track_embeddings_v1_pkey"]),
    "artists_near": ("agent_app", ["places_unit_xyz_idx", "artists_place_id_idx"]),
    "nearest_places": ("agent_app", ["places_unit_xyz_idx"]),
    "consent_at_an_instant": ("agent_app", ["consent_events_user_id_purpose_recorded_at_idx"]),
    "may_recommend": ("agent_app", ["consent_pkey"]),
    "who_refused": ("agent_owner", ["consent_refused_idx"]),
    "who_touched_a_user": ("agent_auditor", ["audit_log_legacy_pkey"]),
    "events_of_a_month": ("agent_owner", ["analytics_legacy_event_name_created_at_idx"]),
    "events_of_a_person": ("agent_privacy", ["on analytics_legacy_"]),
    "an_hour_of_listening": ("agent_owner", ["listens_listened_at_idx"]),
    "who_listens_to_a_track": ("agent_owner", ["listens_track_id_idx"]),
    "titles_with_a_part": ("agent_app", ["tracks_title_idx"]),
    "misspelt_artist": ("agent_app", ["artists_name_idx"]),
    "artists_of_a_genre": ("agent_app", ["artists_genres_idx"]),
    "tracks_of_an_album": ("agent_app", ["tracks_album_id_idx"]),
    "tracks_of_an_artist": ("agent_app", ["track_artists_artist_id_idx"]),
    "track_by_its_code": ("agent_app", ["tracks_isrc_idx"]),
    "track_by_its_spotify_id": ("agent_app", ["tracks_spotify_key"]),
    "signing_in": ("agent_app", ["users_email_hmac_key"]),
    "in_this_market": ("agent_app", ["market_availability_available_excl"]),
    "features_then": ("agent_app", ["user_features_pkey"]),
    "last_messages": ("agent_app", ["agent_messages_pkey"]),
}


def questions() -> dict[str, str]:
    parts = re.split(r"^-- ([a-z_]+) --$", (HERE / "questions.sql").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def volume(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a database with a million listens."""
    name = databases.create(template)
    with connected(databases.url(name)) as connection:
        connection.cursor().execute((HERE / "fill.sql").read_text())
        # Not ANALYZE alone: what waits in the pending list of a GIN index makes it look dear.
        connection.cursor().execute("VACUUM ANALYZE")
    yield databases.url(name)
    databases.drop(name)


def test_every_question_is_asked(volume: str) -> None:
    assert set(questions()) == set(ASKED)
    assert len(ASKED) >= 20
    assert rows(volume, "SELECT count(*) FROM listens") == [(1_000_000,)]


@pytest.mark.parametrize("name", ASKED)
def test_a_question_is_answered_by_its_index(volume: str, name: str) -> None:
    role, indexes = ASKED[name]
    with connected(volume) as connection, connection.cursor() as cursor:
        cursor.execute(
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
            " SET auto_explain.log_verbose = off; SET jit = off"
        )
        cursor.execute(
            f"SET ROLE {role}; SET app.user_id = '7'; SET app.subject_id = '7'; SET client_min_messages = log"
        )
        cursor.execute(questions()[name])
        answer = cursor.fetchall()
        plans = "".join(connection.notices)
    assert answer, name
    assert answer[0][0] is not None, name
    for index in indexes:
        assert index in plans, plans
    for table in LARGE:
        assert not re.search(rf"Seq Scan on (public\.)?{table}\b", plans), plans


def test_the_answers_are_right(volume: str) -> None:
    asked = questions()

    def ask(name: str, role: str = "agent_app") -> list[tuple[object, ...]]:
        with connected(volume) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}; SET app.user_id = '7'; SET app.subject_id = '7'")
            cursor.execute(asked[name])
            return cursor.fetchall()

    played = ask("recently_played")
    assert len(played) == 50
    assert played == sorted(played, key=lambda row: str(row[1]), reverse=True)
    assert ask("track_by_its_code") == ask("titles_with_a_part") == [(4242,)]
    assert ask("translated_titles") == [
        ("10", "La chanson 10"),
        ("20", "La chanson 20"),
        ("31", "Song c16a5320fa475530d9583c34fd356ef5"),
    ]
    assert [place for place, _ in ask("playlist_before")] == list(range(100))
    assert ask("signing_in") == [(7,)]
    assert ask("misspelt_artist") == [(777,)]
    assert len(ask("artists_of_a_genre")) == 4
    assert ask("in_this_market") == ask("consent_at_an_instant") == ask("may_recommend") == [(True,)]
    assert len(ask("who_refused", "agent_owner")) == 80
    assert len(ask("tracks_like_this")) == 10
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask("who_touched_a_user")
