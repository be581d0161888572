"""Every revision goes back and forth with the database full of real data, and nothing is lost on the way."""

from __future__ import annotations

import pytest
from rollback.scene import accepted, agentdb, everything, losses, planned, sequences, untouched

from spotify_ai_agent_migrations import discover
from support import HEAD, rows, run_alembic

PARENTS = ["base", *(str(one.revision) for one in discover())][:-1]


@pytest.mark.parametrize("parent", PARENTS)
def test_back_and_forth_with_real_data_gives_every_row_back(store: str, parent: str) -> None:
    before, numbers = everything(store), sequences(store)
    assert before["public.tracks"][0] == 3503
    plan = planned(store, parent)
    kept = accepted(store, parent)
    after = everything(store)
    gone = {table: int(str(count[0])) for table, count in before.items() if table not in after}
    tables = {table: count for kind, table, _, count in losses(plan) if kind == "table"}
    deleted = {table: count for kind, table, _, count in losses(plan) if kind == "deleted"}
    assert {table for table in tables if table not in gone} == set()
    for table, count in tables.items():
        # Some of its rows went with an earlier step, where they are counted.
        assert count + deleted.get(table, 0) == gone[table], table
    for table in set(before) & set(after) & set(deleted):
        assert int(str(before[table][0])) - int(str(after[table][0])) == deleted[table]
    assert run_alembic("upgrade", "head", url=store).returncode == 0
    done = agentdb(store, "restore", kept)
    assert (done.code, done.err) == (0, [])
    assert everything(store) == before
    now = sequences(store)
    assert len(numbers) > 5
    assert {name: last for name, last in numbers.items() if now[name] < last} == {}


def test_the_plan_counts_every_row_of_every_table_that_goes(store: str) -> None:
    counted = dict(
        rows(
            store,
            "SELECT 'public.' || name, count FROM (VALUES"
            " ('artists', (SELECT count(*) FROM artists)), ('tracks', (SELECT count(*) FROM tracks)),"
            " ('users', (SELECT count(*) FROM users)), ('playlist_items', (SELECT count(*) FROM playlist_items)),"
            " ('places', (SELECT count(*) FROM places)), ('audit_log', (SELECT count(*) FROM audit_log))"
            ") AS counted (name, count)",
        )
    )
    found = {table: count for kind, table, _, count in losses(planned(store, "001")) if kind == "table"}
    assert {table: found[str(table)] for table in counted} == counted
    places = rows(store, "SELECT count(place_id) FROM artists")[0][0]
    assert places == 137
    assert ("column", "public.artists", "place_id", places) in losses(planned(store, "003"))


def test_a_plan_changes_nothing(store: str) -> None:
    before = untouched(store)
    plan = planned(store, "base")
    assert [step["revision"] for step in plan["steps"]] == [f"{n:03d}" for n in range(int(HEAD), 0, -1)]
    assert plan["rows_at_risk"] > 20_000
    assert untouched(store) == before
