"""Each strategy leaves what it says in real rows of the person, in rows of nobody else, all at once and in batches."""

from __future__ import annotations

import re
import uuid

import pytest
from gdpr_erasure.people import ADA, BOB
from gdpr_erasure.planned import Bench, outcomes_of, steps_of

PORTIONS = pytest.mark.parametrize("most", [None, 1], ids=["whole", "one by one"])
OWN = "user_id bigint REFERENCES users, n integer, PRIMARY KEY (user_id, n)"


def filled(at: Bench, columns: str, *values: str, key: str = OWN, **said: str) -> None:
    """Make a table with rows of Ada, and the same ones of Bob."""
    at.make("kept", f"{key}, {columns}", guard=("user_id",), **said)
    names = ", ".join(said)
    for person in (ADA, BOB):
        for n, row in enumerate(values, 1):
            at.rows(f"INSERT INTO kept (user_id, n, {names}) VALUES ({person.id}, {n}, {row})")


def of(at: Bench, person: int, columns: str) -> list[tuple[object, ...]]:
    return at.rows(f"SELECT {columns} FROM kept WHERE user_id = %s ORDER BY n", (person,))


@PORTIONS
def test_values_become_null_or_one_for_everybody(at: Bench, most: int | None) -> None:
    filled(at, "a text, b text, c integer", "'x', 'y', 1", "NULL, '%', 2", "'x', 'none', NULL",
           a="null", b='constant {"value": "none"}', c='constant {"value": 7}')  # fmt: skip
    before = of(at, BOB.id, "a, b, c")
    plan = at.erase(most=most)
    assert of(at, ADA.id, "a, b, c") == [(None, "none", 7)] * 3
    assert of(at, BOB.id, "a, b, c") == before
    assert outcomes_of(plan, "public.kept") == {"a": "deleted", "b": "deleted", "c": "deleted"}


@PORTIONS
def test_a_random_value_is_another_in_each_row_and_no_row_gets_two(at: Bench, most: int | None) -> None:
    filled(at, "a uuid UNIQUE, b bigint, c bytea, d varchar(20)",
           a="random", b="random", c="random", d='random {"prefix": "gone-"}')  # fmt: skip
    for person in (ADA, BOB):
        at.rows(
            "INSERT INTO kept SELECT %s, n, gen_random_uuid(), n, '\\x00', 'was' FROM generate_series(1, 3) AS n",
            (person.id,),
        )
    before = of(at, BOB.id, "a::text, b, c::text, d")
    plan = at.erase(most=most)
    after = of(at, ADA.id, "a::text, b, c::text, d")
    assert all(len({row[place] for row in after}) == 3 for place in range(4))
    assert all(uuid.UUID(str(row[0])).version == 4 for row in after)
    assert all(int(str(row[1])) > 3 for row in after)
    assert all(re.fullmatch(r"gone-[0-9a-f]{15}", str(row[3])) for row in after)
    assert of(at, BOB.id, "a::text, b, c::text, d") == before
    assert steps_of(plan, "public.kept")[0].rows == 3


@PORTIONS
def test_a_pseudonym_is_one_for_all_rows_and_another_for_the_next_person(at: Bench, most: int | None) -> None:
    filled(at, "a text, b uuid, c text", "'ada', NULL, 'x'", "'a', NULL, 'y'",
           a="pseudonym", b="pseudonym", c='pseudonym {"suffix": "@erased.invalid"}')  # fmt: skip
    plan = at.erase(most=most)
    at.erase(BOB.id, most=most)
    (one, other), (third, fourth) = of(at, ADA.id, "a, b::text, c"), of(at, BOB.id, "a, b::text, c")
    assert one == other
    assert third == fourth
    assert not set(one) & set(third)
    assert re.fullmatch(r"[0-9a-f]{32}", str(one[0]))
    assert re.fullmatch(r"[0-9a-f]{32}@erased\.invalid", str(one[2]))
    assert set(outcomes_of(plan, "public.kept").values()) == {"pseudonymised"}


