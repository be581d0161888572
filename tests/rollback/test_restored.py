"""What a rollback destroyed comes back as it was: tables moved or copied, columns, rows, sequences."""

from __future__ import annotations

import pytest
from rollback.scene import accepted, agentdb, contents, losses, planned, quarantine, revise, upgraded

from support import Checkout, rows

FEELING = "CREATE TYPE public.feeling AS ENUM ('glad', 'sad')"
COLUMNS = """
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT {0}_pkey PRIMARY KEY, said text, at timestamptz DEFAULT now(),
    score double precision, raw bytea, more jsonb, many numeric[], during tstzrange
"""
FILL = """
    INSERT INTO {0} (said, score, raw, more, many, during)
    SELECT CASE WHEN n % 5 <> 0 THEN 'said ' || n END, n / 7.0, sha256(n::text::bytea), jsonb_build_object('n', n, 'é', NULL),
           ARRAY[n, NULL, 1.10], tstzrange(now(), NULL)
      FROM generate_series(1, 1000) AS n
"""


def there_and_back(
    checkout: Checkout, url: str, *tables: str
) -> tuple[list[tuple[str, str, str | None, int]], str]:
    """Go back a step, up again and restore; return the losses, and the schema that kept them."""
    before = {table: contents(url, table) for table in tables}
    assert all(found[0] for found in before.values())
    plan = planned(url, checkout=checkout)
    kept = accepted(url, checkout=checkout, digest=plan["digest"])
    upgraded(checkout, url)
    assert {table: contents(url, table) for table in tables} != before
    done = agentdb(url, "restore", kept, checkout=checkout)
    assert (done.code, done.err) == (0, [])
    assert {table: contents(url, table) for table in tables} == before
    return losses(plan), kept


def moved(url: str, kept: str) -> list[tuple[object, ...]]:
    return rows(url, f"SELECT source, moved FROM {kept}.contents WHERE kept_as IS NOT NULL ORDER BY id")


TABLES = (
    "ops." + "n" * 63, 'public."Mixed ""Case"" and.dots"', "public.notes", 'public."user"', 'public."' + "é" * 31 + '"',
)  # fmt: skip


def test_dropped_tables_are_moved_and_come_back(checkout: Checkout, url: str) -> None:
    columns = COLUMNS.replace("CONSTRAINT {0}_pkey ", "")
    revise(
        checkout,
        "; ".join(f"CREATE TABLE {table} ({columns})" for table in TABLES),
        *(f"DROP TABLE {table}" for table in TABLES),
    )
    upgraded(checkout, url)
    rows(url, "; ".join(FILL.format(table) for table in TABLES))
    oids = [rows(url, "SELECT %s::regclass::oid", (table,))[0][0] for table in TABLES]
    lost, kept = there_and_back(checkout, url, *TABLES)
    assert sorted(lost) == sorted(("table", table, None, 1000) for table in TABLES)
    assert sorted(moved(url, kept)) == sorted((table, True) for table in TABLES)
    # The same tables, not copies of them.
    for oid in oids:
        assert rows(url, f"SELECT {oid}::regclass::text ~ '^{kept}'") == [(True,)]
    # What comes next does not take a number again.
    for table in TABLES:
        assert rows(url, f"INSERT INTO {table} (said) VALUES ('new') RETURNING id") == [(1001,)]


@pytest.mark.soak
def test_a_table_of_a_type_that_goes_too_is_copied_and_comes_back(checkout: Checkout, url: str) -> None:
    revise(
        checkout,
        f"{FEELING}; CREATE TABLE public.notes ({COLUMNS.format('notes')}, how public.feeling, hows public.feeling[])",
        "DROP TABLE public.notes; DROP TYPE public.feeling",
    )
    upgraded(checkout, url)
    rows(url, FILL.format("notes"))
    rows(url, "UPDATE notes SET how = 'sad', hows = '{glad,NULL,sad}' WHERE id % 2 = 0")
    lost, kept = there_and_back(checkout, url, "notes")
    assert lost == [("table", "public.notes", None, 1000)]
    assert moved(url, kept) == [("public.notes", False)]


