"""Plan an erasure: read the catalogue and the tables, and say what becomes of every value of a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from psycopg2.extensions import AsIs
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import statements
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Kept, Outcome, Step, Treated
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ordering import ordered
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS, Live, live_columns
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Work
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.treating import Change, Place, change, outcome
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import source_of

# What stands for the number of a person in a statement: no log and no view of activity shows it.
SUBJECT: Final = AsIs("pg_catalog.current_setting('agentdb.subject')::bigint")
# It is redacted, by itself and last of all; a step it has none.
TRAIL: Final = "public.audit_log"


@dataclass(frozen=True)
class Part:
    """What is done to the rows of one table, or to some columns of rows of somebody else."""

    work: Work
    columns: tuple[Treated, ...]


def planned(cursor: Cursor, subject: int, *, completes: UUID | None = None) -> ErasurePlan:
    """Return what an erasure of *subject* does, as things are; reads only, in the transaction of *cursor*.

    completes: the erasure that left something, where this one is to complete it.
    Locks: ACCESS SHARE on catalogs and on the tables that rows are counted of.
    """
    del completes
    cursor.execute("SELECT pg_catalog.set_config('agentdb.subject', %s, true)", (str(subject),))
    catalogue, live = read_catalogue(cursor), live_columns(cursor)
    reaches = tuple(reach for reach in reached(catalogue) if reach.table.kind != "m")
    parts = [part for reach in reaches for part in _parts(catalogue, reach, live)]
    worked = {part.work.reach.name for part in parts}
    deleted = {part.work.reach.name for part in parts if part.work.action is Action.DELETE}
    order = ordered(catalogue, reaches, worked, deleted)
    parts.sort(key=lambda part: order.index(part.work.reach.name))
    steps = tuple(_step(cursor, place, part) for place, part in enumerate(parts, 1))
    kept = tuple(one for reach in reaches for one in _kept(cursor, catalogue, reach, deleted))
    return ErasurePlan(subject, steps, kept)


def _personal(catalogue: Catalogue, table: str) -> tuple[Column, ...]:
    return tuple(one for one in catalogue.columns_of(table) if one.is_personal and one.people == "users")


def _parts(catalogue: Catalogue, reach: Reach, live: Mapping[str, Mapping[str, Live]]) -> Iterator[Part]:
    """Yield what is done to the rows of one table: those of the person, and those that mention the person."""
    if TRAIL in {reach.name, reach.table.root}:
        return
    columns = _personal(catalogue, reach.name)
    owned, shapes = reach.owned(), live.get(reach.name, {})
    if owned is not None and any(one.strategy is Strategy.DELETE for one in columns):
        treated = tuple(Treated(one.name, one.strategy, Outcome.DELETED) for one in columns)
        yield Part(Work(owned, Action.DELETE, shapes), treated)
    elif owned is not None:
        yield from _changed(owned, columns, shapes)
    for names, mention in reach.mentions():
        yield from _changed(mention, [one for one in columns if one.name in names], shapes)


def _changed(reach: Reach, columns: Sequence[Column], live: Mapping[str, Live]) -> Iterator[Part]:
    """Yield the part that changes *columns*, if their strategies change any."""
    places = [Place(one, live[one.name], reach.table.key) for one in columns]
    changes: list[Change] = [made for place in places if (made := change(place)) is not None]
    if changes:
        names = {one.column for one in changes}
        treated = tuple(
            Treated(one.name, one.strategy, outcome(one.strategy), one.strategy_args)
            for one in columns
            if one.name in names
        )
        yield Part(Work(reach, Action.UPDATE, live, changes), treated)


def _step(cursor: Cursor, position: int, part: Part) -> Step:
    work = part.work
    return Step(
        position,
        work.reach.name,
        work.action,
        part.columns,
        rows=_counted(cursor, work),
        by_index=True,
        cost_rows=0,
        lock="ROW EXCLUSIVE",
        statement=statements.batch(work, cursor),
        whole=statements.whole(work, cursor),
        left=statements.left(work, cursor),
    )


def _counted(cursor: Cursor, work: Work) -> int:
    rows = statements.rows(work, with_chance=False)
    cursor.execute(
        SQL(STATEMENTS["left"]).format(source=source_of(work.reach), rows=rows), {"subject": SUBJECT}
    )
    ((count,),) = cursor.fetchall()
    return int(count)


def _kept(cursor: Cursor, catalogue: Catalogue, reach: Reach, deleted: set[str]) -> Iterator[Kept]:
    """Yield what the catalogue keeps of a table, by why it does."""
    owned = reach.owned()
    if owned is None or reach.name in deleted:
        return
    grouped: dict[tuple[str, str, str | None], list[str]] = {}
    for one in _personal(catalogue, reach.name):
        if one.strategy is Strategy.KEEP:
            why = str(one.strategy_args.get("why", ""))
            grouped.setdefault((one.legal_basis or "", why, one.retention_rule), []).append(one.name)
    if not grouped:
        return
    count = _counted(cursor, Work(owned, Action.UPDATE, {}))
    for (basis, why, rule), names in grouped.items():
        yield Kept(reach.name, tuple(names), count, basis, why, rule=rule)
