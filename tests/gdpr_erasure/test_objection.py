"""Objections: to a purpose, absolute for direct marketing, and kept of an address that nobody can read."""

from __future__ import annotations

import pathlib

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, PrivilegeError, SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.consent import grant, withdraw
from spotify_ai_agent_migrations.versions.gdpr_erasure.objection import (
    is_suppressed,
    object_to,
    override_objection,
    withdraw_objection,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.suppression import (
    hashed,
    key_id,
    normalised,
    read_keys,
)
from support import connected, rows

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
MAY = "SELECT may_process_v1(1, %s)"


@pytest.fixture
def person(url: str) -> str:
    rows(url, "INSERT INTO users (id, email) VALUES (1, 'anna@example.org'), (2, 'bob@example.org')")
    rows(url, "INSERT INTO consent_purposes (code, legal_basis, description) VALUES ('fraud', 'legitimate_interests', 'x')")  # fmt: skip
    rows(url, "INSERT INTO consent_purposes (code, legal_basis, description, direct_marketing) VALUES ('letters', 'legitimate_interests', 'x', true)")  # fmt: skip
    return url


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("Anna.Muster@Example.ORG", "anna.muster@example.org"),
        ("  anna+news@example.org\n", "anna@example.org"),
        ("anna+a+b@example.org.", "anna@example.org"),
        ("+tag@example.org", "+tag@example.org"),
        ("jose\u0301@example.org", "jos\u00e9@example.org"),
        ("JOSE\u0301@example.org", "jos\u00e9@example.org"),
        ("stra\u00dfe@example.org", "strasse@example.org"),
        ("anna@b\u00fccher.example", "anna@xn--bcher-kva.example"),
        ("anna@BU\u0308CHER.example", "anna@xn--bcher-kva.example"),
        ("a.nna@example.org", "a.nna@example.org"),
        ("+49 (30) 1234-567", "+49301234567"),
        ("030 / 12 34 567", "0301234567"),
        ("Anna Muster", "anna muster"),
    ],
)
def test_every_spelling_of_an_address_is_one(written: str, spelling: str) -> None:
    assert normalised(written) == spelling
    assert normalised(spelling) == spelling
    assert hashed(written, KEY) == hashed(spelling, KEY)


def test_a_hash_says_nothing_without_its_key() -> None:
    assert hashed("anna@example.org", KEY) != hashed("anna@example.org", OTHER)
    assert hashed("anna@example.org", KEY) != hashed("anna@example.com", KEY)
    assert len(hashed("anna@example.org", KEY)) == 32
    assert key_id(KEY) not in KEY.hex()
    assert key_id(KEY) != key_id(OTHER)


