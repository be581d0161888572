"""Every value that PostgreSQL can hold comes out as it is, and the schema says what it is."""

from __future__ import annotations

import csv
import io
import json
import pathlib
from decimal import Decimal
from importlib.resources import files as resources
from typing import Any

import jsonschema
import pytest
from gdpr_erasure.people import ADA, BOB, files_of, table_of

from spotify_ai_agent_migrations.versions.gdpr_erasure.export import export_subject
from support import data, rows

TABLE = '"odd, ""things"""'
_ODD = """
CREATE TYPE mood AS ENUM ('glad', 'sad, "very"');
CREATE TYPE spot AS (x integer, said text);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 4);
CREATE DOMAIN shorter AS short;
CREATE TABLE {TABLE} (
    "user" bigint NOT NULL REFERENCES users,
    "n%%" integer NOT NULL,
    big bigint, exact numeric, float double precision, small real, yes boolean,
    said text, code shorter, feeling mood, at timestamptz, day date, hour time, lasts interval,
    bytes bytea, document jsonb, old json, list text[], grid integer[], span int8range, place spot, address inet,
    who uuid, friends bigint[],
    PRIMARY KEY ("user", "n%%")
);
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT attname FROM pg_attribute WHERE attrelid = '{TABLE}'::regclass AND attnum > 0 LOOP
        EXECUTE format('COMMENT ON COLUMN {TABLE}.%I IS %L', name, 'content: made by a test');
    END LOOP;
END $$;
COMMENT ON TABLE {TABLE} IS 'What nobody would think of';
SELECT ops.classify_table_v1('{TABLE}', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, own_columns, note)
VALUES ('public.{TABLE}', '{friends}', 'public.users', '{id}', 'array', '{}', 'names people, and is about none of them');
GRANT SELECT ON {TABLE} TO agent_privacy;
""".replace("{TABLE}", TABLE)
NAME = "odd-things"


@pytest.fixture
def odd(entangled: str) -> str:
    """A database with a table of every kind of value."""
    rows(entangled, _ODD)
    return entangled


def add(url: str, **values: str) -> None:
    """Put one row of Ada's into it; the values are written in SQL."""
    names = "".join(f", {name}" for name in values)
    said = "".join(f", {value}" for value in values.values())
    rows(url, f'INSERT INTO {TABLE} ("user", "n%%"{names}) SELECT {ADA.id}, count(*){said} FROM {TABLE}')


def exported(
    url: str, place: pathlib.Path
) -> tuple[list[dict[str, Any]], list[dict[str, str]], dict[str, Any]]:
    """The rows as JSON and as CSV, and the fields of the schema by name."""
    export_subject(ADA.id, place, url=url)
    files = files_of(place)
    package = json.loads(files["datapackage.json"])
    [schema] = [one["schema"] for one in package["resources"] if one["name"] == NAME]
    as_json = json.loads(files[f"data/{NAME}.json"], parse_float=Decimal)
    as_csv = list(csv.DictReader(io.StringIO(files[f"data/{NAME}.csv"], newline="")))
    return as_json, as_csv, {field["name"]: field for field in schema["fields"]}


