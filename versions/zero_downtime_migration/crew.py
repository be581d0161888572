"""Let several sessions fill at once, each range by one of them, while the caller's session watches."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event

from spotify_ai_agent_migrations.versions.core.session import beside
from spotify_ai_agent_migrations.versions.zero_downtime_migration.batch import Job
from spotify_ai_agent_migrations.versions.zero_downtime_migration.gate import Over
from spotify_ai_agent_migrations.versions.zero_downtime_migration.ranges import Range
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.walking import walk
from spotify_ai_agent_migrations.versions.zero_downtime_migration.watching import Watch, watch


def fill(watched: Watch, job: Job, left: Sequence[Range]) -> int:
    """Fill ranges to their ends; return how many rows were written.

    When one worker fails, or the caller is interrupted, the others end with the batch they are at.
    """
    queue: SimpleQueue[Range] = SimpleQueue()
    for one in left:
        queue.put(one)
    over, many = Event(), min(watched.pace.workers, len(left))
    role = str(watched.session.value("role"))
    with ThreadPoolExecutor(many, "backfill") as pool:
        workers = [pool.submit(_work, watched, job, queue, role) for _ in range(many)]

        def ended(one: Future[int]) -> None:
            if one.exception():
                watched.gate.end()
            if one.exception() or all(each.done() for each in workers):
                over.set()

        for worker in workers:
            worker.add_done_callback(ended)
        try:
            watch(watched, over)
        finally:
            if not over.is_set():
                watched.gate.end()
    return sum(worker.result() for worker in workers)


def _work(watched: Watch, job: Job, queue: SimpleQueue[Range], role: str) -> int:
    """Fill one range after the other until none is left, or it is over; return how many rows were written."""
    written = 0
    with beside(watched.session.connection, role) as connection:
        session = Session(connection)
        watched.gate.join(connection.info.backend_pid)
        while True:
            try:
                written += walk(session, job, queue.get_nowait(), watched.pace, watched.gate)
            except (Empty, Over):
                return written
