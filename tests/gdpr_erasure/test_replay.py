"""After a restore: nobody is let in before whoever was erased is erased again, and nobody else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
from gdpr_erasure.people import ADA, BOB
from partitioning.test_replicas import as_owner, folder_of, started
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError
from spotify_ai_agent_migrations.versions.core.locks import lock_key
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import make_keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import hiding
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.hiding import Brake
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.job import work
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys, keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import (
    drop,
    entry_of,
    export_ledger,
    read_ledger,
    write,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Kind
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import ordered
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.replay import Replayed, replay, watch
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import eraser, once
from support import Databases, client, connected, rows, run, until

NOTHING = Replayed(0, 0, 0, 0, 0, 0, (), 0, (), is_open=True)
THERE = "SELECT status, email, display_name FROM users WHERE id = %s"
ADA_THERE = [("active", "ada.lovelace@example.org", "Ada Lovelace")]
BOB_THERE = [("active", "bob.dobbs@example.org", "Bob Dobbs")]
GONE = [("erased", None, None)]
IS_OPEN = "SELECT ops.gate_is_open_v1()"
# No server recovers with less of these than it had.
LEAST = """
SELECT format('%s=%s', name, setting)
  FROM pg_settings
 WHERE name IN ('max_connections', 'max_prepared_transactions', 'max_wal_senders', 'max_worker_processes', 'max_locks_per_transaction')
"""
CLOSED = (
    "this database was restored, and whoever was erased since is not erased here\n"
    "HINT:  agentdb gdpr-erasure replay erases them again, and lets the application in\n"
)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a ledger, named by the environment as its keys are."""
    make_keys(tmp_path / "erasure.key", tmp_path / "erasure.pub")
    monkeypatch.setenv("ERASURE_SIGNING_KEY_FILE", str(tmp_path / "erasure.key"))
    monkeypatch.setenv("ERASURE_LEDGER_KEY", "ab" * 32)
    monkeypatch.setenv("SUPPRESSION_KEY", "cd" * 32)
    monkeypatch.setenv("ERASURE_LEDGER_FILE", str(tmp_path / "erasures.ledger"))
    return tmp_path / "erasures.ledger"


Restore = Callable[[], str]


@pytest.fixture
def made(databases: Databases) -> Iterator[list[str]]:
    """The names of databases that are gone when the test has ended."""
    names: list[str] = []
    yield names
    for name in names:
        databases.drop(name)


@pytest.fixture
def dump(databases: Databases, made: list[str], tmp_path: Path) -> Callable[[str], Restore]:
    """Dump a database; what is returned restores it, as a new database."""

    def dumped(url: str) -> Restore:
        file = tmp_path / "dump"
        done = run(client("pg_dump", url), "--format=custom", "-f", file, "-d", url)
        assert done.returncode == 0, done.stderr

        def restored() -> str:
            made.append(databases.create())
            copy = databases.url(made[-1])
            done = run(client("pg_restore", url), "--exit-on-error", "-d", copy, file)
            assert done.returncode == 0, done.stderr
            return copy

        return restored

    return dumped


@pytest.fixture
def backup(databases: Databases, made: list[str]) -> Callable[[str], Restore]:
    """As `dump`, by clones: what a dump changes is the number of the gate's table, which a clone is told."""

    def cloned(url: str) -> Restore:
        made.append(databases.create(str(parse_dsn(url)["dbname"])))
        kept = made[-1]

        def restored() -> str:
            made.append(databases.create(kept))
            copy = databases.url(made[-1])
            rows(copy, "UPDATE ops.erasure_gate SET table_oid = 1")
            return copy

        return restored

    return cloned


def keys_of(url: str) -> Keys:
    return keys_for(resolve_settings(url))


def as_app(url: str, statement: str) -> list[tuple[object, ...]]:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SET app.user_id = 770000111")
        cursor.execute(statement)
        return cursor.fetchall()


def refused(url: str, statement: str) -> str:
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as caught:
        as_app(url, statement)
    return str(caught.value).partition("CONTEXT")[0]


def begun(url: str, subject: int) -> None:
    """Hide a person, and do no more."""
    order, keys = ordered("request", None, None, None, None), keys_of(url)
    with eraser(url) as connection:
        once(connection, lambda cursor: hiding.hide(cursor, subject, order, Brake(), keys))


