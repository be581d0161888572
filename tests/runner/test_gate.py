"""What must be refused is refused before any statement."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support import AFTER_NEXT, HEAD, NEXT, ROOT, Checkout, Databases, connected, rows, run_alembic


def nothing_happened(url: str) -> bool:
    return rows(url, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]


def said(stderr: str) -> list[str]:
    """What was said, beside Alembic's report of its steps; whoever unpacks two lines asks for no more."""
    return [line for line in stderr.splitlines() if not line.startswith("INFO ")]


def test_a_finding_of_error_level_stops_the_upgrade(checkout: Checkout, empty_url: str) -> None:
    checkout.add("op.add_column('users', sa.Column('city', sa.Text))")
    done = checkout.alembic("upgrade", "head", url=empty_url)
    assert done.returncode == 3
    problem, hint = said(done.stderr)
    assert problem.startswith(f"error: versions/{NEXT}_added.py:")
    assert '"city"' in problem
    assert problem.endswith("; nothing was executed")
    assert hint.endswith("; `agentdb check` lists every finding")
    assert nothing_happened(empty_url)


def test_looking_is_allowed_with_such_a_finding(checkout: Checkout, url: str) -> None:
    checkout.add("op.add_column('users', sa.Column('city', sa.Text))")
    done = checkout.alembic("current", url=url)
    assert (done.returncode, done.stdout) == (0, f"{HEAD}\n"), done.stderr


@pytest.mark.parametrize("command", [("upgrade", "head"), ("current",), ("check",)])
def test_a_revision_that_cannot_be_read_stops_every_command(
    checkout: Checkout, empty_url: str, command: tuple[str, ...]
) -> None:
    number = checkout.add("execute('SELECT 1')")
    (checkout.versions / f"{number}_added.py").write_text("def upgrade(:\n")
    done = checkout.alembic(*command, url=empty_url)
    assert done.returncode == 3
    assert said(done.stderr)[0].startswith(f"error: versions/{number}_added.py:1: ")
    assert "Traceback" not in done.stderr
    assert nothing_happened(empty_url)


def test_two_heads_are_refused(checkout: Checkout, empty_url: str) -> None:
    checkout.add("execute('SELECT 1')")
    file = checkout.versions / f"{AFTER_NEXT}_other.py"
    file.write_text(
        (checkout.versions / f"{NEXT}_added.py")
        .read_text()
        .replace(f'revision = "{NEXT}"', f'revision = "{AFTER_NEXT}"', 1)
    )
    done = checkout.alembic("upgrade", "head", url=empty_url)
    assert done.returncode == 3
    assert f"{AFTER_NEXT}_other.py" in done.stderr
    assert nothing_happened(empty_url)


def test_a_database_from_the_future_is_refused(url: str) -> None:
    with connected(url) as connection:
        connection.cursor().execute("UPDATE alembic_version SET version_num = '013'")
    for command in (("upgrade", "head"), ("downgrade", "base"), ("current",)):
        done = run_alembic(*command, url=url)
        assert (done.returncode, said(done.stderr)) == (
            1,
            [
                f"error: the database is at revision 013, and this code knows up to {HEAD}",
                "Hint: use the release that has revision 013",
            ],
        )
    assert rows(url, "SELECT version_num FROM alembic_version") == [("013",)]


def test_a_stamp_with_purge_is_the_way_out_of_an_unknown_revision(url: str) -> None:
    with connected(url) as connection:
        connection.cursor().execute("UPDATE alembic_version SET version_num = '013'")
    done = run_alembic("stamp", "--purge", HEAD, url=url)
    assert done.returncode == 0, done.stderr
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_another_checkout_than_the_installed_one_is_refused(checkout: Checkout, empty_url: str) -> None:
    done = run_alembic("-c", str(checkout.root / "alembic.ini"), "upgrade", "head", url=empty_url)
    assert (done.returncode, said(done.stderr)) == (
        1,
        [
            f'error: this is the checkout "{checkout.root}", but the installed package is "{ROOT}"',
            f'Hint: pip install -e "{checkout.root}"',
        ],
    )
    assert nothing_happened(empty_url)


def test_a_missing_createrole_is_named_with_the_commands_that_help(
    checkout: Checkout, login: Callable[..., str]
) -> None:
    # The server's other databases have made the real roles: one that nobody made stands for them.
    file = checkout.versions / "001_schema.py"
    file.write_text(file.read_text().replace("ARRAY['agent_owner'", "ARRAY['nobody_made_this'"))
    url = login(grants=("GRANT ALL ON DATABASE {database} TO {role}", "GRANT ALL ON SCHEMA public TO {role}"))
    done = checkout.alembic("upgrade", "head", url=url)
    assert done.returncode == 1
    problem, hint = said(done.stderr)
    assert problem.startswith(
        'error: upgrade of revision 001_schema failed: role "nobody_made_this" does not exist, and "'
    )
    assert problem.endswith('" lacks CREATEROLE to create it')
    assert hint.startswith("Hint: as an administrator run ALTER ROLE r")
    assert "CREATE ROLE nobody_made_this; CREATE ROLE agent_app; " in hint