def test_a_table_without_a_primary_key_comes_back_with_its_doubles(checkout: Checkout, url: str) -> None:
    revise(checkout, "CREATE TABLE public.notes (said text)", "DROP TABLE public.notes")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES ('a'), ('a'), (NULL)")
    there_and_back(checkout, url, "notes")


def test_dropped_columns_come_back_where_they_held_a_value(checkout: Checkout, url: str) -> None:
    kinds = {"a": "text", "b": "public.feeling", "c": "integer[]"}
    revise(checkout, f"{FEELING}; CREATE TABLE public.notes ({COLUMNS.format('notes')})", "SELECT 1")
    revise(
        checkout,
        "; ".join(f"ALTER TABLE public.notes ADD {name} {kind}" for name, kind in kinds.items()),
        *(f"ALTER TABLE public.notes DROP {name}" for name in kinds),
    )
    upgraded(checkout, url)
    rows(url, FILL.format("notes"))
    rows(url, "UPDATE notes SET a = said, b = 'sad', c = ARRAY[id, NULL] WHERE id % 2 = 0")
    lost, _ = there_and_back(checkout, url, "notes")
    assert lost == [
        ("column", "public.notes", name, held) for name, held in zip("abc", (400, 500, 500), strict=True)
    ]


@pytest.mark.soak
def test_a_column_made_anew_under_its_name_is_seen(checkout: Checkout, url: str) -> None:
    revise(checkout, f"CREATE TABLE public.notes ({COLUMNS.format('notes')})", "SELECT 1")
    revise(
        checkout,
        "SELECT 1",
        "DO 'BEGIN EXECUTE ''ALTER TABLE public.notes DROP during; ALTER TABLE public.notes ADD during tstzrange''; END'",
    )
    upgraded(checkout, url)
    rows(url, FILL.format("notes"))
    lost, _ = there_and_back(checkout, url, "notes")
    assert lost == [("column", "public.notes", "during", 1000)]


def test_deleted_and_changed_rows_come_back(checkout: Checkout, url: str) -> None:
    revise(checkout, f"CREATE TABLE public.notes ({COLUMNS.format('notes')})", "SELECT 1")
    revise(
        checkout,
        "SELECT 1",
        "DELETE FROM public.notes WHERE id > 990; UPDATE public.notes SET said = '' WHERE id <= 20",
    )
    upgraded(checkout, url)
    rows(url, FILL.format("notes"))
    lost, kept = there_and_back(checkout, url, "notes")
    assert lost == [("deleted", "public.notes", None, 10), ("updated", "public.notes", None, 20)]
    assert rows(url, f"SELECT kind, rows FROM {kept}.contents ORDER BY kind") == [
        ("deleted", 10),
        # What the rows were when the kept ones took their place.
        ("replaced", 20),
        ("updated", 20),
    ]
    assert rows(url, "SELECT tgname FROM pg_trigger WHERE tgname ~ '^rollback_'") == []


@pytest.mark.soak
def test_rows_that_lose_a_column_in_the_same_step_come_back_with_it(checkout: Checkout, url: str) -> None:
    # Its number, which only the server gives, is not what the row is found by.
    table = COLUMNS.replace(" CONSTRAINT {0}_pkey PRIMARY KEY, said text", ", said text PRIMARY KEY")
    steps = [
        "ALTER TABLE public.a DROP more; DELETE FROM public.a WHERE id > 990",
        "DELETE FROM public.b WHERE id > 990; ALTER TABLE public.b DROP more",
    ]
    columns = table.replace("more jsonb, ", "")
    revise(checkout, f"CREATE TABLE public.a ({columns}); CREATE TABLE public.b ({columns})", "SELECT 1")
    revise(checkout, "ALTER TABLE public.a ADD more jsonb; ALTER TABLE public.b ADD more jsonb", *steps)
    upgraded(checkout, url)
    for name in ("a", "b"):
        rows(url, FILL.format(name).replace("CASE WHEN n % 5 <> 0 THEN 'said ' || n END", "n::text"))
    lost, _ = there_and_back(checkout, url, "a", "b")
    assert sorted(lost) == [
        (kind, f"public.{name}", column, count)
        for kind, column, count in (("column", "more", 1000), ("deleted", None, 10))
        for name in ("a", "b")
    ]


