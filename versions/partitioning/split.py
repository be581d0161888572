"""Split the partition with the old rows: copied beside, kept in step by a trigger, swapped at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, TableError
from spotify_ai_agent_migrations.versions.partitioning import facts, incoming
from spotify_ai_agent_migrations.versions.partitioning.convert import lock_in_order
from spotify_ai_agent_migrations.versions.partitioning.facts import Table
from spotify_ai_agent_migrations.versions.partitioning.periods import Period, literal, moment_of
from spotify_ai_agent_migrations.versions.partitioning.plan import New, Partition, cut
from spotify_ai_agent_migrations.versions.partitioning.premake import like_its_neighbours
from spotify_ai_agent_migrations.versions.partitioning.session import Session, said

_MIRROR: Final = "_split_mirror"
# Each takes some three milliseconds of the swap, for which everybody waits.
_MOST: Final = 120


@dataclass(frozen=True)
class Pace:
    """How much is copied at a time, and how long to rest in between."""

    blocks: int = 100
    pause_s: float = 0.0


def split_rows(session: Session, table: Table, period: Period, now: datetime, pace: Pace) -> tuple[str, ...]:
    """Split the first partition of *table* into periods; return their names, none if there is no such one.

    No row is out of sight at any instant, and none waits but for one swap of some milliseconds. Killed
    anywhere, the same call goes on. The old partition stays as a table of its own, dropped after a while.

    Raises:
        TableError: it still takes rows, or would make more partitions than a planner likes.
        DatabaseError: the copy differs from the rows; it is left as it is, and nothing was swapped.
    """
    legacy = next((one for one in facts.partitions(session, table) if one.plain == table.legacy), None)
    if legacy is None:
        _finish(session, table)
        return ()
    if not _is_begun(session, table):
        abort_split(session, table)
        months = _months(session, table, legacy, period, now)
        _refuse_obstacles(session, table, months)
        _begin(session, table, legacy, months)
    else:
        # What was begun goes on as it was begun, whatever the oldest row is by now.
        months = _begun(session, table, legacy)
    _copy(session, table, legacy, pace)
    _verify(session, table, legacy)
    session.note(f"swapping {legacy.name}")
    session.transaction(lambda: _swap(session, table, legacy, months))
    _finish(session, table)
    with session.patient():
        session.run(SQL("ANALYZE {}").format(table.identifier))
    return tuple(one.plain for one in months)


def _finish(session: Session, table: Table) -> None:
    """Take away what proved the bounds of the partitions, and validate what was made anew for the swap."""
    for schema, plain, name in session.ask("bound_checks", oid=table.oid):
        drop = SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(Identifier(schema, plain), Identifier(name))
        session.transaction(lambda drop=drop: session.run(drop))  # type: ignore[misc]
    incoming.validate(session, table.oid, table)


def abort_split(session: Session, table: Table) -> bool:
    """Take away what a split has begun; tell whether there was any."""
    if not facts.is_being_split(session, table):
        return False

    def work() -> None:
        for statement in (*_unmirror(session, table), SQL("DROP TABLE {}").format(_shadow(table))):
            session.run(statement)

    session.transaction(work)
    return True


def _is_begun(session: Session, table: Table) -> bool:
    """Tell whether everything is there that rows are copied to; its comment comes last."""
    return bool(session.value("comment_of", table=_shadow_text(session, table)))


def _begun(session: Session, table: Table, legacy: Partition) -> tuple[New, ...]:
    """Return the partitions of the shadow; the first is open to the past."""
    spans = [
        (one.plain, one.span.since or datetime.min, one.span.until)
        for one in facts.partitions(session, facts.table(session, _shadow_text(session, table)))
    ]
    months = tuple(New(plain, since, until) for plain, since, until in spans if until is not None)
    if not months or months[-1].until != legacy.span.until:
        raise TableError(
            f'the split of "{table.name}" that was begun is one of other rows than "{legacy.name}" has',
            hint="agentdb partitioning split --abort, and begin anew",
        )
    return months


def _refuse_obstacles(session: Session, table: Table, months: Sequence[New]) -> None:
    """Refuse what would fail at the end, or send every row a second time."""
    found = [
        f'"{month.plain}" is there: rename it'
        for month in months
        if session.value("oid_of", table=session.text(table.beside(month.plain))) is not None
    ]
    found += [
        f'publication "{name}" sends every table, and so the copy: publish the tables by name'
        for (name,) in session.ask("published_whole", oid=table.oid)
    ]
    if found:
        raise TableError(
            f'table "{table.name}" cannot be split as it is: {"; ".join(found)}',
            hint="mend each of them, and run it again; nothing was changed",
        )


def _shadow(table: Table) -> Identifier:
    return table.beside(table.shadow)


def _shadow_text(session: Session, table: Table) -> str:
    return session.text(_shadow(table))


def _months(
    session: Session, table: Table, legacy: Partition, period: Period, now: datetime
) -> tuple[New, ...]:
    """Return the periods from the oldest row to the end of the partition; the first is open to the past."""
    until = legacy.span.until
    if until is None or until > now:
        raise TableError(
            f'partition "{legacy.name}" takes rows until {until:%Y-%m-%d}' if until else "it has no end",
            hint="split it when that is over",
        )
    least = "-infinity" if table.kind in {"timestamptz", "timestamp", "date"} else _least(table)
    search = SQL("SELECT {key}::text FROM {table} WHERE {key} > {least} ORDER BY {key} LIMIT 1").format(
        key=Identifier(table.key), table=Identifier(legacy.schema, legacy.plain), least=Literal(least)
    )
    with session.patient():
        oldest = session.value(search)
    since = period.start_of(_moment(table, legacy, oldest)) if oldest else period.before(until)
    months = tuple(cut(period, table.plain, since, until))
    if len(months) > _MOST:
        raise TableError(
            f'"{legacy.name}" would be {len(months)} partitions, the oldest row being of {since:%Y-%m-%d}',
            hint=f"mend or move the oldest rows, or choose a longer period; {_MOST} are the most",
        )
    return months


def _moment(table: Table, legacy: Partition, oldest: str) -> datetime:
    try:
        return moment_of(table.kind, oldest.partition(".")[0])
    except (ValueError, OverflowError) as error:
        raise TableError(
            f'the oldest row of "{legacy.name}" is of no month that can be named', hint="mend or move it"
        ) from error


def _least(table: Table) -> str:
    return "-1" if table.kind == "bigint" else "00000000-0000-0000-0000-000000000000"


def _begin(session: Session, table: Table, legacy: Partition, months: Sequence[New]) -> None:
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
    shadow = _shadow(table)
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
    session.run(_progress(table, 0, 0))


def _strip(session: Session, relation: Identifier) -> None:
    """Take back what default privileges gave: past the table, nobody but its owner reads the rows."""
    oid = session.value("oid_of", table=session.text(relation))
    for _, statement in session.ask("strip", oid=oid):
        session.run(statement)


def _month(table: Table, month: New, *, first: bool, options: str) -> Iterator[Composable]:
    partition = table.beside(month.plain)
    since, until = literal(table.kind, month.since), literal(table.kind, month.until)
    low = SQL("MINVALUE") if first else Literal(since)
    yield said("create_partition", partition=partition, table=_shadow(table), options=SQL(options))
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
        Identifier(_bound_check(month)),
        proved.format(key=Identifier(table.key), since=Literal(since), until=Literal(until)),
    )
    yield said("attach", table=_shadow(table), partition=partition, since=low, until=Literal(until))


def _bound_check(month: New) -> str:
    return f"{month.plain}_bound_check"


def _mirror(session: Session, table: Table, routine: Identifier) -> Composable:
    columns = [str(name) for (name,) in session.ask("stored_columns", oid=table.oid)]
    others = [name for name in columns if name not in table.primary_columns]
    update = SQL("DO UPDATE SET {}").format(
        SQL(", ").join(SQL("{0} = EXCLUDED.{0}").format(Identifier(name)) for name in others)
    )
    body = said(
        "mirror_body",
        shadow=_shadow(table),
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


def _unmirror(session: Session, table: Table) -> Iterator[Composable]:
    """Yield what takes away the trigger that keeps the copy in step, wherever it is."""
    for schema, plain, name in session.ask("mirrors", schema=table.schema, routine=table.plain + _MIRROR):
        yield SQL("DROP TRIGGER {} ON {}").format(Identifier(name), Identifier(schema, plain))
    yield SQL("DROP FUNCTION IF EXISTS {}()").format(table.beside(table.plain + _MIRROR))


def _progress(table: Table, file: int, block: int) -> Composable:
    return SQL("COMMENT ON TABLE {} IS {}").format(_shadow(table), Literal(f"{facts.COPY} {file} {block}"))


def _copy(session: Session, table: Table, legacy: Partition, pace: Pace) -> None:
    """Copy block by block whatever was there when the trigger came; where it stands is in a comment.

    A row that is changed meanwhile is the trigger's. FOR SHARE: a row that is deleted while it is copied
    would come back. A table that was written anew is begun anew.
    """
    columns = [str(name) for (name,) in session.ask("stored_columns", oid=table.oid)]
    spoken = SQL(", ").join(map(Identifier, columns))
    while True:
        file, blocks, comment = session.ask(
            "copy_state", oid=legacy.oid, shadow=_shadow_text(session, table)
        )[0]
        found = str(comment or "").split()[-2:]
        block = int(found[1]) if found and found[0] == str(file) else 0
        if block > blocks:
            return
        batch = said(
            "copy_blocks",
            shadow=_shadow(table),
            legacy=Identifier(legacy.schema, legacy.plain),
            columns=spoken,
            since=Literal(f"({block},0)"),
            until=Literal(f"({block + pace.blocks},0)"),
        )

        def work(batch: Composable = batch, after: int = block + pace.blocks, file: int = file) -> None:
            session.run(batch)
            session.run(_progress(table, file, after))

        session.transaction(work)
        session.note(f"copied {min(block + pace.blocks, blocks)} of {blocks} blocks of {legacy.plain}")
        time.sleep(pace.pause_s)


def _verify(session: Session, table: Table, legacy: Partition) -> None:
    """Compare the copy with the rows, as of one instant."""
    columns = [str(name) for (name,) in session.ask("stored_columns", oid=table.oid)]
    spoken = SQL(", ").join(map(Identifier, columns))
    with session.patient():
        found = session.ask(
            said(
                "compare",
                one=Identifier(legacy.schema, legacy.plain),
                other=_shadow(table),
                columns=spoken,
            )
        )
    if found[0] != found[1]:
        raise DatabaseError(
            f'the copy of "{legacy.name}" differs from it: {found[0][0]} rows, and {found[1][0]} in the copy',
            hint="agentdb partitioning split --abort, and begin anew; nothing was swapped",
        )


def _swap(session: Session, table: Table, legacy: Partition, months: Sequence[New]) -> None:
    links = facts.incoming(session, table.oid)
    lock_in_order(session, table, links)
    old = Identifier(legacy.schema, legacy.plain)
    every: list[str | Composable] = [
        "SET CONSTRAINTS ALL IMMEDIATE",
        *incoming.drop_statements(links),
        *_unmirror(session, table),
        SQL("ALTER TABLE {} DETACH PARTITION {}").format(table.identifier, old),
        SQL("COMMENT ON TABLE {} IS {}").format(
            old, Literal(f"{facts.COPY}: {table.name} before its split; its rows are in the partitions")
        ),
    ]
    for place, month in enumerate(months):
        partition = table.beside(month.plain)
        since = SQL("MINVALUE") if place == 0 else Literal(literal(table.kind, month.since))
        until = Literal(literal(table.kind, month.until))
        every += [
            SQL("ALTER TABLE {} DETACH PARTITION {}").format(_shadow(table), partition),
            said("attach", table=table.identifier, partition=partition, since=since, until=until),
        ]
    every += [SQL("DROP TABLE {}").format(_shadow(table)), *incoming.renewed_statements(links)]
    for statement in every:
        session.run(statement)