def test_whom_a_backup_brings_back_is_erased_again_and_the_application_waits_for_that(
    entangled: str, ledger: Path, dump: Callable[[str], Restore]
) -> None:
    restore = dump(entangled)
    first = erase_user(ADA.id, url=entangled)
    assert as_app(entangled, "SELECT erasure_gate_v1()::text, count(*)::int FROM users") == [("", 1)]
    copy = restore()
    assert rows(copy, THERE, (ADA.id,)) == ADA_THERE
    for statement in ("SELECT erasure_gate_v1()", "SELECT email FROM users", "SELECT * FROM listens"):
        assert refused(copy, statement) == CLOSED
    done = replay(ledger, copy)
    assert done == replace(NOTHING, lines=3, erased=1)
    assert rows(copy, THERE, (ADA.id,)) == GONE
    assert rows(copy, THERE, (BOB.id,)) == BOB_THERE
    assert as_app(copy, "SELECT erasure_gate_v1()::text, count(*)::int FROM users") == [("", 1)]
    ((number, reason, certificate, asked),) = rows(
        copy, "SELECT id::text, reason, certificate, requested_at FROM ops.erasures"
    )
    assert reason == "replay"
    assert str(number) != str(first.id)
    assert str(number) in str(certificate)
    # The clock of the answer is that of the first time.
    assert asked == rows(entangled, "SELECT requested_at FROM ops.erasures")[0][0]


def test_a_second_replay_finds_nothing_to_do(
    entangled: str, ledger: Path, backup: Callable[[str], Restore]
) -> None:
    restore = backup(entangled)
    erase_user(ADA.id, url=entangled)
    copy = restore()
    assert replay(ledger, copy).erased == 1
    seen = "SELECT (SELECT count(*) FROM audit_log), (SELECT string_agg(certificate, '') FROM ops.erasures)"
    before = rows(copy, seen)
    # The ledger tells of both erasures, the one from before and the one again.
    assert replay(ledger, copy) == replace(NOTHING, lines=6, known=2)
    assert rows(copy, seen) == before
    # Nor has it anything to do where nothing was restored, or where it was restored twice.
    assert replay(ledger, entangled) == replace(NOTHING, lines=6, known=2)
    assert replay(ledger, restore()) == replace(NOTHING, lines=6, erased=1)


def test_nobody_is_erased_for_a_number_or_an_address_that_was_somebody_elses(
    entangled: str, ledger: Path, backup: Callable[[str], Restore]
) -> None:
    rows(
        entangled,
        "INSERT INTO users (id, email, display_name) VALUES (5, 'a@example.org', 'A'), (6, 'b@example.org', 'B')",
    )
    before = backup(entangled)
    erase_user(5, url=entangled)
    erase_user(6, url=entangled)
    copy = before()
    # In the past that is restored the one with number 5 has not come yet, and somebody else does.
    rows(copy, "DELETE FROM users WHERE id IN (5, 6)")
    rows(
        copy,
        "INSERT INTO users (id, email, display_name) VALUES (5, 'c@example.org', 'C'), (7, 'a@example.org', 'A')",
    )
    there = "SELECT id, email, status FROM users WHERE id IN (5, 6, 7) ORDER BY id"
    assert replay(ledger, copy) == replace(NOTHING, lines=6, absent=2)
    assert rows(copy, there) == [(5, "c@example.org", "active"), (7, "a@example.org", "active")]
    # As it was they are known by both together.
    assert replay(ledger, before()).erased == 2


def test_one_that_fails_keeps_the_gate_shut_and_nobody_else_from_being_erased(
    entangled: str, ledger: Path, backup: Callable[[str], Restore]
) -> None:
    restore = backup(entangled)
    first = erase_user(ADA.id, url=entangled)
    erase_user(BOB.id, url=entangled)
    copy = restore()
    with connected(copy) as connection, connection.cursor() as cursor:
        # Somebody erases her at this moment, and takes long.
        cursor.execute("SELECT pg_advisory_lock(%s)", (lock_key(f"erasure of {ADA.id}"),))
        done = replay(ledger, copy, wait_s=1)
    assert [one.erasure for one in done.failures] == [first.id]
    assert (done.erased, done.is_open) == (1, False)
    assert str(ADA.id) not in done.failures[0].problem
    assert rows(copy, THERE, (BOB.id,)) == GONE
    assert rows(copy, IS_OPEN) == [(False,)]
    again = replay(ledger, copy)
    assert (again.erased, again.failures, again.is_open) == (1, (), True)
    assert rows(copy, THERE, (ADA.id,)) == GONE