def test_what_a_pseudonym_is_made_of_is_gone_once_nothing_is_left(at: Bench) -> None:
    filled(at, "a text", "'ada'", a="pseudonym")
    at.erase()
    ((secret,),) = at.rows("SELECT octet_length(secret) FROM ops.erasure_secrets")
    assert secret == 32
    at.rows("UPDATE ops.erasures SET state = 'swept', erased_at = now(), swept_at = now()")
    assert at.rows("SELECT secret FROM ops.erasure_secrets") == []


@PORTIONS
def test_values_are_generalised(at: Bench, most: int | None) -> None:
    filled(
        at, "born date, seen timestamptz, stood timestamp, age integer, paid numeric, host inet, net cidr",
        "'1815-12-10', '2026-05-17 23:59:59.5+02', '2026-05-17 13:14', 36, -12.5, '192.0.2.77', '198.51.100.0/25'",
        "NULL, NULL, NULL, 40, NULL, '2001:db8:aa:bb::1', '10.0.0.0/8'",
        born='generalise {"to": "year"}', seen='generalise {"to": "month"}', stood='generalise {"to": "day"}',
        age='generalise {"to": 10}', paid='generalise {"to": 5}', host='generalise {"to": 24}', net='generalise {"to": 24}',
    )  # fmt: skip
    plan = at.erase(most=most)
    said = "born::text, seen::text, stood::text, age, paid, host::text, net::text"
    assert of(at, ADA.id, said) == [
        ("1815-01-01", "2026-05-01 00:00:00+00", "2026-05-17 00:00:00", 30, -15, "192.0.2.0/24", "198.51.100.0/24"),
        (None, None, None, 40, None, "2001:db8:aa::/48", "10.0.0.0/8"),
    ]  # fmt: skip
    assert of(at, BOB.id, "host::text")[0] == ("192.0.2.77/32",)
    assert set(outcomes_of(plan, "public.kept").values()) == {"anonymised"}


@PORTIONS
def test_paths_of_json_go_out_of_arrays_and_objects(at: Bench, most: int | None) -> None:
    document = '{"n": 12345678901234567890.125, "who": {"name": "Ada", "age": 36}, "seen": [{"ip": "1", "at": 2}, {"ip": "3"}]}'
    filled(at, "a jsonb, b json, c jsonb, d jsonb",
           f"'{document}', '{document}', '{document}', '[{document}]'", "'5', NULL, '[1, 2]', '7'",
           a='json {"paths": ["$.who.name", "$.seen[*].ip", "$.not.there"]}', b='json {"paths": ["lax $.seen.ip", "$.who.*"]}',
           c='json {"keep": ["$.n", "$.seen[0].at", "$[1]"]}', d='json {"keep": ["$.who.age"]}')  # fmt: skip
    at.erase(most=most)
    assert of(at, ADA.id, "a::text, b::text, c::text, d::text") == [
        (
            '{"n": 12345678901234567890.125, "who": {"age": 36}, "seen": [{"at": 2}, {}]}',
            '{"n": 12345678901234567890.125, "who": {}, "seen": [{"at": 2}, {}]}',
            '{"n": 12345678901234567890.125, "seen": [{"at": 2}, null]}',
            '[{"who": {"age": 36}}]',
        ),
        ("5", None, "[null, 2]", "null"),
    ]
    assert of(at, BOB.id, "a -> 'who' ->> 'name'")[0] == ("Ada",)


@PORTIONS
def test_texts_are_redacted_by_what_the_person_is_known_by(at: Bench, most: int | None) -> None:
    filled(
        at, "a varchar(60), b text[], c jsonb, d bigint[]",
        "'Write to Ada.Lovelace+x@example.org; ADA LOVELACE!', ARRAY['Ada Lovelace', 'x', NULL], "
        f"""'{{"said": ["ada lovelace", {ADA.id}, 1.50], "Ada Lovelace": "{ADA.id}"}}', ARRAY[{ADA.id}, {BOB.id}]""",
        "'Nova Lovelaces, Adamant', NULL, '7', NULL",
        "'café bob dobbs', '{}', NULL, '{}'",
        a="redact", b='redact {"by": "?"}', c="redact", d="redact",
    )  # fmt: skip
    plan = at.erase(most=most)
    assert of(at, ADA.id, "a, b, c::text, d") == [
        ("Write to [erased]; [erased]!", ["?", "x", None], '{"said": ["[erased]", null, 1.50], "[erased]": "[erased]"}', [BOB.id]),
        ("Nova Lovelaces, Adamant", None, "7", None),
        ("café bob dobbs", [], None, []),
    ]  # fmt: skip
    assert ADA.id in of(at, BOB.id, "d")[0][0]  # type: ignore[operator]
    assert steps_of(plan, "public.kept")[0].position == 1
    assert '"public.kept.a" may say of the person what they are not known by' in plan.warnings
    assert set(outcomes_of(plan, "public.kept").values()) == {"pseudonymised"}