VALUES = [
    # column, in SQL, in JSON, in CSV, type
    ("big", "9223372036854775807", 9223372036854775807, "9223372036854775807", "integer"),
    ("exact", "'12345678901234567890.12345678901234567890'", Decimal("12345678901234567890.12345678901234567890"), "12345678901234567890.12345678901234567890", "number"),
    ("exact", "'NaN'", "NaN", "NaN", "number"),
    ("float", "'-Infinity'", "-INF", "-INF", "number"),
    ("float", "1e300", Decimal("1e300"), "1e+300", "number"),
    ("small", "0.1", Decimal("0.1"), "0.1", "number"),
    ("yes", "true", True, "true", "boolean"),
    ("said", "''", "", "", "string"),
    ("said", "E'a,\"b\"\\r\\nc\\td\\\\ \\u2028 \U0001f984'", 'a,"b"\r\nc\td\\ \u2028 \U0001f984', 'a,"b"\r\nc\td\\ \u2028 \U0001f984', "string"),
    ("said", "'[withheld]'", "[withheld]", "[withheld]", "string"),
    ("code", "'abc'", "abc", "abc", "string"),
    ("feeling", "'sad, \"very\"'", 'sad, "very"', 'sad, "very"', "string"),
    ("at", "'2026-01-31 13:00:00.25+01'", "2026-01-31T12:00:00.25Z", "2026-01-31T12:00:00.25Z", "datetime"),
    ("at", "'infinity'", "infinity", "infinity", "string"),
    ("at", "'0044-03-15 BC'", "0044-03-15T00:00:00+00:00 BC", "0044-03-15T00:00:00+00:00 BC", "string"),
    ("day", "'2028-02-29'", "2028-02-29", "2028-02-29", "date"),
    ("day", "'-infinity'", "-infinity", "-infinity", "string"),
    ("hour", "'23:59:59.5'", "23:59:59.5", "23:59:59.5", "time"),
    ("lasts", "'1 year 2 days 3 hours'", "P1Y2DT3H", "P1Y2DT3H", "duration"),
    ("lasts", "'1 day -3 hours'", "P1DT-3H", "P1DT-3H", "string"),
    ("bytes", "decode(repeat('00ff', 60), 'hex')", "AP8A/wD/" * 20, "AP8A/wD/" * 20, "string"),
    ("document", "'{\"n\": 1.10, \"deep\": [{\"é\": null}]}'", {"n": Decimal("1.10"), "deep": [{"é": None}]}, '{"n": 1.10, "deep": [{"é": null}]}', "object"),
    ("document", "'[1, 2]'", [1, 2], "[1, 2]", "array"),
    ("document", "'\"text\"'", "text", '"text"', "any"),
    ("document", "'null'", None, "", "any"),
    ("old", "'{\"nul\": \"a\\u0000b\"}'", {"nul": "a\0b"}, '{"nul": "a\\u0000b"}', "object"),
    ("list", "ARRAY['a,b', NULL, '\"']", ["a,b", None, '"'], '["a,b",null,"\\""]', "array"),
    ("grid", "'{{1,2},{3,4}}'", [[1, 2], [3, 4]], "[[1,2],[3,4]]", "array"),
    ("span", "'[1,3)'", "[1,3)", "[1,3)", "string"),
    ("place", "'(1,here)'", {"x": 1, "said": "here"}, '{"x":1,"said":"here"}', "object"),
    ("address", "'192.0.2.1/24'", "192.0.2.1/24", "192.0.2.1/24", "string"),
    ("who", "'3f2504e0-4f89-11d3-9a0c-0305e82c3301'", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "string"),
    ("friends", f"ARRAY[{BOB.id}, {ADA.id}, NULL]", ["[withheld]", ADA.id, None], f'["[withheld]", {ADA.id}, null]', "array"),
    ("friends", "'{}'", [], "[]", "array"),
]  # fmt: skip


def test_every_kind_of_value_comes_out_as_it_is(odd: str, tmp_path: pathlib.Path) -> None:
    """All of them in one export, a row each; what is odd in one makes its whole field a text, so types come alone."""
    for column, written, _, _, _ in VALUES:
        add(odd, **{column: written})
    as_json, as_csv, fields = exported(odd, tmp_path / "out")
    found = [
        (row[column], cells[column]) for (column, *_), row, cells in zip(VALUES, as_json, as_csv, strict=True)
    ]
    assert found == [(wanted, cell) for _, _, wanted, cell, _ in VALUES]
    assert "\0" not in "".join(files_of(tmp_path / "out").values())
    assert fields["bytes"]["format"] == "binary"
    assert fields["who"]["format"] == "uuid"
    assert fields["friends"]["missingValues"] == ["", "[withheld]"]
    assert {fields[name]["type"] for name in ("at", "day", "lasts")} == {"string"}
    assert fields["document"]["type"] == "any"


@pytest.mark.parametrize(
    "column", ["big", "exact", "at", "day", "hour", "lasts", "document", "friends", "place"]
)
def test_a_field_has_the_type_that_all_its_values_have(odd: str, tmp_path: pathlib.Path, column: str) -> None:
    [written, kind] = next([one[1], one[4]] for one in VALUES if one[0] == column)
    add(odd, **{column: written})
    add(odd)
    _, _, fields = exported(odd, tmp_path / "out")
    assert fields[column]["type"] == kind


