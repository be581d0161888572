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
from psycopg2.sql import SQL, Identifier
from sqlalchemy import event

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.fingerprint import (
    SchemaObject,
    described_by,
    hashed,
    lasting,
    schema_objects,
)
from spotify_ai_agent_migrations.versions.core.sql import without_literals
from spotify_ai_agent_migrations.versions.rollback.storage import (
    Gone,
    Place,
    Snapshot,
    gone,
    snapshot,
    touched_since,
)
from spotify_ai_agent_migrations.versions.rollback.tables import STATEMENTS, driver, own_rows, parts, value
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
# What may run alone on the way back: it touches no row.
_HARMLESS: Final = re.compile(
    r"\s*(?:(?:CREATE(?:\s+UNIQUE)?|DROP)\s+INDEX\s+CONCURRENTLY|REINDEX|VACUUM|ANALYZE|SET|RESET|SHOW|COMMENT"
    r"|ALTER\s+TYPE\s+\S+\s+(?:ADD|RENAME)\s+VALUE|ALTER\s+TABLE\s[^;(]*\s+VALIDATE\s+CONSTRAINT)\b[^;]*;?\s*",
    re.IGNORECASE,
)
_OURS: Final = re.compile(r"(?:agent_[a-z]+|)=")


@dataclass(frozen=True)
class Found:
    """Where something that a step destroys is today; `rows` where they were counted while it was tried."""

    table: str | None
    column: str | None
    rows: int | None


@dataclass(frozen=True)
class Observed:
    """What one step did: what is no longer there, what it destroyed, which tables one statement drops."""

    step: Step
    removed: tuple[Difference, ...]
    gone: Mapping[Gone, Found]
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
        self._today = Snapshot({}, {})
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
        counts = self._counted(raw, before)
        began_s = time.monotonic()
        with _dropped(migration.connection, raw, before) as droppable, _alone(migration) as alone:
            yield
        duration_ms = round((time.monotonic() - began_s) * 1_000)
        _refuse_unseen(step, alone)
        after = snapshot(raw)
        self._objects = lasting(schema_objects(raw))
        self.steps.append(
            Observed(
                step,
                tuple(one for one in differences(objects, self._objects) if one.now is None),
                {
                    thing: self._found(thing, place, before, after, counts)
                    for thing, place in gone(before, after).items()
                },
                frozenset(droppable),
                self._new_locks(raw, before),
                duration_ms,
            )
        )
        # What has to run alone was named and not executed.
        if not alone:
            refuse_other_end(raw, step, self._objects)

    def _begin(self, raw: Connection) -> None:
        """Forget an earlier try, which was in the way of somebody and is undone."""
        self.steps.clear()
        self._locks = {}
        self._objects = lasting(schema_objects(raw))
        self._today = snapshot(raw)

    def _counted(self, raw: Connection, before: Snapshot) -> dict[Place, int]:
        """Count what an earlier step made, filled or emptied: nobody else sees that."""
        found: dict[Place, int] = {}
        for oid in sorted(self._today.filled(before)):
            stored = before.tables[oid]
            places = (Place(oid, None), *(Place(oid, number) for number in stored.columns))
            wanted = (
                SQL("count(*)"),
                *(SQL("count({})").format(Identifier(one)) for one in stored.columns.values()),
            )
            with raw.cursor() as cursor:
                cursor.execute(
                    SQL("SELECT {} FROM {}").format(SQL(", ").join(wanted), own_rows(cursor, stored.table))
                )
                found |= dict(zip(places, cursor.fetchone() or (), strict=True))
        return found

    def _found(
        self, thing: Gone, place: Place, before: Snapshot, after: Snapshot, counts: Mapping[Place, int]
    ) -> Found:
        today = self._today.tables.get(place.table)
        table = today.table if today else None
        column = today.columns.get(place.column) if today and place.column else None
        if thing.kind in {"deleted", "updated"}:
            rows = getattr(touched_since(before, after)[place.table], thing.kind)
            return Found(table, column, int(rows))
        return Found(table, column, counts.get(place))

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
def _dropped(
    connection: sqlalchemy.Connection, raw: Connection, before: Snapshot
) -> Iterator[set[tuple[str, ...]]]:
    """Collect the tables that the block drops with a statement of their own, and did nothing to *before*."""
    found: set[tuple[str, ...]] = set()

    def see(_: object, __: object, said: str, *___: Any) -> None:  # noqa: ANN401  (SQLAlchemy's)
        dropped = DROP_TABLE.fullmatch(said)
        if dropped:
            name, now = qualified(dropped["table"]), snapshot(raw)
            oids = [oid for oid, stored in now.tables.items() if parts(stored.table) == name]
            if all(before.same(oid, now) for oid in oids):
                found.add(name)

    event.listen(connection, "before_cursor_execute", see)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", see)


@contextmanager
def _alone(migration: MigrationContext) -> Iterator[list[str]]:
    """Collect what is in the autocommit blocks of the block; a dry run executes none of it."""
    found: list[str] = []
    block = migration.autocommit_block

    @contextmanager
    def noted() -> Iterator[None]:
        with block():
            note = migration.impl._exec

            def see(construct: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  (SQLAlchemy's)
                found.append(str(construct))
                return note(construct, *arguments, **named)

            migration.impl._exec = see  # type: ignore[method-assign]
            try:
                yield
            finally:
                migration.impl._exec = note  # type: ignore[method-assign]

    migration.autocommit_block = noted  # type: ignore[method-assign]
    try:
        yield found
    finally:
        migration.autocommit_block = block  # type: ignore[method-assign]


def _refuse_unseen(step: Step, alone: Sequence[str]) -> None:
    """Refuse what runs alone and may touch rows: what it destroys could be neither counted nor kept.

    Raises:
        RevisionError: names the first such statement.
    """
    for said in alone:
        if not _HARMLESS.fullmatch(said):
            raise RevisionError(
                f"{step} runs alone what may destroy rows, {without_literals(said)}; nothing was executed",
                hint=f"move it out of the autocommit block of {step.file.name}, or go that step by itself "
                "with `alembic downgrade`, which keeps nothing",
            )


def qualified(table: str) -> tuple[str, ...]:
    """Return schema and name of a table; the search path of a migration is public."""
    return ("public", *parts(table))[-2:]
