"""What cannot be done is refused when it is planned, with what is to be done about it."""

from __future__ import annotations

import pytest
from gdpr_erasure.people import ADA
from gdpr_erasure.planned import Bench, steps_of

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Refusal

KEY = "user_id bigint REFERENCES users, n integer, PRIMARY KEY (user_id, n)"
CHOOSE = "choose another strategy: ops.classify_column_v1"


def test_a_column_that_nobody_classified(at: Bench) -> None:
    at.rows("CREATE TABLE notes (id bigint PRIMARY KEY, said text)")
    at.rows("CREATE SCHEMA rollback_0123456789ab; CREATE TABLE rollback_0123456789ab.users (email text)")
    found = at.refusals()
    hint = "agentdb gdpr-erasure check tells how to classify it"
    assert found[:2] == (
        Refusal("public.notes.id", "is not in the catalogue", hint),
        Refusal("public.notes.said", "is not in the catalogue", hint),
    )
    assert found[2] == Refusal(
        "rollback_0123456789ab.users",
        "is kept by a rollback, beside the catalogue",
        "agentdb rollback restore, or agentdb rollback purge: agentdb rollback list names it",
    )


def test_a_refusal_of_one_table_keeps_nobody_from_counting_another(at: Bench) -> None:
    at.make("notes", f"{KEY}, a text", a="redact")
    at.make("wrong", f"{KEY}, a boolean", a="random")
    at.rows("INSERT INTO notes VALUES (%s, 1, 'Ada Lovelace')", (ADA.id,))
    plan = at.plan()
    assert [one.place for one in plan.refusals] == ["public.wrong.a"]
    assert [step.rows for step in steps_of(plan, "public.notes")] == [1]
    assert [step.rows for step in steps_of(plan, "public.wrong")] == [0]


def test_a_table_that_no_way_leads_to(at: Bench) -> None:
    at.make("notes", "id bigint PRIMARY KEY, said text", said="delete")
    assert at.refusals() == (
        Refusal(
            "public.notes",
            "holds personal data, and nothing leads to it from a person",
            "add a foreign key, or declare an edge in ops.personal_edges",
        ),
    )


@pytest.mark.parametrize(
    ("columns", "said", "problem"),
    [
        ("a text NOT NULL", "null", "is to be NULL, and is NOT NULL"),
        ("a point", 'generalise {"to": 10}', "is to be generalised, which point cannot be"),
        ("a time", 'generalise {"to": "day"}', "is to be generalised, which time without time zone cannot be"),
        ("a inet", 'generalise {"to": 33}', "is to be generalised to a step that inet does not have"),
        ("a bytea", "redact", "is to be redacted, which bytea cannot be"),
        ("a tsvector", "redact", "is to be made again, and the columns it is made from are not listed"),
        ("a jsonb", 'json {"paths": ["$.a ? (@ > 1)"]}', "is to lose paths of JSON, and one of them is no path"),
        ("a boolean", "random", "is to be random, which boolean cannot be"),
        ("a text GENERATED ALWAYS AS ('x') STORED", "null", "is filled by the server, from what is not changed"),
        ("a integer", 'constant {"value": "x"}', "is to be a constant that is no integer"),
        ("a integer CONSTRAINT small CHECK (a > 5)", 'constant {"value": 1}', 'is to be what the check "small" refuses'),
        ("a text UNIQUE", 'constant {"value": "x"}', "is to be one value for everybody, and is unique"),
    ],
)  # fmt: skip
def test_a_strategy_that_the_column_does_not_allow(at: Bench, columns: str, said: str, problem: str) -> None:
    at.make("notes", f"{KEY}, {columns}", a=said)
    assert [(one.place, one.problem) for one in at.refusals()] == [("public.notes.a", problem)]
    at.classify("notes", a='keep {"why": "a test"}')
    assert at.refusals() == ()


def test_a_check_of_several_columns_that_the_rows_of_the_person_would_break(at: Bench) -> None:
    at.make("notes", f"{KEY}, a text, b integer, CONSTRAINT one_of CHECK (a IS NOT NULL OR b > 5)", a="null")
    at.rows("INSERT INTO notes VALUES (%s, 1, 'x', 6)", (ADA.id,))
    assert at.refusals() == ()
    at.rows("INSERT INTO notes VALUES (%s, 2, 'x', 5)", (ADA.id,))
    assert at.refusals() == (
        Refusal(
            "public.notes.a",
            'would be what the check "one_of" refuses',
            "choose another strategy, or let the check allow it",
        ),
    )


def test_a_random_value_in_a_table_without_a_key(at: Bench) -> None:
    at.make("notes", "user_id bigint REFERENCES users, a text", a="random")
    assert at.refusals() == (
        Refusal("public.notes.a", "is to be random, in a table without a primary key", CHOOSE),
    )


