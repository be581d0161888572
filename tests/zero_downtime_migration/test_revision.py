"""Revision 011: the same catalogue whichever way it came, gone on with after a kill, and taken back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import psycopg2
import pytest

from forked import run_python
from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, schema_objects
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import own
from spotify_ai_agent_migrations.versions.zero_downtime_migration.revision import SMALL_BYTES
from support import ROOT, Databases, connected, environment, rows, run_alembic, until

SCRIPT = ROOT / "versions" / "011_zero_downtime_migration.py"
# More than what is small, of few rows: most of each page is left free.
SPREAD = "ALTER TABLE users SET (fillfactor = 10)"
LARGE = "INSERT INTO users (email, display_name) SELECT 'P' || n || '@' || repeat('Example.', 37) || 'org', rpad('x', 90, 'x') FROM generate_series({since}, {until}) AS n"
MANY = 2_200
ERASED = "INSERT INTO users (id, status, erased_at) VALUES (900001, 'erased', now()); INSERT INTO users (id) VALUES (900002)"
KILLED = """
import os, runpy, signal, sys
from spotify_ai_agent_migrations.versions.core.session import BriefSession
_, text, file = sys.argv
run = BriefSession.run
def killed(session, statement):
    if text in session.text(statement):
        os.kill(os.getpid(), signal.SIGKILL)
    return run(session, statement)
BriefSession.run = killed
sys.argv = [file]
runpy.run_path(file, run_name="__main__")
"""
TOMB = """
WITH begun AS (
    INSERT INTO ops.erasures (subject_id, subject_created_at, reason, requested_at, requested_by, plan, plan_hash)
    VALUES (900001, now(), 'request', now(), 1, '{}', sha256('')) RETURNING id)
INSERT INTO ops.tombstones (subject_id, erasure_id, worker_xid) SELECT 900001, id, '3'::xid8 FROM begun
"""
IN_STEP = """
SELECT count(*), count(*) FILTER (WHERE email_canonical IS DISTINCT FROM coalesce(ops.canonical_email_v1(email), id::text))
  FROM users
"""


def schema(url: str) -> tuple[SchemaObject, ...]:
    with connected(url, autocommit=False) as connection:
        return schema_objects(connection)


def script(url: str, *arguments: str) -> tuple[int, str, list[str]]:
    done = run_python([str(SCRIPT), *arguments], env=environment(url), cwd=ROOT, imported=True)
    said = [line for line in done.stderr.splitlines() if line.startswith(("error", "Hint"))]
    return done.returncode, done.stdout, said


@pytest.fixture(scope="module")
def large(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database at the revision before, with many accounts, an erased one and one without address."""
    name = databases.create(template)
    url = databases.url(name)
    assert script(url, "downgrade")[0] == 0
    rows(url, SPREAD)
    rows(url, LARGE.format(since=1, until=MANY))
    rows(url, "ALTER TABLE users RESET (fillfactor)")
    assert rows(url, "SELECT pg_relation_size('users') >= %s", (SMALL_BYTES,)) == [(True,)]
    rows(url, ERASED)
    rows(url, TOMB)
    yield name
    databases.drop(name)


