"""Tables of a test's own beside the others, and an erasure of one person in a transaction that is rolled back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gdpr_erasure.people import ADA
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import SUBJECT
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Refusal, Step
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import planned
from support import connected

_BEGIN = """
SELECT ops.begin_erasure_v1(pg_catalog.current_setting('agentdb.subject')::bigint, 'request', now(), '{}',
                            sha256(''), %(steps)s)
"""
_COLUMNS = """
SELECT attname::text, quote_ident(attname)
  FROM pg_attribute
 WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""


class Bench:
    """One transaction, in which tables are made, and people erased, by whoever erases."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def rows(self, statement: str, values: object = None) -> list[tuple[Any, ...]]:
        """The rows of one statement of the owner of everything."""
        self._cursor.execute(statement, values)  # type: ignore[arg-type]
        return self._cursor.fetchall() if self._cursor.description else []

    def make(self, table: str, columns: str, *, guard: tuple[str, ...] = (), **said: str) -> None:
        """Make a table, call each column content, and say of some of them what becomes of them.

        said: strategy by column, with its arguments as JSON behind it; `none` is nothing personal.
        """
        self.rows(f"CREATE TABLE {table} ({columns})")
        self.classify(table, **said)
        self.rows("SELECT ops.guard_table_v1(%s, VARIADIC %s::name[])", (table, list(guard)))

    def classify(self, table: str, **said: str) -> None:
        """Say of columns what becomes of them; of those that are not named, that they hold nothing personal."""
        for name, quoted in self.rows(_COLUMNS, (table,)):
            strategy, _, arguments = said.get(name, "none").partition(" ")
            kind = "none" if strategy == "none" else "identifier" if name == "known_as" else "content"
            self.rows(f"COMMENT ON COLUMN {table}.{quoted} IS '{kind}: of a test'")
            if strategy == "none":
                self.rows("SELECT ops.classify_column_v1(%s, %s)", (table, name))
                continue
            self.rows(
                "SELECT ops.classify_column_v1(%s, %s, strategy => %s, strategy_args => %s, origin => 'provided',"
                " purposes => '{service}', legal_basis => 'contract')",
                (table, name, strategy, arguments or "{}"),
            )

    def plan(self, subject: int = ADA.id, *, at: datetime | None = None) -> ErasurePlan:
        """What would be done, as things are in this transaction."""
        self._become("agent_eraser")
        found = planned(self._cursor, subject, at=at)
        self._become(None)
        return found

    def refusals(self, subject: int = ADA.id) -> tuple[Refusal, ...]:
        """What cannot be done."""
        return self.plan(subject).refusals

    def erase(self, subject: int = ADA.id, *, most: int | None = None) -> ErasurePlan:
        """Do all steps, each as a whole or in batches of *most* rows; nothing is left of any."""
        plan = self.plan(subject)
        assert plan.refusals == ()
        self._become("agent_eraser")
        steps = [
            {"position": one.position, "table": one.table, "action": one.action.value, "rows": one.rows}
            for one in plan.steps
        ]
        self.rows(_BEGIN, {"steps": json.dumps(steps)})
        done = {step.position: sum(self._do(step, most)) for step in plan.steps}
        assert {step.position: step.rows for step in plan.steps if step.rows > done[step.position]} == {}
        assert [step.table for step in plan.steps if self._left(step)] == []
        self._become(None)
        return plan

    def _do(self, step: Step, most: int | None) -> Iterator[int]:
        if most is None:
            yield self.rows(step.whole, {"subject": SUBJECT})[0][0]
            return
        after = None
        while True:
            ((count, last),) = self.rows(step.statement, {"subject": SUBJECT, "most": most, "after": after})
            assert count <= most or last is None
            yield count
            if last is None:
                return
            after = json.dumps(last)

    def _left(self, step: Step) -> int:
        return int(self.rows(step.left, {"subject": SUBJECT})[0][0])

    def _become(self, role: str | None) -> None:
        self.rows(f"SET LOCAL ROLE {role or 'NONE'}")


@contextmanager
def bench(url: str) -> Iterator[Bench]:
    """A bench, whose transaction is rolled back at the end of the block."""
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET row_security = off; SET TimeZone = 'UTC'; SET lock_timeout = '20s'")
        yield Bench(cursor)
        connection.rollback()


def steps_of(plan: ErasurePlan, table: str) -> list[Step]:
    """The steps of a plan that are about one table."""
    return [step for step in plan.steps if step.table == table]


def outcomes_of(plan: ErasurePlan, table: str) -> Mapping[str, str]:
    """What becomes of each column of one table."""
    return {one.name: one.outcome.value for step in steps_of(plan, table) for one in step.columns}
