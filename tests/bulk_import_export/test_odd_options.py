"""What is said of an import or export and means nothing is refused in words, whatever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spotify_ai_agent_migrations import FileError, SettingsError, TableError, bulk_export, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export.command import app
from spotify_ai_agent_migrations.versions.bulk_import_export.options import choose
from support import connected

_WHOLE = "say a whole number"


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("said", "problem", "hint"),
    [
        ({"max_rejects": "5"}, "max_rejects cannot be a str", "say a number"),
        ({"max_rejects": True}, "max_rejects cannot be a bool", "say a number"),
        (
            {"max_rejects": float("nan")},
            "max_rejects is negative",
            "say a number of rows, or a share below 1",
        ),
        ({"workers": "2"}, "workers cannot be a str", _WHOLE),
        ({"workers": 0}, "there cannot be 0 workers", "say 1 to 16"),
        ({"workers": -1}, "there cannot be -1 workers", "say 1 to 16"),
        ({"workers": 100_000}, "there cannot be 100000 workers", "say 1 to 16"),
        ({"footer_lines": 1.5}, "footer_lines cannot be a float", _WHOLE),
        ({"skip_lines": "1"}, "skip_lines cannot be a str", _WHOLE),
        ({"max_record_bytes": "1"}, "max_record_bytes cannot be a str", _WHOLE),
        ({"delimiter": 5}, "delimiter cannot be an int", "say a text"),
        ({"delimiter": b","}, "delimiter cannot be a bytes", "say a text"),
        ({"encoding": 8}, "encoding cannot be an int", "say a text"),
        ({"mode": ["insert"]}, "mode cannot be a list", "say a text"),
        ({"header": "no"}, "header cannot be a str", "say True or False"),
        ({"dry_run": 1}, "dry_run cannot be an int", "say True or False"),
        ({"key": 5}, "key cannot be an int", "say a list of texts"),
        ({"null": [None]}, "null cannot be a list of such", "say a list of texts"),
        ({"columns": ["a"]}, "columns cannot be a list", "say a mapping of names to texts, or to None"),
        ({"constants": {"a": 5}}, "constants cannot be a dict of such", "say a mapping of names to texts, or to None"),
        ({"dates": {"a": None}}, "dates cannot be a dict of such", "say a mapping of names to texts"),
        (
            {"booleans": {"a": ["ja"]}},
            "booleans cannot be a dict of such",
            "say a mapping of names to what is true and what is false there: {'paid': ('yes', 'no')}",
        ),
        (
            {"booleans": {"a": "no"}},
            "booleans cannot be a dict of such",
            "say a mapping of names to what is true and what is false there: {'paid': ('yes', 'no')}",
        ),
        ({"rejects": 5}, "rejects cannot be an int", "say a path"),
    ],
)  # fmt: skip
def test_an_option_of_another_kind_is_refused(said: Any, problem: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose(said)
    assert (caught.value.problem, caught.value.hint) == (problem, hint)


def test_options_of_their_kind_are_taken() -> None:
    found = choose({
        "max_rejects": 0.5, "workers": 2, "booleans": {"a": ["ja", "nein"]}, "columns": {"a": None}, "key": "id",
        "mode": "upsert", "rejects": Path("r"), "null": ["", "-"], "header": False, "dates": {"d": "%d"},
    })  # fmt: skip
    assert (found.key, found.null, found.workers, found.booleans) == (
        ("id",), ("", "-"), 2, {"a": ["ja", "nein"]},
    )  # fmt: skip


def test_an_encoding_that_the_file_is_not_in_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    path = tmp_path / "t.csv"
    path.write_bytes(b"id\n1\n\xe4\xff\n")
    for encoding in ("undefined", "idna", "punycode", "utf-16"):
        with pytest.raises(FileError):
            bulk_import("t", path, url=empty_url, encoding=encoding)


_UNFIT = (
    "the SQL of the export and its parameters do not fit together",
    "write %(name)s for a parameter, and %% for a percent sign where there are parameters",
)
_NAMED = ("the columns of a query are those that it names", "leave columns out, and name them in the query")


def test_what_is_said_of_an_export_and_means_nothing_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    refused: tuple[tuple[dict[str, Any], tuple[str, str]], ...] = (
        ({"workers": 0}, ("there cannot be 0 workers", "say 1 to 16")),
        ({"workers": 100_000}, ("there cannot be 100000 workers", "say 1 to 16")),
        ({"workers": "2"}, ("workers cannot be a str", _WHOLE)),
        ({"split_rows": "2"}, ("split_rows cannot be a str", _WHOLE)),
        ({"where": 5}, ("where cannot be an int", "say a text")),
        ({"where": "id = 1\0"}, ("the SQL of the export holds a NUL byte", "leave it out")),
        (
            {"where": "id = %(id)s", "parameters": {"other": 1}},
            ('the SQL of the export asks for the parameter "id"', "say it: parameters={…}"),
        ),
        ({"where": "id % 3 = %(id)s", "parameters": {"id": 1}}, _UNFIT),
        ({"where": "id = %s", "parameters": {"id": 1}}, _UNFIT),
        ({"where": "id = %(id)s", "parameters": {"id": object()}}, _UNFIT),
        (
            {"where": "id = %(id)s", "parameters": [1]},
            ("parameters cannot be a list", "say a mapping of names to values"),
        ),
        ({"columns": 5}, ("columns cannot be an int", "say a list of texts")),
        ({"query": True, "columns": ["id"]}, _NAMED),
    )
    for said, expected in refused:
        with pytest.raises(SettingsError) as caught:
            bulk_export(
                "SELECT 1 AS id" if "query" in said else "t", tmp_path / "t.csv", url=empty_url, **said
            )
        assert (caught.value.problem, caught.value.hint) == expected
        assert list(tmp_path.iterdir()) == []
    said = {"where": "id %% 3 = %(id)s", "parameters": {"id": 1}}
    assert bulk_export("t", tmp_path / "t.csv", url=empty_url, **said).rows == 0


def test_one_name_is_as_good_as_a_list_of_one(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, name text); INSERT INTO t VALUES (2, 'b'), (1, 'a')")
    said: Any = {"columns": "name", "order_by": "id"}
    bulk_export("t", tmp_path / "t.csv", url=empty_url, **said)
    assert (tmp_path / "t.csv").read_text() == "name\na\nb\n"


def test_two_columns_of_one_name_are_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, name text)")
    for said in (
        {"table": "SELECT a.*, b.name AS other, b.id FROM t AS a JOIN t AS b USING (id)", "query": True},
        {"table": "t", "columns": ["id", "name", "id"]},
    ):
        with pytest.raises(TableError) as caught:
            bulk_export(path=tmp_path / "t.csv", url=empty_url, **said)
        assert (caught.value.problem, caught.value.hint) == (
            'two columns of the export are called "id"', "give one of them another name: AS …, or leave it out",
        )  # fmt: skip


@pytest.mark.parametrize("flag", ["--map", "--constant", "--date"])
def test_a_pair_without_its_sign_is_a_usage_error(flag: str) -> None:
    result = CliRunner().invoke(app, ["import", "t", "t.csv", flag, "nope"])
    assert isinstance(result.exception, SettingsError)
    assert (result.exception.problem, result.exception.hint, result.exception.exit_code) == (
        f'{flag} says "nope", where NAME=VALUE is expected', f"say {flag} NAME=VALUE", 2,
    )  # fmt: skip
