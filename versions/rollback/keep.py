"""Keep what a step of a rollback destroys, in its transaction: moved where that is instant, else copied."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import psycopg2
import sqlalchemy
from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Literal
from sqlalchemy import event

from spotify_ai_agent_migrations.versions.core.errors import LockError, RevisionError
from spotify_ai_agent_migrations.versions.core.fingerprint import lasting, schema_objects
from spotify_ai_agent_migrations.versions.rollback.observe import (
    DROP_TABLE,
    Observed,
    qualified,
    refuse_other_end,
)
from spotify_ai_agent_migrations.versions.rollback.plan import Loss, StepPlan
from spotify_ai_agent_migrations.versions.rollback.storage import Gone, Touched, gone, snapshot
from spotify_ai_agent_migrations.versions.rollback.tables import (
    ORDER,
    STATEMENTS,
    columns,
    counted,
    driver,
    kept_values,
    key_columns,
    lock,
    named,
    own_rows,
    parts,
    statement,
    value,
)
from spotify_ai_agent_migrations.versions.runner import Step

# Room for the names of the indexes and functions that are made from it.
_LONGEST_BYTES: Final = 55


class Keeper:
    """Keeps what the steps of one rollback destroy in schema *schema*, and proves where each step ends."""

    def __init__(
        self, schema: str, steps: Mapping[str, tuple[StepPlan, Observed]], *, copy_timeout_ms: int
    ) -> None:
        self._schema = schema
        self._steps = steps
        self._copy_timeout_ms = copy_timeout_ms
        self._copying_s = 0.0

    @contextmanager
    def __call__(self, migration: MigrationContext, step: Step) -> Iterator[None]:
        """Keep what the block destroys, which is *step*.

        Raises:
            RevisionError: the step destroys what was not planned, or ends in another schema than it should.
            LockError: to copy what it destroys takes longer than writers may wait.
        """
        planned, observed = self._planned(step)
        connection = migration.connection
        assert connection is not None
        raw = driver(connection)
        self._copying_s = 0.0
        with ExitStack() as kept, raw.cursor() as cursor:
            before = snapshot(raw)
            self._refuse_filled(cursor, planned, observed)
            used = _used_sequences(cursor, observed)
            if planned.losses or used:
                self._begin(cursor)
                self._keep_sequences(cursor, step.revision, used)
            for loss in planned.losses:
                self._keep(kept, connection, cursor, step.revision, loss, observed)
            yield
            unplanned = set(gone(before, snapshot(raw))) - set(observed.gone)
            kept.close()
            _refuse_unplanned(step, unplanned)
            refuse_other_end(raw, step, lasting(schema_objects(raw)))

    def _planned(self, step: Step) -> tuple[StepPlan, Observed]:
        if step.revision not in self._steps:
            raise RevisionError(
                f"{step} was not planned: somebody else migrated meanwhile; nothing of it is done",
                hint="plan again",
            )
        return self._steps[step.revision]

    def _refuse_filled(self, cursor: Cursor, planned: StepPlan, observed: Observed) -> None:
        """Refuse where a table or column that was empty when it was planned holds something now.

        Locks: SHARE ROW EXCLUSIVE on each, so that it stays so.
        """
        with_rows = {(loss.kind, loss.table, loss.column) for loss in planned.losses}
        for thing in observed.gone:
            if thing in with_rows or thing.kind in {"deleted", "updated"}:
                continue
            lock(cursor, thing.table)
            with self._bounded(cursor, thing.table):
                filled = (
                    SQL(" WHERE {} IS NOT NULL").format(Identifier(thing.column)) if thing.column else SQL("")
                )
                found = SQL("SELECT EXISTS (SELECT FROM {}{})").format(own_rows(cursor, thing.table), filled)
                if value(cursor, found):
                    raise RevisionError(
                        f'"{thing.table}" was empty when it was planned and holds rows now; nothing of '
                        f"revision {planned.revision} is undone",
                        hint="plan again",
                    )

    @contextmanager
    def _bounded(self, cursor: Cursor, table: str) -> Iterator[None]:
        """Let all copies of a step together hold up writers no longer than they may wait."""
        left_ms = max(round(self._copy_timeout_ms - self._copying_s * 1_000), 1)
        began_s = time.monotonic()
        cursor.execute(SQL("SET LOCAL statement_timeout = {}").format(Literal(left_ms)))
        try:
            yield
        except psycopg2.errors.QueryCanceled as error:
            raise LockError(
                f'to keep the rows of "{table}" takes longer than the {self._copy_timeout_ms} ms '
                "that writers may wait; the step is undone",
                hint=f"--copy-timeout-ms {10 * self._copy_timeout_ms} lets them wait longer",
            ) from error
        cursor.execute("RESET statement_timeout")
        self._copying_s += time.monotonic() - began_s

    def _begin(self, cursor: Cursor) -> None:
        if not value(cursor, STATEMENTS["has_schema"], {"schema": self._schema}):
            cursor.execute(SQL("CREATE SCHEMA {}").format(Identifier(self._schema)))
            cursor.execute(STATEMENTS["grants_on_schema"], {"schema": self._schema})
            for (grantee,) in cursor.fetchall():
                cursor.execute(
                    SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(Identifier(self._schema), SQL(grantee))
                )
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
        elif (
            loss.kind == "table" and parts(loss.table) in observed.droppable and _movable(cursor, loss.table)
        ):
            kept.enter_context(self._moving(connection, revision, loss))
        else:
            self._copy(cursor, revision, loss)

    def _copy(self, cursor: Cursor, revision: str, loss: Loss) -> None:
        """Copy a table, or a column with the key of its rows; nobody writes the table meanwhile."""
        every = columns(cursor, loss.table)
        key = key_columns(cursor, loss.table)
        wanted = {*key, loss.column} if loss.column else {column.name for column in every}
        taken = tuple(column for column in every if column.name in wanted)
        kept_as = _kept_name(revision, loss)
        only: Composable = SQL("")
        # One that comes back with a default would fill the rows that had no value.
        if loss.column and not value(
            cursor, STATEMENTS["has_default"], {"table": loss.table, "column": loss.column}
        ):
            only = SQL(" WHERE {} IS NOT NULL").format(Identifier(loss.column))
        lock(cursor, loss.table)
        with self._bounded(cursor, loss.table):
            cursor.execute(
                SQL("CREATE TABLE {} AS SELECT {} FROM {}{}").format(
                    Identifier(self._schema, kept_as), kept_values(taken), own_rows(cursor, loss.table), only
                )
            )
            self._note(cursor, revision, loss, kept_as, key=key)

    @contextmanager
    def _moving(self, connection: Any, revision: str, loss: Loss) -> Iterator[None]:  # noqa: ANN401
        """Move the table away where the step would drop it: instant, however many rows it has."""

        def move(_: object, raw_cursor: Any, said: str, parameters: Any, *__: Any) -> tuple[str, Any]:  # noqa: ANN401
            dropped = DROP_TABLE.fullmatch(said)
            if dropped is None or qualified(dropped["table"]) != parts(loss.table):
                return said, parameters
            with _as_statement(said), _as_login(raw_cursor):
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
        cursor.execute(STATEMENTS["named_alike"], {"table": loss.table, "kept_as": kept_as})
        for (renamed,) in cursor.fetchall():
            cursor.execute(renamed)
        schema, _ = parts(loss.table)
        cursor.execute(SQL("ALTER TABLE {} RENAME TO {}").format(named(loss.table), Identifier(kept_as)))
        cursor.execute(
            SQL("ALTER TABLE {} SET SCHEMA {}").format(Identifier(schema, kept_as), Identifier(self._schema))
        )
        self._note(cursor, revision, loss, kept_as, key=key, moved=True)

    @contextmanager
    def _watching(self, cursor: Cursor, revision: str, loss: Loss) -> Iterator[None]:
        """Keep the rows that the step deletes or changes, as they were, by a trigger of this transaction."""
        every, key = columns(cursor, loss.table), key_columns(cursor, loss.table)
        kept_as = _kept_name(revision, loss)
        kept = Identifier(self._schema, kept_as)
        function = Identifier(self._schema, f"keep_{kept_as}")
        trigger = Identifier(f"rollback_{loss.kind}")
        oid = int(value(cursor, "SELECT %(table)s::pg_catalog.regclass::oid::bigint", {"table": loss.table}))
        before = snapshot(cursor.connection).touched.get(oid, Touched())
        cursor.execute(
            SQL("CREATE TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
                kept, kept_values(every), named(loss.table)
            )
        )
        # A row that is changed twice is kept twice, first as it was.
        cursor.execute(
            SQL("ALTER TABLE {} ADD {} bigint GENERATED ALWAYS AS IDENTITY").format(kept, Identifier(ORDER))
        )
        of_rows = bool(value(cursor, STATEMENTS["is_child"], {"table": loss.table}))
        cursor.execute(
            statement(
                "keep_function",
                function=function,
                kept_name=Literal(kept.as_string(cursor)),
                gone=SQL("(SELECT ($1).*) AS gone" if of_rows else "gone"),
                using=SQL(" USING OLD" if of_rows else ""),
            )
        )
        cursor.execute(
            SQL("CREATE TRIGGER {} AFTER {} ON {} {} EXECUTE FUNCTION {}()").format(
                trigger,
                SQL("DELETE" if loss.kind == "deleted" else "UPDATE"),
                named(loss.table),
                SQL("FOR EACH ROW" if of_rows else "REFERENCING OLD TABLE AS gone FOR EACH STATEMENT"),
                function,
            )
        )
        yield
        table = value(cursor, STATEMENTS["name_now"], {"oid": oid})
        if table is not None:
            cursor.execute(SQL("DROP TRIGGER {} ON {}").format(trigger, named(table)))
            self._refuse_new_keys(cursor, revision, loss, table, key)
            touched = snapshot(cursor.connection).touched.get(oid, Touched())
            _refuse_fewer(cursor, loss, kept, getattr(touched, loss.kind) - getattr(before, loss.kind))
        cursor.execute(SQL("DROP FUNCTION {}").format(function))
        self._note(cursor, revision, loss, kept_as, key=key)

    def _refuse_new_keys(
        self, cursor: Cursor, revision: str, loss: Loss, table: str, key: tuple[str, ...]
    ) -> None:
        """Refuse to change the key of rows, which is what they are to be found by."""
        if loss.kind != "updated" or not set(key) <= {one.name for one in columns(cursor, table)}:
            return
        kept = Identifier(self._schema, _kept_name(revision, loss))
        matched = SQL(" AND ").join(
            SQL("own.{0}::text = kept.{0}::text").format(Identifier(part)) for part in key
        )
        places = [named(table)]
        deleted = _kept_name(revision, Loss("deleted", loss.table, None, 0, 0))
        if value(cursor, STATEMENTS["has_table"], {"schema": self._schema, "name": deleted}):
            places.append(Identifier(self._schema, deleted))
        absent = SQL(" AND ").join(
            SQL("NOT EXISTS (SELECT FROM {} AS own WHERE {})").format(place, matched) for place in places
        )
        if value(cursor, SQL("SELECT EXISTS (SELECT FROM {} AS kept WHERE {})").format(kept, absent)):
            raise RevisionError(
                f'revision {revision} changes the primary key of rows of "{loss.table}", by which they would '
                "be put back; nothing of it is done",
                hint="let downgrade() copy the rows and delete the old ones",
            )

    def _keep_sequences(self, cursor: Cursor, revision: str, used: Mapping[str, int]) -> None:
        for name, last in used.items():
            values = {"revision": revision, "kind": "sequence", "source": name, "column": None}
            rest = {"kept_as": None, "moved": False, "key": None, "rows": last, "checksum": None}
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


def _used_sequences(cursor: Cursor, observed: Observed) -> dict[str, int]:
    """Return the last number of each sequence that goes and gave one: it must not give it again."""
    cursor.execute(STATEMENTS["sequences"])
    last = dict(cursor.fetchall())
    return {name: last[name] for name in observed.sequences if name in last}


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
    if value(cursor, STATEMENTS["is_bound"], {"table": table}):
        return False
    return not any(column.needs_copy for column in columns(cursor, table))


def _refuse_fewer(cursor: Cursor, loss: Loss, kept: Identifier, touched: int) -> None:
    """Refuse where not every row was kept, as where a trigger did not fire."""
    found = int(value(cursor, SQL("SELECT count(*) FROM {}").format(kept)))
    if found != touched:
        raise RevisionError(
            f'{touched} rows of "{loss.table}" were {loss.kind} and {found} of them kept; the step is undone',
            hint="let downgrade() name the table itself that holds the rows",
        )


@contextmanager
def _as_statement(said: str) -> Iterator[None]:
    """Raise an error of ours as one of the statement that it stands for: waiting cures it alike."""
    try:
        yield
    except psycopg2.Error as error:
        raise sqlalchemy.exc.DBAPIError(said, None, error) from error


def _kept_name(revision: str, loss: Loss) -> str:
    """Return the name a loss is kept under, which says where it came from; long ones end in a hash."""
    how = loss.kind if loss.kind in {"deleted", "updated"} else ""
    said = [part for part in (*parts(loss.table), loss.column or "", how) if part]
    name = "__".join((f"r{revision}", *said))
    if len(name.encode()) <= _LONGEST_BYTES and not any("__" in f"_{part}_" for part in said):
        return name
    number = hashlib.sha256(repr((loss.table, loss.column, how)).encode()).hexdigest()[:8]
    return f"{name.encode()[: _LONGEST_BYTES - 10].decode(errors='ignore')}__{number}"


def _refuse_unplanned(step: Step, unplanned: Iterable[Gone]) -> None:
    for kind, table, column in sorted(unplanned, key=str):
        what = f"{table}.{column}" if column else table
        how = {"table": "dropped", "column": "dropped"}.get(kind, kind)
        raise RevisionError(
            f'{step} would have "{what}" {how}, which it did not when it was planned; nothing of it is done',
            hint="plan again",
        )
