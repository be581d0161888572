"""Load a file into a table: look at both, decide what goes where, and do it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from typing_extensions import Unpack

from spotify_ai_agent_migrations.versions.bulk_import_export import ledger, plan
from spotify_ai_agent_migrations.versions.bulk_import_export.blame import Load
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import (
    find_table,
    greatest_in,
    read_sequence,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.dialect import Dialect
from spotify_ai_agent_migrations.versions.bulk_import_export.exporting import ExportResult, bulk_export
from spotify_ai_agent_migrations.versions.bulk_import_export.importing import (
    PURPOSE,
    SEARCHED_MOST_ROWS,
    Import,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.layout import (
    Layout,
    lay_out,
    refuse_unfit_binary,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.ledger import Job
from spotify_ai_agent_migrations.versions.bulk_import_export.notes import notes_of
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import Opened, Where, open_input
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Choices, Options, choose
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.progress import Progress, Tell
from spotify_ai_agent_migrations.versions.bulk_import_export.rebuild import refuse_unfit
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Record
from spotify_ai_agent_migrations.versions.bulk_import_export.rejects import (
    Reject,
    RejectFile,
    refuse_same,
    shown_record,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.remote import is_address
from spotify_ai_agent_migrations.versions.bulk_import_export.retry import (
    about_of,
    fix,
    open_again,
    read_rejects,
    retried,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.sink import manifest_path, verify
from spotify_ai_agent_migrations.versions.bulk_import_export.source import Source
from spotify_ai_agent_migrations.versions.bulk_import_export.staging import STAGING, find_key
from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import LockError, SettingsError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings

_SAMPLE_ROWS = 5


@dataclass(frozen=True)
class ImportResult:
    """What was loaded: `table` by its qualified name, `columns` in the order of the file.

    `path` is the file, or the URL without a password.
    `rows` + `rejected` + `skipped` are the `read` records of the file. `rejects` holds the first hundred.
    `already` says that a resumable import had loaded all of it before, and that this call loaded nothing.
    `notes` are what else should be known of it.
    """

    table: str
    path: Path | str
    columns: tuple[str, ...]
    rows: int
    rejected: int = 0
    skipped: int = 0
    deleted: int = 0
    dialect: Dialect = field(default_factory=Dialect, compare=False)
    rejects: tuple[Reject, ...] = field(default=(), compare=False)
    sample: tuple[Mapping[str, str | None], ...] = field(default=(), compare=False)
    types: Mapping[str, str] = field(default_factory=dict, compare=False)
    dry_run: bool = field(default=False, compare=False)
    already: bool = field(default=False, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def read(self) -> int:
        """How many records the file holds."""
        return self.rows + self.rejected + self.skipped


def bulk_import(
    table: str,
    path: Where,
    *,
    url: str | None = None,
    progress: Tell | None = None,
    **choices: Unpack[Choices],
) -> ImportResult:
    """Load the file *path* into *table*: every row of it, or none.

    CSV, TSV, JSON Lines, COPY text or binary, Parquet or Arrow, compressed or not, in any encoding; a path,
    "-" for standard input, a URL or an open file. A header names columns of the table, in any order and case.
    How the file is written is found out, `ImportResult.dialect` says what was found, and every part of it may
    be said instead.
    In CSV an empty field is NULL, `""` the empty text. In JSON Lines null is NULL, but in a column of
    documents (json, jsonb) it is the document null, and NULL is a member that is missing; a column that no
    row names takes its default. A time without a zone is read as UTC. Blank lines at the end are left out;
    in a file of one column each is a NULL. Sequences that number a column of the file are moved past the
    values loaded, never back.

    mode: insert; ignore (rows whose key is there), upsert (update them), merge (and delete all others), by
        `key` or the primary key; replace (TRUNCATE first; with swap the file is loaded beside the table, and
        readers wait only while its rows are moved over).
    guarantee: atomic, or resumable: blocks are committed with their entry in `ops.import_job`, and the same
        call goes on where another ended, however it did. Of a file that has changed since, or is loaded with
        other options, no more is loaded on top of a part.
    max_rejects: how many rows, or which share of them below 1, may be kept aside: in the file `rejects`, in
        `ops.import_reject` and in the result.
    rebuild: "indexes": drop those that no constraint needs, load, and make them again, in one transaction;
        "constraints": the foreign keys as well. ACCESS EXCLUSIVE meanwhile; whatever happens, they are there.
    dry_run: look, check every value, load nothing and write no file; under row security, where only the
        policies know, the rows are loaded and undone.

    Writes: rows of *table*, and what its triggers write; one transaction, or two that end as one.
    Locks: ROW EXCLUSIVE on *table*; others read and write it meanwhile. replace, rebuild: ACCESS EXCLUSIVE.
    Memory: a few blocks of 2 MiB, whatever the size of the file; upsert and merge stage it on the server.

    Raises:
        SettingsError: the options contradict one another.
        FileError: the file or its header cannot be used, or it changed while it was read.
        TableError: the table cannot be used, or lacks something the load needs.
        RowError: a row cannot be loaded, or more than may be; names its line.
        LockError: a lock was not free in time; names who had it.
        PrivilegeError: the login may not load the table or move a sequence of it.
    """
    options = choose(choices)
    expected = verify(str(path), options.manifest) if options.verify else None
    settings = resolve_settings(url)
    with closing(open_input(path, options)) as opened, connect(settings, purpose=PURPOSE) as connection:
        return load(connection, table, opened, settings, options, progress or _say_nothing, expected=expected)


def _say_nothing(_: Progress) -> None:
    """Take no notice of the progress."""


def load(
    connection: Connection, name: str, opened: Opened, settings: Settings, options: Options, tell: Tell,
    *, expected: int | None = None,
) -> ImportResult:  # fmt: skip
    """Load *opened* into the table *name* and commit; see `bulk_import`. *expected*: so many rows."""
    found = replace(_look(connection, name, opened, options), expected=expected)
    key = find_key(found.table, found.layout.columns, options)
    with _locked(connection, found, options, settings) as job:
        if job is not None and job.is_done and job.is_sure:
            return _result(found, options, job=job)
        compared = [manifest_path(found.source.name, options.manifest)] if options.verify else []
        refuse_same(options.rejects, found.source.name, *compared)
        rejects = RejectFile(
            None if options.dry_run else options.rejects,
            _about(found, options),
            append=job is not None and job.counts.read > 0,
        )
        try:
            work = Import(settings, found, options, key, rejects, job, tell)
            work = _run(work)
        finally:
            rejects.close()
        return _result(found, options, work=work)


def _run(work: Import) -> Import:
    """Run *work*; where sessions side by side were in one another's way, by one of them."""
    try:
        work.run()
    except LockError:
        again = work.load.source.opened.open_again
        if work.workers == 1 or again is None or work.resumes:
            raise
        with closing(again()) as opened:
            source = Source(opened, work.load.table.columns, work.options)
            alone = Import(
                work.settings, replace(work.load, source=source), work.options,
                work.key, work.rejects, work.job, work.tell, serial=True,
            )  # fmt: skip
            work.rejects.forget()
            alone.run()
            return alone
    return work


