"""What an erasure answers, and what outlives it: requests, and objections by the hashes of addresses."""

from __future__ import annotations

from uuid import UUID

import pytest
from gdpr_erasure.hidden import as_eraser, certify, forget, hide, working
from gdpr_erasure.people import ADA
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Refusal
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import about
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.suppressing import of_objections, suppress
from spotify_ai_agent_migrations.versions.gdpr_erasure.objection import (
    is_suppressed,
    object_to,
    withdraw_objection,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import complete, file_request, pause
from support import rows

KEY = bytes(range(32))


@pytest.fixture
def registered(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with two people in it, and no key to hash addresses with."""
    monkeypatch.delenv("SUPPRESSION_KEY", raising=False)
    monkeypatch.delenv("SUPPRESSION_KEY_FILE", raising=False)
    rows(
        url,
        "INSERT INTO users (id, email, display_name) VALUES (1, 'Ada.Lovelace+news@Example.org', 'A'), (2, 'b@example.org', 'B')",
    )
    return url


def refusals_of(cursor: Cursor, subject: int) -> tuple[Refusal, ...]:
    about(cursor, subject)
    return of_objections(cursor)


def test_a_request_for_erasure_is_completed_by_the_certificate_and_by_nothing_else(registered: str) -> None:
    asked = file_request(1, "erasure", url=registered)
    paused = file_request(1, "erasure", url=registered)
    pause(paused, "proof of identity", url=registered)
    others = [file_request(1, "access", url=registered), file_request(2, "erasure", url=registered)]
    erasure = hide(registered, 1)
    for begun in (lambda: None, lambda: forget(registered, erasure)):
        begun()
        with pytest.raises(DatabaseError) as refused:
            complete(asked, "done", url=registered)
        assert refused.value.problem == f"request {asked} is for erasure, and there is no certificate of one"
        assert refused.value.hint == "erase the person: the certificate completes the request"
    certify(registered, erasure)
    status = "SELECT id, status, closed_at IS NOT NULL FROM data_subject_requests ORDER BY id"
    assert rows(registered, status) == [
        (asked, "completed", True),
        (paused, "completed", True),
        *((other, "received", False) for other in others),
    ]
    assert rows(
        registered,
        "SELECT request_id, told FROM data_subject_request_events WHERE kind = 'completed' ORDER BY 1",
    ) == [(asked, f"certificate {erasure}"), (paused, f"certificate {erasure}")]
    later = file_request(1, "erasure", url=registered)
    assert complete(later, "erased before", url=registered)


def test_who_has_no_account_is_answered_by_hand(registered: str) -> None:
    assert complete(file_request(None, "erasure", url=registered), "nothing is held", url=registered)
    assert complete(file_request(4711, "erasure", url=registered), "nothing is held", url=registered)


def test_what_a_person_objected_to_holds_for_their_addresses_when_they_are_gone(registered: str) -> None:
    object_to(1, "marketing", url=registered)
    object_to(1, "analytics", url=registered)
    withdraw_objection(1, "analytics", url=registered)
    object_to(2, "marketing", url=registered)
    erasure = UUID(hide(registered, 1))
    with working(registered, str(erasure)) as cursor:
        assert suppress(cursor, erasure, 1, (KEY, bytes(32))) == 1
        assert suppress(cursor, erasure, 1, (KEY,)) == 0
    rows(registered, "DELETE FROM objections; UPDATE users SET email = NULL")

    def kept(address: str, purpose: str = "marketing") -> bool:
        return is_suppressed(address, purpose, keys=(bytes(32), KEY), url=registered)

    assert kept("ada.lovelace@example.org")
    assert not kept("ada.lovelace@example.org", "analytics")
    assert not kept("b@example.org")
    assert rows(
        registered, "SELECT count(*) FROM ops.suppressions WHERE suppressions::text ~* 'ada|lovelace'"
    ) == [(0,)]


def test_nobody_who_objects_is_erased_without_a_key(registered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    object_to(1, "marketing", url=registered)
    rows(registered, "INSERT INTO users (id) VALUES (3)")
    object_to(3, "marketing", url=registered)
    with as_eraser(registered, autocommit=False) as cursor:
        (refusal,) = refusals_of(cursor, 1)
        assert (refusal.place, refusal.problem) == (
            "public.objections",
            "holds objections that would be forgotten with the addresses they are about:"
            " there is no key to hash addresses with",
        )
        assert "SUPPRESSION_KEY" in refusal.hint
        assert refusals_of(cursor, 2) == ()
        assert refusals_of(cursor, 3) == ()
        monkeypatch.setenv("SUPPRESSION_KEY", KEY.hex())
        assert refusals_of(cursor, 1) == ()


def test_nobody_but_who_erases_a_person_suppresses_their_addresses(registered: str) -> None:
    object_to(1, "marketing", url=registered)
    erasure = hide(registered, 1)
    with (
        as_eraser(registered, autocommit=False) as cursor,
        pytest.raises(Exception, match="does not work on"),
    ):
        suppress(cursor, UUID(erasure), 1, (KEY,))
    assert rows(registered, "SELECT count(*) FROM ops.suppressions") == [(0,)]


@pytest.mark.usefixtures("keys")
def test_who_objected_and_asked_is_erased_answered_and_never_written_to_again(
    entangled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPPRESSION_KEY", raising=False)
    object_to(ADA.id, "marketing", url=entangled)
    asked = file_request(ADA.id, "erasure", url=entangled)
    with pytest.raises(TableError) as refused:
        erase_user(ADA.id, request=asked, url=entangled)
    assert refused.value.problem.startswith("public.objections holds objections that would be forgotten")
    assert rows(entangled, "SELECT count(*) FROM ops.erasures") == [(0,)]
    monkeypatch.setenv("SUPPRESSION_KEY", KEY.hex())
    certificate = erase_user(ADA.id, request=asked, url=entangled)
    assert rows(entangled, "SELECT count(*) FROM objections") == [(0,)]
    assert is_suppressed("ada.lovelace@example.org", "marketing", url=entangled)
    assert not is_suppressed("bob.dobbs@example.org", "marketing", url=entangled)
    assert rows(entangled, "SELECT status FROM data_subject_requests") == [("completed",)]
    assert rows(entangled, "SELECT told FROM data_subject_request_events WHERE kind = 'completed'") == [
        (f"certificate {certificate.id}",)
    ]
