"""Killed before any statement, in the middle of an index build, or late: the same command again is all it takes."""

from __future__ import annotations

import threading

import pytest
from partitioning.scene import SCENE, build, everything, schema, settings

from killing import killed_before
from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.partitioning import convert, unconvert
from support import Databases, connected, rows, until

SMALL = SCENE.replace("generate_series(1, 2000)", "generate_series(1, 60)").replace(
    "series(1, 500)", "series(1, 50)"
)


def convert_again(url: str) -> object:
    return convert('"Odd"', "at", premake=1, settings=settings(url))


def unconvert_again(url: str) -> object:
    return unconvert('"Odd"', settings=settings(url))


def numbers(*outside: range, every: bool) -> list[int]:
    """The statements to be killed before: all, or every other one outside of the swap and some of those in it.

    What is killed within the swap is undone as a whole.
    """
    return [n for n in range(1, 201) if every or any(n in some[::2] for some in outside) or n % 18 == 0]


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.soak) for part in (1, 2))])
def test_killed_before_any_statement_it_converges_and_loses_nothing(
    databases: Databases, request: pytest.FixtureRequest, part: int
) -> None:
    every = bool(request.config.getoption("--soak"))
    url = databases.url(databases.create())
    build(url, SMALL)
    plain, content = schema(url), everything(url)
    convert_again(url)
    partitioned = schema(url)
    unconvert_again(url)
    assert schema(url) == plain
    tried = 0
    for number in numbers(range(1, 32), range(124, 149), every=every)[part::3]:
        if not killed_before(number, lambda: convert_again(url)):
            break
        tried += 1
        # Whatever was done, the table takes rows, and none that were there is gone.
        rows(url, 'INSERT INTO "Odd" (tenant_id) VALUES (1); DELETE FROM "Odd" WHERE id > 60')
        assert everything(url) == content, number
        convert_again(url)
        assert (number, schema(url)) == (number, partitioned)
        assert everything(url) == content
        killed_before(number, lambda: unconvert_again(url))
        assert everything(url) == content, number
        unconvert_again(url)
        assert (number, schema(url)) == (number, plain)
    assert tried > 5


def test_an_index_build_whose_backend_is_ended_is_begun_anew(scene: str) -> None:
    failed: list[MigrationError] = []

    def work() -> None:
        try:
            convert_again(scene)
        except MigrationError as error:
            failed.append(error)

    with connected(scene, autocommit=False) as blocker:
        blocker.cursor().execute('INSERT INTO "Odd" (tenant_id) VALUES (1)')
        thread = threading.Thread(target=work)
        thread.start()
        building = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE UNIQUE INDEX CONCURRENTLY%%' AND wait_event_type = 'Lock' AND datname = current_database()"
        until(lambda: rows(scene, building) != [])
        rows(scene, f"SELECT pg_terminate_backend(pid) FROM ({building}) AS building")
        thread.join(timeout=30)
    assert len(failed) == 1
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert rows(scene, invalid) == [(1,)]
    convert_again(scene)
    assert rows(scene, invalid) == [(0,)]
    assert rows(scene, "SELECT relkind FROM pg_class WHERE relname = 'Odd'") == [("p",)]


def test_a_bound_that_comes_near_is_taken_off_and_chosen_anew(scene: str) -> None:
    near = rows(
        scene, "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 hours', 'YYYY-MM-DD HH24:00:00+00')"
    )[0][0]
    rows(
        scene,
        f'ALTER TABLE "Odd" ADD CONSTRAINT "Odd_legacy_bound_check" CHECK (at IS NOT NULL AND at < \'{near}\') NOT VALID',
    )
    convert_again(scene)
    ((bound,),) = rows(
        scene,
        "SET TimeZone = 'UTC'; SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'Odd_legacy'",
    )
    assert "-01 00:00:00+00" in str(bound)


def test_a_bound_is_kept_and_not_chosen_anew(scene: str) -> None:
    rows(
        scene,
        'ALTER TABLE "Odd" ADD CONSTRAINT "Odd_legacy_bound_check" CHECK (at IS NOT NULL AND at < \'2051-06-01 00:00:00+00\') NOT VALID',
    )
    convert_again(scene)
    ((bound,),) = rows(
        scene,
        "SET TimeZone = 'UTC'; SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'Odd_legacy'",
    )
    assert bound == "FOR VALUES FROM (MINVALUE) TO ('2051-06-01 00:00:00+00')"
