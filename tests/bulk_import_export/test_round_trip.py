"""Every real file comes in, goes out and comes in again as the same rows; every naughty string by every way."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import MigrationError, RowError, bulk_export, bulk_import
from support import DATA, connected, data, rows

# What is broken, as the project that keeps it says, and is taken as it is only when that is asked for.
_BROKEN = {
    "hot-100-1997.csv": "a quote inside of quotes that is not written twice",
    "airedale.csv": "a blank line in the middle",
    "invalid_many_rows.csv": "text behind a closing quote",
    "genius_hip_hop_lyrics.csv": "bytes of another encoding in the middle",
}


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _files() -> list[Path]:
    known = {".csv", ".copy", ".tsv", ".txt"}
    return sorted(path for path in DATA.rglob("*") if path.suffix in known and path.is_file())


def _create(url: str, path: Path) -> dict[str, Any]:
    """Create a table for *path* as its header says; without one by number, and return what has to be said."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    names = [name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))]
    if path.name == "blns.txt":
        # Lines of anything, each a text as it stands.
        delimiter, names = "⸺", ["line"]
    has_names = len({*names} - {""}) == len(names) and path.suffix != ".copy" and delimiter != "⸺"
    if not has_names:
        names = [f"c{number}" for number in range(len(names))]
    _execute(url, "DROP TABLE IF EXISTS t, again")
    _execute(url, f"CREATE TABLE t ({', '.join(f'{_quoted(name)} text' for name in names)})")
    _execute(url, "CREATE TABLE again (LIKE t)")
    if delimiter == "⸺":
        return {"header": False, "delimiter": delimiter, "quote": ""}
    return {} if has_names else {"header": False}


def test_every_real_file_comes_back_as_it_was(empty_url: str, tmp_path: Path) -> None:
    data("chinook")
    refused = set()
    forms = itertools.cycle(["t.jsonl.gz", "t.tsv", "t.parquet", "t.copy.zst", "t.pgcopy", "t.arrow"])
    for path in _files():
        said = _create(empty_url, path)
        try:
            loaded = bulk_import("t", path, url=empty_url, **said)
        except RowError:
            refused.add(path.name)
            loaded = bulk_import("t", path, url=empty_url, lenient=True, max_rejects=0.5, **said)
        assert loaded.rows > 0
        for name in ("t.csv", next(forms)):
            bulk_export("t", tmp_path / name, url=empty_url)
            _execute(empty_url, "TRUNCATE again")
            assert bulk_import("again", tmp_path / name, url=empty_url).rows == loaded.rows
            assert sorted(rows(empty_url, "SELECT again::text FROM again")) == sorted(
                rows(empty_url, "SELECT t::text FROM t")
            )
    assert refused == set(_BROKEN)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "upsert"}, {"mode": "merge", "max_rejects": 3}, {"max_rejects": 3}, {"lenient": True},
        {"mode": "replace", "swap": True}, {"columns": {"n": "number"}}, {"workers": 2}, {"rebuild": "indexes"},
    ],
    ids=str,
)  # fmt: skip
def test_naughty_strings_come_in_by_every_way(
    empty_url: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    strings = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    every = [*strings, "\\.", "\\N", "a\r\nb\rc\n\t", '"', "'", "NULL", ""]
    _execute(empty_url, "CREATE TABLE t (number integer PRIMARY KEY, string text NOT NULL)")
    name = "n" if "columns" in options else "number"
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(f"{name},string\n")
        for number, string in enumerate(every):
            file.write(f'{number},"{string.replace(chr(34), chr(34) * 2)}"\n')
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, **options).rows == len(every)
    assert rows(empty_url, "SELECT string FROM t ORDER BY number") == [(string,) for string in every]


