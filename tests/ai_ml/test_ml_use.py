"""What the terms of a source forbid is refused as it arrives, and found when the terms change."""

from __future__ import annotations

import io

import psycopg2
import pytest
from ai_ml.scene import acting, add_model, add_person, add_tracks, ask, forbid, one, refused

from support import connected, rows

PROBLEM = 'the terms of source "spotify" do not allow machine learning'
HINT = "leave out what comes from there; the terms are in data_sources.ml_use_allowed"
EMBED = "INSERT INTO {} (track_id, model_version_id, embedding, content_hash, source) VALUES (%s, %s, '{{1,0,0,0}}', sha256('x'), %s)"


@pytest.fixture
def version(url: str) -> int:
    made = add_model(url)
    rows(url, "SELECT add_embedding_partition_v1(%s)", (made,))
    return made


def define(url: str, name: str, entity: str, source: str) -> None:
    rows(
        url,
        "INSERT INTO feature_definitions (name, version, entity, dtype, description, source) VALUES (%s, 1, %s, 'number', 'd', %s)",
        (name, entity, source),
    )


@pytest.mark.parametrize("table", ["track_embeddings", "track_embeddings_v{}"])
def test_an_embedding_is_refused_for_its_source_and_for_that_of_its_track(
    url: str, version: int, table: str
) -> None:
    forbid(url)
    [ours], [theirs] = add_tracks(url, 1), add_tracks(url, 1, source="spotify")
    insert = EMBED.format(table.format(version))
    assert refused(url, insert, (ours, version, "spotify")) == (PROBLEM, HINT)
    assert refused(url, insert, (theirs, version, "internal")) == (PROBLEM, HINT)
    rows(url, insert, (ours, version, "internal"))
    assert refused(url, f"UPDATE {table.format(version)} SET source = 'spotify'") == (PROBLEM, HINT)
    assert rows(url, "SELECT track_id, source FROM track_embeddings") == [(ours, "internal")]


def test_an_embedding_that_arrives_by_copy_is_refused_too(url: str, version: int) -> None:
    forbid(url)
    tracks = [*add_tracks(url, 2), *add_tracks(url, 1, source="spotify")]

    def copy(wanted: list[int]) -> None:
        lines = "".join(f"{track}\t{version}\t{{1,0,0,0}}\t\\\\x{'00' * 32}\tinternal\n" for track in wanted)
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.copy_expert(
                "COPY track_embeddings (track_id, model_version_id, embedding, content_hash, source) FROM STDIN",
                io.StringIO(lines),
            )

    with pytest.raises(psycopg2.errors.CheckViolation, match=PROBLEM):
        copy(tracks)
    assert one(url, "SELECT count(*) FROM track_embeddings") == 0
    copy(tracks[:2])
    assert one(url, "SELECT count(*) FROM track_embeddings") == 2


def test_a_training_set_is_refused(url: str, version: int) -> None:
    forbid(url)
    insert = "INSERT INTO model_version_sources (model_version_id, source, rows) VALUES (%s, %s, 1000)"
    assert refused(url, insert, (version, "spotify")) == (PROBLEM, HINT)
    rows(url, insert, (version, "internal"))
    assert refused(url, "UPDATE model_version_sources SET source = 'spotify'") == (PROBLEM, HINT)


def test_a_feature_is_refused_for_its_definition_and_for_its_track(url: str) -> None:
    forbid(url)
    define(url, "plays", "track", "spotify")
    define(url, "tempo", "track", "internal")
    define(url, "mood", "user", "spotify")
    person = add_person(url)
    [ours], [theirs] = add_tracks(url, 1), add_tracks(url, 1, source="spotify")
    insert = "INSERT INTO track_features (track_id, feature, event_at, value) VALUES (%s, %s, now(), '1')"
    assert refused(url, insert, (ours, "plays@1")) == (PROBLEM, HINT)
    assert refused(url, insert, (theirs, "tempo@1")) == (PROBLEM, HINT)
    rows(url, insert, (ours, "tempo@1"))
    felt = "INSERT INTO user_features (user_id, feature, event_at, value) VALUES (%s, 'mood@1', now(), '1')"
    assert refused(url, felt, (person,)) == (PROBLEM, HINT)


def test_terms_may_change_and_what_has_to_go_is_named(url: str, version: int) -> None:
    rows(url, "INSERT INTO data_sources (code, licence, ml_use_allowed) VALUES ('spotify', 'terms', true)")
    person = add_person(url)
    [ours], [theirs] = add_tracks(url, 1), add_tracks(url, 1, source="spotify")
    for track in (ours, theirs):
        rows(url, EMBED.format("track_embeddings"), (track, version, "internal"))
    rows(
        url, "INSERT INTO model_version_sources (model_version_id, source) VALUES (%s, 'spotify')", (version,)
    )
    define(url, "plays", "track", "spotify")
    define(url, "mood", "user", "spotify")
    rows(
        url,
        "INSERT INTO track_features (track_id, feature, event_at, value) VALUES (%s, 'plays@1', now(), '1')",
        (ours,),
    )
    rows(
        url,
        "INSERT INTO user_features (user_id, feature, event_at, value) VALUES (%s, 'mood@1', now(), '1')",
        (person,),
    )
    assert rows(url, "SELECT * FROM ml_violations_v1()") == []
    rows(url, "UPDATE data_sources SET ml_use_allowed = false WHERE code = 'spotify'")
    with acting(url, "agent_readonly") as connection:
        assert ask(connection, "SELECT * FROM ml_violations_v1()") == [
            ("model_version_sources", None, "spotify", 1),
            ("track_embeddings", f"track_embeddings_v{version}", "spotify", 1),
            ("track_features", None, "spotify", 1),
            ("user_features", None, "spotify", 1),
        ]
    rows(url, "DELETE FROM track_embeddings WHERE track_id = %s", (theirs,))
    assert one(url, "SELECT count(*) FROM ml_violations_v1() WHERE table_name = 'track_embeddings'") == 0
