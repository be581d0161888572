"""Refuse before any statement: broken rules, foreign checkouts, databases from the future."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic.script import Script, ScriptDirectory
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import GovernanceError, RevisionError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.governance import check, structural
from spotify_ai_agent_migrations.versions.governance.checksums import checksum, code_checksum
from spotify_ai_agent_migrations.versions.runner import journal

_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner")

_DRAFT: Final = "require_recorded_checksum"


@dataclass(frozen=True)
class Edited:
    """An applied revision whose file changed since; `cosmetic` where its code is still the same."""

    revision: str
    file: Path
    cosmetic: bool


def refuse_findings(*, mutating: bool, drafts: bool = True) -> None:
    """Refuse when a rule of error level is broken; to look only, when Alembic cannot load the history.

    Without *drafts*, a revision whose checksum is not recorded is refused too.

    Raises:
        GovernanceError: names the first finding and counts the rest.
    """
    findings = tuple(
        finding
        for finding in check()
        if finding.severity == "error" or (finding.rule == _DRAFT and not drafts)
    )
    refused = findings if mutating else structural(findings)
    if not refused:
        return
    first = refused[0]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    raise GovernanceError(
        f"{first.path}:{first.line}: {first.code} {first.problem}{more}; nothing was executed",
        hint=f"{first.hint}; `agentdb check` lists every finding",
    )


def refuse_foreign_checkout(file: str) -> None:
    """Refuse to run the env.py of one checkout with the package of another.

    Raises:
        RevisionError: names both.
    """
    here = Path(file).resolve().parent
    if here != PACKAGE_ROOT:
        raise RevisionError(
            f'this is the checkout "{here}", but the installed package is "{PACKAGE_ROOT}"',
            hint=f'pip install -e "{here}"',
        )


def refuse_unknown_revision(connection: Connection, known: Collection[str]) -> None:
    """Refuse when the database is at a revision that this code does not have. Leaves no transaction open.

    Raises:
        RevisionError: names the revision of the database and the newest one known.
    """
    unknown = sorted(set(applied_revisions(connection)) - set(known))
    if unknown:
        newest = max(known, default="none")
        raise RevisionError(
            f"the database is at revision {', '.join(unknown)}, and this code knows up to {newest}",
            hint=f"use the release that has revision {unknown[-1]}",
        )


def refuse_edited_revisions(connection: Connection, scripts: ScriptDirectory) -> None:
    """Refuse when the file of an applied revision is another than the one that was applied.

    Leaves no transaction open.

    Raises:
        RevisionError: names the first one, and whether its code or only its layout changed.
    """
    for changed in edited_revisions(connection, scripts):
        how = "in comments or layout only: its code is the same" if changed.cosmetic else "in its code"
        raise RevisionError(
            f"revision {changed.revision} changed after it was applied, {how}",
            hint=f"restore {changed.file.name} from Git; or restore it and write a new revision; or keep the "
            f'change with agentdb governance accept {changed.revision} --reason "…"',
        )


def edited_revisions(connection: Connection, scripts: ScriptDirectory) -> tuple[Edited, ...]:
    """Return the applied revisions whose file is not the one that was applied, oldest first."""
    heads = applied_revisions(connection)
    if not heads or not journal.exists(connection):
        connection.rollback()
        return ()
    applied = journal.applied_checksums(connection)
    connection.rollback()
    scripts_applied = [
        script for script in scripts.iterate_revisions(heads, "base") if script.revision in applied
    ]
    found = (_edited(script, *applied[script.revision]) for script in reversed(scripts_applied))
    return tuple(edited for edited in found if edited is not None)


def _edited(script: Script, own: str, code: str | None) -> Edited | None:
    file = Path(script.path)
    if checksum(file) == own:
        return None
    return Edited(script.revision, file, cosmetic=code is not None and code_checksum(file) == code)


def known_revisions(script: ScriptDirectory) -> frozenset[str]:
    """Return the revisions that this code has."""
    return frozenset(revision.revision for revision in script.walk_revisions())


def applied_revisions(connection: Connection) -> tuple[str, ...]:
    """Return what alembic_version holds; empty when there is no such table."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["has_version_table"])
        found = cursor.fetchone()
        if found is not None and found[0]:
            cursor.execute(_SQL["applied_revisions"])
            versions = tuple(str(row[0]) for row in cursor.fetchall())
        else:
            versions = ()
    connection.rollback()
    return versions
