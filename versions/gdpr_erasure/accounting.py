"""Account for the processing, as GDPR art. 30 asks, from the catalogue; and say what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.gdpr_erasure.asking import asked, opened
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column

_PEOPLE: Final = {"users": "users of the service", "staff": "staff"}


@dataclass(frozen=True)
class Controller:
    """Who answers for the processing."""

    name: str
    address: str
    contact: str
    representative: str | None
    dpo_name: str | None
    dpo_contact: str | None


@dataclass(frozen=True)
class Purpose:
    """What data is processed for, and on which basis of GDPR art. 6(1)."""

    code: str
    legal_basis: str
    description: str


@dataclass(frozen=True)
class Recipient:
    """Who is given data; `gdpr_applies` where they are."""

    code: str
    name: str
    kind: str
    purpose: str
    country: str
    gdpr_applies: bool
    safeguards: str | None
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Category:
    """One class of data, in the tables that hold it."""

    class_: str
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """How long the rows of a table are kept; None is nowhere said."""

    table: str
    how_long: str | None


@dataclass(frozen=True)
class Activity:
    """One entry of the record."""

    code: str
    name: str
    purposes: tuple[Purpose, ...]
    people: tuple[str, ...]
    categories: tuple[Category, ...]
    recipients: tuple[Recipient, ...]
    retention: tuple[Kept, ...]
    security_measures: str


@dataclass(frozen=True)
class Record:
    """The record of processing; `missing` is what it has to say and nobody has told."""

    controller: Controller | None
    activities: tuple[Activity, ...]
    missing: tuple[str, ...]


def records(url: str | None = None) -> Record:
    """Return the record of processing of a database; reads no personal value but the name of the officer.

    Locks: ACCESS SHARE on catalogs and the tables of the catalogue.

    Raises:
        RevisionError: the database has no catalogue.
    """
    with translated(), closing(opened(url)) as connection, connection.cursor() as cursor:
        return _recorded(cursor, read_catalogue(cursor))


def _recorded(cursor: Cursor, catalogue: Catalogue) -> Record:
    controller = next((Controller(*row) for row in asked(cursor, "controller")), None)
    purposes = {row[0]: Purpose(*row) for row in asked(cursor, "purposes")}
    recipients = {row[0]: Recipient(*_tupled(row)) for row in asked(cursor, "recipients")}
    rows = asked(cursor, "activities")
    kept = _kept(catalogue, asked(cursor, "retention"))
    activities = tuple(_activity(row, catalogue, purposes, recipients, kept) for row in rows)
    told = frozenset(code for row in rows for code in (*row[2], *row[4]))
    missing = (
        *_of_controller(controller),
        *_of_recipients(recipients),
        *_of_activities(activities, catalogue, told),
        *_of_codes(rows, purposes, recipients),
    )
    return Record(controller, activities, missing)


def _tupled(row: Sequence[Any]) -> Iterator[Any]:
    return (tuple(value) if isinstance(value, list) else value for value in row)


def _activity(
    row: Sequence[Any],
    catalogue: Catalogue,
    purposes: Mapping[str, Purpose],
    recipients: Mapping[str, Recipient],
    kept: Mapping[str, str | None],
) -> Activity:
    code, name, codes, people, given_to, measures = row
    columns = [one for one in catalogue.columns if one.is_personal and set(one.purposes) & set(codes)]
    tables = dict.fromkeys(one.table_name for one in columns)
    return Activity(
        code,
        name,
        tuple(purposes[one] for one in codes if one in purposes),
        tuple(people),
        tuple(_categories(columns)),
        tuple(recipients[one] for one in given_to if one in recipients),
        tuple(Kept(table, kept.get(table)) for table in tables),
        measures,
    )


def _categories(columns: Sequence[Column]) -> Iterator[Category]:
    for class_ in sorted({one.class_ for one in columns}):
        tables = dict.fromkeys(one.table_name for one in columns if one.class_ == class_)
        yield Category(class_, tuple(tables))


def _kept(catalogue: Catalogue, rules: Sequence[Sequence[Any]]) -> dict[str, str | None]:
    """Return how long the rows of each personal table are kept: by a rule, or with the rows they hang on."""
    said = {(row[0], row[1]): f"{row[2]} from {row[5]}, then {row[3].replace('_', ' ')}" for row in rules}
    own: dict[str, str] = {}
    for column in catalogue.columns:
        for name in (column.table_name, column.table_name.removeprefix("public.")):
            if column.retention_rule is not None and (name, column.retention_rule) in said:
                own[column.table_name] = said[name, column.retention_rule]
    return {
        name: own.get(name) or _until(catalogue, name)
        for name in dict.fromkeys(one.table_name for one in catalogue.columns if one.is_personal)
    }


def _until(catalogue: Catalogue, table: str) -> str | None:
    """Return until when rows that no rule is about are kept: as a column says, or with what they hang on."""
    for column in catalogue.columns_of(table):
        if column.is_personal and "until" in column.strategy_args:
            return f"until {column.strategy_args['until']}"
    above = [
        edge.to_table for edge in catalogue.edges if edge.from_table == table and edge.on_delete == "CASCADE"
    ]
    return f"as long as its row of {above[0]}" if above else None


def _of_controller(controller: Controller | None) -> Iterator[str]:
    if controller is None:
        yield "the controller: INSERT INTO ops.controller (name, address, contact, dpo_name, dpo_contact)"
        return
    for name in ("dpo_name", "dpo_contact"):
        if not getattr(controller, name):
            yield f"the data protection officer: {name} of ops.controller (GDPR art. 37 says who needs none)"


def _of_recipients(recipients: Mapping[str, Recipient]) -> Iterator[str]:
    if not recipients:
        yield "recipients: ops.recipients is empty; whoever hosts the database is one"
    for one in recipients.values():
        if not one.gdpr_applies and not one.safeguards:
            yield f'safeguards of recipient "{one.code}" in {one.country}, where the GDPR does not apply'


def _of_activities(
    activities: Sequence[Activity], catalogue: Catalogue, told: frozenset[str]
) -> Iterator[str]:
    used = sorted({purpose for one in catalogue.columns if one.is_personal for purpose in one.purposes})
    for purpose in used:
        if purpose not in told:
            yield f'an activity with purpose "{purpose}", for which data is processed'
    unsaid = (one.table for activity in activities for one in activity.retention if one.how_long is None)
    for table in dict.fromkeys(unsaid):
        yield f'how long "{table}" is kept: retention_rule of ops.personal_data'


def _of_codes(
    rows: Sequence[Sequence[Any]], purposes: Mapping[str, Purpose], recipients: Mapping[str, Recipient]
) -> Iterator[str]:
    for row in rows:
        for code in row[2]:
            if code not in purposes:
                yield f'purpose "{code}" of activity "{row[0]}"'
        for code in row[4]:
            if code not in recipients:
                yield f'recipient "{code}" of activity "{row[0]}"'
