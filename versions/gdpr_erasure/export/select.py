"""Write the statements that read an export. Runs nothing.

A table that is reached by several ways is read way by way, each by its own index, without the rows that an
earlier one gave: with OR between them the server would read the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from psycopg2.sql import SQL, Composable, Composed, Identifier, Literal, Placeholder

from spotify_ai_agent_migrations.versions.gdpr_erasure.export.forms import Form
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.plan import Planned, Reference, Wanted
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.writing import OTHER_PERSON
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Edge
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import (
    ROW,
    Escaped,
    identifier,
    rows_of,
    source_of,
)

_COMMA: Final = SQL(", ")
_REFERENCE: Final = "reference_row"
# The others of a list are replaced one by one; a list of lists comes out as one list.
_LIST: Final = """
CASE WHEN {column} IS NOT NULL THEN
    '[' || (SELECT coalesce(pg_catalog.string_agg(
                       CASE WHEN item.value IS NULL THEN 'null'
                            WHEN item.value::text = {subject}::text THEN pg_catalog.to_json(item.value)::text
                            ELSE {mark} END, ', ' ORDER BY item.place), '')
              FROM pg_catalog.unnest({column}) WITH ORDINALITY AS item (value, place)) || ']'
END"""
_MARK: Final = SQL("pg_catalog.to_json({}::text)::text").format(Literal(OTHER_PERSON))


def conditions(planned: Planned) -> tuple[Composable, ...]:
    """Return a condition for each way to the rows of a part; no row holds for two of them."""
    reach = planned.reach
    ways = (reach,) if reach.loops else tuple(replace(reach, ways=(way,)) for way in reach.ways)
    # What they look like: they have no hash.
    written = tuple({repr(one): one for one in map(rows_of, ways)}.values())
    # An own row is given as such, however often it mentions its person.
    before = () if planned.without is None else (rows_of(planned.without),)
    return tuple(_only(one, (*before, *written[:place])) for place, one in enumerate(written))


def _only(condition: Composable, earlier: Sequence[Composable]) -> Composable:
    if not earlier:
        return condition
    # Not NOT: of a comparison with NULL that makes no row at all.
    return SQL(" AND ").join([condition, *(SQL("({}) IS NOT TRUE").format(one) for one in earlier)])


def select_rows(planned: Planned, forms: Mapping[str, Form], condition: Composable) -> Composed:
    """Return the statement that reads the rows of one way in the order of the key, columns as JSON texts."""
    values = [_value(planned.reach, wanted, forms[wanted.column.name]) for wanted in planned.columns]
    return SQL("SELECT {} FROM {} WHERE {}{}").format(
        _COMMA.join(values), source_of(planned.reach), condition, _order(ROW, planned.reach.table.key)
    )


def count_rows(planned: Planned) -> Composed:
    """Return the statement that counts the rows of all ways."""
    counts = [
        SQL("(SELECT pg_catalog.count(*) FROM {} WHERE {})").format(source_of(planned.reach), one)
        for one in conditions(planned)
    ]
    return SQL("SELECT {}").format(SQL(" + ").join(counts))


def select_reference(reference: Reference, parts: Sequence[Planned], forms: Mapping[str, Form]) -> Composed:
    """Return the statement that reads the rows that exported rows name."""
    named = SQL(" UNION ").join(list(_naming(reference, parts)))
    return SQL("SELECT {} FROM {} AS {} WHERE {} IN ({}){}").format(
        _COMMA.join([_plain(_REFERENCE, one.name, forms[one.name]) for one in reference.columns]),
        Escaped(identifier(reference.table)),
        _name(_REFERENCE),
        _name(_REFERENCE, reference.key),
        named,
        _order(_REFERENCE, (reference.key,)),
    )


def names_any(reference: Reference, planned: Planned) -> bool:
    """Tell whether a part has a column that names rows of the reference."""
    return next(_edges(reference, planned), None) is not None


def _edges(reference: Reference, planned: Planned) -> Iterator[Edge]:
    exported = {one.column.name for one in planned.columns}
    for edge in reference.edges:
        if edge.from_table == planned.table and edge.from_columns[0] in exported:
            yield edge


def _naming(reference: Reference, parts: Sequence[Planned]) -> Iterator[Composable]:
    for planned in parts:
        for edge in _edges(reference, planned):
            for one in conditions(planned):
                yield SQL("SELECT {} FROM {} WHERE {}").format(
                    _name(ROW, edge.from_columns[0]), source_of(planned.reach), one
                )


def tables_of(planned: Planned) -> frozenset[str]:
    """Return every table that reading a part looks into."""
    ways = [*planned.reach.ways, *(planned.without.ways if planned.without else ())]
    ways += [way for wanted in planned.columns for way in wanted.shown_if or ()]
    passed = {edge.to_table for way in ways for edge in way if edge.to_table != planned.reach.subject.name}
    return frozenset({planned.table, *passed})


def _value(reach: Reach, wanted: Wanted, form: Form) -> Composable:
    name = wanted.column.name
    plain = _plain(ROW, name, form)
    if wanted.is_list:
        return SQL(_LIST).format(column=_name(ROW, name), subject=Placeholder("subject"), mark=_MARK)
    if wanted.shown_if is None:
        return plain
    own = rows_of(replace(reach, ways=wanted.shown_if, loops=()))
    # 0 is nobody, wherever a number stands for a person.
    return SQL("CASE WHEN {0} IS NULL THEN NULL WHEN {0}::text = '0' OR {1} THEN {2} ELSE {3} END").format(
        _name(ROW, name), own, plain, _MARK
    )


def _plain(alias: str, name: str, form: Form) -> Composable:
    column: Composable = _name(alias, name)
    if form.is_bytes:
        # As one line: encode breaks it after 76 characters.
        column = SQL("pg_catalog.translate(pg_catalog.encode({}, 'base64'), E'\\n', '')").format(column)
    return SQL("pg_catalog.to_json({})::text").format(column)


def _name(*parts: str) -> Composable:
    return Escaped(Identifier(*parts))


def _order(alias: str, key: Sequence[str]) -> Composable:
    return SQL(" ORDER BY ") + _COMMA.join([_name(alias, name) for name in key]) if key else SQL("")
