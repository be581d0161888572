"""Another type for a column: in the catalogue alone where the server can, else by a second column."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, settings, straight, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import ChangeType, change, plan
from support import Databases, connected, rows

# Quoted names, a uuid key, triggers, row security, a view on a view, and all else that hangs on a column.
MADE = """
CREATE FUNCTION shop.touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.seen := true; RETURN new; END';
CREATE TABLE shop.country (code text PRIMARY KEY);
CREATE TABLE shop."Odd ""T" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seen boolean,
    kept integer NOT NULL DEFAULT 3,
    "the %s ""c" varchar(8) COLLATE "C" NOT NULL DEFAULT 'x' CONSTRAINT "a check" CHECK ("the %s ""c" <> ''),
    CONSTRAINT "a key" UNIQUE (kept, "the %s ""c") DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT "a reference" FOREIGN KEY ("the %s ""c") REFERENCES shop.country ON UPDATE CASCADE DEFERRABLE
);
CREATE INDEX "an index" ON shop."Odd ""T" (lower("the %s ""c") DESC) INCLUDE (kept) WITH (fillfactor = 70)
    WHERE "the %s ""c" <> 'z';
CREATE STATISTICS shop."some statistics" (dependencies) ON kept, "the %s ""c" FROM shop."Odd ""T";
CREATE TRIGGER "a trigger" BEFORE UPDATE OF "the %s ""c" ON shop."Odd ""T" FOR EACH ROW EXECUTE FUNCTION shop.touched();
ALTER TABLE shop."Odd ""T" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "a policy" ON shop."Odd ""T" FOR SELECT TO agent_app USING ("the %s ""c" <> 'secret');
CREATE VIEW shop.seen WITH (security_invoker = true) AS SELECT id, "the %s ""c" AS code FROM shop."Odd ""T";
CREATE VIEW shop.twice WITH (security_barrier = true) AS SELECT code FROM shop.seen WHERE code <> 'q';
CREATE PUBLICATION part FOR TABLE shop."Odd ""T" (id, "the %s ""c") WITH (publish = 'insert');
ALTER TABLE shop."Odd ""T" ALTER "the %s ""c" SET STATISTICS 300, ALTER "the %s ""c" SET (n_distinct = -0.5);
ALTER VIEW shop.twice OWNER TO agent_owner;
GRANT SELECT ON shop.seen, shop.twice TO agent_app;
GRANT SELECT (code) ON shop.seen TO agent_readonly;
GRANT UPDATE ("the %s ""c"), SELECT ("the %s ""c") ON shop."Odd ""T" TO agent_app;
COMMENT ON COLUMN shop."Odd ""T"."the %s ""c" IS 'a column';
COMMENT ON CONSTRAINT "a key" ON shop."Odd ""T" IS 'a key of two';
COMMENT ON CONSTRAINT "a check" ON shop."Odd ""T" IS 'no empty one';
COMMENT ON CONSTRAINT "a reference" ON shop."Odd ""T" IS 'of a country';
COMMENT ON INDEX shop."an index" IS 'by lower case';
COMMENT ON POLICY "a policy" ON shop."Odd ""T" IS 'no secrets';
COMMENT ON VIEW shop.seen IS 'what is seen';
COMMENT ON COLUMN shop.twice.code IS 'of the country';
INSERT INTO shop.country SELECT 'c' || i FROM generate_series(1, 60) AS i;
INSERT INTO shop."Odd ""T" (kept, "the %s ""c") SELECT i, 'c' || i FROM generate_series(1, 50) AS i;
"""
TABLE = 'shop."Odd ""T"'
COLUMN = 'the %s "c'


def lives(url: str) -> None:
    """Old code and, while there are two columns, new code write; each reads what the other one wrote."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
            (TABLE, f"{COLUMN}_new"),
        )
        two = cursor.fetchone() == (1,)
        names = '"the %s ""c", "the %s ""c_new"' if two else '"the %s ""c", "the %s ""c"'
        both = f'SELECT {names} FROM shop."Odd ""T" WHERE kept = 1000'
        cursor.execute('INSERT INTO shop."Odd ""T" (kept, "the %s ""c") VALUES (1000, \'c51\')')
        cursor.execute(both)
        assert cursor.fetchall() == [("c51", "c51")]
        new = '"the %s ""c_new"' if two else '"the %s ""c"'
        cursor.execute(f'UPDATE shop."Odd ""T" SET {new} = \'c52\' WHERE kept = 1000')
        cursor.execute(both)
        assert cursor.fetchall() == [("c52", "c52")]
        cursor.execute("UPDATE shop.country SET code = 'moved' WHERE code = 'c52'")
        cursor.execute(both)
        assert cursor.fetchall() == [("moved", "moved")]
        cursor.execute('DELETE FROM shop."Odd ""T" WHERE kept = 1000')
        cursor.execute("UPDATE shop.country SET code = 'c52' WHERE code = 'moved'")


