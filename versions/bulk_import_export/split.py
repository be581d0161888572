"""Name the files of an export that is split, and tell what goes into which. No database here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from spotify_ai_agent_migrations.versions.core.errors import SettingsError

PARTS_MOST: Final = 500
_NAME_MOST_BYTES: Final = 100


class Taker(Protocol):
    """What takes rows."""

    def write(self, data: bytes, /) -> int:
        """Take one row."""


class ByRows:
    """Takes rows, one a call, and begins a new file behind every so many."""

    def __init__(self, rows: int, begin: Callable[[int], Taker]) -> None:
        self.counts: list[int] = [0]
        self._rows = rows
        self._begin = begin
        self._taker = begin(1)

    def write(self, data: bytes) -> int:
        """Take one row; the driver calls this for every row.

        Raises:
            SettingsError: there are too many files.
        """
        if self.counts[-1] == self._rows:
            self.counts.append(0)
            refuse_many(len(self.counts))
            self._taker = self._begin(len(self.counts))
        self.counts[-1] += 1
        return self._taker.write(data)


def refuse_many(parts: int) -> None:
    """Refuse to open more files than a process may have.

    Raises:
        SettingsError: there are.
    """
    if parts > PARTS_MOST:
        raise SettingsError(
            f"the export would be split into more than {PARTS_MOST} files",
            hint="split it by more rows, or by a column of fewer values",
        )


def numbered_place(place: str, number: int) -> str:
    """Return the name of the file of this *number*: out.csv.gz, 2 is out-0002.csv.gz."""
    return _with(place, f"{number:04}")


def named_places(place: str, values: Sequence[str | None]) -> list[str]:
    """Return the names of the files for *values*, all of them in the folder of *place*, whatever they hold.

    Raises:
        SettingsError: two values differ by case only, which not every file system can tell apart.
    """
    names = [_with(place, _safe(value)) for value in values]
    if len({name.casefold() for name in names}) < len(names):
        raise SettingsError(
            "two of the values to split by differ in case only, and some file systems take one for the other",
            hint="split by rows, or by another column",
        )
    return names


def _safe(value: str | None) -> str:
    """Return a part of a file's name that leads nowhere: letters, digits, _ and -, all else as %2F."""
    if value is None:
        return "%NULL"
    # A point, too: it could end the name otherwise than it is meant, or lead a folder up.
    safe = quote(value, safe="").replace(".", "%2E").replace("~", "%7E")
    if len(safe) <= _NAME_MOST_BYTES:
        return safe
    return f"{safe[:60]}%{hashlib.sha256(value.encode()).hexdigest()[:32]}"


def _with(place: str, part: str) -> str:
    path = Path(place)
    stem, point, endings = path.name.partition(".")
    return str(path.with_name(f"{stem}-{part}{point}{endings}"))
