"""Put a report into a file, whole or not at all. No database."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from spotify_ai_agent_migrations.versions.core.errors import FileError


def placed(file: Path, content: str) -> None:
    """Write *content* to *file*: who reads it meanwhile sees the old one or the new one.

    Who may read it stays as it was; of a new one the umask says so.

    Raises:
        FileError: it cannot be written; what was there is there.
    """
    try:
        # A pipe or a device is written to; a link stays one.
        if file.exists() and not file.is_file():
            file.write_text(content, encoding="utf-8")
        else:
            _replaced(file.resolve(), content)
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be written: {error.strerror}', hint="name a file in a folder that exists"
        ) from error


def _replaced(file: Path, content: str) -> None:
    # By its name nobody knows it beforehand, and what a killed process left stands in nobody's way.
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("x", encoding="utf-8") as opened:
            if file.exists():
                os.fchmod(opened.fileno(), file.stat().st_mode & 0o777)
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    except BaseException:
        with suppress(FileNotFoundError):
            beside.unlink()
        raise
