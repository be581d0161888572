"""A person is erased as planned, by one call, and by the next call is as well."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from gdpr_erasure.erasing import body_of, counts, found_in, state_of
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.errors import (
    ApprovalError,
    PrivilegeError,
    RevisionError,
    SettingsError,
    SubjectError,
)
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import run
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import planned
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user, resume
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import eraser, once
from support import rows

# What stays, and is told in each certificate: the number in proofs, and in what keeps the person away.
STAYS = {
    "public.users", "public.consent_events", "ops.erasures", "ops.tombstones",
    # Bob's own document names her, and the catalogue was told that it is about nobody.
    "public.agent_tool_calls",
}  # fmt: skip
OTHERS = """
SELECT jsonb_object_agg(name, rows)
  FROM (SELECT 'listens' AS name, count(*) AS rows FROM listens WHERE user_id = 770000111
        UNION ALL SELECT 'playlists', count(*) FROM playlists WHERE user_id = 770000111
        UNION ALL SELECT 'messages', count(*) FROM agent_messages WHERE user_id = 770000111
        UNION ALL SELECT 'users', count(*) FROM users WHERE email = 'bob.dobbs@example.org') AS counted
"""


@pytest.mark.parametrize("portions", [{}, {"whole_rows": 0, "batch_rows": 1}], ids=["whole", "in batches"])
def test_a_person_is_erased_and_the_certificate_is_genuine(
    entangled: str, keys: Keyring, portions: dict[str, int]
) -> None:
    assert len(found_in(entangled, *ADA.identifiers)) > 15
    others = rows(entangled, OTHERS)
    certificate = erase_user(ADA.id, url=entangled, **portions)  # type: ignore[arg-type]
    assert certificate.verify(keys)
    assert state_of(entangled) == [("certified", True)]
    found = found_in(entangled, *ADA.identifiers)
    # The trail says that there was a playlist, and no more whose; and that the person was erased.
    assert set(found.pop("public.audit_log_legacy")) == {
        str(ADA.id),
        str(ADA.playlist),
        str(ADA.conversation),
    }
    assert {table: values for table, values in found.items() if values != [str(ADA.id)]} == {}
    assert set(found) == STAYS
    assert rows(entangled, OTHERS) == others
    assert rows(entangled, "SELECT status, email, display_name FROM users WHERE id = %s", (ADA.id,)) == [
        ("erased", None, None)
    ]
    assert not [value for value in ADA.identifiers if value in body_of(certificate)]
    assert counts(certificate)["public.agent_messages"] == (2, 0)
    assert counts(certificate)["public.users"] == (1, 0)


def test_the_second_call_returns_the_same_certificate_and_changes_nothing(
    entangled: str, keys: Keyring
) -> None:
    first = erase_user(ADA.id, url=entangled)
    before = rows(entangled, "SELECT count(*), max(id) FROM audit_log")
    again = erase_user(ADA.id, reason="objection", url=entangled)
    assert again.as_json() == first.as_json()
    assert again.verify(keys)
    assert rows(entangled, "SELECT count(*), max(id) FROM audit_log") == before
    assert resume(url=entangled) == ()


def test_who_is_nobody_is_refused_before_anything_is_touched(entangled: str, keys: Keyring) -> None:
    del keys
    for nobody in (None, 0, -1, True, "880000222", 1 << 63):
        with pytest.raises(SubjectError, match="this is no number of a person"):
            erase_user(nobody, url=entangled)  # type: ignore[arg-type]
    with pytest.raises(SubjectError, match="there is no such person"):
        erase_user(4711, url=entangled)
    assert state_of(entangled) == []
    assert erase_user(ADA.id, url=entangled).outcome


def test_without_a_key_nothing_is_touched(
    entangled: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    del keys
    monkeypatch.delenv("ERASURE_SIGNING_KEY_FILE")
    with pytest.raises(SettingsError, match="no key to sign certificates with was named"):
        erase_user(ADA.id, url=entangled)
    monkeypatch.delenv("ERASURE_LEDGER_KEY")
    assert state_of(entangled) == []
    assert rows(entangled, "SELECT status FROM users WHERE id = %s", (ADA.id,)) == [("active",)]


def test_an_order_that_makes_no_sense_is_refused(entangled: str, keys: Keyring) -> None:
    del keys
    now = datetime.now(timezone.utc)
    for reason in ("because", "completion", ""):
        with pytest.raises(SettingsError, match="this is no reason"):
            erase_user(ADA.id, reason=reason, url=entangled)
    for at in (now + timedelta(days=1), now.replace(tzinfo=None)):
        with pytest.raises(SettingsError):
            erase_user(ADA.id, requested_at=at, url=entangled)
    with pytest.raises(SettingsError):
        erase_user(ADA.id, batch_rows=0, url=entangled)
    with pytest.raises(SubjectError, match="to have ordered it"):
        erase_user(ADA.id, requested_by=4711, url=entangled)
    assert state_of(entangled) == []


def test_who_ordered_it_and_why_is_kept_by_their_pseudonym(entangled: str, keys: Keyring) -> None:
    del keys
    at = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    certificate = erase_user(ADA.id, reason="objection", requested_at=at, requested_by=BOB.id, url=entangled)
    kept = rows(
        entangled,
        "SELECT erasure.reason, erasure.requested_at, pseudonym.user_id FROM ops.erasures AS erasure"
        " JOIN ops.pseudonyms AS pseudonym ON pseudonym.audit_ref = erasure.requested_by",
    )
    assert kept == [("objection", at, BOB.id)]
    assert str(BOB.id) not in certificate.as_json()


def test_another_plan_than_the_one_that_was_looked_at_is_refused(entangled: str, keys: Keyring) -> None:
    del keys
    with eraser(entangled) as connection:
        plan = once(connection, lambda cursor: planned(cursor, ADA.id))
    with pytest.raises(SubjectError, match="the plan is of another person"):
        erase_user(BOB.id, plan=plan, url=entangled)
    rows(
        entangled,
        "SELECT ops.classify_column_v1('public.users', 'birth_year', strategy => 'constant', strategy_args => '{\"value\": \"1901\"}')",
    )
    with pytest.raises(RevisionError, match="what would be erased now is not what was planned"):
        erase_user(ADA.id, plan=plan, url=entangled)
    assert state_of(entangled) == []
    rows(
        entangled,
        "INSERT INTO listens (user_id, id, track_id, listened_at, ms_played) VALUES (880000222, 9, 10001, now(), 1)",
    )
    rows(
        entangled,
        "SELECT ops.classify_column_v1('public.users', 'birth_year', strategy => 'null', strategy_args => '{}')",
    )
    # More rows are no other plan.
    assert counts(erase_user(ADA.id, plan=plan, url=entangled))["public.listens"] == (2, 0)


def test_it_does_no_more_than_it_may(entangled: str, keys: Keyring) -> None:
    del keys
    with pytest.raises(ApprovalError):
        erase_user(ADA.id, most_rows=3, url=entangled)
    assert state_of(entangled) == []


def test_an_erasure_that_was_interrupted_goes_on_by_another_call_or_by_resume(
    entangled: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("do_whole", "_forget", "look_again", "certify"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(run, place, stop)
            erase_user(ADA.id, url=entangled)
        assert [has for _, has in state_of(entangled)] == [False]
        assert rows(
            entangled, "SELECT status IN ('erasing', 'erased') FROM users WHERE id = %s", (ADA.id,)
        ) == [(True,)]
    (certificate,) = resume(url=entangled)
    assert certificate.verify(keys)
    assert counts(certificate)["public.listens"] == (1, 0)
    assert erase_user(ADA.id, url=entangled).as_json() == certificate.as_json()


def test_an_erasure_does_not_go_on_by_another_plan_unless_it_is_given(
    entangled: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    del keys

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "do_whole", stop)
        erase_user(ADA.id, url=entangled)
    rows(
        entangled,
        "SELECT ops.classify_column_v1('public.users', 'birth_year', strategy => 'constant', strategy_args => '{\"value\": \"1901\"}')",
    )
    with pytest.raises(RevisionError):
        resume(url=entangled)
    assert rows(entangled, "SELECT count(*) FROM listens WHERE user_id = %s", (ADA.id,)) == [(1,)]
    rows(
        entangled,
        "SELECT ops.classify_column_v1('public.users', 'birth_year', strategy => 'null', strategy_args => '{}')",
    )
    assert len(resume(url=entangled)) == 1


def test_a_login_that_may_not_erase_is_told_so(entangled: str, keys: Keyring) -> None:
    del keys
    rows(entangled, "CREATE ROLE nobody_in_particular LOGIN PASSWORD 'secret' IN ROLE agent_app")
    try:
        other = entangled.replace("postgresql://postgres@", "postgresql://nobody_in_particular:secret@")
        assert other != entangled
        with pytest.raises(PrivilegeError, match='may not act as "agent_eraser"'):
            erase_user(ADA.id, url=other)
    finally:
        rows(entangled, "DROP ROLE nobody_in_particular")
