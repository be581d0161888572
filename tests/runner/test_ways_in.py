"""Every way in leads through the same runner: Alembic's command, a script, a call from Python."""

from __future__ import annotations

import pathlib
import sys

import pytest

from spotify_ai_agent_migrations import RevisionError
from spotify_ai_agent_migrations.versions.runner import Options, Outcome, run_revision
from support import BEFORE_HEAD, HEAD, ROOT, rows, run, run_alembic

ONE, TWO = ROOT / "versions" / "001_schema.py", ROOT / "versions" / "002_tables.py"


def at(url: str) -> list[tuple[object, ...]]:
    if rows(url, "SELECT to_regclass('alembic_version')") == [(None,)]:
        return []
    return rows(url, "SELECT version_num FROM alembic_version")


def script(file: pathlib.Path, *arguments: str, url: str, cwd: pathlib.Path = ROOT) -> tuple[int, str]:
    done = run(sys.executable, file, *arguments, url=url, cwd=cwd)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def test_alembic_takes_head_a_number_and_a_step(empty_url: str, url: str) -> None:
    for database, arguments, reached in [
        (empty_url, ("upgrade", "+1"), "001"),
        (empty_url, ("upgrade", "002"), "002"),
        (empty_url, ("downgrade", "-1"), "001"),
        (url, ("downgrade", BEFORE_HEAD), BEFORE_HEAD),
        (url, ("upgrade", "head"), HEAD),
    ]:
        assert run_alembic(*arguments, url=database).returncode == 0
        assert at(database) == [(reached,)]


def test_alembic_shows_where_the_database_is(url: str) -> None:
    assert run_alembic("current", url=url).stdout == f"{HEAD} (head)\n"
    assert f"{HEAD} (head) (current)" in run_alembic("history", "-i", url=url).stdout.replace(
        "(current) (head)", "(head) (current)"
    )
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    history = run_alembic("history", url=nowhere).stdout.splitlines()
    assert history[0].startswith(f"{BEFORE_HEAD} -> {HEAD} (head), ")
    assert history[-2:] == [
        "001 -> 002, Core tables: people and consent, the catalogue, listening, the audit trail and analytics.",
        "<base> -> 001, Extensions, schemas, roles and domains that every later revision stands on.",
    ]


def test_alembic_check_tells_pending_revisions_from_none(url: str) -> None:
    done = run_alembic("check", url=url)
    assert (done.returncode, done.stdout) == (0, "No new upgrade operations detected.\n"), done.stderr
    assert run_alembic("downgrade", "-1", url=url).returncode == 0
    pending = run_alembic("check", url=url)
    assert pending.returncode == 1
    assert "error: Target database is not up to date." in pending.stderr


def test_an_unknown_revision_is_two_lines_and_exit_code_1(empty_url: str) -> None:
    done = run_alembic("upgrade", "999", url=empty_url)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        ["error: Can't locate revision identified by '999'", "Hint: `alembic history` lists the revisions"],
    )


def test_a_revision_is_a_script_from_any_directory(empty_url: str, tmp_path: pathlib.Path) -> None:
    assert script(ONE, url=empty_url, cwd=tmp_path) == (0, "001_schema: applied\n")
    assert script(ONE, url=empty_url, cwd=tmp_path) == (0, "001_schema: already applied, nothing to do\n")
    assert script(TWO, "upgrade", url=empty_url, cwd=tmp_path) == (0, "002_tables: applied\n")
    assert at(empty_url) == [("002",)]
    assert script(TWO, "downgrade", url=empty_url, cwd=tmp_path) == (0, "002_tables: reverted\n")
    assert script(TWO, "downgrade", url=empty_url, cwd=tmp_path) == (
        0,
        "002_tables: not applied, nothing to do\n",
    )
    assert at(empty_url) == [("001",)]


