"""Read from the catalogue what a table hands its constraints and indexes down to: partitions, and heirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

# What all locks of a step together may be waited for, while those that it has block others.
_TOGETHER_MS: Final = 500
_LEAST_MS: Final = 5


@dataclass(frozen=True)
class Node:
    """A table below another one: its names, as they are and as SQL writes them, its place in the tree."""

    oid: int
    schema: str
    plain: str
    name: str
    kind: str
    parent: int
    level: int

    @property
    def partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return self.kind == "p"


def below(session: Session, table: Table) -> tuple[Node, ...]:
    """Return the tables below *table*, those right below it first.

    Raises:
        TableError: a foreign table is among them, on which nothing can be built.
    """
    found = tuple(Node(*row) for row in session.ask("tables_below", oid=table.oid))
    foreign = next((node for node in found if node.kind == "f"), None)
    if foreign is not None:
        raise TableError(
            f'"{foreign.name}", a partition of "{table.name}", is a foreign table',
            hint=f"detach it first: ALTER TABLE {table.name} DETACH PARTITION {foreign.name} CONCURRENTLY",
        )
    return found


def all_locks(table: Table, nodes: Sequence[Node], mode: str = "ACCESS EXCLUSIVE") -> tuple[Lock, ...]:
    """Return the locks of a statement that locks a table with all that is below it."""
    return (Lock(table.name, mode), *(Lock(node.name, mode) for node in nodes))


def together(session: Session, locks: Sequence[Lock]) -> tuple[str, ...]:
    """Return what makes a transaction wait for all of *locks* together for no longer than for one."""
    if len(locks) < 2:
        return ()
    each_ms = max(_LEAST_MS, _TOGETHER_MS // len(locks))
    return (session.text(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{each_ms}ms"))),)
