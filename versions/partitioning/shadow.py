"""The copy beside the old rows that a split makes: a second partitioned table, kept in step by a trigger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import facts
from spotify_ai_agent_migrations.versions.partitioning.facts import Table
from spotify_ai_agent_migrations.versions.partitioning.periods import literal
from spotify_ai_agent_migrations.versions.partitioning.plan import New, Partition
from spotify_ai_agent_migrations.versions.partitioning.premake import like_its_neighbours
from spotify_ai_agent_migrations.versions.partitioning.session import Session, Written, said

_MIRROR: Final = "_split_mirror"
_TRIGGERS: Final = ("split_mirror", "split_mirror_truncate")


def shadow_of(table: Table) -> Identifier:
    """Return the name of the copy."""
    return table.beside(table.shadow)


def shadow_text(session: Session, table: Table) -> str:
    """Return the name of the copy, as SQL writes it."""
    return session.text(shadow_of(table))


def is_begun(session: Session, table: Table) -> bool:
    """Tell whether everything is there that rows are copied to; its comment comes last."""
    return bool(session.value("comment_of", table=shadow_text(session, table)))


def begun(session: Session, table: Table, legacy: Partition) -> tuple[New, ...]:
    """Return the partitions of the shadow; the first is open to the past."""
    spans = [
        (one.plain, one.span.since or datetime.min, one.span.until)
        for one in facts.partitions(session, facts.table(session, shadow_text(session, table)))
    ]
    months = tuple(New(plain, since, until) for plain, since, until in spans if until is not None)
    if not months or months[-1].until != legacy.span.until:
        raise TableError(
            f'the split of "{table.name}" that was begun is one of other rows than "{legacy.name}" has',
            hint="agentdb partitioning split --abort, and begin anew",
        )
    return months


def begin(session: Session, table: Table, legacy: Partition, months: Sequence[New]) -> None:
    """Make the shadow, its partitions and the trigger that keeps it in step; the comment of the shadow last.

    Each partition in a transaction of its own: the more there are, the longer the locks would be held that
    foreign keys take on the tables they refer to.
    """
    options = session.value("storage", oid=legacy.oid) or ""
    session.transaction(lambda: _make_shadow(session, table))
    for place, month in enumerate(months):
        every = [
            *_month(table, month, first=place == 0, options=options),
            *like_its_neighbours(session, table.beside(month.plain), table.oid, legacy.oid),
        ]
        session.transaction(
            lambda month=month, every=every: _make(session, table.beside(month.plain), every)  # type: ignore[misc]
        )
    session.transaction(lambda: _begin_mirror(session, table, legacy))


def _make_shadow(session: Session, table: Table) -> None:
    shadow = shadow_of(table)
    every: list[str | Composable] = [
        said("create_shadow", shadow=shadow, table=table.identifier, key=Identifier(table.key)),
        SQL("ALTER TABLE {} OWNER TO {}").format(shadow, SQL(table.owner)),
        *(text for text, _ in session.ask("outgoing_to", oid=table.oid, target=table.shadow)),
    ]
    _make(session, shadow, every)


def _make(session: Session, relation: Identifier, every: Sequence[str | Composable]) -> None:
    for statement in every:
        session.run(statement)
    _strip(session, relation)


def _begin_mirror(session: Session, table: Table, legacy: Partition) -> None:
    routine = table.beside(table.plain + _MIRROR)
    session.make_routine(_mirror(session, table, routine), routine, table.owner)
    for statement in _mirror_triggers(routine, Identifier(legacy.schema, legacy.plain)):
        session.run(statement)
    session.run(progress(table, 0, 0))


def _strip(session: Session, relation: Identifier) -> None:
    """Take back what default privileges gave: past the table, nobody but its owner reads the rows."""
    oid = session.value("oid_of", table=session.text(relation))
    for _, statement in session.ask("strip", oid=oid):
        session.run(statement)


def _month(table: Table, month: New, *, first: bool, options: str) -> Iterator[Composable]:
    partition = table.beside(month.plain)
    since, until = literal(table.kind, month.since), literal(table.kind, month.until)
    low = SQL("MINVALUE") if first else Literal(since)
    yield said("create_partition", partition=partition, table=shadow_of(table), options=SQL(options))
    yield SQL("ALTER TABLE {} OWNER TO {}").format(partition, SQL(table.owner))
    yield SQL("COMMENT ON TABLE {} IS {}").format(
        partition, Literal(f"{facts.MARK}: {table.name} from {'the first' if first else since} to {until}")
    )
    # The same as its bounds: attached to the table, it need not be read for them.
    proved = (
        SQL("{key} IS NOT NULL AND {key} < {until}")
        if first
        else SQL("{key} IS NOT NULL AND {key} >= {since} AND {key} < {until}")
    )
    yield SQL("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({})").format(
        partition,
        Identifier(bound_check(month)),
        proved.format(key=Identifier(table.key), since=Literal(since), until=Literal(until)),
    )
    yield said("attach", table=shadow_of(table), partition=partition, since=low, until=Literal(until))


def bound_check(month: New) -> str:
    """Return the name of the check that proves the bounds of a partition."""
    return f"{month.plain}_bound_check"


def _mirror(session: Session, table: Table, routine: Identifier) -> Composable:
    columns = [str(name) for (name,) in session.ask("stored_columns", oid=table.oid)]
    others = [name for name in columns if name not in table.primary_columns]
    update = SQL("DO UPDATE SET {}").format(
        SQL(", ").join(SQL("{0} = EXCLUDED.{0}").format(Identifier(name)) for name in others)
    )
    body = said(
        "mirror_body",
        shadow=shadow_of(table),
        columns=SQL(", ").join(map(Identifier, columns)),
        values=SQL(", ").join(SQL("NEW.{}").format(Identifier(name)) for name in columns),
        key=SQL(", ").join(map(Identifier, table.primary_columns)),
        old=_row("OLD", table),
        new=_row("NEW", table),
        update=update if others else SQL("DO NOTHING"),
    )
    return said(
        "create_mirror",
        routine=routine,
        schema=Identifier(table.schema),
        body=Literal(session.text(body)),
    )


def _mirror_triggers(routine: Identifier, legacy: Identifier) -> Iterator[Composable]:
    for name in ("create_mirror_trigger", "create_mirror_truncate"):
        yield said(name, routine=routine, legacy=legacy)
    # Whoever replicates rows into the table fires no other triggers.
    yield SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER split_mirror").format(legacy)
    yield SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER split_mirror_truncate").format(legacy)


def _row(name: str, table: Table) -> Composable:
    return SQL(", ").join(
        SQL("{}.{}").format(SQL(name), Identifier(column)) for column in table.primary_columns
    )


def unmirror(session: Session, table: Table, legacy: Identifier) -> Iterator[Composable]:
    """Yield what takes away the triggers that keep the copy in step, wherever they are.

    As it is written down they are nowhere yet, and will be on *legacy*.
    """
    if isinstance(session, Written):
        found = [(legacy, name) for name in _TRIGGERS]
    else:
        mirrors = session.ask("mirrors", schema=table.schema, routine=table.plain + _MIRROR)
        found = [(Identifier(schema, plain), name) for schema, plain, name in mirrors]
    for relation, name in found:
        yield SQL("DROP TRIGGER {} ON {}").format(Identifier(name), relation)
    yield SQL("DROP FUNCTION IF EXISTS {}()").format(table.beside(table.plain + _MIRROR))


def progress(table: Table, file: int, block: int) -> Composable:
    """Return what writes down how many blocks of which file are copied."""
    return SQL("COMMENT ON TABLE {} IS {}").format(shadow_of(table), Literal(f"{facts.COPY} {file} {block}"))
