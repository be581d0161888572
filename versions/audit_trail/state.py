"""Remember the last seal that was found good, in a file out of reach of whoever owns the database."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal
from spotify_ai_agent_migrations.versions.audit_trail.digest import digest_line, read_digests
from spotify_ai_agent_migrations.versions.core.errors import FileError


def remembered(file: Path) -> Seal | None:
    """Return the seal that *file* remembers; None where there is no such file yet.

    Raises:
        FileError: it cannot be read, or holds something else.
    """
    with suppress(FileNotFoundError):
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise FileError(f'"{file}" cannot be read', hint="name a file that can be written to") from error
        return next(read_digests(lines, name=str(file)), None)
    return None


def remember(file: Path, seal: Seal) -> None:
    """Write *seal* to *file*, whole or not at all.

    Raises:
        FileError: it cannot be written.
    """
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as written:
            written.write(f"{digest_line(seal)}\n")
            written.flush()
            os.fsync(written.fileno())
        beside.replace(file)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise FileError(f'"{file}" cannot be written', hint="name a file in a folder of yours") from error
