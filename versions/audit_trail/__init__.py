"""The audit trail, sealed: what was written cannot be changed, taken away or put in without being found.

    seal(key=signing_key())                    seal what transactions that have ended wrote
    verify(public_key="audit.pub").whole       look at all of it; `faults` says what is wrong, and where
    export(entries="e.csv.gz", seals="s")      for whoever has no access; `verify_export` needs no database
    redact([4711])                             take from entries what could name somebody

When: always; entries are sealed seconds after they are written, verified each minute and each night.
Locks: none that a writer could meet; one sealer at a time, by an advisory lock.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.audit_trail.exporting import Exported, export, verify_export
from spotify_ai_agent_migrations.versions.audit_trail.fault import Fault, Kind, Verification
from spotify_ai_agent_migrations.versions.audit_trail.keys import signing_key
from spotify_ai_agent_migrations.versions.audit_trail.progress import Status, status
from spotify_ai_agent_migrations.versions.audit_trail.run import Round, redact, seal, seal_every
from spotify_ai_agent_migrations.versions.audit_trail.verification import verify
from spotify_ai_agent_migrations.versions.core.signing import make_keys

__all__ = [
    "Exported",
    "Fault",
    "Kind",
    "Round",
    "Status",
    "Verification",
    "export",
    "make_keys",
    "redact",
    "seal",
    "seal_every",
    "signing_key",
    "status",
    "verify",
    "verify_export",
]
