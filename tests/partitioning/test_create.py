"""A partitioned table is made after a plain one, by time, list or hash: everything about it, and nothing twice."""

from __future__ import annotations

import sys
from collections.abc import Callable

import psycopg2
import pytest
from partitioning.scene import ROLES, schema, settings

from killing import killed_before
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, TableError
from spotify_ai_agent_migrations.versions.partitioning import (
    ByHash,
    ByList,
    ByRange,
    Creation,
    Done,
    Period,
    add_values,
    convert,
    create,
    create_index,
    maintain,
)
from spotify_ai_agent_migrations.versions.partitioning.create import addition_written, creation_written
from spotify_ai_agent_migrations.versions.partitioning.schemes import (
    Leaf,
    hashed,
    leaves,
    listed,
    listing,
    uncovered,
)
from spotify_ai_agent_migrations.versions.partitioning.session import Bounds
from spotify_ai_agent_migrations.versions.partitioning.status import as_text, status
from support import connected, rows, run

MODEL = """
CREATE TABLE areas (code text PRIMARY KEY);
INSERT INTO areas VALUES ('SE'), ('NO'), ('ES'), ('PT');
CREATE TABLE model (
    id bigint GENERATED ALWAYS AS IDENTITY,
    area text CONSTRAINT model_area_fkey REFERENCES areas (code),
    person bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    amount numeric(8, 2) CONSTRAINT model_amount_check CHECK (amount >= 0),
    doubled numeric GENERATED ALWAYS AS (amount * 2) STORED
) WITH (fillfactor = 90);
ALTER TABLE model ALTER person SET STATISTICS 500;
CREATE UNIQUE INDEX model_whole_idx ON model (id, area, person, at);
CREATE INDEX model_at_idx ON model (at) WHERE amount > 1;
COMMENT ON TABLE model IS 'a model';
COMMENT ON COLUMN model.area IS 'where';
CREATE FUNCTION grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.amount := NEW.amount + 1; RETURN NEW; END $$;
CREATE TRIGGER model_grow BEFORE INSERT ON model FOR EACH ROW EXECUTE FUNCTION grow();
ALTER TABLE model ENABLE ALWAYS TRIGGER model_grow;
GRANT SELECT, INSERT ON model TO part_rw;
GRANT SELECT (id) ON model TO part_ro;
ALTER TABLE model ENABLE ROW LEVEL SECURITY;
ALTER TABLE model FORCE ROW LEVEL SECURITY;
CREATE POLICY model_rw ON model TO part_rw USING (person = 1) WITH CHECK (person = 1);
INSERT INTO model (person) VALUES (9);
"""
BY_AREA = ByList("area", {"nordics": ("SE", "NO"), "unknown": (None,)})
WHERE = "SELECT tableoid::regclass::text, count(*) FROM plays GROUP BY 1 ORDER BY 1"
PARTS = "SELECT inhrelid::regclass::text, pg_get_expr(relpartbound, oid) FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'plays'::regclass ORDER BY 1"


@pytest.fixture
def model(url: str) -> str:
    """The URL of a migrated database with a table to model others on."""
    with connected(url) as connection, connection.cursor() as cursor:
        for role in ROLES:
            cursor.execute(
                f"SELECT pg_advisory_xact_lock(7); DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$"
            )
        cursor.execute(MODEL)
    return url


def by_area(url: str) -> Creation:
    return create("plays", "model", BY_AREA, settings=settings(url))


def test_a_list_takes_its_values_and_refuses_others(model: str) -> None:
    assert by_area(model) == Creation("public.plays", ("plays_nordics", "plays_unknown"))
    rows(model, "INSERT INTO plays (area, person) VALUES ('SE', 1), ('NO', 1), (NULL, 2)")
    assert rows(model, WHERE) == [("plays_nordics", 2), ("plays_unknown", 1)]
    with pytest.raises(psycopg2.errors.CheckViolation, match='no partition of relation "plays" found'):
        rows(model, "INSERT INTO plays (area, person) VALUES ('ES', 1)")
    # The rows of the model are its own.
    assert rows(model, "SELECT count(*) FROM model") == [(1,)]


