"""Put the files of an export in their places; none of another is taken for one of them. No database here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spotify_ai_agent_migrations.versions.bulk_import_export.arrow_out import ArrowSink
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import reason_of
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.sink import (
    Sink,
    manifest_path,
    write_manifest,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.wish import Wish
from spotify_ai_agent_migrations.versions.core.errors import FileError

_NUMBER: Final = "[0-9]{4,}"
_VALUE: Final = "[A-Za-z0-9_%-]*"


@dataclass
class File:
    """A file on its way: where it goes, what takes its bytes, and what takes its rows."""

    place: str
    sink: Sink
    taker: Sink | ArrowSink
    rows: int = 0


def put_in_place(files: Sequence[File], place: str, wish: Wish, about: Mapping[str, Any]) -> list[int]:
    """Put *files* in their places when all of them are safe on the disk, and return their sizes.

    Of several the first comes last, and then the manifest of all: where they are, the others are.

    Raises:
        FileError: one cannot be written, or a file of another export would be taken for one of them.
    """
    sizes = [file.sink.settle() for file in files]
    if wish.is_split:
        _make_way(place, [file.place for file in files], by_value=wish.split_by is not None)
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
        self._taken: set[Path] = set()

    def take(self, place: str) -> None:
        """Note that a file is written to *place*, and its manifest beside it.

        Raises:
            FileError: one of the two is where another of the export is.
        """
        for path in (Path(place), *([manifest_path(place)] if self._manifest else [])):
            found = path.resolve()
            if found in self._taken:
                raise FileError(
                    f'"{shown(path.name)}" leads to another file that the export writes',
                    hint="remove the link, or name another place; nothing was written",
                )
            self._taken.add(found)


def _make_way(place: str, parts: Sequence[str], *, by_value: bool) -> None:
    """Remove what an earlier export to *place* has left that *parts* do not replace.

    They are known by its manifest. That goes first, and the first part with it.

    Raises:
        FileError: a file beside them would be taken for one of them, and nobody knows whose it is.
    """
    try:
        gone = list(_left_by(place, parts, by_value=by_value))
        if _parts_of(place):
            gone.insert(0, manifest_path(place))
        # What a link leads to is replaced, and the link stays.
        for path in (*gone, *(Path(part).resolve() for part in parts[:1])):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(
            f'what an earlier export left beside "{shown(place)}" cannot be removed: {reason_of(error)}',
            hint="mend the permissions of the folder, or name another place",
        ) from error


def _left_by(place: str, parts: Sequence[str], *, by_value: bool) -> Iterator[Path]:
    known = _parts_of(place)
    kept = {Path(part).name for part in parts}
    for path in sorted(Path(place).parent.iterdir()):
        if path.name in kept or not _is_part(path.name, place, _VALUE):
            continue
        if known.get(path.name) == path.stat().st_size:
            yield from (path, manifest_path(path))
        elif _is_part(path.name, place, _VALUE if by_value else _NUMBER):
            raise FileError(
                f'"{shown(path.name)}" would be taken for a part of the export, '
                f"and is none of its {len(parts)}",
                hint="remove it, or name another place; nothing was written",
            )


def _is_part(name: str, place: str, what: str) -> bool:
    stem, point, endings = Path(place).name.partition(".")
    return re.fullmatch(f"{re.escape(stem)}-{what}{re.escape(point + endings)}", name) is not None


def _parts_of(place: str) -> dict[str, int]:
    """Return the names of the files that the manifest of an earlier export names, and their sizes."""
    try:
        said = json.loads(manifest_path(place).read_text(encoding="utf-8"))
        return {str(part["file"]): int(part["bytes"]) for part in said["parts"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
