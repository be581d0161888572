"""The pages say what the database says, on any server, under any setting, of any schema."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

import pytest
from psycopg2 import sql

from spotify_ai_agent_migrations import LockError, PrivilegeError, TableError
from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.docs.plan import LANGUAGES, SCHEMAS, Documentation
from spotify_ai_agent_migrations.versions.docs.run import describe
from support import ROOT, connected, rows

HERE = pathlib.Path(__file__).parent


def described(
    url: str, schemas: Sequence[str] = SCHEMAS, languages: Sequence[str] = LANGUAGES
) -> Documentation:
    with connect(resolve_settings(url)) as connection:
        return describe(connection, schemas, languages)


def test_the_committed_pages_are_those_of_the_migrated_database(url: str) -> None:
    for page in described(url).pages:
        assert (ROOT / "docs" / page.name).read_text(encoding="utf-8") == page.content


def test_a_page_tells_of_everything_there_is(empty_url: str) -> None:
    rows(empty_url, (HERE / "everything.sql").read_text(encoding="utf-8"))
    (page,) = described(empty_url, ("s",), ("en",)).pages
    assert page.name == "schema.md"
    assert page.content == (HERE / "everything.md").read_text(encoding="utf-8")


def test_columns_and_checks_of_postgresql_18_are_told_of(empty_url: str) -> None:
    if int(str(rows(empty_url, "SHOW server_version_num")[0][0])) < 180_000:
        pytest.skip("the server is older")
    rows(
        empty_url,
        "CREATE SCHEMA s; CREATE TABLE s.t (a integer, b integer GENERATED ALWAYS AS (a * 2) VIRTUAL,"
        " CONSTRAINT t_a_not_null NOT NULL a NO INHERIT, CONSTRAINT t_a_check CHECK (a > 0) NOT ENFORCED)",
    )
    (page,) = described(empty_url, ("s",), ("en",)).pages
    assert "| `a` | `integer` | no |  | - | *no comment* |\n" in page.content
    assert (
        "| `b` | `integer` | yes | `GENERATED ALWAYS AS (a * 2) VIRTUAL` | - | *no comment* |\n"
        in page.content
    )
    assert "| `t_a_check` | check | `CHECK (a > 0) NOT ENFORCED` |\n" in page.content
    assert "t_a_not_null" not in page.content


def test_settings_of_the_database_change_nothing(url: str) -> None:
    before = described(url)
    changed = {
        "quote_all_identifiers": "on",
        "standard_conforming_strings": "off",
        "intervalstyle": "iso_8601",
        "datestyle": "SQL, DMY",
        "timezone": "Asia/Tokyo",
        "search_path": "ops",
    }
    name = str(rows(url, "SELECT current_database()")[0][0])
    with connected(url) as connection, connection.cursor() as cursor:
        for setting, value in changed.items():
            statement = sql.SQL("ALTER DATABASE {} SET {} = {}")
            cursor.execute(
                statement.format(sql.Identifier(name), sql.Identifier(setting), sql.SQL(value))
                if setting == "search_path"
                else statement.format(sql.Identifier(name), sql.Identifier(setting), sql.Literal(value))
            )
    assert rows(url, "SHOW quote_all_identifiers") == [("on",)]
    assert described(url) == before


def test_partitions_come_and_go_without_a_trace(url: str) -> None:
    before = described(url)
    rows(
        url,
        "INSERT INTO ai_models (name, task, owner, description) VALUES ('clap', 'embedding', 'audio', 'vectors');"
        "INSERT INTO model_versions (model_id, version, dimensions) SELECT id, 1, 8 FROM ai_models;"
        "SELECT add_embedding_partition_v1(id) FROM model_versions",
    )
    assert rows(url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'track_embeddings'::regclass") == [
        (1,)
    ]
    assert described(url) == before


def test_what_belongs_to_an_extension_is_not_told_of(url: str) -> None:
    before = described(url)
    rows(url, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    assert rows(url, "SELECT 'public.pg_stat_statements'::regclass::text") == [("pg_stat_statements",)]
    assert described(url) == before
    rows(url, "DROP EXTENSION IF EXISTS vector")
    assert described(url) == before


def test_nothing_is_written_and_a_table_in_use_is_no_obstacle(url: str) -> None:
    with connected(url, autocommit=False) as other, other.cursor() as cursor:
        # The strongest lock that still lets a SELECT through.
        cursor.execute(
            "LOCK TABLE users, playlists, playlist_collaborators, retention_policies IN EXCLUSIVE MODE"
        )
        with connect(resolve_settings(url)) as connection:
            pages = describe(connection, SCHEMAS, LANGUAGES).pages
            with connection.cursor() as mine:
                mine.execute("SHOW transaction_read_only")
                assert mine.fetchone() == ("on",)
        assert len(pages) == 2


def test_a_table_that_is_being_changed_is_waited_for_within_bounds(url: str) -> None:
    with connected(url, autocommit=False) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE playlist_collaborators IN ACCESS EXCLUSIVE MODE")
        with (
            pytest.raises(LockError) as raised,
            connect(resolve_settings(url, lock_timeout_ms=100)) as connection,
        ):
            describe(connection, SCHEMAS, LANGUAGES)
    assert raised.value.problem == "canceling statement due to lock timeout"


def test_a_login_without_any_privilege_is_told_what_it_lacks(
    empty_url: str, login: Callable[..., str]
) -> None:
    rows(empty_url, (HERE / "everything.sql").read_text(encoding="utf-8"))
    by = login()
    with pytest.raises(PrivilegeError) as raised:
        described(by, ("s",))
    assert raised.value.problem == "permission denied for table retention_policies"
    rows(empty_url, "GRANT SELECT ON public.retention_policies TO PUBLIC")
    assert described(by, ("s",)) == described(empty_url, ("s",))


def test_a_schema_that_is_not_there_is_refused_with_the_nearest(url: str, empty_url: str) -> None:
    with pytest.raises(TableError) as raised:
        described(url, ("publik",))
    assert (raised.value.problem, raised.value.hint) == (
        'there is no schema "publik"',
        'did you mean "public"?',
    )
    with pytest.raises(TableError) as raised:
        described(empty_url)
    assert (raised.value.problem, raised.value.hint) == (
        'there is no schema "ops"',
        "`alembic upgrade head` makes it; --schema names another",
    )


def test_a_schema_without_a_table_is_refused(empty_url: str) -> None:
    with pytest.raises(TableError) as raised:
        described(empty_url, ("public",))
    assert (raised.value.problem, raised.value.hint) == (
        "there is no table to document in public",
        "`alembic upgrade head` makes them; --schema and --url name another place",
    )
