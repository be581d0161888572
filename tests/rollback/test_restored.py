"""What a rollback destroyed comes back as it was: tables moved or copied, columns, rows, sequences."""

from __future__ import annotations

import pytest
from rollback.scene import accepted, agentdb, contents, losses, planned, quarantine, revise, upgraded

from support import HEAD, Checkout, rows

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


def there_and_back(checkout: Checkout, url: str, *tables: str) -> tuple[list[object], str]:
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
    return list(losses(plan)), kept


def moved(url: str, kept: str) -> list[tuple[object, ...]]:
    return rows(url, f"SELECT source, moved FROM {kept}.contents WHERE kept_as IS NOT NULL ORDER BY id")


@pytest.mark.parametrize(
    "table",
    ["public.notes", 'public."Mixed ""Case"" and.dots"', "ops." + "n" * 63, 'public."' + "é" * 31 + '"', 'public."user"'],
)  # fmt: skip
def test_a_dropped_table_is_moved_and_comes_back(checkout: Checkout, url: str, table: str) -> None:
    revise(
        checkout,
        f"CREATE TABLE {table} ({COLUMNS.replace('CONSTRAINT {0}_pkey ', '')})",
        f"DROP TABLE {table}",
    )
    upgraded(checkout, url)
    rows(url, FILL.format(table))
    (oid,) = rows(url, "SELECT %s::regclass::oid", (table,))[0]
    lost, kept = there_and_back(checkout, url, table)
    assert lost == [("table", table, None, 1000)]
    assert moved(url, kept) == [(table, True)]
    # The same table, not a copy of it.
    assert rows(url, f"SELECT {oid}::regclass::text ~ '^{kept}'") == [(True,)]
    # What comes next does not take a number again.
    assert rows(url, f"INSERT INTO {table} (said) VALUES ('new') RETURNING id") == [(1001,)]


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


@pytest.mark.parametrize("kind", ["text", "public.feeling", "integer[]"])
def test_a_dropped_column_comes_back_where_it_held_a_value(checkout: Checkout, url: str, kind: str) -> None:
    revise(checkout, f"{FEELING}; CREATE TABLE public.notes ({COLUMNS.format('notes')})", "SELECT 1")
    revise(checkout, f"ALTER TABLE public.notes ADD extra {kind}", "ALTER TABLE public.notes DROP extra")
    upgraded(checkout, url)
    rows(url, FILL.format("notes"))
    value = {"text": "said", "public.feeling": "'sad'", "integer[]": "ARRAY[id, NULL]"}[kind]
    rows(url, f"UPDATE notes SET extra = {value} WHERE id % 2 = 0")
    lost, _ = there_and_back(checkout, url, "notes")
    assert lost == [("column", "public.notes", "extra", 400 if kind == "text" else 500)]


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


@pytest.mark.parametrize(
    "step",
    [
        "ALTER TABLE public.notes DROP more; DELETE FROM public.notes WHERE id > 990",
        "DELETE FROM public.notes WHERE id > 990; ALTER TABLE public.notes DROP more",
    ],
)
def test_rows_that_lose_a_column_in_the_same_step_come_back_with_it(
    checkout: Checkout, url: str, step: str
) -> None:
    # Its number, which only the server gives, is not what the row is found by.
    table = COLUMNS.replace(" CONSTRAINT {0}_pkey PRIMARY KEY, said text", ", said text PRIMARY KEY")
    revise(checkout, f"CREATE TABLE public.notes ({table.replace('more jsonb, ', '')})", "SELECT 1")
    revise(checkout, "ALTER TABLE public.notes ADD more jsonb", step)
    upgraded(checkout, url)
    rows(url, FILL.format("notes").replace("CASE WHEN n % 5 <> 0 THEN 'said ' || n END", "n::text"))
    lost, _ = there_and_back(checkout, url, "notes")
    assert lost == [("column", "public.notes", "more", 1000), ("deleted", "public.notes", None, 10)]


@pytest.mark.parametrize("table", ["public.notes", "public.notes_all"])
def test_rows_deleted_from_a_partition_come_back(checkout: Checkout, url: str, table: str) -> None:
    revise(
        checkout,
        "CREATE TABLE public.notes (id bigint PRIMARY KEY, said text) PARTITION BY RANGE (id);"
        "CREATE TABLE public.notes_all PARTITION OF public.notes DEFAULT",
        "SELECT 1",
    )
    revise(checkout, "SELECT 1", f"DELETE FROM {table} WHERE id > 5")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes SELECT n, 'said' FROM generate_series(1, 12) AS n")
    lost, _ = there_and_back(checkout, url, "notes")
    assert lost == [("deleted", "public.notes_all", None, 7)]


