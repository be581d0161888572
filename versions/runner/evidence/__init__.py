"""Read what shows how a database was changed, watched and kept in a period.

    report = gather(settings, "2026-11-01", "2026-12-01")

Needs no more than agent_auditor may. Locks: ACCESS SHARE on what it reads, one table at a time. Nothing is
written: the transaction is read only.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.runner.evidence.gather import STATEMENT_TIMEOUT_MS, gather

__all__ = ["STATEMENT_TIMEOUT_MS", "gather"]
