"""Compare the catalogue of personal data with the database: what is not in it, and what cannot be done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import closing
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.gdpr_erasure.asking import accepted, asked, opened
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.recipients import read_recipients, untellable
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import Shape, misfits
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached, unreached
from spotify_ai_agent_migrations.versions.gdpr_erasure.guarding import unguarded
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import (
    Catalogue,
    Column,
    Edge,
    Kind,
    Strategy,
    Table,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.refusing import refused

_CLASSES: Final = "none, identifier, contact, location, behavioural, content, derived"
_QUARANTINE: Final = re.compile(r"rollback_[0-9a-f]{12}")
_PURGE: Final = "agentdb rollback restore, or agentdb rollback purge: agentdb rollback list names it"
_PURPOSE: Final = "name one of public.consent_purposes, or INSERT it there"


def check_catalogue(url: str | None = None) -> tuple[Finding, ...]:
    """Return what is wrong about the catalogue of a database; nothing is well.

    Locks: ACCESS SHARE on catalogs and the tables of the catalogue. Reads no personal value.

    Raises:
        RevisionError: the database has no catalogue.
    """
    with translated(), closing(opened(url)) as connection, connection.cursor() as cursor:
        catalogue = read_catalogue(cursor)
        return tuple(_findings(cursor, catalogue))


def _findings(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    known = {(one.table_name, one.name): one for one in catalogue.columns}
    for table in catalogue.tables:
        if _QUARANTINE.fullmatch(table.schema):
            yield Finding("unclassified", table.name, "is kept by a rollback, beside the catalogue", _PURGE)
        elif table.root is None:
            yield from _of_table(cursor, table, known)
    for name, column in asked(cursor, "gone"):
        where = SQL("table_name = {} AND column_name = {}").format(Literal(name), Literal(column))
        yield Finding(
            "gone",
            f"{name}.{column}",
            "is in the catalogue, and not in the database",
            f"DELETE FROM ops.personal_data WHERE {where.as_string(cursor)};",  # noqa: S608  (it is shown)
        )
    yield from refused(cursor, catalogue)
    yield from _edges(cursor, catalogue)
    reaches = reached(catalogue)
    yield from _reaches(cursor, catalogue, reaches)
    yield from unguarded(cursor, catalogue, reaches)
    yield from _references(cursor, catalogue)


def _of_table(cursor: Cursor, table: Table, known: Mapping[tuple[str, str], Column]) -> Iterator[Finding]:
    """Yield the columns of *table* that the catalogue does not know, or knows otherwise than they are."""
    for name, comment, base, category, not_null, is_unique in asked(cursor, "live", table=table.name):
        entry, place = known.get((table.name, name)), f"{table.name}.{name}"
        if entry is None:
            yield Finding("unclassified", place, "is not in the catalogue", _classify(table.name, name))
            continue
        if comment != entry.comment:
            yield Finding(
                "comment",
                place,
                "has another comment than the catalogue says",
                f"say it again: {_classify(table.name, name)}",
            )
        for problem in misfits(entry, Shape(base, category, not_null, is_unique)):
            yield Finding("strategy", place, problem, "choose a strategy that its type allows")


def _classify(table: str, column: str) -> str:
    target, name = (one.replace("'", "''") for one in (table, column))
    return (
        f"SELECT ops.classify_column_v1('{target}', '{name}', class => '…', description => '…', "
        f"strategy => '…', …); the class is one of {_CLASSES}"
    )


def _edges(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield the declared edges whose columns are not there, or not of the type that their kind asks."""
    for edge in catalogue.edges:
        if edge.constraint is not None:
            continue
        told = [edge.discriminator_column] if edge.discriminator_column else []
        here = [*edge.from_columns, *told, *(edge.own_columns or ())]
        place = f"{edge.from_table} ({', '.join(edge.from_columns)})"
        for table, columns in ((edge.from_table, here), (edge.to_table, list(edge.to_columns))):
            for (name,) in asked(cursor, "missing_columns", table=table, columns=columns):
                yield Finding(
                    "edge",
                    place,
                    f'names the column "{name}" of "{table}", which is not there',
                    "UPDATE or DELETE the edge in ops.personal_edges",
                )
        if (problem := _of_kind(cursor, edge)) is not None:
            yield Finding("edge", place, problem, "UPDATE or DELETE the edge in ops.personal_edges")


def _of_kind(cursor: Cursor, edge: Edge) -> str | None:
    bases = {row[0]: (row[2], row[3]) for row in asked(cursor, "live", table=edge.from_table)}
    base, category = bases.get(edge.from_columns[0], ("", ""))
    if edge.kind is Kind.ARRAY and category not in {"A", ""}:
        return f"is said to be an array, and is {base}"
    if edge.kind is Kind.JSON and base not in {"json", "jsonb", ""}:
        return f"is said to be JSON, and is {base}"
    if edge.kind is Kind.JSON and not accepted(cursor, SQL("SELECT %s::jsonpath"), (edge.json_path,)):
        return "has a path that is no jsonpath"
    return None


def _reaches(cursor: Cursor, catalogue: Catalogue, reaches: Sequence[Reach]) -> Iterator[Finding]:
    """Yield the tables whose rows no way leads to, or none by which they could be deleted or told of."""
    for name in unreached(catalogue, reaches):
        yield Finding(
            "unreached",
            name,
            "holds personal data, and nothing leads to it from a person",
            "add a foreign key, or declare an edge in ops.personal_edges",
        )
    for reach in reaches:
        yield from _deleted(catalogue, reach)
    for one in untellable(catalogue, reaches, read_recipients(cursor)):
        yield Finding("recipient", one.place, one.problem, one.hint)


def _deleted(catalogue: Catalogue, reach: Reach) -> Iterator[Finding]:
    columns = [one for one in catalogue.columns_of(reach.name) if one.is_personal and one.people == "users"]
    goes = any(one.strategy is Strategy.DELETE for one in columns)
    if goes and reach.owned() is None:
        yield Finding(
            "unreached",
            reach.name,
            "is to lose rows, and is reached only where it mentions a person",
            "choose a strategy for each column, or declare an edge to whole rows",
        )
    for column in columns:
        if goes and column.strategy is Strategy.KEEP:
            yield Finding(
                "strategy",
                f"{reach.name}.{column.name}",
                "is to be kept, in a row that is to be deleted",
                "choose one of the two for the whole table",
            )


def _references(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield what names a purpose, a basis or a rule of retention that is not there."""
    bases = {row[0]: row[1] for row in asked(cursor, "purposes")}
    rules = {(row[0], row[1]) for row in asked(cursor, "retention")}
    for column in catalogue.columns:
        place = f"{column.table_name}.{column.name}"
        for purpose in column.purposes:
            if purpose not in bases:
                yield Finding(
                    "reference", place, f'is for the purpose "{purpose}", which is not there', _PURPOSE
                )
        known = {bases[purpose] for purpose in column.purposes if purpose in bases}
        if known and column.legal_basis not in known:
            yield Finding(
                "reference",
                place,
                f'rests on "{column.legal_basis}", and none of its purposes does',
                "give it a purpose of consent_purposes that rests on it, or the basis of its purposes",
            )
        if column.retention_rule is not None and not _ruled(column, rules):
            yield Finding(
                "reference",
                place,
                f'is kept by the rule "{column.retention_rule}", which its table does not have',
                "INSERT the rule into public.retention_policies, or name another",
            )


def _ruled(column: Column, rules: Set[tuple[str, str]]) -> bool:
    names = (column.table_name, column.table_name.removeprefix("public."))
    return any((name, column.retention_rule) in rules for name in names)
