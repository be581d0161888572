"""Many who erase one person at once, and others in the way: one erasure, tried again, and nobody else waits."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from gdpr_erasure.erasing import counts, state_of
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, LockError
from spotify_ai_agent_migrations.versions.core.retry import Patience
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import session
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from support import connected, rows, until

WAITING = """
SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'ops.legal_holds'::regclass AND NOT granted)
       AND (SELECT count(*) = 0 FROM ops.erasures)
"""


def test_ten_calls_at_once_are_one_erasure(entangled: str, keys: Keyring) -> None:
    begun = threading.Barrier(10)

    def erase(_: int) -> str:
        begun.wait()
        return erase_user(ADA.id, url=entangled).as_json()

    with ThreadPoolExecutor(10) as pool:
        certificates = set(pool.map(erase, range(10)))
    assert len(certificates) == 1
    assert state_of(entangled) == [("certified", True)]
    certificate = erase_user(ADA.id, url=entangled)
    assert certificate.verify(keys)
    assert (counts(certificate)["public.listens"], counts(certificate)["public.users"]) == ((1, 0), (1, 0))


def test_a_hold_that_is_being_placed_is_waited_for_and_kept(entangled: str, keys: Keyring) -> None:
    with connected(entangled, autocommit=False) as placing, placing.cursor() as cursor:
        cursor.execute(
            "SELECT ops.place_hold_v1('{e}', 'a case', 'a claim', %s, 'public.listens')", (ADA.id,)
        )
        with ThreadPoolExecutor(1) as pool:
            erasing = pool.submit(erase_user, ADA.id, url=entangled)
            until(lambda: rows(entangled, WAITING) == [(True,)])
            placing.commit()
            certificate = erasing.result()
    assert certificate.verify(keys)
    assert "public.listens" in {kept.table for kept in certificate.kept if kept.hold is not None}
    assert rows(entangled, f"SELECT count(*) FROM listens WHERE user_id = {ADA.id}") == [(1,)]
    assert rows(entangled, f"SELECT count(*) FROM agent_messages WHERE user_id = {ADA.id}") == [(0,)]


def test_two_people_who_share_what_they_have_are_erased_at_once(entangled: str, keys: Keyring) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda one: erase_user(one, url=entangled), (ADA.id, BOB.id)))
    assert [certificate.verify(keys) for certificate in found] == [True, True]
    assert state_of(entangled) == [("certified", True)] * 2
    assert rows(entangled, "SELECT count(*) FROM playlists") == [(0,)]


def test_who_waits_for_another_call_in_vain_is_told_so(entangled: str, keys: Keyring) -> None:
    del keys
    with connected(entangled, autocommit=False) as held:
        # Somebody reads, and the first call waits for that.
        held.set_session(isolation_level="REPEATABLE READ")
        held.cursor().execute("SELECT FROM users")
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(erase_user, ADA.id, url=entangled)
            while state_of(entangled) != [("erased", False)]:
                time.sleep(0.01)
            with pytest.raises(LockError, match="for the erasure of that person and gave up"):
                erase_user(ADA.id, wait_s=0.2, url=entangled)
            held.rollback()
            assert first.result()


def test_a_deadlock_is_tried_again(entangled: str, keys: Keyring) -> None:
    """Somebody locks Ada's row and then wants what the erasure has deleted."""
    begun = threading.Event()

    def other() -> None:
        with connected(entangled, autocommit=False) as connection, connection.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '5s'")
            cursor.execute("SELECT FROM users WHERE id = %s FOR UPDATE", (ADA.id,))
            begun.set()
            time.sleep(0.5)
            cursor.execute("DELETE FROM listens WHERE user_id = %s", (ADA.id,))
            connection.commit()

    # It may begin: what is taken then waits for the row at its own end.
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(other)
        begun.wait()
        certificate = erase_user(ADA.id, url=entangled)
        held.result()
    assert certificate.verify(keys)


