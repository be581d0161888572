"""Tables that name each other, and themselves, are erased to the last row, or refused when it is planned."""

from __future__ import annotations

import pytest
from gdpr_erasure.people import ADA, BOB
from gdpr_erasure.planned import Bench, steps_of

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Refusal

PORTIONS = pytest.mark.parametrize("most", [None, 1], ids=["whole", "one by one"])
OWN = "user_id bigint REFERENCES users, id integer PRIMARY KEY"


def two(at: Bench, cover: str, album: str) -> None:
    """Make two tables whose rows name each other, with two rows of Ada and one of Bob in each."""
    at.make("records", f"{OWN}, cover integer {cover}", user_id="delete")
    at.make("covers", f"{OWN}, record integer {album}", user_id="delete")
    at.rows("ALTER TABLE records ADD FOREIGN KEY (cover) REFERENCES covers DEFERRABLE INITIALLY DEFERRED")
    at.rows("ALTER TABLE covers ADD FOREIGN KEY (record) REFERENCES records")
    at.rows(
        "INSERT INTO records VALUES (%(ada)s, 1, 11), (%(ada)s, 2, 12), (%(bob)s, 3, 13);"
        "INSERT INTO covers VALUES (%(ada)s, 11, 1), (%(ada)s, 12, 2), (%(bob)s, 13, 3);"
        "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED",
        {"ada": ADA.id, "bob": BOB.id},
    )


def left(at: Bench) -> list[tuple[object, ...]]:
    return at.rows("SELECT * FROM records UNION ALL SELECT * FROM covers ORDER BY id")


@PORTIONS
def test_a_column_that_may_be_null_lets_go_first(at: Bench, most: int | None) -> None:
    two(at, "", "NOT NULL")
    at.rows("SET CONSTRAINTS ALL IMMEDIATE")
    plan = at.erase(most=most)
    at.rows("SET CONSTRAINTS ALL IMMEDIATE")
    assert left(at) == [(BOB.id, 3, 13), (BOB.id, 13, 3)]
    assert not plan.is_deferred
    assert [step.action.value for step in steps_of(plan, "public.records")] == ["update", "delete"]
    assert [step.table for step in plan.steps if step.table in {"public.records", "public.covers"}] == [
        "public.records", "public.covers", "public.records",
    ]  # fmt: skip


def test_a_constraint_that_may_be_deferred_asks_for_one_transaction(at: Bench) -> None:
    two(at, "NOT NULL", "NOT NULL")
    plan = at.erase()
    assert plan.is_deferred
    at.rows("SET CONSTRAINTS ALL IMMEDIATE")
    assert left(at) == [(BOB.id, 3, 13), (BOB.id, 13, 3)]


def test_what_can_let_go_of_nothing_is_refused(at: Bench) -> None:
    two(at, "NOT NULL", "NOT NULL")
    at.rows("ALTER TABLE records ALTER CONSTRAINT records_cover_fkey NOT DEFERRABLE")
    assert at.refusals()[0] == Refusal(
        "public.covers, public.records",
        "name each other, and none can go first",
        "let one of their foreign keys be deferrable",
    )


def test_rows_that_would_be_lost_sight_of_are_not_let_go(at: Bench) -> None:
    two(at, "", "NOT NULL")
    # Of nobody by itself: reached by its cover alone.
    at.rows("INSERT INTO records VALUES (NULL, 4, 11)")
    assert at.refusals()[0].problem == "name each other, and none can go first"
    at.rows("ALTER TABLE covers ALTER CONSTRAINT covers_record_fkey DEFERRABLE")
    assert at.erase().is_deferred
    assert left(at) == [(BOB.id, 3, 13), (BOB.id, 13, 3)]