@pytest.mark.parametrize(
    "downgrade",
    [
        "TRUNCATE public.notes",
        "ALTER TABLE public.notes ALTER said TYPE varchar(5) USING left(said, 5)",
        "DO 'BEGIN TRUNCATE public.notes; END'",
    ],
)
def test_a_table_that_is_truncated_or_takes_another_type_comes_back(
    checkout: Checkout, url: str, downgrade: str
) -> None:
    revise(checkout, f"CREATE TABLE public.notes ({COLUMNS.format('notes')})", "SELECT 1")
    revise(checkout, "ALTER TABLE public.notes ALTER said TYPE text", downgrade)
    revise_first(checkout, downgrade)
    upgraded(checkout, url)
    rows(url, FILL.format("notes"))
    lost, _ = there_and_back(checkout, url, "notes")
    assert lost == [("rewritten", "public.notes", None, 1000)]


def revise_first(checkout: Checkout, downgrade: str) -> None:
    """Make the column of the type that the downgrade gives back, so that the schema is as it was."""
    if "varchar" in downgrade:
        file = sorted(checkout.versions.glob("[0-9]*_added.py"))[0]
        file.write_text(file.read_text().replace("said text", "said varchar(5)"))


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


def test_to_restore_before_the_table_is_there_again_is_refused_with_the_upgrade(
    checkout: Checkout, url: str
) -> None:
    number = revise(checkout, "CREATE TABLE public.notes (said text)", "DROP TABLE public.notes")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES ('a')")
    kept = accepted(url, checkout=checkout)
    done = agentdb(url, "restore", kept, checkout=checkout)
    assert (done.code, done.out, done.err) == (
        1,
        "",
        [
            'error: "public.notes" is not there to be restored',
            f"Hint: alembic upgrade {number} brings it back, then run this again",
        ],
    )
    upgraded(checkout, url)
    assert agentdb(url, "restore", kept, checkout=checkout).out == "public.notes: 1 row\n"
    done = agentdb(url, "restore", kept, checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f'error: what "{kept}" keeps was put back already',
            f"Hint: `agentdb rollback purge {kept}` drops it",
        ],
    )
    assert rows(url, "SELECT count(*) FROM notes") == [(1,)]


@pytest.mark.parametrize(
    "tampering", ["UPDATE {0} SET said = 'x' WHERE id = 1", "DELETE FROM {0} WHERE id = 1"]
)
def test_what_was_changed_in_the_quarantine_is_not_restored(
    checkout: Checkout, url: str, tampering: str
) -> None:
    revise(checkout, "CREATE TABLE public.notes (id bigint PRIMARY KEY, said text)", "SELECT 1")
    revise(checkout, "SELECT 1", "DELETE FROM public.notes")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    kept = accepted(url, checkout=checkout)
    ((name,),) = rows(url, f"SELECT kept_as FROM {kept}.contents")
    rows(url, tampering.format(f"{kept}.{name}"))
    upgraded(checkout, url)
    done = agentdb(url, "restore", kept, checkout=checkout)
    left = 2 if tampering.startswith("UPDATE") else 1
    assert (done.code, done.err) == (
        1,
        [
            f'error: "{kept}"."{name}" is not what was kept: {left} rows, and 2 were',
            "Hint: somebody changed it since; restore from a backup",
        ],
    )
    assert rows(url, "SELECT count(*) FROM notes") == [(0,)]


def test_nobody_else_reads_the_quarantine(store: str) -> None:
    kept = accepted(store, "001")
    names = [
        str(name) for (name,) in rows(store, f"SELECT kept_as FROM {kept}.contents WHERE kept_as IS NOT NULL")
    ]
    assert any("users" in name for name in names)
    for role in ("agent_app", "agent_readonly", "agent_owner"):
        assert rows(store, "SELECT has_schema_privilege(%s, %s, 'USAGE')", (role, kept)) == [(False,)]


def test_what_is_kept_is_listed_and_purged_by_name_and_by_time(checkout: Checkout, url: str) -> None:
    revise(checkout, "CREATE TABLE public.notes (said text)", "DROP TABLE public.notes")
    names = []
    for _ in range(2):
        upgraded(checkout, url)
        rows(url, "INSERT INTO notes VALUES ('a'), ('b')")
        digest = planned(url, checkout=checkout)["digest"]
        out = agentdb(url, "to", HEAD, "--accept-data-loss", digest, checkout=checkout).out
        names.append(out.split()[-1])
    until = rows(url, "SELECT to_char(now() + INTERVAL '30 days', 'YYYY-MM-DD')")[0][0]
    listed = agentdb(url, "list", checkout=checkout).out
    assert sorted(listed.splitlines()) == sorted(
        f"{name}: 2 rows of 1 table, kept until {until}" for name in names
    )
    assert agentdb(url, "purge", checkout=checkout).out == ""
    assert agentdb(url, "purge", names[0], checkout=checkout).out == f"{names[0]}: gone\n"
    assert quarantine(url) == names[1]
    rows(url, f"UPDATE {names[1]}.contents SET keep_until = now()")
    assert agentdb(url, "purge", checkout=checkout).out == f"{names[1]}: gone\n"
    done = agentdb(url, "purge", names[1], checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [f'error: there is no quarantine "{names[1]}"', "Hint: `agentdb rollback list` names them"],
    )
    done = agentdb(url, "restore", "public", checkout=checkout)
    assert (done.code, done.err[0]) == (1, 'error: "public" is not the name of a run')
