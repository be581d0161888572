"""Run every rule over the revisions, and leave out what they allow. Executes no revision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from spotify_ai_agent_migrations.versions.governance import source
from spotify_ai_agent_migrations.versions.governance.checksums import LIST
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Report
from spotify_ai_agent_migrations.versions.governance.revision import HERE, modules, read_history
from spotify_ai_agent_migrations.versions.governance.rules import (
    RULES,
    SUPPRESSIBLE,
    prefer_used_suppression,
)
from spotify_ai_agent_migrations.versions.governance.suppressions import part


def check(folder: Path | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with the revisions of *folder*, by path, line and code.

    Without a folder, with those of this package. What a revision allows itself, with a reason, is left out.

    Raises:
        FileError: there is no such folder.
    """
    return report(folder).findings


def report(folder: Path | None = None) -> Report:
    """Return the findings of `check`, how many revisions they are about, and what these allow."""
    place = HERE if folder is None else folder.resolve()
    return _report(place, _state(place))


def _state(folder: Path) -> str:
    """Return what stands for all that the rules read: every module of *folder*, and the list of checksums."""
    state = hashlib.sha256()
    for file in (*modules(folder), folder / LIST):
        try:
            held = source.raw(file)
        except source.UnreadableError as trouble:
            held = trouble.problem.encode()
        state.update(f"{file.name}\0{len(held)}\0".encode("utf-8", "surrogateescape") + held)
    return state.hexdigest()


@lru_cache(maxsize=1)
def _report(folder: Path, state: str) -> Report:
    """Ask the rules once of the same files: a rollback comes by the gate for each of its trials."""
    del state
    history = read_history(folder)
    found = [finding for rule in RULES for finding in rule.find(history)]
    stand, suppressed, unused = part(history, found, SUPPRESSIBLE)
    stand += prefer_used_suppression.told(unused)
    suppressed.sort(key=lambda one: _place(one.finding))
    return Report(tuple(sorted(stand, key=_place)), len(history.revisions), tuple(suppressed))


def structural(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those of *findings* with which Alembic cannot load the history at all."""
    codes = {rule.CODE for rule in RULES if rule.STRUCTURAL}
    return tuple(finding for finding in findings if finding.code in codes)


def _place(finding: Finding) -> tuple[str, int, str, int, str]:
    return finding.path, finding.line, finding.code, finding.column, finding.problem