def test_everything_about_the_model_is_carried_over(model: str) -> None:
    before = schema(model)
    by_area(model)
    assert set(before) <= set(schema(model))
    with connected(model) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE part_rw")
        cursor.execute(
            "INSERT INTO plays (area, person, amount) VALUES ('SE', 1, 2) RETURNING id, amount, doubled"
        )
        assert cursor.fetchall() == [(1, 3, 6)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            cursor.execute("INSERT INTO plays (area, person) VALUES ('SE', 2)")
        with pytest.raises(
            psycopg2.errors.InsufficientPrivilege, match="permission denied for table plays_nordics"
        ):
            cursor.execute("SELECT * FROM plays_nordics")
        cursor.execute("SET ROLE part_ro")
        cursor.execute("SELECT count(id) FROM plays")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied for table plays"):
            cursor.execute("SELECT area FROM plays")
        cursor.execute("RESET ROLE")
        with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="model_area_fkey"):
            cursor.execute(
                "ALTER TABLE plays DISABLE TRIGGER model_grow; UPDATE areas SET code = 'XX' WHERE code = 'SE'"
            )
    # Whatever is granted on a partition later, no row of it is seen past the policies of the table.
    rows(model, "GRANT SELECT ON plays_nordics TO part_rw; INSERT INTO plays (area, person) VALUES ('SE', 2)")
    assert rows(model, "SET ROLE part_rw; SELECT count(*) FROM plays_nordics") == [(0,)]
    assert rows(model, "SET ROLE part_rw; SELECT person FROM plays") == [(1,)]
    assert rows(
        model,
        """SELECT obj_description('plays'::regclass), col_description('plays'::regclass, 2), relforcerowsecurity,
                  (SELECT reloptions FROM pg_class WHERE relname = 'plays_nordics'),
                  (SELECT attstattarget::int FROM pg_attribute WHERE attrelid = 'plays'::regclass AND attname = 'person'),
                  (SELECT array_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE tablename = 'plays')
             FROM pg_class WHERE oid = 'plays'::regclass""",
    ) == [
        (
            "a model", "where", True, ["fillfactor=90"], 500,
            ["CREATE INDEX plays_at_idx ON ONLY public.plays USING btree (at) WHERE (amount > (1)::numeric)",
             "CREATE UNIQUE INDEX plays_id_area_person_at_idx ON ONLY public.plays USING btree (id, area, person, at)"],
        )
    ]  # fmt: skip


def test_a_second_run_makes_what_is_missing_and_nothing_else(model: str) -> None:
    by_area(model)
    before = schema(model)
    assert by_area(model).made == ()
    assert schema(model) == before
    rows(model, "DROP TABLE plays_nordics")
    assert by_area(model).made == ("plays_nordics",)
    assert schema(model) == before
    for by, said in (
        (ByHash(("person",), 2), 'table "public.plays" is there, by list of area'),
        (ByList("area", {"nordics": ("SE",)}), 'partition "plays_nordics" is there, with other values'),
        (ByList("area", {"norway": ("NO",)}), 'partition "plays_nordics" has values that are meant for "plays_norway"'),
    ):  # fmt: skip
        with pytest.raises(TableError) as refused:
            create("plays", "model", by, settings=settings(model))
        assert refused.value.problem == said
    assert schema(model) == before


def test_a_value_comes_later_while_others_write(model: str) -> None:
    by_area(model)
    with connected(model, autocommit=False) as writer:
        writer.cursor().execute("INSERT INTO plays (area, person) VALUES ('SE', 1)")
        assert rows(
            model,
            "SELECT mode FROM pg_locks WHERE relation = 'plays'::regclass AND mode <> 'AccessShareLock'",
        ) == [("RowExclusiveLock",)]
        quick = Bounds(lock_timeout_ms=200)
        assert add_values("plays", "iberia", ("ES", "PT"), settings=settings(model), bounds=quick).made == (
            "plays_iberia",
        )
    rows(model, "INSERT INTO plays (area, person) VALUES ('PT', 1)")
    assert rows(model, WHERE) == [("plays_iberia", 1)]
    assert add_values("plays", "iberia", ("PT", "ES"), settings=settings(model)).made == ()
    assert addition_written("plays", "iberia", ("PT", "ES"), settings=settings(model)) == ()
    with pytest.raises(
        TableError, match='partition "plays_nordics" has values that are meant for "plays_one"'
    ):
        add_values("plays", "one", ("SE",), settings=settings(model))
    with pytest.raises(TableError, match='table "model" is there, and is not partitioned'):
        add_values("model", "one", ("SE",), settings=settings(model))


def test_a_default_partition_is_made_when_it_is_asked_for_and_its_rows_are_not_lost(model: str) -> None:
    by = ByList("area", {"nordics": ("SE", "NO")}, default="rest")
    create("plays", "model", by, settings=settings(model))
    rows(
        model,
        "INSERT INTO areas VALUES ('100%s'); INSERT INTO plays (area, person) VALUES ('ES', 1), (NULL, 1)",
    )
    assert rows(model, WHERE) == [("plays_rest", 2)]
    assert create("plays", "model", by, settings=settings(model)).made == ()
    assert add_values("plays", "sale", ("100%s",), settings=settings(model)).made == ("plays_sale",)
    for values in (("ES", "PT"), (None,)):
        with pytest.raises(TableError) as refused:
            add_values("plays", "iberia", values, settings=settings(model))
        assert (
            refused.value.problem
            == 'the DEFAULT partition "plays_rest" has rows that are meant for "plays_iberia"'
        )
    assert add_values("plays", "lusitania", ("PT",), settings=settings(model)).made == ("plays_lusitania",)
    assert rows(model, WHERE) == [("plays_rest", 2)]


def test_a_hash_is_whole_and_its_number_is_for_good(model: str) -> None:
    by = ByHash(("person", "id"), 4)
    made = create("public.plays", "model", by, settings=settings(model)).made
    assert made == ("plays_h0", "plays_h1", "plays_h2", "plays_h3")
    rows(model, "INSERT INTO plays (person) SELECT n FROM generate_series(1, 400) AS n")
    assert [name for name, many in rows(model, WHERE) if int(str(many)) > 50] == list(made)
    assert [bound for _, bound in rows(model, PARTS)] == [
        f"FOR VALUES WITH (modulus 4, remainder {n})" for n in range(4)
    ]
    assert create("plays", "model", by, settings=settings(model)).made == ()
    with pytest.raises(TableError) as refused:
        create("plays", "model", ByHash(("person", "id"), 8), settings=settings(model))
    assert refused.value.problem == 'table "public.plays" is divided into 4'


def test_a_range_has_the_present_period_and_those_ahead_and_is_maintained(model: str) -> None:
    by = ByRange("at", Period.MONTH, 2)
    made = create("plays", "model", by, settings=settings(model)).made
    present = rows(model, "SELECT to_char(now() AT TIME ZONE 'UTC', '\"plays_p\"YYYY_MM')")[0][0]
    assert len(made) == 3
    assert made[0] == present
    assert create("plays", "model", by, settings=settings(model)).made == ()
    assert rows(
        model, "SELECT period, premake FROM ops.partition_policy WHERE table_name = 'public.plays'"
    ) == [("month", 2)]
    rows(model, f"DROP TABLE {made[-1]}")
    assert maintain("plays", settings=settings(model)) == (Done("made", made[-1]),)
    assert rows(
        model, "SELECT DISTINCT reloptions FROM pg_class WHERE relname LIKE 'plays_p%%' AND relkind = 'r'"
    ) == [(["fillfactor=90"],)]


def test_the_clock_leaves_lists_and_hashes_alone_and_status_shows_them(model: str) -> None:
    by_area(model)
    create("shares", "model", ByHash(("person",), 4), settings=settings(model))
    rows(
        model,
        "INSERT INTO ops.partition_policy (table_name, period) VALUES ('public.plays', 'month'); DROP TABLE shares_h2",
    )
    before = schema(model)
    skipped = Done(
        "skipped", "public.plays", "it is divided by list, and its partitions do not follow the clock"
    )
    assert maintain(settings=settings(model)) == (skipped,)
    assert maintain("plays", settings=settings(model)) == (skipped,)
    assert maintain("shares", settings=settings(model))[0].what == "skipped"
    assert schema(model) == before
    assert as_text(status(settings=settings(model))).splitlines()[2:] == [
        "public.plays: 2 partitions by list",
        "public.shares: 3 partitions by hash",
        "  problem: 1 gaps, whose rows are refused",
    ]


