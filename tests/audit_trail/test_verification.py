"""No false alarm: whatever the session is set to, whoever writes at the same time, whatever an entry says."""

from __future__ import annotations

import datetime
import json
import os
import random
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from audit_trail.scene import WRITE, Trail, found
from psycopg2.extensions import parse_dsn
from psycopg2.extras import Json

from spotify_ai_agent_migrations.versions.audit_trail.canonical import (
    Entry,
    commitment,
    microseconds,
    seal_hash,
)
from spotify_ai_agent_migrations.versions.audit_trail.digest import digest_line
from spotify_ai_agent_migrations.versions.audit_trail.exporting import verify_export
from spotify_ai_agent_migrations.versions.audit_trail.run import seal
from spotify_ai_agent_migrations.versions.audit_trail.verification import verify
from spotify_ai_agent_migrations.versions.core.errors import FileError, PrivilegeError, TableError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import Databases, connected, data, rows, run_alembic

WRITERS = 16
# A million rows take minutes: AUDIT_TRAIL_ROWS=1000000 writes that many.
ROWS = int(os.environ.get("AUDIT_TRAIL_ROWS", "3000"))
OTHERWISE = {
    "DateStyle": "SQL, DMY", "TimeZone": "Asia/Kathmandu", "IntervalStyle": "sql_standard", "bytea_output": "escape",
    "extra_float_digits": "-15", "client_encoding": "LATIN1", "lc_messages": "C", "lc_monetary": "C", "lc_numeric": "C",
    "lc_time": "C", "quote_all_identifiers": "on", "standard_conforming_strings": "on", "search_path": "pg_temp",
    "enable_seqscan": "off", "max_parallel_workers_per_gather": "0", "default_transaction_isolation": "serializable",
}  # fmt: skip
READ = """
    SELECT id, xid::text::bigint, created_at, entity_type, action::text, actor_type::text, actor_ref, subject_ref,
           changed_columns::text, entity_id, entity_key, request_id, payload::text, salt, redacted, commitment
      FROM audit_log WHERE id = ANY (%s)
"""


def test_what_settings_the_writer_the_sealer_and_the_verifier_have_makes_no_difference(trail: Trail) -> None:
    ((database,),) = rows(trail.url, "SELECT current_database()")
    with connected(trail.url) as connection, connection.cursor() as cursor:
        for name, value in OTHERWISE.items():
            cursor.execute(f"ALTER DATABASE \"{database}\" SET {name} = '{value}'")
    assert rows(trail.url, "SHOW TimeZone") == [("Asia/Kathmandu",)]
    assert trail.verified(digests=True).whole
    rows(
        trail.url,
        # The driver sets this one itself when it connects.
        "SET DateStyle = 'SQL, DMY';"
        "INSERT INTO public.audit_log (entity_type, entity_id, action, actor_type, payload, changed_columns) VALUES"
        ' (\'user\', 1, \'update\', \'user\', \'{"at": "2026-01-02", "n": 0.1, "big": 1e30}\', \'{"a b",NULL,"NULL","é"}\')',
    )
    seal(trail.url, key=trail.key)
    assert trail.verified().whole
    with connected(trail.url) as connection, connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{database}" RESET ALL')
    done = trail.verified(digests=True)
    assert (done.whole, done.seals) == (True, 7)


def test_sixteen_writers_who_roll_back_and_save_points_raise_no_alarm(url: str, key: SigningKey) -> None:
    over, kept, failed = threading.Event(), [0] * WRITERS, []
    # The first block of an epoch is all that is there.
    seals = [made.id for made in seal(url, key=key).seals]

    def write(place: int) -> None:
        chance = random.Random(place)  # noqa: S311
        try:
            with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
                while kept[place] < ROWS // WRITERS:
                    kept[place] += one_transaction(connection, cursor, chance)
        except psycopg2.Error as error:
            failed.append(error)

    def seal_on() -> None:
        while not over.is_set():
            seals.extend(made.id for made in seal(url, key=key, block_rows=500).seals)

    writers = [threading.Thread(target=write, args=(place,)) for place in range(WRITERS)]
    sealer = threading.Thread(target=seal_on)
    for thread in (*writers, sealer):
        thread.start()
    last = 0
    while any(writer.is_alive() for writer in writers):
        done = verify(url=url, since=last)
        assert done.whole, done.faults
        last = done.last_seal.id if done.last_seal else last
        over.wait(0.2)
    over.set()
    for thread in (*writers, sealer):
        thread.join()
    assert not failed
    seals += [made.id for made in seal(url, key=key, block_rows=500).seals]
    done = verify(url=url, full=True)
    ((entries, largest),) = rows(url, "SELECT count(*), max(id) FROM audit_log")
    assert done.whole, done.faults
    assert (done.entries, done.unsealed) == (entries, 0)
    assert len(seals) > 2
    # What was rolled back has left gaps.
    assert isinstance(entries, int)
    assert isinstance(largest, int)
    assert sum(kept) <= entries < largest


