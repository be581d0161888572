"""Whoever owns the tables changes, takes away, puts in, swaps, cuts off and rewrites: each is found, and where."""

from __future__ import annotations

import pathlib

import pytest
from audit_trail.scene import PER_BLOCK, Trail, found, kinds
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spotify_ai_agent_migrations.versions.audit_trail.fault import Kind
from spotify_ai_agent_migrations.versions.audit_trail.run import redact, seal
from spotify_ai_agent_migrations.versions.audit_trail.sinks import FileSink
from spotify_ai_agent_migrations.versions.audit_trail.verification import verify
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import connected, rows

# Another value for each column of an entry; `xid` and `created_at` by a step, as somebody would who hides one.
OTHER = {
    "id": "id + 1000000", "xid": "(xid::text::bigint + 1)::text::xid8", "created_at": "created_at + interval '1 microsecond'",
    "entity_type": "'users'", "action": "'delete'", "actor_type": "'admin'", "actor_ref": "NULL", "subject_ref": "subject_ref + 1",
    "changed_columns": "'{city,display_name}'", "entity_id": "entity_id + 1", "entity_key": "NULL", "request_id": "gen_random_uuid()",
    "payload": "payload || '{\"n\": 1.0}'", "salt": "sha256('x')", "redacted": "sha256('x')", "commitment": "sha256('x')",
}  # fmt: skip
COLUMNS = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'audit_log'::regclass AND attnum > 0 AND NOT attisdropped"
# What the owner writes who knows how an entry is committed to: the table holds the salt.
RECOMMIT = """
    UPDATE audit_log SET commitment = ops.audit_commitment_v1(id, xid, created_at, entity_type, action, actor_type, actor_ref,
        subject_ref, changed_columns, ops.audit_private_v1(salt, entity_id, entity_key, request_id, payload)) WHERE id = {}
"""


def test_a_trail_that_nobody_touched_is_whole(trail: Trail) -> None:
    done = trail.verified(digests=True)
    assert done.whole
    ((entries,),) = rows(trail.url, "SELECT count(*) FROM audit_log")
    assert (done.entries, done.seals, done.unsealed, done.retired) == (entries, 6, 0, 0)
    assert done.signatures_checked
    assert done.last_seal == trail.published[-1]


def test_an_edit_of_any_column_of_any_entry_is_found_and_the_entry_named(trail: Trail) -> None:
    assert {name for (name,) in rows(trail.url, COLUMNS)} == set(OTHER)
    for place, (column, other) in enumerate(OTHER.items()):
        block = 2 + place % 5
        number = trail.blocks[block][place]
        with connected(trail.url) as connection, connection.cursor() as cursor:
            cursor.execute("SET ROLE agent_owner")
            cursor.execute("CREATE TABLE before AS SELECT * FROM audit_log WHERE id = %s", (number,))
            cursor.execute(f"UPDATE audit_log SET {column} = {other} WHERE id = {number}")
            assert cursor.rowcount == 1
            for done in (trail.verified(), trail.verified(since=block - 1)):
                if column == "id":
                    # The one is not there any more, and another is that never was.
                    assert ("missing", block, number, number) in found(done)
                    assert ("foreign", None, number + 1_000_000, number + 1_000_000) in found(done)
                else:
                    assert ("edited", block, number, number) in found(done), column
                    assert {fault.entry_id for fault in done.faults} == {number}, column
            cursor.execute(
                "DELETE FROM audit_log WHERE id IN (%(id)s, %(id)s + 1000000);"
                " INSERT INTO audit_log SELECT * FROM before; DROP TABLE before",
                {"id": number},
            )
        assert trail.verified().whole


def test_an_edit_by_somebody_who_commits_to_it_again_is_found_and_the_block_named(trail: Trail) -> None:
    number = trail.blocks[3][4]
    trail.attacked(f"UPDATE audit_log SET entity_id = 99 WHERE id = {number}", RECOMMIT.format(number))
    assert found(trail.verified()) == {("block", 3, None, None)}
    assert found(trail.verified(since=2)) == {("block", 3, None, None)}


def test_what_was_verified_before_is_not_read_again(trail: Trail) -> None:
    trail.attacked(f"UPDATE audit_log SET entity_id = 99 WHERE id = {trail.blocks[3][4]}")
    later = trail.verified(since=3)
    assert later.whole
    assert (later.entries, later.seals) == (3 * PER_BLOCK, 3)
    assert kinds(trail.verified()) == {Kind.EDITED}


