"""Plan an erasure: read the catalogue and the tables, and say what becomes of every value of a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.core.errors import SettingsError, SubjectError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import cost, refusals, statements
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.checks import of_checks
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.cycles import Broken, broken, without
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import (
    SUBJECT,
    name_subject,
    remember,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keeping import (
    Spare,
    counted,
    holds,
    kept_by_catalogue,
    kept_by_holds,
    keyed,
    of_table,
    rules,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Kept, Refusal, Step
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ordering import ordered
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.parts import (
    Known,
    Part,
    deleted,
    is_trail,
    parts,
    personal,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.recipients import read_recipients, untellable
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import eraser, once
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS, Seen, seen
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Texts, Work, located
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.suppressing import of_objections
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.together import together
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.reading import checked_subject
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Edge, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import identifier, source_of

_LOCK: Final = "ROW EXCLUSIVE on the table and the locks of a change on its rows, until the transaction ends"


def plan_erasure(
    user_id: int, url: str | None = None, *, key: SigningKey | Path | str | None = None
) -> ErasurePlan:
    """Return what `erase_user` would do, as things are; it changes nothing.

    It is signed where a key is named: by *key*, or as certificates are. Given to `erase_user`, nothing else
    is done than what it says. Locks: ACCESS SHARE; reads what it counts, some tables as a whole (`by_index`).

    Raises:
        SubjectError: there is no such person.
        PrivilegeError: the login may not act as the eraser.
    """
    subject = checked_subject(user_id)
    with eraser(url) as connection:
        plan = once(connection, lambda cursor: _written(planned(cursor, subject)))
    try:
        return plan.signed(keys_for(resolve_settings(url), key=key).signing)
    except SettingsError:
        if key is not None:
            raise
        return plan


def _written(plan: ErasurePlan) -> ErasurePlan:
    """Return *plan* with all of its statements, which its session has to be open for."""
    for step in plan.steps:
        _ = step.statement
    return plan


def planned(
    cursor: Cursor,
    subject: int,
    *,
    completes: UUID | None = None,
    at: datetime | None = None,
    by: Seen | None = None,
) -> ErasurePlan:
    """Return what an erasure of *subject* does, as things are, in the transaction of *cursor*.

    completes: the erasure that left something, where this one is to complete it. at: when it began; what is
        held then is held until its end. Without, it is not begun. by: what this transaction has read already.
    Locks: ACCESS SHARE on catalogs and on the tables that rows are counted of. Writes: what the person is
        known by, into temporary tables of the session, where it has to be taken out of texts.

    Raises:
        SubjectError: there is no such person.
    """
    name_subject(cursor, subject)
    by = by or seen(cursor)
    reaches = tuple(reach for reach in by.reaches if reach.table.kind != "m")
    whole = Known(by.catalogue, reaches, by.live, holds(cursor, at))
    all_parts = parts(whole)
    barred = tuple(refusals.of_rights(cursor, [part.work for part in all_parts]))
    found = Broken() if barred else _broken(cursor, whole)
    known = _without(whole, found) if found.edges else whole
    done = _in_order(known, parts(known) if found.edges else all_parts)
    others = _refusals(cursor, known, done, reads=not barred)
    refused = tuple(dict.fromkeys((*barred, *found.refusals, *others)))
    # Whose row a rule has deleted meanwhile may have left something else; so may the erasure that goes on.
    if not barred and completes is None and at is None:
        _refuse_nobody(cursor, whole)
    if any(part.work.is_early for part in done) and not barred:
        remember(cursor, subject, known=by)
    counter = _Counter(cursor, refused, counts=not barred)
    countable = [part for part in done if counter.may_count(part.work.reach.name)]
    views = _derived(cursor, [part.work for part in done])
    refused = tuple(
        dict.fromkeys((*refused, *of_checks(cursor, countable), *refusals.of_views(cursor, views)))
    )
    steps = _steps(counter, done)
    return ErasurePlan(
        subject,
        steps,
        counted(cursor, tuple(_kept(counter, known, done))),
        views,
        refused,
        tuple(dict.fromkeys(_warnings(steps, done))),
        is_deferred=found.is_deferred,
    )


@dataclass(frozen=True)
class _Counter:
    """Who counts rows, where that is possible: what is refused may be nothing that could be counted."""

    cursor: Cursor
    refused: tuple[Refusal, ...]
    counts: bool

    def may_count(self, table: str) -> bool:
        """Tell whether the rows of *table* can be counted."""
        return self.counts and not any(
            one.place == table or one.place.startswith(f"{table}.") for one in self.refused
        )


def _refuse_nobody(cursor: Cursor, known: Known) -> None:
    people = known.reaches[0]
    statement = SQL(STATEMENTS["person"]).format(
        table=identifier(people.name), key=Identifier(people.subject_key)
    )
    cursor.execute(statement)
    if cursor.fetchone() != (True,):
        raise SubjectError("there is no such person", hint="name somebody who is there, by their number")


def _broken(cursor: Cursor, known: Known) -> Broken:
    """Return where cycles of tables are broken: where no row of the person is lost sight of by it."""

    def is_lossless(edges: tuple[Edge, ...]) -> bool:
        pairs = [(reach, without(reach, edges)) for reach in known.reaches]
        return not any(_lost(cursor, whole, rest) for whole, rest in pairs if rest.ways != whole.ways)

    return broken(known.catalogue.edges, deleted(known), known.live, is_lossless=is_lossless)


def _lost(cursor: Cursor, whole: Reach, rest: Reach) -> int:
    """Return how many rows are reached by no way but those that *rest* lacks."""
    unseen = SQL("({}) IS NOT TRUE").format(located(rest)) if rest.ways else SQL("true")
    return _count(cursor, whole, SQL("{} AND {}").format(located(whole), unseen))


def _without(known: Known, found: Broken) -> Known:
    kept = tuple(edge for edge in known.catalogue.edges if edge not in found.edges)
    ways = tuple(without(reach, found.edges) for reach in known.reaches)
    return replace(
        known,
        catalogue=replace(known.catalogue, edges=kept),
        reaches=tuple(reach for reach in ways if reach.ways),
        let_go=found.nulled,
    )


def _in_order(known: Known, found: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts in the order in which they can be done; what others destroy the means of, first."""
    worked = {part.work.reach.name for part in found}
    gone = {part.work.reach.name for part in found if part.work.action is Action.DELETE}
    names = ordered(known.catalogue, known.reaches, worked, gone)
    order = {name: place for place, name in enumerate(names)}
    return tuple(
        sorted(
            found,
            key=lambda one: (not one.work.is_early, not one.work.lets_go, order[one.work.reach.name]),
        )
    )


