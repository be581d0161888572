"""Rules about places and columns: what breaks one is found with its fix, what keeps it is passed over."""

from __future__ import annotations

import psycopg2
import pytest
from distribution.schema import Case, Schema, called

CASES = [
    Case(
        "CIT001",
        "subject-outside-the-key",
        "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL);",
        (
            "error",
            "public.orders",
            'nothing says where it lives: column "user_id" is not in its primary key',
            "make the key PRIMARY KEY (user_id, …), or say in the map: public.orders reference, "
            "public.orders local or public.orders distributed by …",
        ),
        "CREATE TABLE orders (id bigint, user_id bigint, PRIMARY KEY (user_id, id));",
    ),
    Case(
        "CIT002",
        "no-such-column",
        "CREATE TABLE plays (track_id bigint PRIMARY KEY, at date);",
        (
            "error",
            "public.plays",
            'distribution column "song_id" does not exist',
            'name another in the map: the table has "track_id", "at"',
        ),
        "CREATE TABLE plays (song_id bigint PRIMARY KEY);",
        places=("plays distributed by song_id",),
    ),
    Case(
        "CIT002",
        "no-hash",
        "CREATE TABLE plays (track_id tsvector NOT NULL);",
        (
            "error",
            "public.plays",
            'distribution column "track_id" is of type tsvector, which has no hash function',
            "name another column in the map: public.plays distributed by …",
        ),
        "CREATE TABLE plays (track_id uuid PRIMARY KEY);",
        places=("plays distributed by track_id",),
    ),
    Case(
        "CIT002",
        "generated",
        "CREATE TABLE plays (raw bigint, track_id bigint NOT NULL GENERATED ALWAYS AS (raw + 1) STORED);",
        (
            "error",
            "public.plays",
            'distribution column "track_id" is generated',
            "ALTER TABLE public.plays ALTER COLUMN track_id DROP EXPRESSION;",
        ),
        "CREATE TABLE plays (track_id bigint NOT NULL, next bigint GENERATED ALWAYS AS (track_id + 1) STORED);",
        mend=("ALTER TABLE public.plays ALTER COLUMN track_id DROP EXPRESSION;",),
        places=("plays distributed by track_id",),
    ),
    Case(
        "CIT002",
        "nullable",
        'CREATE TABLE plays ("Track" bigint);',
        (
            "warning",
            "public.plays",
            'distribution column "Track" may be NULL, and a row without it is refused',
            'ALTER TABLE public.plays ALTER COLUMN "Track" SET NOT NULL;',
        ),
        'CREATE TABLE plays ("Track" bigint PRIMARY KEY);',
        mend=('ALTER TABLE public.plays ALTER COLUMN "Track" SET NOT NULL;',),
        places=('plays distributed by "Track"',),
    ),
    Case(
        "CIT005",
        "on-update",
        "CREATE TABLE marks (user_id bigint, id bigint, PRIMARY KEY (user_id, id),"
        " CONSTRAINT marks_fkey FOREIGN KEY (user_id) REFERENCES users ON UPDATE CASCADE ON DELETE CASCADE);",
        (
            "error",
            "public.marks",
            'foreign key "marks_fkey" changes distribution column "user_id" on update',
            "ALTER TABLE public.marks DROP CONSTRAINT marks_fkey; ALTER TABLE public.marks ADD CONSTRAINT marks_fkey "
            "FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;",
        ),
        "CREATE TABLE tags (code text PRIMARY KEY);"
        " CREATE TABLE marks (user_id bigint, tag text REFERENCES tags ON UPDATE CASCADE, PRIMARY KEY (user_id, tag));",
        mend=(
            "ALTER TABLE public.marks DROP CONSTRAINT marks_fkey; ALTER TABLE public.marks ADD CONSTRAINT marks_fkey "
            "FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;",
        ),
    ),
    Case(
        "CIT005",
        "trigger",
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.user_id IS NULL THEN NEW.user_id = 0; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER notes_keep BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION keep();",
        (
            "error",
            "public.notes",
            'trigger "notes_keep" writes distribution column "user_id"',
            "take the assignment to NEW.user_id out of public.keep()",
        ),
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " -- NEW.user_id := 0;\n"
        " IF NEW.user_id = OLD.user_id AND NEW.id = 'NEW.user_id := 0'::text::bigint THEN NEW.id := 1; END IF;"
        " RETURN NEW; END $$;"
        " CREATE TRIGGER notes_keep BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION keep();",
    ),
    Case(
        "CIT006",
        "other-type",
        "CREATE TABLE marks (user_id integer, id bigint, PRIMARY KEY (user_id, id));",
        (
            "error",
            "public.marks",
            'distribution column "user_id" is integer, and "id" of public.users is bigint',
            "before it is distributed: ALTER TABLE public.marks ALTER COLUMN user_id TYPE bigint;",
        ),
        "CREATE TABLE marks (user_id bigint, id integer, PRIMARY KEY (user_id, id));",
        mend=("ALTER TABLE public.marks ALTER COLUMN user_id TYPE bigint;",),
    ),
    Case(
        "CIT007",
        "identity",
        "CREATE TABLE marks (user_id bigint, id bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (user_id, id));"
        " INSERT INTO marks (user_id) VALUES (1), (1);",
        (
            "warning",
            "public.marks",
            'column "id" is an identity column',
            "ALTER TABLE public.marks ALTER COLUMN id DROP IDENTITY; CREATE SEQUENCE public.marks_id_seq OWNED BY "
            "public.marks.id; SELECT setval('public.marks_id_seq', max(id)) FROM public.marks; "
            "ALTER TABLE public.marks ALTER COLUMN id SET DEFAULT nextval('public.marks_id_seq');",
        ),
        "CREATE TABLE marks (user_id bigint, id bigserial, PRIMARY KEY (user_id, id));",
        mend=(
            "ALTER TABLE public.marks ALTER COLUMN id DROP IDENTITY; CREATE SEQUENCE public.marks_id_seq OWNED BY "
            "public.marks.id; SELECT setval('public.marks_id_seq', max(id)) FROM public.marks; "
            "ALTER TABLE public.marks ALTER COLUMN id SET DEFAULT nextval('public.marks_id_seq');",
        ),
    ),
    Case(
        "CIT008",
        "integer",
        "CREATE TABLE marks (user_id bigint, id serial, PRIMARY KEY (user_id, id));",
        (
            "warning",
            "public.marks",
            'column "id" is integer, and no worker can number it',
            "ALTER TABLE public.marks ALTER COLUMN id TYPE bigint; ALTER SEQUENCE public.marks_id_seq AS bigint;",
        ),
        "CREATE TABLE marks (user_id bigint, id bigserial, n integer DEFAULT 1, PRIMARY KEY (user_id, id));",
        mend=(
            "ALTER TABLE public.marks ALTER COLUMN id TYPE bigint; ALTER SEQUENCE public.marks_id_seq AS bigint;",
        ),
    ),
    Case(
        "CIT008",
        "integer-sequence",
        "CREATE SEQUENCE numbers AS integer;"
        " CREATE TABLE marks (user_id bigint, id bigint DEFAULT nextval('numbers'), PRIMARY KEY (user_id, id));",
        (
            "note",
            "public.marks",
            'column "id" is bigint, and its sequence ends where integer does',
            "ALTER SEQUENCE public.numbers AS bigint;",
        ),
        "CREATE SEQUENCE numbers;"
        " CREATE TABLE marks (user_id bigint, id bigint DEFAULT nextval('numbers'), PRIMARY KEY (user_id, id));",
        mend=("ALTER SEQUENCE public.numbers AS bigint;",),
    ),
    Case(
        "CIT008",
        "shared-sequence",
        "CREATE SEQUENCE numbers;"
        " CREATE TABLE marks (user_id bigint, id bigint DEFAULT nextval('numbers'),"
        " label numeric DEFAULT nextval('numbers'), PRIMARY KEY (user_id, id));",
        (
            "error",
            "public.marks",
            "sequence public.numbers numbers columns of different types: public.marks.id bigint, "
            "public.marks.label numeric",
            "give each column a sequence of its own",
        ),
        "CREATE SEQUENCE numbers;"
        " CREATE TABLE marks (user_id bigint, id bigint DEFAULT nextval('numbers'),"
        " label bigint DEFAULT nextval('numbers'), PRIMARY KEY (user_id, id));",
    ),
    Case(
        "CIT025",
        "transaction",
        "ALTER TABLE notes ADD COLUMN seen xid8 DEFAULT pg_current_xact_id();",
        (
            "note",
            "public.notes",
            'the default of column "seen", pg_current_xact_id(), differs from node to node',
            "insert through the coordinator alone, or order rows by something else",
        ),
        "ALTER TABLE notes ADD COLUMN seen timestamptz DEFAULT clock_timestamp();",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_breaks_a_rule_is_found_and_its_fix_mends_it(schema: Schema, case: Case) -> None:
    case.prove(schema)


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_keeps_the_rule_is_passed_over(schema: Schema, case: Case) -> None:
    case.pass_over(schema)


@pytest.mark.parametrize("of_type", ["code", "mood", "int4range", "text[]", "varchar(9)", "bytea", "bigint"])
def test_a_type_is_hashed_as_what_it_is_made_of(schema: Schema, of_type: str) -> None:
    schema.execute(
        "CREATE DOMAIN word AS varchar; CREATE DOMAIN code AS word; CREATE TYPE mood AS ENUM ('sad');"
        f"CREATE TABLE plays (track {of_type} PRIMARY KEY)"
    )
    assert schema.map("plays distributed by track") == {"public.plays": "distributed by track"}
    assert schema.said("CIT002", ["plays distributed by track"]) == []


def test_a_collation_that_takes_two_texts_for_one_is_found(schema: Schema) -> None:
    try:
        schema.execute("CREATE COLLATION loose (provider = icu, locale = 'und', deterministic = false)")
    except psycopg2.errors.FeatureNotSupported:
        pytest.skip("this server was built without ICU")
    schema.execute(
        'CREATE TABLE plays (track text COLLATE loose NOT NULL, "other" text COLLATE "C" NOT NULL)'
    )
    assert schema.said("CIT002", ["plays distributed by track"]) == [
        (
            "error",
            "public.plays",
            'distribution column "track" has a collation that is not deterministic',
            "name another column in the map: public.plays distributed by …",
        )
    ]
    assert schema.said("CIT002", ["plays distributed by other"]) == []