def test_a_table_that_is_altered_between_two_blocks_ends_the_import_and_the_sums_agree(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spotify_ai_agent_migrations.versions.bulk_import_export import importing

    _execute(url, "CREATE TABLE t (id integer, name text)")
    path = tmp_path / "t.csv"
    path.write_text("id,name\n" + "".join(f"{number},{'x' * 60}\n" for number in range(60_000)))
    note = importing.Import._note
    altered: list[bool] = []

    def altering(self: importing.Import, outcome: object) -> None:
        note(self, outcome)  # type: ignore[arg-type]
        if not altered:
            altered.append(True)
            # The session is at its next transaction already, and waits for nothing.
            _execute(url, "SET lock_timeout = '10s'; ALTER TABLE t RENAME name TO title")

    monkeypatch.setattr(importing.Import, "_note", altering)
    with pytest.raises(MigrationError) as caught:
        bulk_import("t", path, url=url, guarantee="resumable", workers=1)
    assert 'column "name" of relation "t" does not exist' in caught.value.problem
    [(kept,)] = rows(url, "SELECT count(*) FROM t")
    assert 0 < int(str(kept)) < 60_000
    assert rows(url, "SELECT loaded_count, finished_at FROM ops.import_job") == [(kept, None)]
    monkeypatch.setattr(importing.Import, "_note", note)
    _execute(url, "ALTER TABLE t RENAME title TO name")
    assert bulk_import("t", path, url=url, guarantee="resumable", workers=1).rows == 60_000
    assert rows(url, "SELECT count(*), count(DISTINCT id) FROM t") == [(60_000, 60_000)]


_MARK = "U&'\\FEFFhello'"


@pytest.mark.parametrize(
    ("columns", "values", "name"),
    [
        ("word text", "('word'), ('x')", "t.csv"),
        ("id integer, s text", "(1, '''x'''), (2, 'y')", "t.csv"),
        ("s text", "(E'a\\nb'), ('y')", "t.tsv"),
        ("id integer, s text", "(1, E'a\\nb'), (2, 'y')", "t.tsv"),
        ("id integer, s text", "(1, E'a\"b'), (2, 'y')", "t.tsv"),
        *(
            ("s text", f"({_MARK}), ('y')", f"t.{form}")
            for form in ("csv", "jsonl", "copy", "parquet", "arrow")
        ),
        ("s text", "('PAR1 avenue'), ('y')", "t.copy"),
        ("s text", "('ARROW1'), ('y')", "t.copy"),
        ("s text", "('BZh9'), ('y')", "t.copy"),
        ("id integer, j json", '(1, E\'{"a":\\n1,\\r"b": [\\n]}\'), (2, NULL)', "t.jsonl"),
        (
            "a text[], b integer[][], c jsonb[], d json[]",
            "('{}', '{{1,2},{3,4}}', '{}', NULL), (ARRAY[NULL,'','NULL','a\"b\\'], NULL, "
            "ARRAY['{\"x\": 1, \"y\": [1.50, 1e400]}'::jsonb, 'null', NULL, '[1]'], '{\"{}\",\"[1]\"}')",
            "t.jsonl",
        ),
        (
            "a kind, r int4range, v interval, f float8, n numeric(9,2), b bytea, ts timestamptz, h text[], k kind[]",
            "(ROW(1, 'x'), '[1,5)', '1 day -00:00:01.5', 'NaN', 'NaN', '\\x00ff', 'infinity', '[2:3]={a,b}', "
            "ARRAY[ROW(2, 'y')::kind])",
            "t.jsonl",
        ),
    ],
)
def test_what_was_exported_comes_back_as_it_was(
    empty_url: str, tmp_path: Path, columns: str, values: str, name: str
) -> None:
    _execute(empty_url, "CREATE TYPE kind AS (a integer, b text)")
    _execute(empty_url, f"CREATE TABLE t ({columns}); CREATE TABLE again (LIKE t)")
    _execute(empty_url, f"INSERT INTO t VALUES {values}")
    exported = bulk_export("t", tmp_path / name, url=empty_url)
    assert bulk_import("again", tmp_path / name, url=empty_url).rows == exported.rows
    found = rows(empty_url, "SELECT again::text FROM again")
    assert found
    assert found == rows(empty_url, "SELECT t::text FROM t") or name.endswith(".jsonl")
    if name.endswith(".jsonl"):
        # The blanks of a JSON document are not kept.
        columns_of = "SELECT jsonb_agg(translate(one::text, E'\\n\\r', '  ')) FROM"
        assert rows(empty_url, f"{columns_of} again AS one") == rows(empty_url, f"{columns_of} t AS one")


def test_a_document_that_is_null_is_told_from_none(empty_url: str, tmp_path: Path) -> None:
    columns = 'id integer, j jsonb, "a%\'""b" json, d jsonb DEFAULT \'1\', "null" text, n jsonb NOT NULL'
    _execute(empty_url, f"CREATE TABLE t ({columns}); CREATE TABLE again (LIKE t INCLUDING ALL)")
    _execute(
        empty_url,
        # So many that the first block does not name a document that most rows have not.
        "INSERT INTO t SELECT 0, NULL, NULL, '2', repeat('x', 200), '0' FROM generate_series(1, 7000);"
        """INSERT INTO t VALUES (1, 'null', 'null', 'null', NULL, 'null'), (2, NULL, NULL, NULL, NULL, '{}'),
        (3, '[null]', '{"x": null}', '"null"', 'null', '"x"')""",
    )
    bulk_export("t", tmp_path / "t.jsonl", url=empty_url)
    assert '{"id":2,"null":null,"n":{}}\n' in (tmp_path / "t.jsonl").read_text()
    assert bulk_import("again", tmp_path / "t.jsonl", url=empty_url).rows == 7_003
    for name in ("t", "again"):
        assert rows(empty_url, f"SELECT {name}::text FROM {name} WHERE id > 0 ORDER BY id") == [
            ("(1,null,null,null,,null)",), ("(2,,,,,{})",), ('(3,[null],"{""x"": null}","""null""",null,"""x""")',),
        ]  # fmt: skip
    assert rows(empty_url, "SELECT count(*) FROM again WHERE j IS NULL AND d = '2'") == [(7_000,)]


def test_a_null_of_another_column_and_a_document_that_is_missing_are_null(
    empty_url: str, tmp_path: Path
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer PRIMARY KEY, s text, j jsonb, k jsonb DEFAULT '1', m text DEFAULT 'm');"
        "INSERT INTO t VALUES (1, 'kept', '{}', '2')",
    )
    (tmp_path / "t.jsonl").write_text('{"id": 2, "s": null}\n{"id": 3, "s": "null", "j": null}\n')
    assert bulk_import("t", tmp_path / "t.jsonl", url=empty_url).columns == ("id", "s", "j")
    (tmp_path / "t.jsonl").write_text('{"id": 1, "s": "new"}\n')
    assert bulk_import("t", tmp_path / "t.jsonl", url=empty_url, mode="upsert").columns == ("id", "s")
    assert rows(empty_url, "SELECT id, s, j::text, k::text, m FROM t ORDER BY id") == [
        (1, "new", "{}", "2", "m"), (2, None, None, "1", "m"), (3, "null", "null", "1", "m"),
    ]  # fmt: skip


@pytest.mark.parametrize("said", [{"format": "csv"}, {}])
def test_a_text_that_begins_like_a_format_is_a_text(
    empty_url: str, tmp_path: Path, said: dict[str, Any]
) -> None:
    for name in ("PAR1", "ARROW1", "BZhours"):
        _execute(empty_url, f'DROP TABLE IF EXISTS t; CREATE TABLE t ("{name}" text)')
        (tmp_path / "t.csv").write_text(f"{name}\nx\n")
        assert bulk_import("t", tmp_path / "t.csv", url=empty_url, **said).rows == 1


def test_a_list_of_documents_is_an_array_of_them(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (j jsonb[], n integer[])")
    (tmp_path / "t.jsonl").write_text('{"j": [{"x": 1}, [2, "3"], "a", null], "n": [1, null]}\n')
    bulk_import("t", tmp_path / "t.jsonl", url=empty_url)
    assert rows(empty_url, "TABLE t") == [([{"x": 1}, [2, "3"], "a", None], [1, None])]
