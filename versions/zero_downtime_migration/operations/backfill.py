"""Give columns of the rows that are there their values, on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Composable

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import batch, missed_rows, row_order
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.row_order import ROW
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class Backfill:
    """Write `values`, columns with their expressions, into the rows of *table* that are `due`.

    Both are SQL; a column is called by its name, or as `t.name`. What is written is no longer to be due: each
    row is written once, and a proof looks for rows that are due still. Rows that come in meanwhile are filled
    too, unless they keep coming: then the proof says so.

    The table needs a primary key, or a unique index of NOT NULL columns. Its triggers fire as for any update.
    An abort leaves what is filled: it takes nothing back.
    """

    table: str
    values: tuple[tuple[str, str], ...]
    due: str
    operation: ClassVar[str] = "backfill"

    @property
    def subject(self) -> str:
        """The columns."""
        return ", ".join(name for name, _ in self.values)

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if no row is due.

        Raises:
            TableError: a column is not there, or PostgreSQL computes it; there is nothing to walk along.
        """
        _require_columns(table, self.values)
        row_order.parts(session, table)
        wanted = Fill(table.name, self.values, self.due)
        _require_sense(session, wanted)
        count, _ = missed_rows.missed(session, wanted, most=1)
        return _steps(session, table, wanted) if count else ()


def _steps(session: Session, table: Table, wanted: Fill) -> tuple[Step, ...]:
    return (
        Step(
            name="fill the rows that are due",
            phase=Phase.BACKFILL,
            kind=Kind.FILL,
            locks=(Lock(table.name, "ROW EXCLUSIVE"),),
            held="while it writes one batch, again and again",
            plain=(session.text(plain_update(wanted)),),
            fill=wanted,
        ),
        missed_rows.proof_of_fill(session, table, wanted.due),
    )


def plain_update(wanted: Fill) -> Composable:
    """Return the one statement that does the same."""
    return SQL("UPDATE {} AS {} SET {} WHERE ({})").format(
        SQL(wanted.table), SQL(ROW), batch.assigned(wanted), SQL(wanted.due)
    )


def _require_columns(table: Table, values: tuple[tuple[str, str], ...]) -> None:
    if not values:
        raise TableError("a backfill of no column", hint="say which columns get which expressions")
    for name, _ in values:
        if table.column(name).generated:
            raise TableError(
                f'PostgreSQL computes "{name}" of "{table.name}" itself',
                hint="leave it out",
            )


def _require_sense(session: Session, wanted: Fill) -> None:
    """Let the server read the expressions before anything is begun; it executes none."""
    values = SQL(", ").join(SQL("({})").format(SQL(value)) for _, value in wanted.values)
    session.ask(
        SQL("EXPLAIN SELECT {} FROM {} AS {} WHERE ({})").format(
            values, SQL(wanted.table), SQL(ROW), SQL(wanted.due)
        )
    )
