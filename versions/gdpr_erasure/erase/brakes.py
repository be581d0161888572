"""Hold back an erasure that does more than it may, unless two persons approve of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import ApprovalError, SettingsError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import about
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.reading import checked_subject
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import identifier

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Step
    from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_PURPOSE: Final = "agentdb gdpr-erasure approve"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# Of a table that has next to nothing any person has a large share.
SHARE_FROM_ROWS: Final = 1_000
# Statistics are believed where they are this much clear of what is asked; else rows are counted.
_CLEARLY: Final = 2


@dataclass(frozen=True)
class Limits:
    """What one erasure may do without approval.

    most_rows: of all tables together. most_share: of the rows of one table, where it does a thousand or more.
    approvers: how many persons have to approve of what does more.
    """

    most_rows: int
    most_share: float
    approvers: int

    def lowered(self, most_rows: int | None, most_share: float | None) -> Limits:
        """Return them, lowered to what a caller asks for; nobody raises them by asking.

        Raises:
            SettingsError: what is asked for is negative, or no share.
        """
        if most_rows is not None and most_rows < 0:
            raise SettingsError("the most rows of an erasure are negative", hint="name a number from 0")
        if most_share is not None and not 0 <= most_share <= 1:
            raise SettingsError("the most of a table is no share of it", hint="name a number from 0 to 1")
        return replace(
            self,
            most_rows=min(self.most_rows, self.most_rows if most_rows is None else most_rows),
            most_share=min(self.most_share, self.most_share if most_share is None else most_share),
        )


def hold_back(
    cursor: Cursor, plan: ErasurePlan, *, most_rows: int | None = None, most_share: float | None = None
) -> None:
    """Let *plan* pass if it does no more than it may, or enough persons approve of it; reads only.

    most_rows, most_share: lower the limits of `ops.erasure_limits`, which hold without.
    An approval is of one plan for one person, up to a number of rows, and by a login: two approvals by one
    login are those of one person. That of the login which erases does not count.

    Raises:
        ApprovalError: it does more than it may, and too few approve.
    """
    limits = limits_of(cursor).lowered(most_rows, most_share)
    excess = next(_excesses(cursor, plan, limits), None)
    if excess is None:
        return
    values = {**about(cursor, plan.subject), "plan_hash": plan.hash, "rows": plan.rows}
    cursor.execute(_SQL["approvers"], values)
    ((found,),) = cursor.fetchall()
    if found < limits.approvers:
        raise ApprovalError(
            f"the erasure {excess}; it takes the approval of {limits.approvers} persons,"
            f" and {found} have given it",
            hint="each by a login of their own, once they have seen what it does:"
            f" agentdb gdpr-erasure approve {plan.hash} --rows {plan.rows} --person NUMBER",
        )


def limits_of(cursor: Cursor) -> Limits:
    """Return the limits of the database; where somebody took them away, nothing is allowed."""
    cursor.execute(_SQL["limits"])
    found = cursor.fetchone()
    return Limits(int(found[0]), float(found[1]), int(found[2])) if found else Limits(0, 0.0, 2)


def _excesses(cursor: Cursor, plan: ErasurePlan, limits: Limits) -> Iterator[str]:
    """Yield what of *plan* is more than *limits* allow."""
    if plan.rows > limits.most_rows:
        yield f"does {plan.rows} rows, of {limits.most_rows} that it may"
    for step in plan.steps:
        if step.rows >= SHARE_FROM_ROWS and _exceeds(cursor, step, limits.most_share):
            yield f'does {step.rows} rows of "{step.table}", more than {limits.most_share:.2%} of it'


def _exceeds(cursor: Cursor, step: Step, most_share: float) -> bool:
    """Tell whether the rows of *step* are more than a share of its table; read as far as that takes."""
    if most_share <= 0:
        return True
    enough = math.ceil(step.rows / most_share)
    cursor.execute(_SQL["estimated_rows"], {"table": step.table})
    ((estimated,),) = cursor.fetchall()
    if estimated >= _CLEARLY * enough:
        return False
    cursor.execute(SQL(_SQL["rows_up_to"]).format(table=identifier(step.table)), {"most": enough})
    ((counted,),) = cursor.fetchall()
    return bool(counted < enough)


def approve(plan_hash: str, url: str | None = None, *, user_id: int, rows: int) -> int:
    """Approve, as the login at work, of a plan to erase a person; return how many persons do so by now.

    plan_hash, rows: of the plan that was looked at (`plan_erasure`); one that does more rows by the time it
    is executed takes other approvals. An approval counts for seven days.

    Raises:
        SettingsError: this is no hash of a plan, or no number of rows.
        DatabaseError: there is no such person.
        PrivilegeError: the login is no member of agent_privacy.
    """
    if not _HASH.fullmatch(plan_hash):
        raise SettingsError("this is no hash of a plan", hint="64 hexadecimal digits, as the plan shows them")
    if rows < 1:
        raise SettingsError("an approval is of one row at least", hint="name the rows that the plan counts")
    subject = checked_subject(user_id)
    with connect(resolve_settings(url), purpose=_PURPOSE) as connection, connection.cursor() as cursor:
        values = {**about(cursor, subject), "plan_hash": plan_hash, "rows": rows}
        cursor.execute(_SQL["approve"], values)
        ((approvers,),) = cursor.fetchall()
    return int(approvers)
