"""Many at once, killed half-way, a reader in the way: nothing lost, nothing waits without a bound."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import (
    BEFORE_HEAD,
    HEAD,
    LOCKED,
    ROOT,
    WAITING,
    Checkout,
    Processes,
    connected,
    environment,
    heard,
    rows,
    run_alembic,
    until,
)

UPGRADE = (sys.executable, "-m", "alembic", "upgrade", "head")


def test_ten_upgrades_at_once_all_succeed_and_each_revision_runs_once(
    processes: Processes, empty_url: str
) -> None:
    ten = [processes.start(*UPGRADE, url=empty_url) for _ in range(10)]
    said = [process.communicate(timeout=300)[1] for process in ten]
    assert [process.returncode for process in ten] == [0] * 10, said
    everything = "".join(said)
    assert everything.count("Running upgrade  -> 001") == 1
    assert everything.count(f"Running upgrade {BEFORE_HEAD} -> {HEAD}") == 1
    assert rows(empty_url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert rows(empty_url, deadlocks) == [(0,)]


def test_killed_in_the_middle_of_a_revision_leaves_nothing_and_the_next_run_completes(
    processes: Processes, empty_url: str
) -> None:
    assert run_alembic("upgrade", "001", url=empty_url).returncode == 0
    with connected(empty_url, autocommit=False) as blocker:
        # The revision's last statement waits here, with all its tables made and none committed.
        blocker.cursor().execute("LOCK alembic_version IN SHARE MODE")
        bound = ("-x", "lock-timeout-ms=60000")
        process = processes.start(sys.executable, "-m", "alembic", *bound, "upgrade", "002", url=empty_url)
        until(lambda: rows(empty_url, WAITING) == [(1,)])
        process.kill()
        process.communicate()
        # The server notices that its client is gone while the lock is still held.
        until(lambda: rows(empty_url, WAITING) == [(0,)])
        assert rows(empty_url, "SELECT to_regclass('users')") == [(None,)]
    done = run_alembic("upgrade", "002", url=empty_url)
    assert done.returncode == 0, done.stderr
    assert rows(empty_url, "SELECT to_regclass('users')::text") == [("users",)]


def test_a_long_reader_is_waited_for_within_the_bound_without_queueing_other_readers(
    checkout: Checkout, url: str
) -> None:
    checkout.add(
        "execute(\"ALTER TABLE users ALTER time_zone DROP DEFAULT; COMMENT ON TABLE users IS 'changed'\")"
    )
    with connected(url, autocommit=False) as reader:
        reader.cursor().execute("SELECT count(*) FROM users; LOCK users IN ROW SHARE MODE")
        process = checkout.start("-x", "lock-timeout-ms=200", "-x", "tries=20", "upgrade", "head", url=url)
        longest_s = 0.0
        with ThreadPoolExecutor(1) as pool:
            twice = pool.submit(lambda: [heard(process.stderr, "trying again in") for _ in range(2)])
            while not twice.done():
                started = time.monotonic()
                rows(url, "SELECT count(*) FROM users")
                longest_s = max(longest_s, time.monotonic() - started)
        assert len(twice.result()) == 2
        reader.rollback()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert longest_s < 0.2 + 2.0  # the lock time-out, and room for a slow machine
    assert rows(url, "SELECT obj_description('users'::regclass)") == [("changed",)]


def test_giving_up_names_the_blocker_and_changes_nothing(checkout: Checkout, url: str) -> None:
    number = checkout.add("execute('ALTER TABLE users ALTER email SET STATISTICS 500; LOCK users')")
    with connected(url, autocommit=False) as reader:
        reader.cursor().execute("SELECT 'luisg@example.org' FROM users")
        pid = reader.info.backend_pid
        started = time.monotonic()
        done = checkout.alembic("-x", "lock-timeout-ms=200", "-x", "tries=3", "upgrade", "head", url=url)
        assert time.monotonic() - started < 20
    assert done.returncode == 1
    problem, hint = done.stderr.splitlines()[-2:]
    assert problem.startswith(
        f"error: upgrade of revision {number}_added gave up after 3 tries of 200 ms: "
        f"canceling statement due to lock timeout; in the way: pid {pid}, user "
    )
    assert problem.endswith("idle in transaction: SELECT ? FROM users")
    assert hint == f"Hint: let it finish and run again, or end it with SELECT pg_terminate_backend({pid});"
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    target = "SELECT coalesce(attstattarget, -1) FROM pg_attribute WHERE attname = 'email'"
    assert rows(url, f"{target} AND attrelid = 'users'::regclass") == [(-1,)]


def test_a_deadlock_is_tried_again(checkout: Checkout, url: str) -> None:
    checkout.add("execute('LOCK users'); execute('SELECT pg_advisory_xact_lock(7)'); execute('LOCK tracks')")
    with connected(url, autocommit=False) as gate, connected(url, autocommit=False) as other:
        gate.cursor().execute("SELECT pg_advisory_xact_lock(7)")
        cursor = other.cursor()
        # Who waits for less long than this is the one to be ended.
        cursor.execute("SET deadlock_timeout = '10min'; LOCK tracks IN SHARE ROW EXCLUSIVE MODE")
        process = checkout.start("-x", "lock-timeout-ms=60000", "upgrade", "head", url=url)
        until(lambda: rows(url, WAITING) == [(1,)])
        with ThreadPoolExecutor(1) as pool:
            locked = pool.submit(cursor.execute, "SET lock_timeout = '50s'; LOCK users")
            until(lambda: rows(url, LOCKED) == [(2,)])
            gate.rollback()
            locked.result()
        other.rollback()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "deadlock detected was in the way" in err


def test_what_waiting_cannot_cure_is_not_tried_again(checkout: Checkout, url: str) -> None:
    number = checkout.add("execute(\"CREATE TABLE extra (); SELECT 'luisg@example.org'::integer\")")
    done = checkout.alembic("upgrade", "head", url=url)
    assert done.returncode == 1
    assert "trying again" not in done.stderr
    assert done.stderr.splitlines()[-2:] == [
        f'error: upgrade of revision {number}_added failed: invalid input syntax for type integer: "…"',
        "Hint: SQLSTATE 22P02 at: CREATE TABLE extra (); SELECT ?::integer",
    ]
    assert "luisg" not in done.stdout + done.stderr
    assert rows(url, "SELECT to_regclass('extra')") == [(None,)]


def test_earlier_revisions_of_a_failed_run_stay_and_the_next_run_goes_on_behind_them(
    checkout: Checkout, url: str
) -> None:
    number = checkout.add("execute('CREATE TABLE kept ()')")
    failing = checkout.add("execute('SELECT 1 / 0')")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 1
    assert rows(url, "SELECT version_num, to_regclass('kept')::text FROM alembic_version") == [
        (number, "kept")
    ]
    file = checkout.versions / f"{failing}_added.py"
    file.write_text(file.read_text().replace("1 / 0", "1"))
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    assert rows(url, "SELECT version_num FROM alembic_version") == [(failing,)]


def test_the_migration_lock_is_waited_for_within_its_bound(url: str) -> None:
    from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key

    with connected(url, autocommit=False) as holder:
        with advisory_lock(holder, lock_key("alembic_version"), wait_ms=0):
            done = run_alembic("-x", "wait-ms=300", "upgrade", "head", url=url)
            assert run_alembic("current", url=url).stdout == f"{HEAD} (head)\n"
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2].startswith(
        "error: waited 300 ms for the migration lock and gave up; nothing was changed; held by pid "
    )


def test_what_changes_while_a_command_waits_is_not_run(checkout: Checkout, url: str) -> None:
    from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key

    file = checkout.versions / f"{checkout.add(_MADE)}_added.py"
    for arguments in (("-m", "alembic", "upgrade", "head"), (str(file),)):
        with connected(url, autocommit=False) as holder:
            with advisory_lock(holder, lock_key("alembic_version"), wait_ms=0):
                waiting = checkout.start_python(*arguments, url=url)
                until(lambda: rows(url, _CONNECTED) == [(1,)])
                file.write_text(file.read_text() + "# read by nobody yet\n")
            told = waiting.communicate(timeout=60)[1]
        assert (waiting.returncode, f'the file "{file.name}" changed while the command waited' in told) == (1, True), told  # fmt: skip
    assert rows(url, "SELECT to_regclass('made')") == [(None,)]
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    assert rows(url, "SELECT to_regclass('made')::text") == [("made",)]


_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'agentdb migrate'"
_MADE = "execute('CREATE SEQUENCE made')"


def test_an_autocommit_block_works_and_does_not_deadlock_with_a_waiting_runner(
    checkout: Checkout, url: str
) -> None:
    checkout.add(
        """
        with op.get_context().autocommit_block():
            execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS users_time_zone_idx ON users (time_zone)")
        """,
        downgrade="""
        with op.get_context().autocommit_block():
            execute("DROP INDEX CONCURRENTLY IF EXISTS users_time_zone_idx")
        """,
    )
    processes = [checkout.start("upgrade", "head", url=url) for _ in range(3)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_time_zone_idx'::regclass"
    assert rows(url, valid) == [(True,)]
    assert checkout.alembic("downgrade", "-1", url=url).returncode == 0
    assert rows(url, "SELECT to_regclass('users_time_zone_idx')") == [(None,)]


def test_a_dry_run_names_what_it_cannot_execute(checkout: Checkout, url: str) -> None:
    checkout.add(
        """
        with op.get_context().autocommit_block():
            execute("CREATE INDEX CONCURRENTLY users_time_zone_idx ON users (time_zone)")
        """
    )
    done = checkout.alembic("-x", "dry-run=1", "upgrade", "head", url=url)
    assert done.returncode == 0, done.stderr
    assert (
        "dry run: not executed, needs to run alone: "
        "CREATE INDEX CONCURRENTLY users_time_zone_idx ON users (time_zone)" in done.stderr
    )
    assert rows(url, "SELECT to_regclass('users_time_zone_idx')") == [(None,)]


def test_offline_an_autocommit_block_stands_outside_the_transactions(checkout: Checkout) -> None:
    number = checkout.add(
        """
        with op.get_context().autocommit_block():
            execute("CREATE INDEX CONCURRENTLY users_time_zone_idx ON users (time_zone)")
        """
    )
    text = checkout.alembic("upgrade", f"{HEAD}:{number}", "--sql").stdout
    before, _, after = text.partition("CREATE INDEX CONCURRENTLY")
    assert before.rstrip().endswith("COMMIT;")
    assert after.partition(";")[2].lstrip().startswith("BEGIN;")


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_no_bound_can_be_taken_away(value: str, url: str) -> None:
    done = run_alembic("-x", f"lock-timeout-ms={value}", "upgrade", "head", url=url)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            f'error: "-x lock-timeout-ms={value}" is not a positive number',
            "Hint: say -x lock-timeout-ms=5000",
        ],
    )


INDEX = """
with op.get_context().autocommit_block():
    execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS users_time_zone_idx ON users (time_zone)")
