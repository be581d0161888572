"""Say in the journal what becomes of each step of a migration: started, then applied, failed or dirty."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psycopg2
import sqlalchemy
from alembic.runtime.migration import MigrationInfo
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.core.fingerprint import hashed, lasting, schema_objects
from spotify_ai_agent_migrations.versions.core.sql import without_literals
from spotify_ai_agent_migrations.versions.governance.checksums import checksum, code_checksum
from spotify_ai_agent_migrations.versions.runner.entry import Entry
from spotify_ai_agent_migrations.versions.runner.journal import Journal, last_unfinished
from spotify_ai_agent_migrations.versions.runner.steps import Step
from spotify_ai_agent_migrations.versions.runner.texts import Texts

_log: Final = logging.getLogger("spotify_ai_agent_migrations")
# To describe the schema costs as much as there is of it. Of a long run the last steps are described, to which
# somebody may want to go back; the first thousand of a new database would take longer than all their changes.
_DESCRIBED: Final = 20
_ALONE: Final = "autocommit_block"
_KILLED: Final = "its process ended without a word"


class Record:
    """The entries of one migration, whose connection is *connection*."""

    def __init__(
        self,
        journal: Journal,
        connection: Connection,
        scripts: ScriptDirectory,
        texts: Texts,
        *,
        reason: str | None = None,
    ) -> None:
        self._reason = reason
        self._texts = texts
        self._journal = journal
        self._connection = connection
        self._scripts = scripts
        self._fingerprint: str | None = None
        self._attempt: Entry | None = None
        self._left = 0
        self._began_s = time.monotonic()

    def mend(self) -> None:
        """Write how an earlier attempt ended, if its process was killed; call it under the migration lock."""
        left = last_unfinished(self._connection)
        self._connection.rollback()
        if left is not None:
            self._journal.write(replace(left.entry, state=self._end_of(left.entry.revision), reason=_KILLED))

    def start(self, step: Step) -> None:
        """Write that *step* is tried; call it in the transaction of the step, before its first statement.

        Raises:
            RevisionError: its file is not the one that was loaded.
        """
        self._left = step.left
        if self._fingerprint is None and step.left < _DESCRIBED:
            self._fingerprint = hashed(lasting(schema_objects(self._connection)))
        self._began_s = time.monotonic()
        self._attempt = None
        attempt = Entry(
            direction=step.verb,
            state="started",
            revision=step.revision,
            checksum=self._texts.of(step.file),
            code=code_checksum(step.file),
            fingerprint_before=self._fingerprint,
            reason=self._reason,
        )
        self._journal.write(attempt)
        self._attempt = attempt

    def applied(self, *, step: MigrationInfo, heads: set[str], **_: Any) -> None:  # noqa: ANN401  (Alembic's)
        """Write that a step is done, within its transaction; Alembic calls it, for stamps too."""
        entry = self._stamped(heads) if step.is_stamp or self._attempt is None else self._attempt
        objects = lasting(schema_objects(self._connection)) if self._left < _DESCRIBED else None
        self._fingerprint = hashed(objects) if objects is not None else None
        done = replace(
            entry,
            state="applied",
            duration_ms=self._elapsed_ms(),
            locks=self._journal.locks_of(self._connection.info.backend_pid),
            fingerprint_after=self._fingerprint,
            heads_after=",".join(sorted(heads)),
        )
        self._journal.write(done, within=self._connection, objects=objects or ())

    def emptied(self) -> None:
        """Write that a purge left the database at no revision, which Alembic tells nobody."""
        self._journal.write(replace(self._stamped(set()), heads_after="", reason=self._reason))

    def failed(self, error: BaseException, *, dirty: bool) -> None:
        """Write how the attempt ended, unless it is applied; that must never hide *error* itself."""
        self._fingerprint = None
        if self._attempt is None:
            # Nothing was started, for there was no place to say so.
            return
        try:
            left = self._journal.unfinished()
            if left is not None:
                self._journal.write(
                    replace(
                        left.entry,
                        state="dirty" if dirty else "failed",
                        duration_ms=self._elapsed_ms(),
                        sqlstate=_sqlstate(error),
                        statement=_statement(error),
                        reason=_kind(error),
                    )
                )
        except (psycopg2.Error, MigrationError) as second:
            _log.warning("the journal does not say how it ended: %s", type(second).__name__)

    def _stamped(self, heads: set[str]) -> Entry:
        scripts = [self._scripts.get_revision(head) for head in heads]
        file = next((Path(script.path) for script in scripts if script is not None), None)
        return Entry(
            direction="stamp",
            state="applied",
            revision=",".join(sorted(heads)) or None,
            checksum=checksum(file) if file else None,
            code=code_checksum(file) if file else None,
        )

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._began_s) * 1_000)

    def _end_of(self, revision: str | None) -> Any:  # noqa: ANN401  (a State)
        """Return what a killed attempt left: everything is undone, unless it left its transaction."""
        try:
            script = self._scripts.get_revision(revision) if revision else None
            alone = script is not None and _ALONE in Path(script.path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            alone = False
        return "dirty" if alone else "failed"


def _cause(error: BaseException) -> psycopg2.Error | None:
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    return cause if isinstance(cause, psycopg2.Error) else None


def _sqlstate(error: BaseException) -> str | None:
    cause = _cause(error)
    return cause.pgcode if cause is not None else None


def _statement(error: BaseException) -> str | None:
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.statement:
        return without_literals(error.statement)
    return None


def _kind(error: BaseException) -> str:
    """Return what kind of error it is; its words may hold a value."""
    return type(_cause(error) or error).__name__
