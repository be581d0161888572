"""Where a history is kept: in a file of this machine, or in the table of the database that was asked."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg2
from psycopg2.errors import UndefinedTable
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from spotify_ai_agent_migrations.versions.core.database import connect, translate
from spotify_ai_agent_migrations.versions.core.errors import FileError, MigrationError, TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, State, Subject
from spotify_ai_agent_migrations.versions.health_check.history import KEEP_DAYS, thinned
from spotify_ai_agent_migrations.versions.health_check.past import Past
from spotify_ai_agent_migrations.versions.health_check.session import PURPOSE, NoAnswerError, Session

TABLE: Final = "table"
SQL: Final = queries("spotify_ai_agent_migrations.versions.health_check")
_WAIT_S: Final = 2.0
_WRITE_MOST_MS: Final = 5_000
# A file is written anew where that makes it smaller by a tenth.
_WORTH: Final = 10


class Store(Protocol):
    """Where what runs measured is kept."""

    def read(self, *, now: datetime, deadline_s: float) -> list[Past]:
        """Return all that is kept; none of a server that does not answer."""

    def add(self, pasts: Sequence[Past], *, now: datetime) -> None:
        """Keep *pasts*, and forget of earlier ones what is not worth its room any more."""


def store(place: str, *, url: str | None = None) -> Store:
    """Return the history that *place* names: `table`, or else a file."""
    if place == TABLE:
        settings = resolve_settings(url, statement_timeout_ms=_WRITE_MOST_MS, lock_timeout_ms=1_000)
        return TableStore(settings)
    return FileStore(Path(place))


@dataclass(frozen=True)
class FileStore:
    """A file with a line of JSON for each run; several processes may use it."""

    path: Path
    keep_days: int = KEEP_DAYS

    def read(self, *, now: datetime, deadline_s: float = 0) -> list[Past]:
        """Return all that is kept; none where there is no file.

        Raises:
            FileError: it cannot be read, or a line of it is no record of a run.
        """
        del now, deadline_s
        return [past for _, _, pasts in self._records() for past in pasts]

    def add(self, pasts: Sequence[Past], *, now: datetime) -> None:
        """Keep *pasts*, and forget of earlier ones what is not worth its room any more.

        Raises:
            FileError: it cannot be written, or somebody else writes it for too long; it is as it was.
        """
        if not pasts:
            return
        with _translated(self.path), self._locked():
            lines = [(at, line) for at, line, _ in self._records()]
            kept = thinned((at for at, _ in lines), now=now, keep_days=self.keep_days)
            staying = [line for at, line in lines if at in kept]
            if self._is_torn() or len(lines) - len(staying) > len(lines) // _WORTH:
                self._replace([*staying, *_lines(pasts)])
            else:
                self._append(_lines(pasts))

    def _records(self) -> Iterator[tuple[datetime, str, tuple[Past, ...]]]:
        with _translated(self.path):
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        for number, line in enumerate(text.splitlines(keepends=True), start=1):
            try:
                record = json.loads(line)
                yield _time(record), line.rstrip("\n"), tuple(_pasts(record))
            except (ValueError, KeyError, TypeError) as error:
                # A run that was killed while it wrote has left the beginning of a line, at the end.
                if not line.endswith("\n"):
                    return
                raise FileError(
                    f'line {number} of "{self.path}" is no record of a run',
                    hint="move the file away; the next run begins another",
                ) from error

    def _is_torn(self) -> bool:
        return self.path.exists() and not self.path.read_bytes().endswith(b"\n")

    def _append(self, lines: Iterable[str]) -> None:
        with self.path.open("a", encoding="utf-8") as opened:
            opened.write("".join(f"{line}\n" for line in lines))
            opened.flush()
            os.fsync(opened.fileno())

    def _replace(self, lines: Iterable[str]) -> None:
        # A link stays one.
        path = self.path.resolve()
        beside = path.with_name(f".{path.name}.new")
        with beside.open("w", encoding="utf-8") as opened:
            opened.write("".join(f"{line}\n" for line in lines))
            opened.flush()
            os.fsync(opened.fileno())
        beside.chmod(path.stat().st_mode)
        beside.replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from writing, by a file of its own: the history itself is replaced."""
        until = time.monotonic() + _WAIT_S
        with self.path.with_name(f".{self.path.name}.lock").open("a") as opened:
            while True:
                try:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise FileError(
                            f'another process has been writing "{self.path}" for {_WAIT_S:g} s',
                            hint="give each server a file of its own, or run less often",
                        ) from None
                    time.sleep(0.01)
            yield


