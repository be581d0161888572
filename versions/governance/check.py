"""Run every rule over the revisions. Executes no revision."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Report
from spotify_ai_agent_migrations.versions.governance.revision import read_history
from spotify_ai_agent_migrations.versions.governance.rules import RULES


def check(folder: Path | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with the revisions of *folder*, by path, line and code.

    Without a folder, with those of this package.

    Raises:
        FileError: there is no such folder.
    """
    return report(folder).findings


def report(folder: Path | None = None) -> Report:
    """Return the findings of `check`, and how many revisions they are about."""
    history = read_history(folder)
    findings = (finding for rule in RULES for finding in rule.find(history))
    return Report(tuple(sorted(findings, key=_place)), len(history.revisions))


def structural(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those of *findings* with which Alembic cannot load the history at all."""
    codes = {rule.CODE for rule in RULES if rule.STRUCTURAL}
    return tuple(finding for finding in findings if finding.code in codes)


def _place(finding: Finding) -> tuple[str, int, str, int, str]:
    return finding.path, finding.line, finding.code, finding.column, finding.problem