def test_keys_come_from_a_file_or_the_environment_the_newest_first(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{OTHER.hex()}\n{KEY.hex()}\n")
    assert read_keys({"SUPPRESSION_KEY_FILE": str(file), "SUPPRESSION_KEY": KEY.hex()}) == (OTHER, KEY)
    assert read_keys({"SUPPRESSION_KEY": KEY.hex()}) == (KEY,)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "there is no key to hash addresses with"),
        ({"SUPPRESSION_KEY": ""}, "there is no key to hash addresses with"),
        ({"SUPPRESSION_KEY": "00" * 31}, "a key to hash addresses with is not hexadecimal, or shorter than 32 bytes"),
        ({"SUPPRESSION_KEY": "pass phrase"}, "a key to hash addresses with is not hexadecimal, or shorter than 32 bytes"),
        ({"SUPPRESSION_KEY_FILE": "/nowhere"}, '"/nowhere" cannot be read (SUPPRESSION_KEY_FILE)'),
    ],
)  # fmt: skip
def test_without_a_good_key_nothing_is_hashed(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_keys(environ)
    assert refused.value.problem == problem
    assert "pass phrase" not in str(refused.value)


def test_an_objection_stops_one_purpose_until_it_is_taken_back_or_outweighed(person: str) -> None:
    assert rows(person, MAY, ("fraud",)) == [(True,)]
    number = object_to(1, "fraud", grounds="my situation", url=person)
    assert object_to(1, "fraud", url=person) == number
    assert rows(person, "SELECT may_process_v1(1, 'fraud'), may_process_v1(2, 'fraud'), may_process_v1(1, 'service')") == [(False, True, True)]  # fmt: skip
    override_objection(1, "fraud", "without it others are robbed", url=person)
    assert rows(person, MAY, ("fraud",)) == [(True,)]
    object_to(1, "fraud", url=person)
    assert rows(person, MAY, ("fraud",)) == [(False,)]
    assert withdraw_objection(1, "fraud", url=person) is True
    assert withdraw_objection(1, "fraud", url=person) is False
    assert rows(person, MAY, ("fraud",)) == [(True,)]
    assert rows(person, "SELECT count(*), count(grounds) FROM objections") == [(2, 1)]


@pytest.mark.parametrize("purpose", ["marketing", "letters"])
def test_nothing_outweighs_an_objection_to_direct_marketing(person: str, purpose: str) -> None:
    grant(1, purpose, version="1", url=person)
    assert rows(person, MAY, (purpose,)) == [(True,)]
    object_to(1, purpose, url=person)
    assert rows(person, MAY, (purpose,)) == [(False,)]
    with pytest.raises(DatabaseError) as refused:
        override_objection(1, purpose, "we would like to", url=person)
    assert str(refused.value) == (
        "an objection to direct marketing is never outweighed\n"
        "Hint: GDPR art. 21(3): the data is no longer processed for it"
    )
    # What the person says later counts, and what they said before it does not.
    grant(1, purpose, version="2", url=person)
    assert rows(person, MAY, (purpose,)) == [(True,)]
    withdraw(1, purpose, url=person)
    assert rows(person, MAY, (purpose,)) == [(False,)]


def test_to_a_contract_or_a_law_nobody_can_object(person: str) -> None:
    with pytest.raises(
        DatabaseError, match='purpose "service" rests on "contract", to which nobody can object'
    ):
        object_to(1, "service", url=person)  # fmt: skip
    with pytest.raises(DatabaseError, match='there is no purpose "nothing"'):
        object_to(1, "nothing", url=person)
    with pytest.raises(DatabaseError, match="an objection is of a person or of an address"):
        object_to(None, "marketing", url=person)
    with pytest.raises(DatabaseError, match='the person does not object to "fraud"'):
        override_objection(1, "fraud", "none", url=person)


def test_an_address_stays_suppressed_when_its_person_is_erased(person: str) -> None:
    object_to(
        1, "marketing", identifiers=("Anna+Shop@Example.org", "+49 30 1234567"), keys=(KEY,), url=person
    )
    rows(person, "DELETE FROM users WHERE id = 1")
    assert rows(person, "SELECT count(*) FROM objections") == [(0,)]
    rows(person, "INSERT INTO users (id, email) VALUES (99, 'anna@example.org')")
    for spelling in ("anna@example.org", "ANNA+other@example.org", "+49 (30) 123 45 67"):
        assert is_suppressed(spelling, "marketing", keys=(KEY,), url=person), spelling
    assert not is_suppressed("anna@example.org", "letters", keys=(KEY,), url=person)
    assert not is_suppressed("bob@example.org", "marketing", keys=(KEY,), url=person)
    assert not is_suppressed("anna@example.org", "marketing", keys=(OTHER,), url=person)
    everything = str(rows(person, "SELECT suppressions::text FROM ops.suppressions"))
    assert "anna" not in everything
    assert KEY.hex() not in everything
    assert rows(person, "SELECT DISTINCT key_id FROM ops.suppressions") == [(key_id(KEY),)]


def test_an_old_key_knows_again_what_it_hashed_and_a_new_one_writes(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    object_to(None, "marketing", identifiers=("old@example.org",), keys=(KEY,), url=person)
    monkeypatch.setenv("SUPPRESSION_KEY", f"{OTHER.hex()},{KEY.hex()}")
    object_to(None, "marketing", identifiers=("new@example.org",), url=person)
    assert is_suppressed("old@example.org", "marketing", url=person)
    assert is_suppressed("new@example.org", "marketing", keys=(OTHER,), url=person)
    assert withdraw_objection(None, "marketing", identifiers=("Old@example.org",), url=person) is True
    assert not is_suppressed("old@example.org", "marketing", url=person)
    assert is_suppressed("new@example.org", "marketing", url=person)
    object_to(None, "marketing", identifiers=("old@example.org",), keys=(KEY,), url=person)
    assert is_suppressed("old@example.org", "marketing", url=person)


def test_people_object_for_themselves_and_the_trail_holds_no_address(person: str) -> None:
    object_to(1, "marketing", identifiers=("anna@example.org",), keys=(KEY,), signed_in=1, url=person)
    with pytest.raises(PrivilegeError, match="whoever is signed in objects for nobody else"):
        object_to(2, "marketing", signed_in=1, url=person)
    with pytest.raises(PrivilegeError, match="takes back nobody else's objection"):
        withdraw_objection(2, "marketing", signed_in=1, url=person)
    with connected(person) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SET app.user_id = '1'; SELECT purpose FROM objections")
        assert cursor.fetchall() == [("marketing",)]
        cursor.execute("SELECT is_suppressed_v1(ARRAY[%s], 'marketing')", (hashed("anna@example.org", KEY),))
        assert cursor.fetchall() == [(True,)]
        cursor.execute("SET app.user_id = '2'; SELECT purpose FROM objections")
        assert cursor.fetchall() == []
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT FROM ops.suppressions")
    kinds = rows(person, "SELECT entity_type, action::text, entity_key, actor_type::text FROM audit_log WHERE entity_type IN ('objection', 'suppression') ORDER BY 1")  # fmt: skip
    assert kinds == [
        ("objection", "insert", "marketing", "user"),
        ("suppression", "insert", "marketing", "user"),
    ]
    assert rows(person, "SELECT count(*) FROM audit_log WHERE audit_log::text ~ 'anna'") == [(0,)]


def test_a_consent_that_is_over_outweighs_no_objection(person: str) -> None:
    rows(person, "UPDATE consent_purposes SET valid_for = INTERVAL '1 hour' WHERE code = 'letters'")
    rows(
        person,
        "INSERT INTO objections (user_id, purpose, objected_at) VALUES (1, 'letters', now() - INTERVAL '3 hours');"
        "INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)"
        " VALUES (1, 'letters', true, '1', 'en', 'web', now() - INTERVAL '2 hours')",
    )
    assert rows(person, MAY, ("letters",)) == [(False,)]
    grant(1, "letters", version="1", url=person)
    assert rows(person, MAY, ("letters",)) == [(True,)]


def test_nothing_but_what_the_law_asks_for_is_done_with_the_data_of_an_erased_person(person: str) -> None:
    """Their objection went with them, and must not be undone by that."""
    asked = "SELECT may_process_v1(1, 'letters'), may_process_v1(1, 'service'), may_process_v1(1, 'accountability')"
    assert rows(person, asked) == [(True, True, True)]
    rows(person, "UPDATE users SET status = 'erasing' WHERE id = 1")
    assert rows(person, asked) == [(False, False, True)]
    rows(person, "UPDATE users SET status = 'erased', erased_at = now(), email = NULL WHERE id = 1")
    assert rows(person, asked) == [(False, False, True)]


def test_what_a_person_said_of_their_situation_is_in_no_error(person: str) -> None:
    object_to(1, "fraud", grounds="my illness", url=person)
    with pytest.raises(psycopg2.Error, match="is outweighed for reasons") as refused:
        rows(person, "SELECT ops.override_objection_v1(1, 'fraud', ' ')")
    assert "my illness" not in str(refused.value)
