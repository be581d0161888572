"""Writers who write of people while those are erased: nothing of them is left, then or a minute later."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from support import connected, rows, until

FIRST = 9_000_001
# What has no foreign key, what has one, what calls others, and what was there and changes: by each of them a row is written.
WRITES = (
    "INSERT INTO analytics (user_id, event_name) VALUES (%(who)s, 'a.b')",
    "INSERT INTO listens (user_id, track_id, listened_at) VALUES (%(who)s, 1, clock_timestamp())",
    "INSERT INTO playlists (user_id, name) VALUES (%(who)s, 'list')",
    "SELECT record_consent_v1(%(who)s, 'analytics', true, '1', 'en', 'web')",
    "UPDATE users SET display_name = 'again' WHERE id = %(who)s",
    "INSERT INTO user_features (user_id, feature, event_at, value) VALUES (%(who)s, 'taste@1', clock_timestamp(), '1')",
)
LEFT = """
SELECT (SELECT count(*) FROM analytics WHERE user_id >= %(first)s) + (SELECT count(*) FROM listens WHERE user_id >= %(first)s)
       + (SELECT count(*) FROM playlists WHERE user_id >= %(first)s) + (SELECT count(*) FROM playlist_snapshots WHERE user_id >= %(first)s)
       + (SELECT count(*) FROM consent WHERE user_id >= %(first)s) + (SELECT count(*) FROM user_features WHERE user_id >= %(first)s)
       + (SELECT count(*) FROM users WHERE id >= %(first)s AND (display_name IS NOT NULL OR status <> 'erased'))
       + (SELECT count(*) FROM ops.pseudonyms WHERE user_id >= %(first)s)
       + (SELECT count(*) FROM audit_log WHERE entity_id >= %(first)s AND entity_type IN ('user', 'consent', 'user_feature', 'user_identity')
             AND action <> 'erase')
"""


@dataclass
class Writers:
    """Sessions that write of people at random until they are told to stop, and what came of it."""

    url: str
    people: tuple[int, ...]
    kinds: tuple[str, ...]
    stopped: threading.Event = field(default_factory=threading.Event)
    outcome: Counter[str] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def write(self, number: int) -> None:
        """Write, at random at READ COMMITTED, at REPEATABLE READ, or in a transaction that is prepared first."""
        chance = random.Random(number)  # noqa: S311  (the same in every run)
        with connected(self.url, autocommit=False) as connection:
            while not self.stopped.is_set():
                kind = chance.choice(self.kinds)
                try:
                    self._transaction(connection, kind, chance)
                except psycopg2.errors.CheckViolation:
                    connection.rollback()
                    self.outcome["refused"] += 1
                except psycopg2.errors.OperationalError:
                    # Two at once; who is serialised out tries again.
                    connection.rollback()
                    self.outcome["again"] += 1

    def _transaction(self, connection: Connection, kind: str, chance: random.Random) -> None:
        with connection.cursor() as cursor:
            level = "REPEATABLE READ" if kind == "repeatable read" else "READ COMMITTED"
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            cursor.execute("SELECT 1 FROM users LIMIT 1")
            # A snapshot that is older than what it does not see.
            time.sleep(chance.random() * 0.06)
            for write in chance.sample(WRITES, 2):
                cursor.execute(write, {"who": chance.choice(self.people)})
            time.sleep(chance.random() * 0.06)
            if kind == "prepared":
                self._prepared(connection, chance)
            else:
                connection.commit()
        self.outcome[kind] += 1

    def _prepared(self, connection: Connection, chance: random.Random) -> None:
        name = f"w{next(self.numbers)}"
        with connection.cursor() as cursor:
            cursor.execute("PREPARE TRANSACTION %s", (name,))
        connection.rollback()
        time.sleep(chance.random() * 0.06)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("COMMIT PREPARED %s", (name,))
        connection.autocommit = False


@contextmanager
def writing(url: str, people: tuple[int, ...], *, writers: int) -> Iterator[Counter[str]]:
    """So many writers beside the block; ended, and without a failure, at its end."""
    kinds = ["read committed", "repeatable read"]
    if int(str(rows(url, "SHOW max_prepared_transactions")[0][0])) >= writers:
        kinds.append("prepared")
    crowd = Writers(url, people, tuple(kinds))
    with ThreadPoolExecutor(writers) as pool:
        running = [pool.submit(crowd.write, number) for number in range(writers)]
        try:
            until(lambda: min(crowd.outcome[kind] for kind in kinds) > 0)
            yield crowd.outcome
        finally:
            crowd.stopped.set()
    for one in running:
        one.result()


@pytest.fixture
def people(url: str, request: pytest.FixtureRequest) -> tuple[int, ...]:
    """Ten people whom everybody writes of, or a hundred."""
    last = FIRST + (100 if request.config.getoption("--soak") else 10)
    rows(
        url,
        "INSERT INTO tracks (id, title, source) VALUES (1, 't', 'internal');"
        "INSERT INTO feature_definitions (name, version, entity, dtype, description, source) VALUES ('taste', 1, 'user', 'number', 'd', 'internal');"
        "INSERT INTO users (id, display_name) SELECT n, 'somebody' FROM generate_series(%s, %s) AS n",
        (FIRST, last - 1),
    )
    return tuple(range(FIRST, last))


def test_nothing_is_left_of_anybody_when_they_are_certified_or_later(
    url: str, people: tuple[int, ...], keys: Keyring, request: pytest.FixtureRequest
) -> None:
    many = request.config.getoption("--soak")
    with writing(url, people, writers=16 if many else 4) as outcome:
        for person in people:
            assert erase_user(person, wait_s=120, url=url).verify(keys)
            # Of this one nothing is left from here on, although all write of them still.
            assert rows(url, LEFT.replace(">= %(first)s", "= %(first)s"), {"first": person}) == [(0,)]
        time.sleep(60 if many else 1)
        assert rows(url, LEFT, {"first": FIRST}) == [(0,)]
    assert rows(url, LEFT, {"first": FIRST}) == [(0,)]
    # They did write, and of whom they wrote they were refused.
    assert outcome["read committed"] > 0
    assert outcome["refused"] > len(people)


def test_without_looking_again_something_is_left(url: str, people: tuple[int, ...], keys: Keyring) -> None:
    """A transaction that began before passes every guard: the sweep is no precaution, it is needed."""
    person = people[0]
    with connected(url, autocommit=False) as old, old.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM users")
        with ThreadPoolExecutor(1) as pool:
            erasing = pool.submit(erase_user, person, wait_s=60, url=url)
            until(lambda: rows(url, "SELECT state FROM ops.erasures") == [("erased",)])
            cursor.execute(WRITES[0], {"who": person})
            old.commit()
            certificate = erasing.result()
    assert certificate.verify(keys)
    assert rows(url, "SELECT sum(swept_rows)::integer FROM ops.erasure_steps") == [(1,)]
    assert rows(url, "SELECT count(*) FROM analytics WHERE user_id = %s", (person,)) == [(0,)]
