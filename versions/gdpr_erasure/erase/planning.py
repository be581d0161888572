"""Plan an erasure: read the catalogue and the tables, and say what becomes of every value of a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import cost, refusals, statements
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import SUBJECT, name_subject
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keeping import (
    Spare,
    holds,
    kept_by_catalogue,
    kept_by_holds,
    keyed,
    of_table,
    rules,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Kept, Refusal, Step
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ordering import ordered
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.parts import (
    Known,
    Part,
    is_trail,
    parts,
    personal,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.recipients import read_recipients, untellable
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS, live_columns
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Work
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import identifier, source_of


def planned(cursor: Cursor, subject: int, *, completes: UUID | None = None) -> ErasurePlan:
    """Return what an erasure of *subject* does, as things are; reads only, in the transaction of *cursor*.

    completes: the erasure that left something, where this one is to complete it.
    Locks: ACCESS SHARE on catalogs and on the tables that rows are counted of.

    Raises:
        SubjectError: there is no such person.
    """
    del completes
    name_subject(cursor, subject)
    catalogue = read_catalogue(cursor)
    reaches = tuple(reach for reach in reached(catalogue) if reach.table.kind != "m")
    known = Known(catalogue, reaches, live_columns(cursor), holds(cursor))
    _refuse_nobody(cursor, known)
    found = _in_order(known, parts(known))
    works = [part.work for part in found]
    return ErasurePlan(
        subject,
        _steps(cursor, found),
        tuple(_kept(cursor, known, found)),
        _derived(cursor, works),
        tuple(dict.fromkeys(_refusals(cursor, known, found))),
    )


def _refuse_nobody(cursor: Cursor, known: Known) -> None:
    people = known.reaches[0]
    statement = SQL(STATEMENTS["person"]).format(
        table=identifier(people.name), key=Identifier(people.subject_key)
    )
    cursor.execute(statement)
    if cursor.fetchone() != (True,):
        raise SubjectError("there is no such person", hint="name somebody who is there, by their number")


def _in_order(known: Known, found: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts in the order in which they can be done; what others destroy the means of, first."""
    worked = {part.work.reach.name for part in found}
    deleted = {part.work.reach.name for part in found if part.work.action is Action.DELETE}
    order = {
        name: place for place, name in enumerate(ordered(known.catalogue, known.reaches, worked, deleted))
    }
    return tuple(sorted(found, key=lambda one: (not one.work.is_early, order[one.work.reach.name])))


def _steps(cursor: Cursor, found: Sequence[Part]) -> tuple[Step, ...]:
    with cost.without_scans(cursor):
        indexed = [cost.by_index(cursor, part.work) for part in found]
    return tuple(
        _step(cursor, position, part, by_index=by_index)
        for position, (part, by_index) in enumerate(zip(found, indexed, strict=True), 1)
    )


def _step(cursor: Cursor, position: int, part: Part, *, by_index: bool) -> Step:
    work, rows = part.work, _counted(cursor, part.work)
    return Step(
        position,
        work.reach.name,
        work.action,
        part.columns,
        rows=rows,
        by_index=by_index,
        cost_rows=rows if by_index else cost.table_rows(cursor, work),
        lock="ROW EXCLUSIVE on the table and FOR UPDATE on the rows, until the transaction ends",
        statement=statements.batch(work, cursor),
        whole=statements.whole(work, cursor),
        left=statements.left(work, cursor),
    )


def _counted(cursor: Cursor, work: Work) -> int:
    rows = statements.rows(work, with_chance=False)
    counting = SQL(STATEMENTS["left"]).format(source=source_of(work.reach), rows=rows)
    cursor.execute(counting, {"subject": SUBJECT})
    ((count,),) = cursor.fetchall()
    return int(count)


def _kept(cursor: Cursor, known: Known, found: Sequence[Part]) -> Iterator[Kept]:
    """Yield what stays of the person: what the catalogue keeps, and what holds keep."""
    deleted = {part.work.reach.name: part for part in found if part.work.action is Action.DELETE}
    kept_for = rules(cursor)
    for reach in known.reaches:
        columns, owned = personal(known.catalogue, reach.name), reach.owned()
        if owned is None or not columns:
            continue
        if reach.name not in deleted:
            yield from kept_by_catalogue(cursor, owned, columns, kept_for)
        if not is_trail(reach):
            part = deleted.get(reach.name)
            spared = part.spared if part else _spared(known, reach.name, owned)
            yield from kept_by_holds(cursor, owned, columns, spared)


def _spared(known: Known, table: str, reach: Reach) -> tuple[Spare, ...]:
    return tuple(Spare(one, keyed(one, table)) for one in of_table(known.held, reach))


def _derived(cursor: Cursor, works: Sequence[Work]) -> tuple[str, ...]:
    cursor.execute(STATEMENTS["derived"], {"tables": sorted({work.reach.name for work in works})})
    return tuple(name for (name,) in cursor.fetchall())


def _refusals(cursor: Cursor, known: Known, found: Sequence[Part]) -> Iterator[Refusal]:
    yield from refusals.of_catalogue(known.catalogue, known.live, known.reaches)
    yield from refusals.of_rights(cursor, [part.work for part in found])
    yield from refusals.of_columns(cursor, known.catalogue, found)
    yield from refusals.of_keys(known, found)
    yield from untellable(known.catalogue, known.reaches, read_recipients(cursor))
