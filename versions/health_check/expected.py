"""Read what settings should be from a file that is written as postgresql.conf is. No database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import FileError

_LINE: Final = re.compile(
    r"""\s* (?: (?P<name>[A-Za-z_][\w.]*) (?: \s*=\s* | \s+ )
         (?: '(?P<quoted>(?:[^']|'')*)' | (?P<plain>[^\s'\#=]+) ) )? \s* (?: \#.* )?""",
    re.VERBOSE,
)


def expected_settings(file: Path) -> dict[str, str]:
    """Return the settings of *file* by name; of one that is there twice the last, as the server does.

    Raises:
        FileError: it cannot be read, or a line of it is no setting.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f'"{file}" cannot be read as expected settings',
            hint="name a file as postgresql.conf is, in UTF-8",
        ) from error
    found = {}
    for number, line in enumerate(lines, start=1):
        read = _LINE.fullmatch(line)
        if read is None:
            raise FileError(
                f'line {number} of "{file}" is no setting',
                hint="write it as work_mem = '64MB'; # begins a comment",
            )
        if read["name"]:
            value = read["plain"] if read["quoted"] is None else read["quoted"].replace("''", "'")
            found[read["name"].lower()] = value
    return found
