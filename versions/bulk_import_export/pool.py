"""Hand blocks out in order to sessions that load side by side. Knows no SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Condition, Event, Lock, Thread
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.bulk_import_export.cutting import BLOCK_BYTES
from spotify_ai_agent_migrations.versions.bulk_import_export.prepare import Prepared
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from spotify_ai_agent_migrations.versions.core.errors import FileError

_POLL_S: Final = 0.1
Work = Callable[[Session, Prepared], None]


class BlockError(Exception):
    """What went wrong with one block; the first in the order of the file is the one to tell."""

    def __init__(self, session: Session, prepared: Prepared, error: BaseException) -> None:
        super().__init__()
        self.session = session
        self.prepared = prepared
        self.error = error


class CutShortError(Exception):
    """The rest of the file cannot be read; it is told once what lies before it is loaded."""

    def __init__(self, error: FileError) -> None:
        super().__init__()
        self.error = error


class Pool:
    """Some sessions at work on the blocks of one file."""

    def __init__(self, sessions: Sequence[Session], work: Work) -> None:
        self._sessions = sessions
        self._work = work
        self._queue: Queue[Prepared | None] = Queue(maxsize=len(sessions) + 1)
        # As many bytes as so many blocks have, and not of so many long records.
        self._bytes_most = (2 * len(sessions) + 2) * BLOCK_BYTES
        self._bytes = 0
        self._room = Condition()
        self._failed = Event()
        self._lock = Lock()
        self._errors: list[BlockError] = []

    def load(self, blocks: Iterator[Prepared]) -> None:
        """Load all of *blocks*.

        Raises:
            BlockError: of the first block, in the order of the file, that could not be loaded.
            Malformed: a record that could not even be sent, unless an earlier block failed.
            CutShortError: of the rest nothing can be read, unless a block failed.
        """
        threads = [Thread(target=self._serve, args=(session,), daemon=True) for session in self._sessions]
        for thread in threads:
            thread.start()
        fault: Malformed | CutShortError | None = None
        try:
            fault = self._feed(blocks)
            self._join(threads)
        except BaseException:
            self._cancel(threads)
            raise
        if self._errors:
            raise min(self._errors, key=lambda found: found.prepared.number)
        if fault is not None:
            raise fault

    def _feed(self, blocks: Iterator[Prepared]) -> Malformed | CutShortError | None:
        fault: Malformed | CutShortError | None = None
        try:
            for prepared in blocks:
                size_bytes = len(prepared.block.data)
                if not self._put(prepared):
                    break
                # A long one would be held while the next is read.
                del prepared
                self._wait_for_room(size_bytes)
        except (Malformed, CutShortError) as found:
            fault = found
        for _ in self._sessions:
            self._put(None)
        return fault

    def _put(self, prepared: Prepared | None) -> bool:
        while not self._failed.is_set():
            with suppress(Full):
                self._queue.put(prepared, timeout=_POLL_S)
                return True
        return False

    def _wait_for_room(self, size_bytes: int) -> None:
        """Wait until what was handed out, the last of *size_bytes*, is no more than may lie there."""
        with self._room:
            self._bytes += size_bytes
            while self._bytes > self._bytes_most and not self._failed.is_set():
                self._room.wait(_POLL_S)

    def _make_room(self, size_bytes: int) -> None:
        with self._room:
            self._bytes -= size_bytes
            self._room.notify()

    def _serve(self, session: Session) -> None:
        while not self._failed.is_set():
            try:
                prepared = self._queue.get(timeout=_POLL_S)
            except Empty:
                continue
            if prepared is None:
                return
            try:
                self._work(session, prepared)
            except BaseException as error:  # noqa: BLE001  (it is raised where it is waited for)
                with self._lock:
                    self._errors.append(BlockError(session, prepared, error))
                self._failed.set()
            self._make_room(len(prepared.block.data))
            prepared = None

    @staticmethod
    def _join(threads: Sequence[Thread]) -> None:
        # In short waits, or Ctrl-C would wait as long.
        for thread in threads:
            while thread.is_alive():
                thread.join(_POLL_S)

    def _cancel(self, threads: Sequence[Thread]) -> None:
        """End what the sessions are doing on the server, then wait for their threads."""
        self._failed.set()
        for session in self._sessions:
            with suppress(psycopg2.Error):
                session.connection.cancel()
        for thread in threads:
            thread.join(10)