def test_a_name_in_a_row_of_somebody_else_that_cannot_go(at: Bench) -> None:
    at.make("notes", f"{KEY}, seen_by bigint NOT NULL REFERENCES users", user_id="delete", seen_by="delete")
    at.rows(
        "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, own_columns, note)"
        " VALUES ('public.notes', '{seen_by}', 'public.users', '{id}', 'column', '{seen_by}', 'of a test')"
    )
    assert at.refusals() == (Refusal("public.notes.seen_by", "is to be NULL, and is NOT NULL", CHOOSE),)


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("CASCADE", 'would lose rows that are kept with rows of "public.orders", by "proofs_n_fkey"'),
        ("SET NULL", 'would be changed where it is kept with rows of "public.orders", by "proofs_n_fkey"'),
        ("NO ACTION", 'names rows of "public.orders" that are to be deleted, by "proofs_n_fkey"'),
    ],
)
def test_a_deletion_that_would_take_evidence_along(at: Bench, action: str, problem: str) -> None:
    at.make("orders", "user_id bigint REFERENCES users, n integer PRIMARY KEY", user_id="delete")
    at.make(
        "proofs", f"id bigint PRIMARY KEY, n integer REFERENCES orders ON DELETE {action}, paid numeric",
        paid='keep {"why": "a law"}',
    )  # fmt: skip
    hint = 'choose another strategy for "public.proofs" or for "public.orders"'
    assert at.refusals() == (Refusal("public.proofs", problem, hint),)
    at.classify("proofs", paid="delete")
    assert at.refusals() == ()


def test_rows_without_personal_data_go_with_those_they_hang_on(at: Bench) -> None:
    at.make("orders", "user_id bigint REFERENCES users, n integer PRIMARY KEY", user_id="delete")
    at.make("lines", "id bigint PRIMARY KEY, n integer NOT NULL REFERENCES orders, amount integer")
    at.rows("INSERT INTO orders VALUES (%s, 1); INSERT INTO lines VALUES (7, 1, 3), (8, 1, 4)", (ADA.id,))
    plan = at.erase(most=1)
    assert [step.rows for step in steps_of(plan, "public.lines")] == [2]
    assert at.rows("SELECT count(*) FROM lines") == [(0,)]


def test_a_table_that_whoever_erases_may_not_write_to(at: Bench) -> None:
    at.rows(f"CREATE TABLE notes ({KEY}, a text)")
    at.classify("notes", a="null")
    grant = 'GRANT SELECT, UPDATE ON "public"."notes" TO "agent_eraser"'
    assert at.refusals() == (Refusal("public.notes", "may not be written to by who erases", grant),)
    at.rows(grant)
    assert at.refusals() == ()


def test_row_security_that_would_hide_rows(at: Bench) -> None:
    at.make("notes", f"{KEY}, a text", a="null")
    at.rows("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
    assert at.refusals() == ()
    at.rows("ALTER ROLE agent_eraser NOBYPASSRLS")
    hidden = {one.place: one for one in at.refusals()}
    assert {"public.notes", "public.users", "public.listens"} < hidden.keys()
    assert hidden["public.notes"] == Refusal(
        "public.notes",
        "has row security, which would hide rows from who erases",
        'ALTER ROLE "agent_eraser" BYPASSRLS',
    )


def test_a_table_that_is_append_only(at: Bench) -> None:
    at.make("notes", f"{KEY}, a text", a="delete")
    at.rows(
        "CREATE TRIGGER notes_refuse_change BEFORE DELETE ON notes FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()"
    )
    assert at.refusals() == (Refusal("public.notes", "is append-only, and its strategies change it", CHOOSE),)
    at.classify("notes", a="null")
    assert at.refusals() == ()


def test_a_large_object_of_somebody_else(at: Bench) -> None:
    at.make("voices", f"{KEY}, said oid", user_id="delete", said='delete {"large_object": true}')
    at.rows("INSERT INTO voices VALUES (%s, 1, lo_from_bytea(0, 'x'::bytea))", (ADA.id,))
    assert at.refusals() == (
        Refusal(
            "public.voices.said",
            "names large objects of which agent_owner is no owner",
            "ALTER LARGE OBJECT … OWNER TO agent_owner",
        ),
    )


def test_a_table_that_is_read_as_a_whole_is_warned_of(at: Bench) -> None:
    at.make("notes", "n integer PRIMARY KEY, user_id bigint REFERENCES users", user_id="delete")
    at.rows("INSERT INTO notes SELECT n, %s FROM generate_series(1, 300) AS n; ANALYZE notes", (ADA.id,))
    (step,) = steps_of(at.plan(), "public.notes")
    assert (step.by_index, step.cost_rows, step.rows) == (False, 300, 300)
    assert at.plan().warnings == (
        'all of "public.notes" is read, about 300 rows: no index leads to a person',
    )
    at.rows("CREATE INDEX ON notes (user_id)")
    assert at.plan().warnings == ()