def test_an_erasure_that_a_backup_caught_on_its_way_goes_on(
    entangled: str, ledger: Path, dump: Callable[[str], Restore]
) -> None:
    begun(entangled, ADA.id)
    # In a cluster that counts from anew, these numbers have not been reached, and will be.
    rows(
        entangled,
        "UPDATE ops.erasures SET hidden_xid = '9000000000'; UPDATE ops.tombstones SET worker_xid = '9000000001'",
    )
    copy = dump(entangled)()
    assert replay(ledger, copy) == replace(NOTHING, lines=1, known=1, resumed=1)
    assert rows(copy, THERE, (ADA.id,)) == GONE
    assert rows(copy, "SELECT state, hidden_xid < '9000000000' FROM ops.erasures") == [("certified", True)]
    assert rows(copy, "SELECT worker_xid FROM ops.tombstones") == [(None,)]


def test_what_was_only_about_to_begin_is_asked_about(
    entangled: str, ledger: Path, backup: Callable[[str], Restore]
) -> None:
    restore = backup(entangled)
    keys = keys_of(entangled)
    with connected(entangled, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ops.erasures (subject_id, subject_created_at, reason, requested_at, requested_by, plan, plan_hash)"
            " SELECT id, created_at, 'request', now(), 1, '{}', sha256('') FROM users WHERE id = %s RETURNING id",
            (ADA.id,),
        )
        ((number,),) = cursor.fetchall()
        entry = entry_of(cursor, number)
        connection.rollback()
    write(keys, entry, Kind.INTENDED)
    copy = restore()
    assert replay(ledger, copy) == replace(NOTHING, lines=1, in_doubt=(entry.erasure,), is_open=False)
    assert rows(copy, THERE, (ADA.id,)) == ADA_THERE
    assert replay(ledger, copy, with_doubtful=False) == replace(NOTHING, lines=1)
    assert rows(copy, THERE, (ADA.id,)) == ADA_THERE
    assert replay(ledger, copy, with_doubtful=True) == replace(NOTHING, lines=1, erased=1)
    assert rows(copy, THERE, (ADA.id,)) == GONE
    # Of one that did not come about there is no doubt; nor of one that was begun again later.
    drop(keys, replace(entry, erasure=uuid4()))
    unsure = replace(entry, erasure=uuid4())
    write(keys, unsure, Kind.INTENDED)
    drop(keys, unsure)
    assert replay(ledger, restore()).in_doubt == ()