def test_what_was_indexed_is_indexed_again_from_what_is_left(at: Bench) -> None:
    filled(
        at, "a text, b text, found tsvector", "'Ada Lovelace writes', 'engines', to_tsvector('simple', 'ada lovelace writes engines')",
        a="redact", b="null", found='redact {"from": ["a", "b"], "config": "simple"}',
    )  # fmt: skip
    at.erase()
    assert of(at, ADA.id, "a, b, found::text") == [("[erased] writes", None, "'erased':1 'writes':2")]
    assert "lovelace" in str(of(at, BOB.id, "found::text"))


@PORTIONS
def test_large_objects_go_with_the_rows_that_name_them(at: Bench, most: int | None) -> None:
    key = "user_id bigint REFERENCES users, n integer PRIMARY KEY"
    at.make("voices", f"{key}, said oid", user_id="delete", said='delete {"large_object": true}')
    at.make("faces", f"{key}, shown oid, known_as text", shown='null {"large_object": true}', known_as="null")
    made = "SELECT lo_from_bytea(0, 'x'::bytea)"
    objects = []
    for n, (table, person) in enumerate((one, who) for one in ("voices", "faces") for who in (ADA, ADA, BOB)):
        ((number,),) = at.rows(made)
        at.rows(f"ALTER LARGE OBJECT {number} OWNER TO agent_owner")
        at.rows(f"INSERT INTO {table} VALUES ({person.id}, {n}, {number})")
        objects.append((number, person.id))
    at.erase(most=most)
    left = {number for (number,) in at.rows("SELECT oid FROM pg_largeobject_metadata")}
    assert left == {number for number, person in objects if person == BOB.id}
    assert at.rows("SELECT shown FROM faces WHERE user_id = %s", (ADA.id,)) == [(None,), (None,)]


@PORTIONS
def test_rows_without_a_key_go_as_well_and_are_changed(at: Bench, most: int | None) -> None:
    at.make("heap", "user_id bigint, a text", user_id="delete", a="delete")
    at.make("pile", "user_id bigint, a text, b integer", a="null", user_id='keep {"why": "a test"}')
    for table in ("heap", "pile"):
        at.rows(
            "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, note)"
            " VALUES (%s, '{user_id}', 'public.users', '{id}', 'column', 'of a test')",
            (f"public.{table}",),
        )
        at.rows(
            f"INSERT INTO {table} SELECT p, 'x' FROM unnest(%s) AS p, generate_series(1, 3)",
            ([ADA.id, BOB.id],),
        )
    plan = at.erase(most=most)
    assert at.rows("SELECT DISTINCT user_id FROM heap") == [(BOB.id,)]
    assert at.rows("SELECT user_id, count(a), count(*) FROM pile GROUP BY 1 ORDER BY 1") == [
        (BOB.id, 3, 3),
        (ADA.id, 0, 3),
    ]
    assert 'all of "public.heap" is read, about 6 rows: no index leads to a person' in " ".join(
        plan.warnings
    ).replace(f"about {steps_of(plan, 'public.heap')[0].cost_rows} rows", "about 6 rows")


@PORTIONS
def test_rows_go_in_the_order_of_keys_of_any_type(at: Bench, most: int | None) -> None:
    key = 'at timestamptz, b bytea, "c""d %" text, d numeric'
    at.make(
        "odd", f'user_id bigint REFERENCES users, {key}, PRIMARY KEY (at, b, "c""d %", d)', user_id="delete"
    )
    at.rows(
        "INSERT INTO odd SELECT %s, 'epoch'::timestamptz + n * interval '7 hours', decode(to_hex(n + 16), 'hex'),"
        " 'é' || n, n / 3.0 FROM generate_series(1, 9) AS n",
        (ADA.id,),
    )
    at.rows("INSERT INTO odd VALUES (%s, now(), '\\x00', 'b', 1)", (BOB.id,))
    at.erase(most=most)
    assert at.rows("SELECT user_id FROM odd") == [(BOB.id,)]


