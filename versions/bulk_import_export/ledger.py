"""Remember in `ops.import_job` what of a file is loaded, so that the same call goes on behind it."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL
from spotify_ai_agent_migrations.versions.bulk_import_export.cutting import Block
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import Opened
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Table
from spotify_ai_agent_migrations.versions.bulk_import_export.prepare import Prepared
from spotify_ai_agent_migrations.versions.bulk_import_export.rejects import Reject
from spotify_ai_agent_migrations.versions.core.errors import FileError, TableError

_PAGE_ROWS: Final = 500
_DEFAULT: Final = Options()
# What does not change which rows are loaded, and may be said otherwise when a load goes on.
_BESIDE: Final = frozenset((
    "guarantee", "max_rejects", "rejects", "workers", "job", "again", "dry_run", "analyze", "manifest",
    "verify",
))  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """How many records were read, and what became of them: `loaded` + `rejected` + `skipped` is `read`."""

    read: int = 0
    loaded: int = 0
    rejected: int = 0
    skipped: int = 0

    @property
    def agree(self) -> bool:
        """Whether every record that was read is accounted for."""
        return self.read == self.loaded + self.rejected + self.skipped

    def plus(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            self.read + other.read, self.loaded + other.loaded, self.rejected + other.rejected,
            self.skipped + other.skipped,
        )  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a load is known again by: the name of it or of the file, what was said, and the file as it was.

    `file` is None for what can be read but once. `source` is what messages call it.
    """

    source: str
    fingerprint: str
    options: str = ""
    file: str | None = None
    is_named: bool = False

    @property
    def anew(self) -> str:
        """How to load it though a part of something else was loaded."""
        other = "" if self.file else ", or give the load another name: job=…, --job NAME"
        return f"delete what was loaded and load it anew: again=True, --again{other}"


@dataclass(frozen=True)
class Job:
    """An entry of the ledger: the `blocks` that are loaded, by where they begin, as size and SHA-256.

    `is_done` says that all of it was loaded, and `is_sure` that the file is still the same.
    """

    id: int
    wanted: Wanted
    is_done: bool = False
    is_sure: bool = True
    counts: Counts = field(default_factory=Counts)
    blocks: Mapping[int, tuple[int, bytes]] = field(default_factory=dict)

    def has(self, block: Block) -> bool:
        """Tell whether *block* is loaded already.

        Raises:
            FileError: it is in the way of what was loaded, and so of another file.
        """
        known = self.blocks.get(block.offset)
        if known is not None and known == (len(block.data), _sum(block)):
            return True
        if known is not None or self._overlaps(block):
            raise self.changed()
        return False

    def changed(self) -> FileError:
        """Say that the file is not the one of which a part was loaded."""
        return FileError(
            f'"{self.wanted.source}" is not what it was when it was loaded in part',
            hint=f"put it back as it was, and the same call goes on; or {self.wanted.anew}",
        )

    def _overlaps(self, block: Block) -> bool:
        place = bisect_left(self._starts, block.offset)
        before = self._starts[place - 1] if place else None
        after = self._starts[place] if place < len(self._starts) else None
        return (before is not None and before + self.blocks[before][0] > block.offset) or (
            after is not None and after < block.offset + len(block.data)
        )

    @cached_property
    def _starts(self) -> list[int]:
        return sorted(self.blocks)


def _sum(block: Block) -> bytes:
    return hashlib.sha256(block.data).digest()


def wanted(opened: Opened, table: Table, options: Options) -> Wanted:
    """Return what identifies the load of this file, as it is, into *table*, as it is said.

    Raises:
        FileError: the file can be read but once, and the load has no name of its own.
    """
    if options.job is None and opened.open_again is None:
        raise FileError(
            f'"{opened.name}" can be read but once, so nobody could tell that it is the same the next time',
            hint="name the load: job=…, --job NAME",
        )
    name = options.job if options.job is not None else str(Path(opened.name).resolve())
    state = opened.state()
    head = hashlib.sha256(opened.sample).hexdigest()
    return Wanted(
        opened.name,
        _hash((options.job is not None, name, table.qualified, table.oid)),
        _hash(told(options)),
        None if state is None else _hash((state, head)),
        options.job is not None,
    )


def told(options: Options) -> str:
    """Return what *options* say of the rows that come of a file; what they leave out may come later."""
    said = {
        one.name: value
        for one in fields(options)
        if one.name not in _BESIDE and (value := getattr(options, one.name)) != getattr(_DEFAULT, one.name)
    }
    return json.dumps(said, sort_keys=True, default=dict)


def _hash(what: object) -> str:
    return hashlib.sha256(repr(what).encode("utf-8", "surrogateescape")).hexdigest()


