"""What the tests of models and agents begin with: a person, a model, a conversation, vectors."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from support import connected, rows

CALL = "SELECT status FROM request_tool_call_v1(%s, %s, %s, %s, %s, %s, %s, %s)"


def one(url: str, statement: str, values: object = None) -> Any:
    """The only value of a query."""
    [(value,)] = rows(url, statement, values)
    return value


def add_person(url: str) -> int:
    return int(one(url, "INSERT INTO users DEFAULT VALUES RETURNING id"))


def add_model(
    url: str, name: str = "ear", *, task: str = "embedding", dimensions: int | None = 4, status: str = "ready"
) -> int:
    """The key of version 1 of a new model."""
    return int(
        one(
            url,
            "WITH model AS (INSERT INTO ai_models (name, task, owner, description)"
            " VALUES (%s, %s, 'ml', 'made by a test') RETURNING id)"
            " INSERT INTO model_versions (model_id, version, dimensions, status)"
            " SELECT id, 1, %s, %s FROM model RETURNING id",
            (name, task, dimensions, status),
        )
    )


def add_version(url: str, of: int, *, version: int, status: str = "ready") -> int:
    return int(
        one(
            url,
            "INSERT INTO model_versions (model_id, version, parent_version_id, dimensions, status)"
            " SELECT model_id, %s, id, dimensions, %s FROM model_versions WHERE id = %s RETURNING id",
            (version, status, of),
        )
    )


def add_conversation(url: str, person: int) -> int:
    return int(
        one(
            url,
            "INSERT INTO agent_conversations (user_id, agent, locale) VALUES (%s, 'dj', 'en') RETURNING id",
            (person,),
        )
    )


def add_tracks(url: str, count: int, *, source: str = "internal") -> list[int]:
    made = rows(
        url,
        "INSERT INTO tracks (title, source) SELECT 'track ' || place, %s"
        " FROM generate_series(1, %s) AS place RETURNING id",
        (source, count),
    )
    return [int(str(track)) for (track,) in made]


def forbid(url: str, source: str = "spotify") -> str:
    """A source whose terms forbid machine learning."""
    rows(url, "INSERT INTO data_sources (code, licence) VALUES (%s, 'terms')", (source,))
    return source


def vectors(count: int, dimensions: int, *, seed: int) -> list[list[float]]:
    chance = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    return [[chance.gauss(0, 1) for _ in range(dimensions)] for _ in range(count)]


def embed(url: str, version: int, tracks: Sequence[int], values: Sequence[Sequence[float]]) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO track_embeddings (track_id, model_version_id, embedding, content_hash, source) VALUES %s",
            [
                (track, version, list(value), b"\0" * 32, "internal")
                for track, value in zip(tracks, values, strict=True)
            ],
            template="(%s, %s, %s::real[], %s, %s)",
        )


@contextmanager
def acting(url: str, role: str = "agent_app", **settings: object) -> Iterator[Connection]:
    """A connection that acts as *role*, with settings `app.…`."""
    with connected(url) as connection, connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (f"app.{name}", str(value)))
        cursor.execute(f"SET ROLE {role}")
        yield connection


def ask(connection: Connection, statement: str, values: object = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def refused(url: str, statement: str, values: object = None) -> tuple[str, str]:
    """The problem and the hint with which the server refuses a statement."""
    with connected(url) as connection:
        return refused_on(connection, statement, values)


def refused_on(connection: Connection, statement: str, values: object = None) -> tuple[str, str]:
    with pytest.raises(psycopg2.Error) as caught:
        ask(connection, statement, values)
    diagnosis = caught.value.diag
    return str(diagnosis.message_primary), str(diagnosis.message_hint)


def has_pgvector(url: str) -> bool:
    return bool(one(url, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'"))
