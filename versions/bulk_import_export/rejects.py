"""Keep the rows that cannot be loaded: which line, why, and no personal value. No database here."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

from spotify_ai_agent_migrations.versions.bulk_import_export.opening import reason_of
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column, shown
from spotify_ai_agent_migrations.versions.bulk_import_export.remote import without_secrets
from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError

_READ_BYTES: Final = 1 << 16
_REMEMBERED_MOST: Final = 100


@dataclass(frozen=True)
class Reject:
    """A row that was not loaded: where it stands, the column to blame, the code and the reason.

    `offset` counts bytes of the text, decompressed and in UTF-8; a mark at the beginning of a file that was
    in UTF-8 is one of them.
    `record` holds its values by name, but those of personal columns, which `masked` names.
    """

    line: int
    offset: int
    length: int
    column: str | None
    sqlstate: str
    reason: str
    record: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    masked: tuple[str, ...] = ()

    @property
    def value(self) -> str | None:
        """What stood in the column to blame, unless it is masked."""
        return self.record.get(self.column) if self.column is not None else None

    def as_json(self) -> dict[str, Any]:
        """Return it as a line of the file of rejects says it."""
        return {
            "line": self.line, "offset": self.offset, "length": self.length, "column": self.column,
            "sqlstate": self.sqlstate, "reason": self.reason, "record": dict(self.record),
            "masked": [*self.masked],
        }  # fmt: skip


def shown_record(
    header: Sequence[str], fields: Sequence[bytes | None], columns: Mapping[str, Column]
) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """Return the fields of a record by name, and the names of those that are masked.

    A field that no column is known for may be a personal one that slipped: it is masked as well.
    """
    if len(fields) != len(header):
        return {}, tuple(header)
    record: dict[str, str | None] = {}
    masked = []
    for name, value in zip(header, fields, strict=True):
        column = columns.get(name)
        if column is None or column.is_personal:
            masked.append(name)
        else:
            record[name] = None if value is None else value.decode("utf-8", "replace")
    return record, tuple(masked)


class RejectFile:
    """Takes rejects from any thread: counts them, remembers the first, writes each to a file."""

    def __init__(
        self, path: str | os.PathLike[str] | None, about: Mapping[str, Any], *, append: bool
    ) -> None:
        self.count = 0
        self.first: list[Reject] = []
        self._path = path
        self._lock = Lock()
        self._file: Any = None
        self._start = 0
        if path is not None:
            self._open(path, about, append=append)

    def _open(self, path: str | os.PathLike[str], about: Mapping[str, Any], *, append: bool) -> None:
        try:
            number = _own(path)
            self._file = os.fdopen(number, "w", encoding="utf-8")
            there = append and os.fstat(number).st_size > 0
            if there:
                _cut_half_line(number)
            else:
                os.ftruncate(number, 0)
                self._file.write(json.dumps({"agentdb_rejects": 1, **about}) + "\n")
            self._file.flush()
            self._start = self._file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from error

    def add(self, rejects: Sequence[Reject]) -> None:
        """Keep *rejects*.

        Raises:
            FileError: the disk is full, or worse.
        """
        with self._lock:
            self.count += len(rejects)
            self.first.extend(rejects[: max(0, _REMEMBERED_MOST - len(self.first))])
            if self._file is None:
                return
            try:
                self._file.writelines(json.dumps(one.as_json(), ensure_ascii=False) + "\n" for one in rejects)
                self._file.flush()
            except OSError as error:
                raise self._unwritable(error) from error

    def forget(self) -> None:
        """Begin anew: what was loaded beside these was undone."""
        self.count = 0
        self.first.clear()
        if self._file is not None:
            self._file.seek(self._start)
            self._file.truncate()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _unwritable(self, error: OSError | ValueError) -> FileError:
        return FileError(
            f'"{_name(self._path or "")}" cannot be written: {reason_of(error)}',
            hint="mend the path, the permissions or the space on the disk",
        )


def _name(path: str | os.PathLike[str]) -> str:
    return shown(without_secrets(os.fspath(path)))


def _own(path: str | os.PathLike[str]) -> int:
    """Open the file *path*, made if need be, for its owner alone: the record of a person may be in it.

    Raises:
        FileError: it is a link, to wherever, or no file.
    """
    try:
        # Without a wait for whoever reads a pipe.
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if Path(path).is_symlink():
            raise FileError(f'"{_name(path)}" is a symbolic link', hint="name the file itself") from error
        if error.errno != errno.EISDIR:
            raise
        raise _no_file(path) from error
    is_file = stat.S_ISREG(os.fstat(number).st_mode)
    try:
        if is_file:
            os.fchmod(number, 0o600)
            return number
    except OSError:
        os.close(number)
        raise
    os.close(number)
    raise _no_file(path)


def _no_file(path: str | os.PathLike[str]) -> FileError:
    return FileError(f'"{_name(path)}" is not a regular file', hint="name a file to write or to replace")


def _cut_half_line(number: int) -> None:
    """Remove what a process that was killed has left of a line."""
    at = os.fstat(number).st_size
    while at:
        start = max(0, at - _READ_BYTES)
        end = os.pread(number, at - start, start).rfind(b"\n") + 1
        if end:
            os.ftruncate(number, start + end)
            return
        at = start


def refuse_same(path: str | os.PathLike[str] | None, *others: str | os.PathLike[str]) -> None:
    """Refuse to write over what is read.

    Raises:
        SettingsError: *path* is one of the *others*, by whatever name.
    """
    for other in others:
        if path is None or not (Path(path).exists() and Path(other).exists()):
            continue
        if Path(path).samefile(other):
            raise SettingsError(
                f'"{shown(os.fspath(path))}" is read, and cannot be written over', hint="name another file"
            )
