"""`agentdb check`: exit codes, standard output, and a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from governance.history import Folder
from typer.testing import CliRunner, Result

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.governance.command import check
from spotify_ai_agent_migrations.versions.governance.formats import FORMATS
from spotify_ai_agent_migrations.versions.governance.rules import RULES


def run(*arguments: str | Path) -> Result:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(check)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_without_findings_it_ends_with_0_and_one_line(folder: Folder) -> None:
    folder.revision(1)
    done = run(folder.path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{len(RULES)} rules, 1 revision: no findings\n"


def test_with_findings_it_ends_with_3_and_shows_them(folder: Folder) -> None:
    folder.revision(1, more="import os\n")
    done = run(folder.path)
    line = folder.findings()[0].line
    assert (done.exit_code, done.stderr) == (3, "")
    assert done.stdout == (
        f'versions/001_step.py:{line}:1: error MIG013: "001_step.py" imports "os"\n'
        '    Hint: remove the import of "os" and write what it gave in 001_step.py\n'
        f"{len(RULES)} rules, 1 revision: 1 finding\n"
    )


@pytest.mark.parametrize("written", FORMATS)
def test_every_format_can_be_asked_for(folder: Folder, written: str) -> None:
    folder.revision(1, docstring="")
    done = run(folder.path, "--format", written)
    assert done.exit_code == 3
    assert "MIG011" in done.stdout


def test_the_output_goes_into_a_file_and_the_summary_to_stderr(folder: Folder, tmp_path: Path) -> None:
    folder.revision(1)
    done = run(folder.path, "-f", "json", "-o", tmp_path / "found.json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"{len(RULES)} rules, 1 revision: no findings\n"
    assert json.loads((tmp_path / "found.json").read_text())["findings"] == []


def test_a_file_that_cannot_be_written_is_refused_with_the_fix(folder: Folder, tmp_path: Path) -> None:
    folder.revision(1)
    error = run(folder.path, "-o", tmp_path / "nowhere" / "found.json").exception
    assert isinstance(error, FileError)
    assert error.problem == f'"{tmp_path}/nowhere/found.json" cannot be written: No such file or directory'
    assert error.hint == "name a file in a folder that exists"


@pytest.mark.parametrize("arguments", [["nowhere"], ["--format", "yaml"]])
def test_usage_errors_end_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_help_lists_the_exit_codes() -> None:
    done = run("--help")
    assert (
        "Exit codes: 0 no finding of error level, 1 the output cannot be written or HEAD not be merged, 2 usage, 3"
        in " ".join(done.stdout.split())
    )


def test_without_a_folder_the_packages_own_revisions_are_checked() -> None:
    done = run()
    assert re.fullmatch(rf"{len(RULES)} rules, \d+ revisions: no findings, \d+ suppressed\n", done.stdout)
    assert done.exit_code == 0


def test_a_warning_is_shown_and_ends_with_0(folder: Folder) -> None:
    folder.upgrade('op.add_column("t", sa.Column("c", sa.JSON, comment="none: x"))')
    done = run(folder.path)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].partition(": ")[2] == (
        'warning MIG067: "c" of "t" is json, which has no equality and takes no index'
    )


def test_what_is_suppressed_is_counted(folder: Folder) -> None:
    folder.upgrade(
        '# allow MIG067: read as a whole\nop.add_column("t", sa.Column("c", sa.JSON, comment="none: x"))'
    )
    done = run(folder.path)
    assert (done.exit_code, done.stdout) == (
        0,
        f"{len(RULES)} rules, 1 revision: no findings, 1 suppressed\n",
    )
