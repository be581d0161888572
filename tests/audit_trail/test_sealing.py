"""Sealing: every entry once, whatever transactions do; no seal but the next one, and by whom."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.audit_trail import run, sealing
from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal, seal_hash
from spotify_ai_agent_migrations.versions.audit_trail.merkle import leaf_hash, root_of
from spotify_ai_agent_migrations.versions.audit_trail.run import seal, seal_every
from spotify_ai_agent_migrations.versions.audit_trail.verification import verify
from spotify_ai_agent_migrations.versions.core.errors import (
    DatabaseError,
    LockError,
    PrivilegeError,
    ServerError,
)
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import connected, rows

UNCOVERED = """
    SELECT count(*) FILTER (WHERE seals = 0), count(*) FILTER (WHERE seals > 1), count(*)
      FROM (SELECT (SELECT count(*) FROM ops.audit_seal WHERE entry_ids @> entry.id) AS seals FROM audit_log AS entry) AS covered
"""


def write(url: str, *sizes: int) -> None:
    """One transaction for each size, of so many entries."""
    with connected(url) as connection, connection.cursor() as cursor:
        for size in sizes:
            cursor.execute(
                "INSERT INTO users (id, display_name) SELECT (random() * 1e15)::bigint, 'x' FROM generate_series(1, %s)",
                (size,),
            )


@contextmanager
def as_owner(url: str) -> Iterator[psycopg2.extensions.cursor]:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_owner")
        yield cursor


def chain(url: str) -> list[Seal]:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(sealing._SQL["to_be_told"], {"sink": "", "most": 1_000_000})
        return [sealing.seal_of(row) for row in cursor.fetchall()]


def test_one_round_seals_all_and_a_second_finds_nothing(url: str, key: SigningKey) -> None:
    write(url, 3)
    first = seal(url, key=key)
    assert rows(url, UNCOVERED) == [(0, 0, first.entry_count)]
    assert (len(first.seals), first.problems) == (1, ())
    assert seal(url, key=key) == run.Round(())
    write(url, 5, 2)
    second = seal(url, key=key)
    assert (second.entry_count, len(second.seals)) == (7, 1)
    made = chain(url)
    assert made == [*first.seals, *second.seals]
    assert made[1].previous_hash == made[0].hash
    assert made[1].first_xid == made[0].horizon
    for one in made:
        leaves = rows(
            url,
            "SELECT commitment FROM audit_log WHERE %s::int8multirange @> id ORDER BY id",
            (one.entry_ids,),
        )
        assert root_of(leaf_hash(bytes(leaf)) for (leaf,) in leaves) == one.root  # type: ignore[call-overload]
        assert seal_hash(one) == one.hash
        assert one.key_id == key.key_id
        assert key.public.has_signed(one.hash, one.signature)
        assert not key.public.has_signed(one.hash, bytes(64))


def test_what_has_not_ended_holds_back_what_came_after_it_and_nobody_waits(url: str, key: SigningKey) -> None:
    seal(url, key=key)
    with connected(url, autocommit=False) as slow:
        slow.cursor().execute("INSERT INTO users (id, display_name) VALUES (1, 'x')")
        write(url, 2)
        assert seal(url, key=key).entry_count == 0
        slow.commit()
    assert seal(url, key=key).entry_count == 3
    assert rows(url, UNCOVERED)[0][:2] == (0, 0)


def test_a_block_is_cut_between_transactions_and_one_that_is_too_large_is_a_block_of_its_own(
    url: str, key: SigningKey
) -> None:
    seal(url, key=key)
    write(url, 4, 4, 4, 25, 1, 10, 9, 1)
    done = seal(url, key=key, block_rows=10)
    assert [one.entry_count for one in done.seals] == [8, 4, 25, 1, 10, 10]
    assert [one.horizon for one in done.seals[:-1]] == [one.first_xid for one in done.seals[1:]]
    assert rows(url, UNCOVERED)[0][:2] == (0, 0)


def test_entries_that_are_older_than_commitments_get_theirs_before_they_are_sealed(
    url: str, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "_COMMITTED_ROWS", 7)
    write(url, 3, 20)
    with as_owner(url) as cursor:
        # Those of revisions before the trigger are bare as well.
        cursor.execute("UPDATE audit_log SET commitment = NULL WHERE id % 2 = 0")
        cursor.execute("SELECT count(*) FILTER (WHERE commitment IS NULL) > 10 FROM audit_log")
        assert cursor.fetchall() == [(True,)]
    done = seal(url, key=key)
    assert rows(url, UNCOVERED) == [(0, 0, done.entry_count)]
    assert rows(url, "SELECT count(*) FROM audit_log WHERE commitment IS NULL OR salt IS NULL") == [(0,)]


def test_an_entry_that_can_commit_to_nothing_is_told_and_not_tried_for_ever(
    url: str, key: SigningKey
) -> None:
    seal(url, key=key)
    with as_owner(url) as cursor:
        cursor.execute("ALTER TABLE audit_log ALTER COLUMN entity_type DROP NOT NULL")
        cursor.execute("INSERT INTO audit_log (entity_id, action, actor_type) VALUES (1, 'read', 'user')")
    with pytest.raises(DatabaseError) as caught:
        seal(url, key=key)
    assert caught.value.problem == "an entry of the trail has no commitment and can be given none"


def churn(url: str, writer: int) -> int:
    """Write, roll back, roll back a part, and end a connection in the middle; return how many were kept."""
    kept = 0
    for turn in range(60):
        with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
            insert = "INSERT INTO users (id, display_name) VALUES (%s, 'x')"
            number = 1000 * writer + 10 * turn + 1
            cursor.execute(insert, (number,))
            cursor.execute("SAVEPOINT one")
            cursor.execute(insert, (number + 1,))
            cursor.execute(f"{'ROLLBACK TO' if turn % 3 else 'RELEASE'} one")
            cursor.execute(insert, (number + 2,))
            if turn % 4 == 1:
                connection.rollback()
            elif turn % 4 == 3:
                continue
            else:
                connection.commit()
                kept += 2 if turn % 3 else 3
    return kept


def test_every_entry_of_many_writers_is_sealed_once(url: str, key: SigningKey) -> None:
    rounds: list[run.Round] = []
    failures: list[object] = []
    stop = threading.Event()
    loop = threading.Thread(
        target=seal_every,
        args=(url,),
        kwargs={
            "key": key,
            "every_s": 0.05,
            "stopped": stop,
            "told": rounds.append,
            "failed": failures.append,
        },
    )
    before = seal(url, key=key).entry_count
    loop.start()
    with ThreadPoolExecutor(8) as pool:
        kept = sum(pool.map(lambda writer: churn(url, writer), range(8)))
    stop.set()
    loop.join(30)
    assert not loop.is_alive()
    last = seal(url, key=key)
    assert len(rounds) > 2
    assert failures == []
    assert sum(done.entry_count for done in [*rounds, last]) == kept
    assert rows(url, UNCOVERED) == [(0, 0, before + kept)]


class CuttingKey:
    """A key that ends every session that seals before it signs."""

    def __init__(self, url: str, key: SigningKey) -> None:
        self._url = url
        self._key = key
        self.key_id = key.key_id

    def sign(self, message: bytes) -> bytes:
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'agentdb audit-trail'"
        assert rows(self._url, ended) == [(1,)]
        return self._key.sign(message)


def test_a_round_that_is_cut_off_leaves_no_part_of_a_seal(url: str, key: SigningKey) -> None:
    write(url, 50)
    with pytest.raises(ServerError):
        seal(url, key=CuttingKey(url, key))
    assert chain(url) == []
    done = seal(url, key=key)
    assert rows(url, UNCOVERED) == [(0, 0, done.entry_count)]


def test_one_at_a_time_seals_and_the_other_is_told_who_does(url: str, key: SigningKey) -> None:
    with connected(url) as connection:
        connection.cursor().execute("SELECT pg_advisory_lock(%s)", (run._KEY,))
        with pytest.raises(LockError) as caught:
            seal(url, key=key, wait_ms=50)
        pid = connection.info.backend_pid
    assert caught.value.problem.startswith(
        f"waited 50 ms for the lock of whoever seals and gave up; nothing was changed; held by pid {pid}, "
    )
    assert len(seal(url, key=key).seals) == 1


ADD = sealing._SQL["add_seal"]


def refusal(connection: Connection, made: Seal, changes: dict[str, Any], *, hashed: bool = True) -> str:
    """What the database says of a seal that is *made* but for some changes."""
    wrong = dataclasses.replace(made, **changes)
    wrong = dataclasses.replace(wrong, hash=seal_hash(wrong)) if hashed else wrong
    values = dataclasses.asdict(wrong) | {"first_xid": str(wrong.first_xid), "horizon": str(wrong.horizon)}
    with pytest.raises(psycopg2.Error) as caught:
        connection.cursor().execute(ADD, values)
    connection.rollback()
    return caught.value.diag.message_primary or ""


def test_no_seal_is_added_but_the_one_that_follows(url: str, sealer: str, key: SigningKey) -> None:
    first = seal(url, key=key).seals[0]
    write(url, 1)
    ((ended,),) = rows(url, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    right = dataclasses.replace(
        first, id=2, previous_hash=first.hash, first_xid=first.horizon, horizon=int(str(ended)), note=None
    )
    with connected(sealer, autocommit=False) as connection:
        said = {
            name: refusal(connection, right, {name: value})
            for name, value in {
                "id": 3, "previous_hash": bytes(32), "system_identifier": "1", "horizon": int(str(ended)) + 1000,
                "epoch": 2, "first_xid": 0, "root": b"short", "signature": b"short", "key_id": "ABC", "entry_count": 0,
            }.items()
        }  # fmt: skip
        unhashed = refusal(connection, right, {"note": "another"}, hashed=False)
        gone = refusal(connection, right, {"epoch": 4})
    assert said == {
        "id": "seal 3 was refused: its number does not follow",
        "previous_hash": "seal 2 was refused: it is not chained to the last one",
        "system_identifier": "seal 2 was refused: it is of another server",
        "horizon": "seal 2 was refused: transactions before its horizon have not ended",
        "epoch": "seal 2 was refused: nothing asks for a new epoch",
        "first_xid": "seal 2 was refused: it does not begin where the last one ended",
        "root": "seal 2 was refused: its hash is not that of what it says",
        "signature": 'new row for relation "audit_seal" violates check constraint "audit_seal_signature_check"',
        "key_id": 'new row for relation "audit_seal" violates check constraint "audit_seal_key_id_check"',
        "entry_count": 'new row for relation "audit_seal" violates check constraint "audit_seal_entry_count_check"',
    }
    assert unhashed == "seal 2 was refused: its hash is not that of what it says"
    assert gone == "seal 2 was refused: its epoch does not follow"
    assert chain(url) == [first]
    assert seal(sealer, key=key).seals[0].id == 2


FORBIDDEN = (
    "SELECT payload FROM audit_log", "SELECT entity_id FROM audit_log", "INSERT INTO audit_log (entity_id) VALUES (1)",
    "UPDATE audit_log SET payload = NULL", "DELETE FROM audit_log", "TRUNCATE audit_log", "UPDATE ops.audit_seal SET note = 'x'",
    "DELETE FROM ops.audit_seal", "TRUNCATE ops.audit_seal CASCADE", "INSERT INTO ops.audit_seal (id) VALUES (9)",
    "INSERT INTO ops.audit_anchor (sink, seal_id) VALUES ('x', 1)", "SELECT ops.redact_audit_v1('{1}')", "SELECT * FROM users",
    "SELECT * FROM ops.pseudonyms", "SET ROLE agent_owner",
)  # fmt: skip


def test_who_seals_can_seal_and_neither_read_nor_change_what_is_sealed(
    url: str, sealer: str, key: SigningKey
) -> None:
    write(url, 2)
    with as_owner(url) as cursor:
        cursor.execute("UPDATE audit_log SET commitment = NULL WHERE id = (SELECT max(id) FROM audit_log)")
    assert len(seal(sealer, key=key).seals) == 1
    assert rows(url, UNCOVERED)[0][:2] == (0, 0)
    with connected(sealer) as connection, connection.cursor() as cursor:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)


@pytest.mark.parametrize("table", ["ops.audit_seal", "ops.audit_anchor"])
def test_seals_are_append_only_for_a_superuser_too(url: str, key: SigningKey, table: str) -> None:
    seal(url, key=key)
    for statement in (f"UPDATE {table} SET seal_id = 2", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(url, statement.replace("seal_id", "id" if table.endswith("seal") else "seal_id"))
    assert rows(url, "SELECT count(*) FROM ops.audit_seal") == [(1,)]


def test_a_login_that_may_not_is_told_so(url: str, sealer: str, key: SigningKey) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'agent_sealer', 'member') AND rolcanlogin AND NOT rolsuper"
        )
        ((role,),) = cursor.fetchall()
        cursor.execute(f"REVOKE agent_sealer FROM {role}")
        with pytest.raises(PrivilegeError):
            seal(sealer, key=key)
        cursor.execute(f"GRANT agent_sealer TO {role}")
    assert len(seal(sealer, key=key).seals) == 1


def test_an_entry_that_is_there_twice_is_named_and_not_sealed(url: str, key: SigningKey) -> None:
    seal(url, key=key)
    rows(url, "INSERT INTO users (id) VALUES (1), (2), (3)")
    with as_owner(url) as cursor:
        cursor.execute("SELECT max(id) FROM audit_log")
        ((number,),) = cursor.fetchall()
        cursor.execute(
            "INSERT INTO audit_log (entity_id, id, entity_type, action, actor_type) VALUES (9, %s, 'user', 'read', 'user')",
            (number,),
        )
    with pytest.raises(DatabaseError) as caught:
        seal(url, key=key)
    assert caught.value.problem == f"entry {number} is there twice, so nothing was sealed from there on"
    with as_owner(url) as cursor:
        cursor.execute("DELETE FROM audit_log WHERE id = %s AND entity_id = 9", (number,))
    (made,) = seal(url, key=key).seals
    assert made.entry_count == 3
    assert verify(url=url).whole
