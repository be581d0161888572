"""Undeclared personal data is found where it is, and nothing of it is said but the place."""

from __future__ import annotations

import dataclasses
import re
import unicodedata

import pytest
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, RevisionError, TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding, Held
from spotify_ai_agent_migrations.versions.gdpr_erasure.probing import probe
from spotify_ai_agent_migrations.versions.gdpr_erasure.scanning import scan
from support import Databases, connected, rows

_HINT = "classify it with ops.classify_column_v1, or say why it is none: strategy_args => '{\"why\": …}'"


def test_the_schema_as_it_is_and_the_rows_it_comes_with_look_like_nobody(url: str) -> None:
    assert scan(url) == ()


def test_columns_are_found_by_name_and_values_keys_and_types_by_look(url: str) -> None:
    rows(
        url,
        "CREATE TABLE public.odd (id int, date_of_birth date, note text, doc jsonb, seen inet, tags text[], fine text);"
        "INSERT INTO public.odd SELECT n, NULL, CASE n % 4 WHEN 0 THEN 'ask bob' || n || '@example.org' ELSE 'x' END,"
        """ jsonb_build_object('a', jsonb_build_array(jsonb_build_object('phoneNumber', 'none'))), '10.0.0.1',"""
        " ARRAY['x', 'FR7630006000011234567890189'], 'nothing' FROM generate_series(1, 200) AS n",
    )
    assert scan(url) == (
        Finding("named", "public.odd.date_of_birth", "is named as if it held: date of birth", _HINT),
        Finding(
            "valued", "public.odd.note", "looks as if it held: e-mail address (25.0 % of 200 values)", _HINT
        ),
        Finding(
            "named", "public.odd.doc", "has keys as if it held: phone number (100.0 % of 200 values)", _HINT
        ),
        Finding(
            "valued", "public.odd.seen", "looks as if it held: IP address (100.0 % of 200 values)", _HINT
        ),
        Finding("valued", "public.odd.tags", "looks as if it held: IBAN (100.0 % of 200 values)", _HINT),
    )


def test_what_is_declared_is_not_looked_for_and_what_is_none_has_to_say_why(url: str) -> None:
    rows(
        url,
        "INSERT INTO public.users (email, display_name) VALUES ('a@example.org', 'b@example.org');"
        "CREATE TABLE public.shop (address text); COMMENT ON COLUMN public.shop.address IS 'none: of the shop';"
        "INSERT INTO public.shop VALUES ('1 rue x'); SELECT ops.classify_table_v1('public.shop')",
    )
    assert scan(url) == (
        Finding("named", "public.shop.address", "is named as if it held: postal address", _HINT),
    )
    rows(
        url,
        """SELECT ops.classify_column_v1('public.shop', 'address', strategy_args => '{"why": "of a shop"}')""",
    )
    assert scan(url) == ()
    # A name can be explained; what stands there is still looked at.
    rows(url, "INSERT INTO public.shop VALUES ('bob@example.org')")
    assert [one.problem for one in scan(url)] == ["looks as if it held: e-mail address (50.0 % of 2 values)"]


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE public.big (number int, filler text, note text)",
        "CREATE TABLE public.big (number int, filler text, note text) PARTITION BY RANGE (number);"
        "CREATE TABLE public.big_1 PARTITION OF public.big FOR VALUES FROM (0) TO (3000);"
        "CREATE TABLE public.big_2 PARTITION OF public.big DEFAULT",
    ],
)
def test_a_large_table_is_sampled_by_pages_from_all_over_it(url: str, made: str) -> None:
    # The first rows alone would say that every value is an address.
    rows(
        url,
        f"{made}; INSERT INTO public.big SELECT n, repeat('x', 500), CASE WHEN n < 1200 THEN n || '@example.org' ELSE 'x' END"
        " FROM generate_series(1, 6000) AS n",
    )
    (found,) = scan(url, rows=1_000, pages=100)
    assert found.place == "public.big.note"
    share = re.search(r"([\d.]+) % of (\d+) values", found.problem)
    assert share is not None
    assert 2 < float(share[1]) < 60
    assert 500 < int(share[2]) <= 1000


@pytest.mark.parametrize("timeout_ms", [200, 9_000])
def test_what_takes_too_long_or_is_locked_is_said_not_to_have_been_seen(url: str, timeout_ms: int) -> None:
    rows(
        url,
        "CREATE TABLE public.held (note text); CREATE TABLE public.later (note text);"
        "INSERT INTO public.later VALUES ('bob@example.org')",
    )
    with connected(url, autocommit=False) as locking, locking.cursor() as cursor:
        cursor.execute("LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE")
        found = scan(url, timeout_ms=timeout_ms)
        locking.rollback()
    assert [(one.kind, one.place, one.problem, one.hint) for one in found] == [
        ("unseen", "public.held.note", "took too long to be looked at", "give it more time: --timeout-ms"),
        ("valued", "public.later.note", "looks as if it held: e-mail address (100.0 % of 1 values)", _HINT),
    ]


