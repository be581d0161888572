"""Put the files of an export in their places, each in one of its own. No database here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotify_ai_agent_migrations.versions.bulk_import_export.arrow_out import ArrowSink
from spotify_ai_agent_migrations.versions.bulk_import_export.leftovers import make_way
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.sink import (
    Sink,
    manifest_path,
    write_manifest,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.wish import Wish
from spotify_ai_agent_migrations.versions.core.errors import FileError


@dataclass
class File:
    """A file on its way: where it goes, what takes its bytes, and what takes its rows."""

    place: str
    sink: Sink
    taker: Sink | ArrowSink
    rows: int = 0
    is_sealed: bool = False

    def seal(self) -> None:
        """End what is written: of hundreds of files one at a time is compressed."""
        if self.is_sealed:
            return
        self.is_sealed = True
        if isinstance(self.taker, ArrowSink):
            self.taker.close()
        self.sink.seal()


def put_in_place(files: Sequence[File], place: str, wish: Wish, about: Mapping[str, Any]) -> list[int]:
    """Put *files* in their places when all of them are safe on the disk, and return their sizes.

    Of several the first comes last, and then the manifest of all: where they are, the others are.

    Raises:
        FileError: one cannot be written, or a file of another export would be taken for one of them.
    """
    sizes = [file.sink.settle() for file in files]
    if wish.is_split:
        make_way(place, [file.place for file in files], by_value=wish.split_by is not None)
    parts = [
        {"rows": file.rows, "bytes": size_bytes, "sha256": file.sink.sha256}
        for file, size_bytes in zip(files, sizes, strict=True)
    ]
    for file, part in reversed([*zip(files, parts, strict=True)]):
        file.sink.finish()
        if wish.manifest:
            write_manifest(file.place, {**about, **part})
    if wish.manifest and wish.is_split:
        named = [{"file": Path(file.place).name, **part} for file, part in zip(files, parts, strict=True)]
        write_manifest(place, {**about, "rows": sum(file.rows for file in files), "parts": named})
    return sizes


class Places:
    """The places that an export writes to, each of them once, whatever links lead there."""

    def __init__(self, *, manifest: bool) -> None:
        self._manifest = manifest
        self._taken: set[str] = set()

    def take(self, place: str) -> None:
        """Note that a file is written to *place*, and its manifest beside it.

        Raises:
            FileError: one of the two is where another of the export is.
        """
        for path in (Path(place), *([manifest_path(place)] if self._manifest else [])):
            # A link that leads in a circle is refused where the file is opened.
            found = os.path.realpath(path)
            if found in self._taken:
                raise FileError(
                    f'"{shown(path.name)}" leads to another file that the export writes',
                    hint="remove the link, or name another place; nothing was written",
                )
            self._taken.add(found)
