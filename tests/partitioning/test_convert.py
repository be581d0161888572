"""A live table becomes partitioned and plain again: nothing about it lost, nothing of it refused in silence."""

from __future__ import annotations

import re

import psycopg2
import pytest
from partitioning.scene import everything, schema, settings

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, lasting
from spotify_ai_agent_migrations.versions.partitioning import convert, unconvert
from spotify_ai_agent_migrations.versions.partitioning.run import written
from support import connected, rows

# What is another thing once the table is partitioned, and has to be; all the rest is as it was.
OTHER = {
    "relation public.Odd", "constraint public.Odd.odd_tenant_fkey", "relation public.odd_pkey", "constraint public.Odd.odd_pkey", "index public.odd_pkey",
    "publication odd_publication", "constraint public.notes.notes_odd_id_fkey",
    "column public.notes.odd_id_at", "trigger public.notes.notes_odd_id_at", "routine public.notes_odd_id_at()",
}  # fmt: skip


def named(thing: SchemaObject) -> str:
    return f"{thing.kind} {thing.identity}".replace('"', "")


def test_everything_about_a_table_is_carried_over(scene: str) -> None:
    before, content = schema(scene), everything(scene)
    done = convert('"Odd"', "at", premake=2, settings=settings(scene))
    assert len(done.made) in {1, 2}
    assert everything(scene) == content
    changed = {named(thing) for thing in set(before) ^ set(lasting(schema(scene)))}
    # An index of a partitioned table is of another kind, and says ONLY; the triggers of its foreign key are fewer.
    assert {
        name for name in changed if not re.search("Odd.*_key$|(index|relation) .*odd_.*_(idx|key)$", name)
    } == OTHER
    assert rows(
        scene, "SELECT DISTINCT relkind, relispartition FROM pg_class WHERE relname IN ('Odd', 'Odd_legacy')"
    ) == [("p", False), ("r", True)]
    assert rows(
        scene,
        "SELECT count(*) FROM pg_index WHERE NOT indisvalid UNION ALL SELECT count(*) FROM pg_constraint WHERE NOT convalidated AND conparentid = 0",
    ) == [(0,), (0,)]


def test_the_table_works_as_it_did(scene: str) -> None:
    convert('"Odd"', "at", premake=1, settings=settings(scene))
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE part_rw")
        cursor.execute(
            'INSERT INTO "Odd" (tenant_id, amount) VALUES (1, 7) RETURNING id, serial_no, doubled, touched'
        )
        assert cursor.fetchall() == [(2001, 2001, 14, 0)]
        cursor.execute('UPDATE "Odd" SET amount = 8 WHERE id = 2001 RETURNING touched')
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            cursor.execute('INSERT INTO "Odd" (tenant_id) VALUES (2)')
        cursor.execute('SELECT count(*) FROM "Odd"')
        assert cursor.fetchall() == [(801,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="Odd_legacy"):
            cursor.execute('SELECT count(*) FROM "Odd_legacy"')
        cursor.execute("SET ROLE part_ro")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied for table Odd"):
            cursor.execute('SELECT amount FROM "Odd"')
        cursor.execute("RESET ROLE")
        # The trigger for a statement heard of each once.
        cursor.execute("SELECT what, many FROM heard")
        assert cursor.fetchall() == [("INSERT", 1)]
        cursor.execute("SELECT count(*) FROM recent WHERE id = 2001")
        assert cursor.fetchall() == [(1,)]


def test_a_foreign_key_to_the_table_holds_as_it_did(scene: str) -> None:
    convert('"Odd"', "at", premake=1, settings=settings(scene))
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO notes (odd_id) VALUES (3), (NULL) RETURNING odd_id_at IS NULL")
        assert cursor.fetchall() == [(False,), (True,)]
        with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="notes_odd_id_fkey"):
            cursor.execute("INSERT INTO notes (odd_id) VALUES (999999)")
        cursor.execute(
            'UPDATE "Odd" SET at = at - interval \'1 hour\' WHERE id = 3; DELETE FROM "Odd" WHERE id = 4'
        )
        cursor.execute(
            'SELECT notes.odd_id, notes.odd_id_at = at FROM notes LEFT JOIN "Odd" ON "Odd".id = odd_id WHERE odd_id IN (3, 4)'
        )
        assert cursor.fetchall() == [(3, True), (3, True)]


