"""Migrate a live database: one lock, one transaction a revision, retries for what was only in the way."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any, Final

import psycopg2
import sqlalchemy
from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.database import (
    engine,
    hides_rows,
    open_connection,
    remedy_of_ownership,
    shown_message,
    translate,
    translated,
)
from spotify_ai_agent_migrations.versions.core.errors import (
    DatabaseError,
    LockError,
    MigrationError,
    PrivilegeError,
)
from spotify_ai_agent_migrations.versions.core.locks import BlockerWatch, Session, advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE, Patience
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import without_literals
from spotify_ai_agent_migrations.versions.governance import discover
from spotify_ai_agent_migrations.versions.runner.alone import Alone
from spotify_ai_agent_migrations.versions.runner.drift import settle_drift
from spotify_ai_agent_migrations.versions.runner.gate import (
    applied_revisions,
    known_revisions,
    refuse_edited_revisions,
    refuse_unknown_revision,
)
from spotify_ai_agent_migrations.versions.runner.journal import Journal, was_production
from spotify_ai_agent_migrations.versions.runner.offline import VERSION_TABLE
from spotify_ai_agent_migrations.versions.runner.options import Options
from spotify_ai_agent_migrations.versions.runner.plan import Plan, Where
from spotify_ai_agent_migrations.versions.runner.promotion import EMPTYING, admit, planned
from spotify_ai_agent_migrations.versions.runner.record import Record
from spotify_ai_agent_migrations.versions.runner.refusal import Refusals, asked
from spotify_ai_agent_migrations.versions.runner.rehearsal import Rehearsal
from spotify_ai_agent_migrations.versions.runner.steps import Around, Step, StepFunction, surrounded
from spotify_ai_agent_migrations.versions.runner.texts import Texts

# Where the database was when the command began, for whoever has to go back there.
START_ATTRIBUTE: Final = "spotify_ai_agent_migrations.start"

_log: Final = logging.getLogger("spotify_ai_agent_migrations")


@contextmanager
def connected(settings: Settings) -> Iterator[sqlalchemy.Connection]:
    """Open the connection of one Alembic command; what its block leaves open is rolled back."""
    with translated(), engine(settings, purpose="agentdb migrate").connect() as connection:
        yield connection


def look(context: Any, connection: sqlalchemy.Connection, **compared: object) -> None:  # noqa: ANN401  (a module)
    """Run a command that changes nothing in the database: no lock, no retry."""
    refuse_unknown_revision(_driver_connection(connection), known_revisions(context.script))
    context.configure(connection=connection, **compared)
    with context.begin_transaction():
        context.run_migrations()


def migrate(
    context: Any,  # noqa: ANN401  (a module)
    connection: sqlalchemy.Connection,
    function: StepFunction,
    settings: Settings,
    options: Options,
    texts: Texts,
    *,
    purge: bool,
    where: Where = Where.ROLLED_BACK,
    around: Around | None = None,
) -> Plan | None:
    """Run the steps of *function* under the migration lock; of a dry run, return what they did.

    Each step runs inside of *around*, in its own transaction; with it, a plan says what runs alone only.

    Locks: one session advisory lock; whatever a revision takes, each for one transaction and each waited
    for no longer than `lock_timeout_ms`.

    Raises:
        RevisionError: the database is at a revision that this code does not know, or a file is not the one
            that was loaded.
        PromotionError: this is production, and nobody approved, or staging has not run it.
        LockError: the migration lock, or a lock of a revision, was not free within the bounds.
        DatabaseError: a statement of a revision failed; that revision is undone, earlier ones stay.
    """
    raw = _driver_connection(connection)
    scripts = context.script
    journal = Journal(lambda: open_connection(settings, purpose="agentdb journal", actor="migration"))
    record = None if options.dry_run else Record(journal, raw, scripts, texts, reason=options.reason)
    guarded = record is not None and settings.environment == "production"
    refusals = Refusals(journal, asked(function), kept=guarded)
    with closing(journal), advisory_lock(raw, lock_key(VERSION_TABLE), wait_ms=options.wait_ms):
        # `stamp --purge` is the way out of a version table that nobody knows any more.
        if not purge:
            with refusals.of("unknown"):
                refuse_unknown_revision(raw, known_revisions(scripts))
            with refusals.of("edited"):
                refuse_edited_revisions(raw, scripts)
            context.config.attributes.setdefault(START_ATTRIBUTE, applied_revisions(raw))

        if record is not None and not guarded and was_production(raw):
            # No refusal: a copy of production is what staging often is.
            _log.warning(
                'this database is production or a copy of it, and MIGRATIONS_ENV is "%s": nobody asks who '
                "approved; set MIGRATIONS_ENV=production if it is no copy",
                settings.environment,
            )
        raw.rollback()

        def settle() -> None:
            with refusals.of("drift"):
                settle_drift(raw, journal, settings, options)
            if guarded:
                steps = planned(function, () if purge else applied_revisions(raw))
                admit(raw, journal, refusals, steps or ([EMPTYING] if purge else []), texts, options)

        beside = partial(open_connection, settings, purpose="agentdb plan")
        # Who stands around the steps looks at them, and nobody at the plan; the locks are held as long.
        rehearsal = Rehearsal(connection, beside, where, measured=around is None) if options.dry_run else None
        _Attempts(context, connection, function, settings, options, record, settle, rehearsal, around).run()
        if purge and record is not None and not applied_revisions(raw):
            record.emptied()
    return rehearsal.plan if rehearsal else None


def _driver_connection(connection: sqlalchemy.Connection) -> Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, Connection)
    return raw


class _Attempts:
    """The tries of one migration; committed revisions stay, and the next try goes on behind them."""

    def __init__(
        self,
        context: Any,  # noqa: ANN401  (a module)
        connection: sqlalchemy.Connection,
        function: StepFunction,
        settings: Settings,
        options: Options,
        record: Record | None,
        settle: Callable[[], None],
        rehearsal: Rehearsal | None,
        beside: Around | None,
    ) -> None:
        self._context = context
        self._connection = connection
        self._function = surrounded(function, self._around)
        self._settings = settings
        self._options = options
        self._record = record
        self._rehearsal = rehearsal
        self._beside = beside
        # Reading the schema waits for whoever holds a table for themselves, and so is part of a try.
        self._settle: Callable[[], None] | None = settle
        self._step: Step | None = None
        self._alone = Alone(connection)

    def run(self) -> None:
        """Try until it is done, the patience ends or an error comes that waiting does not cure."""
        patience = Patience(tries=self._options.tries)
        pauses_s = patience.pauses_s(random.Random())  # noqa: S311  (jitter, not a secret)
        while True:
            with self._watch() as watch:
                failure = self._recorded_try()
            if failure is None:
                return
            pause_s = next(pauses_s, None)
            retryable = isinstance(failure.orig, psycopg2.Error) and failure.orig.pgcode in RETRYABLE
            if not retryable or self._alone.committed:
                raise self._failed(failure, watch.seen) from failure
            assert isinstance(failure.orig, psycopg2.Error)
            if pause_s is None:
                raise self._gave_up(failure.orig, watch.seen) from failure
            _log.info(
                "%s was in the way: %s; trying again in %.1f s",
                shown_message(failure.orig), "; ".join(map(str, watch.seen)) or "nobody seen", pause_s,
            )  # fmt: skip
            time.sleep(pause_s)

    def _recorded_try(self) -> sqlalchemy.exc.DBAPIError | None:
        """Try, and say in the journal how a try failed."""
        try:
            failure = self._try()
        except BaseException as error:
            if self._record is not None:
                self._record.failed(error, dirty=self._alone.committed)
            raise
        if failure is not None and self._record is not None:
            self._record.failed(failure, dirty=self._alone.committed)
        return failure

    def _try(self) -> sqlalchemy.exc.DBAPIError | None:
        """Run what is not yet applied; return the driver's error instead of raising it."""
        if self._connection.in_transaction():
            # Alembic would take it for the caller's, run everything and commit nothing, without a word.
            raise RuntimeError("the migration's connection is in a transaction already")
        try:
            self._begin()
            if self._rehearsal is not None:
                self._rehearsal.run(self._context, self._function)
            elif self._record is not None:
                self._context.configure(
                    connection=self._connection,
                    transaction_per_migration=True,
                    fn=self._function,
                    on_version_apply=self._record.applied,
                )
                with self._context.begin_transaction():
                    self._context.run_migrations()
        except sqlalchemy.exc.DBAPIError as error:
            return error
        except psycopg2.Error as error:
            # Of the runner's own statements, which go past SQLAlchemy.
            return sqlalchemy.exc.DBAPIError(None, None, error)
        finally:
            if not self._connection.invalidated:
                self._connection.rollback()
        return None

    def _begin(self) -> None:
        """Compare the schema with the journal, once."""
        if self._settle is not None:
            if self._record is not None:
                self._record.mend()
            self._settle()
            self._settle = None

    @contextmanager
    def _around(self, migration: MigrationContext, step: Step) -> Iterator[None]:
        self._step = step
        with ExitStack() as around:
            if self._rehearsal is not None:
                around.enter_context(self._rehearsal.watching(step))
            if self._record is not None:
                self._record.start(step)
            if self._rehearsal is None or self._rehearsal.commits:
                around.enter_context(self._alone.watching(migration, step))
            if self._beside is not None:
                around.enter_context(self._beside(migration, step))
            yield

    def _watch(self) -> BlockerWatch:
        return BlockerWatch(
            _driver_connection(self._connection).info.backend_pid,
            lambda: open_connection(self._settings, purpose="agentdb blocker watch"),
            after_s=max(self._options.lock_timeout_ms / 2_000, 0.05),
        )

    def _failed(self, error: sqlalchemy.exc.DBAPIError, blockers: tuple[Session, ...]) -> MigrationError:
        """Say which revision failed, why, and at which statement, without a literal in it."""
        assert isinstance(error.orig, psycopg2.Error)
        found = translate(error.orig, doing=f"{self._step or 'the migration'} failed")
        if self._alone.committed:
            named = f"; in the way: {'; '.join(map(str, blockers))}" if blockers else ""
            problem, hint = found.problem + named, self._alone.remedy()
            return DatabaseError(problem, hint=hint, sqlstate=error.orig.pgcode)
        if hides_rows(error.orig):
            return found
        if isinstance(found, PrivilegeError) and not error.orig.diag.message_hint:
            return PrivilegeError(found.problem, hint=self._remedy())
        if isinstance(found, DatabaseError) and error.statement and not error.orig.diag.message_hint:
            hint = f"SQLSTATE {found.sqlstate} at: {without_literals(error.statement)}"
            return DatabaseError(found.problem, hint=hint, sqlstate=found.sqlstate)
        return found

    def _remedy(self) -> str:
        """Return what the revision at work needs, by its docstring; before any, Alembic makes its table."""
        if self._step is None:
            return remedy_of_ownership(_driver_connection(self._connection))
        known = {revision.revision: revision.fields.get("Needs") for revision in discover()}
        needs = known.get(self._step.revision) or "more privileges than this login has"
        return f"this revision needs {needs}"

    def _gave_up(self, error: psycopg2.Error, blockers: tuple[Session, ...]) -> LockError:
        named = "; ".join(map(str, blockers)) or "nobody that could be seen"
        remedies = " ".join(blocker.remedy for blocker in blockers)
        return LockError(
            f"{self._step or 'the migration'} gave up after {self._options.tries} tries of "
            f"{self._options.lock_timeout_ms} ms: {shown_message(error)}; in the way: {named}",
            hint=f"let it finish and run again, or end it with {remedies}" if blockers else "run it again",
        )