def test_a_ledger_that_is_not_whole_or_not_ours_does_nothing(
    entangled: str,
    ledger: Path,
    backup: Callable[[str], Restore],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    restore = backup(entangled)
    erase_user(ADA.id, url=entangled)
    copy = restore()
    whole = ledger.read_bytes()
    ledger.write_bytes(whole.split(b"\n", 1)[1])
    with pytest.raises(FileError, match="does not follow on the one before"):
        replay(ledger, copy)
    ledger.write_bytes(whole)
    with monkeypatch.context() as changed:
        changed.setenv("ERASURE_LEDGER_KEY", "ef" * 32)
        with pytest.raises(SettingsError) as caught:
            replay(ledger, copy)
    assert caught.value.problem == f'line 1 of "{ledger}" names its person by a key that is not here'
    make_keys(tmp_path / "other.key", tmp_path / "other.pub")
    with pytest.raises(FileError, match="signed by none of the keys given"):
        replay(ledger, copy, public_key=tmp_path / "other.pub")
    assert rows(copy, THERE, (ADA.id,)) == ADA_THERE
    assert rows(copy, IS_OPEN) == [(False,)]
    # The key that signed and hashed may be an older one.
    monkeypatch.setenv("ERASURE_LEDGER_KEY", "ef" * 32 + "," + "ab" * 32)
    assert replay(ledger, copy, key=tmp_path / "other.key", public_key=tmp_path / "erasure.pub").erased == 1


def test_a_ledger_that_knows_less_than_the_database_lets_nobody_in(
    entangled: str, ledger: Path, backup: Callable[[str], Restore]
) -> None:
    rows(entangled, "INSERT INTO users (id, display_name) VALUES (5, 'A')")
    erase_user(5, url=entangled)
    restore = backup(entangled)
    older = ledger.rename(ledger.with_name("older.ledger"))
    erase_user(ADA.id, url=entangled)
    copy = restore()
    nothing = ledger.with_name("none.ledger")
    nothing.touch()
    assert replay(nothing, copy) == replace(NOTHING, missing=1, is_open=False)
    assert replay(ledger, copy) == replace(NOTHING, lines=3, missing=1, erased=1, is_open=False)
    assert refused(copy, "SELECT id FROM users") == CLOSED
    # A new file was begun: both are the ledger.
    assert replay([older, ledger], copy) == replace(NOTHING, lines=9, known=3)
    # Or it is another's, to whom these are told.
    again = restore()
    assert export_ledger(nothing, again) == 2
    assert replay(nothing, again) == replace(NOTHING, lines=2, known=1)


def test_without_a_file_the_ledger_is_exported_from_the_database(
    entangled: str, ledger: Path, backup: Callable[[str], Restore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERASURE_LEDGER_FILE")
    restore = backup(entangled)
    first = erase_user(ADA.id, url=entangled)
    assert not ledger.exists()
    assert export_ledger(ledger, entangled) == 2
    assert export_ledger(ledger, entangled) == 0
    lines = read_ledger(ledger, ledger.with_name("erasure.pub"))
    assert [(one.erasure, one.kind) for one in lines] == [(first.id, Kind.HIDDEN), (first.id, Kind.ERASED)]
    assert str(ADA.id) not in ledger.read_text()
    copy = restore()
    # A database that has forgotten takes nothing out of it.
    assert export_ledger(ledger, copy) == 0
    assert len(read_ledger(ledger, ledger.with_name("erasure.pub"))) == 2
    assert replay(ledger, copy).erased == 1
    assert export_ledger(ledger, copy) == 2


def test_a_backup_of_files_that_is_recovered_lets_nobody_in(entangled: str, ledger: Path) -> None:
    name = parse_dsn(entangled)["dbname"]
    with folder_of(entangled) as folder:
        as_owner(
            entangled, "pg_basebackup", "-d", entangled, "-D", folder / "data", "-c", "fast", "--no-sync"
        )
        erase_user(ADA.id, url=entangled)
        (folder / "data" / "recovery.signal").touch()
        ours = (
            "fsync=off",
            "restore_command=false",
            "recovery_target=immediate",
            "recovery_target_action=promote",
        )
        with started(entangled, folder, *ours, *(str(one) for (one,) in rows(entangled, LEAST))) as place:
            copy = f"postgresql://postgres@/{name}?{place}"
            until(lambda: rows(copy, "SELECT pg_is_in_recovery()") == [(False,)])
            assert rows(copy, THERE, (ADA.id,)) == ADA_THERE
            assert refused(copy, "SELECT email FROM users") == CLOSED
            # As where a standby took over, which is told apart by nothing but what one says of them.
            rows(copy, "SET ROLE agent_privacy; SELECT ops.trust_server_v1(true, true)")
            assert rows(copy, IS_OPEN) == [(True,)]
            rows(copy, "SELECT ops.trust_server_v1(false, true)")
            assert rows(copy, IS_OPEN) == [(False,)]
            assert replay(ledger, copy) == replace(NOTHING, lines=3, erased=1)
            assert rows(copy, THERE, (ADA.id,)) == GONE
            assert as_app(copy, "SELECT id FROM users") == [(BOB.id,)]


def test_a_gate_is_closed_by_hand_and_opened_by_a_replay(entangled: str, ledger: Path) -> None:
    erase_user(ADA.id, url=entangled)
    assert as_app(entangled, "SELECT id FROM users") == [(BOB.id,)]
    for _ in range(2):
        rows(entangled, "SET ROLE agent_privacy; SELECT ops.close_gate_v1()")
    assert refused(entangled, "SELECT id FROM users") == CLOSED
    assert replay(ledger, entangled) == replace(NOTHING, lines=3, known=1)
    assert as_app(entangled, "SELECT id FROM users") == [(BOB.id,)]
    told = (
        "SELECT action::text, changed_columns FROM audit_log WHERE entity_type = 'erasure_gate' ORDER BY id"
    )
    assert rows(entangled, told) == [("update", ["closed_at"]), ("update", ["opened_at"])]


def restart(url: str) -> None:
    """Let it seem as if the server had started since it was let in."""
    rows(url, "UPDATE ops.erasure_gate SET server_started_at = '2020-01-01'")


def test_whose_row_alone_was_restored_is_erased_again_by_what_completes_their_erasure(
    entangled: str, ledger: Path
) -> None:
    first = erase_user(ADA.id, url=entangled)
    rows(entangled, "SELECT ops.close_gate_v1()")
    with connected(entangled) as connection, connection.cursor() as cursor:
        # As pg_restore --disable-triggers does.
        cursor.execute(
            "SET session_replication_role = replica;"
            "UPDATE users SET status = 'active', erased_at = NULL, email = 'ada.lovelace@example.org', display_name = 'Ada Lovelace' WHERE id = %s;"
            "INSERT INTO listens (user_id, id, track_id, listened_at, ms_played) VALUES (%s, 9, 10001, '2026-01-31 12:00+00', 1)",
            (ADA.id, ADA.id),
        )
    assert rows(entangled, THERE, (ADA.id,)) == ADA_THERE
    assert replay(ledger, entangled) == replace(NOTHING, lines=3, known=1, erased=1)
    assert rows(entangled, THERE, (ADA.id,)) == GONE
    assert rows(entangled, "SELECT count(*)::int FROM listens WHERE user_id = %s", (ADA.id,)) == [(0,)]
    assert rows(entangled, "SELECT completes::text FROM ops.erasures WHERE completes IS NOT NULL") == [
        (str(first.id),)
    ]
    assert replay(ledger, entangled) == replace(NOTHING, lines=6, known=2)


def test_after_a_restart_the_ledger_is_looked_at_and_the_server_remembered(
    entangled: str, ledger: Path
) -> None:
    erase_user(ADA.id, url=entangled)
    restart(entangled)
    assert as_app(entangled, "SELECT id FROM users") == [(BOB.id,)]
    assert watch(entangled)
    known = "SELECT server_started_at = pg_postmaster_start_time() FROM ops.erasure_gate"
    assert rows(entangled, known) == [(True,)]
    # Once is enough: a ledger that cannot be read is not even looked for.
    ledger.write_text("x")
    assert watch(entangled)
    # Of another server it is not remembered, nor is the gate of one.
    ledger.unlink()
    rows(entangled, "UPDATE ops.erasure_gate SET server_started_at = '2020-01-01', system_identifier = '1'")
    assert refused(entangled, "SELECT id FROM users") == CLOSED
    assert not watch(entangled)
    assert rows(entangled, known) == [(False,)]


def test_disks_that_were_put_back_look_like_a_restart_and_are_found_by_the_ledger(
    databases: Databases, made: list[str], entangled: str, ledger: Path
) -> None:
    # As a snapshot does, a template keeps the numbers of tables.
    made.append(databases.create(str(parse_dsn(entangled)["dbname"])))
    copy = databases.url(made[-1])
    erase_user(ADA.id, url=entangled)
    assert as_app(copy, "SELECT count(*)::int FROM users") == [(1,)]
    # Whoever does not trust a start lets nobody in until it was looked at.
    rows(copy, "SELECT ops.trust_server_v1(false, false)")
    restart(copy)
    assert refused(copy, "SELECT id FROM users") == CLOSED
    rows(copy, "SELECT ops.trust_server_v1(false, true)")
    assert as_app(copy, "SELECT count(*)::int FROM users") == [(1,)]
    assert work(copy).problems == (
        "gate: the database was restored, and lets nobody in before agentdb gdpr-erasure replay",
    )
    assert refused(copy, "SELECT id FROM users") == CLOSED
    assert not watch(copy)
    assert replay(ledger, copy) == replace(NOTHING, lines=3, erased=1)
    assert watch(copy)
    assert work(copy).problems == ()
    assert rows(copy, THERE, (ADA.id,)) == GONE


def test_nobody_but_the_eraser_opens_the_gate(url: str) -> None:
    words = {
        "ops.open_gate_v1()": {"agent_eraser"},
        "ops.begin_again_v1()": {"agent_eraser"},
        "ops.recognise_server_v1()": {"agent_eraser"},
        "ops.close_gate_v1()": {"agent_eraser", "agent_privacy"},
        "ops.trust_server_v1(true, true)": {"agent_privacy"},
    }
    roles = [
        role
        for (role,) in rows(url, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'agent\\_%' ORDER BY 1")
    ]
    for word, allowed in words.items():
        able = set()
        for role in roles:
            try:
                rows(url, f"BEGIN; SET LOCAL ROLE {role}; SELECT {word}; ROLLBACK")
            except psycopg2.errors.InsufficientPrivilege:
                continue
            able.add(role)
        assert able == {"agent_owner", *allowed}, word
    assert rows(
        url, "SELECT has_table_privilege('agent_eraser', 'ops.erasure_gate', 'INSERT, UPDATE, DELETE')"
    ) == [(False,)]
