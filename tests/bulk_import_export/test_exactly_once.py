"""A resumable import loads each row once, whatever became of the file, the options or the table meanwhile."""

from __future__ import annotations

import gzip
import io
import json
import random
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import parse_dsn
from typer.testing import CliRunner

from spotify_ai_agent_migrations import (
    FileError,
    ImportResult,
    RowError,
    SettingsError,
    TableError,
    bulk_import,
)
from spotify_ai_agent_migrations.versions.bulk_import_export import bulk_retry, opening
from spotify_ai_agent_migrations.versions.bulk_import_export.command import app
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from support import Databases, connected, rows

_ROWS = 60_000
_COUNT = "SELECT count(*), count(DISTINCT id) FROM t"
_KEPT = "what was loaded before stays, and the same call goes on, unless that part of the file changes"


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _text(count: int = _ROWS, *, first: int = 0) -> str:
    return "".join(f"{number},{'n' * 60}\n" for number in range(first, count))


def _resumed(url: str, source: Any, **choices: Any) -> ImportResult:
    return bulk_import("t", source, url=url, guarantee="resumable", workers=1, **choices)


@pytest.fixture
def table(url: str) -> str:
    """The URL of a migrated database with an empty table of numbers and names."""
    _execute(url, "CREATE TABLE t (id bigint, name text)")
    return url


