"""Give columns of a table another form: new ones beside the old, in step with them, which go at the end."""

from __future__ import annotations

from dataclasses import replace

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration import reshaping_proofs as proofs
from spotify_ai_agent_migrations.versions.zero_downtime_migration import rights_and_comments
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import not_null_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.shape import NewColumn, Shape, listed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.two_way_sync import (
    Direction,
    Sync,
    two_way,
)


def steps(session: Session, table: Table, shape: Shape) -> tuple[Step, ...]:
    """Return the steps from the new columns, empty, to the end of the old ones."""
    return (
        _added(session, table, shape),
        _filled(session, table, shape),
        proofs.of_filling(session, table, shape),
        *(() if shape.lossy else (proofs.of_values(session, table, shape),)),
        *_required(session, table, shape),
        proofs.of_dependents(session, table, shape),
        _dropped(session, table, shape),
    )


def _added(session: Session, table: Table, shape: Shape) -> Step:
    def each(form: str, column: NewColumn) -> Composable:
        return SQL(form).format(
            Identifier(column.name), SQL(" ".join((column.type, column.references)).strip())
        )

    alter = SQL("ALTER TABLE {} {}")
    added = alter.format(SQL(table.name), SQL(", ").join(each("ADD COLUMN {} {}", one) for one in shape.new))
    dropped = alter.format(
        SQL(table.name),
        SQL(", ").join(SQL("DROP COLUMN IF EXISTS {}").format(Identifier(one.name)) for one in shape.new),
    )
    old = [name for name, _ in shape.old]
    granted = (
        grant
        for one in shape.new
        for grant in rights_and_comments.column_grants(session, table, old, one.name)
    )
    sync = _sync(session, table, shape)
    return Step(
        name=f"add {listed([one.name for one in shape.new])}, kept in step",
        phase=Phase.START,
        kind=Kind.BRIEF,
        sql=(session.text(added), *granted, *sync.create),
        locks=(Lock(table.name), *shape.beside),
        undo=(*sync.drop, session.text(dropped)),
        plain=(session.text(added), *granted),
    )


def _sync(session: Session, table: Table, shape: Shape) -> Sync:
    new = tuple((column.name, column.value) for column in shape.new)
    up = Direction(tuple(name for name, _ in shape.old), new)
    return two_way(session, table, shape.called, up, Direction(tuple(name for name, _ in new), shape.old))


def _filled(session: Session, table: Table, shape: Shape) -> Step:
    """Return the step that fills: the expressions are of a row called `new`, which an UPDATE has not."""
    values = tuple(
        (column.name, session.text(SQL("(SELECT {} FROM (SELECT t.*) AS new)").format(SQL(column.value))))
        for column in shape.new
    )
    due = session.text(proofs.missing("t", shape))
    update = SQL("UPDATE {} AS t SET {} WHERE {}").format(
        SQL(table.name),
        SQL(", ").join(SQL("{} = {}").format(Identifier(name), SQL(value)) for name, value in values),
        SQL(due),
    )
    return Step(
        name="fill the new columns",
        phase=Phase.BACKFILL,
        kind=Kind.FILL,
        fill=Fill(table.name, values, due),
        locks=(Lock(table.name, "ROW EXCLUSIVE"),),
        held="a batch at a time; only rows of it are locked",
        plain=(session.text(update),),
    )


def _required(session: Session, table: Table, shape: Shape) -> tuple[Step, ...]:
    """Return what makes new columns NOT NULL: not before they are filled, for no row keeps to it."""
    found = (
        replace(step, phase=Phase.VERIFY if step.phase is Phase.START else step.phase)
        for one in shape.new
        if one.not_null
        for step in not_null_steps(session, table, one.name)
    )
    # Nothing is asked of writers before it is known to hold.
    return tuple(sorted(found, key=lambda step: step.kind is not Kind.PROOF))


def _dropped(session: Session, table: Table, shape: Shape) -> Step:
    old = SQL(", ").join(SQL("DROP COLUMN {}").format(Identifier(name)) for name, _ in shape.old)
    drop = session.text(SQL("ALTER TABLE {} {}").format(SQL(table.name), old))
    return Step(
        name=f"drop {listed([name for name, _ in shape.old])}",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        # With the trigger: without it nothing would fill an old column that is NOT NULL.
        sql=(*_sync(session, table, shape).drop, drop, *shape.final),
        locks=(Lock(table.name),),
        plain=(drop, *shape.final),
        final=True,
    )