def _look(connection: Connection, name: str, opened: Opened, options: Options) -> Load:
    """Find the table, and how the file fills it."""
    with connection.cursor() as cursor:
        table = find_table(cursor, name, kinds=plan.IMPORTABLE)
        plan.refuse_other_kinds(table, plan.IMPORTABLE, verb="loaded")
        if not options.row_security:
            plan.refuse_row_security(table, connection.info.user)
        if options.rebuild is not None:
            refuse_unfit(table)
        source = Source(opened, table.columns, options)
        layout = lay_out(
            source.header, table, source.name, options,
            line=source.dialect.skip_lines + 1, is_json=source.dialect.format == "jsonl",
            lists=opened.lists,
        )  # fmt: skip
        if source.dialect.format == "binary":
            refuse_unfit_binary(layout, options)
        ahead = [_is_ahead(cursor, table, column) for column in layout.columns if column.sequence]
    connection.commit()
    staging = STAGING if options.stages else None
    return Load(table, layout, source, staging, options.left, is_ahead=any(ahead))


def _is_ahead(cursor: Cursor, table: plan.Table, column: plan.Column) -> bool:
    """Tell whether *table* holds greater numbers than the sequence of *column* has given out.

    Raises:
        PrivilegeError: the login may not move the sequence.
    """
    sequence = read_sequence(cursor, str(column.sequence))
    plan.refuse_unmovable(sequence)
    if not table.may_select or table.estimated_rows > SEARCHED_MOST_ROWS or sequence.last is None:
        return False
    found = greatest_in(cursor, table, column)
    return found is not None and found > sequence.last


@contextmanager
def _locked(
    connection: Connection, found: Load, options: Options, settings: Settings
) -> Iterator[Job | None]:
    """Enter the load in the ledger, where there is one; of one that can be resumed there is one at a time."""
    opened = found.source.opened
    with connection.cursor() as cursor:
        if options.guarantee == "resumable" and not options.dry_run:
            ledger.require(cursor)
        elif options.dry_run or not ledger.may_write(cursor):
            connection.commit()
            yield None
            return
        about = {
            "table": found.table.qualified, "source": found.source.name, "mode": options.mode,
            "guarantee": options.guarantee,
        }  # fmt: skip
        if options.guarantee == "atomic":
            alone = ledger.Wanted(found.source.name, secrets.token_hex(32))
            job = ledger.begin(cursor, about, alone)
            connection.commit()
            yield job
            return
        wanted = ledger.wanted(opened, found.table, options)
        with _alone(connection, wanted.fingerprint, found, settings):
            job = ledger.open_job(cursor, wanted, about, again=options.again)
            connection.commit()
            yield job


