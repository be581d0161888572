"""The sub-command prints what was found, by severity and exit code, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from distribution.schema import PEOPLE, Schema
from typer.testing import CliRunner

from spotify_ai_agent_migrations import LockError, SettingsError
from spotify_ai_agent_migrations.versions.core.fingerprint import fingerprint
from spotify_ai_agent_migrations.versions.distribution.command import app
from support import connected


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return result.exit_code, result.output


def test_errors_end_with_3_and_are_written_with_what_citus_does_and_the_fix(schema: Schema) -> None:
    schema.execute(PEOPLE + "CREATE TABLE badges (id serial PRIMARY KEY, given_by bigint REFERENCES users)")
    assert _run("lint", "--url", schema.url) == (
        3,
        'public.badges: warning CIT008: column "id" is integer, and no worker can number it\n'
        "    Citus: fails at nextval on a worker where the column is smaller than bigint, and refuses one sequence for two types\n"
        "    Hint: ALTER TABLE public.badges ALTER COLUMN id TYPE bigint; ALTER SEQUENCE public.badges_id_seq AS bigint;\n"
        'public.badges: error CIT009: foreign key "badges_given_by_fkey" points from a reference table at public.users, '
        "which is distributed\n"
        "    Citus: refuses the foreign key: from a reference or local table to a distributed one, from that to a local one, "
        "and from a reference to a local one if it changes rows\n"
        "    Hint: distribute public.badges with it in the map, or ALTER TABLE public.badges DROP CONSTRAINT "
        "badges_given_by_fkey;\n"
        "27 rules, 3 tables: 1 error, 1 warning\n",
    )


def test_warnings_alone_end_with_0(schema: Schema) -> None:
    schema.execute("CREATE TABLE tags (name text)")
    code, output = _run("lint", "--url", schema.url)
    assert (code, output.splitlines()[-1]) == (0, "27 rules, 1 table: 1 warning")


def test_nothing_found_is_one_line(schema: Schema) -> None:
    schema.execute(PEOPLE)
    assert _run("lint", "--url", schema.url) == (0, "27 rules, 2 tables: no findings\n")


def test_json_holds_everything(schema: Schema) -> None:
    schema.execute("CREATE TABLE tags (name text)")
    code, output = _run("lint", "--format", "json", "--url", schema.url)
    assert code == 0
    assert json.loads(output) == {
        "rules": 27,
        "tables": 1,
        "findings": [
            {
                "code": "CIT026",
                "rule": "require_replica_identity",
                "severity": "warning",
                "table": "public.tags",
                "kind": "table",
                "name": None,
                "problem": "has no primary key and no replica identity",
                "citus": "moves its shards under block_writes alone: replication has to tell its rows apart",
                "see": "https://docs.citusdata.com/en/v13.0/develop/api_udf.html",
                "hint": "ALTER TABLE public.tags ADD PRIMARY KEY (…), or else ALTER TABLE public.tags REPLICA IDENTITY "
                "FULL;",
            }
        ],
    }


def test_a_map_is_printed_edited_and_given_back(schema: Schema, tmp_path: Path) -> None:
    schema.execute(PEOPLE + "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint)")
    code, output = _run("map", "--url", schema.url)
    assert (code, output) == (
        0,
        "public.notes  distributed by user_id with public.users\n"
        "# public.orders is undecided: say reference, local or distributed by …\n"
        "public.users  distributed by id\n",
    )
    assert _run("lint", "--url", schema.url)[0] == 3
    file = tmp_path / "map.txt"
    file.write_text(f"{output}orders local\n")
    assert _run("lint", "--map", file, "--url", schema.url) == (0, "27 rules, 3 tables: no findings\n")
    placed = _run("map", "--map", file, "--place", "orders reference", "--url", schema.url)[1]
    assert "public.orders  reference\n" in placed


def test_a_plan_ends_with_3_where_it_does_not_mend_everything(schema: Schema) -> None:
    schema.execute(PEOPLE)
    code, output = _run("plan", "--url", schema.url)
    assert code == 0
    assert (
        "SELECT create_distributed_table('public.notes', 'user_id', colocate_with => 'public.users');\n"
        in output
    )
    schema.execute("CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint)")
    code, output = _run("plan", "--url", schema.url)
    assert code == 3
    assert "--    BEFORE: CIT001 public.orders: " in output


def test_another_subject_is_named(schema: Schema) -> None:
    schema.execute("CREATE TABLE orders (tenant text, id bigint, PRIMARY KEY (tenant, id))")
    assert _run("map", "--subject", "tenant", "--url", schema.url) == (
        0,
        "public.orders  distributed by tenant\n",
    )


def test_nothing_is_changed_while_others_write_and_nobody_waits(schema: Schema) -> None:
    schema.execute(PEOPLE)
    with connected(schema.url, autocommit=False) as other:
        other.cursor().execute("LOCK TABLE users, notes IN EXCLUSIVE MODE")
        before = fingerprint(other)
        for command in ("lint", "map", "plan"):
            assert _run(command, "--url", schema.url)[0] == 0
        assert fingerprint(other) == before


def test_a_table_that_is_being_altered_is_waited_for_within_bounds(schema: Schema) -> None:
    schema.execute(PEOPLE)
    with connected(schema.url, autocommit=False) as other:
        other.cursor().execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockError):
            _run("lint", "--url", schema.url)


def test_a_login_without_any_privilege_may_look(login: Callable[..., str], schema: Schema) -> None:
    schema.execute(PEOPLE + "CREATE POLICY own ON notes USING (EXISTS (SELECT FROM users))")
    code, output = _run("lint", "--url", login())
    assert code == 3
    assert 'public.notes: error CIT017: policy "own" holds a subquery\n' in output


def test_a_wrong_line_is_left_to_the_caller(schema: Schema) -> None:
    with pytest.raises(SettingsError):
        _run("map", "--place", "users somewhere", "--url", schema.url)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("lint", "--help"), ("map", "--help"), ("plan", "--help")]
)
def test_help_lists_the_exit_codes(arguments: tuple[str, ...]) -> None:
    code, output = _run(*arguments)
    assert code == 0
    assert "0 done, 1 refused or failed, 2 usage, 3 findings of error level" in " ".join(output.split())
