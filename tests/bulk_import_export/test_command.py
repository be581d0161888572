"""The sub-command says in one line what was done, and leaves errors to the command line above it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spotify_ai_agent_migrations import FileError, TableError, bulk_export, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export.command import app
from spotify_ai_agent_migrations.versions.bulk_import_export.meter import shown_progress
from spotify_ai_agent_migrations.versions.bulk_import_export.progress import Progress
from support import connected


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return result.exit_code, result.output


def test_import_and_export_say_what_they_did(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE artists (name text)")
    Path("artist.csv").write_text("name\nAC/DC\nAccept\n")
    loaded = _run("import", "artists", "artist.csv", "--url", empty_url)
    assert loaded == (0, "loaded 2 rows into public.artists from artist.csv\n")
    exported = _run("export", "artists", "again.csv", "--url", empty_url)
    assert exported == (0, "exported 2 rows from public.artists to again.csv\n")
    assert Path("again.csv").read_text() == "name\nAC/DC\nAccept\n"


def test_one_row_is_said_in_the_singular_and_the_url_may_come_from_the_environment(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_url)
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE artists (name text)")
    Path("artist.csv").write_text("name\nAC/DC\n")
    assert _run("import", "artists", "artist.csv") == (
        0,
        "loaded 1 row into public.artists from artist.csv\n",
    )


def test_an_error_is_left_to_the_caller(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("name\n")
    with pytest.raises(TableError):
        _run("import", "none", tmp_path / "f.csv", "--url", empty_url)


@pytest.mark.parametrize("arguments", [("--help",), ("import", "--help"), ("export", "--help")])
def test_help_lists_the_exit_codes(arguments: tuple[str, ...]) -> None:
    code, output = _run(*arguments)
    assert code == 0
    assert "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 done but for rejected rows." in " ".join(
        output.split()
    )


def test_missing_arguments_are_a_usage_error() -> None:
    assert _run("import", "artists")[0] == 2


def test_a_standard_stream_that_is_closed_is_named(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    for problem, do in (
        ("standard input gives no bytes here", bulk_import),
        ("standard output takes no bytes here", bulk_export),
    ):
        with pytest.raises(FileError) as caught:
            do("t", "-", url=empty_url)
        assert (caught.value.problem, caught.value.hint) == (problem, "name a file")
    with shown_progress() as tell:
        tell(Progress(1, 1, None, 0, 1.0))
