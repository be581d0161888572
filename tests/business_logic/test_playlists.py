"""Playlists: order without rewriting neighbours, every version kept, many at once, each by who may."""

from __future__ import annotations

import random
import threading

import psycopg2
import pytest

from support import connected, rows

SCENE = """
    INSERT INTO users (id) VALUES (1), (2), (3);
    INSERT INTO tracks (id, title, source) SELECT n, 't', 'internal' FROM generate_series(1, 500) AS n;
    INSERT INTO playlists (user_id, id, name, collaborative) VALUES (1, 1, 'p', true), (1, 2, 'q', false);
    INSERT INTO playlist_collaborators (user_id, playlist_id, collaborator_id) VALUES (1, 1, 2);
"""
CONTENTS = "SELECT array_agg(track_id ORDER BY place) FROM playlist_contents_v1(1, 1, %s)"


@pytest.fixture
def scene(url: str) -> str:
    with connected(url) as connection:
        connection.cursor().execute(SCENE)
    return url


def test_a_walk_of_changes_is_what_a_list_would_hold_at_every_version(scene: str) -> None:
    chance = random.Random(7)  # noqa: S311
    expected: list[int] = []
    versions: dict[int, list[int]] = {1: []}
    with connected(scene) as connection, connection.cursor() as cursor:
        for _ in range(250):
            kind = chance.choice(["insert", "insert", "append", "remove", "move", "move"])
            if kind in {"insert", "append"} or len(expected) < 6:
                tracks = [chance.randint(1, 500) for _ in range(chance.randint(1, 4))]
                place = chance.randint(0, len(expected)) if kind == "insert" else len(expected)
                cursor.execute(
                    "SELECT playlist_insert_v1(1, 1, %s::bigint[], %s)",
                    (tracks, place if kind == "insert" else None),
                )
                expected[place:place] = tracks
            elif kind == "remove":
                count = chance.randint(1, 3)
                place = chance.randint(0, len(expected) - count)
                cursor.execute("SELECT playlist_remove_v1(1, 1, %s, %s)", (place, count))
                del expected[place : place + count]
            else:
                count = chance.randint(1, 4)
                place = chance.randint(0, len(expected) - count)
                before = chance.randint(0, len(expected))
                cursor.execute("SELECT playlist_move_v1(1, 1, %s, %s, %s)", (place, before, count))
                if not place <= before <= place + count:
                    moved = expected[place : place + count]
                    del expected[place : place + count]
                    target = before - count if before > place else before
                    expected[target:target] = moved
            (version,) = cursor.fetchone() or (0,)
            versions[version] = list(expected)
        for version, held in versions.items():
            cursor.execute(CONTENTS, (version,))
            assert cursor.fetchone() == (held or None,), version
        cursor.execute("SELECT array_agg(track_id ORDER BY rank) FROM playlist_items WHERE playlist_id = 1")
        assert cursor.fetchone() == (expected,)
        cursor.execute(CONTENTS, (None,))
        assert cursor.fetchone() == (expected,)
        cursor.execute("SELECT count(*) FROM playlist_snapshots WHERE playlist_id = 1")
        assert cursor.fetchone() == (len(versions),)


def test_an_insertion_rewrites_no_neighbour(scene: str) -> None:
    rows(scene, "SELECT playlist_insert_v1(1, 1, ARRAY(SELECT generate_series(1, 100)))")
    before = set(rows(scene, "SELECT xmin::text, rank, track_id FROM playlist_items"))
    rows(scene, "SELECT playlist_insert_v1(1, 1, ARRAY[500], 50)")
    after = set(rows(scene, "SELECT xmin::text, rank, track_id FROM playlist_items"))
    assert before < after
    assert len(after - before) == 1


def test_a_thousand_insertions_at_one_place_stay_short_and_can_be_renumbered(scene: str) -> None:
    rows(scene, "SELECT playlist_insert_v1(1, 1, ARRAY[1, 2])")
    with connected(scene) as connection, connection.cursor() as cursor:
        for number in range(1_000):
            cursor.execute("SELECT playlist_insert_v1(1, 1, ARRAY[%s], 1)", (number % 498 + 3,))
    ((digits,),) = rows(scene, "SELECT max(scale(rank)) FROM playlist_items")
    assert 100 < int(str(digits)) <= 400
    held = rows(scene, CONTENTS, (None,))
    rows(scene, "SELECT playlist_renumber_v1(1, 1)")
    assert rows(scene, "SELECT max(scale(rank)) FROM playlist_items") == [(0,)]
    assert rows(scene, CONTENTS, (None,)) == held


