"""A certificate says no more than is true: of what is kept, of what is in the files, of what the trail shows."""

from __future__ import annotations

import threading

import pytest
from gdpr_erasure.erasing import open_session
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import run
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Kept
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user, resume
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import place_hold, release_hold
from support import rows, until

TRAIL = "SELECT action, entity_key FROM audit_log WHERE entity_type = 'user' AND entity_id = %s"
ERASURES = "SELECT id::text FROM ops.erasures WHERE subject_id = %s ORDER BY hidden_at"


def kept(certificate: ErasureCertificate, table: str) -> Kept:
    """What a certificate says is kept of a table."""
    (found,) = [one for one in certificate.kept if one.table == table]
    return found


def test_what_is_kept_weighs_in_the_outcome(entangled: str, keys: Keyring) -> None:
    certificate = erase_user(ADA.id, url=entangled)
    assert certificate.outcome.value == "deleted_with_exceptions"
    assert ErasureCertificate.from_json(certificate.as_json()).outcome is certificate.outcome
    assert certificate.verify(keys)
    assert kept(certificate, "public.users").rows == 1


def test_what_is_kept_is_counted_when_all_has_ended(entangled: str, keys: Keyring) -> None:
    del keys
    certificate = erase_user(ADA.id, url=entangled)
    for table in ("ops.erasures", "ops.tombstones"):
        assert (table, kept(certificate, table).rows) == (table, 1)
    # What rows of it there were before, and that the pseudonym leads to no more.
    assert kept(certificate, "public.audit_log").rows > 5
    ((ends,),) = rows(
        entangled,
        "SELECT person.erased_at + policy.keep_for FROM users AS person, retention_policies AS policy"
        " WHERE person.id = %s AND policy.table_name IN ('users', 'public.users') AND policy.rule = 'erased'",
        (ADA.id,),
    )
    assert kept(certificate, "public.users").until == ends


def test_rows_that_are_kept_and_came_while_the_person_was_hidden_are_counted(
    entangled: str, keys: Keyring
) -> None:
    del keys
    place_hold("e", "case 7", "a claim", subject=ADA.id, table="public.analytics", url=entangled)
    made: list[ErasureCertificate] = []
    with open_session(entangled, "REPEATABLE READ") as late:
        eraser = threading.Thread(target=lambda: made.append(erase_user(ADA.id, url=entangled)))
        eraser.start()
        until(lambda: rows(entangled, "SELECT count(*) FROM ops.erasures WHERE state = 'erased'") == [(1,)])
        with late.cursor() as cursor:
            cursor.execute(
                "INSERT INTO analytics (user_id, id, event_name, properties) VALUES (%s, 77, 'late', '{}')",
                (ADA.id,),
            )
        late.commit()
        eraser.join(60)
    there = "SELECT count(*) FROM analytics WHERE user_id = %s"
    assert rows(entangled, there, (ADA.id,)) == [(2,)]
    assert [kept(one, "public.analytics").rows for one in made] == [2]


def test_one_that_was_interrupted_tells_as_much_of_what_is_kept(
    entangled: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    del keys

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "certify", stop)
        erase_user(ADA.id, url=entangled)
    (certificate,) = resume(url=entangled)
    assert kept(certificate, "public.audit_log").rows > 5
    assert kept(certificate, "public.consent_events").rows == 2


def test_the_trail_tells_by_the_number_that_the_person_was_erased_and_nothing_that_was_before(
    entangled: str, keys: Keyring
) -> None:
    del keys
    assert len(rows(entangled, TRAIL, (ADA.id,))) > 0
    others = rows(entangled, TRAIL, (BOB.id,))
    erase_user(ADA.id, url=entangled)
    assert rows(entangled, TRAIL, (ADA.id,)) == [("erase", *rows(entangled, ERASURES, (ADA.id,))[0])]
    assert rows(entangled, TRAIL, (BOB.id,)) == others
    assert rows(entangled, "SELECT count(*) FROM consent WHERE granted = false AND user_id = %s", (ADA.id,)) == [(0,)]  # fmt: skip


def test_an_erasure_that_completes_another_is_told_beside_it(entangled: str, keys: Keyring) -> None:
    del keys
    hold = place_hold("e", "case 7", "a claim", subject=ADA.id, table="public.listens", url=entangled)
    first = erase_user(ADA.id, url=entangled)
    assert kept(first, "public.listens").rows == 1
    release_hold(hold, "settled", url=entangled)
    second = erase_user(ADA.id, reason="completion", completes=first.id, url=entangled)
    assert rows(entangled, TRAIL + " ORDER BY id", (ADA.id,)) == [("erase", str(first.id)), ("erase", str(second.id))]  # fmt: skip
    assert [one for one in second.kept if one.table == "public.listens"] == []


def test_an_entry_that_only_looks_like_that_of_an_erasure_is_redacted(entangled: str, keys: Keyring) -> None:
    del keys
    rows(
        entangled,
        "INSERT INTO audit_log (entity_type, entity_id, entity_key, action, actor_type, actor_ref)"
        " VALUES ('user', %s, 'ada', 'erase', 'service', 1), ('user', %s, NULL, 'erase', 'service', 1)",
        (ADA.id, ADA.id),
    )
    certificate = erase_user(ADA.id, url=entangled)
    assert rows(entangled, TRAIL, (ADA.id,)) == [("erase", str(certificate.id))]


def test_rows_that_are_dead_in_the_files_are_counted(entangled: str, keys: Keyring) -> None:
    del keys
    # Between the erasure and its certificate an autovacuum would take them away.
    rows(entangled, "ALTER TABLE listens SET (autovacuum_enabled = off)")
    rows(
        entangled,
        "INSERT INTO listens (user_id, id, track_id, listened_at, ms_played)"
        " SELECT %s, 1000 + n, 10001, now() - n * interval '1 minute', 1 FROM generate_series(1, 500) AS n",
        (ADA.id,),
    )
    certificate = erase_user(ADA.id, url=entangled)
    dead = {one["name"]: one["dead_rows"] for one in certificate.residue["tables"]}
    assert dead["public.listens"] >= 500
    assert dead["public.users"] >= 1
