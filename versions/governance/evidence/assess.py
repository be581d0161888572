"""Let each control be spoken of, and see to it that every claim leads to a row of the report."""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.governance.evidence.controls import CONTROLS, Asked
from spotify_ai_agent_migrations.versions.governance.evidence.model import (
    Claim,
    Control,
    Evidence,
    Gap,
    Report,
)


def assess(evidence: Evidence) -> Report:
    """Return what *evidence* shows of every control.

    Raises:
        ValueError: a claim rests on a row that the report does not hold.
    """
    anchors = {row.anchor for source in evidence.sources.values() for row in source.rows}
    report = Report(evidence, tuple(_control(asked, evidence) for asked in CONTROLS))
    for control in report.controls:
        for claim in control.claims:
            if not anchors.issuperset(claim.rows):
                raise ValueError(f"a claim of {control.code} rests on a row that is not in the report")
    return report


def _control(asked: Asked, evidence: Evidence) -> Control:
    said = [one for speaker in asked.speakers for one in speaker(evidence)]
    gaps = [one for one in said if isinstance(one, Gap)]
    return Control(
        asked.framework,
        asked.code,
        asked.title,
        asked.asks,
        tuple(one for one in said if isinstance(one, Claim)),
        tuple(dict.fromkeys(gaps)),
    )