@dataclass(frozen=True)
class TableStore:
    """The table `ops.health_history` of the database that is asked; revision 009 makes it."""

    settings: Settings
    keep_days: int = KEEP_DAYS

    def read(self, *, now: datetime, deadline_s: float) -> list[Past]:
        """Return all that is kept; none of a server that does not answer, which the checks will say.

        Locks: ACCESS SHARE on ops.health_history. Time: *deadline_s* at the most.

        Raises:
            MigrationError: the table is not there, or may not be read.
        """
        since = {"since": now - timedelta(days=self.keep_days)}
        with closing(Session(self.settings, deadline=time.monotonic() + deadline_s)) as session:
            try:
                session.open()
            except (NoAnswerError, psycopg2.Error):
                return []
            try:
                rows = session.rows(SQL["history_read"], since, most_s=deadline_s)
            except NoAnswerError:
                return []
            except psycopg2.Error as error:
                raise _refused(error) from error
        return [
            Past(at, check, Subject(kind, schema, name), measure, State(state), mark, database, unit or "")
            for at, check, kind, schema, name, measure, state, mark, database, unit in rows
        ]

    def add(self, pasts: Sequence[Past], *, now: datetime) -> None:
        """Keep *pasts*, and forget of earlier ones what is not worth its room any more.

        Writes: ops.health_history, in one transaction. Locks: ROW EXCLUSIVE.

        Raises:
            MigrationError: the table is not there, may not be written, or is that of a standby.
        """
        if not pasts:
            return
        values = [
            (one.taken_at, one.check, one.subject.kind, one.subject.schema, one.subject.name, one.measure,
             one.state.value, one.fingerprint, one.database, one.unit) for one in pasts
        ]  # fmt: skip
        with connect(self.settings, purpose=PURPOSE) as connection, connection.cursor() as cursor:
            try:
                self._forget(cursor, now)
                execute_values(cursor, SQL["history_add"], values, page_size=1_000)
            except psycopg2.Error as error:
                raise _refused(error) from error

    def _forget(self, cursor: Cursor, now: datetime) -> None:
        cursor.execute(SQL["history_times"])
        times = {at for (at,) in cursor.fetchall()}
        forgotten = times - thinned(times, now=now, keep_days=self.keep_days)
        cursor.execute(SQL["history_forget"], {"times": sorted(forgotten)})


def _refused(error: psycopg2.Error) -> MigrationError:
    if isinstance(error, UndefinedTable):
        return TableError(
            'there is no table "ops.health_history"',
            hint="`alembic upgrade head` makes it; or say --history FILE",
        )
    return translate(error, doing="the history in ops.health_history")


def _lines(pasts: Iterable[Past]) -> Iterator[str]:
    runs = groupby(pasts, key=lambda past: (past.taken_at, past.database))
    for (taken_at, database), some in runs:
        rows = [
            (one.check, one.subject.kind, one.subject.schema, one.subject.name, one.state.value, one.measure,
             one.unit) for one in some
        ]  # fmt: skip
        yield json.dumps({"taken_at": taken_at.isoformat(), "database": database, "rows": rows})


def _pasts(record: Mapping[str, Any]) -> Iterator[Past]:
    taken_at, database = _time(record), str(record["database"])
    for check, kind, schema, name, state, measure, unit in record["rows"]:
        subject, mark = _named(check, kind, schema, name)
        yield Past(taken_at, check, subject, measure, State(state), mark, database, unit)


# A history names the same few things again and again.
@lru_cache(maxsize=4_096)
def _named(check: str, kind: str, schema: str | None, name: str) -> tuple[Subject, str]:
    one = Finding(check, State.OK, Subject(kind, schema, name))
    return one.subject, one.fingerprint


def _time(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(record["taken_at"]).astimezone(timezone.utc)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(
            f'the history "{path}" cannot be used: {error.strerror}',
            hint="name a file in a folder that exists and may be written to",
        ) from error