"""


def test_a_concurrent_index_that_was_cut_off_is_never_taken_for_done(checkout: Checkout, url: str) -> None:
    number = checkout.add(INDEX)
    upgrade = ("-x", "lock-timeout-ms=300", "upgrade", "head")
    with connected(url, autocommit=False) as writer:
        writer.cursor().execute("LOCK users IN ROW EXCLUSIVE MODE")
        cut_off = checkout.alembic(*upgrade, url=url)
    assert cut_off.returncode == 1
    assert "trying again" not in cut_off.stderr
    assert "; in the way: pid " in cut_off.stderr.splitlines()[-2]
    drop = "a half-built index is left: DROP INDEX CONCURRENTLY users_time_zone_idx;"
    assert drop in cut_off.stderr.splitlines()[-1]
    again = checkout.alembic(*upgrade, url=url)
    assert (again.returncode, again.stderr.splitlines()[-2:]) == (
        1,
        [
            f'error: upgrade of revision {number}_added failed: index "users_time_zone_idx" is there and invalid',
            "Hint: a build of it was cut off: DROP INDEX CONCURRENTLY users_time_zone_idx; then run it again",
        ],
    )
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    with connected(url) as connection:
        connection.cursor().execute("DROP INDEX CONCURRENTLY users_time_zone_idx")
    assert checkout.alembic(*upgrade, url=url).returncode == 0
    assert rows(url, "SELECT version_num FROM alembic_version") == [(number,)]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (
            "execute(\"COMMENT ON TABLE users IS 'mixed'\")\n" + INDEX.strip(),
            "an autocommit block follows other statements, which it would commit",
        ),
        (
            INDEX.strip() + "\nexecute(\"COMMENT ON TABLE users IS 'mixed'\")",
            "a statement follows an autocommit block, and could fail when the block is done",
        ),
    ],
)
def test_a_revision_that_mixes_transactions_is_refused(
    checkout: Checkout, url: str, body: str, what: str
) -> None:
    checked = checkout.add(body)
    refused = checkout.alembic("upgrade", "head", url=url)
    assert (refused.returncode, "MIG024 an autocommit block" in refused.stderr) == (3, True)
    # What the check does not see, or is told to allow, the runner refuses when it comes to it.
    (checkout.versions / f"{checked}_added.py").unlink()
    number = checkout.add(body.replace('(time_zone)")', '(time_zone)")  # allow MIG024: the runner is asked'))
    done = checkout.alembic("upgrade", "head", url=url)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [
            f"error: upgrade of revision {number}_added mixes transactions: {what}",
            "Hint: give the autocommit block a revision of its own; what was committed stays",
        ],
    )
    assert rows(url, "SELECT obj_description('users'::regclass) = 'mixed'") == [(False,)]
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_two_blocks_one_after_the_other_are_no_mixture(checkout: Checkout, url: str) -> None:
    look = "execute('SELECT 1')"
    number = checkout.add(
        "\n".join((look, INDEX.strip(), INDEX.strip().replace("time_zone", "status"), look))
    )
    done = checkout.alembic("upgrade", "head", url=url)
    assert done.returncode == 0, done.stderr
    assert rows(url, "SELECT version_num FROM alembic_version") == [(number,)]
    assert rows(url, "SELECT to_regclass('users_status_idx')::text") == [("users_status_idx",)]


def test_what_a_revision_raises_itself_is_two_lines(checkout: Checkout, url: str) -> None:
    number = checkout.add(
        "execute('SELECT 1')", downgrade="raise NotImplementedError('the old values are gone')"
    )
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    done = checkout.alembic("downgrade", "-1", url=url)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [
            f"error: downgrade of revision {number}_added raised NotImplementedError: the old values are gone",
            f"Hint: read {number}_added.py; what was not committed is undone",
        ],
    )
    assert "Traceback" not in done.stderr


def test_interrupted_by_the_keyboard_it_ends_at_once_and_leaves_nothing(checkout: Checkout, url: str) -> None:
    number = checkout.add("execute('LOCK users; CREATE TABLE extra (); SELECT pg_sleep(300)')")
    process = checkout.start("upgrade", "head", url=url)
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )
    until(lambda: rows(url, sleeping) == [(1,)])
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 10
    assert process.returncode == 1
    assert err.splitlines()[-2] == (
        f"error: upgrade of revision {number}_added failed: canceling statement due to user request"
    )
    assert "Traceback" not in err
    assert rows(url, sleeping) == [(0,)]
    assert rows(url, "SELECT to_regclass('extra')") == [(None,)]


def test_a_reader_of_the_script_that_goes_away_makes_no_noise() -> None:
    closed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m alembic upgrade head --sql | head -1"],
        cwd=ROOT, env=environment(None), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert closed.stdout == "\\set ON_ERROR_STOP on\n"
    assert "Traceback" not in closed.stderr


def test_a_prepared_transaction_in_the_way_is_named(checkout: Checkout, url: str) -> None:
    if rows(url, "SHOW max_prepared_transactions") == [("0",)]:
        pytest.skip("this server allows no prepared transactions")
    checkout.add("execute('LOCK users')")
    with connected(url, autocommit=False) as other:
        other.cursor().execute("LOCK users; PREPARE TRANSACTION 'left over'")
    try:
        done = checkout.alembic("-x", "lock-timeout-ms=200", "-x", "tries=1", "upgrade", "head", url=url)
        assert 'in the way: prepared transaction "left over" of user ' in done.stderr
        assert done.stderr.splitlines()[-1].endswith("ROLLBACK PREPARED 'left over';")
    finally:
        with connected(url) as connection:
            connection.cursor().execute("ROLLBACK PREPARED 'left over'")
