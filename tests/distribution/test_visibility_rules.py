"""Rules about policies and views: what breaks one is found with its fix, what keeps it is passed over."""

from __future__ import annotations

import pytest
from distribution.schema import Case, Schema, called

CASES = [
    Case(
        "CIT017",
        "subquery",
        "CREATE POLICY shared ON notes USING (EXISTS (SELECT FROM users WHERE users.id = notes.user_id));",
        (
            "error",
            "public.notes",
            'policy "shared" holds a subquery',
            "keep in a column of the row what it looks up: DROP POLICY shared ON public.notes;",
        ),
        "CREATE POLICY shared ON notes USING (user_id > 0 AND 'SELECT' <> '{SUBLINK }');",
        mend=("DROP POLICY shared ON public.notes;",),
    ),
    Case(
        "CIT017",
        "subquery-for-writing",
        "CREATE POLICY shared ON notes FOR INSERT WITH CHECK (user_id IN (SELECT users.id FROM users));",
        (
            "error",
            "public.notes",
            'policy "shared" holds a subquery',
            "keep in a column of the row what it looks up: DROP POLICY shared ON public.notes;",
        ),
        "CREATE POLICY shared ON notes FOR INSERT WITH CHECK (user_id IN (1, 2));",
        mend=("DROP POLICY shared ON public.notes;",),
    ),
    Case(
        "CIT018",
        "setting",
        "CREATE POLICY own ON notes USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);"
        " CREATE POLICY asked ON notes USING (user_id = NULLIF(current_setting('app.asked', true), '')::bigint);",
        (
            "warning",
            "public.notes",
            "its policies ask app.asked, app.user_id, which a worker does not know, and so show no row",
            "in every transaction, before anything else: SET LOCAL citus.propagate_set_commands = 'local'; "
            "SET LOCAL app.asked = '…'; SET LOCAL app.user_id = '…';",
        ),
        "CREATE POLICY own ON notes USING (user_id = 1 AND current_user = 'anna');",
    ),
    Case(
        "CIT022",
        "apart",
        "CREATE TABLE plays (track_id bigint PRIMARY KEY);"
        " CREATE VIEW heard AS SELECT notes.id FROM notes JOIN plays ON plays.track_id = notes.id;",
        (
            "warning",
            "public.heard",
            "joins tables that are apart: public.plays, public.users",
            "split it, or put them together in the map",
        ),
        "CREATE TABLE plays (track_id bigint PRIMARY KEY);"
        " CREATE VIEW heard AS SELECT notes.id FROM notes JOIN users ON users.id = notes.user_id;",
        places=("plays distributed by track_id",),
    ),
    Case(
        "CIT022",
        "local-through-another-view",
        "CREATE SCHEMA ops; CREATE TABLE ops.names (id bigint PRIMARY KEY);"
        " CREATE VIEW ops.named AS SELECT id FROM ops.names;"
        " CREATE VIEW heard AS SELECT notes.id FROM notes JOIN ops.named USING (id);",
        (
            "warning",
            "public.heard",
            "joins ops.names, local, to what is distributed",
            "say in the map: ops.names reference",
        ),
        "CREATE TABLE names (id bigint PRIMARY KEY);"
        " CREATE VIEW heard AS SELECT notes.id FROM notes JOIN names USING (id);",
    ),
    Case(
        "CIT022",
        "materialized",
        "CREATE MATERIALIZED VIEW counted AS SELECT user_id, count(*) FROM notes GROUP BY user_id;",
        (
            "note",
            "public.counted",
            "is materialized, and all of it stays on the coordinator",
            "if it is large, make it a table and distribute that",
        ),
        "CREATE TABLE tags (id bigint PRIMARY KEY); CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM tags;",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_breaks_a_rule_is_found_and_its_fix_mends_it(schema: Schema, case: Case) -> None:
    case.prove(schema)


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_keeps_the_rule_is_passed_over(schema: Schema, case: Case) -> None:
    case.pass_over(schema)


def test_a_setting_that_may_be_empty_is_not_cast_bare(schema: Schema) -> None:
    schema.execute(
        "CREATE TABLE users (id bigint PRIMARY KEY);"
        "CREATE POLICY own ON users USING (id = current_setting('app.user_id', true)::bigint);"
        "CREATE POLICY read ON users USING (current_setting('app.role', true)::text = 'reader')"
    )
    found = schema.said("CIT018", ["users distributed by id"])
    assert found == [
        (
            "warning",
            "public.users",
            "its policies ask app.role, app.user_id, which a worker does not know, and so show no row",
            "in every transaction, before anything else: SET LOCAL citus.propagate_set_commands = 'local'; "
            "SET LOCAL app.role = '…'; SET LOCAL app.user_id = '…';",
        ),
        (
            "warning",
            "public.users",
            'policy "own" casts app.user_id, which is empty on a connection that is reused',
            "ask NULLIF(current_setting('app.user_id', true), '') instead",
        ),
    ]
