"""Say what the roles and grants show of who may do what (CC6); as they are when the report is made."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import counted

_NOW = "roles and grants are shown as they are now; how they were on a day of the period is not"
_ELSEWHERE = (
    "what is granted on sequences, functions, types, schemas and the database, in other schemas than public "
    "and ops, and for what is made later, is not read; nor what an owner may do with its own"
)


def access(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield who may do what with the tables: groups, grants, and rows that are kept apart."""
    groups = [row for row in evidence.rows("role") if row.get("group") == "yes"]
    if groups:
        yield claim(f"{counted(len(groups), 'role')} of this package are groups, and no login.", groups)
    if evidence.rows("grant"):
        yield claim(
            "What is granted on tables and views, on their columns, and on partitions beyond what their "
            "parents grant, is listed by role and privilege.",
            evidence.rows("grant"),
        )
    for row in evidence.rows("row-security"):
        yield claim(f"Row security is on for {row.get('secured')} of {row.get('tables')} tables.", [row])
    yield from _public(evidence)
    yield from _everywhere(evidence)
    yield from _unread(evidence)
    yield Gap(_ELSEWHERE)
    yield Gap(_NOW)


def members(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield which logins belong to the groups, and which stand above every rule."""
    rows = evidence.rows("role")
    inside = [row for row in rows if row.get("group") == "no" and row.get("of_package") == "yes"]
    if inside:
        yield claim(f"{counted(len(inside), 'role')} belong to a group role of this package.", inside)
    above = [row for row in rows if "yes" in {row.get("superuser"), row.get("bypasses_row_security")}]
    if above:
        yield claim(
            f"{counted(len(above), 'role')} stand above grants or row security: superusers, "
            "or who bypasses it.",
            above,
            exception=True,
        )
    yield from _everywhere(evidence)
    yield from _unread(evidence)
    yield Gap(_NOW)
    yield Gap("who holds the password of a login, and who gave it to whom, is not in this database")


def _public(evidence: Evidence) -> Iterator[Claim]:
    open_ = [row for row in evidence.rows("grant") if row.get("role") == "PUBLIC"]
    if open_:
        yield claim(
            "Something is granted to PUBLIC, which is everybody who may log in.", open_, exception=True
        )


def _everywhere(evidence: Evidence) -> Iterator[Claim]:
    """Yield who reaches tables by a role of PostgreSQL itself, whatever is granted on them."""
    for row in evidence.rows("role"):
        if row.get("everywhere_by"):
            yield claim(
                f"Role {row.key} needs no grant on a table, as a member of {row.get('everywhere_by')}.",
                [row],
                exception=True,
            )


def _unread(evidence: Evidence) -> Iterator[Gap]:
    for source, what in (("role", "roles"), ("grant", "grants"), ("row-security", "row security")):
        why = evidence.unread(source)
        if why:
            yield Gap(f"{what}: not shown, for {why}")
