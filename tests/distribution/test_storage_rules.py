"""Rules about how a table is made: what breaks one is found with its fix, what keeps it is passed over."""

from __future__ import annotations

import pytest
from distribution.schema import Case, Schema, called

_TRIGGER = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;"
_MONTHS = "CREATE TABLE plays (user_id bigint, at date, PRIMARY KEY (user_id, at)) PARTITION BY RANGE (at);"

CASES = [
    Case(
        "CIT013",
        "trigger",
        f"{_TRIGGER} CREATE TRIGGER keep BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION keep();"
        ' CREATE TRIGGER "Keep too" BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION keep();',
        (
            "error",
            "public.notes",
            "has triggers: Keep too, keep",
            "whoever writes the table does in the same transaction what they did: "
            'DROP TRIGGER "Keep too" ON public.notes; DROP TRIGGER keep ON public.notes;',
        ),
        f"{_TRIGGER} CREATE SCHEMA ops; CREATE TABLE ops.tasks (id bigint PRIMARY KEY);"
        " CREATE TRIGGER keep BEFORE INSERT ON ops.tasks FOR EACH ROW EXECUTE FUNCTION keep();",
        mend=('DROP TRIGGER "Keep too" ON public.notes; DROP TRIGGER keep ON public.notes;',),
    ),
    Case(
        "CIT013",
        "trigger-of-a-partition",
        f"{_TRIGGER} {_MONTHS} CREATE TABLE plays_1 PARTITION OF plays DEFAULT;"
        " CREATE TRIGGER keep BEFORE INSERT ON plays_1 FOR EACH ROW EXECUTE FUNCTION keep();",
        (
            "error",
            "public.plays_1",
            "has triggers: keep",
            "whoever writes the table does in the same transaction what they did: DROP TRIGGER keep ON public.plays_1;",
        ),
        f"{_MONTHS} CREATE TABLE plays_1 PARTITION OF plays DEFAULT;",
        mend=("DROP TRIGGER keep ON public.plays_1;",),
    ),
    Case(
        "CIT013",
        "trigger-of-a-root-is-said-once",
        f"{_TRIGGER} {_MONTHS} CREATE TABLE plays_1 PARTITION OF plays DEFAULT;"
        " CREATE TRIGGER keep AFTER INSERT ON plays FOR EACH ROW EXECUTE FUNCTION keep();",
        (
            "error",
            "public.plays",
            "has triggers: keep",
            "whoever writes the table does in the same transaction what they did: DROP TRIGGER keep ON public.plays;",
        ),
        f"{_MONTHS} CREATE TABLE plays_1 PARTITION OF plays DEFAULT;",
        mend=("DROP TRIGGER keep ON public.plays;",),
    ),
    Case(
        "CIT014",
        "two-levels",
        f"{_MONTHS} CREATE TABLE plays_1 PARTITION OF plays DEFAULT PARTITION BY HASH (user_id);",
        (
            "error",
            "public.plays_1",
            "is a partition of public.plays, and partitioned itself",
            "attach its own partitions to public.plays instead: its distribution splits them already",
        ),
        f"{_MONTHS} CREATE TABLE plays_1 PARTITION OF plays DEFAULT;",
    ),
    Case(
        "CIT015",
        "partitioned-reference",
        'CREATE TABLE charts ("Land" text, week date, PRIMARY KEY ("Land", week)) PARTITION BY LIST ("Land");',
        (
            "error",
            "public.charts",
            "is partitioned, and a reference table cannot be",
            'say in the map: public.charts distributed by "Land"',
        ),
        "CREATE TABLE charts (land text, week date, PRIMARY KEY (land, week));",
    ),
    Case(
        "CIT016",
        "by-list",
        "CREATE TABLE plays (user_id bigint, kind text, PRIMARY KEY (user_id, kind)) PARTITION BY LIST (kind);",
        (
            "note",
            "public.plays",
            "is partitioned by LIST, and Citus maintains partitions by RANGE only",
            "go on creating and dropping its partitions yourself, on the coordinator",
        ),
        _MONTHS,
    ),
    Case(
        "CIT023",
        "inheritance",
        "CREATE TABLE tags (id bigint PRIMARY KEY);"
        " CREATE SCHEMA ops; CREATE TABLE ops.moods (PRIMARY KEY (id)) INHERITS (tags);",
        (
            "error",
            "public.tags",
            "inherits from another table, or is inherited from",
            "make them partitions of one table, or tables of their own: ALTER TABLE … NO INHERIT …;",
        ),
        f"{_MONTHS} CREATE TABLE plays_1 PARTITION OF plays DEFAULT;",
    ),
    Case(
        "CIT024",
        "rewrite-rule",
        "CREATE RULE quiet AS ON DELETE TO notes DO INSTEAD NOTHING;",
        (
            "warning",
            "public.notes",
            "has rules that rewrite statements: quiet",
            "whoever writes the table says what they said: DROP RULE quiet ON public.notes;",
        ),
        "CREATE VIEW mine AS SELECT FROM notes;",
        mend=("DROP RULE quiet ON public.notes;",),
    ),
    Case(
        "CIT027",
        "unlogged",
        "CREATE UNLOGGED TABLE seen (user_id bigint PRIMARY KEY);",
        (
            "warning",
            "public.seen",
            "is unlogged: the crash of a node empties its share, and no shard moves while it is written",
            "before it is distributed: ALTER TABLE public.seen SET LOGGED;",
        ),
        "CREATE TABLE seen (user_id bigint PRIMARY KEY); CREATE TEMPORARY TABLE scratch (user_id bigint);",
        mend=("ALTER TABLE public.seen SET LOGGED;",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_breaks_a_rule_is_found_and_its_fix_mends_it(schema: Schema, case: Case) -> None:
    case.prove(schema)


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_keeps_the_rule_is_passed_over(schema: Schema, case: Case) -> None:
    case.pass_over(schema)
