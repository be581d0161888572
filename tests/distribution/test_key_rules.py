"""Rules about keys: what breaks one is found with its fix, what keeps it is passed over."""

from __future__ import annotations

import pytest
from distribution.schema import Case, Schema, called

CASES = [
    Case(
        "CIT003",
        "primary-key",
        "CREATE TABLE marks (id bigint CONSTRAINT marks_pkey PRIMARY KEY, owner bigint NOT NULL);",
        (
            "error",
            "public.marks",
            'primary key "marks_pkey" leaves out distribution column "owner"',
            "ALTER TABLE public.marks DROP CONSTRAINT marks_pkey; "
            "ALTER TABLE public.marks ADD CONSTRAINT marks_pkey PRIMARY KEY (owner, id);",
        ),
        "CREATE TABLE marks (id bigint, owner bigint, PRIMARY KEY (id, owner));",
        mend=(
            "ALTER TABLE public.marks DROP CONSTRAINT marks_pkey; "
            "ALTER TABLE public.marks ADD CONSTRAINT marks_pkey PRIMARY KEY (owner, id);",
        ),
        places=("marks distributed by owner with users",),
    ),
    Case(
        "CIT003",
        "primary-key-that-is-referenced",
        "CREATE TABLE marks (id bigint PRIMARY KEY, owner bigint NOT NULL);"
        " CREATE TABLE stars (mark bigint PRIMARY KEY REFERENCES marks);",
        (
            "error",
            "public.marks",
            'primary key "marks_pkey" leaves out distribution column "owner"',
            "first widen what points at it, stars_mark_fkey; then ALTER TABLE public.marks DROP CONSTRAINT marks_pkey; "
            "ALTER TABLE public.marks ADD CONSTRAINT marks_pkey PRIMARY KEY (owner, id);",
        ),
        "CREATE TABLE marks (id bigint, owner bigint, PRIMARY KEY (id, owner));",
        places=("marks distributed by owner with users",),
    ),
    Case(
        "CIT004",
        "unique-constraint",
        "ALTER TABLE users ADD COLUMN email text, ADD CONSTRAINT users_email_key UNIQUE (email);",
        (
            "error",
            "public.users",
            'unique constraint "users_email_key" leaves out distribution column "id"',
            "keep it in a table of its own, written in the same transaction: CREATE TABLE public.users_email_lookup "
            "(email text NOT NULL, id bigint NOT NULL, PRIMARY KEY (email)); SELECT create_distributed_table("
            "'public.users_email_lookup', 'email', colocate_with => 'none'); "
            "ALTER TABLE public.users DROP CONSTRAINT users_email_key;",
        ),
        "ALTER TABLE users ADD COLUMN email text, ADD CONSTRAINT users_email_key UNIQUE (email, id);"
        " CREATE TABLE tags (id bigint PRIMARY KEY, name text UNIQUE);",
        mend=(
            "CREATE TABLE public.users_email_lookup (email text NOT NULL, id bigint NOT NULL, PRIMARY KEY (email));",
            "ALTER TABLE public.users DROP CONSTRAINT users_email_key;",
        ),
    ),
    Case(
        "CIT004",
        "unique-index-on-an-expression",
        "ALTER TABLE users ADD COLUMN email text; CREATE UNIQUE INDEX users_email_idx ON users (lower(email));",
        (
            "error",
            "public.users",
            'unique index "users_email_idx" leaves out distribution column "id"',
            "keep it in a table of its own, written in the same transaction: CREATE TABLE public.users_key_lookup "
            "(key text NOT NULL, id bigint NOT NULL, PRIMARY KEY (key)); SELECT create_distributed_table("
            "'public.users_key_lookup', 'key', colocate_with => 'none'); DROP INDEX public.users_email_idx;",
        ),
        "ALTER TABLE users ADD COLUMN email text; CREATE UNIQUE INDEX users_email_idx ON users (lower(email), id);"
        " CREATE INDEX users_lower_idx ON users (lower(email));",
        mend=(
            "CREATE TABLE public.users_key_lookup (key text NOT NULL, id bigint NOT NULL, PRIMARY KEY (key));",
            "DROP INDEX public.users_email_idx;",
        ),
    ),
    Case(
        "CIT004",
        "carried-along",
        "ALTER TABLE users ADD COLUMN email text; CREATE UNIQUE INDEX users_email_idx ON users (email) INCLUDE (id);",
        (
            "warning",
            "public.users",
            'unique index "users_email_idx" leaves out distribution column "id", but for carrying it along, and so '
            "holds within a shard only",
            "keep it in a table of its own, written in the same transaction: CREATE TABLE public.users_email_lookup "
            "(email text NOT NULL, id bigint NOT NULL, PRIMARY KEY (email)); SELECT create_distributed_table("
            "'public.users_email_lookup', 'email', colocate_with => 'none'); DROP INDEX public.users_email_idx;",
        ),
        "ALTER TABLE users ADD COLUMN email text; CREATE UNIQUE INDEX users_email_idx ON users (id) INCLUDE (email);",
        mend=("DROP INDEX public.users_email_idx;",),
    ),
    Case(
        "CIT004",
        "exclusion",
        "CREATE EXTENSION btree_gist;"
        " ALTER TABLE notes ADD COLUMN during daterange,"
        " ADD CONSTRAINT notes_during_excl EXCLUDE USING gist (user_id WITH <>, during WITH &&);",
        (
            "error",
            "public.notes",
            'exclusion constraint "notes_during_excl" leaves out distribution column "user_id"',
            "ALTER TABLE public.notes DROP CONSTRAINT notes_during_excl; add it again with user_id WITH = as its first "
            "element",
        ),
        "CREATE EXTENSION btree_gist;"
        " ALTER TABLE notes ADD COLUMN during daterange,"
        " ADD CONSTRAINT notes_during_excl EXCLUDE USING gist (user_id WITH =, during WITH &&);",
        mend=("ALTER TABLE public.notes DROP CONSTRAINT notes_during_excl;",),
    ),
    Case(
        "CIT004",
        "index-of-a-partition-alone",
        "CREATE TABLE plays (user_id bigint, at date, PRIMARY KEY (user_id, at)) PARTITION BY RANGE (at);"
        " CREATE TABLE plays_1 PARTITION OF plays FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');"
        " CREATE UNIQUE INDEX plays_1_at_idx ON plays_1 (at);",
        (
            "error",
            "public.plays_1",
            'unique index "plays_1_at_idx" leaves out distribution column "user_id"',
            "keep it in a table of its own, written in the same transaction: CREATE TABLE public.plays_1_at_lookup "
            "(at date NOT NULL, user_id bigint NOT NULL, PRIMARY KEY (at)); SELECT create_distributed_table("
            "'public.plays_1_at_lookup', 'at', colocate_with => 'none'); DROP INDEX public.plays_1_at_idx;",
        ),
        "CREATE TABLE plays (user_id bigint, at date, PRIMARY KEY (user_id, at)) PARTITION BY RANGE (at);"
        " CREATE TABLE plays_1 PARTITION OF plays FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');",
        mend=("DROP INDEX public.plays_1_at_idx;",),
    ),
    Case(
        "CIT004",
        "odd-names",
        'CREATE SCHEMA "My App"; CREATE TABLE "My App"."The List" (user_id bigint, "E-mail" text,'
        ' PRIMARY KEY (user_id, "E-mail"), CONSTRAINT "only one" UNIQUE ("E-mail"));',
        (
            "error",
            '"My App"."The List"',
            'unique constraint "only one" leaves out distribution column "user_id"',
            "keep it in a table of its own, written in the same transaction: CREATE TABLE "
            '"My App"."The List_E-mail_lookup" ("E-mail" text NOT NULL, user_id bigint NOT NULL, '
            'PRIMARY KEY ("E-mail")); SELECT create_distributed_table(\'"My App"."The List_E-mail_lookup"\', '
            "'E-mail', colocate_with => 'none'); "
            'ALTER TABLE "My App"."The List" DROP CONSTRAINT "only one";',
        ),
        'CREATE SCHEMA "My App"; CREATE TABLE "My App"."The List" (user_id bigint, "E-mail" text,'
        ' PRIMARY KEY (user_id, "E-mail"));',
        mend=(
            'CREATE TABLE "My App"."The List_E-mail_lookup" ("E-mail" text NOT NULL, user_id bigint NOT NULL, '
            'PRIMARY KEY ("E-mail"));',
            'ALTER TABLE "My App"."The List" DROP CONSTRAINT "only one";',
        ),
    ),
    Case(
        "CIT026",
        "no-key",
        "CREATE TABLE tags (name text);",
        (
            "warning",
            "public.tags",
            "has no primary key and no replica identity",
            "ALTER TABLE public.tags ADD PRIMARY KEY (…), or else ALTER TABLE public.tags REPLICA IDENTITY FULL;",
        ),
        "CREATE TABLE tags (name text PRIMARY KEY); CREATE TABLE moods (name text);"
        " ALTER TABLE moods REPLICA IDENTITY FULL;",
        mend=("ALTER TABLE public.tags REPLICA IDENTITY FULL;",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_breaks_a_rule_is_found_and_its_fix_mends_it(schema: Schema, case: Case) -> None:
    case.prove(schema)


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_keeps_the_rule_is_passed_over(schema: Schema, case: Case) -> None:
    case.pass_over(schema)
