"""An export is split by rows or by values, into files of its own folder, whatever the values are."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotify_ai_agent_migrations import SettingsError, TableError, bulk_export, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import split
from support import connected, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.parquet"])
def test_so_many_rows_go_into_each_file(empty_url: str, tmp_path: Path, name: str) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text); CREATE TABLE again (LIKE t)")
    _execute(empty_url, "INSERT INTO t SELECT n, E'two\\nlines' FROM generate_series(1, 25) AS n")
    result = bulk_export("t", tmp_path / name, url=empty_url, split_rows=10, manifest=True)
    stem, endings = name.split(".", 1)
    assert result.parts == tuple(tmp_path / f"{stem}-000{number}.{endings}" for number in (1, 2, 3))
    assert result.rows == 25
    loaded = [bulk_import("again", part, url=empty_url, verify=True).rows for part in result.parts]
    assert loaded == [10, 10, 5]
    assert rows(empty_url, "SELECT a, b FROM again ORDER BY a") == rows(
        empty_url, "SELECT a, b FROM t ORDER BY a"
    )


def test_each_value_has_a_file_and_none_leads_out_of_the_folder(empty_url: str, tmp_path: Path) -> None:
    values = ["FR", "../../etc/passwd", "", "a/b", "..", "%NULL", "x" * 300, "é", ".hidden", "a\nb", "C:\\x"]
    _execute(empty_url, "CREATE TABLE t (a integer, country text)")
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t SELECT 1, unnest(%s::text[])", ([*values, "FR"],))
        cursor.execute("INSERT INTO t VALUES (2, NULL)")
    folder = tmp_path / "out"
    folder.mkdir()
    result = bulk_export("t", folder / "t.csv", url=empty_url, split_by="country", where="a > 0 -- all")
    assert {part.parent for part in result.parts} == {folder}
    assert sorted(folder.iterdir()) == sorted(result.parts)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(result.parts) == len(values) + 1
    assert {"t-FR.csv", "t-%2E%2E%2F%2E%2E%2Fetc%2Fpasswd.csv", "t-.csv", "t-%NULL.csv", "t-%25NULL.csv"} <= {
        part.name for part in result.parts
    }
    assert (folder / "t-FR.csv").read_text() == "a,country\n1,FR\n1,FR\n"
    assert (folder / "t-%NULL.csv").read_text() == "a,country\n2,\n"
    assert result.rows == len(values) + 2


def test_too_many_files_are_refused_and_none_is_left(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "PARTS_MOST", 3)
    _execute(
        empty_url,
        "CREATE TABLE t (a integer, b text); INSERT INTO t SELECT n, n FROM generate_series(1, 9) AS n",
    )
    for how in ({"split_rows": 2}, {"split_by": "b"}):
        with pytest.raises(SettingsError) as caught:
            bulk_export("t", tmp_path / "t.csv", url=empty_url, **how)
        assert caught.value.problem == "the export would be split into more than 3 files"
    _execute(empty_url, "TRUNCATE t; INSERT INTO t VALUES (1, 'fr'), (2, 'FR')")
    with pytest.raises(SettingsError) as case:
        bulk_export("t", tmp_path / "t.csv", url=empty_url, split_by="b")
    assert case.value.hint == "split by rows, or by another column"
    with pytest.raises(TableError) as unknown:
        bulk_export("t", tmp_path / "t.csv", url=empty_url, split_by="c")
    assert unknown.value.problem == 'public.t has no column "c" to split by'
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_split_is_refused() -> None:
    for place, choices, problem in (
        ("-", {"split_rows": 1}, "standard output cannot be split"),
        ("t.csv", {"split_rows": 0}, "an export is split by a number of rows or by a column"),
        (
            "t.csv",
            {"split_rows": 1, "split_by": "a"},
            "an export is split by a number of rows or by a column",
        ),
        ("t.pgcopy", {"split_rows": 1}, "binary cannot be split by rows"),
        ("t.parquet.xz", {}, "parquet cannot be compressed with xz"),
    ):
        with pytest.raises(SettingsError) as caught:
            bulk_export("t", place, **choices)
        assert caught.value.problem == problem
