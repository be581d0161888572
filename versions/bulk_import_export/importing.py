"""Load one file: sessions opened, blocks handed out, all of it committed or none, or block by block."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import psycopg2
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Identifier

from spotify_ai_agent_migrations.versions.bulk_import_export import ledger, plan
from spotify_ai_agent_migrations.versions.bulk_import_export.binary import greatest_binary
from spotify_ai_agent_migrations.versions.bulk_import_export.blame import Load
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import (
    SQL,
    greatest_in,
    read_sequence,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import greatest
from spotify_ai_agent_migrations.versions.bulk_import_export.failure import translated
from spotify_ai_agent_migrations.versions.bulk_import_export.ledger import Counts, Job
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.pool import CutShortError, Pool
from spotify_ai_agent_migrations.versions.bulk_import_export.prepare import Prepared, Preparer
from spotify_ai_agent_migrations.versions.bulk_import_export.progress import Progress, Tell
from spotify_ai_agent_migrations.versions.bulk_import_export.rebuild import Part, put_back, take_off
from spotify_ai_agent_migrations.versions.bulk_import_export.rejects import RejectFile
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Outcome, Session
from spotify_ai_agent_migrations.versions.bulk_import_export.staging import STAGING, Staging, rejects_of
from spotify_ai_agent_migrations.versions.bulk_import_export.stepwise import record_of
from spotify_ai_agent_migrations.versions.bulk_import_export.together import commit
from spotify_ai_agent_migrations.versions.core.database import open_connection
from spotify_ai_agent_migrations.versions.core.errors import FileError, RowError, ServerError
from spotify_ai_agent_migrations.versions.core.locks import lock_key
from spotify_ai_agent_migrations.versions.core.settings import Settings

PURPOSE: Final = "agentdb bulk import"
_SERIAL_BELOW_BYTES: Final = 16 << 20
SEARCHED_MOST_ROWS: Final = 20_000_000
_BACKSLASH_DOT_SINCE: Final = 180_000
_ANALYZE_ONLY_SINCE: Final = 180_000


@dataclass
class Import:
    """One file on its way into one table."""

    settings: Settings
    load: Load
    options: Options
    key: tuple[str, ...]
    rejects: RejectFile
    job: Job | None
    tell: Tell
    serial: bool = False
    counts: Counts = field(default_factory=Counts)
    greatest: dict[str, int] = field(default_factory=dict)
    deleted: int = 0

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._began = time.monotonic()
        self._stagings: dict[int, Staging] = {}
        self._parts: tuple[Part, ...] = ()
        table = self.load.table
        self.numbered = {
            index: column.sequence for index, column in enumerate(self.load.layout.columns) if column.sequence
        }
        # In a table that is not too large the server finds the greatest number; else we look on the way.
        self.watches = bool(self.numbered) and not (
            table.may_select and table.estimated_rows <= SEARCHED_MOST_ROWS and not self.load.is_ahead
        )

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        return time.monotonic() - self._began

    @property
    def loaded_before(self) -> bool:
        """Whether there was nothing left to load."""
        return self.job is not None and self.job.is_done and self.counts == self.job.counts

    @property
    def resumes(self) -> bool:
        """Whether each block is committed with its entry in the ledger."""
        return self.options.guarantee == "resumable" and not self.options.dry_run

    @property
    def workers(self) -> int:
        """How many sessions load side by side."""
        options, opened = self.options, self.load.source.opened
        alone = options.staged or options.mode == "replace" or options.rebuild is not None
        if self.serial or alone or self.load.table.serial_only or self._may_block:
            return 1
        size = opened.size if opened.compression == "none" else (opened.size or 0) * 4 or None
        small = size < _SERIAL_BELOW_BYTES if size is not None else len(opened.sample) < 1 << 19
        return options.workers or (1 if small else max(1, min(os.cpu_count() or 1, 4)))

    @property
    def _may_block(self) -> bool:
        """Whether a key that is there again, and kept aside, could end a load that cannot begin once more."""
        once = self.load.source.opened.open_again is None and not self.resumes
        return once and self.options.keeps_rejects and self.load.table.has_unique

    def run(self) -> None:
        """Load all of it.

        Raises:
            MigrationError: what ended it; atomic, nothing was loaded.
        """
        with ExitStack() as stack:
            sessions = [self._session(stack) for _ in range(self.workers)]
            leader = sessions[0]
            with translated(sessions, self.load, self.settings):
                for session in sessions:
                    session.begin()
                if self.options.mode == "replace" and not self.options.swap:
                    self._truncate(leader)
                if self.options.rebuild is not None and not self.options.dry_run:
                    self._parts = take_off(leader.cursor, self.load.table, self.options)
                Pool(sessions, self._work).load(self._todo(leader))
                self.load.source.refuse_changed()
                self._refuse_too_many(final=True)
                self._finish(sessions)
            self._analyze(leader)

    def _truncate(self, leader: Session) -> None:
        if not self.options.dry_run:
            leader.cursor.execute(Statement(SQL["truncate"]).format(table=self._target))

    def _session(self, stack: ExitStack) -> Session:
        connection = stack.enter_context(closing(open_connection(self.settings, purpose=PURPOSE)))
        load, columns = self.load, self.load.layout.columns
        staged = self.options.stages
        # The server numbers what is staged, unless it may leave out rows on the way.
        numbered = staged and self.options.keeps_rejects
        preparer = Preparer(
            load.source, load.layout,
            old_server=connection.server_version < _BACKSLASH_DOT_SINCE,
            raw=not (numbered or self.watches),
            keeps_faults=self.options.keeps_rejects,
            numbered=numbered,
        )  # fmt: skip
        into = Identifier("pg_temp", STAGING) if staged else self._target
        session = Session(
            connection,
            load,
            preparer,
            self.options,
            Statement("{}").format(into),
            (*columns, record_of(columns)) if numbered else columns,
            is_numbering=staged and not numbered,
        )
        if staged:
            self._stagings[id(session)] = Staging(session, self.key)
            self._stagings[id(session)].create()
            connection.commit()
        return session

    @property
    def _target(self) -> Identifier:
        return Identifier(self.load.table.schema, self.load.table.name)

    def _todo(self, leader: Session) -> Iterator[Prepared]:
        """Yield the blocks that are not loaded yet."""
        passed = 0
        for prepared in _readable(leader.preparer.all()):
            if self.job is None or not self.job.has(prepared.block):
                yield prepared
            else:
                passed += 1
                self._watch(prepared)
            # A long one would be held while the next is read.
            del prepared
        if self.job is not None and passed < len(self.job.blocks):
            raise self.job.changed()

    def _work(self, session: Session, prepared: Prepared) -> None:
        outcome = session.send(prepared)
        if self.resumes:
            outcome = self._apply_block(session, outcome)
        self._enter(session, outcome)
        if self.resumes:
            session.connection.commit()
            session.begin()
        with self._lock:
            self._note(outcome)

    def _enter(self, session: Session, outcome: Outcome) -> None:
        """Write down what came of a block, in the transaction that loads it."""
        counts = _counts(outcome)
        if self.job is not None and not self.options.dry_run:
            ledger.keep(session.cursor, self.job, outcome.rejects, self._plain)
            if self.resumes:
                ledger.add(session.cursor, self.job, outcome.prepared, counts, self.load.table)
        with self._lock:
            self.counts = self.counts.plus(counts)
        self.rejects.add(outcome.rejects)
        self._refuse_too_many()

    def _note(self, outcome: Outcome) -> None:
        self._watch(outcome.prepared)
        opened = self.load.source.opened
        taken = opened.raw.taken
        self.tell(Progress(self.counts.loaded, taken, opened.size, self.counts.rejected, self.seconds))

    def _watch(self, prepared: Prepared) -> None:
        """Remember the greatest number of a block, where the server cannot be asked for it."""
        for place in self.numbered if self.watches else ():
            found = self._greatest(prepared, place) if prepared.sent else None
            if found is not None:
                name = str(self.numbered[place])
                self.greatest[name] = max(found, self.greatest.get(name, found))

    @staticmethod
    def _greatest(prepared: Prepared, place: int) -> int | None:
        if prepared.kind == "binary":
            return greatest_binary(prepared.block.data, place)
        return greatest(prepared.payload, place)

    def _apply_block(self, session: Session, outcome: Outcome) -> Outcome:
        staging = self._stagings.get(id(session))
        if staging is None or not outcome.loaded:
            return outcome
        first = outcome.prepared.first
        applied = staging.apply(first, first + outcome.prepared.read)
        found = session.preparer.numbers(outcome.prepared) if applied.refused else {}
        rejects = rejects_of(self.load, applied.refused, found)
        return Outcome(outcome.prepared, applied.loaded, (*outcome.rejects, *rejects), applied.skipped)

    @property
    def _plain(self) -> frozenset[str]:
        layout, header = self.load.layout, self.load.source.header
        return frozenset(
            header[pick]
            for pick, column in zip(layout.picks, layout.columns, strict=True)
            if pick is not None and column.data_class == "none"
        )

    def _refuse_too_many(self, *, final: bool = False) -> None:
        if self.options.dry_run or not self.options.keeps_rejects:
            return
        before = self.job.counts if self.job is not None and self.resumes else Counts()
        rejected = self.rejects.count + before.rejected
        if self.options.too_many(rejected, self.counts.read + before.read, final=final):
            raise self._too_many(rejected)

    def _too_many(self, rejected: int) -> RowError:
        first = self.rejects.first[0] if self.rejects.first else None
        shown = ""
        if first is not None:
            column = f', column "{first.column}"' if first.column else ""
            shown = f"; the first: line {first.line}{column}: {first.reason}"
        return RowError(
            f'"{self.load.source.name}": {rejected} rows cannot be loaded, and '
            f"{self.options.max_rejects:g} may be{shown}",
            hint=f"{'allow more' if self.resumes else 'mend them or allow more'}; {self.load.left}",
            path=self.load.source.name, line=first.line if first else None,
            column=first.column if first else None, sqlstate=first.sqlstate if first else None,
        )  # fmt: skip

    def _finish(self, sessions: list[Session]) -> None:
        leader = sessions[0]
        if self.options.stages and not self.resumes:
            self._apply_all(leader)
        if self.options.dry_run:
            for session in sessions:
                session.connection.rollback()
            return
        put_back(leader.cursor, self.load.table, self._parts)
        for session in sessions:
            session.cursor.execute(SQL["check_constraints"])
        total = self.counts.plus(self.job.counts) if self.job is not None and self.resumes else self.counts
        if not total.agree:
            raise ServerError(
                f"{total.read} lines were read, and {total.loaded} loaded, {total.rejected} rejected and "
                f"{total.skipped} skipped do not make that; {self.load.left}",
                hint="this is an error of the package; say how it came about",
            )
        expected = self.load.expected
        if expected is not None and total.read != expected:
            raise FileError(
                f'"{self.load.source.name}" held {total.read} rows, and its manifest says {expected}',
                hint=f"look at both; {self.load.left}",
            )
        self._move_sequences(sessions, total.loaded)
        if self.job is not None:
            ledger.finish(leader.cursor, self.job, total)
        self.counts = total
        commit(sessions)

    def _apply_all(self, leader: Session) -> None:
        """Bring everything that is staged into the table."""
        if self.options.dry_run and self.options.mode == "replace":
            # Beside what the load would have removed, its rows would be refused.
            return
        self._refuse_to_delete_rejected()
        if self.options.swap:
            self._truncate(leader)
        applied = self._stagings[id(leader)].apply(1, max(self.counts.read, 1))
        wanted = {number for number, _ in applied.refused}
        found = self.load.source.numbered(wanted) if wanted else {}
        rejects = rejects_of(self.load, applied.refused, found)
        self.deleted = applied.deleted
        self.rejects.add(rejects)
        if self.job is not None:
            ledger.keep(leader.cursor, self.job, rejects, self._plain)
        before = self.counts
        self.counts = Counts(
            before.read, applied.loaded, before.rejected + len(rejects), before.skipped + applied.skipped
        )
        self._refuse_too_many(final=True)

    def _refuse_to_delete_rejected(self) -> None:
        """Refuse to delete the rows of the table for whose keys the file has a row that could not be read.

        Raises:
            RowError: names the first.
        """
        if self.options.mode == "merge" and self.rejects.first and not self.options.dry_run:
            first = self.rejects.first[0]
            raise RowError(
                f'"{self.load.source.name}" line {first.line} cannot be loaded, '
                "and merge would delete the row that it stands for",
                hint=f'mend it, or say mode="upsert"; {self.load.left}',
                path=self.load.source.name, line=first.line, column=first.column, sqlstate=first.sqlstate,
            )  # fmt: skip

    def _move_sequences(self, sessions: list[Session], loaded_rows: int) -> None:
        """Move each sequence past the greatest value loaded, one import at a time."""
        cursor = sessions[0].cursor
        if self.numbered and not self.watches and loaded_rows:
            self.greatest = self._searched(sessions)
        for name, loaded in sorted(self.greatest.items()):
            cursor.execute(SQL["lock_sequence"], {"key": lock_key(f"sequence {name}")})
            while move := plan.plan_move(read_sequence(cursor, name), loaded):
                if move.steps:
                    cursor.execute(SQL["step_sequence"], {"name": name, "steps": move.steps})
                else:
                    cursor.execute(SQL["set_sequence"], {"name": name, "value": move.value})

    def _searched(self, sessions: list[Session]) -> dict[str, int]:
        """Ask each session, which sees what it loaded itself, for the greatest number of each column."""
        found: dict[str, int] = {}
        for index, name in self.numbered.items():
            column = self.load.layout.columns[index]
            for session in sessions:
                number = greatest_in(session.cursor, self.load.table, column)
                if number is not None:
                    found[str(name)] = max(number, found.get(str(name), number))
        return found

    def _analyze(self, leader: Session) -> None:
        """Let the planner know, where there is something new to know; a courtesy that fails in silence."""
        asked, loaded = self.options.analyze, self.counts.loaded
        much = loaded >= 1_000 and loaded * 10 >= self.load.table.estimated_rows
        if asked is False or self.options.dry_run or not (asked or much):
            return
        name = "analyze"
        if self.load.table.kind == "p" and not asked:
            # The server sees to the partitions by itself, and never to what holds them.
            if leader.connection.server_version < _ANALYZE_ONLY_SINCE:
                return
            name = "analyze_only"
        with suppress(psycopg2.Error):
            leader.connection.autocommit = True
            leader.cursor.execute(Statement(SQL[name]).format(table=self._target))


def _readable(blocks: Iterator[Prepared]) -> Iterator[Prepared]:
    """Yield *blocks* as far as the file can be read."""
    try:
        yield from blocks
    except FileError as error:
        raise CutShortError(error) from error


def _counts(outcome: Outcome) -> Counts:
    return Counts(outcome.prepared.read, outcome.loaded, len(outcome.rejects), outcome.skipped)
