"""Say what the rows of a period show of the controls an auditor asks about. No database here.

    report = assess(evidence)
    report.controls         # each with its claims, the rows that show them, and its gaps

A claim cannot be made without a row of the same report: what no row shows is a gap, and is written as one.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.governance.evidence.assess import assess
from spotify_ai_agent_migrations.versions.governance.evidence.model import (
    Claim,
    Control,
    Evidence,
    Gap,
    Report,
    Row,
    Source,
)
from spotify_ai_agent_migrations.versions.governance.evidence.period import Period, read_period

__all__ = [
    "Claim",
    "Control",
    "Evidence",
    "Gap",
    "Period",
    "Report",
    "Row",
    "Source",
    "assess",
    "read_period",
]
