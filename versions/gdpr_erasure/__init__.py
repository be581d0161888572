"""Personal data: where it is, on what ground, who asked what of it by when, and what they are given.

    export_subject(42, "42.zip")                 all that is held about a person (GDPR art. 15)
    export_subject(42, "42.zip", article=20)     what they provided, to take elsewhere (art. 20)

When: a column is added, a person asks, an authority asks.
Locks: ROW EXCLUSIVE on the tables that are written to; what reads takes none that a writer could meet.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.gdpr_erasure.export import SubjectExport, export_subject

__all__ = ["SubjectExport", "export_subject"]
