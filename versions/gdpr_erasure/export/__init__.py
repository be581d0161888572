"""Give one person what is held about them: all of it (GDPR art. 15), or what they provided (art. 20).

    export_subject(42, "export.zip")                 everything, in plain words beside the data
    export_subject(42, "export.zip", article=20)     what they provided, to be taken elsewhere

Locks: ACCESS SHARE, as a SELECT takes; the trail gets an entry for each table that is read.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.gdpr_erasure.export.result import ExportedPart, SubjectExport
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.run import export_subject

__all__ = ["ExportedPart", "SubjectExport", "export_subject"]