@contextmanager
def _alone(connection: Connection, identity: str, found: Load, settings: Settings) -> Iterator[None]:
    """Hold for the block what only one load of the same may hold."""
    held = False
    try:
        connection.commit()
        with advisory_lock(connection, lock_key(f"import {identity}"), wait_ms=settings.lock_timeout_ms):
            held = True
            yield
    except LockError as error:
        if held:
            raise
        raise LockError(
            f'"{found.source.name}" is being loaded into {found.table.qualified} already; '
            f"{error.problem.partition('; ')[2]}",
            hint="wait for its end; the same call then says what it loaded",
        ) from error


def _about(found: Load, options: Options) -> dict[str, object]:
    source = found.source
    return {
        "table": found.table.qualified, "header": list(source.header), "dialect": asdict(source.dialect),
        **about_of(source.name, source.opened, options),
    }  # fmt: skip


def bulk_retry(
    path: str | os.PathLike[str],
    *,
    table: str | None = None,
    source: str | os.PathLike[str] | None = None,
    url: str | None = None,
    progress: Tell | None = None,
    **choices: Unpack[Choices],
) -> ImportResult:
    """Load the rows once more that an import kept aside in the file of rejects *path*, and no others.

    After what they lacked is there: a row that they point at, a partition, a wider column. They are taken
    from their file, which must be as it was, by the options of that import; *choices* override those. What
    is rejected again has its place in that file too. *source* says where that file is now; a URL that needs
    a password has to be said again.

    Locks, memory, raises: as `bulk_import`.
    """
    found = read_rejects(path)
    options = retried(found, choices)
    if options.rejects is not None and Path(options.rejects).resolve() == Path(path).resolve():
        raise SettingsError(
            f'"{shown(os.fspath(path))}" is read, and cannot take what is rejected again',
            hint="name another file: rejects=…, --rejects",
        )
    settings = resolve_settings(url)
    with (
        closing(open_again(found, options, source)) as opened,
        connect(settings, purpose=PURPOSE) as connection,
    ):
        return load(connection, table or found.table, opened, settings, options, progress or _say_nothing)


def bulk_fix(
    rejects: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
) -> int:
    """Write the rows that an import kept aside, whole and under their header, into the file *path*.

    Mend them there and import that file. Mode 0600: they may be personal. Returns how many there are.
    *source*: as for `bulk_retry`.

    Raises:
        FileError: the rejects or their file cannot be read, or *path* cannot be written.
    """
    refuse_same(path, rejects, source or read_rejects(rejects).source)
    return fix(rejects, path, source)


def _result(
    found: Load, options: Options, *, work: Import | None = None, job: Job | None = None
) -> ImportResult:
    counts = work.counts if work is not None else job.counts if job is not None else ledger.Counts()
    layout = found.layout
    already = job is not None or (work is not None and work.loaded_before)
    return ImportResult(
        found.table.qualified,
        found.source.name if is_address(found.source.name) else Path(found.source.name),
        tuple(column.name for column in layout.columns),
        counts.loaded,
        counts.rejected,
        counts.skipped,
        work.deleted if work is not None else 0,
        found.source.dialect,
        tuple(work.rejects.first) if work is not None else (),
        _sample(found.source, layout) if options.dry_run else (),
        {column.name: column.type for column in layout.columns},
        options.dry_run,
        already,
        tuple(notes_of(found.source, options, already=already)),
        work.seconds if work is not None else 0.0,
    )


def _sample(source: Source, layout: Layout) -> tuple[Mapping[str, str | None], ...]:
    """Return the first rows as they would be loaded, without what is personal."""
    pairs = zip(layout.picks, layout.columns, strict=True)
    columns = {layout.header[pick]: column for pick, column in pairs if pick is not None}
    if source.dialect.format == "binary":
        return ()
    rows = (record for record, _ in zip(source.again(), range(_SAMPLE_ROWS), strict=False))
    return tuple(_shown(source, record, columns) for record in rows)


def _shown(source: Source, record: Record, columns: Mapping[str, plan.Column]) -> Mapping[str, str | None]:
    values, masked = shown_record(source.header, record.fields, columns)
    return {**values, **dict.fromkeys(masked, "***")}


__all__ = ["ExportResult", "ImportResult", "bulk_export", "bulk_fix", "bulk_import", "bulk_retry"]
