"""After an erasure the trail is whole, names nobody, and whatever its owner does to it is found as before."""

from __future__ import annotations

import pathlib

import pytest
from audit_trail.scene import Trail, found, kinds
from audit_trail.test_attacks import RECOMMIT
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gdpr_erasure.hidden import certify, forget, hide, working
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.audit_trail.fault import Kind
from spotify_ai_agent_migrations.versions.audit_trail.run import seal
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import place_hold
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import file_request
from support import rows

NAMED = f"SELECT count(*) FROM audit_log WHERE entity_id = {ADA.id}"
OF = "SELECT audit_ref FROM ops.pseudonyms WHERE user_id = {}"


def erased(url: str) -> str:
    erasure = hide(url, ADA.id)
    with working(url, erasure) as cursor:
        for table in ("user_identities", "consent", "listens", "user_features"):
            cursor.execute(f"DELETE FROM {table} WHERE user_id = {ADA.id}")
    forget(url, erasure)
    certify(url, erasure)
    return erasure


@pytest.fixture
def trail(entangled: str, tmp_path: pathlib.Path) -> Trail:
    """A trail sealed before the erasure of one of the two, and again after it."""
    key = SigningKey(Ed25519PrivateKey.generate())
    public = tmp_path / "audit.pub"
    public.write_bytes(key.public.pem)
    file_request(ADA.id, "erasure", url=entangled)
    published = [*seal(entangled, key=key).seals]
    erased(entangled)
    published += seal(entangled, key=key).seals
    ids = {
        made.id: [number for (number,) in rows(entangled, "SELECT id FROM audit_log WHERE id::bigint <@ (SELECT entry_ids FROM ops.audit_seal WHERE id = %s) ORDER BY id", (made.id,))]
        for made in published
    }  # fmt: skip
    return Trail(entangled, key, public, ids, tuple(published))  # type: ignore[arg-type]


def test_it_is_whole_and_names_the_person_no_more_and_others_as_before(trail: Trail) -> None:
    done = trail.verified(digests=True)
    assert (done.faults, done.unsealed) == ((), 0)
    assert rows(trail.url, NAMED) == [(0,)]
    assert rows(trail.url, NAMED.replace(str(ADA.id), str(BOB.id)))[0] > (0,)
    ((redacted,),) = rows(trail.url, "SELECT count(*) FROM audit_log WHERE redacted IS NOT NULL AND entity_type <> 'audit_entry'")  # fmt: skip
    assert int(str(redacted)) > 5
    # Told as often, of none of them; and one entry tells of the erasure.
    assert rows(trail.url, "SELECT count(*) FROM audit_log WHERE action = 'redact' AND redacted IS NOT NULL") == [(redacted,)]  # fmt: skip
    assert rows(trail.url, "SELECT entity_key = (SELECT id::text FROM ops.erasures), subject_ref FROM audit_log WHERE action = 'erase'") == [(True, None)]  # fmt: skip


def test_nothing_that_is_kept_leads_to_what_the_person_ever_did(entangled: str) -> None:
    ((before,),) = rows(entangled, OF.format(ADA.id))
    request = file_request(ADA.id, "erasure", url=entangled)
    entries = f"SELECT count(*) FROM audit_log WHERE {before} IN (subject_ref, actor_ref)"
    ((many,),) = rows(entangled, entries)
    erased(entangled)
    assert rows(entangled, OF.format(ADA.id)) == []
    assert int(str(many)) > 10
    # The entries are there. No transaction of the erasure wrote one of them, and none says of which kept row it is.
    assert rows(entangled, entries) == [(many,)]
    assert rows(
        entangled,
        f"SELECT count(*) FROM audit_log AS entry JOIN ops.erasures ON entry.xid IN (hidden_xid, horizon) WHERE {before} IN (entry.subject_ref, entry.actor_ref)",
    ) == [(0,)]
    assert rows(
        entangled,
        f"SELECT count(*) FROM audit_log WHERE entity_type LIKE 'data_subject_request%' AND entity_id = {request} AND subject_ref = {before}",
    ) == [(0,)]
    assert rows(entangled, "SELECT user_id FROM data_subject_requests") == [(ADA.id,)]
    # What the erasure itself wrote is under another name, which nobody has any more.
    assert rows(
        entangled,
        "SELECT count(DISTINCT subject_ref) FROM audit_log WHERE xid >= (SELECT hidden_xid FROM ops.erasures) AND subject_ref IS NOT NULL"
        f" AND subject_ref <> ({OF.format(BOB.id)})",
    ) == [(1,)]  # fmt: skip


