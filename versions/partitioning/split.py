"""Split the partition with the old rows: copied beside, kept in step by a trigger, swapped at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
from spotify_ai_agent_migrations.versions.partitioning.session import Session, Written, said
from spotify_ai_agent_migrations.versions.partitioning.shadow import (
    begin,
    begun,
    bound_check,
    is_begun,
    progress,
    shadow_of,
    shadow_text,
    unmirror,
)

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
    if not is_begun(session, table):
        abort_split(session, table)
        months = _months(session, table, legacy, period, now)
        _refuse_obstacles(session, table, months)
        begin(session, table, legacy, months)
    else:
        # What was begun goes on as it was begun, whatever the oldest row is by now.
        months = begun(session, table, legacy)
    if isinstance(session, Written):
        return _write_rest(session, table, legacy, months, pace)
    _refuse_changed(session, table)
    _copy(session, table, legacy, pace)
    _refuse_changed(session, table)
    _verify(session, table, legacy)
    session.note(f"swapping {legacy.name}")
    session.transaction(lambda: _swap(session, table, legacy, months))
    _finish(session, table)
    return tuple(one.plain for one in months)


def _write_rest(
    session: Session, table: Table, legacy: Partition, months: Sequence[New], pace: Pace
) -> tuple[str, ...]:
    """Write down what comes after the copy was made: there is none yet that could be looked at."""
    file, blocks, _ = session.ask("copy_state", oid=legacy.oid, shadow=shadow_text(session, table))[0]
    for block in range(0, int(blocks) + 1, pace.blocks):
        session.transaction(
            lambda block=block: _copy_blocks(session, table, legacy, block, pace, file)  # type: ignore[misc]
        )
    session.run(_comparison(session, table, legacy))
    session.transaction(lambda: _swap(session, table, legacy, months))
    for month in months:
        session.run(
            SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                table.beside(month.plain), Identifier(bound_check(month))
            )
        )
    for statement in incoming.validating_statements(session, table):
        session.run(statement)
    session.run(SQL("ANALYZE {}").format(table.identifier))
    return tuple(one.plain for one in months)


def _finish(session: Session, table: Table) -> None:
    """Tell the planner, take away what proved the bounds, and validate what was made anew for the swap."""
    checks = session.ask("bound_checks", oid=table.oid)
    if checks:
        with session.patient():
            session.run(SQL("ANALYZE {}").format(table.identifier))
    for schema, plain, name in checks:
        drop = SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(Identifier(schema, plain), Identifier(name))
        session.transaction(lambda drop=drop: session.run(drop))  # type: ignore[misc]
    incoming.validate(session, table.oid, table)


def abort_split(session: Session, table: Table) -> bool:
    """Take away what a split has begun; tell whether there was any."""
    if not facts.is_being_split(session, table):
        return False

    def work() -> None:
        for statement in (
            *unmirror(session, table, table.beside(table.legacy)),
            SQL("DROP TABLE {}").format(shadow_of(table)),
        ):
            session.run(statement)

    session.transaction(work)
    return True


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
    facts.refuse_all(f'table "{table.name}" cannot be split as it is', found)


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


def _copy(session: Session, table: Table, legacy: Partition, pace: Pace) -> None:
    """Copy block by block whatever was there when the trigger came; where it stands is in a comment.

    A row that is changed meanwhile is the trigger's. FOR SHARE: a row that is deleted while it is copied
    would come back. A table that was written anew is begun anew.
    """
    while True:
        file, blocks, comment = session.ask("copy_state", oid=legacy.oid, shadow=shadow_text(session, table))[
            0
        ]
        found = str(comment or "").split()[-2:]
        block = int(found[1]) if found and found[0] == str(file) else 0
        if block > blocks:
            return
        session.transaction(
            lambda block=block, file=file: _copy_blocks(session, table, legacy, block, pace, file)  # type: ignore[misc]
        )
        session.note(f"copied {min(block + pace.blocks, blocks)} of {blocks} blocks of {legacy.plain}")
        time.sleep(pace.pause_s)


def _copy_blocks(
    session: Session, table: Table, legacy: Partition, block: int, pace: Pace, file: int
) -> None:
    batch = said(
        "copy_blocks",
        shadow=shadow_of(table),
        legacy=Identifier(legacy.schema, legacy.plain),
        columns=_stored(session, table),
        since=Literal(f"({block},0)"),
        until=Literal(f"({block + pace.blocks},0)"),
    )
    session.run(batch)
    session.run(progress(table, file, block + pace.blocks))


def _stored(session: Session, table: Table) -> Composable:
    columns = [str(name) for (name,) in session.ask("stored_columns", oid=table.oid)]
    return SQL(", ").join(map(Identifier, columns))


def _verify(session: Session, table: Table, legacy: Partition) -> None:
    """Compare the copy with the rows, as of one instant."""
    with session.patient():
        found = session.ask(_comparison(session, table, legacy))
    if found[0] != found[1]:
        raise DatabaseError(
            f'the copy of "{legacy.name}" differs from it: {found[0][0]} rows, and {found[1][0]} in the copy',
            hint="agentdb partitioning split --abort, and begin anew; nothing was swapped",
        )


def _comparison(session: Session, table: Table, legacy: Partition) -> Composable:
    return said(
        "compare",
        one=Identifier(legacy.schema, legacy.plain),
        other=shadow_of(table),
        columns=_stored(session, table),
    )


def _refuse_changed(session: Session, table: Table) -> None:
    """Refuse a copy of what the table was: to attach it would build the new index while everybody waits."""
    copy = session.value("oid_of", table=shadow_text(session, table))
    shapes = [{line for (line,) in session.ask("shape", oid=oid)} for oid in (table.oid, copy)]
    if shapes[0] != shapes[1]:
        raise TableError(
            f'"{table.name}" has changed since its split was begun: {min(shapes[0] ^ shapes[1])}',
            hint="agentdb partitioning split --abort, and begin anew; nothing was swapped",
        )


def _swap(session: Session, table: Table, legacy: Partition, months: Sequence[New]) -> None:
    links = facts.incoming(session, table.oid)
    lock_in_order(session, table, links)
    old = Identifier(legacy.schema, legacy.plain)
    every: list[str | Composable] = [
        "SET CONSTRAINTS ALL IMMEDIATE",
        *incoming.drop_statements(links),
        *unmirror(session, table, old),
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
            SQL("ALTER TABLE {} DETACH PARTITION {}").format(shadow_of(table), partition),
            said("attach", table=table.identifier, partition=partition, since=since, until=until),
        ]
    every += [SQL("DROP TABLE {}").format(shadow_of(table)), *incoming.renewed_statements(links)]
    for statement in every:
        session.run(statement)
