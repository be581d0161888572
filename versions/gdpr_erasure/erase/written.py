"""Write plans, certificates and what is left, for people. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.job import Worked
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Kept, Outcome, Step, Treated
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import Delivered
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.remaining import Residue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.replay import Replayed
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.rewriting import Rewritten
from spotify_ai_agent_migrations.versions.gdpr_erasure.retention import Retained


def counted(number: int, what: str) -> str:
    """Return *number* and what it counts."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def plan_lines(plan: ErasurePlan) -> Iterator[str]:
    """Yield what an erasure would do, a line each; the last one says by which hash it is known."""
    for step in (one for one in plan.steps if one.rows):
        whole = "" if step.by_index else f", found by reading {counted(step.cost_rows, 'row')}"
        yield f"{step.table}: {_done(step.action)} {counted(step.rows, 'row')}{_of(step)}{whole}"
    yield from (_kept(one) for one in plan.kept if one.rows)
    empty = sum(not step.rows for step in plan.steps)
    yield from ([f"nothing in {counted(empty, 'other step')}"] if empty else [])
    yield from (f"made anew: {view}" for view in plan.derived)
    yield from (f"warning: {one}" for one in plan.warnings)
    yield from (f"refused: {one.place} {one.problem}; {one.hint}" for one in plan.refusals)
    yield f"plan {plan.hash}: {counted(plan.rows, 'row')}"


def _of(step: Step) -> str:
    changed = [_treated(one) for one in step.columns if one.outcome is not Outcome.KEPT]
    return f" ({', '.join(changed)})" if step.action is Action.UPDATE and changed else ""


def _treated(one: Treated) -> str:
    return f"{one.name} {one.strategy.value}"


def _done(action: Action) -> str:
    return "delete" if action is Action.DELETE else "change"


def _kept(one: Kept) -> str:
    columns = f" ({', '.join(one.columns)})" if one.columns else ""
    until = f", until {one.until.isoformat()}" if one.until else ""
    return f"kept: {one.table}{columns}, {counted(one.rows, 'row')}, {one.basis}{until}"


def certificate_lines(certificate: ErasureCertificate) -> Iterator[str]:
    """Yield what a certificate says; the last line names it."""
    for one in certificate.tables:
        if one.rows:
            swept = f", {one.swept} of them at the second look" if one.swept else ""
            done = "deleted" if one.action is Action.DELETE else "changed"
            yield f"{one.table}: {done} {counted(one.rows, 'row')}{swept}"
    yield from (_kept(one) for one in certificate.kept if one.rows)
    yield from (f"not told yet: {one}" for one in certificate.pending)
    rows = sum(one.rows for one in certificate.tables)
    yield f"erasure {certificate.id}: {certificate.outcome.value}, {counted(rows, 'row')}"


def residue_lines(found: Residue) -> Iterator[str]:
    """Yield what is physically left; the last line says until when."""
    for table in found.tables:
        if table.due_at is not None:
            yield f"{table.name}: {table.bytes} bytes, to be written anew by {table.due_at.isoformat()}"
    for slot in found.slots:
        state = "" if slot.is_active else ", which nobody reads"
        yield f"slot {slot.name}{state}: {slot.bytes} bytes of the log"
    for replica in found.replicas:
        behind = "" if replica.behind_bytes is None else f": {replica.behind_bytes} bytes behind"
        yield f"replica {replica.name}{behind}"
    for backup in found.backups:
        yield f"backups {backup.name} ({backup.kind}): {_end(backup.ends_at)}"
    if found.snapshots:
        yield f"{counted(found.snapshots, 'session')} may still see what was erased"
    yield from (f"values may reach the log by {one}" for one in found.logged)
    yield from (f"unknown: {one}" for one in found.unknown)
    yield f"the last copy: {_end(found.last_copy_ends_at)}"


def _end(at: datetime | None) -> str:
    return "nobody can tell when it ends" if at is None else f"until {at.isoformat()}"


def rewritten_lines(done: Rewritten) -> Iterator[str]:
    """Yield which files were written anew, and which were not."""
    yield from (f"{table}: written anew" for table in done.tables)
    yield from (f"{one.table}: left, {one.why}" for one in done.left)
    yield f"{counted(len(done.tables), 'table')} written anew, {len(done.left)} left"


def replayed_lines(done: Replayed) -> Iterator[str]:
    """Yield what a replay found and did; the last line says whether the application is let in."""
    yield f"{counted(done.lines, 'line')}: known {done.known}, resumed {done.resumed}"
    yield f"erased again {done.erased}, not here {done.absent}, completions {done.completions}"
    yield from (f"in doubt: {one}" for one in done.in_doubt)
    yield from (f"failed: {one.erasure}: {one.problem}" for one in done.failures)
    yield f"the gate is {gate(is_open=done.is_open)}"


def gate(*, is_open: bool) -> str:
    """Return how the gate is."""
    return "open" if is_open else "closed"


def delivered_lines(done: Delivered) -> Iterator[str]:
    """Yield whom nobody could tell, and how many were told."""
    yield from (f"{recipient}: {problem}" for recipient, problem in done.problems)
    yield f"told {done.told}, pending {done.pending}, of them by hand {done.by_hand}"


def retained_lines(done: Iterable[Retained]) -> Iterator[str]:
    """Yield what became of the rows that rules of retention keep no longer."""
    for one in done:
        if one.note is not None:
            yield f"{one.table} ({one.rule}): {one.note}"
        else:
            yield f"{one.table} ({one.rule}): deleted {one.deleted}, held {one.held}, needed {one.needed}"


def worked_lines(done: Worked) -> Iterator[str]:
    """Yield what a round did, and what went wrong in it."""
    yield from (f"resumed: erasure {one.id}" for one in done.resumed)
    yield from (f"completed: erasure {one.erasure}" for one in done.completed if one.certificate is not None)
    yield from (line for line in retained_lines(one for one in done.retained if one.deleted))
    if done.delivered is not None:
        yield f"told {done.delivered.told}, pending {done.delivered.pending}"
    yield from (f"problem: {one}" for one in done.problems)
