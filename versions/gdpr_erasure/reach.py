"""Write the condition that holds for the rows of one person. Runs nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from psycopg2.sql import SQL, Composable, Identifier, Literal, Placeholder

from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, Way
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Edge, Kind

ROW: Final = "subject_row"
_SUBJECT: Final = Placeholder("subject")
_PART: Final = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')


class Escaped(Composable):
    """A part of a statement that is executed with parameters, where a % of a name has to be written twice."""

    def __init__(self, part: Composable) -> None:
        super().__init__(part)
        self._part = part

    def as_string(self, context: Any) -> str:  # noqa: ANN401  (psycopg2's signature)
        """Return it as the driver takes it."""
        return self._part.as_string(context).replace("%", "%%")


def _name(*parts: str) -> Composable:
    return Escaped(Identifier(*parts))


def _value(value: str | None) -> Composable:
    return Escaped(Literal(value))


def rows_of(reach: Reach) -> Composable:
    """Return a condition on alias `subject_row` that holds for the rows of the person `%(subject)s`.

    Every name in it is qualified. Its parameter is the key of the person, of the key's own type; a statement
    that it is put into is executed with parameters, and names of its own are `Escaped`.
    """
    ways = [_way(reach, way, ROW, f"{ROW}_{n}") for n, way in enumerate(reach.ways)]
    return SQL("({})").format(_or([*ways, *(_below(reach, loop) for loop in reach.loops)]))


def source_of(reach: Reach, alias: str = ROW) -> Composable:
    """Return what stands after FROM: the table under its alias, without rows of its heirs."""
    return SQL("{only}{table} AS {alias}").format(
        only=SQL("ONLY " if reach.table.has_heirs else ""),
        table=Escaped(identifier(reach.name)),
        alias=_name(alias),
    )


def identifier(name: str) -> Identifier:
    """Return the identifier of a table whose *name* is as SQL writes it: `public."Odd one"`."""
    parts = [quoted.replace('""', '"') if quoted else bare for quoted, bare in _PART.findall(name)]
    return Identifier(*parts)


def _way(reach: Reach, way: Way, alias: str, prefix: str) -> Composable:
    """Return the condition on *alias* that one way leads to; parents are called *prefix* and a number."""
    if not way:
        return SQL("{} = {}").format(_name(alias, reach.subject_key), _SUBJECT)
    *before, edge = way
    direct = _direct(reach, before, edge, alias)
    if direct is not None:
        return direct
    parent = f"{prefix}_{len(way)}"
    return SQL("EXISTS (SELECT FROM {table} AS {parent} WHERE {joined} AND {above})").format(
        table=Escaped(identifier(edge.to_table)),
        parent=_name(parent),
        joined=joined(edge, alias, parent),
        above=_way(reach, tuple(before), parent, prefix),
    )


def _direct(reach: Reach, before: Sequence[Edge], edge: Edge, alias: str) -> Composable | None:
    """Return the condition that asks no other table, where *edge* is by the person's own key."""
    above = _bearer(reach, before)
    here = {there: here for here, there in edge.pairs}.get(above or "")
    if above is None or here is None or not (edge.is_equality or len(edge.pairs) == 1):
        return None
    return _and([_names(edge, _name(alias, here), _SUBJECT), *_told(edge, alias)])


def _bearer(reach: Reach, way: Sequence[Edge]) -> str | None:
    """Return the column of the last table that holds the person's key itself, if every edge hands it down."""
    column = reach.subject_key
    for edge in way:
        held = {there: here for here, there in edge.pairs}
        if not edge.is_equality or column not in held:
            return None
        column = held[column]
    return column


def joined(edge: Edge, child: str, parent: str) -> Composable:
    """Return the condition that a row *child* names the row *parent*."""
    named = [_names(edge, _name(child, here), _name(parent, there)) for here, there in edge.pairs]
    return _and([*named, *_told(edge, child)])


def _told(edge: Edge, child: str) -> list[Composable]:
    """Return the condition that a row *child* is of the kind that the edge is about, if there are several."""
    if edge.discriminator_column is None:
        return []
    column = _name(child, edge.discriminator_column)
    return [SQL("{}::text = {}").format(column, _value(edge.discriminator_value))]


def _and(conditions: Sequence[Composable]) -> Composable:
    return SQL(" AND ").join(conditions)


def _or(conditions: Sequence[Composable]) -> Composable:
    return SQL(" OR ").join([SQL("({})").format(one) for one in conditions])


def _names(edge: Edge, here: Composable, there: Composable) -> Composable:
    match edge.kind:
        case Kind.ARRAY:
            form = "{here} @> ARRAY[{there}::{element}]"
        case Kind.JSON:
            form = (
                "EXISTS (SELECT FROM"
                " pg_catalog.jsonb_path_query({here}::jsonb, {path}::jsonpath, '{{}}', true) AS item"
                " WHERE item #>> '{{}}' = {there}::text)"
            )
        case _ if edge.compares_text:
            form = "{here}::text = {there}::text"
        case _:
            form = "{here} = {there}"
    return SQL(form).format(
        here=here, there=there, path=_value(edge.json_path), element=Escaped(SQL(edge.element_type or "text"))
    )


def _below(reach: Reach, loop: Edge) -> Composable:
    """Return the condition of the rows below those of the ways, along an edge to the table itself."""
    base = "subject_base"
    return SQL(
        "({same}) IN (WITH RECURSIVE subject_tree AS ("
        "SELECT {columns} FROM {table} AS subject_base WHERE {found} "
        "UNION SELECT {below} FROM {table} AS subject_child JOIN subject_tree ON {joined}) "
        "SELECT {tree} FROM subject_tree)"
    ).format(
        same=_columns(ROW, loop.to_columns),
        columns=_columns(base, loop.to_columns),
        table=Escaped(identifier(reach.name)),
        found=_or([_way(reach, way, base, f"{base}_{n}") for n, way in enumerate(reach.ways)]),
        below=_columns("subject_child", loop.to_columns),
        joined=joined(loop, "subject_child", "subject_tree"),
        tree=_columns("subject_tree", loop.to_columns),
    )


def _columns(alias: str, names: Sequence[str]) -> Composable:
    return SQL(", ").join([_name(alias, name) for name in names])
