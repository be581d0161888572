"""What an erasure had to leave is erased when it may be, with a further certificate."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate, Whole
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.completion import complete_erasures
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import (
    except_from_erasure,
    place_hold,
    release_hold,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.retention import apply_retention
from support import rows

pytestmark = pytest.mark.usefixtures("keys")


def completed(url: str) -> list[ErasureCertificate | str | None]:
    """The further certificates, or what kept them away."""
    return [one.certificate or one.problem for one in complete_erasures(url, wait_s=10)]


def kept_by(certificate: object) -> set[tuple[str, int | None]]:
    """The tables of which it says that something is kept by a hold, with the hold."""
    assert isinstance(certificate, ErasureCertificate)
    return {(one.table, one.hold) for one in certificate.kept if one.hold and one.rows}


def test_what_holds_kept_is_erased_one_after_the_other_as_they_are_released(entangled: str) -> None:
    heard = place_hold("e", "3 O 12/26", "a claim", subject=ADA.id, table="public.listens", url=entangled)
    said = place_hold(
        "e", "3 O 12/26", "a claim", subject=ADA.id, table="public.agent_messages", url=entangled
    )
    first = erase_user(ADA.id, url=entangled)
    assert kept_by(first) == {
        ("public.listens", heard),
        ("public.agent_messages", said),
        ("public.agent_conversations", said),
    }
    assert completed(entangled) == []
    count = "SELECT (SELECT count(*) FROM listens WHERE user_id = {0}), (SELECT count(*) FROM agent_messages WHERE user_id = {0})"
    assert rows(entangled, count.format(ADA.id)) == [(1, 2)]

    release_hold(heard, "over", url=entangled)
    (second,) = completed(entangled)
    assert isinstance(second, ErasureCertificate)
    assert (second.completes, second.id != first.id) == (first.id, True)
    assert kept_by(second) == {("public.agent_messages", said), ("public.agent_conversations", said)}
    assert [one.rows for one in second.tables if one.table == "public.listens"] == [1]
    assert completed(entangled) == []

    release_hold(said, "over", url=entangled)
    (third,) = completed(entangled)
    assert isinstance(third, ErasureCertificate)
    assert (third.completes, kept_by(third)) == (first.id, set())
    assert rows(entangled, count.format(ADA.id)) == [(0, 0)]
    assert rows(entangled, count.format(BOB.id)) == [(1, 2)]
    assert completed(entangled) == []
    assert erase_user(ADA.id, url=entangled).as_json() == first.as_json()
    assert rows(entangled, "SELECT state, count(*) FROM ops.erasures GROUP BY 1") == [("certified", 3)]


def test_an_exception_completes_by_itself_when_it_is_over(entangled: str) -> None:
    over = datetime.now(timezone.utc) + timedelta(seconds=20)
    number = except_from_erasure(
        "b", "§ 147 AO", "accounts", expires_at=over, subject=ADA.id, table="public.listens", url=entangled
    )
    first = erase_user(ADA.id, url=entangled)
    assert {(one.hold, one.until) for one in first.kept if one.hold} == {(number, over)}
    assert completed(entangled) == []
    # As if it had been waited for.
    rows(
        entangled,
        "SET ROLE agent_owner; UPDATE ops.legal_holds SET expires_at = now(), placed_at = now() - interval '1 day'",
    )
    (second,) = completed(entangled)
    assert kept_by(second) == set()
    assert rows(entangled, "SELECT count(*) FROM listens WHERE user_id = %s", (ADA.id,)) == [(0,)]


def test_rows_that_a_rule_kept_are_certified_once_they_are_gone_and_not_before(entangled: str) -> None:
    rows(
        entangled,
        "SET ROLE agent_owner; UPDATE retention_policies SET keep_for = '1 second' WHERE table_name = 'consent_events'",
    )
    first = erase_user(ADA.id, url=entangled)
    assert [one.rows for one in first.kept if one.rule == "proof"] == [2]
    time.sleep(1)
    assert completed(entangled) == []
    apply_retention(entangled)
    (second,) = completed(entangled)
    assert isinstance(second, ErasureCertificate)
    assert second.completes == first.id
    assert [one.rows for one in second.kept if one.rule == "proof"] == [0]
    assert completed(entangled) == []


def test_what_cannot_be_completed_keeps_nobody_else_waiting(entangled: str) -> None:
    holds = [
        place_hold("e", "3 O 12/26", "a claim", subject=person, table="public.listens", url=entangled)
        for person in (ADA.id, BOB.id)
    ]
    for person in (ADA.id, BOB.id):
        erase_user(person, url=entangled)
    for hold in holds:
        release_hold(hold, "over", url=entangled)
    rows(entangled, "SET ROLE agent_owner; UPDATE ops.erasure_limits SET most_rows = 0")
    problem = (
        "the erasure does 2 rows, of 0 that it may; it takes the approval of 2 persons, and 0 have given it"
    )
    assert completed(entangled) == [problem, problem]
    rows(entangled, "SET ROLE agent_owner; UPDATE ops.erasure_limits SET most_rows = 9")
    assert [isinstance(one, ErasureCertificate) for one in completed(entangled)] == [True, True]


def test_a_person_who_is_held_as_a_whole_is_hidden_and_erased_when_the_hold_is_released(
    entangled: str,
) -> None:
    hold = place_hold("e", "3 O 12/26", "a claim", subject=ADA.id, url=entangled)
    first = erase_user(ADA.id, url=entangled)
    assert kept_by(first) >= {("public.users", hold), ("public.listens", hold), ("ops.pseudonyms", hold)}
    state = f"SELECT status, email IS NULL FROM users WHERE id = {ADA.id}"
    assert rows(entangled, state) == [("erasing", False)]
    seen = "SET ROLE agent_app; SET app.user_id = '%s'; SELECT count(*) FROM listens WHERE user_id = %s"
    assert rows(entangled, seen, (ADA.id, ADA.id)) == [(0,)]
    assert rows(entangled, seen, (BOB.id, BOB.id)) == [(1,)]
    with pytest.raises(psycopg2.errors.CheckViolation, match="of a person who is erased"):
        rows(
            entangled,
            f"INSERT INTO listens (user_id, id, track_id, listened_at, ms_played) VALUES ({ADA.id}, 9, 10001, now(), 1)",
        )
    # Nobody is told that they were erased.
    told = f"SELECT entity_key FROM audit_log WHERE entity_type = 'user' AND entity_id = {ADA.id} AND action = 'erase'"
    assert rows(entangled, told) == []
    assert first.outcome is Whole.KEPT
    release_hold(hold, "over", url=entangled)
    (second,) = completed(entangled)
    assert isinstance(second, ErasureCertificate)
    assert second.outcome is Whole.DELETED_WITH_EXCEPTIONS
    assert kept_by(second) == set()
    assert rows(entangled, state) == [("erased", True)]
    assert rows(entangled, f"SELECT count(*) FROM ops.pseudonyms WHERE user_id = {ADA.id}") == [(0,)]
    assert rows(entangled, told) == [(str(second.id),)]
    assert rows(entangled, f"SELECT count(*) FROM audit_log WHERE entity_id = {ADA.id}") == [(1,)]
