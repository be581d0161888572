"""Find the revisions that a change edits and records anew, although its base has recorded them before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.governance.changes import Changes
from spotify_ai_agent_migrations.versions.governance.checksums import LIST, Line, recorded
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Place, Reporter, visible
from spotify_ai_agent_migrations.versions.governance.rules import ban_changed_revision

_found: Final = Reporter(ban_changed_revision.CODE, ban_changed_revision.__name__)


@dataclass(frozen=True)
class Released:
    """What the base has recorded, its name, and the numbers of what may be edited all the same."""

    lines: Iterable[Line]
    base: str
    edited: Collection[str] = ()

    def find(self, folder: Path, changes: Changes) -> Iterator[Finding]:
        """Yield a finding for each of them that is another in *folder*, and recorded as such or not at all.

        What is still recorded as it was is the affair of the rule, which compares it with the file.
        """
        now = {(line.file_name, line.checksum) for line in recorded(folder) or ()}
        for line in self.lines:
            name, number = line.file_name, line.file_name.partition("_")[0]
            kept = (name, line.checksum) in now or visible(name) not in changes.names
            if not kept and number not in self.edited:
                yield self._told(folder, name, number, changes)

    def _told(self, folder: Path, name: str, number: str, changes: Changes) -> Finding:
        there = (folder / name).is_file()
        became = "is another file now" if there else "is gone"
        return _found(
            folder / (name if there else LIST),
            f'"{name}" is recorded in "{self.base}", and {became}',
            hint=f"restore {name} from {self.base} and write a new revision; "
            f"where no database has applied it, say --edited {number}",
            at=Place(changes.first_line(visible(name)) if there else 1),
        )
