"""What a file, a name or an address may hold without doing harm to what is beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import FileError, SettingsError, bulk_export, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import bulk_fix
from spotify_ai_agent_migrations.versions.bulk_import_export.rejects import RejectFile
from support import connected, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _file(tmp_path: Path, content: str, name: str = "t.csv") -> Path:
    (tmp_path / name).write_bytes(content.encode())
    return tmp_path / name


@pytest.mark.parametrize("count", [1, pytest.param(60_000, marks=pytest.mark.soak)])
def test_a_stray_quote_takes_no_other_row_with_it(empty_url: str, tmp_path: Path, count: int) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, s text)")
    good = '3,"a note\n999,injected\nend"\n'
    path = _file(tmp_path, "id,s\n" + good * count + '2,7" x\n' + good * count + "4,d\n")
    result = bulk_import("t", path, url=empty_url, max_rejects=5)
    assert (result.rows, [one.line for one in result.rejects]) == (2 * count + 1, [3 * count + 2])
    assert rows(empty_url, "SELECT id, count(*) FROM t GROUP BY id ORDER BY id") == [(3, 2 * count), (4, 1)]
    assert bulk_import("t", path, url=empty_url, dry_run=True).rejected == 1


def test_rejects_are_not_written_over_what_is_read(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    path, kept = _file(tmp_path, "id\n1\nbad\n"), tmp_path / "rejects.jsonl"
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "hard").hardlink_to(path)
    for place in (path, tmp_path / "link", tmp_path / "hard"):
        with pytest.raises(SettingsError) as caught:
            bulk_import("t", path, url=empty_url, max_rejects=1, rejects=place)
        assert caught.value.problem == f'"{place}" is read, and cannot be written over'
    kept.touch(0o644)
    bulk_import("t", path, url=empty_url, max_rejects=1, rejects=kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    (tmp_path / "kept").hardlink_to(kept)
    for place in (path, kept, tmp_path / "hard", tmp_path / "kept"):
        with pytest.raises(SettingsError) as fixed:
            bulk_fix(kept, place)
        assert fixed.value.problem.endswith('" is read, and cannot be written over')
        assert bulk_fix(kept, tmp_path / "mend.csv") == 1
    bulk_export("t", tmp_path / "v.csv", url=empty_url, manifest=True)
    manifest = tmp_path / "v.csv.manifest.json"
    said: dict[str, Any] = {"verify": True, "max_rejects": 1, "rejects": manifest}
    for named in (None, manifest):
        with pytest.raises(SettingsError):
            bulk_import("t", tmp_path / "v.csv", url=empty_url, **{**said, "manifest": named})
    del said["rejects"]
    assert bulk_import("t", tmp_path / "v.csv", url=empty_url, **said).read == 1
    assert path.read_text() == "id\n1\nbad\n"
    assert bulk_fix(kept, tmp_path / "mend.csv") == 1


def test_half_a_line_of_rejects_is_cut_off_before_more_follow(tmp_path: Path) -> None:
    path = _file(tmp_path, '{"agentdb_rejects": 1}\n{"line": 2}\n{"li', "rejects.jsonl")
    RejectFile(path, {}, append=True).close()
    assert path.read_text() == '{"agentdb_rejects": 1}\n{"line": 2}\n'


def test_a_sequence_is_moved_past_what_was_loaded_and_not_past_what_was_there(
    empty_url: str, tmp_path: Path
) -> None:
    _execute(empty_url, "CREATE TABLE t (id serial, s text); INSERT INTO t VALUES (2147483647, 'sentinel')")
    bulk_import("t", _file(tmp_path, "id,s\n1,a\n7,b\n"), url=empty_url)
    assert rows(empty_url, "SELECT nextval('t_id_seq')") == [(8,)]


def test_names_may_hold_a_percent_sign(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, 'CREATE TABLE "50%s" (id integer PRIMARY KEY, "100%" text)')
    path = _file(tmp_path, "id,100%\n1,a\n1,b\n")
    for mode in ("ignore", "upsert", "merge"):
        found: Any = {"mode": mode}
        assert bulk_import('"50%s"', path, url=empty_url, **found).read == 2
    assert rows(empty_url, 'SELECT "100%" FROM "50%s"') == [("b",)]


def test_a_document_that_is_nested_too_deeply_is_a_reject(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, j jsonb)")
    deep = "[" * 200_000 + "]" * 200_000
    path = _file(tmp_path, '{"id": 1, "j": {}}\n{"id": 2, "j": ' + deep + '}\n{"id": 3}\n', "t.jsonl")
    result = bulk_import("t", path, url=empty_url, max_rejects=1)
    assert (result.rows, [one.reason for one in result.rejects]) == (2, ["nested too deeply"])


@pytest.mark.parametrize("encoding", ["hex", "base64", "zlib", "rot13", "utf8\0"])
def test_what_is_no_encoding_of_text_is_refused(empty_url: str, tmp_path: Path, encoding: str) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    with pytest.raises(FileError, match="there is no encoding"):
        bulk_import("t", _file(tmp_path, "id\n1\n"), url=empty_url, encoding=encoding)


def test_copy_text_that_begins_with_a_brace_is_copy_text(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (s text); INSERT INTO t VALUES ('{\"a\": 1}'), ('x')")
    bulk_export("t", tmp_path / "t.copy", url=empty_url)
    assert bulk_import("t", tmp_path / "t.copy", url=empty_url).rows == 2
    assert rows(empty_url, "SELECT count(*), count(DISTINCT s) FROM t") == [(4, 2)]


def test_a_url_is_named_without_what_gives_access_to_it(empty_url: str) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    with pytest.raises(FileError) as caught:
        bulk_import("t", "http://alice:s3cret@127.0.0.1:9/t.csv?token=x", url=empty_url)
    assert caught.value.problem.startswith('"http://127.0.0.1:9/t.csv" cannot be read')


def test_a_row_in_place_of_a_header_is_not_repeated(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (name text, mail text, at date)")
    path = _file(tmp_path, "name,alice@example.com,x\nb,c,d\n")
    with pytest.raises(FileError) as caught:
        bulk_import("t", path, url=empty_url)
    assert caught.value.problem == f'"{path}" line 1 names few columns of public.t'


def test_rows_that_are_not_those_of_the_manifest_are_not_loaded(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer); INSERT INTO t VALUES (1), (2)")
    bulk_export("t", tmp_path / "t.csv", url=empty_url, manifest=True)
    with pytest.raises(FileError) as caught:
        bulk_import("t", tmp_path / "t.csv", url=empty_url, verify=True, footer_lines=1)
    assert caught.value.problem == f'"{tmp_path / "t.csv"}" held 1 rows, and its manifest says 2'
    assert caught.value.hint == "look at both; nothing was loaded"
    assert rows(empty_url, "SELECT count(*) FROM t") == [(2,)]
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, verify=True).rows == 2
