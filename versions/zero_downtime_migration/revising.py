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
from spotify_ai_agent_migrations.versions.zero_downtime_migration import facts, foretelling, ledger
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import PHASES, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
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

Part = Literal["whole", "expand", "contract", "undo"]

_log: Final = logging.getLogger("spotify_ai_agent_migrations")


def carry_out(wish: Wish, part: Part, expanded: Phase) -> None:
    """Make a part of a change: *expanded* is the last phase of its first half, with which old code runs.

    Locks: those of its steps; nobody waits for one longer than half a second at a time.

    Raises:
        TableError: it cannot be done online, or a proof fails; what is done stays, and the next run goes on.
        LockError: somebody was in the way at every try.
    """
    if op.get_context().as_sql:
        refuse_script(wish.table)
        return
    half = PHASES.index(expanded) + 1
    phases = {"expand": PHASES[:half], "contract": PHASES[half:]}.get(part, PHASES)
    # To put a table away makes a schema, which its owner may not.
    with _at(wish.table, as_its_owner=wish.operation != DropTable.operation) as work:
        if part != "undo":
            work.change(wish, phases)
        elif isinstance(work, Online):
            work.undo(wish)
        else:
            foretelling.taken_back(work.session, wish)


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
