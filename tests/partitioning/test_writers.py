"""While others write: no acknowledged write is lost, none comes back, and nobody waits longer than the bound."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from partitioning.scene import settings

from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.core.retry import Patience
from spotify_ai_agent_migrations.versions.partitioning import convert, unconvert
from spotify_ai_agent_migrations.versions.partitioning.session import Bounds
from support import connected, rows, until


class Writer(threading.Thread):
    """Inserts, updates and deletes rows of its own, and keeps what was acknowledged of each."""

    def __init__(self, url: str, over: threading.Event, seed: int) -> None:
        super().__init__()
        self.url, self.over, self.chance = url, over, random.Random(seed)  # noqa: S311
        self.amounts: dict[int, int | None] = {}
        self.longest_s = 0.0
        self.writes = 0
        self.errors: list[str] = []

    def run(self) -> None:
        with connected(self.url) as connection, connection.cursor() as cursor:
            while not self.over.is_set():
                began_s = time.monotonic()
                try:
                    self._write(cursor)
                except psycopg2.Error as error:
                    self.errors.append(str(error))
                self.longest_s = max(self.longest_s, time.monotonic() - began_s)
                self.writes += 1
                time.sleep(0.002)

    def _write(self, cursor: psycopg2.extensions.cursor) -> None:
        known = [key for key, amount in self.amounts.items() if amount is not None]
        act = self.chance.random()
        if act < 0.5 or not known:
            cursor.execute('INSERT INTO "Odd" (tenant_id, amount) VALUES (1, 1) RETURNING id')
            self.amounts[cursor.fetchone()[0]] = 1  # type: ignore[index]
        elif act < 0.85:
            key, amount = self.chance.choice(known), self.chance.randrange(1000)
            cursor.execute('UPDATE "Odd" SET amount = %s WHERE id = %s', (amount, key))
            assert cursor.rowcount == 1, f"row {key} was not there"
            self.amounts[key] = amount
        else:
            key = self.chance.choice(known)
            cursor.execute('DELETE FROM "Odd" WHERE id = %s', (key,))
            assert cursor.rowcount == 1, f"row {key} was not there"
            self.amounts[key] = None


@contextmanager
def writing(url: str) -> Iterator[list[Writer]]:
    over = threading.Event()
    writers = [Writer(url, over, seed) for seed in range(3)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        over.set()
        for writer in writers:
            writer.join(timeout=30)


def written(writers: list[Writer], count: int) -> None:
    """Wait until so many writes more have been tried."""
    before = sum(writer.writes for writer in writers)
    until(lambda: sum(writer.writes for writer in writers) >= before + count)


def audited(url: str, writers: list[Writer]) -> int:
    """Compare what was acknowledged with what is there; return how many writes that were."""
    assert [error for writer in writers for error in writer.errors] == []
    assert not any(writer.is_alive() for writer in writers)
    found = {
        int(str(key)): amount
        for key, amount in rows(url, 'SELECT id, amount::int FROM "Odd" WHERE id > 2000')
    }
    said = {key: amount for writer in writers for key, amount in writer.amounts.items()}
    assert {key: amount for key, amount in said.items() if amount is not None} == found
    return sum(writer.writes for writer in writers)


def test_every_acknowledged_write_is_there_after_convert_and_undo(scene: str) -> None:
    with writing(scene) as writers:
        written(writers, 100)
        for _ in range(2):
            convert('"Odd"', "at", premake=2, settings=settings(scene))
            written(writers, 50)
            unconvert('"Odd"', settings=settings(scene))
    assert audited(scene, writers) > 200


@pytest.mark.parametrize("reads", ['"Odd"', "recent_names"])
def test_with_a_report_in_the_way_nobody_waits_longer_than_the_bound(scene: str, reads: str) -> None:
    bounds = Bounds(lock_timeout_ms=500, patience=Patience(tries=4, base_s=0.1, most_s=0.1))
    with connected(scene, autocommit=False) as report:
        report.cursor().execute(f"SELECT count(*) FROM {reads}")
        with writing(scene) as writers:
            with pytest.raises(LockError) as gave_up:
                convert('"Odd"', "at", premake=1, settings=settings(scene), bounds=bounds)
            written(writers, 10)
    assert gave_up.value.problem.startswith("gave up after 4 tries of 500 ms: ")
    assert audited(scene, writers) > 20
    # One try, and what a busy machine adds to it; all of them take two seconds.
    assert 0.25 < max(writer.longest_s for writer in writers) < 1.5
    assert convert('"Odd"', "at", premake=1, settings=settings(scene)).bound is not None
