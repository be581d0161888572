"""Try the way back, and note what each step destroys, locks and takes from others. Nothing stays."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy
from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import connection as Connection
from sqlalchemy import event

from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, lasting, schema_objects
from spotify_ai_agent_migrations.versions.rollback.tables import STATEMENTS, driver
from spotify_ai_agent_migrations.versions.runner import Step
from spotify_ai_agent_migrations.versions.runner.drift import Difference, differences
from spotify_ai_agent_migrations.versions.runner.journal import locks_of

# What can be moved away instead of being dropped: a statement that does nothing else.
DROP_TABLE: Final = re.compile(
    r"\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<table>[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)?)\s*;?\s*",
    re.IGNORECASE,
)
_OURS: Final = re.compile(r"(?:agent_[a-z]+|)=")


@dataclass(frozen=True)
class Observed:
    """What one step did: what is no longer there, which rows it touched, which tables one statement drops."""

    step: Step
    removed: tuple[Difference, ...]
    touched: Mapping[str, tuple[int, int]]
    droppable: frozenset[str]
    locks: tuple[tuple[str, tuple[str, ...]], ...]
    duration_ms: int

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables it drops."""
        return self._relations("rp")

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The columns it drops of tables that stay, with their tables."""
        gone = {f"{table}." for table in self.tables}
        pairs = (one.identity.rsplit(".", 1) for one in self.removed if one.kind == "column" and one.was)
        return tuple(
            (table, column) for table, column in pairs if f"{table}." not in gone and not self._is_view(table)
        )

    @property
    def sequences(self) -> tuple[str, ...]:
        """The sequences it drops."""
        return self._relations("S")

    @property
    def grants(self) -> tuple[str, ...]:
        """What roles that are not ours were granted on what goes."""
        return tuple(
            f"{grant.partition('=')[0]} on {one.identity}"
            for one in self.removed
            if one.was
            for grant in _listed(one.was.get("grants"))
            if not _OURS.match(grant) and not grant.startswith(f"{one.was.get('owner')}=")
        )

    def _is_view(self, relation: str) -> bool:
        return relation in self._relations("vm")

    def _relations(self, kinds: str) -> tuple[str, ...]:
        return tuple(
            one.identity
            for one in self.removed
            if one.kind == "relation" and one.was and one.was["kind"] in kinds
        )


class Observer:
    """Notes what each step does; `beside` is a connection of its own, to see the locks of the other."""

    def __init__(self, beside: Connection) -> None:
        self._beside = beside
        self._before: tuple[SchemaObject, ...] | None = None
        self._touched: dict[str, tuple[int, int]] = {}
        self._locks: dict[str, list[str]] = {}
        self.steps: list[Observed] = []

    @contextmanager
    def __call__(self, migration: MigrationContext, step: Step) -> Iterator[None]:
        """Note what the block does, which is *step*."""
        connection = migration.connection
        assert connection is not None
        raw = driver(connection)
        before = self._before if self._before is not None else lasting(schema_objects(raw))
        began_s = time.monotonic()
        with _dropped(connection) as droppable:
            yield
        duration_ms = round((time.monotonic() - began_s) * 1_000)
        after = lasting(schema_objects(raw))
        touched = _touched(raw)
        locks = locks_of(self._beside, raw.info.backend_pid)
        columns = {thing.identity for thing in before if thing.kind == "column"}
        self.steps.append(
            Observed(
                step,
                tuple(one for one in differences(before, after) if one.now is None),
                _since(self._touched, touched),
                frozenset(droppable),
                tuple((name, tuple(modes)) for name, modes in _new(self._locks, locks, columns)),
                duration_ms,
            )
        )
        self._before, self._touched, self._locks = after, touched, locks


Counts = Mapping[str, tuple[int, int]]


def _since(before: Counts, now: Counts) -> dict[str, tuple[int, int]]:
    """Return how many rows more were deleted and changed, by table."""
    counts = {name: before.get(name, (0, 0)) for name in now}
    more = {name: (now[name][0] - counts[name][0], now[name][1] - counts[name][1]) for name in now}
    return {name: found for name, found in more.items() if found != (0, 0)}


def _new(
    before: Mapping[str, list[str]], now: Mapping[str, list[str]], columns: set[str]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the locks on tables that were not held before; an index goes with its table."""
    with_columns = {column.rsplit(".", 1)[0] for column in columns}
    for name, modes in now.items():
        if name in with_columns and modes != before.get(name):
            yield name, modes


def _listed(grants: object) -> list[str]:
    """Return the grants of an object; those of a column are one text."""
    return grants if isinstance(grants, list) else []


def _touched(raw: Connection) -> dict[str, tuple[int, int]]:
    with raw.cursor() as cursor:
        cursor.execute(STATEMENTS["touched_rows"])
        return {str(name): (int(deleted), int(updated)) for name, deleted, updated in cursor.fetchall()}


@contextmanager
def _dropped(connection: sqlalchemy.Connection) -> Iterator[set[str]]:
    """Collect the tables that the block drops with a statement of their own."""
    found: set[str] = set()

    def see(_: object, __: object, said: str, *___: Any) -> None:  # noqa: ANN401  (SQLAlchemy's)
        dropped = DROP_TABLE.fullmatch(said)
        if dropped:
            found.add(qualified(dropped["table"]))

    event.listen(connection, "before_cursor_execute", see)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", see)


def qualified(table: str) -> str:
    """Return a table as the catalogue names it; the search path of a migration is public."""
    return table.lower() if "." in table else f"public.{table.lower()}"