def test_deleted_entries_are_named(trail: Trail) -> None:
    first, last = trail.blocks[4][3], trail.blocks[4][7]
    trail.attacked(f"DELETE FROM audit_log WHERE id BETWEEN {first} AND {last} OR id = {last + 2}")
    for since in (None, 2):
        assert found(trail.verified(since=since)) == {
            ("missing", 4, first, last),
            ("missing", 4, last + 2, last + 2),
        }
    assert trail.verified().faults[0].problem == f"each entry from {first} to {last} of block 4: is gone"


@pytest.mark.parametrize("commitment", ["NULL", "sha256('x')"])
def test_an_entry_put_in_behind_the_horizon_is_named(trail: Trail, commitment: str) -> None:
    ((xid,),) = rows(trail.url, "SELECT xid::text FROM audit_log WHERE id = %s", (trail.blocks[3][0],))
    trail.attacked(
        "INSERT INTO audit_log (id, xid, entity_type, entity_id, action, actor_type, commitment)"
        f" VALUES (4711000, '{xid}', 'user', 1, 'update', 'user', {commitment})"
    )
    for since in (None, 2):
        assert found(trail.verified(since=since)) == {("foreign", None, 4711000, 4711000)}
    assert trail.verified(since=3).whole


def test_an_entry_that_was_just_written_is_no_fault_and_waits(trail: Trail) -> None:
    rows(
        trail.url,
        "INSERT INTO audit_log (entity_type, entity_id, action, actor_type) VALUES ('user', 1, 'read', 'user')",
    )
    done = trail.verified()
    assert (done.whole, done.unsealed) == (True, 1)


def test_an_entry_that_is_there_twice_is_named(trail: Trail) -> None:
    number = trail.blocks[5][0]
    trail.attacked(
        f"CREATE TEMPORARY TABLE copied AS SELECT * FROM audit_log WHERE id = {number};"
        " UPDATE copied SET entity_id = entity_id + 1; INSERT INTO audit_log SELECT * FROM copied"
    )
    for since in (None, 4):
        assert ("duplicate", None, number, number) in found(trail.verified(since=since))


@pytest.mark.parametrize("what", ["id", "entity_id, subject_ref, payload, salt, commitment"])
def test_two_entries_in_each_others_place_are_found(trail: Trail, what: str) -> None:
    one, other = trail.blocks[2][0], trail.blocks[2][1]
    columns = what.split(", ")
    settings = ", ".join(f"{column} = twin.{column}" for column in columns)
    trail.attacked(
        f"UPDATE audit_log AS entry SET {settings} FROM audit_log AS twin"
        f" WHERE entry.id IN ({one}, {other}) AND twin.id IN ({one}, {other}) AND entry.id <> twin.id"
    )
    assert {("edited", 2, one, one), ("edited", 2, other, other)} <= found(trail.verified())
    trail.attacked(RECOMMIT.format(one), RECOMMIT.format(other))
    assert found(trail.verified()) == {("block", 2, None, None)}


def test_a_tail_that_was_cut_off_is_found_by_what_was_published(trail: Trail) -> None:
    first = trail.blocks[5][0]
    trail.attacked("DELETE FROM ops.audit_seal WHERE id >= 5", f"DELETE FROM audit_log WHERE id >= {first}")
    # Without anything from outside, the trail is one that was shorter.
    assert trail.verified().whole
    done = trail.verified(digests=True)
    assert found(done) == {("truncated", 5, None, None)}
    assert done.faults[0].problem == "each seal from 5 to 6 is gone, and was published"
    # What was verified last is enough.
    assert found(trail.verified(since=6)) == {("truncated", 6, None, None)}


def test_a_tail_of_seals_that_were_told_is_found_even_without_their_digests(trail: Trail) -> None:
    trail.attacked(
        "INSERT INTO ops.audit_anchor (sink, seal_id) VALUES ('file:x', 6)",
        "ALTER TABLE ops.audit_anchor DROP CONSTRAINT audit_anchor_seal_id_fkey",
        "DELETE FROM ops.audit_seal WHERE id = 6",
    )
    assert Kind.TRUNCATED in kinds(trail.verified())