def _steps(counter: _Counter, found: Sequence[Part]) -> tuple[Step, ...]:
    cursor, texts = counter.cursor, [Texts.of(part.work, counter.cursor) for part in found]
    countable = [place for place, one in enumerate(found) if counter.may_count(one.work.reach.name)]
    by_index = dict(zip(countable, cost.by_index(cursor, [texts[place] for place in countable]), strict=True))
    rows = dict(zip(countable, _counted(cursor, [texts[one] for one in countable]), strict=True))
    return tuple(
        _step(cursor, part, texts[place], place, rows=rows.get(place, 0), by_index=by_index.get(place, True))
        for place, part in enumerate(found)
    )


def _step(cursor: Cursor, part: Part, texts: Texts, place: int, *, rows: int, by_index: bool) -> Step:
    work = part.work
    return Step(
        place + 1,
        work.reach.name,
        work.action,
        part.columns,
        rows=rows,
        by_index=by_index,
        cost_rows=rows if by_index else cost.table_rows(cursor, work),
        lock=_LOCK,
        batch=partial(statements.batch, texts, cursor),
        whole=statements.whole(texts, cursor),
        left=statements.left(texts, cursor),
    )


def _counted(cursor: Cursor, texts: Sequence[Texts]) -> tuple[int, ...]:
    counting = [statements.there(one) for one in texts]
    return tuple(int(count) for (count,) in together(cursor, counting, {"subject": SUBJECT}))


def _count(cursor: Cursor, reach: Reach, rows: Composable) -> int:
    counting = SQL(STATEMENTS["left"]).format(source=source_of(reach), rows=rows)
    cursor.execute(counting, {"subject": SUBJECT})
    ((count,),) = cursor.fetchall()
    return int(count)


def _kept(counter: _Counter, known: Known, found: Sequence[Part]) -> Iterator[Kept]:
    """Yield what stays of the person: what the catalogue keeps, and what holds keep."""
    gone = {part.work.reach.name: part for part in found if part.work.action is Action.DELETE}
    cursor, kept_for = counter.cursor, rules(counter.cursor)
    for reach in known.reaches:
        columns, owned = personal(known.catalogue, reach.name), reach.owned()
        if owned is None or not columns or not counter.may_count(reach.name):
            continue
        if reach.name not in gone:
            yield from kept_by_catalogue(cursor, owned, columns, kept_for)
        if not is_trail(reach):
            part = gone.get(reach.name)
            spared = part.spared if part else _spared(known, owned)
            yield from kept_by_holds(cursor, owned, columns, spared)


def _spared(known: Known, reach: Reach) -> tuple[Spare, ...]:
    return tuple(Spare(one, keyed(one, reach.name)) for one in of_table(known.held, reach))


def _derived(cursor: Cursor, works: Sequence[Work]) -> tuple[str, ...]:
    cursor.execute(STATEMENTS["derived"], {"tables": sorted({work.reach.name for work in works})})
    return tuple(name for (name,) in cursor.fetchall())


def _refusals(cursor: Cursor, known: Known, found: Sequence[Part], *, reads: bool) -> Iterator[Refusal]:
    """Yield what cannot be done; what only rows tell where *reads*."""
    yield from refusals.of_catalogue(cursor, known.catalogue, known.reaches)
    yield from refusals.of_columns(cursor, known, found)
    yield from refusals.of_keys(known, found)
    yield from refusals.of_shredded(found)
    if reads:
        yield from refusals.of_objects(cursor, found)
        yield from of_objections(cursor)
        yield from untellable(known.catalogue, known.reaches, read_recipients(cursor))


def _warnings(steps: Sequence[Step], found: Sequence[Part]) -> Iterator[str]:
    """Yield what takes long, and what nobody can prove."""
    for step in steps:
        if not step.by_index:
            yield f'all of "{step.table}" is read, about {step.cost_rows} rows: no index leads to a person'
    for part in found:
        name = part.work.reach.name
        if part.work.is_at_once:
            yield f'rows of "{name}" are deleted all at once, for they name each other'
        for column in part.changed:
            if column.strategy is Strategy.REDACT:
                yield f'"{name}.{column.name}" may say of the person what they are not known by'
