"""The revision with rows and partitions in it: back and up again, and out of a dump."""

from __future__ import annotations

import pathlib

import pytest
from ai_ml.scene import add_model, add_tracks, embed, has_pgvector, one, vectors

from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, schema_objects
from support import Databases, client, connected, rows, run, run_alembic


def schema(url: str) -> tuple[SchemaObject, ...]:
    with connected(url, autocommit=False) as connection:
        return schema_objects(connection)


def succeed(*arguments: str, url: str) -> None:
    done = run_alembic(*arguments, url=url)
    assert done.returncode == 0, done.stderr


def fill(url: str) -> int:
    version = add_model(url)
    rows(url, "SELECT add_embedding_partition_v1(%s)", (version,))
    embed(url, version, add_tracks(url, 20), vectors(20, 4, seed=1))
    return version


def test_it_goes_back_with_partitions_in_it_and_up_again(empty_url: str) -> None:
    succeed("upgrade", "004", url=empty_url)
    before = schema(empty_url)
    succeed("upgrade", "005", url=empty_url)
    after = schema(empty_url)
    fill(empty_url)
    assert len(schema(empty_url)) > len(after)
    succeed("downgrade", "004", url=empty_url)
    assert schema(empty_url) == before
    succeed("upgrade", "005", url=empty_url)
    assert schema(empty_url) == after


def test_an_extension_that_was_there_before_stays(empty_url: str) -> None:
    succeed("upgrade", "004", url=empty_url)
    if not one(empty_url, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("this server has no pgvector")
    rows(empty_url, "CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions")
    rows(empty_url, "GRANT USAGE ON SCHEMA extensions TO agent_owner, agent_app")
    succeed("upgrade", "005", url=empty_url)
    fill(empty_url)
    assert one(empty_url, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%extensions.halfvec%'") == 1
    succeed("downgrade", "004", url=empty_url)
    assert has_pgvector(empty_url)


@pytest.mark.soak
def test_a_login_that_may_not_make_the_extension_migrates_all_the_same(without_pgvector: str) -> None:
    assert not has_pgvector(without_pgvector)
    version = fill(without_pgvector)
    assert one(without_pgvector, "SELECT count(*) FROM similar_to_v1('{1,0,0,0}', %s, 5)", (version,)) == 5


def test_a_dump_restores_to_the_same_schema_and_the_same_neighbours(
    databases: Databases, url: str, tmp_path: pathlib.Path
) -> None:
    version = fill(url)
    dump = tmp_path / "dump"
    done = run(client("pg_dump", url), "-Fc", "-f", dump, "-d", url)
    assert done.returncode == 0, done.stderr
    copy = databases.url(databases.create())
    done = run(client("pg_restore", url), "--exit-on-error", "-d", copy, dump)
    assert done.returncode == 0, done.stderr
    assert schema(copy) == schema(url)
    search = "SELECT * FROM similar_to_v1('{1,0,0,0}', %s, 5)"
    assert len(rows(copy, search, (version,))) == 5
    assert rows(copy, search, (version,)) == rows(url, search, (version,))
    assert one(copy, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%hnsw%'") == has_pgvector(url)