@pytest.mark.parametrize("gone", [1, 3])
def test_a_block_that_was_dropped_is_found_with_and_without_its_entries(trail: Trail, gone: int) -> None:
    trail.attacked(f"DELETE FROM ops.audit_seal WHERE id = {gone}")
    assert found(trail.verified()) == {("seal_missing", gone, None, None)}
    if gone in trail.blocks:
        trail.attacked(
            f"DELETE FROM audit_log WHERE id BETWEEN {trail.blocks[gone][0]} AND {trail.blocks[gone][-1]}"
        )
        assert found(trail.verified()) == {("seal_missing", gone, None, None)}


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("epoch", "7"), ("sealed_at", "sealed_at - interval '1 day'"), ("sealed_at", "'infinity'"), ("previous_hash", "sha256('x')"),
        ("first_xid", "'1'"), ("horizon", "'4000000000'"), ("entry_count", "entry_count - 1"), ("entry_ids", "entry_ids + '{[1,2)}'"),
        ("entry_ids", "'{[1,9000000000000000000)}'"), ("root", "sha256('x')"), ("system_identifier", "'1'"), ("timeline", "9"),
        ("note", "'restored'"), ("key_id", "'0123456789abcdef'"), ("hash", "sha256('x')"), ("signature", "decode(repeat('00', 64), 'hex')"),
    ],
)  # fmt: skip
def test_an_edit_of_any_column_of_a_seal_is_found_and_the_seal_named(
    trail: Trail, column: str, other: str
) -> None:
    trail.attacked(f"UPDATE ops.audit_seal SET {column} = {other} WHERE id = 4")
    kind = "seal_signature" if column == "signature" else "seal_edited"
    assert (kind, 4, None, None) in found(trail.verified())
    assert not [fault for fault in trail.verified().faults if fault.entry_id is not None]


def test_everything_rewritten_from_a_block_on_with_the_same_key_is_found_by_what_was_published(
    trail: Trail,
) -> None:
    number = trail.blocks[4][0]
    trail.attacked(
        "DELETE FROM ops.audit_seal WHERE id >= 4",
        f"UPDATE audit_log SET subject_ref = 1 WHERE id = {number}",
        RECOMMIT.format(number),
    )
    seal(trail.url, key=trail.key, block_rows=PER_BLOCK)
    alone = trail.verified()
    assert alone.whole
    assert alone.last_seal is not None
    assert alone.last_seal.id == 6
    done = trail.verified(digests=True)
    assert found(done) == {("rewritten", 4, None, None)}
    assert done.faults[0].problem == "seal 4 is not the one that was published"
    # And by one digest alone, of any later seal.
    assert found(verify(url=trail.url, digests=trail.published[-1:])) == {("rewritten", 6, None, None)}


def test_a_trail_that_the_sealer_itself_seals_and_publishes_again_is_found_by_the_first_digest(
    trail: Trail, tmp_path: pathlib.Path
) -> None:
    sink = FileSink(tmp_path / "digests")
    assert seal(trail.url, key=trail.key, sinks=[sink]).anchored[0].seals == 6
    number = trail.blocks[4][0]
    trail.attacked(
        "DELETE FROM ops.audit_anchor",
        "DELETE FROM ops.audit_seal WHERE id >= 4",
        f"UPDATE audit_log SET subject_ref = 1 WHERE id = {number}",
        RECOMMIT.format(number),
    )
    again = seal(trail.url, key=trail.key, sinks=[sink], block_rows=PER_BLOCK)
    assert again.anchored[0].seals == 6
    assert trail.verified().whole
    assert found(verify(url=trail.url, public_key=trail.public_key, digests=sink.path)) == {
        ("rewritten", 4, None, None)
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("horizon = '9000000000'", "does not hash to what it was sealed with"),
        ("signature = decode(repeat('00', 64), 'hex')", "is not signed by its key"),
    ],
)
def test_nothing_is_sealed_behind_a_last_seal_that_was_changed(trail: Trail, change: str, why: str) -> None:
    trail.attacked(f"UPDATE ops.audit_seal SET {change} WHERE id = 6")
    rows(
        trail.url,
        "INSERT INTO audit_log (entity_type, entity_id, action, actor_type) VALUES ('user', 1, 'read', 'user')",
    )
    with pytest.raises(DatabaseError) as refused:
        seal(trail.url, key=trail.key)
    assert refused.value.problem == f"seal 6, the last one, {why}; nothing was sealed behind it"
    assert rows(trail.url, "SELECT max(id) FROM ops.audit_seal") == [(6,)]


def test_seals_of_somebody_without_the_key_are_found(trail: Trail) -> None:
    trail.attacked("DELETE FROM ops.audit_seal WHERE id >= 4")
    seal(trail.url, key=SigningKey(Ed25519PrivateKey.generate()), block_rows=PER_BLOCK)
    assert {("seal_signature", number, None, None) for number in (4, 5, 6)} == found(trail.verified())


def test_a_view_in_the_place_of_the_trail_is_found(trail: Trail) -> None:
    trail.attacked(
        "ALTER TABLE audit_log RENAME TO hidden",
        "CREATE VIEW audit_log AS SELECT * FROM hidden WHERE entity_id <> 3",
    )
    done = trail.verified()
    assert {fault.problem for fault in done.faults} == {'"public.audit_log" is not what the migrations made'}
    assert kinds(done) == {Kind.IMPOSTOR}