def test_a_login_from_whom_rows_are_hidden_is_refused(url: str, databases: Databases) -> None:
    name = str(parse_dsn(url)["dbname"])
    rows(
        url,
        "DROP ROLE IF EXISTS cat_blind; CREATE ROLE cat_blind LOGIN PASSWORD 'secret'; GRANT agent_privacy TO cat_blind;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public, ops TO cat_blind;"
        "INSERT INTO public.users (email) VALUES ('bob@example.org')",
    )
    try:
        with pytest.raises(PrivilegeError):
            probe(1, databases.url(name, user="cat_blind", password="secret"))
    finally:
        rows(url, "DROP OWNED BY cat_blind; DROP ROLE cat_blind")


def test_a_database_without_a_catalogue_is_refused(empty_url: str) -> None:
    with pytest.raises(RevisionError):
        scan(empty_url)


def person(url: str) -> None:
    rows(
        url,
        "INSERT INTO public.users (id, email, display_name) VALUES (1, 'Bob.Martin+x@example.org', 'Zoë Müller'),"
        " (2, 'other@example.org', 'Somebody');"
        "INSERT INTO public.user_identities (user_id, provider, provider_user_id) VALUES (1, 'spotify', 'bobm77')",
    )


def test_a_person_is_found_in_texts_documents_and_arrays_in_every_form(url: str) -> None:
    person(url)
    decomposed = unicodedata.normalize("NFD", "ZOË MÜLLER")
    rows(
        url,
        "CREATE TABLE public.odd (id int, note text, doc jsonb, old json, tags text[], docs jsonb[]);"
        "INSERT INTO public.odd VALUES (1, %s, '{}', '{}', '{}', '{}'), (2, '', %s, '{}', '{}', '{}'),"
        " (3, '', '{}', %s, '{}', '{}'), (4, '', '{}', '{}', '{BOBM77}', '{}'), (5, 'bobm778', '{}', '{}', '{}', '{}'),"
        " (6, 'bobmartin@example.org', '{}', '{}', '{}', ARRAY['\"b.obmartin@EXAMPLE.org\"']::jsonb[])",
        (decomposed, '{"a": [{"b": "b.o.b.martin+q@example.org"}]}', '{"a": "zo\\u00eb m\\u00fcller"}'),
    )
    found = probe(1, url)
    assert [one for one in found.held if one.place.startswith("public.odd")] == [
        Held("public.odd.note", 2, 2),
        Held("public.odd.doc", 1, 1),
        Held("public.odd.old", 1, 1),
        Held("public.odd.tags", 1, 1),
        Held("public.odd.docs", 1, 1),
    ]
    assert {(one.kind, one.place, one.problem) for one in found.findings} == {
        ("subject", "public.odd.note", "holds the person in 2 rows, undeclared"),
        ("subject", "public.odd.doc", "holds the person in 1 row, undeclared"),
        ("subject", "public.odd.old", "holds the person in 1 row, undeclared"),
        ("subject", "public.odd.tags", "holds the person in 1 row, undeclared"),
        ("subject", "public.odd.docs", "holds the person in 1 row, undeclared"),
    }


def test_what_the_catalogue_leads_to_is_no_finding_and_the_list_of_another_is_one(url: str) -> None:
    person(url)
    rows(
        url,
        "INSERT INTO public.playlists (user_id, name) VALUES (1, 'for bobm77'), (2, 'of BobM77'), (2, 'x')",
    )
    found = probe(1, url)
    assert Held("public.users.email", 1, 0) in found.held
    assert Held("public.playlists.name", 2, 1) in found.held
    assert found.findings == (
        Finding(
            "subject",
            "public.playlists.name",
            "holds the person in 1 row that no way leads to",
            "declare an edge in ops.personal_edges, or edit the rows",
        ),
    )


def test_no_value_is_in_what_is_said(url: str) -> None:
    person(url)
    rows(
        url,
        "CREATE TABLE public.odd (note text); INSERT INTO public.odd VALUES ('bobmartin@example.org, bobm77')",
    )
    found = probe(1, url)
    said = repr([dataclasses.asdict(found), scan(url)]).lower()
    assert "public.odd.note" in said
    assert not [secret for secret in ("bob", "martin", "example.org", "zoë", "müller") if secret in said]


def test_a_person_who_is_gone_is_looked_for_by_what_is_given(url: str) -> None:
    with pytest.raises(TableError) as unknown:
        probe(7, url)
    assert unknown.value.problem == "nothing is known of person 7 that could be looked for"
    assert unknown.value.hint == "name a person who is there and not erased: --subject ID"
    rows(url, "CREATE TABLE public.odd (note text); INSERT INTO public.odd VALUES ('to Gone@example.org')")
    assert probe(7, url, also=["g.o.n.e@example.org"]).held == (Held("public.odd.note", 1, 1),)


def test_json_that_cannot_be_read_is_said_not_to_have_been_seen(url: str) -> None:
    person(url)
    rows(url, 'CREATE TABLE public.odd (old json); INSERT INTO public.odd VALUES (\'{"a": "\\u0000"}\')')
    assert [(one.kind, one.place) for one in probe(1, url).findings] == [("unseen", "public.odd")]