def test_a_script_whose_ancestor_is_missing_is_refused(empty_url: str) -> None:
    assert script(TWO, url=empty_url) == (
        1,
        "error: revision 002 follows 001, and the database is at base\n"
        "Hint: alembic upgrade 002 applies all that is missing\n",
    )
    assert at(empty_url) == []


def test_a_downgrade_below_a_successor_is_refused(url: str) -> None:
    assert script(ONE, "downgrade", url=url) == (
        1,
        f"error: revision 001 has successors, and the database is at {HEAD}\n"
        "Hint: alembic downgrade base reverts them with it\n",
    )
    assert at(url) == [(HEAD,)]


def test_a_script_writes_its_sql_without_a_database() -> None:
    code, text = script(TWO, "--sql", url="postgresql://nobody@127.0.0.1:1/nowhere")
    assert code == 0
    assert "CREATE TABLE users (" in text
    assert "UPDATE alembic_version SET version_num='002' WHERE alembic_version.version_num = '001'" in text
    assert "CREATE SCHEMA" not in text


def test_a_dry_run_executes_and_rolls_back(empty_url: str) -> None:
    assert script(ONE, "--dry-run", url=empty_url) == (0, "001_schema: executed and rolled back\n")
    assert at(empty_url) == []
    assert rows(empty_url, "SELECT to_regnamespace('ops')") == [(None,)]


def test_alembic_knows_the_dry_run_too(empty_url: str) -> None:
    done = run_alembic("-x", "dry-run", "upgrade", "002", url=empty_url)
    assert done.returncode == 0, done.stderr
    assert "Running upgrade 001 -> 002" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("dry run: everything was rolled back")
    assert rows(empty_url, "SELECT to_regclass('users')") == [(None,)]


def test_a_wrong_argument_of_a_script_is_exit_code_2(empty_url: str) -> None:
    code, text = script(ONE, "sideways", url=empty_url)
    assert code == 2
    assert "'sideways' is not one of 'upgrade', 'downgrade'" in text, text


@pytest.mark.parametrize(
    "line",
    [
        "import importlib; importlib.import_module('versions.001_schema').upgrade()",
        "from versions.schema import upgrade; upgrade()",
        "from spotify_ai_agent_migrations.versions.schema import upgrade; upgrade()",
    ],
)
def test_a_call_from_python_applies_and_records_the_revision_once(empty_url: str, line: str) -> None:
    for _ in range(2):
        done = run(sys.executable, "-c", line, url=empty_url)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert at(empty_url) == [("001",)]
    assert rows(empty_url, "SELECT count(*) FROM ops.migration_journal") == [(2,)]


def test_a_call_from_python_raises_instead_of_exiting(empty_url: str) -> None:
    with pytest.raises(RevisionError) as caught:
        run_revision(TWO, "upgrade", Options(url=empty_url))
    assert caught.value.problem == "revision 002 follows 001, and the database is at base"


def test_calls_in_one_process_leave_nothing_behind_for_the_next(empty_url: str) -> None:
    from alembic import op

    options = Options(url=empty_url)
    with pytest.raises(RevisionError):
        run_revision(TWO, "upgrade", options)
    assert run_revision(ONE, "upgrade", options) is Outcome.APPLIED
    assert run_revision(ONE, "upgrade", options) is Outcome.UNCHANGED
    assert run_revision(ONE, "downgrade", options) is Outcome.REVERTED
    with pytest.raises((NameError, AttributeError)):
        op.get_context()


def test_a_file_of_another_checkout_is_refused(tmp_path: pathlib.Path) -> None:
    other = tmp_path / "versions" / "001_schema.py"
    other.parent.mkdir()
    other.write_text(ONE.read_text())
    with pytest.raises(RevisionError) as caught:
        run_revision(other)
    assert caught.value.problem == f'"{other}" is not a revision of the installed package "{ROOT}"'
    assert caught.value.hint == f'pip install -e "{tmp_path}"'