OWN_DATABASE = "ALTER DATABASE {database} OWNER TO {role}"
BELONG = "GRANT agent_owner TO {role} WITH ADMIN OPTION"


@pytest.fixture
def owner_role(empty_url: str) -> None:
    """Role agent_owner, as an administrator would have made it."""
    with connected(empty_url) as connection:
        connection.cursor().execute(
            "DO $$ BEGIN CREATE ROLE agent_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )


@pytest.mark.usefixtures("owner_role")
def test_the_owner_of_the_database_who_may_create_roles_needs_no_superuser(
    empty_url: str, login: Callable[..., str]
) -> None:
    url = login("CREATEROLE", grants=(OWN_DATABASE, BELONG))
    done = run_alembic("upgrade", "head", url=url)
    assert done.returncode == 0, done.stderr
    assert rows(empty_url, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'users'") == [
        ("agent_owner",)
    ]
    done = run_alembic("downgrade", "base", url=url)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("owner_role")
def test_a_schema_that_the_login_may_not_grant_is_named(login: Callable[..., str]) -> None:
    grants = ("GRANT ALL ON DATABASE {database} TO {role}", "GRANT ALL ON SCHEMA public TO {role}", BELONG)
    done = run_alembic("upgrade", "head", url=login("CREATEROLE", grants=grants))
    assert done.returncode == 1
    problem, hint = said(done.stderr)
    assert problem.startswith(
        'error: upgrade of revision 001_schema failed: role "agent_owner" has no CREATE on schema public, and "'
    )
    assert hint == "Hint: as an administrator run GRANT USAGE, CREATE ON SCHEMA public TO agent_owner;"


@pytest.mark.usefixtures("owner_role")
@pytest.mark.parametrize("forced", [True, False])
def test_a_backfill_changes_every_row_or_fails_where_row_security_hides_them(
    checkout: Checkout, empty_url: str, login: Callable[..., str], forced: bool
) -> None:
    url = login("CREATEROLE", grants=(OWN_DATABASE, BELONG))
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    rows(empty_url, "INSERT INTO users (id) VALUES (1), (2)")
    if forced:
        rows(empty_url, "ALTER TABLE users FORCE ROW LEVEL SECURITY")
    checkout.add("execute(\"UPDATE users SET time_zone = 'Europe/Paris'\")")
    done = checkout.alembic("upgrade", "head", url=url)
    found = rows(empty_url, "SELECT time_zone, count(*) FROM users GROUP BY time_zone")
    if not forced:
        assert (done.returncode, found) == (0, [("Europe/Paris", 2)]), done.stderr
        return
    assert (done.returncode, found) == (1, [("UTC", 2)])
    # Before them, that the table is not as the journal has it.
    drift, problem, hint = said(done.stderr)
    assert "of the schema differ" in drift
    assert 'row-level security policy for table "users"' in problem
    assert hint.startswith(
        "Hint: nothing was changed; say ALTER TABLE … NO FORCE ROW LEVEL SECURITY before it"
    )


def test_a_database_that_is_not_utf8_is_refused(databases: Databases, empty_url: str) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
    try:
        done = run_alembic("upgrade", "head", url=databases.url("latin"))
        assert done.returncode == 1
        assert said(done.stderr) == [
            'error: upgrade of revision 001_schema failed: database "latin" is encoded in LATIN1, not in UTF8',
            "Hint: create it with ENCODING 'UTF8' TEMPLATE template0",
        ]
    finally:
        with connected(empty_url) as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE latin WITH (FORCE)")


def test_the_package_can_be_imported_with_a_broken_revision_in_the_tree(checkout: Checkout) -> None:
    (checkout.versions / f"{NEXT}_broken.py").write_text("def upgrade(:\n")
    code = "import spotify_ai_agent_migrations as p; print(len(p.discover()), len(p.check()) > 0, p.__file__)"
    done = checkout.python("-c", code)
    assert done.stdout.split()[:2] == [str(int(NEXT)), "True"], done.stderr
    assert done.stdout.split()[2].startswith(str(checkout.root))


def test_a_revision_is_never_executed_by_the_check(checkout: Checkout) -> None:
    checkout.add("execute('SELECT 1')")
    file = checkout.versions / f"{NEXT}_added.py"
    file.write_text(file.read_text() + "\nraise SystemExit('executed')\n")
    checked = checkout.python("-m", "spotify_ai_agent_migrations", "check")
    assert "executed" not in checked.stdout + checked.stderr
    assert f"{int(NEXT)} revisions" in checked.stdout
