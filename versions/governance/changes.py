"""Tell which files and lines a change touches, and where the other lines were before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.governance.git import Repository
from spotify_ai_agent_migrations.versions.governance.trees import Held

_HUNK: Final = re.compile(rb"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_DIFF: Final = (
    "diff", "--unified=0", "--inter-hunk-context=0", "--text", "--no-color", "--no-ext-diff", "--no-textconv",
)  # fmt: skip


@dataclass(frozen=True)
class Hunk:
    """So many lines before became so many lines from `line` on; where none came, `line` is the one above."""

    removed: int
    line: int
    added: int


@dataclass(frozen=True)
class Changes:
    """The files that differ, and of those that are on both sides how; by the names that findings have."""

    names: frozenset[str]
    hunks: Mapping[str, tuple[Hunk, ...]]

    def line_before(self, name: str, line: int) -> int | None:
        """Return where a line was before the change; None where it is part of it."""
        if name not in self.names:
            return line
        return _line_before(self.hunks[name], line) if name in self.hunks else None

    def first_line(self, name: str) -> int:
        """Return the first line of a file that the change touches."""
        return max(1, min((hunk.line for hunk in self.hunks.get(name, ())), default=1))


def read_changes(repository: Repository, before: Mapping[str, Held], after: Mapping[str, Held]) -> Changes:
    """Return what differs between the files of two trees."""
    differing = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    # What became a link, or was one, is another file.
    both = [
        (name, before[name], after[name])
        for name in differing & set(before) & set(after)
        if None not in {before[name].content, after[name].content}
    ]
    return Changes(
        frozenset(map(visible, differing)),
        {visible(name): _hunks(repository, old.blob, new.blob) for name, old, new in both},
    )


def _hunks(repository: Repository, before: str, after: str) -> tuple[Hunk, ...]:
    diff = repository.tell(*_DIFF, before, after)
    return tuple(
        Hunk(int(found[1] or 1), int(found[2]), int(found[3] or 1)) for found in _HUNK.finditer(diff)
    )


def _line_before(hunks: tuple[Hunk, ...], line: int) -> int | None:
    moved = 0
    for hunk in hunks:
        if hunk.line <= line < hunk.line + hunk.added:
            return None
        if line >= hunk.line + max(hunk.added, 1):
            moved += hunk.removed - hunk.added
    return line + moved
