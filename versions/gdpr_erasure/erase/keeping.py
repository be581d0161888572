"""Say which rows and columns of a person are kept: by a hold, by a rule, or because kept rows name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import SUBJECT
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Kept
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import located
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.together import together
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column, Edge, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import (
    ROW,
    Escaped,
    identifier,
    joined,
    source_of,
)

_ALL: Final = SQL("true")


@dataclass(frozen=True)
class Held:
    """One hold in force that keeps something of a person.

    table, column: None is every one. key: the columns that name the rows; none is every row.
    """

    number: int
    table: str | None
    column: str | None
    key: tuple[str, ...]
    basis: tuple[str, ...]
    law: str
    until: datetime | None


@dataclass(frozen=True)
class Spare:
    """Rows that stay where the others go, by one hold; `via` names the table whose rows keep them."""

    hold: Held
    condition: Composable
    via: str | None = None


def holds(cursor: Cursor, at: datetime | None) -> tuple[Held, ...]:
    """Return what keeps data of the person that the session is about, now or at an instant."""
    cursor.execute(STATEMENTS["holds"], {"at": at})
    return tuple(
        Held(number, table, column, tuple(key), tuple(basis), law, until)
        for number, table, column, key, basis, law, until in cursor
    )


def of_table(held: Sequence[Held], reach: Reach) -> tuple[Held, ...]:
    """Return the holds that keep something of a table; those on one keep what was detached from it too."""
    return tuple(one for one in held if one.table in {None, reach.name, reach.table.root or reach.name})


def spares(
    catalogue: Catalogue, reaches: Mapping[str, Reach], held: Sequence[Held], table: str
) -> tuple[Spare, ...]:
    """Return what keeps rows of *table* from being deleted, on alias `subject_row`."""
    return tuple(_spares(catalogue, reaches, held, (table,)))


def _spares(
    catalogue: Catalogue, reaches: Mapping[str, Reach], held: Sequence[Held], path: tuple[str, ...]
) -> Iterator[Spare]:
    """Yield the holds on the last table of *path*, and those on rows that name its rows by a foreign key."""
    table = path[-1]
    alias = ROW if len(path) == 1 else f"subject_kept_{len(path)}"
    for hold in of_table(held, reaches[table]):
        yield Spare(hold, keyed(hold, table, alias))
    for edge in catalogue.edges:
        if not _binds(edge, table) or edge.from_table in path or edge.from_table not in reaches:
            continue
        child = f"subject_kept_{len(path) + 1}"
        for spare in _spares(catalogue, reaches, held, (*path, edge.from_table)):
            yield Spare(spare.hold, _named(edge, child, alias, spare.condition), edge.from_table)


def _binds(edge: Edge, table: str) -> bool:
    return bool(edge.constraint) and edge.to_table == table and edge.own_columns is None


def _named(edge: Edge, child: str, parent: str, kept: Composable) -> Composable:
    """Return the condition that a kept row names the row *parent*."""
    return SQL("EXISTS (SELECT FROM {} AS {} WHERE {} AND {})").format(
        Escaped(identifier(edge.from_table)), Escaped(Identifier(child)), joined(edge, child, parent), kept
    )


def keyed(hold: Held, table: str, alias: str = ROW) -> Composable:
    """Return the condition that a row is one that *hold* names; its values stay on the server."""
    if not hold.key:
        return _ALL
    same = [
        SQL("{} = {}").format(Escaped(Identifier(alias, name)), Escaped(Identifier("named", name)))
        for name in hold.key
    ]
    return SQL(
        "EXISTS (SELECT FROM ops.legal_holds AS hold CROSS JOIN LATERAL"
        " pg_catalog.jsonb_populate_record(NULL::{}, hold.row_key) AS named WHERE hold.id = {} AND {})"
    ).format(Escaped(identifier(table)), Literal(hold.number), SQL(" AND ").join(same))


def any_of(found: Sequence[Spare]) -> Composable | None:
    """Return the condition that one of *found* keeps a row; None where there is none."""
    return SQL(" OR ").join([one.condition for one in found]) if found else None


def counted(cursor: Cursor, found: Sequence[Kept]) -> tuple[Kept, ...]:
    """Return what is kept of the person whom the session is about, its rows counted now.

    Locks: ACCESS SHARE on the tables that rows are counted of.
    """
    answers = together(cursor, [one.counting for one in found], {"subject": SUBJECT})
    return tuple(
        replace(one, rows=int(count), until=one.until if one.rule is None else until)
        for one, (count, until) in zip(found, answers, strict=True)
    )


def kept_by_holds(
    cursor: Cursor, reach: Reach, columns: Sequence[Column], found: Sequence[Spare]
) -> Iterator[Kept]:
    """Yield what holds keep of a table, not counted yet."""
    # A row that would be deleted is kept with all that is in it.
    goes = any(one.strategy is Strategy.DELETE for one in columns)
    for spare in found:
        names = tuple(
            one.name for one in columns if goes or spare.via or spare.hold.column in {None, one.name}
        )
        why = f"{spare.hold.law}; named by rows of {spare.via}" if spare.via else spare.hold.law
        yield Kept(
            reach.name,
            names,
            0,
            f"art. 17(3)({', '.join(spare.hold.basis)})",
            why,
            until=spare.hold.until,
            hold=spare.hold.number,
            counting=_counting(reach, spare.condition).as_string(cursor),
        )


def kept_by_catalogue(
    cursor: Cursor, reach: Reach, columns: Sequence[Column], rules: Mapping[tuple[str, str], tuple[str, str]]
) -> Iterator[Kept]:
    """Yield what the catalogue keeps of a table, by why it does, not counted yet; *rules* say how long."""
    grouped: dict[tuple[str, str, str | None], list[str]] = {}
    for one in columns:
        if one.strategy is Strategy.KEEP:
            why = str(one.strategy_args.get("why", ""))
            grouped.setdefault((one.legal_basis or "", why, one.retention_rule), []).append(one.name)
    for (basis, why, rule), names in grouped.items():
        counting = _counting(reach, _ALL, _rule(rules, reach, rule)).as_string(cursor)
        yield Kept(reach.name, tuple(names), 0, basis, why, rule=rule, counting=counting)


def _rule(
    rules: Mapping[tuple[str, str], tuple[str, str]], reach: Reach, rule: str | None
) -> tuple[str, str] | None:
    name = reach.table.root or reach.name
    return rules.get((name, rule or "")) or rules.get((name.removeprefix("public."), rule or ""))


def _counting(reach: Reach, condition: Composable, rule: tuple[str, str] | None = None) -> Composable:
    """Return how to ask for the rows there are, and when the last is over by *rule*: how long, by what."""
    latest: Composable = SQL("NULL")
    if rule is not None:
        latest = SQL("(pg_catalog.max({}::timestamptz) + {}::interval)").format(
            Escaped(Identifier(ROW, rule[1])), Literal(rule[0])
        )
    return SQL(STATEMENTS["kept_rows"]).format(
        latest=latest,
        source=source_of(reach),
        rows=SQL("{} AND ({})").format(located(reach), condition),
    )


def rules(cursor: Cursor) -> dict[tuple[str, str], tuple[str, str]]:
    """Return how long rows are kept, and by which column, by table and rule."""
    cursor.execute(STATEMENTS["retention"])
    return {(table, rule): (keep_for, column) for table, rule, keep_for, column in cursor if column}
