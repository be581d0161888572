"""Make a live table the first partition of a partitioned one: prepared online, swapped in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import psycopg2
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import facts, incoming
from spotify_ai_agent_migrations.versions.partitioning.facts import Incoming, Numbered, Progress, Table
from spotify_ai_agent_migrations.versions.partitioning.periods import Period, first_bound, literal, moment_of
from spotify_ai_agent_migrations.versions.partitioning.session import Session, Written, said

_CHECK_VIOLATION: Final = "23514"
_COLUMN_COMMENTS: Final = 61
_MILLISECONDS_OF_1973: Final = 94_694_400_000


def prepare(session: Session, table: Table, period: Period, now: datetime) -> str:
    """Do everything that takes long and blocks nobody; return where the old rows end, as text.

    Each step is done if the catalogue does not say that it is: killed anywhere, the same call goes on.

    Raises:
        TableError: something cannot be carried over, or rows lie beyond the bound; all of it is named.
    """
    _refuse_another_key(session, table)
    refuse_obstacles(session, table)
    _refuse_other_numbers(session, table)
    found = facts.progress(session, table)
    _refuse_rows_beyond(session, table, found.bound or literal(table.kind, first_bound(period, now)))
    build_key(session, table, found.index_valid)
    incoming.prepare(session, table)
    return _bounded(session, table, period)


def _bounded(session: Session, table: Table, period: Period) -> str:
    """Bound the rows by the end of a period that is far enough ahead now; return it.

    By the clock of this moment: what came before may have taken days, and so may the validation.
    """
    while True:
        now, _ = facts.clock(session)
        found = facts.progress(session, table)
        if found.bound is not None and _is_late(table, found.bound, period, now):
            # From there on the check would refuse the rows of the period that begins.
            session.transaction(lambda: session.run(_drop_check(table)))
            found = Progress(found.index_valid, None, None)
        if found.check_valid and found.bound:
            return found.bound
        bound = found.bound or literal(table.kind, first_bound(period, now))
        _refuse_rows_beyond(session, table, bound)
        bound_rows(session, table, found.check_valid, bound)
        if not session.alone or isinstance(session, Written):
            return bound


def _refuse_another_key(session: Session, table: Table) -> None:
    begun = [str(column) for (column,) in session.ask("begun_by", oid=table.oid, check=table.check)]
    built = [str(column) for (column,) in session.ask("columns_of_index", oid=table.oid, name=table.built)]
    if begun not in ([], [table.key]) or built not in ([], [*table.new_key]):
        other = begun[0] if begun else built[-1]
        raise TableError(
            f'the conversion of "{table.name}" was begun by "{other}", not by "{table.key}"',
            hint=f"go on with that, or take it back: agentdb partitioning unconvert {table.name}",
        )


def refuse_obstacles(session: Session, table: Table) -> None:
    """Refuse a table that cannot be carried over as a whole.

    Raises:
        TableError: names all that stands in the way.
    """
    found = [*facts.obstacles(session, table), *incoming.obstacles(session, table)]
    if session.alone:
        found += [str(line) for (line,) in session.ask("busy")]
    facts.refuse_all(f'table "{table.name}" cannot be partitioned as it is', found)


def _refuse_other_numbers(session: Session, table: Table) -> None:
    """Refuse a number that counts something else than milliseconds: seconds, or rows."""
    if table.kind != "bigint":
        return
    some = said("newest_of_some", table=table.identifier, key=Identifier(table.key))
    newest = session.value(some)
    if newest is not None and newest < _MILLISECONDS_OF_1973:
        raise TableError(
            f'column "{table.key}" of "{table.name}" does not look like milliseconds since 1970: {newest}',
            hint="choose the column that holds the time; seconds are not looked at as one",
        )


def _is_late(table: Table, bound: str, period: Period, now: datetime) -> bool:
    return moment_of(table.kind, bound) < now + period.margin / 2


def _drop_check(table: Table) -> Composable:
    return SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.identifier, Identifier(table.check))


def _refuse_rows_beyond(session: Session, table: Table, bound: str) -> None:
    beyond = said("beyond", table=table.identifier, key=Identifier(table.key), bound=Literal(bound))
    with session.patient():
        found = session.value(beyond)
    if found:
        raise TableError(
            f'table "{table.name}" has rows whose "{table.key}" is {bound} or later, infinity included',
            hint=f"mend or move them, they are of later periods; SELECT … WHERE {table.key} >= '{bound}'",
        )


def build_key(session: Session, table: Table, valid: bool | None) -> None:
    """Build the unique index that becomes the key of the old rows."""
    if valid is False:
        session.note(f"dropping index {table.built}, whose build was cut off")
        with session.patient():
            session.run(SQL("DROP INDEX CONCURRENTLY {}").format(table.beside(table.built)))
    if valid:
        return
    session.note(f"building index {table.built}")
    with session.patient():
        session.run(
            SQL("CREATE UNIQUE INDEX {} {} ON {} ({})").format(
                SQL("CONCURRENTLY" if session.alone else ""),
                Identifier(table.built),
                table.identifier,
                SQL(", ").join(map(Identifier, table.new_key)),
            )
        )


def bound_rows(session: Session, table: Table, valid: bool | None, bound: str) -> None:
    """Let no row pass the bound, and prove that none has."""
    if valid is None:
        added = SQL(
            "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({key} IS NOT NULL AND {key} < {}) NOT VALID"
        ).format(table.identifier, Identifier(table.check), Literal(bound), key=Identifier(table.key))
        session.transaction(lambda: session.run(added))
    if not valid:
        session.note(f"validating {table.check}")
        with session.patient():
            _validate(session, table, bound)


def _validate(session: Session, table: Table, bound: str) -> None:
    try:
        session.run(
            SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(table.identifier, Identifier(table.check))
        )
    except psycopg2.Error as error:
        if error.pgcode == _CHECK_VIOLATION and session.alone:
            session.transaction(lambda: session.run(_drop_check(table)))
            _refuse_rows_beyond(session, table, bound)
        raise


def swap(session: Session, table: Table, bound: str) -> None:
    """Let the partitioned table take the place of the old one, in one transaction of some milliseconds.

    Locks: ACCESS EXCLUSIVE on the table, its views, the tables it refers to and those that refer to it, each
    waited for, together, no longer than the lock time-out.
    """
    session.note(f"swapping {table.name}")
    try:
        session.transaction(lambda: _swap(session, table, bound))
    except psycopg2.Error:
        # It would fail the next time too, and from the bound on the check would refuse rows.
        if session.alone and not session.connection.closed:
            session.transaction(lambda: session.run(_drop_check(table)))
        raise


def _swap(session: Session, table: Table, bound: str) -> None:
    links = incoming_links(session, table)
    lock_in_order(session, table, links)
    # What is read from here on cannot change any more.
    publications = facts.publications(session, table.oid)
    # LIKE copies the comments of columns.
    carried = [text for place, _, text in session.ask("carry", oid=table.oid) if place != _COLUMN_COMMENTS]
    indexes = session.ask("own_indexes", oid=table.oid, built=table.built)
    outgoing = [text for text, _ in session.ask("outgoing", oid=table.oid)]
    numbers = facts.numbered(session, table.oid)
    every: list[str | Composable] = [
        "SET CONSTRAINTS ALL IMMEDIATE",
        *keep_numbers(numbers),
        *incoming.drop_statements(links),
        *(row[1] for row in session.ask("strip", oid=table.oid)),
        *_take_off(session, table, indexes),
        *_parent(table),
    ]
    for statement in every:
        session.run(statement)
    forget_default_grants(session, table)
    give_numbers(session, table, numbers)
    after: list[str | Composable] = [
        *(statement for _, statement in indexes),
        *outgoing,
        # Before they are joined: no other publication takes a partitioned table's columns or rows in part.
        *(
            SQL("ALTER PUBLICATION {} SET (publish_via_partition_root = true)").format(Identifier(name))
            for name in publications
        ),
        *carried,
        *_attach(table, bound),
        SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(
            Identifier(table.primary), table.identifier, Literal(facts.was_comment(table, publications))
        ),
        *incoming.composite_statements(links, table),
    ]
    for statement in after:
        session.run(statement)


def incoming_links(session: Session, table: Table) -> tuple[Incoming, ...]:
    """Return the foreign keys that refer to a table."""
    return facts.incoming(session, table.oid)


def lock_in_order(session: Session, table: Table, links: Sequence[Incoming]) -> None:
    """Lock everything that the swap touches, always in one order, and all of it within the lock time-out.

    Views first: whoever reads one locks it before the table. Then what the table refers to, which attaching
    takes for itself; a weaker lock would have to be raised then, which is how deadlocks are made.
    """
    views = [str(text) for (text,) in session.ask("views_of", oid=table.oid)]
    others = sorted({name for _, name in session.ask("outgoing", oid=table.oid)})
    others += sorted({session.text(link.identifier) for link in links} - set(others))
    deadline_s = time.monotonic() + session.bounds.lock_timeout_ms / 1_000
    every: list[str | Composable] = [*views, *map(_locked, [*others, table.name])]
    for statement in every:
        if session.alone:
            left_ms = max(1, round((deadline_s - time.monotonic()) * 1_000))
            session.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{left_ms}ms")))
        session.run(statement)


def _locked(name: str) -> Composable:
    # The catalogue wrote the name, quoted where it has to be.
    return SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(SQL(name))


def _take_off(session: Session, table: Table, indexes: Sequence[tuple[str, str]]) -> Iterator[Composable]:
    """Yield what frees the names that the partitioned table takes over."""
    # Its name ends in what the convention of names asks, whether the table's own begins the other or not.
    yield SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.identifier, Identifier(table.primary))
    yield SQL("ALTER TABLE {} ADD CONSTRAINT {built} PRIMARY KEY USING INDEX {built}").format(
        table.identifier, built=Identifier(table.built)
    )
    for number in facts.numbered(session, table.oid):
        if number.identity:
            yield SQL("ALTER TABLE {} ALTER COLUMN {} DROP IDENTITY").format(
                table.identifier, Identifier(number.column)
            )
    for name, _ in indexes:
        yield SQL("ALTER INDEX {} RENAME TO {}").format(table.beside(name), Identifier(table.renamed(name)))
    yield SQL("ALTER TABLE {} RENAME TO {}").format(table.identifier, Identifier(table.legacy))


def _parent(table: Table) -> Iterator[Composable]:
    yield said(
        "create_parent", table=table.identifier, old=table.beside(table.legacy), key=Identifier(table.key)
    )
    yield SQL("ALTER TABLE {} OWNER TO {}").format(table.identifier, SQL(table.owner))
    yield _drop_check(table)
    yield SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY ({})").format(
        table.identifier, Identifier(table.primary), SQL(", ").join(map(Identifier, table.new_key))
    )


def _attach(table: Table, bound: str) -> Iterator[Composable]:
    legacy = table.beside(table.legacy)
    yield said("attach_first", table=table.identifier, partition=legacy, until=Literal(bound))
    yield SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(legacy, Identifier(table.check))
    yield SQL("COMMENT ON TABLE {} IS {}").format(
        legacy, Literal(f"{facts.MARK}: {table.name} before {bound}")
    )


def keep_numbers(numbers: Sequence[Numbered]) -> Iterator[Composable]:
    """Yield what remembers how far each identity has counted, before its sequence goes with it."""
    for place, number in enumerate(numbers):
        if number.identity:
            # A change that is none, for its lock: nobody takes a number that would be given out again.
            yield SQL("ALTER SEQUENCE {} {}").format(number.identifier, SQL(number.cache))
            yield said("keep_number", variable=_counted(place), sequence=number.identifier)


def _counted(place: int) -> Composable:
    return Literal(f"agentdb.counted_{place}")


def give_numbers(session: Session, table: Table, numbers: Sequence[Numbered]) -> None:
    """Let the columns of the new table number themselves, going on where the old ones stopped."""
    for place, number in enumerate(numbers):
        if not number.identity:
            session.run(
                SQL("ALTER SEQUENCE {} OWNED BY {}.{}").format(
                    number.identifier, table.identifier, Identifier(number.column)
                )
            )
            continue
        session.run(
            SQL("ALTER TABLE {} ALTER COLUMN {} ADD {} (SEQUENCE NAME {} {})").format(
                table.identifier,
                Identifier(number.column),
                SQL(number.made),
                number.identifier,
                SQL(number.options),
            )
        )
        name = session.text(number.identifier)
        session.run(said("go_on_numbering", sequence=Literal(name), variable=_counted(place)))
        # What default privileges gave.
        for (statement,) in session.ask("sequence_grants", sequence=name):
            session.run(statement)
        for statement in number.grants:
            session.run(statement)
        if number.comment:
            session.run(
                SQL("COMMENT ON SEQUENCE {} IS {}").format(number.identifier, Literal(number.comment))
            )


def forget_default_grants(session: Session, table: Table) -> None:
    """Take back what default privileges gave on the table that was just made."""
    oid = session.value("oid_of", table=table.name)
    if oid in {None, table.oid}:
        return
    for _, statement in session.ask("strip", oid=oid):
        session.run(statement)