def test_a_row_mended_behind_what_is_loaded_lets_the_same_call_go_on(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n" + _text(_ROWS - 1) + f"bad,{'n' * 60}\n")
    with pytest.raises(RowError) as caught:
        _resumed(table, path)
    assert caught.value.hint == f"mend the value and run again; {_KEPT}"
    [(before, _)] = rows(table, _COUNT)
    assert 0 < int(str(before)) < _ROWS
    path.write_text("id,name\n" + _text())
    result = _resumed(table, path)
    assert (result.rows, result.already, rows(table, _COUNT)) == (_ROWS, False, [(_ROWS, _ROWS)])


def test_a_part_that_changed_after_it_was_loaded_is_refused(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n" + _text(_ROWS - 1) + f"bad,{'n' * 60}\n")
    with pytest.raises(RowError):
        _resumed(table, path)
    before = rows(table, _COUNT)
    path.write_text("id,name\n" + "-7" + _text()[1:])
    with pytest.raises(FileError) as caught:
        _resumed(table, path)
    assert caught.value.problem == f'"{path}" is not what it was when it was loaded in part'
    assert caught.value.hint == (
        "put it back as it was, and the same call goes on; "
        "or delete what was loaded and load it anew: again=True, --again"
    )
    assert rows(table, _COUNT) == before
    _execute(table, "TRUNCATE t")
    assert _resumed(table, path, again=True).rows == _ROWS
    assert _resumed(table, path).already
    assert rows(table, _COUNT) == [(_ROWS, _ROWS)]


def test_a_file_that_grew_during_the_load_is_not_loaded_on_top_of_itself(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n" + _text())

    def growing(_: object) -> None:
        if path.stat().st_size == len("id,name\n" + _text()):
            with path.open("a") as file:
                file.write(f"{_ROWS},z\n")

    with pytest.raises(FileError) as caught:
        _resumed(table, path, progress=growing)
    assert caught.value.problem == f'"{path}" changed while it was read'
    assert caught.value.hint == f"wait until it is written; {_KEPT}"
    assert rows(table, _COUNT) == [(_ROWS, _ROWS)]
    with pytest.raises(FileError, match="is not what it was when it was loaded in part"):
        _resumed(table, path)
    assert rows(table, _COUNT) == [(_ROWS, _ROWS)]


def test_the_whole_of_a_file_that_was_cut_short_goes_on_behind_its_part(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, unreadable, is_cut = Session.send, opening.unreadable, threading.Event()

    def cut(*said: Any) -> FileError:
        is_cut.set()
        return unreadable(*said)

    def late(self: Session, prepared: Any) -> Any:
        # What was read before is still to be loaded then, and is.
        assert is_cut.wait(60)
        return send(self, prepared)

    monkeypatch.setattr(opening, "unreadable", cut)
    monkeypatch.setattr(Session, "send", late)
    chance = random.Random(1)  # noqa: S311  (it has to be hard to compress, and no more)
    lines = "".join(f"{number},{chance.random()}{chance.random()}\n" for number in range(120_000))
    whole = gzip.compress(f"id,name\n{lines}".encode())
    path = tmp_path / "t.csv.gz"
    path.write_bytes(whole[:-100_000])
    with pytest.raises(FileError) as caught:
        _resumed(table, path)
    assert caught.value.hint == f"{_KEPT}; mend the file and run again"
    [(before, _)] = rows(table, _COUNT)
    # Two blocks: the first is sent once the end is met, and the second lay behind it.
    assert 60_000 < int(str(before)) < 120_000
    path.write_bytes(whole)
    assert _resumed(table, path).rows == 120_000
    assert rows(table, _COUNT) == [(120_000, 120_000)]


def test_what_is_loaded_with_other_options_is_another_load(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id\n1\n2\n")
    for name, already in (("a", False), ("b", False), ("a", True)):
        assert _resumed(table, path, constants={"name": name}).already is already
    assert rows(table, "SELECT name, count(*) FROM t GROUP BY name ORDER BY name") == [("a", 2), ("b", 2)]


def test_the_second_half_is_not_loaded_with_other_options(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id\n" + "".join(f"{number:0>40}\n" for number in range(_ROWS)) + "bad\n")
    with pytest.raises(RowError):
        _resumed(table, path, constants={"name": "a"})
    before = rows(table, _COUNT)
    with pytest.raises(FileError) as caught:
        _resumed(table, path, constants={"name": "b"})
    assert caught.value.problem == f'"{path}" was loaded with other options, and not to its end'
    assert rows(table, _COUNT) == before
    result = _resumed(table, path, constants={"name": "a"}, max_rejects=1)
    assert (result.rows, result.rejected, rows(table, _COUNT)) == (_ROWS, 1, [(_ROWS, _ROWS)])


def test_a_table_made_anew_is_another_table(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n1,x\n")
    assert not _resumed(table, path).already
    _execute(table, "DROP TABLE t; CREATE TABLE t (id bigint, name text)")
    assert not _resumed(table, path).already
    assert rows(table, _COUNT) == [(1, 1)]


def test_a_file_is_the_same_by_whatever_path(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_text("id,name\n1,x\n")
    monkeypatch.chdir(tmp_path)
    assert not _resumed(table, "t.csv").already
    assert _resumed(table, tmp_path / "t.csv").already
    assert rows(table, _COUNT) == [(1, 1)]


def test_a_load_that_was_done_before_says_so(table: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n1,x\n")
    command = ["import", "t", str(tmp_path / "t.csv"), "--guarantee", "resumable", "--url", table]
    assert "loaded 1 row into public.t" in CliRunner().invoke(app, command).stdout
    again = CliRunner().invoke(app, command)
    assert again.stdout.startswith("had loaded 1 row into public.t")
    assert "loaded before, and nothing of it now; again=True, --again loads it once more" in again.stderr
    assert json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["already"] is True


def test_a_named_file_that_has_grown_is_refused(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n" + _text(30_000))
    assert _resumed(table, path, job="nightly").rows == 30_000
    path.write_text("id,name\n" + _text())
    with pytest.raises(FileError, match="is not what it was when it was loaded in part"):
        _resumed(table, path, job="nightly")
    assert rows(table, _COUNT) == [(30_000, 30_000)]


def test_a_pipe_is_known_again_by_all_that_it_holds(table: str) -> None:
    def pipe(text: str) -> io.BytesIO:
        return io.BytesIO(("id,name\n" + text).encode())

    assert _resumed(table, pipe(_text()), job="nightly").rows == _ROWS
    assert _resumed(table, pipe(_text()), job="nightly").already
    for other in (_text(_ROWS + 1), _text(_ROWS - 1), _text(_ROWS - 1) + f"7,{'n' * 60}\n"):
        with pytest.raises(FileError, match="is not what it was when it was loaded in part"):
            _resumed(table, pipe(other), job="nightly")
    assert rows(table, _COUNT) == [(_ROWS, _ROWS)]


def test_rejected_rows_of_all_calls_count(table: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n" + "".join(f"{'bad' if one % 2 else one},x\n" for one in range(100)))
    for _ in range(2):
        with pytest.raises(RowError) as caught:
            _resumed(table, path, max_rejects=0.1)
        assert caught.value.problem.startswith(f'"{path}": 50 rows cannot be loaded, and 0.1 may be')
        assert caught.value.hint == f"allow more; {_KEPT}"
    assert _resumed(table, path, max_rejects=0.5).rejected == 50
    assert rows(table, _COUNT) == [(50, 50)]


def test_a_dry_run_enters_nothing(table: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n1,x\n")
    assert _resumed(table, tmp_path / "t.csv", dry_run=True).rows == 1
    assert rows(table, "SELECT count(*) FROM ops.import_job") == [(0,)]
    assert _resumed(table, tmp_path / "t.csv").rows == 1
    assert rows(table, "SELECT count(*) FROM ops.import_job") == [(1,)]


def test_rows_kept_aside_are_not_retried_block_by_block(table: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n1,x\nbad,y\n")
    rejects = tmp_path / "rejects.jsonl"
    assert _resumed(table, tmp_path / "t.csv", max_rejects=1, rejects=rejects).rejected == 1
    with pytest.raises(SettingsError) as caught:
        bulk_retry(rejects, url=table, guarantee="resumable")
    assert caught.value.problem == "rows that were kept aside are loaded all together or not at all"


@pytest.mark.parametrize(
    "meanwhile",
    [
        "DELETE FROM ops.import_job",
        "UPDATE ops.import_job SET loaded_bytes = '{[8,20000000)}'",
    ],
)
def test_a_block_that_cannot_be_entered_is_not_loaded(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n1,x\n")
    send = Session.send

    def sending(self: Session, prepared: Any) -> Any:
        _execute(table, meanwhile)
        return send(self, prepared)

    monkeypatch.setattr(Session, "send", sending)
    with pytest.raises(TableError) as caught:
        _resumed(table, path)
    assert caught.value.problem == (
        "somebody else loads the same, or has removed the entry of this load from ops.import_job"
    )
    assert rows(table, _COUNT) == [(0, 0)]


_LEDGER = (
    "GRANT USAGE ON SCHEMA ops TO {0}; GRANT SELECT, INSERT, UPDATE ON ops.import_job TO {0};"
    "GRANT INSERT ON ops.import_reject TO {0}; GRANT SELECT, INSERT ON ops.import_block TO {0};"
    "GRANT USAGE ON SEQUENCE ops.import_job_id_seq, ops.import_reject_id_seq TO {0}"
)


@pytest.mark.parametrize(
    ("grants", "entered"),
    [
        ("", False),
        ("GRANT USAGE ON SCHEMA ops TO {0}", False),
        ("GRANT agent_auditor TO {0}", False),
        (_LEDGER.replace(", INSERT, UPDATE", ""), False),
        (_LEDGER.replace("ops.import_job_id_seq, ", ""), False),
        (_LEDGER, True),
    ],
)
def test_who_may_load_the_table_may_do_so_whatever_the_ledger_is_to_them(
    url: str, databases: Databases, tmp_path: Path, grants: str, entered: bool
) -> None:
    role = f"r{uuid.uuid4().hex[:8]}"
    _execute(
        url, f"CREATE ROLE {role} LOGIN; CREATE TABLE t (id integer, text text); GRANT INSERT ON t TO {role}"
    )
    if grants:
        _execute(url, grants.format(role))
    try:
        other = databases.url(str(parse_dsn(url)["dbname"]), user=role)
        (tmp_path / "t.csv").write_text("id,text\n1,a\nx,b\n")
        done = bulk_import("t", tmp_path / "t.csv", url=other, max_rejects=1)
        assert (done.rows, done.rejected) == (1, 1)
        assert rows(url, "SELECT count(*) FROM ops.import_job") == [(int(entered),)]
        if not entered:
            with pytest.raises(TableError) as caught:
                _resumed(other, tmp_path / "t.csv")
            assert caught.value.problem.startswith("ops.import_job is not there or may not be written")
    finally:
        _execute(url, f"DROP OWNED BY {role}; DROP ROLE {role}")