def test_what_cannot_be_divided_is_refused_by_name_and_all_at_once(model: str) -> None:
    rows(
        model,
        """CREATE TABLE odd (id serial PRIMARY KEY, area text, "Fixed" int GENERATED ALWAYS AS (1) STORED, parent int REFERENCES odd,
           CONSTRAINT odd_alone_check CHECK (parent > 0) NO INHERIT);
           CREATE RULE odd_rule AS ON DELETE TO odd DO ALSO SELECT 1""",
    )
    before = schema(model)
    with pytest.raises(TableError) as refused:
        create("plays", "odd", ByHash(("Fixed", "nowhere"), 2), settings=settings(model))
    assert refused.value.problem == (
        'table "public.odd" cannot be divided by hash of Fixed, nowhere: '
        'column "Fixed" is generated: choose a stored one; '
        'constraint "odd_alone_check" is NO INHERIT: make it a plain CHECK; '
        'constraint "odd_parent_fkey" refers to the table itself: drop it; '
        'it has no column "nowhere"; '
        'primary key "odd_pkey" does not hold column "Fixed": rows of two partitions could not be kept apart; add the column to it; '
        'rule "odd_rule": drop it'
    )
    with pytest.raises(TableError, match='column "area" may be NULL: set it NOT NULL'):
        create("plays", "odd", ByRange("area"), settings=settings(model))
    with pytest.raises(TableError) as live:
        create("odd", "model", BY_AREA, settings=settings(model))
    assert live.value.problem == 'table "public.odd" is there, and is not partitioned'
    assert "converted by time alone" in live.value.hint
    with pytest.raises(TableError, match='there is no table "nothing"'):
        create("plays", "nothing", BY_AREA, settings=settings(model))
    with pytest.raises(DatabaseError) as untyped:
        create("plays", "model", ByList("person", {"one": ("secret",)}), settings=settings(model))
    assert "secret" not in str(untyped.value)
    assert schema(model) == before


def test_an_index_comes_on_every_partition_of_a_list(model: str) -> None:
    by_area(model)
    assert create_index("plays", "plays_person_idx", "(person)", settings=settings(model)) == (
        "plays_nordics_person_idx",
        "plays_unknown_person_idx",
    )
    assert add_values("plays", "iberia", ("ES",), settings=settings(model)).made == ("plays_iberia",)
    assert rows(model, "SELECT count(*), bool_and(indisvalid) FROM pg_index JOIN pg_partition_tree('plays_person_idx') ON relid = indexrelid") == [
        (4, True)
    ]  # fmt: skip
    with pytest.raises(TableError, match='table "model" is there, and is not partitioned'):
        create_index("model", "model_person_idx", "(person)", settings=settings(model))


def test_a_live_table_divided_by_list_is_not_converted_by_time(model: str) -> None:
    by_area(model)
    before = schema(model)
    with pytest.raises(TableError):
        convert("plays", "at", settings=settings(model))
    assert schema(model) == before


def test_killed_before_any_statement_nothing_is_left_and_the_same_again_makes_it(model: str) -> None:
    before = schema(model)
    tried = 0
    for number in range(1, 60, 3):
        if not killed_before(number, lambda: by_area(model)):
            break
        tried += 1
        assert schema(model) == before
    assert tried > 8
    assert rows(model, "SELECT relkind FROM pg_class WHERE oid = 'plays'::regclass") == [("p",)]


@pytest.mark.parametrize(
    "by", [BY_AREA, ByHash(("person",), 3), ByRange("at", Period.YEAR, 1)], ids=lambda by: by.how
)
def test_the_statements_are_shown_and_do_the_same(model: str, by: ByList | ByHash | ByRange) -> None:
    before = schema(model)
    said = creation_written("plays", "model", by, settings=settings(model))
    assert schema(model) == before
    assert said[3].startswith(
        'CREATE TABLE "public"."plays" (LIKE "public"."model" INCLUDING ALL) PARTITION BY'
    )
    rows(model, "SET TimeZone = 'UTC'; " + "; ".join(said))
    made = schema(model)
    assert create("plays", "model", by, settings=settings(model)).made == ()
    rows(model, "DROP TABLE plays; DELETE FROM ops.partition_policy WHERE table_name = 'public.plays'")
    assert schema(model) == before
    create("plays", "model", by, settings=settings(model))
    assert schema(model) == made


def test_a_serial_column_has_a_sequence_of_its_own(model: str) -> None:
    rows(
        model,
        """CREATE TABLE numbered (id bigserial, area text); GRANT INSERT ON numbered TO part_rw;
           GRANT USAGE ON SEQUENCE numbered_id_seq TO part_rw; INSERT INTO numbered (area) VALUES ('SE'), ('SE')""",
    )
    create("plays", "numbered", BY_AREA, settings=settings(model))
    rows(model, "DROP TABLE numbered")
    rows(model, "SET ROLE part_rw; INSERT INTO plays (area) VALUES ('SE'), ('NO')")
    assert rows(model, "SELECT id FROM plays ORDER BY 1") == [(1,), (2,)]
    assert rows(model, "SELECT pg_get_serial_sequence('plays', 'id')") == [("public.plays_id_seq",)]


