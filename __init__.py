"""The PostgreSQL side of a music-streaming AI backend: Alembic revisions and the operations around them.

    from spotify_ai_agent_migrations import discover, check, bulk_import, bulk_export

Importing this package runs no revision, opens no connection and works with a broken revision in the tree.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.bulk_import_export import (
        ExportResult,
        ImportResult,
        bulk_export,
        bulk_fix,
        bulk_import,
        bulk_retry,
    )
    from spotify_ai_agent_migrations.versions.core.errors import (
        ApprovalError,
        DatabaseError,
        DocumentationError,
        FileError,
        GovernanceError,
        LockError,
        MergeError,
        MigrationError,
        PeriodError,
        PrivilegeError,
        RevisionError,
        RowError,
        ServerError,
        SettingsError,
        SubjectError,
        TableError,
    )
    from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
    from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
    from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import plan_erasure
    from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
    from spotify_ai_agent_migrations.versions.gdpr_erasure.export import SubjectExport, export_subject
    from spotify_ai_agent_migrations.versions.governance import Finding, Revision, check, discover
    from spotify_ai_agent_migrations.versions.health_check import HealthReport, check_health
    from spotify_ai_agent_migrations.versions.rollback import (
        RollbackPlan,
        RollbackResult,
        plan_rollback,
        restore,
        rollback,
    )
    from spotify_ai_agent_migrations.versions.zero_downtime_migration import Change, Manner, change, ops

__version__ = "0.1.0"

__all__ = [
    "ApprovalError",
    "Change",
    "DatabaseError",
    "DocumentationError",
    "ErasureCertificate",
    "ErasurePlan",
    "ExportResult",
    "FileError",
    "Finding",
    "GovernanceError",
    "HealthReport",
    "ImportResult",
    "LockError",
    "Manner",
    "MergeError",
    "MigrationError",
    "PeriodError",
    "PrivilegeError",
    "Revision",
    "RevisionError",
    "RollbackPlan",
    "RollbackResult",
    "RowError",
    "ServerError",
    "SettingsError",
    "SubjectError",
    "SubjectExport",
    "TableError",
    "bulk_export",
    "bulk_fix",
    "bulk_import",
    "bulk_retry",
    "change",
    "check",
    "check_health",
    "discover",
    "erase_user",
    "export_subject",
    "ops",
    "plan_erasure",
    "plan_rollback",
    "restore",
    "rollback",
]

_HOMES = {
    "bulk_import_export": (
        "ExportResult",
        "ImportResult",
        "bulk_export",
        "bulk_fix",
        "bulk_import",
        "bulk_retry",
    ),
    "gdpr_erasure": (
        "ErasureCertificate",
        "ErasurePlan",
        "SubjectExport",
        "erase_user",
        "export_subject",
        "plan_erasure",
    ),
    "governance": ("Finding", "Revision", "check", "discover"),
    "health_check": ("HealthReport", "check_health"),
    "rollback": ("RollbackPlan", "RollbackResult", "plan_rollback", "restore", "rollback"),
    "zero_downtime_migration": ("Change", "Manner", "change", "ops"),
}
_ROOM_OF = {name: room for room, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a helper's room when the helper is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = _ROOM_OF.get(name, "core.errors")
    return getattr(import_module(f"spotify_ai_agent_migrations.versions.{room}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
