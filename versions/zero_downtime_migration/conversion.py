"""Turn columns of a table into others beside them: the steps before the swap. Reads nothing, writes steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import validated
from spotify_ai_agent_migrations.versions.zero_downtime_migration.dragging import (
    Check,
    Dragged,
    Index,
    Reference,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import not_null_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.turning import Turned
from spotify_ai_agent_migrations.versions.zero_downtime_migration.two_way_sync import Direction, Sync, two_way
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import listed, written

ACTIONS: Final = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_READS: Final = "while it reads the table; others read and write meanwhile"


def kept_in_step(session: Session, dragged: Dragged) -> Sync:
    """Return the triggers that keep each column and its new form in step."""
    made = [
        two_way(
            session,
            dragged.table,
            f"{dragged.table.plain}_{one.name}_turn",
            up=Direction((one.name,), ((one.shadow, _read_from(session, one.up, one.name, one.name)),)),
            down=Direction((one.shadow,), ((one.name, _read_from(session, one.down, one.name, one.shadow)),)),
        )
        for one in dragged.columns
    ]
    return Sync(
        tuple(line for sync in made for line in sync.create),
        tuple(line for sync in made for line in sync.drop),
    )


def expanded(session: Session, dragged: Dragged) -> tuple[Step, ...]:
    """Return the steps that make the new columns what the old ones are, with all that hangs on them."""
    return (
        _added(session, dragged),
        *(_filled(session, dragged, one) for one in dragged.columns),
        *(_indexed(session, dragged, index) for index in dragged.indexes),
        *(_proved(session, dragged, one) for one in dragged.columns),
        *_not_null(session, dragged),
        *_checked(session, dragged),
        *_measured(session, dragged),
        *(step for one in dragged.references for step in _referred(session, dragged, one)),
    )


def _read_from(session: Session, expression: str | None, column: str, source: str) -> str:
    """The value of a translation, of NEW."""
    if expression is None:
        return written(session, "new.{source}", source=source)
    return written(
        session,
        "(SELECT {expression} FROM (SELECT new.{source} AS {column}) AS turned)",
        expression=SQL(expression),
        source=source,
        column=column,
    )


def _added(session: Session, dragged: Dragged) -> Step:
    table, sync = dragged.table, kept_in_step(session, dragged)
    clauses = SQL(", ").join(
        SQL("ADD COLUMN {} {}{}").format(
            Identifier(one.shadow),
            SQL(one.type),
            SQL(f" COLLATE {one.collation}" if one.collation else ""),
        )
        for one in dragged.columns
    )
    gone = SQL(", ").join(
        SQL("DROP COLUMN IF EXISTS {}").format(Identifier(one.shadow)) for one in dragged.columns
    )
    return Step(
        name="add the new column, in step with the old one both ways",
        phase=Phase.START,
        kind=Kind.BRIEF,
        sql=(
            written(session, "ALTER TABLE {table} {clauses}", table=SQL(table.name), clauses=clauses),
            *_set(session, dragged),
            # For who reads by the views of a revision that knows the new column.
            *(
                f"{before}{written(session, '{name}', name=dragged.named(name))}{after}"
                for name, before, after in dragged.grants
            ),
            *sync.create,
        ),
        locks=(Lock(table.name),),
        undo=(*sync.drop, written(session, "ALTER TABLE {table} {gone}", table=SQL(table.name), gone=gone)),
        plain=(),
    )


def _set(session: Session, dragged: Dragged) -> tuple[str, ...]:
    """Give the new columns what is set of the old ones beside their type."""
    wanted: list[Composable] = []
    for one, mark in zip(dragged.columns, dragged.marks, strict=True):
        column = Identifier(one.shadow)
        if mark.target is not None:
            wanted.append(SQL("ALTER COLUMN {} SET STATISTICS {}").format(column, Literal(mark.target)))
        if mark.options:
            wanted.append(SQL("ALTER COLUMN {} SET ({})").format(column, SQL(mark.options)))
        if one.storage:
            wanted.append(SQL("ALTER COLUMN {} SET STORAGE {}").format(column, SQL(one.storage)))
        if one.compression:
            wanted.append(SQL("ALTER COLUMN {} SET COMPRESSION {}").format(column, SQL(one.compression)))
    if not wanted:
        return ()
    return (
        written(
            session, "ALTER TABLE {table} {all}", table=SQL(dragged.table.name), all=SQL(", ").join(wanted)
        ),
    )


def _filled(session: Session, dragged: Dragged, one: Turned) -> Step:
    value = one.up or written(session, "{name}", name=one.name)
    due = written(session, "{new} IS NULL AND {old} IS NOT NULL", new=one.shadow, old=one.name)
    return Step(
        name=f'fill "{one.shadow}" from "{one.name}"',
        phase=Phase.BACKFILL,
        kind=Kind.FILL,
        fill=Fill(dragged.table.name, ((one.shadow, value),), due),
        locks=(Lock(dragged.table.name, "ROW EXCLUSIVE"),),
        held="a batch each",
        plain=(),
    )


def _indexed(session: Session, dragged: Dragged, index: Index) -> Step:
    new = dragged.table.beside(index.new)
    parts: dict[str, str | Composable] = {
        "unique": SQL("UNIQUE " if index.unique else ""),
        "new": index.new,
        "there": new,
        "table": SQL(dragged.table.name),
        "tail": SQL(dragged.trial.indexes[index.oid]),
        "space": Literal(index.tablespace),
        "name": Literal(session.text(new)),
        "called": Literal(dragged.table.name),
    }
    made = written(session, "CREATE {unique}INDEX CONCURRENTLY {new} ON {table} USING {tail}", **parts)
    placed = (
        (written(session, "SET default_tablespace = {space}", **parts), made, "RESET default_tablespace")
        if index.tablespace
        else (made,)
    )
    drop = (written(session, "DROP INDEX CONCURRENTLY IF EXISTS {there}", **parts),)
    return Step(
        name=f'build "{index.name}" on the new column',
        phase=Phase.BACKFILL,
        kind=Kind.ALONE,
        sql=placed,
        locks=(Lock(dragged.table.name, "SHARE UPDATE EXCLUSIVE"),),
        held=_READS,
        done=written(
            session,
            "SELECT coalesce((SELECT made.indisvalid FROM pg_catalog.pg_index AS made"
            " WHERE made.indexrelid = pg_catalog.to_regclass({name})"
            " AND made.indrelid = pg_catalog.to_regclass({called})), false)",
            **parts,
        ),
        sweep=session.asked("index_litter", table=dragged.table.name, name=index.new, itself=True),
        undo=drop,
        plain=(),
    )


def _proved(session: Session, dragged: Dragged, one: Turned) -> Step:
    """Look for rows whose two forms neither translation explains."""
    parts: dict[str, str | Composable] = {
        "table": SQL(dragged.table.name),
        "old": one.name,
        "new": one.shadow,
        "up": SQL(one.up or written(session, "{name}", name=one.name)),
        "down": SQL(one.down or written(session, "{name}", name=one.name)),
        "type": SQL(one.type),
        "was": SQL(dragged.table.column(one.name).type),
    }
    return Step(
        name=f'prove that "{one.shadow}" says what "{one.name}" says',
        phase=Phase.VERIFY,
        kind=Kind.PROOF,
        sql=(
            written(
                session,
                "SELECT count(*) FROM {table} AS t WHERE CASE"
                " WHEN pg_catalog.record_image_eq(ROW(CAST({up} AS {type})), ROW({new})) THEN false"
                " ELSE pg_catalog.record_image_ne(ROW({old}), ROW(("
                "SELECT CAST({down} AS {was}) FROM (SELECT t.{new} AS {old}) AS turned))) END"
                " HAVING count(*) > 0",
                **parts,
            ),
        ),
        locks=(Lock(dragged.table.name, "ACCESS SHARE"),),
        held=_READS,
        plain=(),
        failure=f'{{first}} rows of "{dragged.table.name}" differ between "{one.name}" and "{one.shadow}"',
        hint="abort it; a trigger that is fired later may write the column, or the translations do not fit",
    )


def _not_null(session: Session, dragged: Dragged) -> tuple[Step, ...]:
    """NOT NULL for the new columns whose old ones are; all of it is taken back with the column."""
    return tuple(
        replace(step, phase=Phase.VERIFY, final=False, plain=())
        for one in dragged.columns
        if dragged.table.column(one.name).not_null
        for step in not_null_steps(session, dragged.table, one.shadow)
    )


def _checked(session: Session, dragged: Dragged) -> tuple[Step, ...]:
    checks = [check for check in dragged.checks if check.kind == "c"]
    return tuple(step for check in checks for step in _check(session, dragged, check))


def _check(session: Session, dragged: Dragged, check: Check) -> tuple[Step, ...]:
    definition = dragged.trial.checks[check.name]
    valid = check.valid and not definition.endswith("NOT ENFORCED")
    added = definition if definition.endswith("NOT ENFORCED") else f"{definition} NOT VALID"
    parts: dict[str, str | Composable] = {
        "table": SQL(dragged.table.name),
        "new": check.new,
        "as": SQL(added),
    }
    step = Step(
        name=f'add the check "{check.name}" of the new column, not valid',
        phase=Phase.VERIFY,
        kind=Kind.BRIEF,
        sql=(written(session, "ALTER TABLE {table} ADD CONSTRAINT {new} {as}", **parts),),
        locks=(Lock(dragged.table.name),),
        undo=(written(session, "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {new}", **parts),),
        plain=(),
    )
    return (step, _validated(session, dragged, check.name, check.new)) if valid else (step,)


def _validated(session: Session, dragged: Dragged, name: str, new: str, *others: Lock) -> Step:
    step = validated(session, dragged.table.name, new, others=others)
    return replace(step, name=f'validate "{name}" of the new column')


def _measured(session: Session, dragged: Dragged) -> tuple[Step, ...]:
    """Statistics objects on the new columns, and the statistics themselves, before the names change."""
    table, made, gone = dragged.table, [], []
    for one in dragged.statistics:
        called = Identifier(one.schema, one.new)
        parts: dict[str, str | Composable] = {
            "called": called,
            "body": SQL(dragged.trial.statistics[one.oid]),
            "table": SQL(table.name),
        }
        made.append(written(session, "CREATE STATISTICS {called}{body} FROM {table}", **parts))
        if one.target is not None:
            made.append(
                written(
                    session, "ALTER STATISTICS {called} SET STATISTICS {n}", called=called, n=SQL(one.target)
                )
            )
        gone.append(written(session, "DROP STATISTICS IF EXISTS {called}", called=called))
    objects = Step(
        name="make the statistics objects of the new column",
        phase=Phase.VERIFY,
        kind=Kind.BRIEF,
        sql=tuple(made),
        locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
        undo=tuple(gone),
        plain=(),
    )
    analyzed = Step(
        name="gather the statistics of the new column",
        phase=Phase.VERIFY,
        kind=Kind.ALONE,
        sql=(f"ANALYZE {table.name}",),
        locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
        held=_READS,
        plain=(),
    )
    return (objects, analyzed) if made else (analyzed,)


def _referred(session: Session, dragged: Dragged, one: Reference) -> tuple[Step, ...]:
    table = dragged.table
    there = dragged.elsewhere.get(one.referred, {})
    match = " MATCH FULL" if one.match == "f" else ""
    emptied = (
        SQL(" ({})").format(listed([dragged.named(name) for name in one.emptied])) if one.emptied else SQL("")
    )
    parts: dict[str, str | Composable] = {
        "table": SQL(table.name),
        "new": one.new,
        "columns": listed([dragged.named(name) for name in one.columns]),
        "referred": SQL(one.referred),
        "theirs": listed([there.get(name, name) for name in one.referred_columns]),
        "rest": SQL(f"{match} ON UPDATE {ACTIONS[one.on_update]} ON DELETE {ACTIONS[one.on_delete]}"),
        "emptied": emptied,
        "deferred": SQL(one.deferred),
    }
    both = tuple(Lock(name, "SHARE ROW EXCLUSIVE") for name in dict.fromkeys((table.name, one.referred)))
    added = Step(
        name=f'add the foreign key "{one.name}" of the new column, not valid',
        phase=Phase.VERIFY,
        kind=Kind.BRIEF,
        sql=(
            written(
                session,
                "ALTER TABLE {table} ADD CONSTRAINT {new} FOREIGN KEY ({columns})"
                " REFERENCES {referred} ({theirs}){rest}{emptied}{deferred} NOT VALID",
                **parts,
            ),
        ),
        locks=both,
        undo=(written(session, "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {new}", **parts),),
        plain=(),
    )
    if not one.valid:
        return (added,)
    return (added, _validated(session, dragged, one.name, one.new, Lock(one.referred, "ROW SHARE")))
