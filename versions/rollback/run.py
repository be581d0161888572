"""Plan a way back by trying it, then go it: one revision a transaction, what it destroys kept first."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import psycopg2
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from psycopg2.sql import Identifier

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.database import connect, open_connection
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, PrivilegeError, RevisionError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.governance import discover
from spotify_ai_agent_migrations.versions.rollback import plan as decide
from spotify_ai_agent_migrations.versions.rollback.counting import step_plan
from spotify_ai_agent_migrations.versions.rollback.keep import Keeper
from spotify_ai_agent_migrations.versions.rollback.observe import Observed, Observer
from spotify_ai_agent_migrations.versions.rollback.plan import RollbackPlan
from spotify_ai_agent_migrations.versions.rollback.tables import STATEMENTS, statement, value
from spotify_ai_agent_migrations.versions.runner import Options, run_downgrade
from spotify_ai_agent_migrations.versions.runner.gate import (
    applied_revisions,
    known_revisions,
    refuse_edited_revisions,
    refuse_unknown_revision,
)

_DEPENDED_ON: Final = "2BP01"
_REASON: Final = re.compile(r"rollback [0-9a-f]{12}; accepted (?P<accepted>\w+); left (?P<left>[\w,]+)")


@dataclass(frozen=True)
class RollbackResult:
    """What was rolled back, and the schema that keeps what it destroyed, if it destroyed anything."""

    plan: RollbackPlan
    quarantine: str | None


def plan_rollback(target: str = "-1", options: Options | None = None) -> RollbackPlan:
    """Return the way back to *target*: a revision, "base", or "-N" for N steps.

    The way back is executed and rolled back, so that what it destroys is known and not guessed. Takes its
    locks for that moment, each waited for no longer than `lock_timeout_ms`; counts the rows at risk after
    that, without a lock.

    Raises:
        RevisionError: an irreversible step, an edited or unknown revision, or no such target.
        DatabaseError: a step does not run, as where an object that is not ours depends on what goes.
        LockError: a lock was not free in time.
    """
    return _planned(target, options or Options())[0]


def rollback(
    target: str = "-1",
    options: Options | None = None,
    *,
    accept_data_loss: str | None = None,
    copy_timeout_ms: int = 2_000,
) -> RollbackResult:
    """Go back to *target*, see `plan_rollback`; what is destroyed is kept in a schema of its own first.

    Rows are put at risk only with *accept_data_loss*, the digest of the plan, which goes stale when rows
    change. A table that is dropped is moved instead, instant; a column, or rows that are deleted or changed,
    are copied, for which writers wait *copy_timeout_ms* at most, or the step is undone. Every step has to end
    in the schema that was journaled for its revision. Several steps are gone once more before, keeping what
    they destroy, and undone, so that none is begun that a later one would leave half done. Killed in between,
    the same call goes on with what is left. A dry run plans, and goes nowhere.

    Writes: schema `rollback_<run>`, and the journal; one transaction a revision.

    Raises:
        RevisionError: rows are at risk and not accepted; and whatever `plan_rollback` raises: no step ran.
    """
    options = options or Options()
    planned, observed, settings = _planned(target, options)
    earlier = _accepted_before(settings, accept_data_loss)
    decide.refuse_unaccepted(planned, accept_data_loss, earlier)
    if options.dry_run or not planned.steps:
        return RollbackResult(planned, None)
    _refuse_without_room(settings, planned)
    run = uuid.uuid4().hex[:12]
    schema = f"rollback_{run}"
    digests = ",".join((*planned.digests[1:], *earlier))
    keeper = Keeper(
        schema,
        {step.revision: (step, observed[step.revision]) for step in planned.steps},
        copy_timeout_ms=copy_timeout_ms,
    )
    if len(planned.steps) > 1:
        # One step is done whole or not at all; of several, none is begun before all were seen to be kept.
        run_downgrade(planned.target, replace(options, dry_run=True), around=keeper)
    _restore_point(settings, schema)
    said = f"; {options.reason}" if options.reason else ""
    reason = f"rollback {run}; accepted {accept_data_loss or 'nothing'}; left {digests or 'nothing'}{said}"
    run_downgrade(planned.target, replace(options, reason=reason), around=keeper)
    return RollbackResult(planned, schema if _closed(settings, planned, run) else None)


def _closed(settings: Settings, planned: RollbackPlan, run: str) -> bool:
    """Write the rollback into the ledger, if that is still there; tell whether anything was kept."""
    with connect(settings, purpose="agentdb rollback") as connection, connection.cursor() as cursor:
        kept = bool(value(cursor, STATEMENTS["has_schema"], {"schema": f"rollback_{run}"}))
        if value(cursor, "SELECT pg_catalog.to_regclass('ops.rollbacks')") is not None:
            entry = {"run": run, "started_from": planned.start, "target": planned.target}
            numbers = {"digest": planned.digest, "rows_at_risk": planned.rows_at_risk}
            rows = (
                int(value(cursor, statement("kept_rows", schema=Identifier(f"rollback_{run}"))))
                if kept
                else 0
            )
            cursor.execute(STATEMENTS["ledger"], {**entry, **numbers, "rows_kept": rows})
    return kept


def _planned(target: str, options: Options) -> tuple[RollbackPlan, Mapping[str, Observed], Settings]:
    settings = options.settings()
    scripts = ScriptDirectory.from_config(Config(str(PACKAGE_ROOT / "alembic.ini")))
    with connect(settings, purpose="agentdb rollback") as connection:
        refuse_unknown_revision(connection, known_revisions(scripts))
        refuse_edited_revisions(connection, scripts)
        heads = applied_revisions(connection)
    start = ", ".join(heads) or "base"
    steps = _way_back(scripts, heads, target)
    end = str(steps[-1].down_revision or "base") if steps else start
    reverses = {str(one.revision): one.fields.get("Reverse", "lossy") for one in discover()}
    decide.refuse_irreversible([(step.revision, reverses.get(step.revision, "lossy")) for step in steps])
    if not steps:
        return RollbackPlan(start, start), {}, settings
    with closing(open_connection(settings, purpose="agentdb rollback")) as beside:
        beside.autocommit = True
        observer = Observer(beside)
        with _dependents_named():
            run_downgrade(end, replace(options, dry_run=True), around=observer)
    observed = {one.step.revision: one for one in observer.steps}
    _refuse_moved(start, missing=[step.revision for step in steps if step.revision not in observed])
    with connect(settings, purpose="agentdb rollback", row_security=False) as connection:
        made = tuple(
            step_plan(connection, step, observed[step.revision], reverses=reverses) for step in steps
        )
    return RollbackPlan(start, end, made), observed, settings


def _refuse_moved(start: str, *, missing: Sequence[str]) -> None:
    """Refuse a plan that was overtaken: -1 would go a step further than was meant."""
    if missing:
        raise RevisionError(
            f"the database was at {start}, and another process has rolled {', '.join(missing)} back by now",
            hint="look where it is, agentdb rollback plan, and run it again if there is more to do",
        )


@contextmanager
def _dependents_named() -> Iterator[None]:
    """Add to an error what depends on the object that cannot be dropped: the server says it in its detail."""
    try:
        yield
    except DatabaseError as error:
        driver_error = getattr(error.__cause__, "orig", None)
        detail = getattr(getattr(driver_error, "diag", None), "message_detail", None)
        if error.sqlstate != _DEPENDED_ON or not detail:
            raise
        raise DatabaseError(
            f"{error.problem}: {'; '.join(detail.splitlines())}; nothing was executed",
            hint="drop what depends on it, or move it elsewhere, and plan again",
            sqlstate=error.sqlstate,
        ) from error


def _way_back(scripts: ScriptDirectory, heads: tuple[str, ...], target: str) -> tuple[Script, ...]:
    """Return the revisions to revert, newest first."""
    every = tuple(scripts.iterate_revisions(heads, "base")) if heads else ()
    if target.startswith("-") and target[1:].isdigit():
        return every[: int(target[1:])]
    if target == "base":
        return every
    names = [script.revision for script in every]
    if target not in names:
        known = target in known_revisions(scripts)
        raise RevisionError(
            f'the database is at {", ".join(heads) or "base"}, and "{target}" is '
            f"{'not behind it' if known else 'no revision'}",
            hint=f"name one of {', '.join(names)} or base" if names else "there is nothing to roll back",
        )
    return every[: names.index(target)]


def _accepted_before(settings: Settings, accepted: str | None) -> tuple[str, ...]:
    """Return the digests of what was left of a rollback that was accepted with this digest and cut off.

    Whatever was applied since ends it.
    """
    if not accepted:
        return ()
    with connect(settings, purpose="agentdb rollback") as connection, connection.cursor() as cursor:
        if value(cursor, "SELECT pg_catalog.to_regclass('ops.migration_journal')") is None:
            return ()
        reason = _REASON.match(str(value(cursor, STATEMENTS["last_reason"]) or ""))
    if reason is None:
        return ()
    left = tuple(reason["left"].split(","))
    return left if accepted in {reason["accepted"], *left} else ()


def _refuse_without_room(settings: Settings, planned: RollbackPlan) -> None:
    """Refuse to destroy rows where no schema can be made to keep them in.

    Raises:
        PrivilegeError: the login may not.
    """
    if not planned.rows_at_risk:
        return
    with connect(settings, purpose="agentdb rollback") as connection, connection.cursor() as cursor:
        if not value(cursor, STATEMENTS["may_create"]):
            raise PrivilegeError(
                "this login may make no schema to keep rows in; nothing was executed",
                hint="GRANT CREATE ON DATABASE to it for the time of the rollback",
            )


def _restore_point(settings: Settings, name: str) -> None:
    """Name this moment in the write-ahead log, where the login may, for whoever restores a backup to it."""
    with closing(open_connection(settings, purpose="agentdb rollback")) as connection:
        connection.autocommit = True
        with suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.pg_create_restore_point(%(name)s)", {"name": name})