ODD = Walk(
    made=MADE,
    wish=ChangeType(TABLE, COLUMN, "text", collation='"C"', back='"the %s ""c"'),
    plain="""
DROP VIEW shop.twice, shop.seen;
DROP POLICY "a policy" ON shop."Odd ""T";
DROP TRIGGER "a trigger" ON shop."Odd ""T";
ALTER PUBLICATION part DROP TABLE shop."Odd ""T";
ALTER TABLE shop."Odd ""T" ALTER "the %s ""c" TYPE text COLLATE "C";
ALTER PUBLICATION part ADD TABLE shop."Odd ""T" (id, "the %s ""c");
CREATE TRIGGER "a trigger" BEFORE UPDATE OF "the %s ""c" ON shop."Odd ""T" FOR EACH ROW EXECUTE FUNCTION shop.touched();
CREATE POLICY "a policy" ON shop."Odd ""T" FOR SELECT TO agent_app USING ("the %s ""c" <> 'secret');
CREATE VIEW shop.seen WITH (security_invoker = true) AS SELECT id, "the %s ""c" AS code FROM shop."Odd ""T";
CREATE VIEW shop.twice WITH (security_barrier = true) AS SELECT code FROM shop.seen WHERE code <> 'q';
ALTER VIEW shop.twice OWNER TO agent_owner;
GRANT SELECT ON shop.seen, shop.twice TO agent_app;
GRANT SELECT (code) ON shop.seen TO agent_readonly;
COMMENT ON POLICY "a policy" ON shop."Odd ""T" IS 'no secrets';
COMMENT ON VIEW shop.seen IS 'what is seen';
COMMENT ON COLUMN shop.twice.code IS 'of the country';
""",
    content='SELECT kept, "the %s ""c" FROM shop."Odd ""T" ORDER BY kept',
    lives=lives,
    every=17,
)


def test_killed_anywhere_a_column_with_all_that_hangs_on_it_changes_its_type(
    databases: Databases, ledger: str
) -> None:
    url = walked(databases, ledger, ODD)
    published = "SELECT attnames::text[] FROM pg_publication_tables WHERE pubname = 'part'"
    assert rows(url, published) == [(["id", COLUMN],)]


@pytest.mark.parametrize(
    ("made", "wish", "plain"),
    [
        pytest.param(
            "CREATE TABLE shop.t (c integer GENERATED ALWAYS AS IDENTITY (START 7 MAXVALUE 900 CYCLE) PRIMARY KEY, a text);"
            "INSERT INTO shop.t (a) VALUES ('x'), ('y'); GRANT USAGE ON SEQUENCE shop.t_c_seq TO agent_app;"
            "COMMENT ON SEQUENCE shop.t_c_seq IS 'numbers'",
            ChangeType("shop.t", "c", "bigint"),
            "ALTER TABLE shop.t ALTER c TYPE bigint",
            id="an identity goes on where it was",
        ),
        pytest.param(
            "CREATE TABLE shop.t (a serial PRIMARY KEY, c json DEFAULT '{}'); INSERT INTO shop.t (c) VALUES ('[1]'), (NULL)",
            ChangeType("shop.t", "c", "jsonb", back="c::json"),
            "ALTER TABLE shop.t ALTER c TYPE jsonb",
            id="what no operator compares",
        ),
        pytest.param(
            "CREATE TABLE shop.t (a serial PRIMARY KEY, c text NOT NULL, CONSTRAINT k UNIQUE NULLS NOT DISTINCT (c));"
            "INSERT INTO shop.t (c) VALUES (' 1'), ('2'); ALTER TABLE shop.t REPLICA IDENTITY USING INDEX k, CLUSTER ON k",
            ChangeType("shop.t", "c", "integer", using="trim(c)::integer"),
            "ALTER TABLE shop.t ALTER c TYPE integer USING trim(c)::integer",
            id="an expression, and the replica identity",
        ),
    ],
)
def test_it_is_what_the_plain_statement_makes(
    databases: Databases, ledger: str, made: str, wish: ChangeType, plain: str
) -> None:
    url = straight(databases, ledger, Walk(made, wish, plain, "SELECT a, c::text FROM shop.t ORDER BY a"))
    rows(
        url,
        "INSERT INTO shop.t DEFAULT VALUES" if "c text" not in made else "INSERT INTO shop.t (c) VALUES (3)",
    )
    assert rows(url, "SELECT count(*) FROM shop.t") == [(3,)]


