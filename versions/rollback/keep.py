"""Keep what a step of a rollback destroys, in its transaction: moved where that is instant, else copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier, Literal
from sqlalchemy import event

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.fingerprint import (
    described_by,
    hashed,
    lasting,
    schema_objects,
)
from spotify_ai_agent_migrations.versions.rollback.observe import DROP_TABLE, Observed, qualified
from spotify_ai_agent_migrations.versions.rollback.plan import Loss, StepPlan
from spotify_ai_agent_migrations.versions.rollback.tables import (
    STATEMENTS,
    columns,
    counted,
    driver,
    kept_values,
    key_columns,
    named,
    statement,
    value,
)
from spotify_ai_agent_migrations.versions.runner import Step
from spotify_ai_agent_migrations.versions.runner.journal import kept_fingerprint


class Keeper:
    """Keeps what the steps of one rollback destroy in schema *schema*, and proves where each step ends."""

    def __init__(
        self, schema: str, steps: Mapping[str, tuple[StepPlan, Observed]], *, copy_timeout_ms: int
    ) -> None:
        self._schema = schema
        self._steps = steps
        self._copy_timeout_ms = copy_timeout_ms

    @contextmanager
    def __call__(self, migration: MigrationContext, step: Step) -> Iterator[None]:
        """Keep what the block destroys, which is *step*.

        Raises:
            RevisionError: the step destroys what was not planned, or ends in another schema than it began in.
        """
        planned, observed = self._steps[step.revision]
        connection = migration.connection
        assert connection is not None
        raw = driver(connection)
        with ExitStack() as kept, raw.cursor() as cursor:
            losing = [loss for loss in planned.losses if loss.rows]
            if losing:
                self._begin(cursor)
                self._keep_sequences(cursor, step.revision, observed)
                for loss in losing:
                    self._keep(kept, connection, cursor, step.revision, loss, observed)
            yield
            kept.close()
            _prove(cursor, raw, step)

    def _begin(self, cursor: Cursor) -> None:
        if not value(cursor, STATEMENTS["has_quarantine"], {"schema": self._schema}):
            cursor.execute(SQL("CREATE SCHEMA {}").format(Identifier(self._schema)))
            cursor.execute(statement("create_quarantine", schema=Identifier(self._schema)))

    def _keep(
        self,
        kept: ExitStack,
        connection: Any,  # noqa: ANN401  (SQLAlchemy's)
        cursor: Cursor,
        revision: str,
        loss: Loss,
        observed: Observed,
    ) -> None:
        if loss.kind in {"deleted", "updated"}:
            kept.enter_context(self._watching(cursor, revision, loss))
        elif loss.kind == "table" and loss.table in observed.droppable and _movable(cursor, loss.table):
            kept.enter_context(self._moving(connection, revision, loss))
        else:
            self._copy(cursor, revision, loss)

    def _copy(self, cursor: Cursor, revision: str, loss: Loss) -> None:
        """Copy a table, or a column with the key of its rows; nobody writes the table meanwhile."""
        every = columns(cursor, loss.table)
        key = key_columns(cursor, loss.table)
        wanted = {*key, loss.column} if loss.column else {column.name for column in every}
        taken = tuple(column for column in every if column.name in wanted)
        if loss.column and not key:
            raise RevisionError(
                f'"{loss.table}" has no primary key, so the values of "{loss.column}" cannot be kept',
                hint=f"add one, or export {loss.table} and drop the values first",
            )
        kept_as = _kept_name(revision, loss)
        cursor.execute(SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(named(loss.table)))
        cursor.execute(SQL("SET LOCAL statement_timeout = {}").format(Literal(self._copy_timeout_ms)))
        cursor.execute(
            SQL("CREATE TABLE {} AS SELECT {} FROM {}{}").format(
                Identifier(self._schema, kept_as),
                kept_values(taken),
                named(loss.table),
                SQL(" WHERE {} IS NOT NULL").format(Identifier(loss.column)) if loss.column else SQL(""),
            )
        )
        cursor.execute("RESET statement_timeout")
        self._note(cursor, revision, loss, kept_as, key=key)

    @contextmanager
    def _moving(self, connection: Any, revision: str, loss: Loss) -> Iterator[None]:  # noqa: ANN401
        """Move the table away where the step would drop it: instant, however many rows it has."""

        def move(_: object, raw_cursor: Any, said: str, parameters: Any, *__: Any) -> tuple[str, Any]:  # noqa: ANN401
            dropped = DROP_TABLE.fullmatch(said)
            if dropped is None or qualified(dropped["table"]) != loss.table:
                return said, parameters
            with _as_login(raw_cursor):
                self._move(raw_cursor, revision, loss)
            return "SELECT 1", parameters

        event.listen(connection, "before_cursor_execute", move, retval=True)
        try:
            yield
        finally:
            event.remove(connection, "before_cursor_execute", move)

    def _move(self, cursor: Cursor, revision: str, loss: Loss) -> None:
        kept_as = _kept_name(revision, loss)
        key = key_columns(cursor, loss.table)
        cursor.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(named(loss.table)))
        cursor.execute(STATEMENTS["attachments"], {"table": loss.table})
        for (detached,) in cursor.fetchall():
            cursor.execute(detached)
        for column in columns(cursor, loss.table):
            if column.is_domain:
                cursor.execute(
                    SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(
                        named(loss.table), Identifier(column.name), SQL(column.kept_type)
                    )
                )
        plain = named(loss.table).strings[-1]
        cursor.execute(
            SQL("ALTER TABLE {} SET SCHEMA {}").format(named(loss.table), Identifier(self._schema))
        )
        cursor.execute(
            SQL("ALTER TABLE {} RENAME TO {}").format(Identifier(self._schema, plain), Identifier(kept_as))
        )
        self._note(cursor, revision, loss, kept_as, key=key, moved=True)

    @contextmanager
    def _watching(self, cursor: Cursor, revision: str, loss: Loss) -> Iterator[None]:
        """Keep the rows that the step deletes or changes, as they were, by a trigger of this transaction."""
        every = columns(cursor, loss.table)
        kept_as = _kept_name(revision, loss)
        kept = Identifier(self._schema, kept_as)
        function = Identifier(self._schema, f"keep_{kept_as}"[:63])
        trigger = Identifier(f"rollback_{loss.kind}")
        cursor.execute(
            SQL("CREATE TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
                kept, kept_values(every), named(loss.table)
            )
        )
        cursor.execute(statement("keep_function", function=function, kept=kept, columns=kept_values(every)))
        cursor.execute(
            SQL(
                "CREATE TRIGGER {} AFTER {} ON {} REFERENCING OLD TABLE AS gone FOR EACH STATEMENT "
                "EXECUTE FUNCTION {}()"
            ).format(
                trigger, SQL("DELETE" if loss.kind == "deleted" else "UPDATE"), named(loss.table), function
            )
        )
        key = key_columns(cursor, loss.table)
        yield
        if value(cursor, "SELECT pg_catalog.to_regclass(%(table)s)", {"table": loss.table}) is not None:
            cursor.execute(SQL("DROP TRIGGER {} ON {}").format(trigger, named(loss.table)))
        cursor.execute(SQL("DROP FUNCTION {}").format(function))
        self._note(cursor, revision, loss, kept_as, key=key)

    def _keep_sequences(self, cursor: Cursor, revision: str, observed: Observed) -> None:
        cursor.execute(STATEMENTS["sequences"])
        last = dict(cursor.fetchall())
        for name in observed.sequences:
            if name in last:
                values = {"revision": revision, "kind": "sequence", "source": name, "column": None}
                rest = {"kept_as": None, "moved": False, "key": None, "rows": last[name], "checksum": None}
                cursor.execute(statement("note", schema=Identifier(self._schema)), {**values, **rest})

    def _note(
        self,
        cursor: Cursor,
        revision: str,
        loss: Loss,
        kept_as: str,
        *,
        key: tuple[str, ...],
        moved: bool = False,
    ) -> None:
        rows, checksum = loss.rows, None
        if not moved:
            rows, checksum = counted(cursor, Identifier(self._schema, kept_as))
        cursor.execute(
            statement("note", schema=Identifier(self._schema)),
            {
                "revision": revision,
                "kind": loss.kind,
                "source": loss.table,
                "column": loss.column,
                "kept_as": kept_as,
                "moved": moved,
                "key": list(key),
                "rows": rows,
                "checksum": checksum,
            },
        )


@contextmanager
def _as_login(cursor: Cursor) -> Iterator[None]:
    """Act as whoever is connected: the role that a revision takes on owns the tables, and no quarantine."""
    role, login = (
        str(value(cursor, "SELECT current_user::text")),
        str(value(cursor, "SELECT session_user::text")),
    )
    cursor.execute("RESET ROLE")
    yield
    if role != login:
        cursor.execute(SQL("SET LOCAL ROLE {}").format(Identifier(role)))


def _movable(cursor: Cursor, table: str) -> bool:
    """Tell whether nothing of a table has to be rewritten or left behind to be moved."""
    if value(cursor, STATEMENTS["is_partitioned"], {"table": table}):
        return False
    return not any(column.needs_copy for column in columns(cursor, table))


def _kept_name(revision: str, loss: Loss) -> str:
    """Return the name a loss is kept under, which says where it came from."""
    how = loss.kind if loss.kind in {"deleted", "updated"} else ""
    parts = [f"r{revision}", *named(loss.table).strings, loss.column or "", how]
    return "__".join(part for part in parts if part)[:55]


def _prove(cursor: Cursor, raw: Any, step: Step) -> None:  # noqa: ANN401  (psycopg2's connection)
    """Refuse to end in another schema than was journaled when the parent was the last revision applied."""
    parent = ",".join(step.ends_at)
    known = value(cursor, STATEMENTS["last_applied"], {"heads": parent})
    kept_by, _ = kept_fingerprint(raw)
    comparable = kept_by == described_by(raw)
    if known is not None and comparable and hashed(lasting(schema_objects(raw))) != known:
        raise RevisionError(
            f"{step} ends in another schema than {parent or 'base'} had; nothing of it is done",
            hint="`agentdb governance drift` shows what differed before it; mend the downgrade",
        )
