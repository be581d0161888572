"""Give the new columns the names of the old ones in one transaction, and drop the old ones in another."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.conversion import kept_in_step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.dragging import (
    Check,
    Counter,
    Dragged,
    Reference,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.server_names import not_null_name
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import written


def contracted(session: Session, dragged: Dragged, *, whole: str | None = None) -> tuple[Step, ...]:
    """Return the steps that put the new columns in the place of the old ones.

    A foreign key of an old column goes first: once the column is written no longer, it would act on what was.
    *whole* is the type that sequences behind a default get, None leaves them.
    """
    return (
        *(_released(session, dragged, one) for one in dragged.references),
        _swapped(session, dragged, whole),
        _dropped(session, dragged),
    )


def _released(session: Session, dragged: Dragged, one: Reference) -> Step:
    return Step(
        name=f'drop the foreign key "{one.name}" of the old column',
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=(
            written(
                session,
                "ALTER TABLE {table} DROP CONSTRAINT {name}",
                table=SQL(dragged.table.name),
                name=one.name,
            ),
        ),
        locks=tuple(Lock(name) for name in dict.fromkeys((dragged.table.name, one.referred))),
        plain=(),
        final=True,
    )


def _swapped(session: Session, dragged: Dragged, whole: str | None) -> Step:
    table = dragged.table
    sequences = tuple(
        Lock(session.text(Identifier(one.schema, one.name)), "SHARE ROW EXCLUSIVE")
        for one in dragged.sequences
    )
    statements = (
        *dragged.carried.drop,
        *kept_in_step(session, dragged).drop,
        *_identities(session, dragged),
        *_bared(session, dragged),
        *_renamed(session, dragged),
        *_named(session, dragged),
        *_owned(session, dragged, whole),
        *_granted(session, dragged),
        *_commented(session, dragged),
        *dragged.carried.create,
    )
    return Step(
        name="give the new column the name of the old one",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=statements,
        locks=(Lock(table.name), *map(Lock, dragged.carried.views), *sequences),
        plain=(),
        final=True,
    )


def _dropped(session: Session, dragged: Dragged) -> Step:
    gone = SQL(", ").join(SQL("DROP COLUMN {}").format(Identifier(one.old)) for one in dragged.columns)
    return Step(
        name="drop the old column",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=(written(session, "ALTER TABLE {table} {gone}", table=SQL(dragged.table.name), gone=gone),),
        locks=(Lock(dragged.table.name),),
        plain=(),
        final=True,
    )


def _identities(session: Session, dragged: Dragged) -> Iterator[str]:
    """Give the new column an identity that goes on where the old one's has come to, under the same name."""
    for one in dragged.sequences:
        if one.identity:
            yield from _identity(session, dragged, one)


def _identity(session: Session, dragged: Dragged, one: Counter) -> Iterator[str]:
    new = fitted(one.name, "new")
    parts: dict[str, str | Composable] = {
        "table": SQL(dragged.table.name),
        "shadow": dragged.named(one.column),
        "column": one.column,
        "was": Identifier(one.schema, one.name),
        "new": Identifier(one.schema, new),
        "called": Literal(session.text(Identifier(one.schema, new))),
        "name": one.name,
        "mode": SQL("ALWAYS" if one.mode == "a" else "BY DEFAULT"),
        "start": Literal(one.start),
        "step": Literal(one.step),
        "cache": Literal(one.cache),
        "least": SQL("" if one.least is None else f" MINVALUE {one.least}"),
        "most": SQL("" if one.most is None else f" MAXVALUE {one.most}"),
        "cycle": SQL(" CYCLE" if one.cycle else ""),
        "comment": Literal(one.comment),
    }
    # Changes nothing, but nobody takes a number meanwhile.
    yield written(session, "ALTER SEQUENCE {was} CACHE {cache}", **parts)
    yield written(
        session,
        "ALTER TABLE {table} ALTER COLUMN {shadow} ADD GENERATED {mode} AS IDENTITY (SEQUENCE NAME {new}"
        " START WITH {start} INCREMENT BY {step}{least}{most} CACHE {cache}{cycle})",
        **parts,
    )
    yield written(
        session,
        "SELECT pg_catalog.setval({called}, was.last_value, was.is_called) FROM {was} AS was",
        **parts,
    )
    yield written(session, "ALTER TABLE {table} ALTER COLUMN {column} DROP IDENTITY", **parts)
    yield written(session, "ALTER SEQUENCE {new} RENAME TO {name}", **parts)
    if one.comment:
        yield written(session, "COMMENT ON SEQUENCE {was} IS {comment}", **parts)
    yield from one.grants


