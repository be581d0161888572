"""Take up the rows that an import kept aside: write them out to be mended, or load them once more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import fields_of
from spotify_ai_agent_migrations.versions.bulk_import_export.dialect import Dialect
from spotify_ai_agent_migrations.versions.bulk_import_export.grammar import csv_line
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import Opened, open_input
from spotify_ai_agent_migrations.versions.bulk_import_export.options import (
    COPY_TEXT,
    Choices,
    Options,
    choose,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.remote import is_address
from spotify_ai_agent_migrations.versions.bulk_import_export.target import open_target
from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError

_READ_BYTES: Final = 1 << 20
# Of the file of rejects.
_VERSIONS: Final = (1,)
# What an import was told of the file and the table, and not what it was told to do with bad rows.
REMEMBERED: Final = (
    "mode", "key", "columns", "constants", "dates", "booleans", "decimal", "lenient", "row_security",
    "max_record_bytes",
)  # fmt: skip


# What was loaded before has to stay: a few rows more neither replace a table nor say which others to delete.
_ADDING: Final = {"replace": "insert", "merge": "upsert"}


@dataclass(frozen=True)
class Rejected:
    """What a file of rejects says: of which table and file, how it is written, and where the rows lie."""

    table: str
    source: str
    header: tuple[str, ...]
    dialect: Dialect
    options: Mapping[str, Any]
    state: tuple[int, ...] | None
    places: tuple[tuple[int, int], ...]


def read_rejects(path: str | os.PathLike[str]) -> Rejected:
    """Read the file *path*, which an import wrote its rejects to.

    Raises:
        FileError: it is none.
    """
    name = shown(os.fspath(path))
    try:
        with Path(path).open(encoding="utf-8") as file:
            about, *lines = map(json.loads, file)
        _VERSIONS.index(about["agentdb_rejects"])
        dialect = Dialect(**{**about["dialect"], "nulls": tuple(about["dialect"]["nulls"])})
        places = sorted((int(one["offset"]), int(one["length"])) for one in lines)
        state = about["state"]
        return Rejected(
            about["table"], about["source"], tuple(about["header"]), dialect, about["options"],
            None if state is None else tuple(state), tuple(dict(places).items()),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            f'"{name}" is no file of rejects', hint="name the file that an import wrote: rejects=…, --rejects"
        ) from error


def about_of(source: str, opened: Opened, options: Options) -> dict[str, Any]:
    """Return what `read_rejects` has to find again besides the dialect."""
    told = {name: getattr(options, name) for name in REMEMBERED}
    plain = {name: dict(value) if isinstance(value, Mapping) else value for name, value in told.items()}
    state = _state(opened)
    # Found again from any folder.
    place = source if state is None else str(Path(source).absolute())
    return {"source": place, "options": plain, "state": state}


def _state(opened: Opened) -> list[int] | None:
    found = opened.state()
    # Its size and when it was written; a copy of it is another file to the system, and the same to us.
    return [int(one) for one in found[1:]] if isinstance(found, tuple) else None


def retried(found: Rejected, choices: Choices) -> Options:
    """Return the options with which the rows are loaded once more: as before, but for *choices*."""
    before: dict[str, Any] = {name: value for name, value in found.options.items() if value is not None}
    before["mode"] = _ADDING.get(str(before.get("mode")), before.get("mode", "insert"))
    options = choose(cast(Choices, {**before, **_dialect_options(found.dialect), **choices}))
    if options.guarantee == "resumable":
        raise SettingsError(
            "rows that were kept aside are loaded all together or not at all", hint="leave guarantee out"
        )
    return replace(options, only=found.places)


def _dialect_options(dialect: Dialect) -> dict[str, Any]:
    said: dict[str, Any] = {"format": dialect.format, "compression": dialect.compression}
    if dialect.format in {"csv", "tsv"}:
        said |= {
            "delimiter": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape,
            "header": dialect.header, "skip_lines": dialect.skip_lines,
        }  # fmt: skip
        said["null"] = list(dialect.nulls)
    return {**said, "encoding": dialect.encoding}


def open_again(found: Rejected, options: Options, source: str | os.PathLike[str] | None = None) -> Opened:
    """Open the file that the rows came from, which is at *source* by now.

    Raises:
        FileError: it is not what it was.
    """
    try:
        opened = open_input(source or found.source, options)
    except FileError as error:
        if source is not None:
            raise
        how = "say it whole" if is_address(found.source) else "say where it is now"
        raise FileError(error.problem, hint=f"{error.hint}; {how}: source=…, --source") from None
    state = _state(opened)
    if found.state is not None and state is not None and tuple(state) != tuple(found.state):
        opened.close()
        raise FileError(
            f'"{opened.name}" is not the file any more that the rows were rejected from',
            hint="import it anew",
        )
    return opened


def fix(
    rejects: str | os.PathLike[str],
    path: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
) -> int:
    """Write the rejected rows as they stand in their file, under its header, into *path*; return how many.

    Mend them there and import that file. Only its owner may read it: the rows are whole.

    Raises:
        FileError: the rejects or their file cannot be read, or *path* cannot be written.
    """
    found = read_rejects(rejects)
    options = retried(found, {})
    with closing(open_again(found, options, source)) as opened, open_target(Path(path)) as target:
        columnar = found.dialect.format in COPY_TEXT and bool(opened.fields)
        target.write(_header(found, columnar=columnar))
        for row in _rows(opened, found.places):
            target.write(_as_csv(row) if columnar else row if row.endswith((b"\n", b"\r")) else row + b"\n")
        target.finish()
    return len(found.places)


def _header(found: Rejected, *, columnar: bool) -> bytes:
    dialect = found.dialect
    if columnar:
        return csv_line([name.encode() for name in found.header])
    if dialect.format not in {"csv", "tsv"} or not dialect.header:
        return b""
    return csv_line([name.encode() for name in found.header], dialect.grammar)


def _as_csv(row: bytes) -> bytes:
    return csv_line(fields_of(row.rstrip(b"\n")))


def _rows(opened: Opened, places: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
    """Yield what lies at *places*, which are in order and apart."""
    at, held = 0, b""
    for offset, length in places:
        while at + len(held) < offset + length and (part := opened.read(_READ_BYTES)):
            if at + len(held) <= offset:
                at, held = at + len(held), part
            else:
                held += part
        yield held[offset - at : offset - at + length]
