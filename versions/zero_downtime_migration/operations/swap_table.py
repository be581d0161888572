"""Let two tables of one shape exchange their names at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from psycopg2.sql import SQL, Composable, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    facts,
    ledger,
    refusals,
    table_exchange,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, State, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import only_if

_SWAP: Final = "let them exchange their names"


@dataclass(frozen=True)
class SwapTable:
    """Let *table*, which is given with its schema, and *other*, of the same schema, exchange their names.

    `start` swaps, abort swaps back, completion keeps it so. Owner, grants and comments stay with the name;
    rows, indexes, constraints, sequences and defaults, with their names, go with the table, and a sequence
    goes on from where the one of the other table has come to. What is written before into the one is not
    written into the other: to keep them equal is up to whoever fills the other one.

    Locks: ACCESS EXCLUSIVE on both in one transaction: who waits for it waits for the lock time-out at most.

    Raises:
        TableError: the columns differ; row security, triggers or publications do; or something hangs on one
            of them that would stay with it, as a view or a foreign key of another table.
    """

    table: str
    other: str
    operation: ClassVar[str] = "swap_table"

    @property
    def subject(self) -> str:
        """The other table."""
        return self.other

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the same two tables were swapped, and are not swapped back."""
        other = facts.table(session, self.other)
        if _is_swapped(session, self, table):
            return ()
        _refuse(session, table, other)
        is_swapped = SQL("pg_catalog.to_regclass({}) = {}::pg_catalog.oid").format(
            Literal(table.name), Literal(other.oid)
        )
        there = (table_exchange.lock(table, other), *table_exchange.exchanged(session, table, other))
        back = (
            table_exchange.lock(table, other),
            *table_exchange.exchanged(session, table, other, back=True),
        )
        return (
            _proof(session, table, other),
            Step(
                name=_SWAP,
                phase=Phase.START,
                kind=Kind.BRIEF,
                sql=tuple(map(session.text, there)),
                locks=(Lock(table.name), Lock(other.name)),
                done=session.text(SQL("SELECT {}").format(is_swapped)),
                undo=(only_if(session, is_swapped, *back),),
            ),
        )


def _is_swapped(session: Session, wish: SwapTable, table: Table) -> bool:
    """Tell whether the last swap holds; the catalogue does not say which of the two was which."""
    if not session.value("has_ledger"):
        return False
    last = ledger.found(session, wish.operation, table.name, wish.subject)
    swap = next((step for step in last.steps if step.name == _SWAP), None) if last else None
    if last is None or last.state is not State.COMPLETED or swap is None or swap.done is None:
        return False
    return bool(session.value(SQL(swap.done)))


def _refuse(session: Session, table: Table, other: Table) -> None:
    if table.oid == other.oid or table.schema != other.schema:
        raise TableError(
            f'"{table.name}" and "{other.name}" cannot exchange their names',
            hint="name two tables of one schema",
        )
    for one, far in ((table, other), (other, table)):
        if one.is_partition:
            raise TableError(f'"{one.name}" is a partition', hint="detach it, and attach the other one")
        refusals.refuse(
            f'what hangs on "{one.name}" would stay with its rows',
            refusals.firsts(session, "dependents", oid=one.oid, defaults=False),
            "drop it before, and make it anew on the table that has the name then",
        )
        own = refusals.firsts(session, "guards_of", oid=one.oid)
        refusals.refuse(
            f'"{one.name}" lacks what "{far.name}" has',
            (each for each in refusals.firsts(session, "guards_of", oid=far.oid) if each not in own),
            "make it there too, or drop it",
        )
    refusals.refuse(
        f'columns of "{table.name}" and "{other.name}" differ',
        [row[0] for row in session.ask(_unlike(table, other))],
        "let both have the same columns in the same order",
    )


def _unlike(table: Table, other: Table) -> Composable:
    return SQL(STATEMENTS["unlike"]).format(one=Literal(table.name), other=Literal(other.name))


def _proof(session: Session, table: Table, other: Table) -> Step:
    return Step(
        name="look whether their columns are the same",
        phase=Phase.START,
        kind=Kind.PROOF,
        sql=(session.text(_unlike(table, other)),),
        plain=(),
        failure=f'{{count}} columns of "{table.name}" and "{other.name}" differ: {{first}}',
        hint="let both have the same columns in the same order",
    )
