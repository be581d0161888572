"""What looks personal, by name and by value, and what does not."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotify_ai_agent_migrations.versions.gdpr_erasure.probing import sought
from spotify_ai_agent_migrations.versions.gdpr_erasure.recognising import (
    is_card,
    is_iban,
    keys_of,
    kind_of_name,
    kinds_of_value,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("email", "e-mail address"),
        ("contactEmail", "e-mail address"),
        ("billing_e_mail", "e-mail address"),
        ("COURRIEL", "e-mail address"),
        ("phone_number", "phone number"),
        ("numero_telephone", "phone number"),
        ("LastName", "name of a person"),
        ("nom_famille", "name of a person"),
        ("street2", "postal address"),
        ("date_of_birth", "date of birth"),
        ("dateNaissance", "date of birth"),
        ("last_ip", "IP address"),
        ("IBAN", "IBAN"),
        ("card_number", "credit card"),
        ("ssn", "national number"),
        ("user_agent", "device"),
        ("refresh_token", "secret"),
        ("name", None),
        ("description", None),
        ("recipient", None),
        ("zipped", None),
        ("tipping", None),
        ("panel", None),
        ("strategy", None),
        ("", None),
    ],
)
def test_a_name_is_read_by_its_words(name: str, kind: str | None) -> None:
    assert kind_of_name(name) == kind


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to <bob@example.org>, please", ["e-mail address"]),
        ("josé.müller@exämple.de", ["e-mail address"]),
        ("call +33 6 12 34 56 78", ["phone number"]),
        ("+14155550123", ["phone number"]),
        ("FR76 3000 6000 0112 3456 7890 189", ["IBAN"]),
        ("GB82WEST12345698765432", ["IBAN"]),
        ("4111-1111-1111-1111", ["credit card"]),
        ("from 192.168.0.17:443", ["IP address"]),
        ("at 2001:db8:85a3::8a2e:370:7334 then", ["IP address"]),
        ("bob@example.org from 10.1.2.3", ["e-mail address", "IP address"]),
        # What only resembles them.
        ("bob@localhost, @handle, a@b", []),
        ("+1234", []),
        ("0612345678", []),
        ("FR76 3000 6000 0112 3456 7890 188", []),
        ("4111-1111-1111-1112", []),
        ("0000 0000 0000 0000", []),
        ("1.2.3 and 999.1.1.1 and 1.2.3.4.5", []),
        ("listening on 127.0.0.1, 0.0.0.0 and ::1, mask 255.255.255.0", []),
        ("SELECT face::text, 12:30:45, std::deque", []),
        ("1f0c2a34-5b6c-4d7e-8f90-a1b2c3d4e5f6", []),
        ("41111111-1111-4115-a1b2-c3d4e5f6a7b8", []),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", []),
        ("", []),
    ],
)
def test_a_value_is_known_by_its_look_and_its_check_digits(text: str, kinds: list[str]) -> None:
    assert list(dict.fromkeys(kinds_of_value(text))) == kinds


@given(st.text(st.sampled_from("0123456789"), min_size=12, max_size=18))
def test_of_the_ten_last_digits_exactly_one_makes_a_card(body: str) -> None:
    right = [digit for digit in "0123456789" if is_card(body + digit)]
    assert len(right) == 1 or len(set(body)) == 1


@given(st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), min_size=11, max_size=30))
def test_exactly_one_pair_of_check_digits_of_the_ninety_seven_makes_an_iban(body: str) -> None:
    assert sum(is_iban(f"FR{number:02d}{body}") for number in range(2, 99)) == 1


def test_keys_are_found_at_any_depth_and_values_are_none() -> None:
    assert list(keys_of({"a": [{"b": "c"}, {"d": {"e": 1}}]})) == ["a", "b", "d", "e"]
    assert list(keys_of(["a", 1, None])) == []


def held(known: str, text: str) -> bool:
    found = sought([known])
    assert found is not None
    normal = unicodedata.normalize("NFKC", text).lower()
    parts = [re.sub(r"\\(.)", r"\1", like[1:-1]) for like in found.likes]
    holds = re.search(found.pattern, normal) is not None
    # What is not like it is not looked at.
    assert not holds or any(part in normal for part in parts)
    return holds


@pytest.mark.parametrize(
    "text",
    [
        "bobmartin@example.org",
        "Bob.Martin@Example.ORG",
        "b.o.b.m.a.r.t.i.n+anything@example.org",
        "<bobmartin+a+b@example.org>",
        "\N{FULLWIDTH LATIN SMALL LETTER B}obmartin\N{FULLWIDTH COMMERCIAL AT}example.org",
        '{"to": "bobmartin@example.org"}',
    ],
)
@pytest.mark.parametrize("known", ["bobmartin@example.org", "Bob.Martin+spam@example.org"])
def test_an_address_is_found_with_other_dots_tags_case_and_form(known: str, text: str) -> None:
    assert held(known, text)


@pytest.mark.parametrize(
    "text",
    [
        "xbobmartin@example.org",
        "bobmartin@example.organic",
        "bobmartin.example.org",
        "bobmartin @example.org",
        "",
    ],
)
def test_another_address_is_not(text: str) -> None:
    assert not held("bobmartin@example.org", text)


def test_a_name_is_found_in_any_form_as_a_whole_word() -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert held("Zoë Müller", unicodedata.normalize(form, "by ZOË MÜLLER!"))
    assert held("Straße", "STRASSE".casefold())
    assert not held("Anna", "Susanna, Annabel")
    assert held("a.b*c(d", "A.B*C(D")
    assert not held("a.b*c(d", "axbbc(d")


def test_what_is_short_is_not_looked_for() -> None:
    assert sought(["Al", "", "abc", "    "]) is None
    assert sought([]) is None


@given(st.text(min_size=4, max_size=30).filter(lambda text: "@" not in text and text.strip() == text))
def test_any_name_is_found_in_itself(known: str) -> None:
    if unicodedata.normalize("NFKC", known).strip():
        assert held(known, f"({known})")
