"""Verify the audit trail for a report of evidence, which itself knows no room."""

from __future__ import annotations

from pathlib import Path

from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, TableError
from spotify_ai_agent_migrations.versions.governance.evidence import Row, Source


def verified_trail(url: str | None, public_key: Path | None) -> tuple[Source, ...]:
    """Return what verifying the whole audit trail comes to; where it cannot be, why."""
    # Late: to verify takes numbers, which nothing else here needs.
    from spotify_ai_agent_migrations.versions.audit_trail import verify

    name, title = "trail-verified", "Verification of the audit trail"
    asked = "agentdb audit-trail verify, after the snapshot"
    try:
        done = verify(url=url, full=True, public_key=public_key)
    except (PrivilegeError, TableError) as error:
        return (Source(name, title, "now", asked, unread=error.problem),)
    last = done.last_seal
    result = f"{len(done.faults) + done.more_faults} faults" if done.faults else "whole"
    cells = {
        "result": f"{done.entries} entries, {done.seals} seals, {result}",
        "whole": "yes" if done.whole else "no",
        "signatures": "checked" if done.signatures_checked else "not checked",
        "not_sealed_yet": "" if done.unsealed is None else str(done.unsealed),
        "first_fault": done.faults[0].problem if done.faults else "",
    }
    row = Row(name, "1", cells, hash=last.hash.hex() if last else "")
    return (Source(name, title, "now", asked, (row,)),)
