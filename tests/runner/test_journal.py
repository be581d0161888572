"""The journal says what happened, however it ended; nothing in it can change unseen."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2
import pytest
from runner.test_gate import said

from spotify_ai_agent_migrations.versions.core.database import open_connection
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.runner.entry import Entry, Origin, Written, unfinished
from spotify_ai_agent_migrations.versions.runner.journal import Journal
from support import (
    BEFORE_HEAD,
    HEAD,
    WAITING,
    Checkout,
    Processes,
    connected,
    rows,
    run,
    run_alembic,
    until,
)

LAST = (
    "SELECT revision, direction, state, sqlstate, statement, heads_after, reason"
    " FROM ops.migration_journal ORDER BY id DESC LIMIT %s"
)


def last(url: str, count: int = 1) -> list[tuple[object, ...]]:
    return rows(url, LAST, (count,))[::-1]


def agentdb(url: str, *arguments: str) -> tuple[int, str, str]:
    done = run(sys.executable, "-m", "spotify_ai_agent_migrations", *arguments, url=url)
    return done.returncode, done.stdout, done.stderr


def verify(url: str) -> tuple[int, list[str]]:
    code, out, err = agentdb(url, "governance", "journal", "--verify")
    assert err == ""
    return code, out.splitlines()


def test_every_revision_is_started_and_applied_and_the_journal_is_whole(url: str) -> None:
    found = rows(url, "SELECT revision, direction, state FROM ops.migration_journal ORDER BY id")
    assert found == [
        (f"{number:03d}", "upgrade", state)
        for number in range(1, int(HEAD) + 1)
        for state in ("started", "applied")
    ]
    code, said = verify(url)
    assert code == 0
    assert said[0].startswith(f"{2 * int(HEAD)} entries, whole; the last is ")


def test_an_entry_says_who_with_what_and_what_it_came_to(url: str) -> None:
    (entry,) = rows(url, "SELECT row_to_json(journal) FROM ops.migration_journal AS journal WHERE id = 6")[0]
    assert isinstance(entry, dict)
    assert entry["revision"] == "003"
    assert len(entry["checksum"]) == len(entry["code"]) == len(entry["hash"]) == 64
    assert entry["database_user"] == rows(url, "SELECT session_user::text")[0][0]
    assert entry["server_version"] == rows(url, "SHOW server_version")[0][0]
    assert entry["duration_ms"] > 0
    assert entry["heads_after"] == "003"
    assert entry["fingerprint_before"] != entry["fingerprint_after"]
    assert "AccessExclusiveLock" in entry["locks"]["public.users"]
    # Tables that the revision made were nobody else's to wait for.
    assert "public.playlist_snapshots" not in entry["locks"]
    empty = {name for name, value in entry.items() if value is None}
    assert empty <= {"sqlstate", "statement", "reason", "details", "git_commit"}


def test_the_schema_after_a_downgrade_is_the_one_before_the_upgrade(url: str) -> None:
    assert run_alembic("downgrade", "-1", url=url).returncode == 0
    up, down = rows(
        url,
        "SELECT direction, fingerprint_before, fingerprint_after FROM ops.migration_journal"
        " WHERE state = 'applied' ORDER BY id DESC LIMIT 2",
    )[::-1]
    assert (up[0], down[0]) == ("upgrade", "downgrade")
    assert (up[1], up[2]) == (down[2], down[1])


def test_a_downgrade_to_base_keeps_the_journal_and_the_next_upgrade_goes_on(empty_url: str) -> None:
    for arguments in (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "001")):
        assert run_alembic(*arguments, url=empty_url).returncode == 0
    assert rows(empty_url, "SELECT count(*) FROM ops.migration_journal") == [(4 * int(HEAD) + 2,)]
    assert last(empty_url) == [("001", "upgrade", "applied", None, None, "001", None)]
    assert verify(empty_url)[0] == 0


def test_a_failure_in_a_transaction_is_failed_with_its_statement_and_without_its_literals(
    checkout: Checkout, url: str
) -> None:
    number = checkout.add("execute(\"CREATE TABLE extra (); SELECT 'luisg@example.org'::integer\")")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 1
    started, failed = last(url, 2)
    assert started[:3] == (number, "upgrade", "started")
    assert failed[:4] == (number, "upgrade", "failed", "22P02")
    assert failed[4] == "CREATE TABLE extra (); SELECT ?::integer"
    assert failed[5:] == (None, "InvalidTextRepresentation")
    assert verify(url)[0] == 0


def test_what_the_revision_itself_raises_is_failed_too(checkout: Checkout, url: str) -> None:
    number = checkout.add("raise NotImplementedError('of luisg@example.org')")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 1
    assert last(url) == [(number, "upgrade", "failed", None, None, None, "RevisionError")]


def test_a_failure_after_an_autocommit_block_is_dirty(checkout: Checkout, url: str) -> None:
    number = checkout.add(
        "with op.get_context().autocommit_block():\n"
        "    execute('CREATE INDEX CONCURRENTLY users_time_zone_idx ON users (time_zone)')\n"
        "    execute('SELECT 1 / 0')"
    )
    assert checkout.alembic("upgrade", "head", url=url).returncode == 1
    assert last(url) == [(number, "upgrade", "dirty", "22012", "SELECT ? / ?", None, "DivisionByZero")]
    assert rows(url, "SELECT to_regclass('users_time_zone_idx') IS NOT NULL") == [(True,)]
    code, said, _ = agentdb(url, "governance", "drift")
    assert code == 3
    assert said.splitlines() == [
        "added index public.users_time_zone_idx",
        "    DROP INDEX CONCURRENTLY public.users_time_zone_idx;",
        "1 object of the schema differs from the journal",
    ]


def test_a_revision_outside_of_a_transaction_is_applied_once_it_is_done(checkout: Checkout, url: str) -> None:
    number = checkout.add(
        "with op.get_context().autocommit_block():\n"
        "    execute('CREATE INDEX CONCURRENTLY users_time_zone_idx ON users (time_zone)')"
    )
    done = checkout.alembic("upgrade", "head", url=url)
    assert done.returncode == 0, done.stderr
    assert last(url) == [(number, "upgrade", "applied", None, None, number, None)]
    assert agentdb(url, "governance", "drift")[:2] == (0, "nothing differs from the journal\n")


@pytest.mark.parametrize("alone", [False, True])
def test_an_attempt_that_was_killed_is_ended_by_the_next_run(
    checkout: Checkout, url: str, alone: bool
) -> None:
    body = "execute('LOCK users')" if not alone else (
        "with op.get_context().autocommit_block():\n    execute('CREATE INDEX CONCURRENTLY IF NOT EXISTS a_idx ON users (time_zone)')"
    )  # fmt: skip
    number = checkout.add(body)
    with connected(url, autocommit=False) as blocker:
        blocker.cursor().execute("LOCK users IN ROW EXCLUSIVE MODE")
        process = checkout.start("-x", "lock-timeout-ms=60000", "upgrade", "head", url=url)
        until(lambda: rows(url, WAITING) == [(1,)])
        process.kill()
        process.communicate()
        until(lambda: rows(url, WAITING) == [(0,)])
    assert last(url) == [(number, "upgrade", "started", None, None, None, None)]
    rows(url, "DROP INDEX IF EXISTS a_idx")
    done = checkout.alembic("upgrade", "head", url=url)
    assert done.returncode == 0, done.stderr
    ended, started, applied = last(url, 3)
    assert ended[:3] == (number, "upgrade", "dirty" if alone else "failed")
    assert ended[6] == "its process ended without a word"
    assert (started[2], applied[2]) == ("started", "applied")
    assert verify(url)[0] == 0


def test_an_exception_that_was_made_since_hides_no_attempt_that_was_killed() -> None:
    origin = Origin("a", None, None, "host", "1", "1", "2")
    began, made, ended = (
        Written(number, "2026-01-01T00:00:00.000000Z", "who", "18", origin, entry, "", "")
        for number, entry in enumerate(
            (
                Entry("upgrade", "started", "012"),
                Entry("accept", "applied"),
                Entry("upgrade", "failed", "012"),
            )
        )
    )
    assert unfinished((began, made)) == began
    assert unfinished((began, made, ended)) is None


def test_an_interrupt_is_journaled_with_the_server_s_own_code(checkout: Checkout, url: str) -> None:
    number = checkout.add("execute('SELECT pg_sleep(300)')")
    process = checkout.start("upgrade", "head", url=url)
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )
    until(lambda: rows(url, sleeping) == [(1,)])
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert last(url) == [(number, "upgrade", "failed", "57014", "SELECT pg_sleep(?)", None, "QueryCanceled")]


def test_each_try_of_a_revision_is_an_attempt(checkout: Checkout, url: str) -> None:
    number = checkout.add("execute('LOCK users')")
    with connected(url, autocommit=False) as blocker:
        blocker.cursor().execute("LOCK users IN ROW EXCLUSIVE MODE")
        done = checkout.alembic("-x", "lock-timeout-ms=100", "-x", "tries=2", "upgrade", "head", url=url)
    assert done.returncode == 1
    failed = (number, "upgrade", "failed", "55P03", "LOCK users", None, "LockNotAvailable")
    started = (number, "upgrade", "started", None, None, None, None)
    assert last(url, 4) == [started, failed, started, failed]


def test_a_stamp_is_journaled(url: str) -> None:
    assert run_alembic("stamp", BEFORE_HEAD, url=url).returncode == 0
    assert last(url) == [(BEFORE_HEAD, "stamp", "applied", None, None, BEFORE_HEAD, None)]
    assert verify(url)[0] == 0
    # A purge to base is no step of Alembic's, and empties its table.
    assert run_alembic("stamp", "--purge", "base", url=url).returncode == 0
    assert rows(url, "SELECT version_num FROM alembic_version") == []
    assert last(url) == [(None, "stamp", "applied", None, None, "", None)]
    assert verify(url)[0] == 0


def test_an_entry_that_cannot_be_kept_takes_nothing_from_the_next(url: str) -> None:
    opener = partial(open_connection, resolve_settings(url, environ={}), purpose="test")
    with closing(Journal(opener)) as journal:
        bad: Any = "no such state"
        with pytest.raises(psycopg2.errors.CheckViolation):
            journal.write(Entry("upgrade", bad, HEAD))
        journal.write(Entry("upgrade", "refused", HEAD))
    assert [row[2] for row in last(url)] == ["refused"]
    assert verify(url)[0] == 0


def test_a_dry_run_is_not_journaled(url: str) -> None:
    before = rows(url, "SELECT count(*) FROM ops.migration_journal")
    assert run_alembic("-x", "dry-run=1", "downgrade", "-1", url=url).returncode == 0
    assert rows(url, "SELECT count(*) FROM ops.migration_journal") == before == [(2 * int(HEAD),)]


def test_what_an_offline_script_did_is_found_as_a_change_outside_of_the_journal(url: str) -> None:
    assert run_alembic("downgrade", BEFORE_HEAD, url=url).returncode == 0
    script = run_alembic("upgrade", f"{BEFORE_HEAD}:{HEAD}", "--sql").stdout
    with connected(url) as connection:
        connection.cursor().execute(script.replace("\\set ON_ERROR_STOP on", ""))
    code, said = verify(url)
    assert code == 3
    assert said[0].endswith(f"the database is at {HEAD}, and the journal says {BEFORE_HEAD}")
    code, out, _ = agentdb(url, "governance", "drift")
    assert code == 3
    assert f"the database is at {HEAD}, and the journal at {BEFORE_HEAD}" in out
    code, out, _ = agentdb(url, "governance", "accept-drift", "--reason", "run by hand, ticket 12")
    assert code == 0
    assert verify(url)[0] == 0
    assert last(url) == [(None, "accept", "applied", None, None, HEAD, "run by hand, ticket 12")]


def test_a_database_from_before_the_journal_is_taken_as_it_is(url: str) -> None:
    rows(url, "DROP TABLE ops.migration_journal, ops.migration_state")
    done = run_alembic("upgrade", "head", url=url)
    assert done.returncode == 0
    assert f"the journal begins here, with the database at {HEAD}" in done.stderr
    assert last(url) == [(None, "accept", "applied", None, None, HEAD, "the journal begins")]


@pytest.mark.parametrize("statement", ["UPDATE ops.migration_journal SET reason = 'x'", "DELETE FROM ops.migration_journal", "TRUNCATE ops.migration_journal"])  # fmt: skip
def test_its_owner_may_add_to_it_and_not_change_it(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_owner; SELECT count(*) FROM ops.migration_journal")
        assert cursor.fetchone() == (2 * int(HEAD),)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)
        cursor.execute("SET ROLE agent_app")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT FROM ops.migration_journal")


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE ops.migration_journal SET reason = 'all is well' WHERE id = 3",
         "entry 3: is not what was written: its hash is another"),
        ("UPDATE ops.migration_journal SET locks = '{}' WHERE id = 6",
         "entry 6: is not what was written: its hash is another"),
        ("DELETE FROM ops.migration_journal WHERE id = 4",
         "entry 5: entry 4 should stand here; what was between is gone or moved"),
        ("UPDATE ops.migration_journal SET id = -id WHERE id IN (3, 5);"
         "UPDATE ops.migration_journal SET id = 8 + id WHERE id < 0",
         "entry 3: is not what was written: its hash is another"),
        (f"DELETE FROM ops.migration_journal WHERE id > {2 * int(HEAD) - 2}",
         f"entry {2 * int(HEAD) - 2}: the journal ends here, and {2 * int(HEAD)} entries were written: the end is another"),
        ("TRUNCATE ops.migration_journal",
         f"entry 0: the journal ends here, and {2 * int(HEAD)} entries were written: the end is another"),
        ("TRUNCATE ops.migration_journal, ops.migration_state",
         f"entry 0: the database is at {HEAD}, and the journal says base"),
    ],
)  # fmt: skip
def test_whatever_is_done_to_the_journal_is_found(url: str, tampering: str, fault: str) -> None:
    assert verify(url)[0] == 0
    rows(url, tampering)
    code, said = verify(url)
    assert code == 3
    assert fault in said


def test_a_journal_written_anew_is_found_by_the_hash_kept_elsewhere(url: str) -> None:
    head = verify(url)[1][-1].rpartition(" ")[2]
    assert agentdb(url, "governance", "journal", "--verify", "--head", head)[0] == 0
    code, out, _ = agentdb(url, "governance", "journal", "--verify", "--head", "0" * 64)
    assert code == 3
    assert out.splitlines()[0] == f"entry {2 * int(HEAD)}: no entry has the hash {'0' * 64}"


def test_the_journal_is_shown_a_line_an_entry(url: str) -> None:
    code, out, _ = agentdb(url, "governance", "journal")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 2 * int(HEAD)
    assert f"upgrade {HEAD} applied  " in lines[-1]


def test_a_database_without_a_journal_says_so(empty_url: str) -> None:
    code, _, err = agentdb(empty_url, "governance", "journal")
    assert (code, err.splitlines()) == (
        1,
        [
            "error: this database has no journal: no migration has run in it yet",
            "Hint: alembic upgrade head begins one",
        ],
    )


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda text: text.replace("\nrevision = ", "\n# a remark\nrevision = "), "in comments or layout only: its code is the same"),
        (lambda text: text.replace("'Paris'", "'Rome'"), "in its code"),
    ],
)  # fmt: skip
def test_an_applied_revision_whose_file_changed_is_refused_until_it_is_accepted(
    checkout: Checkout, url: str, change: Callable[[str], str], how: str
) -> None:
    number = checkout.add("execute(\"COMMENT ON TABLE users IS 'Paris'\")")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    file = checkout.versions / f"{number}_added.py"
    text = file.read_text()
    file.write_text(text.replace("\n", "\r\n"), newline="")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    assert change(text) != text
    file.write_text(change(text))
    done = checkout.alembic("upgrade", "head", url=url)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [
            f"error: revision {number} changed after it was applied, {how}",
            f"Hint: restore {number}_added.py from Git; or restore it and write a new revision; or keep the change "
            f'with agentdb governance accept {number} --reason "…"',
        ],
    )
    command = ("-m", "spotify_ai_agent_migrations", "governance", "accept", number, "--reason")
    assert checkout.python(*command, "  ", url=url).returncode == 2
    done = checkout.python(*command, "typo", url=url)
    assert (done.returncode, done.stdout) == (0, f"revision {number} is accepted as it is now\n"), done.stderr
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    assert last(url) == [(number, "accept", "applied", None, None, None, "typo")]
    again = checkout.python(*command, "typo", url=url)
    assert again.returncode == 1
    assert f'revision "{number}" is not an applied one whose file changed' in again.stderr


def test_reading_the_schema_waits_within_the_bound_and_names_who_is_in_the_way(url: str) -> None:
    with connected(url, autocommit=False) as other:
        other.cursor().execute("LOCK users")
        pid = other.info.backend_pid
        started = time.monotonic()
        done = run_alembic("-x", "lock-timeout-ms=200", "-x", "tries=2", "upgrade", "head", url=url)
        assert time.monotonic() - started < 20
    waited = int(str(rows(url, "SHOW server_version_num")[0][0])) >= 180_000
    if waited:
        assert done.returncode == 1
        assert f"in the way: pid {pid}, user " in done.stderr
    assert run_alembic("upgrade", "head", url=url).returncode == 0


def test_a_login_that_may_make_no_schema_is_told_what_it_lacks(login: Callable[..., str]) -> None:
    done = run_alembic(
        "upgrade", "head", url=login("CREATEROLE", grants=("GRANT ALL ON SCHEMA public TO {role}",))
    )
    assert done.returncode == 1
    problem, hint = said(done.stderr)
    assert problem.startswith("error: the migration journal cannot be made: permission denied for database")
    assert re.fullmatch('Hint: as an administrator run ALTER DATABASE "t.*" OWNER TO "r.*";', hint)


def test_a_login_that_may_make_no_table_is_told_what_it_lacks(login: Callable[..., str]) -> None:
    done = run_alembic("upgrade", "head", url=login("CREATEROLE"))
    assert done.returncode == 1
    problem, hint = said(done.stderr)
    assert problem == "error: the migration failed: permission denied for schema public"
    assert re.fullmatch('Hint: as an administrator run ALTER DATABASE "t.*" OWNER TO "r.*";', hint)


def test_where_nothing_can_be_written_the_journal_adds_no_word_of_its_own(url: str) -> None:
    name = rows(url, "SELECT current_database()")[0][0]
    rows(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    done = run_alembic("downgrade", "-1", url=url)
    assert done.returncode == 1
    problem, hint = said(done.stderr)
    assert problem.startswith(f"error: downgrade of revision {HEAD}_")
    assert problem.endswith("in a read-only transaction")
    assert hint == "Hint: SQLSTATE 25006; what was not committed is undone"


def test_four_upgrades_at_once_write_one_whole_journal(processes: Processes, empty_url: str) -> None:
    four = [
        processes.start(sys.executable, "-m", "alembic", "upgrade", "002", url=empty_url) for _ in range(4)
    ]
    for process in four:
        process.communicate(timeout=300)
    assert rows(empty_url, "SELECT count(*) FROM ops.migration_journal") == [(4,)]
    assert verify(empty_url)[0] == 0


def test_the_entries_of_a_command_share_its_run(url: str) -> None:
    assert run_alembic("downgrade", "-1", url=url).returncode == 0
    runs = rows(url, "SELECT count(*) FROM ops.migration_journal GROUP BY run ORDER BY min(id)")
    assert runs == [(2 * int(HEAD),), (2,)]
