"""Check what merging HEAD into another commit gives, and keep what that changes. Touches no working tree.

    compare(folder, base="origin/main").findings

A finding is of the change where its line is, or where the base has no such finding at that line: so are
those that only the merge shows, such as two heads. What is not committed is counted, and not looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from spotify_ai_agent_migrations.versions.core.errors import MergeError
from spotify_ai_agent_migrations.versions.governance import trees
from spotify_ai_agent_migrations.versions.governance.changes import Changes, read_changes
from spotify_ai_agent_migrations.versions.governance.checking import report
from spotify_ai_agent_migrations.versions.governance.checksums import recorded
from spotify_ai_agent_migrations.versions.governance.finding import (
    Comparison,
    Finding,
    Report,
    Suppressed,
    visible,
)
from spotify_ai_agent_migrations.versions.governance.git import Repository, open_repository
from spotify_ai_agent_migrations.versions.governance.merging import merge
from spotify_ai_agent_migrations.versions.governance.released import Released
from spotify_ai_agent_migrations.versions.governance.revision import HERE


def compare(folder: Path | None, *, base: str, edited: Collection[str] = ()) -> Report:
    """Return the findings of what HEAD changes in *base*, by paths from the top of the repository.

    Revisions that *base* has recorded stay as they are, but for the numbers *edited*.

    Raises:
        MergeError: there is no such commit, no common history, a conflict, or no Git.
        FileError: there is no such folder.
    """
    place = HERE if folder is None else folder.resolve()
    with TemporaryDirectory(prefix="agentdb-") as made:
        repository = open_repository(place, Path(made))
        copy = Path(made).resolve() / "tree" / place.name
        copy.parent.mkdir()
        return _compared(repository, copy, base, edited)


def _compared(repository: Repository, copy: Path, base: str, edited: Collection[str]) -> Report:
    commit, tree = merge(repository, base)
    before, after = trees.read(repository, commit), trees.read(repository, tree)
    if not after:
        raise MergeError(
            f'no revision of "{visible(repository.inside)}" is committed',
            hint="commit the revisions, or name their folder in the checkout",
        )
    changes = read_changes(repository, before, after)
    # In one place after the other: what both hold is parsed once.
    trees.write(before, copy)
    old = report(copy) if before else Report((), 0)
    released = Released(recorded(copy) or (), visible(base), edited)
    trees.write(after, copy)
    new = report(copy)
    own = _Own(repository, changes)
    found = own.of(new.findings, old.findings)
    allowed = own.of((one.finding for one in new.suppressed), (one.finding for one in old.suppressed))
    return Report(
        findings=own.placed((*found, *released.find(copy, changes))),
        revisions=new.revisions,
        suppressed=tuple(
            Suppressed(finding, one.reason)
            for one in new.suppressed
            if one.finding in allowed
            for finding in own.placed([one.finding])
        ),
        compared=Comparison(
            visible(base),
            files=len(changes.names),
            older=len(new.findings) - len(found),
            unseen=trees.uncommitted(repository),
        ),
    )


@dataclass(frozen=True)
class _Own:
    """Tells the findings of the change from those that the base has, too."""

    repository: Repository
    changes: Changes

    def of(self, found: Iterable[Finding], before: Iterable[Finding]) -> tuple[Finding, ...]:
        known = {(one.code, one.path, one.line, one.problem) for one in before}
        return tuple(one for one in found if self._before(one) not in known)

    def _before(self, one: Finding) -> tuple[str, str, int | None, str]:
        line = self.changes.line_before(one.path.partition("/")[2], one.line)
        return one.code, one.path, line, one.problem

    def placed(self, found: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings in order, by their paths in the repository and not in the copy."""
        inside, top = visible(self.repository.inside), self.repository.top
        placed = []
        for one in found:
            parts = (inside, one.path.partition("/")[2])
            placed.append(replace(one, path="/".join(filter(None, parts)) or ".", root=top))
        return tuple(sorted(placed, key=lambda one: (one.path, one.line, one.code, one.column, one.problem)))
