"""What an export says of itself when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class ExportedPart:
    """Rows of one table, as they were written: `rows` of them, into `files`.

    part: own rows, rows of others that mention the person, or rows of the catalogue that explain numbers.
    replaced: values that named somebody else.
    acted_as: the role that read them.
    """

    name: str
    table: str
    part: str
    rows: int
    columns: tuple[str, ...]
    files: tuple[str, ...] = ()
    replaced: int = 0
    acted_as: str = "agent_privacy"
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class SubjectExport:
    """What was handed out: `rows` are the person's, without those of the catalogue that explain them.

    sha256: of the file; of its manifest, where it is a directory.
    secrets: columns that are held and never handed out, as table.column.
    unreached: tables about people that no way leads to from a person, and so not in it.
    """

    article: int
    path: Path
    language: str
    as_of: datetime
    parts: tuple[ExportedPart, ...]
    secrets: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    sha256: str = field(default="", compare=False)
    bytes: int = field(default=0, compare=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def rows(self) -> int:
        """Return how many rows about the person it holds."""
        return sum(part.rows for part in self.parts if part.part != "reference")