@pytest.mark.parametrize("table", ["ops.pseudonyms", "public.audit_log", None])
def test_a_hold_on_the_trail_keeps_whom_it_names_and_its_release_lets_them_go(
    entangled: str, table: str | None
) -> None:
    ((before,),) = rows(entangled, OF.format(ADA.id))
    number = place_hold("e", "case 7", "a claim", subject=ADA.id, table=table, url=entangled)
    ((named,),) = rows(entangled, NAMED)
    erasure = erased(entangled)
    assert rows(entangled, OF.format(ADA.id)) == [(before,)]
    ((still,),) = rows(entangled, NAMED)
    assert int(str(still)) >= int(str(named)) > 0
    rows(entangled, f"SELECT ops.release_hold_v1({number}, 'settled')")
    ((second,),) = rows(
        entangled,
        f"SELECT ops.begin_erasure_v1({ADA.id}, 'completion', now(), '{{}}', sha256('x'), '[]', completes => '{erasure}')::text",
    )
    assert second != erasure
    forget(entangled, str(second))
    certify(entangled, str(second))
    assert rows(entangled, OF.format(ADA.id)) == []
    assert rows(entangled, NAMED) == [(0,)]
    assert rows(entangled, "SELECT count(*) FROM ops.erasures WHERE state = 'certified'") == [(2,)]


def test_entries_from_before_there_were_commitments_are_redacted_and_sealed_as_the_others(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    key = SigningKey(Ed25519PrivateKey.generate())
    public = tmp_path / "audit.pub"
    public.write_bytes(key.public.pem)
    rows(entangled, "SET ROLE agent_owner; UPDATE audit_log SET commitment = NULL, salt = NULL WHERE entity_type = 'user'")  # fmt: skip
    erased(entangled)
    seals = seal(entangled, key=key).seals
    assert Trail(entangled, key, public, {}, tuple(seals)).verified().whole
    assert rows(entangled, NAMED) == [(0,)]


def test_an_edit_a_deletion_and_an_exchange_of_redacted_entries_are_found(trail: Trail) -> None:
    first = trail.published[0].id
    gone = "SELECT min(id), max(id) FROM audit_log WHERE redacted IS NOT NULL AND action = 'insert'"
    ((one, other),) = rows(trail.url, gone)
    ((kept,),) = rows(trail.url, "SELECT min(id) FROM audit_log WHERE entity_type = 'playlist'")
    assert trail.verified().whole
    trail.attacked(f"UPDATE audit_log SET entity_id = {ADA.id} WHERE id = {one}")
    assert found(trail.verified()) == {("edited", first, one, one)}
    trail.attacked(f"UPDATE audit_log SET entity_id = 0 WHERE id = {one}")
    assert trail.verified().whole
    trail.attacked(f"UPDATE audit_log SET subject_ref = 5 WHERE id = {kept}", RECOMMIT.format(kept))
    assert found(trail.verified()) == {("block", first, None, None)}
    trail.attacked(
        f"UPDATE audit_log AS entry SET redacted = twin.redacted, commitment = twin.commitment FROM audit_log AS twin"
        f" WHERE entry.id IN ({one}, {other}) AND twin.id IN ({one}, {other}) AND entry.id <> twin.id"
    )
    assert {("edited", first, one, one), ("edited", first, other, other)} <= found(trail.verified())
    trail.attacked(f"DELETE FROM audit_log WHERE id = {one}")
    assert ("missing", first, one, one) in found(trail.verified())


def test_a_redaction_that_nobody_told_of_is_found_among_those_of_an_erasure(trail: Trail) -> None:
    ((number,),) = rows(trail.url, f"SELECT min(id) FROM audit_log WHERE entity_id = {BOB.id}")
    trail.attacked(
        "UPDATE audit_log SET redacted = ops.audit_private_v1(salt, entity_id, entity_key, request_id, payload), salt = NULL,"
        f" entity_id = 0, entity_key = NULL, request_id = NULL, payload = NULL WHERE id = {number}"
    )
    done = trail.verified()
    assert kinds(done) == {Kind.UNEXPLAINED}
    assert number in {fault.entry_id for fault in done.faults}


def test_a_trail_that_was_emptied_or_cut_off_after_an_erasure_is_found(trail: Trail) -> None:
    last = trail.published[-1].id
    trail.attacked(
        f"DELETE FROM audit_log WHERE id = ANY (ARRAY{trail.blocks[last]})",
        "DELETE FROM ops.audit_anchor",
        f"DELETE FROM ops.audit_seal WHERE id = {last}",
    )
    assert kinds(trail.verified(digests=True)) == {Kind.TRUNCATED, Kind.UNEXPLAINED}
    trail.attacked("TRUNCATE audit_log")
    assert Kind.MISSING in kinds(trail.verified())


def test_a_trail_that_its_owner_wrote_anew_and_sealed_with_a_key_of_their_own_is_found(trail: Trail) -> None:
    trail.attacked(
        "DELETE FROM audit_log WHERE redacted IS NOT NULL",
        "DELETE FROM ops.audit_anchor",
        "DELETE FROM ops.audit_seal",
    )
    seal(trail.url, key=SigningKey(Ed25519PrivateKey.generate()))
    assert Kind.SEAL_SIGNATURE in kinds(trail.verified())
    assert Kind.REWRITTEN in kinds(trail.verified(digests=True))