def test_rows_deleted_from_a_partition_come_back(checkout: Checkout, url: str) -> None:
    revise(
        checkout,
        "; ".join(
            f"CREATE TABLE public.{name} (id bigint PRIMARY KEY, said text) PARTITION BY RANGE (id);"
            f"CREATE TABLE public.{name}_all PARTITION OF public.{name} DEFAULT"
            for name in ("a", "b")
        ),
        "SELECT 1",
    )
    revise(checkout, "SELECT 1", "DELETE FROM public.a WHERE id > 5", "DELETE FROM public.b_all WHERE id > 5")
    upgraded(checkout, url)
    for name in ("a", "b"):
        rows(url, f"INSERT INTO {name} SELECT n, 'said' FROM generate_series(1, 12) AS n")
    lost, _ = there_and_back(checkout, url, "a", "b")
    assert sorted(lost) == [("deleted", "public.a_all", None, 7), ("deleted", "public.b_all", None, 7)]


@pytest.mark.soak
def test_tables_that_are_truncated_or_take_another_type_come_back(checkout: Checkout, url: str) -> None:
    columns = {name: COLUMNS.format(name) for name in ("a", "b", "c")}
    # Of the type that the downgrade gives back, so that the schema is as it was.
    columns["b"] = columns["b"].replace("said text", "said varchar(5)")
    revise(
        checkout,
        "; ".join(f"CREATE TABLE public.{name} ({one})" for name, one in columns.items()),
        "SELECT 1",
    )
    revise(
        checkout,
        "; ".join(f"ALTER TABLE public.{name} ALTER said TYPE text" for name in columns),
        "TRUNCATE public.a",
        "ALTER TABLE public.b ALTER said TYPE varchar(5) USING left(said, 5)",
        "DO 'BEGIN TRUNCATE public.c; END'",
    )
    upgraded(checkout, url)
    for name in columns:
        rows(url, FILL.format(name))
    lost, _ = there_and_back(checkout, url, *columns)
    assert sorted(lost) == [("rewritten", f"public.{name}", None, 1000) for name in columns]


def test_a_partitioned_table_comes_back_with_its_partitions_rows(checkout: Checkout, url: str) -> None:
    revise(
        checkout,
        "CREATE TABLE public.notes (id bigint PRIMARY KEY, said text) PARTITION BY RANGE (id);"
        "CREATE TABLE public.notes_all PARTITION OF public.notes DEFAULT",
        "DROP TABLE public.notes",
    )
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes SELECT n, 'said' FROM generate_series(1, 12) AS n")
    lost, _ = there_and_back(checkout, url, "notes")
    assert lost == [("table", "public.notes", None, 12)]


def test_a_sequence_goes_on_behind_what_it_gave_out(checkout: Checkout, url: str) -> None:
    revise(
        checkout,
        "CREATE SEQUENCE public.counter; CREATE TABLE public.notes (id bigint PRIMARY KEY DEFAULT nextval('public.counter'))",
        "DROP TABLE public.notes; DROP SEQUENCE public.counter",
    )
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes SELECT FROM generate_series(1, 7); DELETE FROM notes WHERE id > 5")
    there_and_back(checkout, url, "notes")
    assert rows(url, "INSERT INTO notes DEFAULT VALUES RETURNING id") == [(8,)]


