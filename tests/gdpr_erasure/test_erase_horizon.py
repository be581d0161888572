"""Nothing is certified before every transaction has ended that could still write of the person."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psycopg2
import pytest
from gdpr_erasure.erasing import counts, open_session, state_of
from gdpr_erasure.people import ADA

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, LockError
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user, resume
from support import Databases, connected, rows, until

LISTEN = "INSERT INTO listens (user_id, id, track_id, listened_at, ms_played) VALUES (880000222, 77, 10001, now(), 1)"
# Of a table without a foreign key: nobody has to wait for it at the row of the person.
EVENT = "INSERT INTO analytics (user_id, id, event_name, properties) VALUES (880000222, 77, 'late', '{}')"
EVENTS = "SELECT count(*) FROM analytics WHERE user_id = 880000222"
LISTENS = "SELECT count(*) FROM listens WHERE user_id = 880000222"


@contextmanager
def being_erased(url: str) -> Iterator[Future[ErasureCertificate]]:
    """An erasure in a thread of its own, as far as it comes: to the wait for what is older."""
    with ThreadPoolExecutor(1) as pool:
        erasing = pool.submit(erase_user, ADA.id, url=url)
        until(lambda: erasing.done() or state_of(url) == [("erased", False)])
        yield erasing


def test_a_snapshot_from_before_is_waited_for_and_what_it_wrote_is_swept(
    entangled: str, keys: Keyring
) -> None:
    with open_session(entangled, "REPEATABLE READ") as writer:
        with being_erased(entangled) as erasing:
            # Its guard cannot see that the person is hidden.
            writer.cursor().execute(EVENT)
            with (
                connected(entangled, autocommit=False) as other,
                pytest.raises(psycopg2.errors.CheckViolation),
            ):
                other.cursor().execute(EVENT)
            time.sleep(0.3)
            assert not erasing.done()
            writer.commit()
            certificate = erasing.result()
    assert certificate.verify(keys)
    assert counts(certificate)["public.analytics"] == (2, 1)
    assert rows(entangled, EVENTS) == [(0,)]


def test_a_row_that_was_written_before_and_is_not_committed_is_waited_for(
    entangled: str, keys: Keyring
) -> None:
    with open_session(entangled) as writer:
        writer.cursor().execute(EVENT)
        with being_erased(entangled) as erasing:
            time.sleep(0.3)
            assert not erasing.done()
            # At rest between two statements, it has no snapshot at all.
            ((xmin,),) = rows(
                entangled,
                "SELECT backend_xmin FROM pg_stat_activity WHERE pid = %s",
                (writer.info.backend_pid,),
            )
            assert xmin is None
            writer.commit()
            certificate = erasing.result()
    assert certificate.verify(keys)
    assert counts(certificate)["public.analytics"] == (2, 1)
    assert rows(entangled, EVENTS) == [(0,)]


def test_after_a_wait_without_end_the_next_call_goes_on(entangled: str, keys: Keyring) -> None:
    with open_session(entangled, "REPEATABLE READ") as reader:
        with pytest.raises(LockError) as caught:
            erase_user(ADA.id, wait_s=0.3, url=entangled)
        assert caught.value.problem == (
            "waited 0.3 s for transactions that may still write of the person: "
            f"pid {reader.info.backend_pid} (of another user)"
        )
        assert state_of(entangled) == [("erased", False)]
    (certificate,) = resume(url=entangled)
    assert certificate.verify(keys)
    assert state_of(entangled) == [("certified", True)]


def test_a_prepared_transaction_is_waited_for_by_its_name(entangled: str, keys: Keyring) -> None:
    ((most,),) = rows(entangled, "SHOW max_prepared_transactions")
    if most == "0":
        pytest.skip("the server takes no prepared transactions")
    with open_session(entangled) as writer:
        writer.cursor().execute(EVENT)
        writer.cursor().execute("PREPARE TRANSACTION 'of two databases'")
    with pytest.raises(LockError) as caught:
        erase_user(ADA.id, wait_s=0.3, url=entangled)
    assert caught.value.problem.endswith("of the person: prepared transaction 'of two databases'")
    rows(entangled, "COMMIT PREPARED 'of two databases'")
    certificate = erase_user(ADA.id, url=entangled)
    assert certificate.verify(keys)
    assert counts(certificate)["public.analytics"] == (2, 1)


def test_another_database_and_a_later_transaction_are_not_waited_for(
    entangled: str, keys: Keyring, databases: Databases
) -> None:
    other = databases.create()
    try:
        with connected(databases.url(other), autocommit=False) as elsewhere:
            elsewhere.cursor().execute("SELECT pg_current_xact_id()")
            assert erase_user(ADA.id, wait_s=20, url=entangled).verify(keys)
            elsewhere.rollback()
    finally:
        databases.drop(other)


def test_what_writes_past_the_guard_is_never_certified(entangled: str, keys: Keyring) -> None:
    """A trigger of somebody's own that puts back what is taken away."""
    rows(
        entangled,
        "CREATE FUNCTION public.put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER put_back BEFORE DELETE ON listens FOR EACH ROW EXECUTE FUNCTION public.put_back()",
    )
    with pytest.raises(DatabaseError) as caught:
        erase_user(ADA.id, url=entangled)
    assert caught.value.problem == "rows of the person are left in public.listens"
    assert state_of(entangled) == [("erased", False)]
    rows(entangled, "DROP TRIGGER put_back ON listens")
    certificate = erase_user(ADA.id, url=entangled)
    assert certificate.verify(keys)
    assert counts(certificate)["public.listens"] == (1, 1)


def test_the_wait_holds_no_snapshot_and_no_lock(entangled: str, keys: Keyring) -> None:
    del keys
    seen = []
    with open_session(entangled, "REPEATABLE READ") as reader:
        with being_erased(entangled) as erasing:
            for _ in range(20):
                seen += rows(
                    entangled,
                    "SELECT activity.backend_xmin IS NULL, count(locks.pid) FROM pg_stat_activity AS activity"
                    " LEFT JOIN pg_locks AS locks ON locks.pid = activity.pid AND locks.locktype = 'relation'"
                    " WHERE activity.application_name = 'agentdb gdpr-erasure erase' AND activity.state = 'idle'"
                    " AND activity.datname = current_database() GROUP BY activity.pid, activity.backend_xmin",
                )
                time.sleep(0.01)
            reader.rollback()
            erasing.result()
    assert {without for without, _ in seen} == {True}
    # The two views are not of one instant: a lock that is still seen is gone at the next look.
    assert (True, 0) in seen
    assert not any(one[1] and other[1] for one, other in itertools.pairwise(seen))


def test_nobody_writes_of_them_meanwhile_or_afterwards(entangled: str, keys: Keyring) -> None:
    del keys
    refused = []

    def write() -> None:
        try:
            rows(entangled, LISTEN)
        except psycopg2.errors.CheckViolation as error:
            refused.append(error.diag.message_primary)

    with open_session(entangled, "REPEATABLE READ") as reader:
        with being_erased(entangled) as erasing:
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
            reader.rollback()
            erasing.result()
    write()
    assert refused == ['table "public.listens" takes nothing of a person who is erased'] * 2
    assert rows(entangled, LISTENS) == [(0,)]