def test_a_second_run_finds_nothing_to_do(scene: str) -> None:
    convert('"Odd"', "at", premake=2, settings=settings(scene))
    before = schema(scene)
    assert convert('"Odd"', "at", premake=2, settings=settings(scene)).made == ()
    assert schema(scene) == before


def test_undo_and_redo_give_the_same_catalogue_and_rows(scene: str) -> None:
    plain, content = schema(scene), everything(scene)
    convert('"Odd"', "at", premake=2, settings=settings(scene))
    partitioned = schema(scene)
    assert unconvert('"Odd"', settings=settings(scene)) == 0
    assert schema(scene) == plain
    assert everything(scene) == content
    assert unconvert('"Odd"', settings=settings(scene)) == 0
    assert schema(scene) == plain
    convert('"Odd"', "at", premake=2, settings=settings(scene))
    assert schema(scene) == partitioned


def test_undo_brings_the_rows_of_later_partitions_back_and_counts_on(scene: str) -> None:
    convert('"Odd"', "at", premake=2, settings=settings(scene))
    rows(
        scene,
        """INSERT INTO "Odd" (tenant_id, at) SELECT 1, now() + interval '40 days' FROM generate_series(1, 10)""",
    )
    content = everything(scene)
    with pytest.raises(TableError, match="10 rows would be moved"):
        unconvert('"Odd"', settings=settings(scene), max_rows=9)
    assert unconvert('"Odd"', settings=settings(scene)) == 10
    assert everything(scene) == content
    assert rows(scene, 'INSERT INTO "Odd" (tenant_id) VALUES (1) RETURNING id') == [(2011,)]


def test_undo_is_refused_when_a_key_exists_twice(scene: str) -> None:
    convert('"Odd"', "at", premake=2, settings=settings(scene))
    rows(
        scene,
        """INSERT INTO "Odd" (id, tenant_id, at) OVERRIDING SYSTEM VALUE VALUES (5, 1, now() + interval '40 days')""",
    )
    content, before = everything(scene), schema(scene)
    with pytest.raises(TableError) as refused:
        unconvert('"Odd"', settings=settings(scene))
    assert (
        refused.value.problem
        == 'two rows of "public."Odd"" have the same id, which was its key; it stays partitioned'
    )
    assert everything(scene) == content
    assert {thing.identity for thing in set(schema(scene)) ^ set(before)} == {'public."Odd_undone_key"'}


def test_the_statements_are_shown_and_none_is_executed(scene: str) -> None:
    before = schema(scene)
    said = written('"Odd"', "at", period="month", premake=1, settings=settings(scene))
    assert schema(scene) == before
    assert said[0] == 'CREATE UNIQUE INDEX CONCURRENTLY "Odd_legacy_pkey" ON "public"."Odd" ("id", "at")'
    assert any(text.startswith('ALTER TABLE "public"."Odd" ATTACH PARTITION') for text in said)


REFUSED = {
    "CREATE UNIQUE INDEX odd_serial_idx ON \"Odd\" (serial_no)":
        'unique index "odd_serial_idx" does not hold column "at": rows of two partitions could not be kept apart; drop it',
    "CREATE MATERIALIZED VIEW many AS SELECT count(*) FROM \"Odd\"":
        "rule _RETURN on materialized view many depends on it and would go on reading the old rows only: drop it",
    "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM \"Odd\"; END":
        "function f() depends on it and would go on reading the old rows only: drop it",
    "CREATE TRIGGER odd_rows AFTER INSERT ON \"Odd\" REFERENCING NEW TABLE AS new_rows FOR EACH ROW EXECUTE FUNCTION hear()":
        'trigger "odd_rows" reads transition tables for each row: make it FOR EACH STATEMENT',
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END'":
        'trigger "odd_off" may write "at" before the row is stored, by the text of its function: let a default do so',
    "CREATE RULE odd_rule AS ON DELETE TO \"Odd\" DO ALSO DELETE FROM heard": 'rule "odd_rule": drop it',
    "CREATE TABLE child () INHERITS (\"Odd\")": "it inherits, or is inherited from: ALTER TABLE … NO INHERIT",
    "ALTER TABLE \"Odd\" ADD CONSTRAINT odd_late CHECK (touched < 9) NOT VALID":
        'constraint "odd_late" is not validated: ALTER TABLE … VALIDATE CONSTRAINT',
    "ALTER TABLE \"Odd\" ALTER COLUMN at DROP NOT NULL":
        'column "at" may be NULL: set it NOT NULL first, by a CHECK that is validated',
    "CREATE PUBLICATION every FOR ALL TABLES":
        'publication "every" has all tables and not publish_via_partition_root: ALTER PUBLICATION … SET (publish_via_partition_root)',
    "CREATE POLICY other ON tenants USING (EXISTS (SELECT FROM \"Odd\" WHERE tenant_id = tenants.id))":
        "policy other on table tenants depends on it and would go on reading the old rows only: drop it",
    "CREATE FUNCTION g(\"Odd\") RETURNS int LANGUAGE sql AS 'SELECT 1'":
        'function g("Odd") depends on it and would go on reading the old rows only: drop it',
}  # fmt: skip


