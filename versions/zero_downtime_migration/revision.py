"""A change as a revision makes it: in its transaction while the table is small, online when it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

from alembic import op
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.ddl import execute
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    admission,
    app_views,
    engine,
    facts,
    foretelling,
    ledger,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.foretelling import environment
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import TAKING
from spotify_ai_agent_migrations.versions.zero_downtime_migration.locking import strongly
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    PHASES,
    Kind,
    Lock,
    Phase,
    Step,
    half,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from spotify_ai_agent_migrations.versions.zero_downtime_migration.run import (
    begun_or_found,
    foreseen,
    in_environment,
    is_undone,
    lock_of,
    named,
    through,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import SETTINGS, Inside, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms

# Below this everything is done in some hundredths of a second, and so within the revision's transaction.
SMALL_BYTES: Final = 8 * 1024 * 1024
# Whose tables are the package's own.
OWNER: Final = "agent_owner"


class Plainly:
    """The transaction of the revision: it is small, or it is a dry run."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def do(self, work: Callable[[], None]) -> None:
        """Do *work*, which executes DDL and may be done twice."""
        work()

    def change(self, wish: Wish, phases: tuple[Phase, ...] = PHASES) -> None:
        """Make a change as its plain form says, which others wait for."""
        with app_views.made_anew(self.session, (Lock(wish.table),)):
            for step in wish.steps(self.session, facts.table(self.session, wish.table)):
                if step.phase in phases:
                    self.step(step)

    def brief(self, step: Step) -> None:
        """Make a step that is no part of a change, and that may be made twice."""
        self.step(step)

    def step(self, step: Step) -> None:
        """Make one step."""
        if step.kind is Kind.PROOF:
            if step.plain is None:
                engine.prove(self.session, step, Manner())
            return
        for statement in step.sql if step.plain is None else step.plain:
            execute(statement)


class Tried(Plainly):
    """A dry run while the table is small: what was begun online goes on there, and is only told here."""

    def change(self, wish: Wish, phases: tuple[Phase, ...] = PHASES) -> None:
        """Make a change as its plain form says, unless it is recorded and open."""
        if not foretelling.gone_on(self.session, wish, phases):
            super().change(wish, phases)


class Told(Plainly):
    """A dry run while the table is large: its steps are told to whoever watches, and not executed."""

    changed = False

    def do(self, work: Callable[[], None]) -> None:
        """Do *work* before the first change; behind one, which was not made, it is told as well."""
        with op.get_context().autocommit_block() if self.changed else nullcontext():
            work()

    def change(self, wish: Wish, phases: tuple[Phase, ...] = PHASES) -> None:
        """Tell the steps of a change, those that are left where it was begun."""
        if not foretelling.gone_on(self.session, wish, phases):
            for step in wish.steps(self.session, facts.table(self.session, wish.table)):
                if step.phase in phases:
                    self.step(step)
        self.changed = True

    def step(self, step: Step) -> None:
        """Tell one step."""
        foretelling.tell(step)


class Online(Plainly):
    """Steps that each commit, and that the same revision goes on from when it was cut off."""

    def do(self, work: Callable[[], None]) -> None:
        """Do *work* in a transaction of its own, which may be tried several times."""
        self.session.transaction(work)

    def change(
        self,
        wish: Wish,
        phases: tuple[Phase, ...] = PHASES,
        revision: str | None = None,
        terms: Terms | None = None,
    ) -> None:
        """Make these phases of a change that *revision* begins online, or go on with them.

        One that takes names away takes two revisions, of which the later contracts, on *terms*.

        Raises:
            TableError: *phases* are all of one that does, in the upgrade that would begin it.
        """
        manner = in_environment(environment(), Manner(told=noted(self.session), terms=terms or Terms()))
        table = named(self.session, wish.table)
        with advisory_lock(self.session.connection, lock_of(table), wait_ms=manner.lock_wait_ms):
            if wish.operation in TAKING and {half(wish.operation), Phase.COMPLETE} <= {*phases}:
                admission.refuse_at_once(self.session, foreseen(self.session, wish), manner.terms)
            found = begun_or_found(self.session, wish, phases, revision)
            through(self.session, found, phases, manner)

    def undo(self, wish: Wish) -> None:
        """Take back what a change has done; nothing where it was never begun, or was undone since.

        Raises:
            TableError: it was completed, and there is no way back.
        """
        manner = Manner(told=noted(self.session))
        table = named(self.session, wish.table)
        with advisory_lock(self.session.connection, lock_of(table), wait_ms=manner.lock_wait_ms):
            found = ledger.found(self.session, wish.operation, table, wish.subject)
            if found is not None and not is_undone(self.session, wish, found):
                engine.abort(self.session, found, manner)

    def brief(self, step: Step) -> None:
        """Make a step in a transaction of its own, under a short lock time-out and again as a whole."""
        told = noted(self.session)

        def work() -> None:
            for statement in step.sql:
                self.session.run(statement)

        strongly(self.session, Manner(), step.locks, work, lambda who: told(step, f"waiting: {who}"))


@contextmanager
def migrating(table: str) -> Iterator[Plainly]:
    """Let a revision make changes of *table*, as the owner of it.

    While it is small, all is one transaction, the revision's own. Else it is a sequence of steps that each
    commit and can each be repeated; nothing of the revision is outside of the block then.
    """
    context = op.get_context()
    connection = driver_connection()
    session = Session(connection)
    small = int(session.value("bytes_of", table=table) or 0) < SMALL_BYTES
    # A dry run has a transaction open that it will roll back.
    if small or context._in_external_transaction:
        execute(f"SET LOCAL ROLE {OWNER}")
        yield (Plainly if small else Told)(Inside(connection))
        execute("RESET ROLE")
        return
    with context.autocommit_block(), acting_as(session, OWNER):
        yield Online(session)


def driver_connection() -> Connection:
    """Return the connection of the migration as the driver has it."""
    raw = op.get_bind().connection.driver_connection
    assert isinstance(raw, Connection)
    return raw


@contextmanager
def acting_as(session: Session, role: str) -> Iterator[None]:
    """Be *role* for the block, with the settings of a change; outside of transactions."""
    before = {name: str(session.value(SQL("SHOW {}").format(Identifier(name)))) for name in SETTINGS}
    session.run(SQL("SET ROLE {}").format(Identifier(role)))
    for setting, value in SETTINGS.items():
        session.run(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))
    try:
        yield
    finally:
        if not session.connection.closed:
            session.run("RESET ROLE")
            for setting, value in before.items():
                session.run(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))


def noted(session: Session) -> Callable[[Step, str], None]:
    """Return what says each step as it begins."""

    def told(step: Step, moment: str) -> None:
        if moment != "done":
            session.note(f"{step.name}: {moment}")

    return told
