"""An export is split by rows or by values, into files of its own folder, whatever the values are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import FileError, SettingsError, TableError, bulk_export, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import sink, split, target
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
        ("t.XLSX", {}, '"t.XLSX" ends as no file does that an export writes'),
        ("t.csv.zip", {}, '"t.csv.zip" ends as no file does that an export writes'),
    ):
        with pytest.raises(SettingsError) as caught:
            bulk_export("t", place, **choices)
        assert caught.value.problem == problem


@pytest.mark.parametrize("how", [{"split_rows": 10}, {"split_by": "a"}])
def test_a_shorter_export_leaves_nothing_of_a_longer_one(
    empty_url: str, tmp_path: Path, how: dict[str, Any]
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer, a integer); INSERT INTO t SELECT n, n / 10 FROM generate_series(0, 49) AS n",
    )
    place, other = tmp_path / "o.csv", tmp_path / "o-notes.txt"
    other.write_text("of somebody else")
    long = bulk_export("t", place, url=empty_url, manifest=True, **how)
    _execute(empty_url, "DELETE FROM t WHERE id > 19")
    short = bulk_export("t", place, url=empty_url, manifest=True, **how)
    assert (len(long.parts), len(short.parts)) == (5, 2)
    manifest = tmp_path / "o.csv.manifest.json"
    of_parts = [part.with_name(f"{part.name}.manifest.json") for part in short.parts]
    assert sorted(tmp_path.iterdir()) == sorted([other, manifest, *short.parts, *of_parts])
    said = json.loads(manifest.read_text())
    assert said["rows"] == 20
    assert said["parts"] == [
        {"file": part.name, "rows": 10, "bytes": part.stat().st_size,
         "sha256": hashlib.sha256(part.read_bytes()).hexdigest()}
        for part in short.parts
    ]  # fmt: skip


@pytest.mark.parametrize("how", [{"split_rows": 10}, {"split_by": "a"}])
def test_a_file_that_would_be_taken_for_a_part_is_refused_and_nothing_is_touched(
    empty_url: str, tmp_path: Path, how: dict[str, Any]
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer, a integer); INSERT INTO t SELECT n, n / 10 FROM generate_series(0, 49) AS n",
    )
    place = tmp_path / "o.csv"
    *_, last = bulk_export("t", place, url=empty_url, **how).parts
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    _execute(empty_url, "UPDATE t SET id = id + 1; DELETE FROM t WHERE id > 40")
    with pytest.raises(FileError) as caught:
        bulk_export("t", place, url=empty_url, **how)
    assert (
        caught.value.problem == f'"{last.name}" would be taken for a part of the export, and is none of its 4'
    )
    assert caught.value.hint == (
        "remove it, or name another place; nothing was written; where manifest=True, --manifest is said each "
        "time, what is left is removed"
    )
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    last.unlink()
    assert len(bulk_export("t", place, url=empty_url, **how).parts) == 4
    # What was changed since is somebody's, whatever a manifest says.
    bulk_export("t", place, url=empty_url, manifest=True, **how)
    third = sorted(tmp_path.glob("o-*.csv"))[3]
    third.write_text(third.read_text() + "99,9\n")
    _execute(empty_url, "DELETE FROM t WHERE id > 30")
    with pytest.raises(FileError):
        bulk_export("t", place, url=empty_url, manifest=True, **how)
    assert third.read_text().endswith("99,9\n")


class _Killed(BaseException):
    """In place of a process that ends."""


@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize("step", range(8))
def test_an_export_that_ends_among_its_files_is_no_whole_set(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, manifest: bool
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer); INSERT INTO t SELECT generate_series(1, 30)")
    place = tmp_path / "o.csv"
    bulk_export("t", place, url=empty_url, split_rows=10, manifest=manifest)
    _execute(empty_url, "UPDATE t SET id = id + 100")
    replace = target._replace
    steps: list[Path] = []

    def counting(made: Path, to: Path) -> None:
        if len(steps) == step:
            raise _Killed
        steps.append(to)
        replace(made, to)

    monkeypatch.setattr(target, "_replace", counting)
    whole = 7 if manifest else 3
    try:
        bulk_export("t", place, url=empty_url, split_rows=10, manifest=manifest)
    except _Killed:
        assert step < whole
    first, last = tmp_path / "o-0001.csv", sink.manifest_path(place) if manifest else tmp_path / "o-0001.csv"
    assert last.exists() is (step >= whole)
    if last.exists():
        assert first.read_text().startswith("id\n101\n")
        assert (tmp_path / "o-0003.csv").read_text().startswith("id\n121\n")


def test_two_files_of_an_export_are_never_one(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer); INSERT INTO t SELECT generate_series(1, 3)")
    place = tmp_path / "t.csv"
    sink.manifest_path(place).symlink_to(place)
    with pytest.raises(FileError) as caught:
        bulk_export("t", place, url=empty_url, manifest=True)
    assert caught.value.problem == '"t.csv.manifest.json" leads to another file that the export writes'
    (tmp_path / "t-0001.csv").symlink_to(tmp_path / "t-0003.csv")
    with pytest.raises(FileError):
        bulk_export("t", place, url=empty_url, split_rows=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t-0001.csv", "t.csv.manifest.json"]
    (tmp_path / "t-0001.csv").unlink()
    (tmp_path / "t-0001.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert bulk_export("t", place, url=empty_url, split_rows=2).rows == 3
    assert (tmp_path / "t-0001.csv").is_symlink()
    assert (tmp_path / "elsewhere.csv").read_text() == "id\n1\n2\n"