@pytest.mark.parametrize(
    ("lower", "upper", "wanted", "found"),
    [
        (None, None, 3, ["1", "2", "3"]),
        ("5", None, 2, ["6", "7"]),
        (None, "5", 2, ["3", "4"]),
        ("1", "2", 1, ["1.5"]),
        ("1", "2", 9, ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9"]),
        ("-3", "10", 1, ["3"]),
        ("0.999", "1.001", 1, ["1"]),
        ("1", "2", 0, []),
    ],
)
def test_ranks_are_the_shortest_that_fit(
    url: str, lower: str, upper: str, wanted: int, found: list[str]
) -> None:
    query = "SELECT rank::text FROM ranks_between_v1(%s, %s, %s) AS rank"
    assert [rank for (rank,) in rows(url, query, (lower, upper, wanted))] == found


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("playlist_insert_v1(1, 1, ARRAY[1], -1)", "position -1 is before the first"),
        ("playlist_insert_v1(1, 1, ARRAY[1], 0, 7)", "is at version 2, no longer at 7"),
        ("playlist_insert_v1(1, 99, ARRAY[1])", "there is no playlist 99"),
        ("playlist_insert_v1(1, 1, ARRAY[9999])", "playlist_items_track_id_fkey"),
        ("playlist_remove_v1(1, 1, 2, 5)", "has no 5 items from position 2"),
        ("playlist_remove_v1(1, 1, -1)", "has no 1 items from position -1"),
        ("playlist_move_v1(1, 1, 3, 0)", "has no 1 items from position 3"),
        ("ranks_between_v1(2, 1, 1)", "there is no rank between 2 and 1"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    scene: str, call: str, problem: str
) -> None:
    rows(scene, "SELECT playlist_insert_v1(1, 1, ARRAY[1, 2, 3])")
    with pytest.raises(psycopg2.Error, match=problem):
        rows(scene, f"SELECT {call}")
    assert rows(scene, CONTENTS, (None,)) == [([1, 2, 3],)]
    assert rows(scene, "SELECT snapshot_id FROM playlists WHERE id = 1") == [(2,)]


def test_many_at_once_lose_nothing_and_never_deadlock(scene: str) -> None:
    failures: list[BaseException] = []

    def add(first: int) -> None:
        try:
            with connected(scene) as connection, connection.cursor() as cursor:
                for number in range(25):
                    cursor.execute("SELECT playlist_insert_v1(1, 1, ARRAY[%s], 0)", (first + number,))
                    cursor.execute("SELECT playlist_insert_v1(1, 2, ARRAY[%s])", (first + number,))
        except psycopg2.Error as error:
            failures.append(error)

    workers = [threading.Thread(target=add, args=(100 * worker,)) for worker in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    expected = sorted(100 * worker + number for worker in range(1, 5) for number in range(25))
    for playlist in (1, 2):
        ((held,),) = rows(
            scene,
            "SELECT array_agg(track_id ORDER BY track_id) FROM playlist_contents_v1(1, %s)",
            (playlist,),
        )
        assert held == expected
        assert rows(scene, "SELECT snapshot_id FROM playlists WHERE id = %s", (playlist,)) == [(101,)]


@pytest.mark.parametrize(("person", "may"), [(1, True), (2, True), (3, False)])
def test_the_owner_and_a_collaborator_change_a_list_and_a_stranger_does_not(
    scene: str, person: int, may: bool
) -> None:
    rows(scene, "SELECT playlist_insert_v1(1, 1, ARRAY[1, 2, 3])")
    calls = [
        "playlist_insert_v1(1, 1, ARRAY[4])",
        "playlist_move_v1(1, 1, 0, 2)",
        "playlist_remove_v1(1, 1, 0)",
    ]
    for call in calls:
        with connected(scene) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET ROLE agent_app; SET app.user_id = '{person}'")
            if may:
                cursor.execute(f"SELECT {call}")
            else:
                with pytest.raises(psycopg2.Error):
                    cursor.execute(f"SELECT {call}")
    expected = [1, 3, 4] if may else [1, 2, 3]
    assert rows(scene, CONTENTS, (None,)) == [(expected,)]
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE agent_app; SET app.user_id = '{person}'")
        cursor.execute("SELECT count(*) FROM playlist_items")
        assert cursor.fetchall() == [(3 if may else 0,)]


def test_a_person_goes_with_all_lists_and_their_past(scene: str) -> None:
    rows(scene, "SELECT playlist_insert_v1(1, 1, ARRAY[1, 2, 3])")
    rows(scene, "SELECT playlist_remove_v1(1, 1, 0)")
    rows(scene, "DELETE FROM users WHERE id = 1")
    for table in (
        "playlists",
        "playlist_items",
        "playlist_item_versions",
        "playlist_snapshots",
        "playlist_collaborators",
    ):
        assert rows(scene, f"SELECT count(*) FROM {table}") == [(0,)]
    assert rows(
        scene, "SELECT count(*) FROM audit_log WHERE entity_type = 'playlist_item' AND action = 'delete'"
    ) == [(3,)]


def test_an_item_stays_in_its_list(scene: str) -> None:
    rows(scene, "SELECT playlist_insert_v1(1, 1, ARRAY[1])")
    with pytest.raises(psycopg2.Error, match="does not move to another playlist"):
        rows(scene, "UPDATE playlist_items SET playlist_id = 2")