def test_what_cannot_be_carried_is_refused_by_name_and_all_at_once(scene: str) -> None:
    with connected(scene) as connection, connection.cursor() as cursor:
        for statement in REFUSED:
            cursor.execute(statement)
    before = schema(scene)
    with pytest.raises(TableError) as refused:
        convert('"Odd"', "at", settings=settings(scene))
    begin = 'table "public."Odd"" cannot be partitioned as it is: '
    assert refused.value.problem.startswith(begin)
    said = set(refused.value.problem.removeprefix(begin).split("; "))
    assert {words for line in REFUSED.values() for words in line.split("; ")} - said == set()
    assert schema(scene) == before


@pytest.mark.parametrize("late", ["infinity", "9999-12-31", "2100-01-01"])
def test_rows_beyond_the_bound_are_refused(scene: str, late: str) -> None:
    rows(scene, 'UPDATE "Odd" SET at = %s WHERE id = 9', (late,))
    before = schema(scene)
    with pytest.raises(
        TableError, match=r'has rows whose "at" is 20..-..-01 00:00:00[+]00 or later, infinity included'
    ):
        convert('"Odd"', "at", settings=settings(scene))
    assert schema(scene) == before


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kolkata"])
def test_bounds_are_utc_whatever_zone_a_session_is_in(scene: str, zone: str) -> None:
    convert(
        '"Odd"',
        "at",
        premake=1,
        settings=settings(f"{scene}&options=-c%20TimeZone%3D{zone.replace('/', '%2F')}"),
    )
    found = rows(
        scene,
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class, set_config('TimeZone', 'UTC', false) WHERE relispartition AND relkind = 'r' ORDER BY oid",
    )
    ends = [str(bound).split("'")[1::2] for (bound,) in found]
    assert len(ends) >= 2
    assert all(end.endswith("-01 00:00:00+00") for pair in ends for end in pair)
    # A row exactly on a bound belongs to the period that begins there.
    on_the_bound = ends[0][0]
    assert rows(scene, 'INSERT INTO "Odd" (tenant_id, at) VALUES (1, %s), (1, %s::timestamptz - interval \'1 microsecond\') RETURNING tableoid::regclass::text', (on_the_bound, on_the_bound)) == [
        (f'"Odd_p{on_the_bound[:7].replace("-", "_")}"',), ('"Odd_legacy"',)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("timestamp", "now()"),
        ("date", "current_date"),
        ("bigint", "1000 * extract(epoch FROM now())::bigint"),
        ("uuid", "'01980000-0000-7000-8000-000000000000'::uuid"),
    ],
)
def test_a_key_of_any_kind_has_periods(scene: str, type_name: str, value: str) -> None:
    rows(
        scene,
        f"CREATE TABLE kinds (id bigint, at {type_name} NOT NULL, PRIMARY KEY (id, at)); INSERT INTO kinds SELECT n, {value} FROM generate_series(1, 9) AS n",
    )
    before = schema(scene)
    done = convert("kinds", "at", period="quarter", premake=2, settings=settings(scene))
    assert len(done.made) in {1, 2}
    assert rows(scene, "SELECT count(*), count(DISTINCT tableoid) FROM kinds") == [(9, 1)]
    assert unconvert("kinds", settings=settings(scene)) == 0
    assert schema(scene) == before