def one_transaction(
    connection: psycopg2.extensions.connection, cursor: psycopg2.extensions.cursor, chance: random.Random
) -> int:
    """Write some entries, some of them in a savepoint that is taken back; tell how many stay."""
    statement = (
        "INSERT INTO audit_log (entity_type, entity_id, action, actor_type, subject_ref)"
        " SELECT 'user', n, 'update', 'user', n FROM generate_series(1, %s) AS n"
    )
    many, few = chance.randint(1, 20), chance.randint(1, 5)
    cursor.execute(statement, (many,))
    cursor.execute("SAVEPOINT here")
    cursor.execute(statement, (few,))
    if chance.random() < 0.5:
        cursor.execute("ROLLBACK TO SAVEPOINT here")
        few = 0
    if chance.random() < 0.2:
        connection.rollback()
        return 0
    connection.commit()
    return many + few


def strings() -> list[str]:
    naughty = data("naughty_strings/blns.json")
    own = [
        "",
        "NULL",
        "\\N",
        '"',
        "{}",
        "a,b",
        "é",
        "e\u0301",
        "\U0001f3b5",
        "\x01",
        "x" * 70_000,
        "a\r\nb\tc",
        "\ufeff",
    ]
    return own + [text for text in json.loads(naughty.read_text()) if "\0" not in text]


def combinations() -> Iterator[dict[str, object]]:
    """Every combination of what an entry may lack."""
    may_lack = {
        "actor_ref": -(2**63), "subject_ref": 2**63 - 1, "request_id": str(uuid.UUID(int=5)), "entity_key": "k",
        "changed_columns": ["a", "b c", None, ""], "payload": Json({"b": [1, 1.5, "é"], "a": None}),
    }  # fmt: skip
    for mask in range(2 ** len(may_lack)):
        yield {name: value for place, (name, value) in enumerate(may_lack.items()) if mask >> place & 1}


def test_what_the_database_commits_to_is_what_is_computed_here_for_every_string_and_combination(
    url: str, key: SigningKey
) -> None:
    entries: list[dict[str, object]] = list(combinations())
    for text in strings():
        entries += [
            {"entity_key": text},
            {"entity_type": text},
            {"changed_columns": [text, text]},
            {"payload": Json({text: [text]})},
        ]
    numbers = []
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        for place, entry in enumerate(entries):
            values = {
                "entity_id": (place - 3) * 2**40,
                "entity_type": "user",
                "action": "update",
                "actor_type": "user",
                **entry,
            }
            names = ", ".join(values)
            spots = ", ".join(
                f"%({name})s" + ("::text[]" if name == "changed_columns" else "") for name in values
            )
            cursor.execute(f"INSERT INTO audit_log ({names}) VALUES ({spots}) RETURNING id", values)
            numbers.append(cursor.fetchone()[0])  # type: ignore[index]
        connection.commit()
    compared = 0
    for row in rows(url, READ, (numbers,)):
        *read, committed = row
        told: list[Any] = list(read)
        told[2] = microseconds(told[2])
        told[11] = uuid.UUID(str(told[11])).bytes if told[11] else None
        told[13] = bytes(told[13])
        assert commitment(Entry(*told)) == bytes(committed)  # type: ignore[call-overload]
        compared += 1
    assert compared == len(entries) > 64
    seal(url, key=key)
    assert verify(url=url).whole


def test_a_trail_of_another_server_is_whole_and_says_that_an_epoch_is_due(
    trail: Trail, key: SigningKey
) -> None:
    last = replace(trail.published[-1], system_identifier="1")
    last = replace(last, hash=seal_hash(last))
    last = replace(last, signature=key.sign(last.hash))
    trail.attacked(
        "UPDATE ops.audit_seal SET system_identifier = '1',"
        f" hash = decode('{last.hash.hex()}', 'hex'), signature = decode('{last.signature.hex()}', 'hex') WHERE id = 6"
    )
    rows(trail.url, WRITE, (5,))
    for done in (trail.verified(), trail.verified(since=3)):
        assert done.whole
        assert done.notes == (
            "the database was restored since the last seal: `agentdb audit-trail seal` begins an epoch",
        )
    assert seal(trail.url, key=key).seals[0].epoch == 2
    done = trail.verified()
    assert (done.whole, done.notes, done.unsealed) == (True, (), 0)
    assert trail.verified(since=6).whole


def test_nothing_sealed_yet_is_whole_and_everything_waits(url: str) -> None:
    ((entries,),) = rows(url, "SELECT count(*) FROM audit_log")
    done = verify(url=url)
    assert (done.whole, done.entries, done.seals, done.unsealed, done.last_seal) == (
        True,
        0,
        0,
        entries,
        None,
    )


