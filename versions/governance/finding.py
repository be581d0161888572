"""What a rule says about a revision, and the report that all of them make. No rule and no format here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Place(NamedTuple):
    """A line and a column, both counted from 1; the column in characters."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place.

    `path` is relative to the project's root, with slashes; `file` is the same on disk.
    `problem` is one line; `hint` is the whole fix.
    """

    code: str
    rule: str
    severity: Severity
    path: str
    line: int
    column: int
    problem: str
    hint: str
    root: Path = field(default=Path(), repr=False, compare=False)

    @property
    def file(self) -> Path:
        """Return the file on disk."""
        return self.root / self.path


@dataclass(frozen=True)
class Suppressed:
    """A finding that the revision itself allows, and its reason."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class Comparison:
    """What a check was compared with: how many files differ, how many findings are older than that.

    `unseen` counts the files that are not committed, at which nothing looked.
    """

    base: str
    files: int
    older: int
    unseen: int


@dataclass(frozen=True)
class Report:
    """The findings of one check, in order, how many revisions were read for it, and what they allow."""

    findings: tuple[Finding, ...]
    revisions: int
    suppressed: tuple[Suppressed, ...] = ()
    compared: Comparison | None = None


@dataclass(frozen=True)
class Reporter:
    """Makes the findings of one rule; its module's name tells their severity, unless it is given."""

    code: str
    module: str
    severity: Severity | None = None

    def __call__(self, path: Path, problem: str, *, hint: str, at: Place = Place()) -> Finding:  # noqa: B008
        """Return a finding about *path*, a file in the folder of revisions or that folder itself."""
        root = path.parent if path.is_dir() else path.parent.parent
        rule = self.module.rpartition(".")[2]
        return Finding(
            code=self.code,
            rule=rule,
            severity=self.severity or severity(rule),
            path=project_path(path),
            line=at.line,
            column=at.column,
            problem=visible(problem),
            hint=visible(hint),
            root=root,
        )


def severity(rule: str) -> Severity:
    """Return how severe a rule is: what it bans or requires is an error, what it prefers a warning."""
    return "warning" if rule.startswith("prefer_") else "error"


def project_path(path: Path) -> str:
    """Return *path* as findings name it: a file in the folder of revisions, or that folder itself."""
    root = path.parent if path.is_dir() else path.parent.parent
    return visible(path.relative_to(root).as_posix())


def visible(text: str) -> str:
    """Return *text* on one line, with what no terminal, JSON or XML can carry written as an escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )
