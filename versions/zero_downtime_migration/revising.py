"""Carry out what a revision calls on `ops`: online on the migration's connection, or as a dry run does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Final, Literal

from alembic import op
from psycopg2.sql import Composable

from spotify_ai_agent_migrations.versions.core.ddl import as_owner
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.runner import steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration import facts, foretelling, ledger
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import TAKING, going
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    PHASES,
    Change,
    Kind,
    Lock,
    Phase,
    State,
    Step,
    contraction,
    expansion,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish, arguments_of
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_table import DropTable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.refusing_script import refuse_script
from spotify_ai_agent_migrations.versions.zero_downtime_migration.revision import (
    OWNER,
    SMALL_BYTES,
    Online,
    Plainly,
    Told,
    Tried,
    acting_as,
    driver_connection,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Inside, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms

Part = Literal["whole", "expand", "contract", "undo"]
# Of a change that every application knows: no revision is before it.
_EVERY: Final = "000"

_log: Final = logging.getLogger("spotify_ai_agent_migrations")


def carry_out(wish: Wish, part: Part) -> None:
    """Make a part of a change: with what its first half makes old code runs.

    Locks: those of its steps; nobody waits for one longer than half a second at a time.

    Raises:
        TableError: it cannot be done online, or a proof fails; what is done stays, and the next run goes on.
        LockError: somebody was in the way at every try.
    """
    if op.get_context().as_sql:
        refuse_script(wish.table)
        return
    halves = {"expand": expansion(wish.operation), "contract": contraction(wish.operation)}
    phases = halves.get(part, PHASES)
    step = steps.at_work(op.get_context())
    back = step is not None and step.verb == "downgrade"
    # To put a table away makes a schema, which its owner may not.
    with _at(wish.table, as_its_owner=wish.operation != DropTable.operation) as work:
        if part == "whole" and not back and not isinstance(work, Told):
            _refuse_whole(work.session, wish)
        if part == "undo":
            if isinstance(work, Online):
                work.undo(wish)
            else:
                foretelling.taken_back(work.session, wish)
        elif step is not None and back and isinstance(work, Online):
            _go_back(work, wish, part, phases, step)
        else:
            work.change(wish, phases)


def _go_back(work: Online, wish: Wish, part: Part, phases: tuple[Phase, ...], step: steps.Step) -> None:
    """Make a change in a downgrade: that was decided as such, and nobody can have acknowledged it.

    What is missing of the contract's terms is recorded with it; that no row is missed is proven. What is
    expanded anew is known by the revision that is gone back to, and what is taken away by none before it.
    """
    to = max(step.ends_at, default=_EVERY)
    terms = Terms(soak_s=0.0, override=f"{step} was asked for")
    work.change(wish, phases, to if part == "expand" else _EVERY, terms)


def _refuse_whole(session: Session, wish: Wish) -> None:
    """Refuse to take a name away in the revision that begins to.

    Raises:
        TableError: that would be the case; nothing was done.
    """
    if wish.operation not in TAKING or not session.ask("table_facts", table=wish.table):
        return
    planned = wish.steps(session, facts.table(session, wish.table))
    change = Change(0, wish.operation, wish.table, wish.subject, arguments_of(wish), planned, State.BEGUN)
    taken = going(change)
    if taken is not None:
        raise TableError(
            f"{wish.operation} of {wish.subject} on {wish.table} takes {taken} from code that runs meanwhile",
            hint='part="expand" in this revision, and part="contract" in one that follows the deploy',
        )


def briefly(
    table: str, name: str, statement: Composable, lock: Lock, *, others: Composable | None = None
) -> None:
    """Execute what takes some milliseconds and may be repeated, in a transaction of its own.

    *others* asks which tables it locks as *lock* does, beside its own.

    Raises:
        LockError: somebody was in the way at every try; nothing was changed.
    """
    if op.get_context().as_sql:
        refuse_script(table)
        return
    with _at(table) as work:
        tables = [row[0] for row in work.session.ask(others)] if others is not None else []
        locks = (*(Lock(other, lock.mode) for other in tables), lock)
        work.brief(Step(name, Phase.COMPLETE, Kind.BRIEF, (work.session.text(statement),), locks))


@contextmanager
def _at(table: str, *, as_its_owner: bool = True) -> Iterator[Plainly]:
    """Let the block change *table*, by steps that each commit; of a dry run, within what it rolls back.

    There a table that is large is not changed: its steps are told. What is the package's own is changed as
    agent_owner; any other table, as the login.
    """
    context = op.get_context()
    connection = driver_connection()
    session = Session(connection)
    if context._in_external_transaction:
        small = int(session.value("bytes_of", table=table) or 0) < SMALL_BYTES
        with as_owner() if as_its_owner and _is_ours(session, table) else nullcontext():
            yield (Tried if small else _Foretold)(Inside(connection))
        return
    with context.autocommit_block(), ExitStack() as stack:
        ledger.require(session)
        if as_its_owner and _is_ours(session, table):
            stack.enter_context(acting_as(session, OWNER))
        yield Online(session)


class _Foretold(Told):
    """A dry run at a large table, where what stands on a step that was not made cannot be planned."""

    def change(self, wish: Wish, phases: tuple[Phase, ...] = PHASES) -> None:
        try:
            super().change(wish, phases)
        except TableError as error:
            _log.warning("dry run: %s on %s is not foretold: %s", wish.operation, wish.table, error.problem)


def _is_ours(session: Session, table: str) -> bool:
    # One that was dropped, or put away, has the login's privileges to go on with.
    return bool(session.ask("table_facts", table=table)) and facts.table(session, table).owner == OWNER