def may_write(cursor: Cursor) -> bool:
    """Tell whether the ledger is there and this login may write to it."""
    cursor.execute(SQL["may_write_ledger"])
    row = cursor.fetchone()
    return bool(row and row[0])


def require(cursor: Cursor) -> None:
    """Refuse to promise what needs the ledger where it cannot be written.

    Raises:
        TableError: it is not there, or this login may not write to it.
    """
    if not may_write(cursor):
        raise TableError(
            "ops.import_job is not there or may not be written, and without it no load can be resumed",
            hint="alembic upgrade 008, and connect as a member of agent_owner",
        )


def begin(cursor: Cursor, about: Mapping[str, object], known: Wanted) -> Job:
    """Enter a load that begins."""
    values = {"fingerprint": known.fingerprint, "options": known.options, "file": known.file, **about}
    cursor.execute(SQL["begin_job"], values)
    row = cursor.fetchone()
    assert row is not None
    return Job(row[0], known)


def open_job(cursor: Cursor, known: Wanted, about: Mapping[str, object], *, again: bool) -> Job:
    """Return the entry of the load, made anew unless there is one; *again* makes one though it is done.

    Raises:
        FileError: a part of the file was loaded in another way, or the name is that of another load.
    """
    cursor.execute(SQL["find_jobs"], {"fingerprint": known.fingerprint})
    found = [_Entry(*row) for row in cursor.fetchall()]
    entry = _entry_of(found, known, again=again)
    if entry is None:
        return begin(cursor, about, known)
    cursor.execute(SQL["loaded_blocks"], {"job": entry.id})
    blocks = {first: (size, bytes(sha256)) for first, size, sha256 in cursor.fetchall()}
    counts = Counts(entry.read, entry.loaded, entry.rejected, entry.skipped)
    is_sure = known.file is not None and entry.file == known.file
    return Job(entry.id, known, entry.is_done, is_sure, counts, blocks)


@dataclass(frozen=True)
class _Entry:
    id: int
    is_done: bool
    read: int
    loaded: int
    rejected: int
    skipped: int
    options: str
    file: str | None
    has_blocks: bool


def _entry_of(found: Sequence[_Entry], known: Wanted, *, again: bool) -> _Entry | None:
    """Return which of the loads of the file or name, the last one first, this is; None is a new one."""
    if not known.is_named:
        for entry in found:
            if (entry.options, entry.file) == (known.options, known.file):
                return None if entry.is_done and again else entry
    if not found or not (found[0].has_blocks or found[0].is_done):
        return None
    last = found[0]
    if last.is_done and (again or not known.is_named):
        return None
    if again and (last.options, last.file) != (known.options, known.file):
        return None
    if last.options != known.options:
        raise FileError(
            f'"{known.source}" was loaded with other options'
            + (" under this name" if last.is_done else ", and not to its end"),
            hint=f"say the same options, and the same call goes on; or {known.anew}",
        )
    return last


def add(cursor: Cursor, job: Job, prepared: Prepared, counts: Counts, table: Table) -> None:
    """Enter a block, in the transaction that loads it into *table*.

    Raises:
        TableError: another session has entered it, the entry of the load is gone, or the table is another.
    """
    cursor.execute(SQL["is_same_table"], {"name": table.qualified, "relation": table.oid})
    row = cursor.fetchone()
    if not (row and row[0]):
        raise TableError(
            f"{table.qualified} is not the table any more that the load began with",
            hint="what was loaded went with the other; load the file anew",
        )
    start = prepared.block.offset
    values = {**vars(counts), "job": job.id, "low": start, "high": start + len(prepared.block.data)}
    cursor.execute(SQL["add_block"], values)
    _refuse_gone(cursor)
    cursor.execute(SQL["add_block_sum"], {**values, "sha256": _sum(prepared.block)})


def finish(cursor: Cursor, job: Job, counts: Counts) -> None:
    """Say that the load is done, with its counts.

    Raises:
        TableError: the entry of the load is gone.
    """
    cursor.execute(SQL["finish_job"], {"job": job.id, **vars(counts)})
    _refuse_gone(cursor)


def _refuse_gone(cursor: Cursor) -> None:
    if cursor.rowcount != 1:
        raise TableError(
            "somebody else loads the same, or has removed the entry of this load from ops.import_job",
            hint="what was not entered there was undone; look who it is, and run again",
        )


def keep(cursor: Cursor, job: Job, rejects: Sequence[Reject], plain: frozenset[str]) -> None:
    """Enter rejects; a value only of a column in *plain*, which is known to hold nothing personal."""
    rows = [
        (
            job.id,
            one.line,
            one.offset,
            one.column,
            one.sqlstate,
            one.reason,
            one.value if one.column in plain else None,
        )
        for one in rejects
    ]
    if rows:
        execute_values(cursor, SQL["add_rejects"], rows, page_size=_PAGE_ROWS)
