"""Read how each partitioned table is kept, and write down what became of the partitions that are over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg2.sql import Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning.periods import Period
from spotify_ai_agent_migrations.versions.partitioning.plan import Policy
from spotify_ai_agent_migrations.versions.partitioning.session import Session, said

# What the table of policies takes.
MOST_PREMAKE: Final = 1_000


@dataclass(frozen=True)
class Detached:
    """A partition that was detached: since when, and what was archived of it."""

    oid: int
    schema: str
    plain: str
    name: str
    table: str
    until: str | None = None
    detached_at: datetime | None = None
    archived_rows: int | None = None
    sha256: str | None = None
    rows_sha256: str | None = None
    file: str | None = None


def are_there(session: Session) -> bool:
    """Tell whether this database has the table of policies, which revision 007 makes."""
    return session.value("oid_of", table="ops.partition_policy") is not None


def read(session: Session, table: str | None = None) -> tuple[Policy, ...]:
    """Return the policies, or that of one *table* by its name with schema.

    Raises:
        TableError: there is no table of policies, or none for *table*.
    """
    if not are_there(session):
        raise TableError("this database keeps no policies of partitions", hint="alembic upgrade 007")
    found = tuple(
        Policy(name, Period(period), *rest) for name, period, *rest in session.ask("policies", table=table)
    )
    if table is not None and not found:
        raise TableError(
            f'table "{table}" has no policy', hint=f"agentdb partitioning convert {table} KEY writes one"
        )
    return found


def refuse_unwritable(session: Session, name: str, premake: int) -> None:
    """Refuse what could not be written down of a table once it is partitioned, before it is.

    Raises:
        TableError: the number of periods is none that a policy takes, or this role may not write one.
    """
    if not 1 <= premake <= MOST_PREMAKE:
        raise TableError(
            f"{premake} periods ahead are not between 1 and {MOST_PREMAKE}", hint="choose a number between"
        )
    lacking = [str(right) for (right,) in session.ask("policy_rights")]
    if lacking:
        raise TableError(
            f'how "{name}" is kept could not be written down: this role lacks {", ".join(lacking)}',
            hint="have them granted, or run it as a member of agent_owner; nothing was changed",
        )


def period_of(session: Session, table: str) -> Period:
    """Return the period of a table's policy; a month where it has none."""
    found = session.ask("policies", table=table) if are_there(session) else []
    return Period(found[0][1]) if found else Period.MONTH


def remember(session: Session, policy: Policy) -> None:
    """Write a policy down for a table that has none, if this database keeps policies."""
    if are_there(session) and not session.ask("policies", table=policy.table):
        session.run(
            said(
                "remember_policy",
                table=Literal(policy.table),
                period=Literal(policy.period.value),
                premake=Literal(policy.premake),
            )
        )


def forget(session: Session, table: str) -> None:
    """Strike the policy of a table that is not partitioned any more."""
    if are_there(session) and session.ask("policies", table=table):
        session.run(said("forget_policy", table=Literal(table)))


def detached(session: Session, mark: str) -> tuple[Detached, ...]:
    """Return the tables that this package made as partitions and that are none any more."""
    return tuple(Detached(*row) for row in session.ask("detached", mark=mark))


def note(session: Session, name: str, one: Detached, **more: object) -> None:
    """Write down what became of a detached partition; its row of the ledger is made when it is not there."""
    values = {key: Literal(value) for key, value in more.items()}
    session.run(
        said(name, oid=Literal(one.oid), table=Literal(one.table), partition=Literal(one.name), **values)
    )