@pytest.mark.soak
def test_a_sequence_whose_rows_are_gone_goes_on_all_the_same(checkout: Checkout, url: str) -> None:
    table = "CREATE TABLE public.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text)"
    revise(checkout, table, "DROP TABLE public.notes")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes (said) VALUES ('a'), ('b'); DELETE FROM notes")
    assert planned(url, checkout=checkout)["rows_at_risk"] == 0
    assert agentdb(url, "to", "-1", checkout=checkout).err == []
    upgraded(checkout, url)
    assert agentdb(url, "restore", quarantine(url), checkout=checkout).err == []
    assert rows(url, "INSERT INTO notes (said) VALUES ('c') RETURNING id") == [(3,)]


def test_rows_written_meanwhile_stay_and_triggers_are_silent_while_restoring(
    checkout: Checkout, url: str
) -> None:
    revise(
        checkout,
        "CREATE TABLE public.notes (id bigint PRIMARY KEY, said text); CREATE FUNCTION public.shout() RETURNS trigger"
        " LANGUAGE plpgsql AS 'BEGIN NEW.said := upper(NEW.said); RETURN NEW; END';"
        "CREATE TRIGGER notes_shout BEFORE INSERT OR UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION public.shout()",
        "DROP TABLE public.notes; DROP FUNCTION public.shout()",
    )
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    kept = accepted(url, checkout=checkout)
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (2, 'two'), (3, 'three')")
    assert (
        agentdb(url, "restore", kept, checkout=checkout).out
        == "public.notes: 2 rows, 1 in the place of others, which are kept now\n"
    )
    assert rows(url, "SELECT * FROM notes ORDER BY id") == [(1, "A"), (2, "B"), (3, "THREE")]
    assert rows(url, "INSERT INTO notes VALUES (4, 'd') RETURNING said") == [("D",)]


LOUD = """
    ALTER TABLE public.notes ADD loud text; UPDATE public.notes SET loud = upper(said);
    ALTER TABLE public.notes ALTER loud SET NOT NULL; CREATE FUNCTION public.notes_loud_sync() RETURNS trigger
    LANGUAGE plpgsql AS 'BEGIN NEW.loud := upper(NEW.said); RETURN NEW; END';
    COMMENT ON FUNCTION public.notes_loud_sync() IS 'Keep loud at what it is made of';
    CREATE TRIGGER zz_notes BEFORE INSERT OR UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION public.notes_loud_sync();
    ALTER TABLE public.notes ENABLE ALWAYS TRIGGER zz_notes
"""


@pytest.mark.soak
def test_a_column_kept_at_what_others_make_of_it_is_made_anew(checkout: Checkout, url: str) -> None:
    notes = "CREATE TABLE public.notes (id bigint PRIMARY KEY, said text)"
    revise(checkout, notes, "DROP TABLE public.notes")
    revise(
        checkout,
        LOUD,
        "DROP TRIGGER zz_notes ON public.notes; DROP FUNCTION public.notes_loud_sync(); ALTER TABLE public.notes DROP loud",
    )
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    kept = accepted(url, checkout=checkout)
    rows(url, "UPDATE notes SET said = 'c' WHERE id = 2")
    upgraded(checkout, url)
    # What was made of what is no longer said does not come back.
    assert agentdb(url, "restore", kept, checkout=checkout).out == "public.notes: 2 rows\n"
    assert rows(url, "SELECT * FROM notes ORDER BY id") == [(1, "a", "A"), (2, "c", "C")]
    assert agentdb(url, "purge", kept, checkout=checkout).code == 0
    kept = accepted(url, "-2", checkout=checkout)
    upgraded(checkout, url)
    assert rows(url, "SELECT * FROM notes") == []
    assert agentdb(url, "restore", kept, checkout=checkout).err == []
    assert rows(url, "SELECT * FROM notes ORDER BY id") == [(1, "a", "A"), (2, "c", "C")]