@PORTIONS
@pytest.mark.parametrize("action", ["NO ACTION", "CASCADE", "RESTRICT"])
def test_rows_that_name_rows_of_their_own_table_go_with_all_below_them(
    at: Bench, most: int | None, action: str
) -> None:
    at.make("comments", f"{OWN}, parent integer REFERENCES comments ON DELETE {action}", user_id="delete")
    at.rows("CREATE INDEX ON comments (user_id); CREATE INDEX ON comments (parent)")
    at.rows("INSERT INTO comments SELECT %s, n, nullif(n - 1, 0) FROM generate_series(1, 5) AS n", (ADA.id,))
    at.rows("INSERT INTO comments VALUES (%(b)s, 6, 5), (%(b)s, 7, NULL), (%(b)s, 8, 7)", {"b": BOB.id})
    plan = at.erase(most=most)
    assert at.rows("SELECT id FROM comments ORDER BY id") == [(7,), (8,)]
    assert [step.by_index for step in steps_of(plan, "public.comments")] == [True]
    assert 'rows of "public.comments" are deleted all at once, for they name each other' in plan.warnings


@PORTIONS
def test_an_answer_of_somebody_else_lets_go_and_stays(at: Bench, most: int | None) -> None:
    at.make("comments", f"{OWN}, parent integer REFERENCES comments", user_id="delete", parent="delete")
    at.rows(
        "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, own_columns, note)"
        " VALUES ('public.comments', '{parent}', 'public.comments', '{id}', 'column', '{parent}', 'of a test')"
    )
    at.rows("INSERT INTO comments VALUES (%s, 1, NULL), (%s, 2, 1)", (ADA.id, BOB.id))
    at.erase(most=most)
    assert at.rows("SELECT id, parent FROM comments") == [(2, None)]


@PORTIONS
def test_rows_that_several_ways_lead_to_are_each_found_by_an_index(at: Bench, most: int | None) -> None:
    at.make("boxes", f"{OWN}", user_id="delete")
    at.make("crates", f"{OWN}", user_id="delete")
    at.make(
        "things", "id integer PRIMARY KEY, box integer REFERENCES boxes, crate integer REFERENCES crates, said text",
        said="delete",
    )  # fmt: skip
    at.rows("CREATE INDEX ON boxes (user_id); CREATE INDEX ON crates (user_id); CREATE INDEX ON things (box)")
    at.rows("CREATE INDEX ON things (crate)")
    at.rows("INSERT INTO boxes VALUES (%s, 1), (%s, 2)", (ADA.id, BOB.id))
    at.rows("INSERT INTO crates VALUES (%s, 1), (%s, 2)", (ADA.id, BOB.id))
    at.rows("INSERT INTO things VALUES (1, 1, 2, 'x'), (2, 2, 1, 'x'), (3, 2, 2, 'x'), (4, 1, 1, 'x')")
    plan = at.erase(most=most)
    assert at.rows("SELECT id FROM things") == [(3,)]
    assert [(step.by_index, step.rows) for step in steps_of(plan, "public.things")] == [(True, 3)]


@PORTIONS
def test_heirs_and_partitions_go_as_well(at: Bench, most: int | None) -> None:
    at.make("notes", f"{OWN}, said text", user_id="delete")
    at.rows("CREATE TABLE old_notes (PRIMARY KEY (id)) INHERITS (notes)")
    at.classify("old_notes", user_id="delete")
    at.rows("ALTER TABLE old_notes ADD FOREIGN KEY (user_id) REFERENCES users")
    at.rows("GRANT SELECT, UPDATE, DELETE ON old_notes TO agent_eraser")
    at.rows(
        "CREATE TABLE parted (user_id bigint REFERENCES users, id integer, PRIMARY KEY (id)) PARTITION BY RANGE (id)"
    )
    at.rows("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (3)")
    at.rows("CREATE TABLE parted_rest PARTITION OF parted DEFAULT")
    at.classify("parted", user_id="delete")
    at.rows("SELECT ops.guard_table_v1('parted', 'user_id')")
    for table in ("notes", "old_notes", "parted"):
        columns = "user_id, id"
        at.rows(f"INSERT INTO {table} ({columns}) SELECT %s, n FROM generate_series(1, 5) AS n", (ADA.id,))
        at.rows(f"INSERT INTO {table} ({columns}) VALUES (%s, 6)", (BOB.id,))
    plan = at.erase(most=most)
    assert at.rows("SELECT user_id FROM notes") == [(BOB.id,), (BOB.id,)]
    assert at.rows("SELECT user_id FROM parted") == [(BOB.id,)]
    assert [steps_of(plan, f"public.{table}")[0].rows for table in ("notes", "old_notes", "parted")] == [
        5,
        5,
        5,
    ]