def test_a_table_may_come_to_another_schema_and_any_name(model: str) -> None:
    rows(model, 'CREATE SCHEMA "Far"')
    assert create('"Far"."Plays"', "model", BY_AREA, settings=settings(model)).made == (
        "Plays_nordics",
        "Plays_unknown",
    )
    assert rows(model, 'SELECT count(*) FROM "Far"."Plays"') == [(0,)]
    assert rows(model, "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = '\"Far\".\"Plays\"'::regclass AND NOT tgisinternal") == [
        ("model_grow", "A")
    ]  # fmt: skip
    assert add_values('"Far"."Plays"', "iberia", ("ES",), settings=settings(model)).made == ("Plays_iberia",)


def agentdb(url: str, *arguments: str) -> tuple[int, list[str], list[str]]:
    done = run(sys.executable, "-m", "spotify_ai_agent_migrations", "partitioning", *arguments, url=url)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def test_the_command_line_makes_each_kind_and_shows_it(model: str) -> None:
    listed_ = (
        "create-list",
        "plays",
        "--like",
        "model",
        "--key",
        "area",
        "--partition",
        "nordics=SE,NO",
        "--null",
        "unknown",
    )
    code, shown, _ = agentdb(model, *listed_, "--dry-run")
    assert code == 0
    assert "ATTACH PARTITION" in shown[-2]
    assert rows(model, "SELECT to_regclass('plays')") == [(None,)]
    assert agentdb(model, *listed_)[:2] == (0, ["made: plays_nordics", "made: plays_unknown"])
    assert agentdb(model, "add-values", "plays", "iberia", "ES", "PT")[:2] == (0, ["made: plays_iberia"])
    assert agentdb(model, "create-hash", "shares", "--like", "model", "--key", "person", "--modulus", "1") == (
        1, [], ["error: a hash has from 2 to 600 partitions, not 1",
                "Hint: choose a power of two: it can be doubled later, one partition after the other"],
    )  # fmt: skip
    code, made, _ = agentdb(
        model, "create-range", "years", "--like", "model", "--key", "at", "--period", "year", "--premake", "1"
    )
    assert (code, len(made)) == (0, 2)


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: leaves(ByList("a", {}), "t"), "a list has from 1 to 600 partitions, not 0"),
    (lambda: leaves(ByList("a", {"x": ()}), "t"), 'partition "x" has no values'),
    (lambda: leaves(ByList("a", {"x": ("1",), "y": ("1",)}), "t"), "1 values are given twice"),
    (lambda: leaves(ByList("a", {"x": ("1",)}, "x"), "t"), 'partition "x" is to have values and all others'),
    (lambda: leaves(ByList("a", {"X": ("1",)}), "t"), '"X" is no name of a partition'),
    (lambda: leaves(ByHash(("a",), 2), "t" * 62), f'"{"t" * 62}_h0" is longer than 63 bytes'),
    (lambda: listing(["a=1", "a=2"]), 'partition "a" is given twice'),
    (lambda: listing(["a"]), 'partition "a" has no values'),
]


@pytest.mark.parametrize(("work", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_a_scheme_that_makes_no_sense_is_refused(work: Callable[[], object], said: str) -> None:
    with pytest.raises(TableError) as refused:
        work()
    assert refused.value.problem == said


def test_a_scheme_is_read_as_it_is_written() -> None:
    assert listing(['a=1,"2,3"', "b= x"], null="b") == {"a": ("1", "2,3"), "b": (" x", None)}
    assert listed("FOR VALUES IN ('it''s', 'a, b', NULL, '-3', 7, true)") == (
        "it's",
        "a, b",
        None,
        "-3",
        "7",
        "true",
    )
    assert listed("DEFAULT") is None
    assert hashed("FOR VALUES WITH (modulus 8, remainder 3)") == (8, 3)
    halves = ["FOR VALUES WITH (modulus 2, remainder 0)", "FOR VALUES WITH (modulus 8, remainder 3)"]
    assert (
        uncovered(halves),
        uncovered(halves[:1]),
        uncovered([halves[0], "FOR VALUES WITH (modulus 2, remainder 1)"]),
    ) == (3, 1, 0)
    assert [one.plain for one in leaves(ByHash(("a",), 11), "t")][-2:] == ["t_h09", "t_h10"]
    assert leaves(ByList("a", {"x": ("1", None)}, "rest"), "t") == (Leaf("t_x", ("1", None)), Leaf("t_rest"))