def _bared(session: Session, dragged: Dragged) -> Iterator[str]:
    """Take from the old columns what binds a row that no longer writes them."""
    table = SQL(dragged.table.name)
    for index in dragged.indexes:
        if index.stands:
            yield written(session, "ALTER TABLE {table} DROP CONSTRAINT {name}", table=table, name=index.name)
        else:
            yield written(session, "DROP INDEX {name}", name=dragged.table.beside(index.name))
    for check in dragged.checks:
        if check.kind == "c":
            yield written(session, "ALTER TABLE {table} DROP CONSTRAINT {name}", table=table, name=check.name)
    for one in dragged.statistics:
        yield f"DROP STATISTICS {one.called}"
    for column in dragged.columns:
        old = dragged.table.column(column.name)
        if old.not_null:
            yield written(
                session,
                "ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL",
                table=table,
                name=column.name,
            )
        if old.default is not None:
            yield written(
                session, "ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT", table=table, name=column.name
            )


def _renamed(session: Session, dragged: Dragged) -> Iterator[str]:
    rename = "ALTER TABLE {table} RENAME COLUMN {name} TO {new}"
    table = SQL(dragged.table.name)
    for column in dragged.columns:
        yield written(session, rename, table=table, name=column.name, new=column.old)
        yield written(session, rename, table=table, name=column.shadow, new=column.name)


def _named(session: Session, dragged: Dragged) -> Iterator[str]:
    """Give keys, indexes, constraints and statistics objects their names."""
    table = SQL(dragged.table.name)
    for index in dragged.indexes:
        parts: dict[str, str | Composable] = {
            "table": table,
            "name": index.name,
            "new": index.new,
            "there": dragged.table.beside(index.name),
            "built": dragged.table.beside(index.new),
            "kind": SQL("PRIMARY KEY" if index.stands == "p" else "UNIQUE"),
            "deferred": SQL(index.deferred),
        }
        if index.stands:
            text = "ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {new}{deferred}"
            yield written(session, text, **parts)
        else:
            yield written(session, "ALTER INDEX {built} RENAME TO {name}", **parts)
        if index.replica:
            yield written(session, "ALTER TABLE {table} REPLICA IDENTITY USING INDEX {name}", **parts)
        if index.clustered:
            yield written(session, "ALTER TABLE {table} CLUSTER ON {name}", **parts)
    for old, new in _constraints(session, dragged):
        yield written(
            session, "ALTER TABLE {table} RENAME CONSTRAINT {new} TO {old}", table=table, new=new, old=old
        )
    for one in dragged.statistics:
        called = Identifier(one.schema, one.new)
        yield written(
            session, "ALTER STATISTICS {called} OWNER TO {owner}", called=called, owner=SQL(one.owner)
        )
        yield written(session, "ALTER STATISTICS {called} RENAME TO {name}", called=called, name=one.name)


def _constraints(session: Session, dragged: Dragged) -> Iterator[tuple[str, str]]:
    """The old name and the new one of each constraint that is renamed."""
    for check in dragged.checks:
        if check.kind == "c":
            yield check.name, check.new
    for one in dragged.references:
        yield one.name, one.new
    for check in dragged.checks:
        column = next((mark.name for mark in dragged.marks if mark.number in check.numbers), None)
        if check.kind == "n" and column is not None:
            yield check.name, not_null_name(session, dragged.table, dragged.named(column))


def _owned(session: Session, dragged: Dragged, whole: str | None) -> Iterator[str]:
    """Let defaults and the sequences behind them go on."""
    table = SQL(dragged.table.name)
    for column in dragged.columns:
        if column.default is not None and not dragged.table.column(column.name).identity:
            yield written(
                session,
                "ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {value}",
                table=table,
                name=column.name,
                value=SQL(column.default),
            )
    for one in dragged.sequences:
        if not one.identity:
            called = Identifier(one.schema, one.name)
            yield written(
                session,
                "ALTER SEQUENCE {called} OWNED BY {table}.{name}",
                called=called,
                table=table,
                name=one.column,
            )
            if whole:
                yield written(session, "ALTER SEQUENCE {called} AS {whole}", called=called, whole=SQL(whole))


def _granted(session: Session, dragged: Dragged) -> Iterator[str]:
    for name, before, after in dragged.grants:
        yield f"{before}{written(session, '{name}', name=name)}{after}"


def _commented(session: Session, dragged: Dragged) -> Iterator[str]:
    table = SQL(dragged.table.name)
    on_constraint = "COMMENT ON CONSTRAINT {name} ON {table} IS {said}"
    for mark in dragged.marks:
        if mark.comment:
            text = "COMMENT ON COLUMN {table}.{name} IS {said}"
            yield written(session, text, table=table, name=mark.name, said=Literal(mark.comment))
    for index in dragged.indexes:
        if index.comment:
            name = dragged.table.beside(index.name)
            yield written(
                session, "COMMENT ON INDEX {name} IS {said}", name=name, said=Literal(index.comment)
            )
        if index.key_comment:
            yield written(
                session, on_constraint, name=index.name, table=table, said=Literal(index.key_comment)
            )
    named: tuple[Check | Reference, ...] = (*dragged.checks, *dragged.references)
    for one in named:
        if one.comment:
            yield written(session, on_constraint, name=one.name, table=table, said=Literal(one.comment))
    for object_ in dragged.statistics:
        if object_.comment:
            name = Identifier(object_.schema, object_.name)
            said = Literal(object_.comment)
            yield written(session, "COMMENT ON STATISTICS {name} IS {said}", name=name, said=said)
