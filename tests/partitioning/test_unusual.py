"""Tables as they are found: unusual names, rights, keys and neighbours; each carried over, or refused by name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg2
import pytest
from partitioning.scene import in_the_past, schema, settings

from killing import killed_before
from spotify_ai_agent_migrations.versions.core.errors import SettingsError, TableError
from spotify_ai_agent_migrations.versions.partitioning import convert, create_index, split, unconvert, unsplit
from spotify_ai_agent_migrations.versions.partitioning.periods import Period
from spotify_ai_agent_migrations.versions.partitioning.run import written
from spotify_ai_agent_migrations.versions.partitioning.session import Bounds
from support import connected, rows

# Twenty rows, ten days apart, all of them before this month.
OLD = """
CREATE TABLE ev (id bigint PRIMARY KEY, a text, at timestamptz NOT NULL);
INSERT INTO ev SELECT n, 'x', date_trunc('month', now()) - n * interval '10 days' FROM generate_series(1, 20) AS n;
"""
LEAVES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ev'::regclass ORDER BY 1"


@pytest.fixture
def role(empty_url: str) -> Iterator[str]:
    """A role that may do nothing but what it is given."""
    name = f"r{uuid.uuid4().hex[:8]}"
    rows(empty_url, f"CREATE ROLE {name}")
    yield name
    rows(empty_url, f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def refused(url: str, name: str = "ev") -> set[str]:
    """Return what is said to be in the way of a conversion, which changes nothing."""
    before = schema(url)
    with pytest.raises(TableError) as error:
        convert(name, "at", premake=1, settings=settings(url))
    assert schema(url) == before
    return set(error.value.problem.partition(" as it is: ")[2].split("; "))


def test_nobody_reads_a_partition_past_the_row_security_of_its_table(empty_url: str, role: str) -> None:
    rows(
        empty_url,
        f"{OLD} ALTER TABLE ev ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON ev TO {role} USING (id <= 5); GRANT SELECT ON ev TO {role}; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}",
    )
    seen = f"SET ROLE {role}; SELECT count(*) FROM "
    in_the_past(empty_url, "ev")
    # The swap is the last that a split does to the table.
    killed_before('ALTER TABLE "public"."ev" DETACH', lambda: split("ev", settings=settings(empty_url)))
    for name in ("ev_legacy", "ev_split"):
        with pytest.raises(
            psycopg2.errors.InsufficientPrivilege, match=f"permission denied for table {name}"
        ):
            rows(empty_url, seen + name)
    split("ev", settings=settings(empty_url))
    leaves = [name for (name,) in rows(empty_url, LEAVES)]
    assert len(leaves) > 5
    rows(empty_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    assert [rows(empty_url, seen + str(name)) for name in leaves] == [[(0,)]] * len(leaves)
    assert rows(empty_url, seen + "ev") == [(5,)]
    unconvert("ev", settings=settings(empty_url))
    assert rows(empty_url, seen + "ev") == [(5,)]


def test_a_publication_of_some_columns_or_rows_goes_on_and_the_last_table_gives_it_back(
    empty_url: str,
) -> None:
    rows(
        empty_url,
        f"{OLD} CREATE TABLE other (id bigint PRIMARY KEY, at timestamptz NOT NULL); CREATE PUBLICATION pub FOR TABLE ev (id, at) WHERE (id > 5), other",
    )
    published = "SELECT tablename, attnames::text[], rowfilter FROM pg_publication_tables ORDER BY 1"
    via_root = "SELECT pubviaroot FROM pg_publication"
    before = rows(empty_url, published)
    for name in ("ev", "other"):
        convert(name, "at", premake=1, settings=settings(empty_url))
    assert rows(empty_url, published) == before
    unconvert("ev", settings=settings(empty_url))
    assert rows(empty_url, via_root) == [(True,)]
    unconvert("other", settings=settings(empty_url))
    assert rows(empty_url, via_root) == [(False,)]
    assert rows(empty_url, published) == before


IN_THE_WAY = {
    "CREATE TABLE notes (id int, ev_id bigint REFERENCES ev (id) DEFERRABLE)":
        {'foreign key "notes_ev_id_fkey" of "notes" is deferrable, and the row it refers to would have to be there first: make it NOT DEFERRABLE'},
    "CREATE TABLE notes (id int, ev_id bigint REFERENCES ev (id), ev_id_at text); CREATE FUNCTION notes_ev_id_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'":
        {'column "ev_id_at" of "notes" is there: rename it, one of this name is to hold "at"', 'function "notes_ev_id_at" is there: rename it, one of this name is to fill "ev_id_at"'},
    "CREATE TYPE ev_legacy AS ENUM ('a'); CREATE INDEX ev_a_idx ON ev (a); CREATE VIEW ev_legacy_a_idx AS SELECT 1":
        {'"ev_legacy" is there, and the old rows need the name: rename it', '"ev_legacy_a_idx" is there, and the old rows need the name: rename it'},
    "ALTER TABLE ev DROP COLUMN at, ADD COLUMN at timestamptz GENERATED ALWAYS AS ('2020-01-01'::timestamptz) STORED NOT NULL":
        {'column "at" is generated, and what is generated cannot part rows: choose another'},
}  # fmt: skip


@pytest.mark.parametrize("statement", IN_THE_WAY)
def test_what_would_fail_or_harm_is_refused_before_anything_is_changed(
    empty_url: str, statement: str
) -> None:
    rows(empty_url, OLD + statement)
    assert refused(empty_url) == IN_THE_WAY[statement]


def test_what_a_plain_owner_may_not_do_is_told_before_anything_is_changed(empty_url: str, role: str) -> None:
    rows(
        empty_url,
        f"{OLD} ALTER TABLE ev OWNER TO {role}; CREATE VIEW seen AS SELECT id FROM ev; CREATE PUBLICATION pub FOR TABLE ev; GRANT CREATE ON SCHEMA public TO {role}; CREATE TABLE t (id bigint PRIMARY KEY); ALTER TABLE ev ADD CONSTRAINT ev_t_fkey FOREIGN KEY (id) REFERENCES t NOT VALID; ALTER ROLE {role} LOGIN",
    )
    with connected(empty_url) as connection:
        owner = connection.info.user
    url = empty_url.replace(f"//{owner}@", f"//{role}@", 1)
    found = refused(url)
    assert found == {
        f'view "seen" is not yours: be a member of {owner}',
        f'publication "pub" is not yours: be a member of {owner}',
        'you may not lock "t", which it refers to: GRANT UPDATE',
        'constraint "ev_t_fkey" is not validated: ALTER TABLE … VALIDATE CONSTRAINT',
    }


def test_filling_a_column_changes_nothing_else_and_two_keys_of_one_column_share_it(empty_url: str) -> None:
    rows(
        empty_url,
        f"""{OLD} CREATE TABLE notes (id int PRIMARY KEY, ev_id bigint CONSTRAINT f1 REFERENCES ev (id), changed int DEFAULT 0, CONSTRAINT f2 FOREIGN KEY (ev_id) REFERENCES ev (id) ON DELETE CASCADE);
        INSERT INTO notes SELECT n, n FROM generate_series(1, 5) AS n;
        CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed := 1; RETURN NEW; END';
        CREATE TRIGGER change BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION change()""",
    )
    before, content = schema(empty_url), rows(empty_url, "SELECT * FROM notes ORDER BY 1")
    convert("ev", "at", premake=1, settings=settings(empty_url))
    assert rows(empty_url, "SELECT id, ev_id, changed FROM notes ORDER BY 1") == content
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows(empty_url, "INSERT INTO notes VALUES (9, 99)")
    unconvert("ev", settings=settings(empty_url))
    assert rows(empty_url, "SELECT * FROM notes ORDER BY 1") == content
    assert schema(empty_url) == before


def test_a_primary_key_that_is_the_time_needs_no_second_column(empty_url: str) -> None:
    rows(
        empty_url,
        """CREATE TABLE ev (at uuid PRIMARY KEY); INSERT INTO ev VALUES ('018f2000-0000-7000-8000-000000000000');
        CREATE TABLE notes (id int PRIMARY KEY, ev uuid REFERENCES ev (at)); INSERT INTO notes SELECT 1, at FROM ev""",
    )
    before = schema(empty_url)
    convert("ev", "at", premake=1, settings=settings(empty_url))
    assert [name for (name,) in rows(empty_url, "SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attnum > 0")] == ["id", "ev"]  # fmt: skip
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows(empty_url, "INSERT INTO notes VALUES (2, gen_random_uuid())")
    unconvert("ev", settings=settings(empty_url))
    assert schema(empty_url) == before


ODD = """
CREATE SCHEMA "My App";
CREATE TABLE "My App"."50%s "".T" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, one int, found int, "x < y" timestamptz(3) NOT NULL, "$function$" int);
INSERT INTO "My App"."50%s "".T" (one, found, "x < y") SELECT n, n, date_trunc('month', now()) - n * interval '20 days' FROM generate_series(1, 4) AS n;
CREATE STATISTICS "My App"."S t" (dependencies) ON one, found FROM "My App"."50%s "".T";
ALTER STATISTICS "My App"."S t" SET STATISTICS 7;
COMMENT ON STATISTICS "My App"."S t" IS 'said';
"""


def test_names_of_every_kind_and_statistics_in_another_schema(empty_url: str, role: str) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(ODD)
        cursor.execute(f'ALTER STATISTICS "My App"."S t" OWNER TO {role}')
        cursor.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {role}")
    name, key = '"My App"."50%s "".T"', "x < y"
    content = f"SELECT * FROM {name.replace('%', '%%')} ORDER BY 1"
    before, kept = schema(empty_url), rows(empty_url, content, ())
    convert(name, key, premake=1, settings=settings(empty_url))
    unconvert(name, settings=settings(empty_url))
    assert schema(empty_url) == before
    in_the_past(empty_url, name, key=key)
    assert len(split(name, settings=settings(empty_url))) in {2, 3, 4}
    assert rows(empty_url, content, ()) == kept


def test_a_grant_that_was_passed_on_is_carried_over(empty_url: str, role: str) -> None:
    rows(
        empty_url,
        f"{OLD} CREATE ROLE {role}_b; GRANT SELECT ON ev TO {role} WITH GRANT OPTION; SET ROLE {role}; GRANT SELECT ON ev TO {role}_b",
    )
    try:
        convert("ev", "at", premake=1, settings=settings(empty_url))
        assert rows(
            empty_url,
            f"SELECT has_table_privilege('{role}_b', 'ev', 'SELECT'), has_table_privilege('{role}', 'ev', 'SELECT WITH GRANT OPTION')",
        ) == [(True, True)]
    finally:
        rows(empty_url, f"DROP OWNED BY {role}_b CASCADE; DROP ROLE {role}_b")


def test_the_sql_that_is_shown_counts_on_from_where_the_table_is_when_it_is_run(
    empty_url: str, role: str
) -> None:
    rows(
        empty_url,
        f"""CREATE TABLE ev (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
        INSERT INTO ev (at) SELECT now() FROM generate_series(1, 5);
        CREATE TABLE notes (id int, ev_id bigint REFERENCES ev (id)); INSERT INTO notes VALUES (1, 1);
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}""",
    )
    shown = written("ev", "at", period=Period.MONTH, premake=1, settings=settings(empty_url))
    rows(empty_url, "INSERT INTO ev (at) SELECT now() FROM generate_series(1, 3)")
    with connected(empty_url) as connection, connection.cursor() as cursor:
        for statement in shown:
            cursor.execute(statement)
    by_hand = schema(empty_url)
    assert rows(empty_url, "INSERT INTO ev DEFAULT VALUES RETURNING id") == [(9,)]
    unconvert("ev", settings=settings(empty_url))
    convert("ev", "at", premake=1, settings=settings(empty_url))
    assert schema(empty_url) == by_hand


def test_another_period_leaves_no_gap(empty_url: str) -> None:
    rows(empty_url, OLD)
    convert("ev", "at", premake=1, settings=settings(empty_url))
    done = convert("ev", "at", period="week", premake=9, settings=settings(empty_url))
    assert len(done.made) > 1
    rows(
        empty_url,
        "INSERT INTO ev SELECT 1000 + n, 'y', date_trunc('month', now()) + n * interval '1 day' FROM generate_series(0, 60) AS n",
    )
    assert rows(empty_url, "SELECT count(*) FROM ev WHERE id >= 1000") == [(61,)]


def test_a_conversion_goes_on_by_the_column_it_was_begun_by(empty_url: str) -> None:
    rows(empty_url, f"{OLD} ALTER TABLE ev ADD COLUMN seen timestamptz NOT NULL DEFAULT '2020-01-01'")
    assert killed_before("VALIDATE CONSTRAINT", lambda: convert("ev", "at", settings=settings(empty_url)))
    with pytest.raises(TableError, match=r'the conversion of "public\.ev" was begun by "at", not by "seen"'):
        convert("ev", "seen", settings=settings(empty_url))
    convert("ev", "at", premake=1, settings=settings(empty_url))


def test_what_was_prepared_is_taken_away_whole_however_often_that_is_cut_off(empty_url: str) -> None:
    rows(
        empty_url,
        f"{OLD} CREATE TABLE notes (id int, ev_id bigint REFERENCES ev (id)); INSERT INTO notes VALUES (1, 1)",
    )
    before = schema(empty_url)
    begun = "VALIDATE CONSTRAINT"
    assert killed_before(begun, lambda: convert("ev", "at", settings=settings(empty_url)))
    assert schema(empty_url) != before
    number = 1
    while killed_before(number, lambda: unconvert("ev", settings=settings(empty_url))):
        number += 1
    assert number > 5
    assert unconvert("ev", settings=settings(empty_url)) == 0
    assert schema(empty_url) == before


def test_a_split_goes_on_as_it_was_begun_and_no_row_that_comes_meanwhile_is_lost(empty_url: str) -> None:
    rows(empty_url, OLD)
    in_the_past(empty_url, "ev")
    swap = 'ALTER TABLE "public"."ev" DETACH'
    assert killed_before(swap, lambda: split("ev", settings=settings(empty_url)))
    rows(
        empty_url,
        "DELETE FROM ev WHERE id >= 16; INSERT INTO ev VALUES (1000, 'of old', now() - interval '400 days'), (2000, 'again', date_trunc('month', now()) - interval '200 days')",
    )
    content = rows(empty_url, "SELECT * FROM ev ORDER BY 1")
    assert split("ev", settings=settings(empty_url))
    assert rows(empty_url, "SELECT * FROM ev ORDER BY 1") == content
    assert rows(empty_url, "SELECT to_regclass('ev_split'), count(*) FROM pg_proc WHERE proname = 'ev_split_mirror'") == [(None, 0)]  # fmt: skip
    assert split("ev", settings=settings(empty_url)) == ()


def test_months_of_a_split_are_like_their_neighbours(empty_url: str) -> None:
    rows(
        empty_url,
        f"{OLD} ALTER TABLE ev REPLICA IDENTITY FULL; ALTER TABLE ev ALTER a SET STATISTICS 777; ALTER TABLE ev ALTER a SET (n_distinct = 50)",
    )
    before = schema(empty_url)
    in_the_past(empty_url, "ev")
    split("ev", settings=settings(empty_url))
    assert rows(
        empty_url,
        "SELECT DISTINCT relreplident::text, attstattarget, attoptions FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid JOIN pg_attribute ON attrelid = inhrelid AND attname = 'a' WHERE inhparent = 'ev'::regclass",
    ) == [("f", 777, ["n_distinct=50"])]
    assert rows(empty_url, "SELECT count(*) FROM pg_constraint WHERE conname ~ '_bound_check$'") == [(0,)]
    rows(empty_url, "DROP TABLE ev_legacy")
    unconvert("ev", settings=settings(empty_url))
    assert schema(empty_url) == before


def test_the_period_of_a_split_is_that_of_the_policy(url: str) -> None:
    rows(
        url,
        "CREATE TABLE ev (id bigint PRIMARY KEY, at date NOT NULL); INSERT INTO ev VALUES (1, '2026-01-05'), (2, '2026-02-28')",
    )
    in_the_past(url, "ev", period=Period.YEAR, bound="2026-03-01")
    assert rows(url, "SELECT period FROM ops.partition_policy WHERE table_name = 'public.ev'") == [("year",)]
    assert split("ev", settings=settings(url)) == ("ev_p2026_01_01",)
    assert rows(url, "SELECT count(*) FROM ev_p2026_01_01") == [(2,)]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("CREATE MATERIALIZED VIEW m AS SELECT id FROM ev", "rule _RETURN on materialized view m depends on it"),
        ("CREATE FUNCTION f(ev) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function f(ev) depends on it"),
        ("CREATE TABLE n (id bigint, at timestamptz, CONSTRAINT nf FOREIGN KEY (id, at) REFERENCES ev)", 'foreign key "nf" of "n" refers to the key of the partitioned table'),
        ("CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tt BEFORE INSERT ON ev_legacy FOR EACH ROW EXECUTE FUNCTION t()", 'trigger "tt" is one of partition "ev_legacy" alone'),
        ("INSERT INTO ev VALUES (99, 'x', now()); CREATE PUBLICATION pub FOR ALL TABLES WITH (publish_via_partition_root)", 'publication "pub" sends every table, and the 1 rows that are moved a second time'),
    ],
)  # fmt: skip
def test_what_came_after_the_conversion_is_named_before_it_is_taken_back(
    empty_url: str, what: str, said: str
) -> None:
    rows(empty_url, OLD)
    in_the_past(empty_url, "ev")
    rows(empty_url, what)
    before = schema(empty_url)
    with pytest.raises(TableError) as refusal:
        unconvert("ev", settings=settings(empty_url))
    assert said in refusal.value.problem
    assert schema(empty_url) == before


def test_while_it_is_split_it_is_not_taken_back_nor_by_a_publication_of_everything(empty_url: str) -> None:
    rows(empty_url, OLD)
    in_the_past(empty_url, "ev")
    before = schema(empty_url)
    assert killed_before("FOR SHARE OF old", lambda: split("ev", settings=settings(empty_url)))
    with pytest.raises(TableError, match="it is being split: agentdb partitioning split --abort"):
        unconvert("ev", settings=settings(empty_url))
    assert unsplit("ev", settings=settings(empty_url))
    assert schema(empty_url) == before
    rows(empty_url, "CREATE PUBLICATION pub FOR ALL TABLES WITH (publish_via_partition_root)")
    with pytest.raises(TableError, match='publication "pub" sends every table, and so the copy'):
        split("ev", settings=settings(empty_url))


def test_rows_are_moved_back_whose_foreign_keys_are_checked_late(empty_url: str) -> None:
    rows(
        empty_url,
        f"CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20); {OLD} ALTER TABLE ev ADD CONSTRAINT ev_t FOREIGN KEY (id) REFERENCES t DEFERRABLE INITIALLY DEFERRED",
    )
    before = schema(empty_url)
    in_the_past(empty_url, "ev")
    rows(empty_url, "UPDATE ev SET at = now() WHERE id = 20")
    assert unconvert("ev", settings=settings(empty_url)) == 1
    assert schema(empty_url) == before


def test_an_oldest_row_of_no_month_is_refused(empty_url: str) -> None:
    rows(empty_url, f"{OLD} INSERT INTO ev VALUES (0, 'x', '0044-03-15 BC'), (-1, 'x', '-infinity')")
    in_the_past(empty_url, "ev")
    with pytest.raises(TableError, match="is of no month that can be named"):
        split("ev", settings=settings(empty_url))
    rows(empty_url, "DELETE FROM ev WHERE id = 0")
    assert split("ev", settings=settings(empty_url))
    assert rows(empty_url, "SELECT at::text FROM ev WHERE id = -1") == [("-infinity",)]


def test_a_number_that_is_no_time_and_a_wait_that_is_too_long_are_refused(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE ev (at bigint PRIMARY KEY); INSERT INTO ev SELECT generate_series(1, 9)")
    with pytest.raises(TableError, match="does not look like milliseconds since 1970: 9"):
        convert("ev", "at", settings=settings(empty_url))
    with pytest.raises(SettingsError, match="a lock time-out of 1000 ms is not below deadlock_timeout"):
        convert("ev", "at", settings=settings(empty_url), bounds=Bounds(lock_timeout_ms=1000))


def test_an_index_of_the_same_name_is_the_same_index(empty_url: str) -> None:
    long = "events_of_customers_and_their_devices_00"
    rows(empty_url, f"{OLD} ALTER TABLE ev RENAME TO {long}")
    convert(long, "at", premake=3, settings=settings(empty_url))
    made = create_index(long, f"{long}_a_and_at_idx", "(a, at)", settings=settings(empty_url))
    assert len(set(made)) == len(made) > 2
    assert create_index(long, f"{long}_a_and_at_idx", "(a, at)", settings=settings(empty_url)) == ()
    with pytest.raises(TableError, match="is there, and is another"):
        create_index(long, f"{long}_a_and_at_idx", "(at)", settings=settings(empty_url))


def test_names_that_would_meet_are_refused_or_kept_apart(empty_url: str) -> None:
    rows(
        empty_url,
        f'{OLD} CREATE INDEX ev_a_idx ON ev (a); CREATE INDEX a_idx ON ev (a, id); CREATE TABLE "order" (item_ev_id bigint REFERENCES ev (id)); CREATE TABLE order_item (ev_id bigint REFERENCES ev (id))',
    )
    assert refused(empty_url) == {
        'two indexes would be called "ev_legacy_a_idx": rename one',
        '"order" and "order_item" would have one function: rename what refers to it',
    }
    rows(empty_url, 'DROP INDEX a_idx; DROP TABLE "order"')
    convert("ev", "at", premake=1, settings=settings(empty_url))
    for name, what in (("ev_b_idx", "(id)"), ("b_idx", "(at)")):
        made = create_index("ev", name, what, settings=settings(empty_url))
        assert len(made) == 2
    assert rows(empty_url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]


def test_checks_call_functions_of_their_schema_while_a_split_copies(empty_url: str) -> None:
    rows(
        empty_url,
        f"""{OLD} CREATE FUNCTION helper(bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
        CREATE FUNCTION fine(bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN helper($1); END';
        ALTER TABLE ev ADD CONSTRAINT ev_id_check CHECK (fine(id))""",
    )
    in_the_past(empty_url, "ev")
    assert killed_before("FOR SHARE OF old", lambda: split("ev", settings=settings(empty_url)))
    rows(empty_url, "UPDATE ev SET a = 'changed'")
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows(empty_url, "INSERT INTO ev SELECT -1, 'x', at FROM ev WHERE id = 5")
    split("ev", settings=settings(empty_url))
    assert rows(empty_url, "SELECT count(*) FROM ev WHERE a = 'changed'") == [(20,)]


def test_a_table_that_receives_a_subscription_is_refused(empty_url: str) -> None:
    rows(
        empty_url,
        f"{OLD} CREATE SUBSCRIPTION sub_{uuid.uuid4().hex[:6]} CONNECTION 'host=/nowhere' PUBLICATION pub WITH (connect = false, slot_name = NONE, enabled = false)",
    )
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        ((name,),) = cursor.fetchall()
        try:
            cursor.execute(
                "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'ev'::regclass, 'r' FROM pg_subscription WHERE subname = %s",
                (name,),
            )
            with pytest.raises(TableError, match="it receives rows of a subscription"):
                convert("ev", "at", settings=settings(empty_url))
        finally:
            cursor.execute(f"DROP SUBSCRIPTION {name}")


def test_what_could_not_be_written_down_afterwards_is_refused_before(url: str) -> None:
    owner = f"r{uuid.uuid4().hex[:8]}"
    rows(url, f"{OLD} CREATE ROLE {owner} LOGIN; ALTER TABLE ev OWNER TO {owner}; GRANT CREATE ON SCHEMA public TO {owner}; REVOKE ALL ON SCHEMA ops FROM PUBLIC")  # fmt: skip
    try:
        with connected(url) as connection:
            login = url.replace(f"//{connection.info.user}@", f"//{owner}@", 1)
        before = schema(url)
        with pytest.raises(
            TableError, match=r"this role lacks USAGE ON ops, SELECT ON ops\.partition_policy"
        ):
            convert("ev", "at", settings=settings(login))
        for premake in (0, 1001):
            with pytest.raises(TableError, match=f"{premake} periods ahead are not between 1 and 1000"):
                convert("ev", "at", premake=premake, settings=settings(url))
        assert schema(url) == before
        rows(url, f"GRANT USAGE ON SCHEMA ops TO {owner}; GRANT SELECT, INSERT, DELETE ON ops.partition_policy TO {owner}; GRANT SELECT ON retention_policies TO {owner}")  # fmt: skip
        assert convert("ev", "at", premake=1, settings=settings(login)).made
        assert unconvert("ev", settings=settings(login)) == 0
    finally:
        rows(url, f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")


def test_a_key_that_holds_the_time_first_goes_on_after_a_kill(empty_url: str) -> None:
    rows(
        empty_url,
        "CREATE TABLE ev (at timestamptz, id bigint, PRIMARY KEY (at, id)); INSERT INTO ev SELECT now(), n FROM generate_series(1, 9) AS n",
    )
    before, number = schema(empty_url), 1
    while killed_before(number, lambda: convert("ev", "at", premake=1, settings=settings(empty_url))):
        number += 1
    assert number > 20
    assert rows(empty_url, "SELECT count(*) FROM ev") == [(9,)]
    unconvert("ev", settings=settings(empty_url))
    assert schema(empty_url) == before