def test_a_lock_that_is_held_is_waited_for_and_an_error_in_the_end(
    entangled: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    del keys
    monkeypatch.setattr(session, "_PATIENCE", Patience(tries=2, base_s=0.01))
    monkeypatch.setenv("PGOPTIONS", "")
    with connected(entangled, autocommit=False) as held:
        held.cursor().execute("LOCK TABLE listens IN SHARE MODE")
        with pytest.raises(LockError):
            erase_user(ADA.id, url=entangled)
        assert state_of(entangled) == [("hidden", False)]
        held.rollback()
    assert counts(erase_user(ADA.id, url=entangled))["public.listens"] == (1, 0)


def test_others_write_while_somebody_is_erased(entangled: str, keys: Keyring) -> None:
    del keys
    slowest, stop = [0.0], threading.Event()

    def write() -> None:
        with connected(entangled) as connection, connection.cursor() as cursor:
            number = 1_000
            while not stop.is_set():
                number += 1
                began = time.monotonic()
                cursor.execute(
                    "INSERT INTO listens (user_id, id, track_id, listened_at, ms_played) VALUES (%s, %s, 10001, now(), 1)",
                    (BOB.id, number),
                )
                slowest[0] = max(slowest[0], time.monotonic() - began)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        erase_user(ADA.id, url=entangled)
    finally:
        stop.set()
        thread.join()
    assert rows(entangled, "SELECT count(*) > 10 FROM listens WHERE user_id = %s", (BOB.id,)) == [(True,)]
    assert slowest[0] < 2


def test_a_deferred_key_of_somebody_else_loses_and_not_the_erasure(entangled: str, keys: Keyring) -> None:
    """What names a row that is deleted is told so at its own end."""
    rows(
        entangled,
        "CREATE TABLE notes (id int PRIMARY KEY, user_id bigint, playlist_id bigint,"
        " CONSTRAINT notes_playlist FOREIGN KEY (user_id, playlist_id) REFERENCES playlists (user_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);"
        "ALTER TABLE notes OWNER TO agent_owner; CREATE INDEX ON notes (user_id, playlist_id);"
        "COMMENT ON COLUMN notes.id IS 'none: its number'; COMMENT ON COLUMN notes.user_id IS 'identifier: whose';"
        "COMMENT ON COLUMN notes.playlist_id IS 'none: of which list';"
        "SELECT ops.classify_table_v1('public.notes', strategy => 'delete', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation'); SELECT ops.guard_table_v1('public.notes')",
    )
    with connected(entangled, autocommit=False) as loser:
        loser.cursor().execute("INSERT INTO notes VALUES (1, 880000222, 660000111)")
        with ThreadPoolExecutor(1) as pool:
            erasing = pool.submit(erase_user, ADA.id, url=entangled)
            while state_of(entangled) != [("erased", False)] and not erasing.done():
                time.sleep(0.01)
            with pytest.raises(psycopg2.errors.ForeignKeyViolation):
                loser.commit()
            assert erasing.result().verify(keys)
    assert rows(entangled, "SELECT count(*) FROM notes") == [(0,)]


def test_an_error_of_a_step_leaves_the_person_hidden_and_everything_there(
    entangled: str, keys: Keyring
) -> None:
    del keys
    rows(
        entangled,
        "CREATE FUNCTION public.refuse_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
        "CREATE TRIGGER refuse_it BEFORE DELETE ON playlists FOR EACH ROW EXECUTE FUNCTION public.refuse_it()",
    )
    with pytest.raises(DatabaseError):
        erase_user(ADA.id, url=entangled)
    assert state_of(entangled) == [("hidden", False)]
    assert rows(entangled, "SELECT count(*) FROM listens WHERE user_id = %s", (ADA.id,)) == [(1,)]
    rows(entangled, "DROP TRIGGER refuse_it ON playlists")
    assert counts(erase_user(ADA.id, url=entangled))["public.listens"] == (1, 0)