def test_nothing_and_an_empty_text_differ_in_json(odd: str, tmp_path: pathlib.Path) -> None:
    add(odd, said="''")
    add(odd, said="NULL")
    as_json, as_csv, _ = exported(odd, tmp_path / "out")
    assert [row["said"] for row in as_json] == ["", None]
    assert [row["said"] for row in as_csv] == ["", ""]


def test_naughty_strings_come_out_as_they_are(odd: str, tmp_path: pathlib.Path) -> None:
    naughty = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    naughty = [one for one in naughty if "\0" not in one]
    rows(
        odd,
        f'INSERT INTO {TABLE} ("user", "n%%%%", said, document) SELECT %s, place, said, to_jsonb(said)'
        " FROM unnest(%s::text[]) WITH ORDINALITY AS one (said, place)",
        (ADA.id, naughty),
    )
    as_json, as_csv, _ = exported(odd, tmp_path / "out")
    assert len(naughty) > 400
    assert [row["said"] for row in as_json] == naughty
    assert [row["document"] for row in as_json] == naughty
    assert [row["said"] for row in as_csv] == naughty


def test_a_login_that_spells_otherwise_changes_nothing(odd: str, tmp_path: pathlib.Path) -> None:
    add(odd, at="'2026-01-31 12:00+00'", lasts="'1 day'", float="0.1::float8 + 0.2", bytes="'\\x00'")
    rows(
        odd,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Kolkata''', current_database());"
        "EXECUTE format('ALTER DATABASE %I SET DateStyle = ''SQL, DMY''', current_database());"
        "EXECUTE format('ALTER DATABASE %I SET IntervalStyle = ''sql_standard''', current_database());"
        "EXECUTE format('ALTER DATABASE %I SET extra_float_digits = 0', current_database());"
        "EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database()); END $$",
    )
    [row], _, _ = exported(odd, tmp_path / "out")
    assert (row["at"], row["lasts"], row["float"], row["bytes"]) == (
        "2026-01-31T12:00:00Z", "P1D", Decimal("0.30000000000000004"), "AA==",
    )  # fmt: skip


def profile(name: str) -> Any:
    """A published JSON schema of Data Package 2.0."""
    return json.loads((resources("dplib") / "profiles" / "2.0" / f"{name}.json").read_text())


@pytest.mark.parametrize("article", [15, 20])
def test_the_schema_is_a_data_package(odd: str, tmp_path: pathlib.Path, article: int) -> None:
    for column, written, _, _, _ in VALUES:
        add(odd, **{column: written})
    export_subject(ADA.id, tmp_path / "out", article=article, url=odd)
    files = files_of(tmp_path / "out")
    package = json.loads(files["datapackage.json"])
    jsonschema.Draft7Validator(profile("datapackage")).validate(package)
    broken = {
        **package,
        "resources": [{**package["resources"][0], "schema": {"fields": [{"type": "integer"}]}}],
    }
    assert list(jsonschema.Draft7Validator(profile("datapackage")).iter_errors(broken))
    names = [one["name"] for one in package["resources"]]
    assert len(names) == len(set(names)) > 10
    assert {one["path"] for one in package["resources"]} == {
        name for name in files if name.startswith("data/")
    }
    for one in package["resources"]:
        assert one.get("bytes", len(files[one["path"]].encode())) == len(files[one["path"]].encode())
        fields = [field["name"] for field in one["schema"]["fields"]]
        if one["format"] == "csv":
            assert next(csv.reader(io.StringIO(files[one["path"]]))) == fields
        else:
            assert all(list(row) == fields for row in json.loads(files[one["path"]]))
        assert set(one["schema"].get("primaryKey", [])) <= set(fields)


