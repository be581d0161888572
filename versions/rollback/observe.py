"""Try the way back, and note what each step destroys, locks and takes from others. Nothing stays."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy
from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import connection as Connection
from sqlalchemy import event

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.fingerprint import (
    SchemaObject,
    described_by,
    hashed,
    lasting,
    schema_objects,
)
from spotify_ai_agent_migrations.versions.rollback.storage import (
    Gone,
    Snapshot,
    Touched,
    gone,
    snapshot,
    touched_since,
)
from spotify_ai_agent_migrations.versions.rollback.tables import STATEMENTS, driver, parts, value
from spotify_ai_agent_migrations.versions.runner import Step
from spotify_ai_agent_migrations.versions.runner.drift import Difference, differences
from spotify_ai_agent_migrations.versions.runner.journal import kept_fingerprint, locks_of

# What can be moved away instead of being dropped: a statement that does nothing else.
DROP_TABLE: Final = re.compile(
    r"\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<table>{0}(?:\.{0})?)\s*;?\s*".format(
        r'(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")'
    ),
    re.IGNORECASE,
)
_OURS: Final = re.compile(r"(?:agent_[a-z]+|)=")


@dataclass(frozen=True)
class Observed:
    """What one step did: what is no longer there, which rows it touched, which tables one statement drops."""

    step: Step
    removed: tuple[Difference, ...]
    gone: tuple[Gone, ...]
    touched: Mapping[str, Touched]
    droppable: frozenset[tuple[str, ...]]
    locks: tuple[tuple[str, tuple[str, ...]], ...]
    duration_ms: int

    @property
    def sequences(self) -> tuple[str, ...]:
        """The sequences it drops."""
        return tuple(
            one.identity
            for one in self.removed
            if one.kind == "relation" and one.was and one.was["kind"] == "S"
        )

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


class Observer:
    """Notes what each step does; `beside` is a connection of its own, to see the locks of the other."""

    def __init__(self, beside: Connection) -> None:
        self._beside = beside
        self.steps: list[Observed] = []
        self._objects: tuple[SchemaObject, ...] = ()
        self._locks: dict[str, list[str]] = {}

    @contextmanager
    def __call__(self, migration: MigrationContext, step: Step) -> Iterator[None]:
        """Note what the block does, which is *step*.

        Raises:
            RevisionError: it ends in another schema than was journaled for where it goes.
        """
        assert migration.connection is not None
        raw = driver(migration.connection)
        if not self.steps or step.left >= self.steps[-1].step.left:
            self._begin(raw)
        objects, before = self._objects, snapshot(raw)
        began_s = time.monotonic()
        with _dropped(migration.connection) as droppable:
            yield
        duration_ms = round((time.monotonic() - began_s) * 1_000)
        after = snapshot(raw)
        self._objects = lasting(schema_objects(raw))
        self.steps.append(
            Observed(
                step,
                tuple(one for one in differences(objects, self._objects) if one.now is None),
                gone(before, after),
                touched_since(before, after),
                frozenset(droppable),
                self._new_locks(raw, before),
                duration_ms,
            )
        )
        # What has to run alone was named and not executed.
        if "autocommit_block" not in step.file.read_text(encoding="utf-8"):
            refuse_other_end(raw, step, self._objects)

    def _begin(self, raw: Connection) -> None:
        """Forget an earlier try, which was in the way of somebody and is undone."""
        self.steps.clear()
        self._locks = {}
        self._objects = lasting(schema_objects(raw))

    def _new_locks(self, raw: Connection, before: Snapshot) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the locks on tables that were not held before; an index goes with its table."""
        locks = locks_of(self._beside, raw.info.backend_pid)
        tables = {stored.table for stored in before.tables.values()}
        new = tuple(
            (name, tuple(modes))
            for name, modes in locks.items()
            if name in tables and modes != self._locks.get(name)
        )
        self._locks = locks
        return new


def _listed(grants: object) -> list[str]:
    """Return the grants of an object; those of a column are one text."""
    return grants if isinstance(grants, list) else []


def refuse_other_end(raw: Connection, step: Step, objects: Sequence[SchemaObject]) -> None:
    """Refuse to end in another schema than was journaled when the parent was the last revision applied.

    Raises:
        RevisionError: names the step, and where it was to end.
    """
    parent = ",".join(step.ends_at)
    with raw.cursor() as cursor:
        if value(cursor, "SELECT pg_catalog.to_regclass('ops.migration_journal')") is None:
            return
        known = value(cursor, STATEMENTS["last_applied"], {"heads": parent})
    kept_by, _ = kept_fingerprint(raw)
    if known is not None and kept_by == described_by(raw) and hashed(objects) != known:
        raise RevisionError(
            f"{step} ends in another schema than {parent or 'base'} had; nothing of it is done",
            hint=f"mend {step.file.name}: its downgrade() does not take back what its upgrade() makes",
        )


@contextmanager
def _dropped(connection: sqlalchemy.Connection) -> Iterator[set[tuple[str, ...]]]:
    """Collect the tables that the block drops with a statement of their own."""
    found: set[tuple[str, ...]] = set()

    def see(_: object, __: object, said: str, *___: Any) -> None:  # noqa: ANN401  (SQLAlchemy's)
        dropped = DROP_TABLE.fullmatch(said)
        if dropped:
            found.add(qualified(dropped["table"]))

    event.listen(connection, "before_cursor_execute", see)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", see)


def qualified(table: str) -> tuple[str, ...]:
    """Return schema and name of a table; the search path of a migration is public."""
    return ("public", *parts(table))[-2:]
