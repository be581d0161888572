"""What an import kept aside is mended by hand, or loaded once more when what it lacked is there."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spotify_ai_agent_migrations import FileError, SettingsError, bulk_fix, bulk_import, bulk_retry
from spotify_ai_agent_migrations.versions.bulk_import_export.command import app
from support import connected, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


_FILE = (
    'Nr;name\n1;"first"\n2;"two\nlines"\nx;"not a ""number"""\n4;x;y\n5;fifth\n6;"open\n7;"seven""\n'
    + "".join(f"{number};name\n" for number in range(8, 40))
)


@pytest.fixture
def rejected(empty_url: str, tmp_path: Path) -> tuple[str, Path, Path]:
    _execute(
        empty_url,
        "CREATE TABLE p (id integer PRIMARY KEY); INSERT INTO p SELECT generate_series(8, 40);"
        "CREATE TABLE t (id integer REFERENCES p, name text)",
    )
    path, kept = tmp_path / "t.csv", tmp_path / "r.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + _FILE.encode())
    result = bulk_import(
        "t", path, url=empty_url, columns={"Nr": "id"}, max_rejects=10, rejects=kept, delimiter=";"
    )
    assert result.rows == 32
    return empty_url, path, kept


def test_what_was_rejected_is_loaded_once_more_and_nothing_else(
    rejected: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, _, kept = rejected
    lines = [json.loads(line)["line"] for line in kept.read_text().splitlines()[1:]]
    _execute(url, "INSERT INTO p VALUES (1), (2), (5)")
    result = bulk_retry(kept, url=url, max_rejects=10, rejects=tmp_path / "again.jsonl")
    assert (result.read, result.rows) == (len(lines), 3)
    assert rows(url, "SELECT id, name FROM t WHERE id < 8 ORDER BY id") == [
        (1, "first"), (2, "two\nlines"), (5, "fifth"),
    ]  # fmt: skip
    # What is rejected again stands where it stood, and so there can be another time.
    left = [json.loads(line)["line"] for line in (tmp_path / "again.jsonl").read_text().splitlines()[1:]]
    assert left == [line for line in lines if line not in {2, 3, 7}]
    again = bulk_retry(tmp_path / "again.jsonl", url=url, max_rejects=10)
    assert (again.rows, again.rejected) == (0, len(left))


def test_what_was_rejected_is_written_out_to_be_mended(
    rejected: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, _, kept = rejected
    fixed = tmp_path / "fix.csv"
    count = bulk_fix(kept, fixed)
    text = fixed.read_text()
    assert stat.S_IMODE(fixed.stat().st_mode) == 0o600
    assert text.startswith('Nr;name\n1;"first"\n2;"two\nlines"\nx;"not a ""number"""\n4;x;y\n5;fifth\n')
    assert count == len(kept.read_text().splitlines()) - 1
    fixed.write_text("Nr;name\n8;mended\n")
    assert bulk_import("t", fixed, url=url, columns={"Nr": "id"}).rows == 1


def test_a_file_that_changed_and_a_file_of_something_else_are_refused(
    rejected: tuple[str, Path, Path],
) -> None:
    url, path, kept = rejected
    with pytest.raises(SettingsError) as same:
        bulk_retry(kept, url=url, rejects=kept)
    assert same.value.problem == f'"{kept}" is read, and cannot take what is rejected again'
    path.write_text(_FILE + "41;late\n")
    with pytest.raises(FileError) as changed:
        bulk_retry(kept, url=url)
    assert changed.value.problem == f'"{path}" is not the file any more that the rows were rejected from'
    with pytest.raises(FileError) as other:
        bulk_fix(path, path.with_name("fix.csv"))
    assert other.value.problem == f'"{path}" is no file of rejects'


def test_the_command_line_does_both(rejected: tuple[str, Path, Path], tmp_path: Path) -> None:
    url, path, kept = rejected
    fixed = CliRunner().invoke(app, ["fix", str(kept), str(tmp_path / "fix.csv")])
    count = len(kept.read_text().splitlines()) - 1
    assert (fixed.exit_code, fixed.output) == (0, f"wrote {count} rows to {tmp_path / 'fix.csv'}\n")
    _execute(url, "INSERT INTO p VALUES (1), (2), (5)")
    tried = CliRunner().invoke(app, ["retry", str(kept), "--max-rejects", "10", "--url", url])
    assert tried.exit_code == 3
    assert tried.stdout.endswith(f"loaded 3 rows into public.t from {path} ({count - 3} rejected)\n")


@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_what_was_loaded_before_stays_when_the_rest_is_tried_again(
    empty_url: str, tmp_path: Path, mode: str
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer PRIMARY KEY, name text CONSTRAINT short CHECK (length(name) <= 3));"
        "INSERT INTO t VALUES (9, 'old')",
    )
    path, kept = tmp_path / "t.csv", tmp_path / "r.jsonl"
    path.write_text("id,name\n1,one\n2,two\n3,three\n")
    assert bulk_import("t", path, url=empty_url, mode=mode, max_rejects=1, rejects=kept).rows == 2  # type: ignore[arg-type]
    _execute(empty_url, "ALTER TABLE t DROP CONSTRAINT short")
    assert bulk_retry(kept, url=empty_url).rows == 1
    assert rows(empty_url, "SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,)]


def test_a_file_that_is_not_there_any_more_may_be_said_to_be_elsewhere(
    empty_url: str, tmp_path: Path
) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a integer)")
    path, kept, moved = tmp_path / "f.csv", tmp_path / "r.jsonl", tmp_path / "moved.csv"
    path.write_text("a\n1\nx\n")
    bulk_import("t", path, url=empty_url, max_rejects=1, rejects=kept)
    path.rename(moved)
    with pytest.raises(FileError) as caught:
        bulk_retry(kept, url=empty_url)
    assert caught.value.hint == (
        "mend the path or the permissions of the file; say where it is now: source=…, --source"
    )
    assert bulk_retry(kept, url=empty_url, source=moved, max_rejects=1).rejected == 1