@pytest.mark.parametrize(
    ("schema", "table"),
    [("public", "retention_policies"), ("ops", "partition_archives"), ("ops", "audit_anchor")],
)
def test_a_view_that_would_call_a_function_of_the_owner_is_found_and_not_read(
    trail: Trail, schema: str, table: str
) -> None:
    with connected(trail.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION public.called() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called'; END $$;"
            f"ALTER TABLE {schema}.{table} RENAME TO hidden;"
            f"CREATE VIEW {schema}.{table} AS SELECT * FROM {schema}.hidden WHERE public.called()"
        )
    assert {fault.problem for fault in trail.verified().faults} == {
        f'"{schema}.{table}" is not what the migrations made'
    }


def test_a_column_of_a_type_of_the_owner_is_found_and_not_cast(trail: Trail) -> None:
    with connected(trail.url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TYPE public.own AS ENUM ('x'); ALTER TYPE public.own OWNER TO agent_owner")
    trail.attacked(
        "ALTER TABLE ops.audit_seal DROP CONSTRAINT audit_seal_horizon_check",
        "ALTER TABLE ops.audit_seal ALTER COLUMN horizon TYPE public.own USING 'x'",
    )
    assert {fault.problem for fault in trail.verified().faults} == {
        '"ops.audit_seal.horizon" is not what the migrations made'
    }


def test_functions_operators_and_casts_of_the_owner_are_not_asked(trail: Trail) -> None:
    number = trail.blocks[3][4]
    trail.attacked(f"UPDATE audit_log SET action = 'delete' WHERE id = {number}")
    with connected(trail.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION public.said(audit_action) RETURNS text LANGUAGE sql AS $$ SELECT 'update' $$;"
            "ALTER FUNCTION public.said(audit_action) OWNER TO agent_owner;"
            "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\x00'::bytea $$"
        )
    trail.attacked(
        "CREATE CAST (audit_action AS text) WITH FUNCTION public.said(audit_action)",
        "CREATE OR REPLACE FUNCTION ops.audit_field_v1(value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN '\\x00'::bytea",
    )
    with connected(trail.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database())"
        )
        cursor.execute(cursor.fetchone()[0])  # type: ignore[index]
    assert found(trail.verified()) == {("edited", 3, number, number)}


def test_a_thousand_redactions_leave_the_trail_whole_and_edits_of_redacted_entries_are_found(
    trail: Trail,
) -> None:
    with connected(trail.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_log (entity_type, entity_id, action, actor_type, subject_ref, payload)"
            " SELECT 'user', n, 'update', 'user', n, '{\"a\": 1}' FROM generate_series(1, 1500) AS n RETURNING id"
        )
        numbers = [number for (number,) in cursor.fetchall()]
    seal(trail.url, key=trail.key)
    assert redact(numbers[:1000], trail.url) == 1000
    assert (trail.verified().whole, trail.verified().unsealed) == (True, 1000)
    seal(trail.url, key=trail.key)
    done = trail.verified(digests=True)
    assert (done.whole, done.unsealed) == (True, 0)
    for place, change in enumerate(("subject_ref = -1", "entity_id = 5", "payload = '{}'", "entity_key = ''", "salt = '\\x00'",
                                    "redacted = sha256('x')", "redacted = NULL", "action = 'delete'", "request_id = gen_random_uuid()")):  # fmt: skip
        trail.attacked(f"UPDATE audit_log SET {change} WHERE id = {numbers[place]}")
    assert {fault.entry_id for fault in trail.verified().faults if fault.kind is Kind.EDITED} == set(
        numbers[:9]
    )


def test_parts_taken_from_an_entry_by_somebody_who_tells_nobody_are_found(trail: Trail) -> None:
    number = trail.blocks[2][3]
    trail.attacked(
        "UPDATE audit_log SET redacted = ops.audit_private_v1(salt, entity_id, entity_key, request_id, payload), entity_id = 0,"
        f" entity_key = NULL, request_id = NULL, payload = NULL, salt = NULL WHERE id = {number}"
    )
    assert found(trail.verified()) == {("unexplained", None, number, number)}


def test_an_emptied_trail_is_found(trail: Trail) -> None:
    trail.attacked("TRUNCATE audit_log")
    done = trail.verified()
    assert {fault.seal_id for fault in done.faults} == {1, 2, 3, 4, 5, 6}
    assert kinds(done) == {Kind.MISSING}
