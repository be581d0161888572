"""Rectification: what a person may have put right, in rows that are theirs, and the trail of it without values."""

from __future__ import annotations

import pytest

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.rectification import rectify
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import file_request
from support import rows

TRAIL = "SELECT entity_type, changed_columns, subject_ref IS NOT NULL FROM audit_log WHERE action = 'update' AND entity_type IN ('user', 'playlist')"


@pytest.fixture
def scene(url: str) -> str:
    rows(url, "INSERT INTO users (id, display_name, birth_year) VALUES (1, 'Ana', 1990), (2, 'Bob', 1980)")
    rows(url, "INSERT INTO playlists (user_id, id, name) VALUES (1, 5, 'mine'), (2, 6, 'his')")
    return url


def test_a_person_has_their_own_row_put_right_and_the_request_notes_it(scene: str) -> None:
    request = file_request(1, "rectification", url=scene)
    rectify(
        1, "public.users", {"display_name": "Secret Anna", "birth_year": 1991}, request=request, url=scene
    )
    assert rows(scene, "SELECT display_name, birth_year FROM users ORDER BY id") == [
        ("Secret Anna", 1991),
        ("Bob", 1980),
    ]
    assert rows(scene, TRAIL) == [("user", ["display_name", "birth_year"], True)]
    assert rows(scene, "SELECT kind, told FROM data_subject_request_events ORDER BY id") == [
        ("received", None),
        ("noted", "rectified public.users: birth_year, display_name"),
    ]
    assert rows(scene, "SELECT status FROM data_subject_requests") == [("received",)]
    assert rows(scene, "SELECT count(*) FROM audit_log WHERE audit_log::text ~ 'Secret'") == [(0,)]


def test_a_row_of_another_table_is_named_by_its_key_and_has_to_be_theirs(scene: str) -> None:
    rectify(1, "public.playlists", {"name": "ours"}, key={"user_id": 1, "id": 5}, url=scene)
    with pytest.raises(TableError) as not_theirs:
        rectify(1, "public.playlists", {"name": "x"}, key={"user_id": 2, "id": 6}, url=scene)
    assert str(not_theirs.value) == (
        'no row of "public.playlists" with that key is the person\'s\nHint: name it by its primary key'
    )
    with pytest.raises(TableError, match="no row of"):
        rectify(1, "public.users", {"display_name": "x"}, key={"id": 2}, url=scene)
    with pytest.raises(TableError, match=r'the key of "public[.]playlists" is user_id, id'):
        rectify(1, "public.playlists", {"name": "x"}, key={"id": 5}, url=scene)
    with pytest.raises(TableError, match=r'the key of "public[.]playlists" is user_id, id'):
        rectify(1, "public.playlists", {"name": "x"}, url=scene)
    assert rows(scene, "SELECT name FROM playlists ORDER BY id") == [("ours",), ("his",)]


def test_only_what_the_catalogue_calls_rectifiable_is_changed(scene: str) -> None:
    for table, changes, problem in (
        ("public.users", {"status": "suspended"}, 'column "status" of "public.users" is not rectifiable'),
        ("public.users", {"display_name": "x", "id": 9}, 'column "id" of "public.users" is not rectifiable'),
        ("public.users", {'id" = 9 --': 1}, 'column "id" = 9 --" of "public.users" is not rectifiable'),
        ("public.users", {}, "there is nothing to change"),
        ("public.tracks", {"title": "x"}, '"public.tracks" has no rows of people'),
    ):
        with pytest.raises(TableError) as refused:
            rectify(1, table, changes, url=scene)
        assert refused.value.problem == problem
    assert rows(scene, TRAIL) == []


def test_what_the_table_refuses_is_not_noted_as_done(scene: str) -> None:
    request = file_request(1, "rectification", url=scene)
    with pytest.raises(DatabaseError, match="users_birth_year_check") as refused:
        rectify(1, "public.users", {"birth_year": 1234}, request=request, url=scene)
    assert "1234" not in str(refused.value)
    with pytest.raises(DatabaseError, match="there is no request 99"):
        rectify(1, "public.users", {"birth_year": 1991}, request=99, url=scene)
    assert rows(scene, "SELECT birth_year FROM users WHERE id = 1") == [(1990,)]
    assert rows(scene, "SELECT kind FROM data_subject_request_events") == [("received",)]
