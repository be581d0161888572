"""Remove or refuse what an earlier export has left among the files of this one. No database here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.opening import reason_of
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.sink import manifest_path
from spotify_ai_agent_migrations.versions.core.errors import FileError

_NUMBER: Final = "[0-9]{4,}"
_VALUE: Final = "[A-Za-z0-9_%-]*"
_REMEMBER: Final = "; where manifest=True, --manifest is said each time, what is left is removed"


def make_way(place: str, parts: Sequence[str], *, by_value: bool) -> None:
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
        for path in (*gone, *(Path(os.path.realpath(part)) for part in parts[:1])):
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
        if known.get(path.name) == path.lstat().st_size:
            yield from (path, manifest_path(path))
        elif _is_part(path.name, place, _VALUE if by_value else _NUMBER):
            raise FileError(
                f'"{shown(path.name)}" would be taken for a part of the export, '
                f"and is none of its {len(parts)}",
                hint="remove it, or name another place; nothing was written" + ("" if known else _REMEMBER),
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
