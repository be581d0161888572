"""Revisions go back and forth with the database full of real data, and nothing is lost on the way."""

from __future__ import annotations

import pytest
from rollback.scene import (
    ACCOUNTS,
    accepted,
    agentdb,
    contents,
    everything,
    losses,
    planned,
    sequences,
    untouched,
)

from spotify_ai_agent_migrations import discover
from support import HEAD, rows, run_alembic

PARENTS = ["base", *(str(one.revision) for one in discover())][:-1]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Go back to the first and the last of the revisions, or to each."""
    if "parent" in metafunc.fixturenames:
        every = metafunc.config.getoption("--soak")
        metafunc.parametrize("parent", PARENTS if every else [PARENTS[0], PARENTS[-1]])


def test_back_and_forth_with_real_data_gives_every_row_back(store: str, parent: str) -> None:
    before, numbers, accounts = everything(store), sequences(store), contents(store, ACCOUNTS)
    assert before["public.tracks"][0] == 3503
    plan = planned(store, parent)
    kept = accepted(store, parent, digest=plan["digest"])
    really = rows(
        store, f"SELECT kind, source, column_name, kept_as FROM {kept}.contents WHERE kept_as IS NOT NULL"
    )
    counted = [
        (kind, table, column, rows(store, f'SELECT count(*) FROM {kept}."{name}"')[0][0])
        for kind, table, column, name in really
    ]
    assert sorted(counted, key=str) == sorted(losses(plan), key=str) != []
    if parent in {"base", "001", "002", "003"}:
        assert ("column", "public.artists", "place_id", 137) in counted
    assert run_alembic("upgrade", "head", url=store).returncode == 0
    done = agentdb(store, "restore", kept)
    assert (done.err, done.code) == ([], 0)
    after = everything(store)
    # The trail holds what it held, and that the steps took rules of retention away, and under which pseudonym.
    for trail in ("public.audit_log", "ops.pseudonyms"):
        assert int(str(after.pop(trail)[0])) >= int(str(before.pop(trail)[0])) > 50
    assert contents(store, ACCOUNTS) == accounts
    assert after.pop("public.users")[0] == before.pop("public.users")[0] == accounts[0]
    assert int(str(accounts[0])) > 50
    assert after == before
    now = sequences(store)
    assert len(numbers) > 5
    assert {name: last for name, last in numbers.items() if now[name] < last} == {}


def test_the_plan_counts_every_row_of_every_table_that_goes(store: str) -> None:
    counted = {
        str(name): count
        for name, count in rows(
            store,
            "SELECT 'public.' || name, count FROM (VALUES"
            " ('artists', (SELECT count(*) FROM artists)), ('tracks', (SELECT count(*) FROM tracks)),"
            " ('users', (SELECT count(*) FROM users)), ('playlist_items', (SELECT count(*) FROM playlist_items)),"
            " ('places', (SELECT count(*) FROM places))"
            ") AS counted (name, count)",
        )
    }
    found = {table: count for kind, table, _, count in losses(planned(store, "001")) if kind == "table"}
    assert {table: found[table] for table in counted} == counted
    places = rows(store, "SELECT count(place_id) FROM artists")[0][0]
    assert places == 137
    assert ("column", "public.artists", "place_id", places) in losses(planned(store, "003"))


def test_a_plan_changes_nothing(store: str) -> None:
    before = untouched(store)
    plan = planned(store, "base")
    assert [step["revision"] for step in plan["steps"]] == [f"{n:03d}" for n in range(int(HEAD), 0, -1)]
    assert plan["rows_at_risk"] > 20_000
    assert untouched(store) == before
