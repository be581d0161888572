"""Where a table lives: derived from its key, said by a line, and otherwise asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from distribution.schema import PEOPLE, Schema

from spotify_ai_agent_migrations import FileError, SettingsError, TableError
from spotify_ai_agent_migrations.versions.distribution import lint, map_tables, read_lines

HINT = (
    'write "public.users distributed by id", "public.countries reference", "ops.* local" or '
    '"public.consent distributed by user_id with public.users"'
)
SHOP = """
CREATE TABLE tenants (code text PRIMARY KEY);
CREATE TABLE orders (tenant text REFERENCES tenants, id bigint, PRIMARY KEY (tenant, id));
CREATE TABLE lines (tenant text, order_id bigint, n int, PRIMARY KEY (tenant, order_id, n),
                    FOREIGN KEY (tenant, order_id) REFERENCES orders);
CREATE TABLE currencies (code text PRIMARY KEY);
CREATE TABLE visits (id bigint PRIMARY KEY, tenant text);
"""


def test_the_place_of_a_table_is_told_by_its_primary_key(schema: Schema) -> None:
    schema.execute(
        PEOPLE
        + "CREATE TABLE tags (id bigint PRIMARY KEY); CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);"
        "CREATE SCHEMA ops; CREATE TABLE ops.tasks (user_id bigint PRIMARY KEY);"
        "CREATE TABLE alembic_version (version_num text);"
        "CREATE TABLE audit_log (entity_id bigint, id bigint, PRIMARY KEY (entity_id, id))"
    )
    assert map_tables(url=schema.url) == (
        "ops.tasks               local",
        "public.alembic_version  local",
        "public.audit_log        distributed by entity_id",
        "public.notes            distributed by user_id with public.users",
        "# public.orders is undecided: say reference, local or distributed by …",
        "public.tags             reference",
        "public.users            distributed by id",
    )


def test_any_schema_has_a_subject_of_its_own(schema: Schema) -> None:
    schema.execute(SHOP)
    assert map_tables(subject="tenant", url=schema.url) == (
        "public.currencies  reference",
        "public.lines       distributed by tenant with public.tenants",
        "public.orders      distributed by tenant with public.tenants",
        "public.tenants     distributed by code",
        "# public.visits is undecided: say reference, local or distributed by …",
    )


def test_without_a_table_of_subjects_the_first_by_name_leads(schema: Schema) -> None:
    schema.execute("CREATE TABLE b (user_id bigint PRIMARY KEY); CREATE TABLE a (user_id bigint PRIMARY KEY)")
    assert schema.map() == {
        "public.a": "distributed by user_id",
        "public.b": "distributed by user_id with public.a",
    }


def test_where_the_table_of_subjects_is_not_distributed_the_others_still_go_together(schema: Schema) -> None:
    schema.execute(PEOPLE + "CREATE TABLE marks (user_id bigint PRIMARY KEY)")
    assert schema.map("users reference") == {
        "public.marks": "distributed by user_id",
        "public.notes": "distributed by user_id with public.marks",
        "public.users": "reference",
    }


def test_a_package_table_by_the_same_name_but_without_the_column_is_derived(schema: Schema) -> None:
    schema.execute(PEOPLE + "CREATE TABLE audit_log (user_id bigint PRIMARY KEY)")
    assert schema.map()["public.audit_log"] == "distributed by user_id with public.users"


def test_a_line_wins_over_what_is_derived_and_a_later_line_over_an_earlier(schema: Schema) -> None:
    schema.execute(
        PEOPLE + 'CREATE SCHEMA "My App"; CREATE TABLE "My App"."The List" ("Who" bigint PRIMARY KEY)'
    )
    assert schema.map(
        "public.* reference",
        "USERS  distributed by ID  # folded as in SQL",
        '"My App"."The List" distributed by "Who" with users',
    ) == {
        '"My App"."The List"': 'distributed by "Who" with public.users',
        "public.notes": "reference",
        "public.users": "distributed by id",
    }


def test_who_is_together_with_one_of_a_group_is_with_its_leader(schema: Schema) -> None:
    schema.execute("CREATE TABLE a (id bigint); CREATE TABLE b (id bigint); CREATE TABLE c (id bigint)")
    lines = ["a distributed by id", "b distributed by id with a", "c distributed by id with b"]
    assert schema.map(*lines)["public.c"] == "distributed by id with public.a"
    circle = ["a distributed by id with c", *lines[1:]]
    assert schema.map(*circle) == {
        "public.a": "distributed by id",
        "public.b": "distributed by id with public.a",
        "public.c": "distributed by id with public.a",
    }


def test_a_partition_lives_where_its_root_does(schema: Schema) -> None:
    schema.execute(
        PEOPLE
        + "CREATE TABLE plays (user_id bigint, at date, PRIMARY KEY (user_id, at)) PARTITION BY RANGE (at);"
        "CREATE TABLE plays_1 PARTITION OF plays DEFAULT; CREATE UNIQUE INDEX ON plays_1 (at)"
    )
    assert "public.plays_1" not in schema.map()
    assert schema.map()["public.plays"] == "distributed by user_id with public.users"
    assert [(found.table, found.code) for found in schema.findings()] == [("public.plays_1", "CIT004")]


def test_tables_of_an_extension_are_not_looked_at(schema: Schema) -> None:
    schema.execute(
        "CREATE TABLE mine (id bigint PRIMARY KEY); CREATE TABLE theirs (id bigint PRIMARY KEY);"
        "CREATE EXTENSION btree_gist; ALTER EXTENSION btree_gist ADD TABLE theirs"
    )
    assert schema.map() == {"public.mine": "reference"}


def test_a_table_of_subjects_that_belongs_to_an_extension_leads_nobody(schema: Schema) -> None:
    schema.execute(
        PEOPLE + "CREATE TABLE marks (user_id bigint PRIMARY KEY REFERENCES users);"
        "CREATE EXTENSION btree_gist; ALTER EXTENSION btree_gist ADD TABLE users"
    )
    assert schema.map() == {
        "public.marks": "distributed by user_id",
        "public.notes": "distributed by user_id with public.marks",
    }


def test_the_map_of_our_own_schema_is_a_map_again(url: str, tmp_path: Path) -> None:
    lines = map_tables(url=url)
    file = tmp_path / "map.txt"
    file.write_text("\n".join(["# where tables live", "", *lines]))
    assert map_tables(read_lines(file), url=url) == lines
    assert lint(read_lines(file), url=url) == lint(url=url)


@pytest.mark.parametrize(
    "line",
    [
        "users",
        "users distributed",
        "users distributed by",
        "users reference by id",
        "users distributed by id with",
        "public. reference",
        "a.b.c reference",
        "users somewhere",
        'users distributed by "id',
        "users reference; DROP TABLE users",
    ],
)
def test_what_is_no_line_of_a_map_is_refused_with_examples(tmp_path: Path, line: str) -> None:
    file = tmp_path / "map.txt"
    file.write_text(f"countries reference\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        read_lines(file)
    assert caught.value.problem == f'"{file}" line 2 does not say where a table lives'
    assert caught.value.hint == HINT


def test_a_table_that_is_not_there_is_refused_with_those_like_it(schema: Schema) -> None:
    schema.execute(PEOPLE)
    with pytest.raises(TableError) as caught:
        schema.map("user reference")
    assert caught.value.problem == '--place line 1: there is no table "public.user", or it is a partition'
    assert caught.value.hint == "did you mean public.users or public.notes?"
    with pytest.raises(TableError) as caught:
        schema.map("notes distributed by user_id with nobody.at_all")
    assert caught.value.problem == '--place line 1: there is no table "nobody.at_all", or it is a partition'
    assert caught.value.hint == "`agentdb distribution map` lists the tables"


def test_nothing_goes_together_with_what_is_not_distributed(schema: Schema) -> None:
    schema.execute(PEOPLE + "CREATE TABLE tags (id bigint PRIMARY KEY)")
    with pytest.raises(SettingsError) as caught:
        schema.map("notes distributed by user_id with tags")
    assert caught.value.problem == '--place line 1: table "public.tags" is not distributed'
    assert caught.value.hint == "say by which column: public.tags distributed by …"


def test_a_map_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        read_lines(tmp_path / "none")
    assert caught.value.problem == f'"{tmp_path / "none"}" cannot be read: No such file or directory'
    (tmp_path / "latin").write_bytes(b"caf\xe9 reference\n")
    with pytest.raises(FileError) as caught:
        read_lines(tmp_path / "latin")
    assert caught.value.problem == f'"{tmp_path / "latin"}" cannot be read: it is not UTF-8'
    assert caught.value.hint == "name a map in UTF-8"