def kinds(url: str, wish: ChangeType) -> list[str]:
    """The kinds of the steps a change comes to."""
    return [step.kind.value for step in plan(wish, settings=settings(url)).steps]


def test_the_server_is_asked_whether_the_catalogue_is_enough(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE TABLE t (id serial PRIMARY KEY, a varchar(8), b varchar(8) CHECK (b <> ''), c timestamp)",
    )
    rows(
        ledger_url, "CREATE INDEX ON t (a); CREATE VIEW v AS SELECT a FROM t; INSERT INTO t (a) VALUES ('x')"
    )
    wish = ChangeType("public.t", "a", "varchar(20)")
    assert kinds(ledger_url, wish) == ["brief"]
    files = "SELECT pg_relation_filenode('t'), pg_relation_filenode('t_a_idx')"
    before = rows(ledger_url, files)
    made = change(wish, settings=settings(ledger_url))
    assert rows(ledger_url, files) == before
    typed = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'v'::regclass AND attnum = 1"
    assert rows(ledger_url, typed) == [("character varying(20)",)]
    assert change(wish, settings=settings(ledger_url)) == made
    # A check is read again, and so is an index built anew whose order may be another one.
    assert len(kinds(ledger_url, ChangeType("public.t", "b", "varchar(20)", back="b"))) > 1
    zoned = ChangeType("public.t", "c", "timestamptz", back="c AT TIME ZONE 'UTC'")
    assert kinds(ledger_url, zoned) == ["brief"]
    rows(ledger_url, "CREATE INDEX ON t (c)")
    assert len(kinds(ledger_url, zoned)) > 1


def test_a_partitioned_table_is_changed_where_the_catalogue_is_enough(ledger_url: str) -> None:
    rows(ledger_url, "CREATE TABLE t (id integer, a varchar(8)) PARTITION BY LIST (id)")
    rows(ledger_url, "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); INSERT INTO t VALUES (1, 'x')")
    change(ChangeType("public.t", "a", "text"), settings=settings(ledger_url))
    assert rows(ledger_url, "SELECT pg_typeof(a)::text, a FROM t1") == [("text", "x")]
    with pytest.raises(TableError, match=r'"public\.t" is partitioned or inherits'):
        change(
            ChangeType("public.t", "a", "integer", using="length(a)", back="a::text"),
            settings=settings(ledger_url),
        )
    with pytest.raises(TableError, match=r'"public\.t" is partitioned by "id"'):
        change(ChangeType("public.t", "id", "bigint"), settings=settings(ledger_url))


@pytest.mark.parametrize(
    ("more", "wish", "problem"),
    [
        (
            "",
            ChangeType("public.t", "a", "text"),
            'what new code writes into "a" of "public.t" as text cannot be told',
        ),
        ("", ChangeType("public.t", "a", "uuid"), 'PostgreSQL does not turn "a" of "public.t" into uuid: '),
        (
            "",
            ChangeType("public.t", "a", "bigint", using="a + other"),
            'PostgreSQL does not turn "a" of "public.t" into bigint: column "other" does not exist',
        ),
        ("", ChangeType("public.t", "made", "bigint"), '"made" of "public.t" is generated'),
        ("", ChangeType("public.t", "other", "bigint"), "column made of table public.t depends on"),
        (
            "CREATE MATERIALIZED VIEW m AS SELECT a FROM t",
            ChangeType("public.t", "a", "bigint"),
            "materialized view public.m depends on",
        ),
        (
            "CREATE VIEW v AS SELECT a FROM t; CREATE FUNCTION f(v) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            ChangeType("public.t", "a", "bigint"),
            "function public.f(public.v) depends on",
        ),
        (
            "CREATE TABLE u (t_id integer REFERENCES t)",
            ChangeType("public.t", "id", "bigint"),
            'the foreign key "u_t_id_fkey" of "public.u" refers to what changes in "public.t"',
        ),
    ],
)
def test_what_cannot_be_changed_is_refused_by_name(
    ledger_url: str, more: str, wish: ChangeType, problem: str
) -> None:
    rows(
        ledger_url,
        "CREATE TABLE t (id integer PRIMARY KEY, a integer, other integer,"
        " made integer GENERATED ALWAYS AS (other + 1) STORED);" + more,
    )
    with pytest.raises(TableError) as refused:
        change(wish, settings=settings(ledger_url))
    assert problem in refused.value.problem
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change") == [(0,)]