@PORTIONS
def test_a_person_goes_out_of_lists_and_documents_of_somebody_else(at: Bench, most: int | None) -> None:
    at.make(
        "rooms", "id integer PRIMARY KEY, owner bigint REFERENCES users, members bigint[], names text[], said jsonb",
        owner="delete", members="delete", names="delete", said="delete",
    )  # fmt: skip
    for column, kind, path in (
        ("members", "array", None),
        ("names", "array", None),
        ("said", "json", "$.to[*]"),
    ):
        at.rows(
            "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, json_path, own_columns, note)"
            " VALUES ('public.rooms', %(c)s::name[], 'public.users', '{id}', %(k)s, %(p)s, %(c)s::name[], 'of a test')",
            {"c": [column], "k": kind, "p": path},
        )
    at.rows(
        "INSERT INTO rooms VALUES (1, %(b)s, ARRAY[%(b)s, %(a)s, %(b)s], ARRAY[%(a)s::text, 'x'], jsonb_build_object('to', ARRAY[%(a)s, %(b)s])),"
        " (2, %(b)s, ARRAY[%(b)s], '{}', NULL), (3, %(a)s, '{}', '{}', '{}')",
        {"a": ADA.id, "b": BOB.id},
    )
    at.erase(most=most)
    assert at.rows("SELECT id, members, names, said::text FROM rooms ORDER BY id") == [
        (1, [BOB.id, BOB.id], ["x"], f'{{"to": [null, {BOB.id}]}}'),
        (2, [BOB.id], [], None),
    ]


@PORTIONS
def test_rows_that_stay_name_a_pseudonym_where_they_named_the_person(at: Bench, most: int | None) -> None:
    at.make(
        "plays",
        "user_id bigint, n integer, device text, PRIMARY KEY (user_id, n)",
        user_id="pseudonym",
        device="null",
    )
    at.rows(
        "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, note)"
        " VALUES ('public.plays', '{user_id}', 'public.users', '{id}', 'column', 'of a test')"
    )
    at.rows(
        "INSERT INTO plays SELECT p, n, 'x' FROM unnest(%s) AS p, generate_series(1, 3) AS n",
        ([ADA.id, BOB.id],),
    )
    at.erase(most=most)
    (name,) = {name for (name,) in at.rows("SELECT user_id FROM plays") if name != BOB.id}
    assert name != ADA.id
    assert at.rows("SELECT n, device FROM plays WHERE user_id = %s ORDER BY n", (name,)) == [
        (1, None),
        (2, None),
        (3, None),
    ]


def test_rows_of_one_kind_among_several_are_told_apart(at: Bench) -> None:
    at.make("marks", "id integer PRIMARY KEY, kind text, thing text, note text", note="null")
    at.rows(
        "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, discriminator_column, discriminator_value, note)"
        " VALUES ('public.marks', '{thing}', 'public.users', '{id}', 'polymorphic', 'kind', 'user', 'of a test')"
    )
    at.rows(
        "INSERT INTO marks VALUES (1, 'user', %(a)s, 'x'), (2, 'track', %(a)s, 'x'), (3, 'user', %(b)s, 'x')",
        {"a": ADA.id, "b": BOB.id},
    )
    at.erase()
    assert at.rows("SELECT id FROM marks WHERE note IS NULL") == [(1,)]


def test_what_the_server_makes_of_other_columns_follows_them(at: Bench) -> None:
    at.make(
        "kept", f"{OWN}, a text, found tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(a, ''))) STORED",
        a="null", found="null",
    )  # fmt: skip
    at.rows("INSERT INTO kept VALUES (%s, 1, 'engines')", (ADA.id,))
    plan = at.erase()
    assert at.rows("SELECT a, found::text FROM kept") == [(None, "")]
    assert outcomes_of(plan, "public.kept") == {"a": "deleted", "found": "deleted"}
