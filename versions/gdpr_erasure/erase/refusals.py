"""Say at plan time what cannot be done, so that no erasure ends in the middle."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import SUBJECT
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keeping import of_table
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Refusal
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.parts import Known, Part, personal
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Work, located
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import misfits
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, unreached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column, Edge, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import Escaped, identifier, source_of
from spotify_ai_agent_migrations.versions.gdpr_erasure.refusing import refused

_QUARANTINE: Final = re.compile(r"rollback_[0-9a-f]{12}")
_CHECK: Final = "agentdb gdpr-erasure check tells how to classify it"
_SUBJECT_KEYS: Final = "ops.subject_keys"
_STRATEGY: Final = "choose another strategy: ops.classify_column_v1"


def of_catalogue(cursor: Cursor, catalogue: Catalogue, reaches: Sequence[Reach]) -> Iterator[Refusal]:
    """Yield the columns nobody has classified, and the tables that no way leads to."""
    cursor.execute(STATEMENTS["unclassified"])
    bare: dict[str, list[str]] = defaultdict(list)
    for table_name, name in cursor.fetchall():
        bare[table_name].append(name)
    for table in catalogue.tables:
        if _QUARANTINE.fullmatch(table.schema):
            yield Refusal(
                table.name,
                "is kept by a rollback, beside the catalogue",
                "agentdb rollback restore, or agentdb rollback purge: agentdb rollback list names it",
            )
            continue
        # What was part of a table is known as that table is.
        known = {one.name for one in catalogue.columns_of(table.name)}
        for name in bare[table.name]:
            if name not in known:
                yield Refusal(f"{table.name}.{name}", "is not in the catalogue", _CHECK)
    # A materialised view is filled anew, whoever leads to it.
    views = {table.name for table in catalogue.tables if table.kind == "m"}
    for name in unreached(catalogue, reaches):
        if name in views:
            continue
        yield Refusal(
            name,
            "holds personal data, and nothing leads to it from a person",
            "add a foreign key, or declare an edge in ops.personal_edges",
        )


def of_columns(cursor: Cursor, known: Known, parts: Sequence[Part]) -> Iterator[Refusal]:
    """Yield the columns that cannot become what their strategies say, by their types, checks and keys."""
    changed = [(part.work, column) for part in parts for column in part.changed]
    for work, column in changed:
        yield from _of_column(work, column, f"{work.reach.name}.{column.name}")
    columns = {(column.table_name, column.name): column for _, column in changed}
    for finding in refused(cursor, replace(known.catalogue, columns=tuple(columns.values()))):
        yield Refusal(finding.place, finding.problem, finding.hint)
    gone = {part.work.reach.name for part in parts if part.work.action is Action.DELETE}
    for reach in known.reaches:
        if reach.name not in gone and reach.owned() is not None:
            yield from _of_filled(known, reach, {name for table, name in columns if table == reach.name})


def _of_filled(known: Known, reach: Reach, changed: set[str]) -> Iterator[Refusal]:
    """Yield the columns that the server fills, and not anew from all that is personal and not held."""
    table = reach.name
    held = {one.column for one in of_table(known.held, reach) if not one.key}
    if None in held:
        return
    columns, live = personal(known.catalogue, table), known.live.get(table, {})
    own = {one.name for one in columns}
    for one in columns:
        if one.strategy is Strategy.KEEP or one.name not in live or not live[one.name].is_filled:
            continue
        sources = set(live[one.name].sources) & own
        if not sources or sources - changed - held:
            yield Refusal(
                f"{table}.{one.name}", "is filled by the server, from what is not changed", _STRATEGY
            )


def _of_column(work: Work, column: Column, place: str) -> Iterator[Refusal]:
    live = work.live[column.name]
    for problem in misfits(column, live.shape):
        yield Refusal(place, problem, _STRATEGY)
    if column.strategy is Strategy.RANDOM and not work.key:
        yield Refusal(place, "is to be random, in a table without a primary key", _STRATEGY)
    named = {name for way in work.reach.ways for edge in way[-1:] for name in edge.from_columns}
    if column.name in work.key and column.strategy is Strategy.RANDOM and column.name not in named:
        yield Refusal(place, "is to be random, and its row is told from others by it", _STRATEGY)


def of_shredded(parts: Sequence[Part]) -> Iterator[Refusal]:
    """Yield what stays readable because the key of its person is kept."""
    gone = {part.work.reach.name for part in parts if part.work.action is Action.DELETE}
    shredded = {
        f"{part.work.reach.name}.{column.name}"
        for part in parts
        for column in part.changed
        if column.strategy is Strategy.SHRED
    }
    problem = f'stays readable while a hold keeps "{_SUBJECT_KEYS}"'
    for place in sorted(shredded) if _SUBJECT_KEYS not in gone else ():
        yield Refusal(place, problem, "hold the table itself, or release the hold")


def of_keys(known: Known, parts: Sequence[Part]) -> Iterator[Refusal]:
    """Yield the foreign keys by which a deletion would fail, or take rows along that are not to go."""
    deleted = {part.work.reach.name for part in parts if part.work.action is Action.DELETE}
    changed = {(part.work.reach.name, column.name) for part in parts for column in part.changed}
    held = {reach.name for reach in known.reaches if any(not one.key for one in of_table(known.held, reach))}
    for edge in known.catalogue.edges:
        if edge.constraint is None or edge.to_table not in deleted or edge.from_table in deleted:
            continue
        let_go = any((edge.from_table, name) in changed for name in edge.from_columns)
        is_nothing = edge.own_columns == () and edge.on_delete.startswith("SET")
        # What a hold keeps keeps the rows that it names.
        if let_go or is_nothing or edge.from_table in held:
            continue
        hint = f'choose another strategy for "{edge.from_table}" or for "{edge.to_table}"'
        yield Refusal(edge.from_table, _taken(edge), hint)


def _taken(edge: Edge) -> str:
    if edge.on_delete == "CASCADE":
        return f'would lose rows that are kept with rows of "{edge.to_table}", by "{edge.constraint}"'
    if edge.on_delete.startswith("SET"):
        return f'would be changed where it is kept with rows of "{edge.to_table}", by "{edge.constraint}"'
    return f'names rows of "{edge.to_table}" that are to be deleted, by "{edge.constraint}"'


def of_rights(cursor: Cursor, works: Sequence[Work]) -> Iterator[Refusal]:
    """Yield what the role at work may not do, and what row security would hide from it."""
    cursor.execute(
        STATEMENTS["rights"],
        {
            "tables": [work.reach.name for work in works],
            "actions": [work.action.value.upper() for work in works],
            "columns": [json.dumps([one.column for one in work.changes]) for work in works],
            "asked": [json.dumps(sorted(_asked(work))) for work in works],
        },
    )
    answers = cursor.fetchall()
    cursor.execute("SELECT current_user")
    ((role,),) = cursor.fetchall()
    for work, (name, reads, writes, hides, appends, cannot) in zip(works, answers, strict=True):
        action = work.action.value.upper()
        missing = [one for one, has in (("SELECT", reads), (action, writes)) if not has]
        if missing:
            grant = SQL("GRANT {} ON {} TO {}").format(
                SQL(", ").join(map(SQL, missing)), identifier(name), Identifier(role)
            )
            yield Refusal(name, "may not be written to by who erases", grant.as_string(cursor))
        if hides:
            alter = SQL("ALTER ROLE {} BYPASSRLS").format(Identifier(role)).as_string(cursor)
            yield Refusal(name, "has row security, which would hide rows from who erases", alter)
        if appends:
            yield Refusal(name, "is append-only, and its strategies change it", _STRATEGY)
        if cannot:
            yield Refusal(name, "cannot be written to from here", "erase it where it is stored")


def _asked(work: Work) -> set[str]:
    """Return the columns that have to be read to find the rows, and to compare what they hold."""
    naming = {name for way in work.reach.ways for edge in way[-1:] for name in edge.from_columns}
    own = {work.reach.subject_key} if () in work.reach.ways else set()
    return {*work.key, *work.objects, *naming, *own, *(one.column for one in work.changes)}


def of_views(cursor: Cursor, views: Sequence[str]) -> Iterator[Refusal]:
    """Yield the materialised views that nobody who erases may fill anew."""
    cursor.execute(STATEMENTS["derived_strange"], {"views": list(views)})
    for name, owner in cursor.fetchall():
        yield Refusal(
            name,
            f'is filled by its owner "{owner}" alone',
            f"ALTER MATERIALIZED VIEW {name} OWNER TO agent_owner;",
        )


def of_objects(cursor: Cursor, parts: Sequence[Part]) -> Iterator[Refusal]:
    """Yield the columns of large objects that nobody who erases may delete."""
    for part in parts:
        for name in part.work.objects:
            statement = SQL(STATEMENTS["foreign_objects"]).format(
                source=source_of(part.work.reach),
                rows=located(part.work.reach),
                column=Escaped(Identifier(name)),
            )
            cursor.execute(statement, {"subject": SUBJECT})
            if cursor.fetchone() == (True,):
                yield Refusal(
                    f"{part.work.reach.name}.{name}",
                    "names large objects of which agent_owner is no owner",
                    "ALTER LARGE OBJECT … OWNER TO agent_owner",
                )
