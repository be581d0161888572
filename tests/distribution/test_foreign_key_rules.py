"""Rules about foreign keys: what breaks one is found with its fix, what keeps it is passed over."""

from __future__ import annotations

import pytest
from distribution.schema import Case, Schema, called

CASES = [
    Case(
        "CIT009",
        "from-reference-to-distributed",
        "CREATE TABLE badges (id bigint PRIMARY KEY, given_by bigint REFERENCES users);",
        (
            "error",
            "public.badges",
            'foreign key "badges_given_by_fkey" points from a reference table at public.users, which is distributed',
            "distribute public.badges with it in the map, or ALTER TABLE public.badges DROP CONSTRAINT "
            "badges_given_by_fkey;",
        ),
        "CREATE TABLE tags (id bigint PRIMARY KEY);"
        " CREATE TABLE badges (id bigint PRIMARY KEY, tag bigint REFERENCES tags ON DELETE SET NULL);"
        " ALTER TABLE notes ADD COLUMN tag bigint REFERENCES tags ON DELETE CASCADE;",
        mend=("ALTER TABLE public.badges DROP CONSTRAINT badges_given_by_fkey;",),
    ),
    Case(
        "CIT009",
        "from-local-to-distributed",
        "CREATE SCHEMA ops; CREATE TABLE ops.tasks (id bigint PRIMARY KEY, for_whom bigint REFERENCES users);",
        (
            "error",
            "ops.tasks",
            'foreign key "tasks_for_whom_fkey" points from a local table at public.users, which is distributed',
            "distribute ops.tasks with it in the map, or ALTER TABLE ops.tasks DROP CONSTRAINT tasks_for_whom_fkey;",
        ),
        "CREATE SCHEMA ops; CREATE TABLE ops.kinds (id bigint PRIMARY KEY);"
        " CREATE TABLE ops.tasks (id bigint PRIMARY KEY, kind bigint REFERENCES ops.kinds ON DELETE CASCADE);",
        mend=("ALTER TABLE ops.tasks DROP CONSTRAINT tasks_for_whom_fkey;",),
    ),
    Case(
        "CIT009",
        "from-distributed-to-local",
        "CREATE SCHEMA ops; CREATE TABLE ops.kinds (id bigint PRIMARY KEY);"
        " ALTER TABLE notes ADD COLUMN kind bigint REFERENCES ops.kinds;",
        (
            "error",
            "public.notes",
            'foreign key "notes_kind_fkey" points from a distributed table at ops.kinds, which is local',
            "say in the map: ops.kinds reference, or ALTER TABLE public.notes DROP CONSTRAINT notes_kind_fkey;",
        ),
        "CREATE TABLE kinds (id bigint PRIMARY KEY); ALTER TABLE notes ADD COLUMN kind bigint REFERENCES kinds;",
        mend=("ALTER TABLE public.notes DROP CONSTRAINT notes_kind_fkey;",),
    ),
    Case(
        "CIT009",
        "from-reference-to-local-with-an-action",
        "CREATE SCHEMA ops; CREATE TABLE ops.kinds (id bigint PRIMARY KEY);"
        " CREATE TABLE tags (id bigint PRIMARY KEY, kind bigint REFERENCES ops.kinds ON DELETE CASCADE);",
        (
            "error",
            "public.tags",
            'foreign key "tags_kind_fkey" changes rows of a reference table with those of ops.kinds, which is local',
            "say in the map: ops.kinds reference, or ALTER TABLE public.tags DROP CONSTRAINT tags_kind_fkey;",
        ),
        "CREATE SCHEMA ops; CREATE TABLE ops.kinds (id bigint PRIMARY KEY);"
        " CREATE TABLE tags (id bigint PRIMARY KEY, kind bigint REFERENCES ops.kinds ON DELETE RESTRICT);",
        mend=("ALTER TABLE public.tags DROP CONSTRAINT tags_kind_fkey;",),
    ),
    Case(
        "CIT010",
        "apart",
        "CREATE TABLE plays (id bigint PRIMARY KEY);"
        " ALTER TABLE notes ADD CONSTRAINT notes_id_fkey FOREIGN KEY (id) REFERENCES plays;",
        (
            "error",
            "public.notes",
            'foreign key "notes_id_fkey" points at public.plays, which is distributed apart from it',
            "say in the map: public.notes distributed by … with public.plays, or "
            "ALTER TABLE public.notes DROP CONSTRAINT notes_id_fkey;",
        ),
        "CREATE TABLE plays (id bigint PRIMARY KEY);"
        " CREATE TABLE skips (id bigint PRIMARY KEY REFERENCES plays);",
        mend=("ALTER TABLE public.notes DROP CONSTRAINT notes_id_fkey;",),
        places=("plays distributed by id",),
    ),
    Case(
        "CIT011",
        "other-column",
        "CREATE TABLE shares (user_id bigint, with_whom bigint REFERENCES users ON DELETE CASCADE,"
        " PRIMARY KEY (user_id, with_whom));",
        (
            "error",
            "public.shares",
            'foreign key "shares_with_whom_fkey" does not join distribution column "user_id" to "id" of public.users',
            "let those who write check it and do what ON DELETE CASCADE did: "
            "ALTER TABLE public.shares DROP CONSTRAINT shares_with_whom_fkey;",
        ),
        "CREATE TABLE shares (user_id bigint, note bigint, PRIMARY KEY (user_id, note),"
        " FOREIGN KEY (note, user_id) REFERENCES notes (id, user_id));",
        mend=("ALTER TABLE public.shares DROP CONSTRAINT shares_with_whom_fkey;",),
    ),
    Case(
        "CIT011",
        "column-in-another-place",
        "CREATE TABLE swaps (user_id bigint, note bigint, PRIMARY KEY (user_id, note),"
        " CONSTRAINT swaps_fkey FOREIGN KEY (note, user_id) REFERENCES notes (user_id, id));",
        (
            "error",
            "public.swaps",
            'foreign key "swaps_fkey" does not join distribution column "user_id" to "user_id" of public.notes',
            "let those who write check it: ALTER TABLE public.swaps DROP CONSTRAINT swaps_fkey;",
        ),
        "CREATE TABLE swaps (user_id bigint, note bigint, PRIMARY KEY (user_id, note),"
        " CONSTRAINT swaps_fkey FOREIGN KEY (note, user_id) REFERENCES notes (id, user_id));",
        mend=("ALTER TABLE public.swaps DROP CONSTRAINT swaps_fkey;",),
    ),
    Case(
        "CIT012",
        "set-null",
        "ALTER TABLE notes ADD COLUMN parent bigint, ADD CONSTRAINT notes_parent_fkey"
        " FOREIGN KEY (user_id, parent) REFERENCES notes (user_id, id) ON DELETE SET NULL;",
        (
            "error",
            "public.notes",
            'foreign key "notes_parent_fkey" holds distribution column "user_id" and says ON DELETE SET NULL',
            "ALTER TABLE public.notes DROP CONSTRAINT notes_parent_fkey; ALTER TABLE public.notes ADD CONSTRAINT "
            "notes_parent_fkey FOREIGN KEY (user_id, parent) REFERENCES public.notes(user_id, id); "
            "whoever deletes from public.notes then sets the column first",
        ),
        "CREATE TABLE tags (id bigint PRIMARY KEY);"
        " ALTER TABLE notes ADD COLUMN tag bigint REFERENCES tags ON DELETE SET NULL, ADD COLUMN parent bigint,"
        " ADD CONSTRAINT notes_parent_fkey FOREIGN KEY (user_id, parent) REFERENCES notes (user_id, id);",
        mend=(
            "ALTER TABLE public.notes DROP CONSTRAINT notes_parent_fkey; ALTER TABLE public.notes ADD CONSTRAINT "
            "notes_parent_fkey FOREIGN KEY (user_id, parent) REFERENCES public.notes(user_id, id);",
        ),
    ),
    Case(
        "CIT012",
        "set-null-of-one-column",
        "ALTER TABLE notes ADD COLUMN parent bigint, ADD CONSTRAINT notes_parent_fkey"
        " FOREIGN KEY (user_id, parent) REFERENCES notes (user_id, id) ON DELETE SET NULL (parent) DEFERRABLE;",
        (
            "error",
            "public.notes",
            'foreign key "notes_parent_fkey" holds distribution column "user_id" and says ON DELETE SET NULL',
            "ALTER TABLE public.notes DROP CONSTRAINT notes_parent_fkey; ALTER TABLE public.notes ADD CONSTRAINT "
            "notes_parent_fkey FOREIGN KEY (user_id, parent) REFERENCES public.notes(user_id, id) DEFERRABLE; "
            "whoever deletes from public.notes then sets the column first",
        ),
        "ALTER TABLE notes ADD COLUMN parent bigint, ADD CONSTRAINT notes_parent_fkey"
        " FOREIGN KEY (user_id, parent) REFERENCES notes (user_id, id) ON DELETE CASCADE;",
        mend=(
            "ALTER TABLE public.notes DROP CONSTRAINT notes_parent_fkey; ALTER TABLE public.notes ADD CONSTRAINT "
            "notes_parent_fkey FOREIGN KEY (user_id, parent) REFERENCES public.notes(user_id, id) DEFERRABLE;",
        ),
    ),
    Case(
        "CIT012",
        "set-default-of-a-sequence",
        "CREATE TABLE tags (id bigint PRIMARY KEY); CREATE SEQUENCE numbers;"
        " ALTER TABLE notes ADD COLUMN tag bigint DEFAULT nextval('numbers') REFERENCES tags ON DELETE SET DEFAULT;",
        (
            "error",
            "public.notes",
            'foreign key "notes_tag_fkey" sets column "tag" to a default that a sequence gives',
            "ALTER TABLE public.notes DROP CONSTRAINT notes_tag_fkey; ALTER TABLE public.notes ADD CONSTRAINT "
            "notes_tag_fkey FOREIGN KEY (tag) REFERENCES public.tags(id); "
            "whoever deletes from public.tags then sets the column first",
        ),
        "CREATE TABLE tags (id bigint PRIMARY KEY);"
        " ALTER TABLE notes ADD COLUMN tag bigint DEFAULT 0 REFERENCES tags ON DELETE SET DEFAULT;",
        mend=(
            "ALTER TABLE public.notes DROP CONSTRAINT notes_tag_fkey; ALTER TABLE public.notes ADD CONSTRAINT "
            "notes_tag_fkey FOREIGN KEY (tag) REFERENCES public.tags(id);",
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_breaks_a_rule_is_found_and_its_fix_mends_it(schema: Schema, case: Case) -> None:
    case.prove(schema)


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_keeps_the_rule_is_passed_over(schema: Schema, case: Case) -> None:
    case.pass_over(schema)