def test_a_large_table_gets_it_online_through_kills_and_comes_to_the_same_catalogue(
    databases: Databases, large: str, url: str
) -> None:
    wanted, at = schema(url), databases.url(databases.create(large))
    before = schema(at)
    over, errors, number = threading.Event(), list[Exception](), [0]

    def write() -> None:
        """The old application: it knows of e-mail alone."""
        with connected(at) as connection, connection.cursor() as cursor:
            while not over.is_set():
                number[0] += 1
                try:
                    cursor.execute("INSERT INTO users (email) VALUES (%s)", (f"New{number[0]}@example.org",))
                    cursor.execute(
                        "UPDATE users SET email = %s WHERE id = %s",
                        (f"Moved{number[0]}@example.org", number[0]),
                    )
                except Exception as error:  # noqa: BLE001  (told below)
                    errors.append(error)
                over.wait(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for statement in ("COMMENT ON COLUMN", "SET CONSTRAINTS", "CREATE UNIQUE INDEX CONCURRENTLY"):
            _kill_before(at, statement)
        (listed,) = own.status(settings=resolve_settings(at))
        assert listed.line.startswith("1 add_synced_column public.users email_canonical: ")
        assert script(at, "resume") == (0, "011_zero_downtime_migration: applied\n", [])
    finally:
        over.set()
        writer.join(timeout=30)
    assert (errors, number[0] > 1) == ([], True)
    assert schema(at) == wanted
    ((count, wrong),) = rows(at, IN_STEP)
    assert (count, wrong) == (MANY + 2 + number[0], 0)
    # What people have written stays as they wrote it.
    moved = min(number[0], MANY)
    assert rows(at, "SELECT count(*) FROM users WHERE email LIKE 'P%'") == [(MANY - moved,)]
    assert rows(at, "SELECT email_canonical FROM users WHERE id IN (900001, 900002) ORDER BY id") == [
        ("900001",),
        ("900002",),
    ]
    with pytest.raises(TableError, match="revision 011 is applied, and can no longer be aborted"):
        own.abort_upgrade(settings=resolve_settings(at))
    assert script(at, "downgrade") == (0, "011_zero_downtime_migration: reverted\n", [])
    assert schema(at) == before


def _kill_before(url: str, statement: str) -> None:
    """Let the upgrade run, and kill it before a statement that holds this text."""
    done = run_python(["-c", KILLED, statement, str(SCRIPT)], env=environment(url), cwd=ROOT, imported=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    alone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'agentdb%'"
    until(lambda: rows(url, alone) == [(0,)])


def test_accounts_of_one_address_are_told_by_number_and_what_was_begun_is_taken_back(
    databases: Databases, large: str
) -> None:
    url = databases.url(databases.create(large))
    before = schema(url)
    rows(
        url,
        "INSERT INTO users (id, email) VALUES (900010, 'p7@' || repeat('example.', 37) || 'org'), (900011, '\uff308@' || repeat('example.', 37) || 'org')",
    )
    refused = script(url)
    assert refused[0] == 1
    assert refused[2] == [
        'error: rows of "public.users" come to the same "email_canonical": 2 values, of 4 rows; 7 and 900010; 8 and 900011',
        'Hint: give all but one of each another "email", or none, or delete them; then run it again',
    ]
    assert rows(url, "SELECT version_num FROM alembic_version") == [("010",)]
    assert script(url, "abort") == (0, "011_zero_downtime_migration: taken back\n", [])
    assert schema(url) == before
    tried = run_python([str(SCRIPT), "--dry-run"], env=environment(url), cwd=ROOT, imported=True)
    assert tried.stdout == "011_zero_downtime_migration: executed and rolled back\n"
    assert "needs to run alone: CREATE UNIQUE INDEX CONCURRENTLY" in tried.stderr
    assert schema(url) == before


def test_a_small_table_is_refused_in_the_same_words_and_offline_too(url: str) -> None:
    assert script(url, "downgrade")[0] == 0
    rows(
        url,
        "INSERT INTO users (id, email) VALUES (1, 'a@example.org'), (2, 'A@Example.org'), (3, 'B@example.org')",
    )
    problem = 'error: rows of "public.users" come to the same "email_canonical": 1 values, of 2 rows; 1 and 2'
    assert script(url)[2][0] == problem
    written = run_alembic("upgrade", "010:011", "--sql", url=url)
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="spelling: 1 and 2"):
            cursor.execute(written.stdout.replace("\\set ON_ERROR_STOP on", ""))
    rows(url, "DELETE FROM users WHERE id = 2")
    assert script(url) == (0, "011_zero_downtime_migration: applied\n", [])
    assert rows(url, "SELECT id, email, email_canonical FROM users ORDER BY id") == [
        (1, "a@example.org", "a@example.org"),
        (3, "B@example.org", "b@example.org"),
    ]


@pytest.mark.parametrize(
    ("written", "email", "canonical"),
    [
        ("email = 'Bob@Example.ORG'", "Bob@Example.ORG", "bob@example.org"),
        ("email_canonical = 'eve@example.org'", "eve@example.org", "eve@example.org"),
        ("email = 'É@Example.org', email_canonical = 'x@example.org'", "É@Example.org", "é@example.org"),
        ("email = NULL", None, "7"),
        ("email_canonical = '7'", None, "7"),
        ("display_name = 'x'", "Ann@example.org", "ann@example.org"),
        ("id = 8, email = NULL", None, "8"),
    ],
)
def test_either_form_may_be_written(url: str, written: str, email: str | None, canonical: str) -> None:
    rows(url, "INSERT INTO users (id, email) VALUES (7, 'Ann@example.org')")
    rows(url, f"UPDATE users SET {written}")
    assert rows(url, "SELECT email, email_canonical FROM users") == [(email, canonical)]


@pytest.mark.parametrize("written", ["junk", ""])
def test_what_is_no_address_takes_none_away(url: str, written: str) -> None:
    rows(url, "INSERT INTO users (id, email) VALUES (7, 'Ann@example.org')")
    with pytest.raises(psycopg2.errors.CheckViolation, match="email_address") as refused:
        rows(url, "UPDATE users SET email_canonical = %s", (written,))
    assert "example.org" not in str(refused.value)
    assert rows(url, "SELECT email, email_canonical FROM users") == [("Ann@example.org", "ann@example.org")]


def test_addresses_are_folded_alike_on_every_server_and_folding_twice_changes_nothing(url: str) -> None:
    folded = {
        "ada@example.org": "ada@example.org",
        "ADA.Lovelace+x@EXAMPLE.org": "ada.lovelace+x@example.org",
        "\uff21da@example.org": "ada@example.org",
        "ΣΊΣΥΦΟΣ@example.gr": "σίσυφοσ@example.gr",
        "σίσυφος@example.gr": "σίσυφοσ@example.gr",
        "ЁЛКА@пример.рф": "ёлка@пример.рф",
        "ﬁona@example.org": "fiona@example.org",
        "straße@example.de": "straße@example.de",
        "T\u0308@example.org": "\u1e97@example.org",
    }
    said = "SELECT ops.canonical_email_v1(one), ops.canonical_email_v1(ops.canonical_email_v1(one)) FROM unnest(%s) AS one"
    assert rows(url, said, (list(folded),)) == [(value, value) for value in folded.values()]


def test_an_application_that_signs_up_and_changes_its_address_needs_no_right_but_those_it_had(
    url: str,
) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SELECT register_user_v1('Ann@example.org', sha256('a'), 'Ann')")
        ((number,),) = cursor.fetchall()
        cursor.execute("SELECT set_config('app.user_id', %s, false)", (str(number),))
        cursor.execute("UPDATE users SET email = 'Ann@Example.COM'")
        cursor.execute("SELECT email_canonical FROM users")
        assert cursor.fetchall() == [("ann@example.com",)]
        cursor.execute("UPDATE users SET email_canonical = 'ann@example.net'")
        cursor.execute("SELECT email FROM users")
        assert cursor.fetchall() == [("ann@example.net",)]
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("SELECT register_user_v1('ANN@example.net', sha256('b'), 'Other')")
    trail = "SELECT DISTINCT changed_columns FROM audit_log WHERE entity_type = 'user' AND action = 'update'"
    assert rows(url, trail) == [(["email"],)]
