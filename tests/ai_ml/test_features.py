"""Features as they were known at an instant: nothing of the future, whatever order it came in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest
from ai_ml.scene import acting, add_person, add_tracks, ask, one, refused, refused_on
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from support import connected, rows

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
FEATURES = ["tempo@1", "mood@2"]


def at(hour: int) -> datetime:
    return EPOCH + timedelta(hours=hour)


@pytest.fixture
def defined(url: str) -> str:
    rows(
        url,
        "INSERT INTO feature_definitions (name, version, entity, dtype, description, source)"
        " VALUES ('tempo', 1, 'track', 'number', 'd', 'internal'), ('mood', 2, 'track', 'number', 'd', 'internal'),"
        " ('plays', 1, 'user', 'number', 'd', 'internal')",
    )
    return url


@pytest.fixture
def transaction(defined: str) -> Iterator[Connection]:
    """A transaction that every example begins and rolls back."""
    with connected(defined, autocommit=False) as connection:
        yield connection


# Track 1 or 2, one of two features, when it was so, when it was known.
keys = st.tuples(st.sampled_from([1, 2]), st.sampled_from(FEATURES), st.integers(0, 6), st.integers(0, 6))
Values = dict[tuple[int, str, int, int], int]


def known(values: Values, track: int, feature: str, hour: int) -> int | None:
    """What was known: of all that was so and known by then, the latest."""
    candidates = [
        (event, created, value)
        for (of, name, event, created), value in values.items()
        if of == track and name == feature and event <= hour and created <= hour
    ]
    return max(candidates)[2] if candidates else None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(keys, st.integers(), max_size=25),
    asked=st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(-1, 7)), min_size=1, max_size=8),
)
def test_nothing_is_known_before_it_was_so_and_was_written(
    transaction: Connection, values: Values, asked: list[tuple[int, int]]
) -> None:
    with transaction.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tracks (id, title, source) VALUES (1, 'a', 'internal'), (2, 'b', 'internal')"
        )
        execute_values(
            cursor,
            "INSERT INTO track_features (track_id, feature, event_at, created_at, value) VALUES %s",
            [
                (track, feature, at(event), at(created), str(value))
                for (track, feature, event, created), value in values.items()
            ] or [(1, "tempo@1", at(99), at(99), "0")],
        )  # fmt: skip
    for track, hour in asked:
        found = ask(
            transaction,
            "SELECT feature, value FROM features_as_of_v1('track', %s, %s, %s)",
            (track, FEATURES, at(hour)),
        )
        assert found == [(feature, known(values, track, feature, hour)) for feature in FEATURES]
    together = ask(
        transaction,
        "SELECT entity_id, at, feature, value FROM training_set_v1('track', %s, %s, %s)",
        ([track for track, _ in asked], [at(hour) for _, hour in asked], FEATURES),
    )
    assert together == [
        (track, at(hour), feature, known(values, track, feature, hour))
        for track, hour in asked
        for feature in FEATURES
    ]
    transaction.rollback()


def test_a_training_set_is_read_from_the_index_alone(defined: str) -> None:
    tracks = add_tracks(defined, 200)
    rows(
        defined,
        "INSERT INTO track_features (track_id, feature, event_at, created_at, value)"
        " SELECT track, feature, %s + hour * INTERVAL '1 hour', %s + hour * INTERVAL '1 hour', to_jsonb(hour)"
        " FROM unnest(%s) AS track, unnest(%s) AS feature, generate_series(1, 50) AS hour",
        (EPOCH, EPOCH, tracks, FEATURES),
    )
    rows(defined, "VACUUM ANALYZE track_features")
    with connected(defined) as connection:
        ask(
            connection,
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;"
            " SET auto_explain.log_nested_statements = on; SET client_min_messages = log",
        )
        found = ask(
            connection,
            "SELECT value FROM training_set_v1('track', %s, %s, %s)",
            (tracks, [at(20)] * 200, FEATURES),
        )
        plan = "".join(connection.notices)
    assert found == [(20,)] * 400
    assert "Index Only Scan Backward using track_features_pkey" in plan
    assert "Heap Fetches: 0" in plan


def test_a_training_set_leaves_out_who_did_not_consent(defined: str) -> None:
    people = [add_person(defined) for _ in range(3)]
    rows(
        defined,
        "INSERT INTO user_features (user_id, feature, event_at, created_at, value)"
        " SELECT person, 'plays@1', %s, %s, '7' FROM unnest(%s) AS person",
        (EPOCH, EPOCH, people),
    )
    consent = "SELECT record_consent_v1(%s, 'model_training', %s, '1', 'en', 'web')"
    rows(defined, consent, (people[0], True))
    rows(defined, consent, (people[1], False))
    query = "SELECT entity_id, value FROM training_set_v1('user', %s, %s, '{plays@1}')"
    assert rows(defined, query, (people, [at(1)] * 3)) == [(people[0], 7)]


def test_a_feature_nobody_defined_is_refused(defined: str) -> None:
    assert refused(defined, "SELECT * FROM features_as_of_v1('track', 1, '{tempo@1,temp@1}', now())") == (
        'there is no feature "temp@1" of a track',
        "name features as name@version, as in feature_definitions",
    )
    assert refused(defined, "SELECT * FROM training_set_v1('user', '{1}', '{now}', '{tempo@1}')")[0] == (
        'there is no feature "tempo@1" of a user'
    )
    assert refused(defined, "SELECT * FROM training_set_v1('track', '{1,2}', '{now}', '{tempo@1}')")[0] == (
        "there are 2 entities and 1 instants"
    )


@pytest.mark.parametrize(("feature", "value"), [("tempo@1", '"fast"'), ("plays@1", "1")])
def test_a_value_is_what_its_feature_is_defined_to_be(defined: str, feature: str, value: str) -> None:
    [track] = add_tracks(defined, 1)
    insert = "INSERT INTO track_features (track_id, feature, event_at, value) VALUES (%s, %s, now(), %s)"
    problem, hint = refused(defined, insert, (track, feature, value))
    assert problem in {'feature "tempo@1" is a number of a track', 'feature "plays@1" is a number of a user'}
    assert hint == "write a JSON value of that type, in the table of that entity"
    rows(defined, insert, (track, "tempo@1", "120.5"))
    rows(defined, insert, (track, "mood@2", "null"))
    assert one(defined, "SELECT count(*) FROM track_features") == 2


def test_a_value_is_corrected_by_a_later_one(defined: str) -> None:
    [track] = add_tracks(defined, 1)
    rows(
        defined,
        "INSERT INTO track_features (track_id, feature, event_at, value) VALUES (%s, 'tempo@1', now(), '1')",
        (track,),
    )
    assert (
        refused(defined, "UPDATE track_features SET value = '2'")[0]
        == '"public.track_features" is append-only'
    )


def test_the_application_writes_its_own_person_and_dates_nothing_back(defined: str) -> None:
    person, other = add_person(defined), add_person(defined)
    insert = (
        "INSERT INTO user_features (user_id, feature, event_at, value) VALUES (%s, 'plays@1', now(), '1')"
    )
    with acting(defined, user_id=person) as connection:
        ask(connection, insert, (person,))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            ask(connection, insert, (other,))
        dated = insert.replace("value)", "value, created_at)").replace("'1')", "'1', '2020-01-01')")
        assert refused_on(connection, dated, (person,))[0] == "permission denied for table user_features"
        query = "SELECT value FROM features_as_of_v1('user', %s, '{plays@1}', now())"
        assert ask(connection, query, (person,)) == [(1,)]
    with acting(defined, user_id=other) as connection:
        assert ask(connection, query, (person,)) == [(None,)]
    with acting(defined) as connection:
        assert ask(connection, "SELECT count(*) FROM user_features") == [(0,)]
    with acting(defined, "agent_readonly") as connection:
        assert refused_on(connection, query, (person,))[0] == "permission denied for table user_features"
