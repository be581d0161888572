"""Put pages where they belong, each whole or not at all, and read what is there. No database here."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from spotify_ai_agent_migrations.versions.core.errors import FileError


def read(path: Path) -> bytes | None:
    """Return the content of *path*, or None where there is no such file.

    Raises:
        FileError: it is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, "read", error) from error


def write(path: Path, content: bytes) -> None:
    """Write *content* to *path*, whose folder is made if it is missing; readers see the old file or the new.

    A link stays a link, and the file behind it is replaced. A process that is killed changes nothing, but may
    leave a `.….part` beside it.

    Raises:
        FileError: it cannot be written; what was there is there still.
    """
    place = path.resolve()
    made = place.with_name(f".{place.name}-{secrets.token_hex(8)}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with made.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            made.replace(place)
        except BaseException:
            with suppress(OSError):
                made.unlink()
            raise
    except OSError as error:
        raise _refused(path, "written", error) from error


def _refused(path: Path, verb: str, error: OSError) -> FileError:
    return FileError(
        f'"{path}" cannot be {verb}: {error.strerror}',
        hint="mend its permissions, or name another folder with --output",
    )
