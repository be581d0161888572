"""Complete erasures that had left something, once no hold and no rule keeps it any more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import COMPLETION, WAIT_S
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import planned
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, eraser, patiently


@dataclass(frozen=True)
class Completed:
    """What became of an erasure that had left something.

    erasure: the first one. certificate: the further one, that of what is complete now. problem: why there is
    none yet; the next run tries again.
    """

    erasure: UUID
    certificate: ErasureCertificate | None = None
    problem: str | None = None


@dataclass(frozen=True)
class _Due:
    """A person of whom something is kept that may be kept no longer: table, hold and rule of each."""

    first: UUID
    subject: int
    ended: frozenset[tuple[str, int | None, str | None]]


def complete_erasures(
    url: str | None = None, *, key: SigningKey | Path | str | None = None, wait_s: float = WAIT_S
) -> tuple[Completed, ...]:
    """Erase what holds that are over had kept of people who were erased; return what became of each.

    Each gets a further certificate, which names the erasure it completes. So does one of whom a rule kept
    rows that are gone now: `apply_retention` deletes them. Whoever has nothing that ended keeps theirs.
    What fails keeps no other from its turn. Locks: as `erase_user`, one person after another.

    Raises:
        PrivilegeError: the login may not act as agent_eraser.
    """
    with eraser(url) as connection:
        found = patiently(connection, _due)
        due = [one for one in found if patiently(connection, partial(_has_ended, one))]
    return tuple(_completed(one, key, wait_s, url) for one in due)


def _due(cursor: Cursor) -> tuple[_Due, ...]:
    cursor.execute(STATEMENTS["due_completions"])
    return tuple(
        _Due(UUID(first), subject, frozenset(zip(*ended, strict=True)))
        for first, subject, *ended in cursor.fetchall()
    )


def _has_ended(one: _Due, cursor: Cursor) -> bool:
    """Tell whether some of it is not kept any more: a rule may be over whose rows nobody has deleted yet.

    How many rows a plan counts does not tell: a value at random would be another one each time.
    """
    plan = planned(cursor, one.subject, completes=one.first)
    return not one.ended <= {(kept.table, kept.hold, kept.rule) for kept in plan.kept if kept.rows}


def _completed(one: _Due, key: SigningKey | Path | str | None, wait_s: float, url: str | None) -> Completed:
    try:
        with translated():
            certificate = erase_user(
                one.subject, reason=COMPLETION, completes=one.first, wait_s=wait_s, key=key, url=url
            )
    except MigrationError as error:
        return Completed(one.first, problem=error.problem)
    return Completed(one.first, certificate)