def test_tables_of_one_name_in_two_schemas_have_files_of_their_own(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    rows(
        entangled,
        'CREATE TABLE "Visits!" (user_id bigint PRIMARY KEY REFERENCES users); CREATE TABLE "visits?" (user_id bigint PRIMARY KEY REFERENCES users);'
        "COMMENT ON COLUMN \"Visits!\".user_id IS 'identifier: who'; COMMENT ON COLUMN \"visits?\".user_id IS 'identifier: who';"
        "SELECT ops.classify_table_v1(one, strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract')"
        " FROM (VALUES ('\"Visits!\"'::regclass), ('\"visits?\"')) AS named (one);"
        f'INSERT INTO "Visits!" VALUES ({ADA.id}); INSERT INTO "visits?" VALUES ({ADA.id});'
        'GRANT SELECT ON "Visits!", "visits?" TO agent_privacy',
    )
    export_subject(ADA.id, tmp_path / "out", url=entangled)
    files = files_of(tmp_path / "out")
    assert [table_of(files, name) for name in ("visits", "visits-2")] == [[{"user_id": ADA.id}]] * 2


def test_what_a_document_names_of_others_things_is_replaced_where_the_catalogue_says_so(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    rows(
        entangled,
        "UPDATE ops.personal_data SET third_party = true WHERE (table_name, column_name) IN (('public.analytics', 'properties'), ('public.listens', 'raw'));"
        "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, json_path, own_columns, note) VALUES"
        " ('public.analytics', '{properties}', 'public.playlists', '{id}', 'json', '$.list', '{}', 'a list of anybody');"
        f"INSERT INTO analytics (user_id, id, event_name, properties) VALUES ({ADA.id}, 9, 'list.seen', '{{\"list\": {BOB.playlist}, \"n\": 1}}')",
    )
    done = export_subject(ADA.id, tmp_path / "out", url=entangled)
    files = files_of(tmp_path / "out")
    assert [row["properties"] for row in table_of(files, "analytics") if row["id"] == 9] == [
        {"list": "[withheld]", "n": 1}
    ]
    # Of the other nothing says where in it others are named.
    assert all("raw" not in row for row in table_of(files, "listens"))
    assert "`public.listens.raw`" in files["LISEZ_MOI.md"]
    assert {"table": "public.listens", "column": "raw", "reason": "others"} in json.loads(
        files["manifest.json"]
    )["left_out"]
    assert [part.replaced for part in done.parts if part.name == "analytics"] == [1]


def test_what_only_an_unreadable_table_names_is_not_asked_for(entangled: str, tmp_path: pathlib.Path) -> None:
    """Neither a table that agent_privacy may not read leads to an explanation, nor one without any row to name."""
    rows(
        entangled,
        "CREATE TABLE badges (id integer PRIMARY KEY, code text UNIQUE, title text);"
        "CREATE TABLE worn (user_id bigint PRIMARY KEY REFERENCES users, badge integer REFERENCES badges, again text REFERENCES badges (code));"
        "COMMENT ON COLUMN badges.id IS 'none: key'; COMMENT ON COLUMN badges.code IS 'none: code'; COMMENT ON COLUMN badges.title IS 'none: name';"
        "COMMENT ON COLUMN worn.user_id IS 'identifier: who'; COMMENT ON COLUMN worn.badge IS 'behavioural: which';"
        "COMMENT ON COLUMN worn.again IS 'behavioural: which else';"
        "SELECT ops.classify_table_v1('badges');"
        "SELECT ops.classify_table_v1('worn', strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract');"
        f"INSERT INTO badges VALUES (1, 'a', 'First'), (2, 'b', 'Last'), (3, 'c', 'Nobody'); INSERT INTO worn VALUES ({ADA.id}, 1, 'b');"
        "GRANT SELECT ON badges TO agent_privacy",
    )
    export_subject(ADA.id, tmp_path / "unreadable", url=entangled)
    files = files_of(tmp_path / "unreadable")
    assert table_of(files, "worn") == [{"user_id": ADA.id, "badge": 1, "again": "b"}]
    assert "data/reference-badges.json" not in files
    rows(entangled, "GRANT SELECT ON worn TO agent_privacy")
    export_subject(ADA.id, tmp_path / "readable", url=entangled)
    files = files_of(tmp_path / "readable")
    told = [[row["title"] for row in table_of(files, f"reference-badges{one}")] for one in ("", "-2")]
    assert sorted(told) == [["First"], ["Last"]]
