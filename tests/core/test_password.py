"""A server that asks for a password: the right one works, a wrong one is two lines, neither is ever shown."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from spotify_ai_agent_migrations.versions.core import embedded
from support import connected, in_memory, rows, run_alembic

PASSWORD = "p@ss/w:rd 100% 'é"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of a login with a password, on a server of its own; `{}` stands for the password."""
    if embedded.program("psql") is None:
        pytest.skip("the extra that starts a local PostgreSQL is not installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="agentdb-", dir=in_memory()))
    folder.chmod(0o755)
    try:
        superuser = embedded.start(folder / "pg").url
        with connected(superuser) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD %s", (PASSWORD,))
            cursor.execute("CREATE DATABASE guarded OWNER guarded")
        rules = "local all guarded scram-sha-256\nlocal all all trust\n"
        (folder / "pg" / "data" / "pg_hba.conf").write_text(rules)
        assert rows(superuser, "SELECT pg_reload_conf()") == [(True,)]
        sockets = quote(superuser.partition("?host=")[2], safe="/%")
        yield "postgresql://guarded:{}@/guarded?host=" + sockets
    finally:
        embedded.stop(folder / "pg")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("written", [PASSWORD.replace("%", "%25"), quote(PASSWORD, safe="")])
def test_the_right_password_works_encoded_or_not(url: str, written: str) -> None:
    done = run_alembic("current", url=url.format(written))
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("written", ["hunter2:", ""])
def test_a_wrong_or_missing_password_is_named_and_not_shown(url: str, written: str) -> None:
    done = run_alembic("upgrade", "head", url=url.format(written))
    assert done.returncode == 1
    problem, hint = done.stderr.splitlines()[-2:]
    assert problem.startswith("error: postgresql://guarded@/guarded?host=")
    assert " refused the login: " in problem
    assert hint == "Hint: mend user and password (DATABASE_URL)"
    assert "hunter2" not in done.stdout + done.stderr
