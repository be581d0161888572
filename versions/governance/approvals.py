"""Keep who approved of which text of a revision, in the committed file APPROVALS.

A line holds a file's name, the checksum that was approved, when, a seal over the whole line, the reviewer and
the authors. The seal shows a line that was edited by hand. It stops nobody who wants to forge one: that it is
its reviewer's is held by how the file comes into the repository.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.governance.persons import Person, read_persons

LIST: Final = "APPROVALS"

_HEADING: Final = (
    "# By `agentdb governance approve`: file, SHA-256 of its text, when, seal, reviewer, its authors.\n"
)
_SEALED: Final = "agentdb approval 1"
_CHECKSUM: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Approval:
    """One line: *reviewer* approved of the text of a file that *authors* wrote.

    `at` is in UTC, to the second. `broken` says that the line is not as it was written; it then counts for
    nothing, and holds what could be read.
    """

    file_name: str
    checksum: str
    at: str
    reviewer: Person
    authors: tuple[Person, ...]
    line: int = 0
    broken: bool = False

    @property
    def seal(self) -> str:
        """Return the SHA-256 over what the line says, in hexadecimal."""
        said = [_SEALED, self.file_name, self.checksum, self.at, *map(str, (self.reviewer, *self.authors))]
        return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()

    def __str__(self) -> str:
        persons = "; ".join(map(str, (self.reviewer, *self.authors)))
        return f"{self.file_name} {self.checksum} {self.at} {self.seal} {persons}"


def read_approvals(folder: Path) -> tuple[Approval, ...]:
    """Return the approvals of *folder*, in order; none where it has no list.

    Raises:
        FileError: it cannot be read.
    """
    try:
        text = (folder / LIST).read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise FileError(
            f'"{folder / LIST}" cannot be read: {error.strerror}', hint="let this user read it"
        ) from error
    # Not splitlines, which also ends a line where only Unicode does.
    numbered = enumerate(text.split("\n"), 1)
    return tuple(_read(line, number) for number, line in numbered if line.strip() and line[0] != "#")


def _read(line: str, number: int) -> Approval:
    file_name, checksum, at, seal, said = (*line.split(maxsplit=4), "", "", "", "", "")[:5]
    reviewer, *authors = read_persons(said) or (Person("", ""),)
    made = Approval(file_name, checksum, at, reviewer, tuple(authors), line=number)
    return replace(made, broken=seal != made.seal or not authors or not _CHECKSUM.fullmatch(checksum))


def add_approval(folder: Path, approval: Approval) -> None:
    """Write *approval* behind the others."""
    with (folder / LIST).open("a+", encoding="utf-8", errors="replace", newline="\n") as opened:
        opened.seek(0)
        held = opened.read()
        # An editor may have left the last line open.
        opened.write(("" if held.endswith("\n") else "\n" if held else _HEADING) + f"{approval}\n")