def test_entries_that_retention_took_are_no_fault_and_those_somebody_took_are(trail: Trail) -> None:
    """A block that was sealed before the time of keeping was over may miss entries, and one of today may not."""
    old, new = trail.blocks[2][0], trail.blocks[6][0]
    trail.attacked(
        "INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid, detached_at)"
        " VALUES ('public.audit_log', 'public.audit_log_2024_01', 1, now())",
        f"DELETE FROM audit_log WHERE id IN ({old}, {new})",
    )
    assert found(trail.verified()) == {("missing", 2, old, old), ("missing", 6, new, new)}
    # All that the first block holds of before is gone, and it began the epoch.
    trail.attacked("DELETE FROM audit_log WHERE id <= (SELECT min(id) + 100 FROM audit_log)")
    done = trail.verified()
    assert found(done) == {("missing", 2, old, old), ("missing", 6, new, new)}
    assert done.retired == 101


def test_an_auditor_may_verify_and_nobody_without_that_role(trail: Trail, databases: Databases) -> None:
    role, name = f"r{uuid.uuid4().hex[:8]}", str(parse_dsn(trail.url)["dbname"])
    auditor = databases.url(name, user=role, password="secret")
    with connected(trail.url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        try:
            with pytest.raises(PrivilegeError):
                verify(url=auditor)
            cursor.execute(f"GRANT agent_auditor TO {role}")
            assert verify(url=auditor, public_key=trail.public_key).whole
        finally:
            cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_database_without_seals_is_refused(empty_url: str) -> None:
    assert run_alembic("upgrade", "009", url=empty_url).returncode == 0
    with pytest.raises(TableError) as refused:
        verify(url=empty_url)
    assert refused.value.problem == "the database has no seals of an audit trail"


@pytest.mark.parametrize("text", ["{}", "nothing", '{"id": "1"}', "[1]"])
def test_a_file_that_holds_no_digests_is_refused_by_its_line(trail: Trail, text: str) -> None:
    file = trail.public_key.with_name("digests")
    file.write_text(f"\n{text}\n")
    with pytest.raises(FileError) as refused:
        verify(url=trail.url, digests=file)
    assert refused.value.problem == f'line 2 of "{file}" is not the digest of a seal'


def test_a_file_without_a_digest_is_refused(trail: Trail) -> None:
    file = trail.public_key.with_name("digests")
    file.write_text("\n")
    with pytest.raises(FileError) as refused:
        verify(url=trail.url, digests=file)
    assert refused.value.problem == f'"{file}" holds no digest, so nothing could be compared with it'


def test_where_what_was_published_ends_before_the_last_seal_is_said(trail: Trail) -> None:
    assert trail.verified(digests=True).notes == ()
    earlier = trail.published[:-2]
    done = verify(url=trail.url, digests=earlier)
    assert done.whole
    assert done.notes == (
        f"what was published ends with seal {earlier[-1].id}: later ones stand on their signatures alone",
    )
    # What is known of the last good seal alone was not published.
    assert verify(url=trail.url, since=earlier[-1].id, digests=earlier[-1:]).notes == ()


def test_digests_that_a_full_disk_cut_off_are_passed_over_once_they_were_sent_again(trail: Trail) -> None:
    file = trail.public_key.with_name("digests")
    lines = [digest_line(seal) for seal in trail.published]
    again = [lines[0], lines[1][:100], *lines, lines[2][:7]]
    file.write_text("\n".join(again))
    assert verify(url=trail.url, digests=file).whole
    # What was never sent again was no such line.
    file.write_text("\n".join([*lines[:3], lines[3][:100], *lines[4:]]))
    with pytest.raises(FileError) as refused:
        verify(url=trail.url, digests=file)
    assert refused.value.problem == f'line 4 of "{file}" is not the digest of a seal'


@pytest.mark.parametrize(
    ("name", "other"),
    [("note", 5), ("entry_ids", None), ("key_id", ["x"]), ("first_xid", -1), ("epoch", 2**70)],
)
def test_a_digest_that_nothing_could_seal_is_refused(trail: Trail, name: str, other: object) -> None:
    file = trail.public_key.with_name("digests")
    file.write_text(json.dumps(json.loads(digest_line(trail.published[0])) | {name: other}) + "\n")
    with pytest.raises(FileError) as refused:
        verify_export(file, file)
    assert refused.value.problem == f'line 1 of "{file}" is not the digest of a seal'


def test_a_file_that_holds_no_public_key_is_refused(trail: Trail) -> None:
    file = trail.public_key.with_name("other")
    file.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    for refused_file in (file, file.with_name("none")):
        with pytest.raises(FileError):
            verify(url=trail.url, public_key=refused_file)


def test_the_instant_of_an_entry_is_microseconds_since_2000() -> None:
    assert microseconds(datetime.datetime(2000, 1, 1, 0, 0, 1, 5, datetime.timezone.utc)) == 1_000_005
