"""Embeddings: one partition a model version, the same neighbours with pgvector and without."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import psycopg2
import pytest
from ai_ml.scene import (
    acting,
    add_model,
    add_tracks,
    add_version,
    ask,
    embed,
    one,
    refused,
    refused_on,
    vectors,
)

from support import connected, rows

DIMENSIONS = 64
COUNT = 500
HASH = "sha256('x')"


def cosine_distance(left: Sequence[float], right: Sequence[float]) -> float:
    dot = sum(x * y for x, y in zip(left, right, strict=True))
    return 1 - dot / math.sqrt(sum(x * x for x in left) * sum(y * y for y in right))


def fill(url: str, *, count: int = COUNT, dimensions: int = DIMENSIONS) -> tuple[int, dict[int, list[float]]]:
    """A model version and the vectors of its tracks."""
    version = add_model(url, dimensions=dimensions)
    rows(url, "SELECT add_embedding_partition_v1(%s)", (version,))
    tracks = add_tracks(url, count)
    values = vectors(count, dimensions, seed=5)
    embed(url, version, tracks, values)
    return version, dict(zip(tracks, values, strict=True))


def nearest(stored: dict[int, list[float]], wanted: Sequence[float], count: int) -> list[int]:
    return heapq.nsmallest(count, stored, key=lambda track: cosine_distance(stored[track], wanted))


def found(url: str, wanted: Sequence[float], version: int, count: int = 10) -> list[tuple[object, ...]]:
    return rows(url, "SELECT * FROM similar_to_v1(%s::real[], %s, %s)", (list(wanted), version, count))


def alike(neighbours: list[tuple[object, ...]], exact: list[tuple[object, ...]]) -> bool:
    # The index is approximate; without it the search is exact.
    same = {row[0] for row in neighbours} & {row[0] for row in exact}
    return len(neighbours) == len(exact) and len(same) >= 0.7 * len(exact)


def assert_the_neighbours_are_right(url: str) -> None:
    version, stored = fill(url)
    for wanted in vectors(10, DIMENSIONS, seed=6):
        neighbours = found(url, wanted, version)
        exact = nearest(stored, wanted, 10)
        assert alike(neighbours, [(track,) for track in exact])
        for track, distance in neighbours:
            assert distance == pytest.approx(cosine_distance(stored[int(str(track))], wanted), abs=1e-6)
    track, value = next(iter(stored.items()))
    others = rows(url, "SELECT track_id FROM similar_tracks_v1(%s, %s, 10)", (track, version))
    assert alike(others, [(other,) for other in nearest({**stored, track: [-x for x in value]}, value, 10)])


def test_the_neighbours_are_right_with_pgvector(with_pgvector: str) -> None:
    assert_the_neighbours_are_right(with_pgvector)
    assert one(with_pgvector, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'") == 1


def test_the_neighbours_are_right_without_pgvector(without_pgvector: str) -> None:
    assert_the_neighbours_are_right(without_pgvector)
    assert one(without_pgvector, "SELECT index_embedding_partition_v1(max(id)) FROM model_versions") is False


def plans(url: str, version: int, wanted: Sequence[float]) -> str:
    """The plans of everything that a search executes."""
    with connected(url) as connection:
        ask(
            connection,
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
            " SET auto_explain.log_nested_statements = on; SET client_min_messages = log",
        )
        ask(connection, "SELECT * FROM similar_to_v1(%s::real[], %s, 5)", (list(wanted), version))
        return "".join(connection.notices)


def test_a_search_uses_the_index_and_finds_nine_in_ten(with_pgvector: str) -> None:
    version, stored = fill(with_pgvector, count=2000)
    rows(with_pgvector, "ANALYZE track_embeddings")
    queries = vectors(20, DIMENSIONS, seed=7)
    used = f"Index Scan using track_embeddings_v{version}_embedding_idx"
    assert used in plans(with_pgvector, version, queries[0])
    hits = sum(
        len({track for track, _ in found(with_pgvector, wanted, version)} & set(nearest(stored, wanted, 10)))
        for wanted in queries
    )
    assert hits / 200 >= 0.9


def test_a_search_leaves_the_settings_as_they_were(with_pgvector: str) -> None:
    version, stored = fill(with_pgvector, count=20)
    with connected(with_pgvector, autocommit=False) as connection:
        ask(connection, "SET hnsw.ef_search = 55")
        values = (next(iter(stored.values())), version)
        assert len(ask(connection, "SELECT * FROM similar_to_v1(%s::real[], %s, 100)", values)) == 20
        assert ask(connection, "SHOW hnsw.ef_search") == [("55",)]


def test_the_index_is_added_once_pgvector_is_there(without_pgvector: str) -> None:
    version, stored = fill(without_pgvector, count=2000)
    rows(without_pgvector, "ANALYZE track_embeddings")
    wanted = vectors(1, DIMENSIONS, seed=8)[0]
    exact = found(without_pgvector, wanted, version)
    try:
        rows(without_pgvector, "CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions")
    except psycopg2.Error:
        pytest.skip("this server has no pgvector")
    assert one(without_pgvector, "SELECT index_embedding_partition_v1(%s)", (version,)) is False
    rows(without_pgvector, "GRANT USAGE ON SCHEMA extensions TO agent_owner, agent_app")
    for _ in range(2):
        assert one(without_pgvector, "SELECT index_embedding_partition_v1(%s)", (version,)) is True
    assert alike(found(without_pgvector, wanted, version), exact)
    used = f"Index Scan using track_embeddings_v{version}_embedding_idx"
    assert used in plans(without_pgvector, version, wanted)
    with acting(without_pgvector) as connection:
        query = "SELECT * FROM similar_to_v1(%s::real[], %s)"
        assert alike(ask(connection, query, (wanted, version)), exact)
    rows(without_pgvector, "REVOKE USAGE ON SCHEMA extensions FROM agent_app")
    with acting(without_pgvector) as connection:
        assert ask(connection, query, (wanted, version)) == exact
    assert len(stored) == 2000


def test_a_partition_made_twice_is_one_and_belongs_to_the_owner_role(url: str) -> None:
    version = add_model(url)
    for _ in range(2):
        assert one(url, "SELECT add_embedding_partition_v1(%s)", (version,)) == f"track_embeddings_v{version}"
    assert rows(
        url,
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'track_embeddings%%'",
    ) == [("agent_owner",)]


def test_to_retire_a_model_drops_exactly_its_partition(url: str) -> None:
    first = add_model(url)
    second = add_version(url, first, version=2)
    tracks = add_tracks(url, 3)
    for version in (first, second):
        rows(url, "SELECT add_embedding_partition_v1(%s)", (version,))
        embed(url, version, tracks, vectors(3, 4, seed=1))
    rows(url, "SELECT set_model_alias_v1('ear', 'champion', 1)")
    drop = "SELECT drop_embedding_partition_v1(%s)"
    assert refused(url, drop, (first,)) == (
        f"model version {first} still has an alias",
        "give the alias to another version first: set_model_alias_v1",
    )
    rows(url, "SELECT set_model_alias_v1('ear', 'champion', 2)")
    assert one(url, drop, (first,)) is True
    assert one(url, drop, (first,)) is False
    assert rows(url, "SELECT model_version_id, count(*) FROM track_embeddings GROUP BY 1") == [(second, 3)]
    rows(url, "DELETE FROM model_aliases")
    assert refused(url, "DELETE FROM model_versions WHERE id = %s", (second,)) == (
        f"model version {second} still has its embeddings",
        f"first SELECT public.drop_embedding_partition_v1({second});",
    )
    rows(url, drop, (second,))
    rows(url, "DELETE FROM model_versions WHERE id = %s", (second,))


@pytest.mark.parametrize(
    ("task", "dimensions", "status"),
    [("llm", 4, "ready"), ("embedding", None, "ready"), ("embedding", 4, "failed")],
)
def test_a_version_that_computes_no_embeddings_has_no_partition(
    url: str, task: str, dimensions: int | None, status: str
) -> None:
    version = add_model(url, task=task, dimensions=dimensions, status=status)
    problem, _ = refused(url, "SELECT add_embedding_partition_v1(%s)", (version,))
    assert problem == f"model version {version} computes no embeddings"


UPSERT = f"SELECT upsert_track_embedding_v1(%s, %s, %s::real[], {HASH}, 'internal')"


def test_an_embedding_takes_the_place_of_an_older_one(url: str) -> None:
    version = add_model(url)
    [track] = add_tracks(url, 1)
    assert refused(url, UPSERT, (track, version, [1, 0, 0, 0])) == (
        f"model version {version} has no partition for embeddings",
        f"first SELECT public.add_embedding_partition_v1({version});",
    )
    rows(url, "SELECT add_embedding_partition_v1(%s)", (version,))
    with acting(url) as connection:
        assert ask(connection, UPSERT, (track, version, [1, 0, 0, 0])) == [(True,)]
        assert ask(connection, UPSERT, (track, version, [1, 0, 0, 0])) == [(False,)]
        assert ask(connection, UPSERT, (track, version, [0, 1, 0, 0])) == [(True,)]
        assert ask(connection, "SELECT embedding FROM track_embeddings") == [([0, 1, 0, 0],)]
        assert refused_on(connection, f"SELECT FROM track_embeddings_v{version}")[0].startswith(
            "permission denied"
        )
        assert refused_on(connection, UPSERT, (track, version, [1, 0])) == (
            f"the vector has 2 dimensions, and model version {version} has 4",
            "embed with the model version that is named",
        )


@pytest.mark.parametrize(
    "vector",
    [
        "{0,0,0,0}",
        "{1,NULL,0,0}",
        "{NaN,0,0,1}",
        "{Infinity,0,0,1}",
        "{70000,0,0,1}",
        "{1,0,0}",
        "{{1,0},{0,1}}",
    ],
)
def test_a_vector_without_a_direction_or_of_another_length_is_refused(url: str, vector: str) -> None:
    version = add_model(url)
    [track] = add_tracks(url, 1)
    rows(url, "SELECT add_embedding_partition_v1(%s)", (version,))
    insert = f"INSERT INTO track_embeddings VALUES (%s, %s, %s, {HASH}, 'internal')"
    with pytest.raises(psycopg2.errors.CheckViolation, match=r"_(embedding|dimensions)_check"):
        rows(url, insert, (track, version, vector))
    rows(url, insert, (track, version, "{1,0,0,0}"))


def test_a_search_that_makes_no_sense_is_refused(url: str) -> None:
    version = add_model(url)
    [track] = add_tracks(url, 1)
    search = "SELECT * FROM similar_to_v1(%s::real[], %s, %s)"
    assert refused(url, search, ([1, 0, 0, 0], version, 1))[0] == f"model version {version} has no embeddings"
    rows(url, "SELECT add_embedding_partition_v1(%s)", (version,))
    assert rows(url, search, ([1, 0, 0, 0], version, 1)) == []
    assert refused(url, search, ([1, 0], version, 1))[0] == (
        f"the vector has 2 dimensions, and model version {version} has 4"
    )
    assert refused(url, search, ([1, 0, 0, 0], version, 0)) == (
        "0 neighbours were asked for",
        "ask for 1 to 1000",
    )
    assert refused(url, "SELECT * FROM similar_tracks_v1(%s, %s)", (track, version)) == (
        f"track {track} has no embedding of model version {version}",
        "embed it first: upsert_track_embedding_v1",
    )
