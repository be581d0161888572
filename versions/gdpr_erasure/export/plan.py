"""Decide what goes into an export, and what of it is somebody else's. No database here.

Rows that are the person's as a whole are given with all their columns: the numbers and times of class "none"
too, without which the rest could not be understood. Of rows of others that mention the person, the columns
about the person are given, and nothing else. A value that names another person is replaced, in the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column, Edge, Kind, Origin

PORTABLE_BASES: Final = frozenset({"consent", "contract"})

# Whose data it is; what is kept of staff in a row about a person is not the person's.
_PEOPLE: Final = "users"
# What the rows of a table that is about nobody are called by, where rows of the person name them.
_NAMING: Final = (
    "name",
    "title",
    "code",
    "label",
    "feature",
    "version",
    "description",
    "explanation",
    "isrc",
)

_SECRET: Final = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|token|api_key|private_key|otp|salt)s?(_(enc|encrypted|hash))?$"
)
_SECRET_TYPES: Final = ("bytea", "text", "character varying")
_DIRECT: Final = frozenset({Kind.FOREIGN_KEY, Kind.COLUMN, Kind.POLYMORPHIC})


class Part(str, Enum):
    """Which rows of a table a part of the export holds."""

    OWN = "own"
    MENTION = "mention"
    REFERENCE = "reference"


class Reason(str, Enum):
    """Why something is not handed out."""

    SECRET = "secret"  # noqa: S105  (a word, no password)
    OTHERS = "others"
    NOT_PORTABLE = "not portable"


@dataclass(frozen=True)
class Wanted:
    """A column of an export.

    shown_if: ways by which its value leads to the person; any other value is of another person, and replaced.
        None where it can name nobody else.
    paths: places in its document, as jsonpath, where a person is named: this one, or another.
    hidden_paths: places where something is named that may be another person's, and nothing tells whose.
    """

    column: Column
    shown_if: tuple[tuple[Edge, ...], ...] | None = None
    is_list: bool = False
    paths: tuple[str, ...] = ()
    hidden_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A column that is held and not handed out, and why."""

    table: str
    column: str
    reason: Reason


@dataclass(frozen=True)
class Planned:
    """Rows of one table that are read together: those that `reach` leads to, without those of `without`."""

    part: Part
    name: str
    reach: Reach
    columns: tuple[Wanted, ...]
    without: Reach | None = None

    @property
    def table(self) -> str:
        """Return the table, as SQL writes it."""
        return self.reach.name


@dataclass(frozen=True)
class Reference:
    """Rows of a table about nobody, which say what exported numbers mean; `edges` lead to its `key`."""

    name: str
    table: str
    key: str
    columns: tuple[Column, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class ExportPlan:
    """What an export holds, table by table, and what it leaves out."""

    article: int
    parts: tuple[Planned, ...]
    references: tuple[Reference, ...] = ()
    left_out: tuple[LeftOut, ...] = field(default=())


def plan_export(
    catalogue: Catalogue, reaches: Sequence[Reach], *, article: int, with_observed: bool = False
) -> ExportPlan:
    """Return what an export under *article* holds of the tables that are reached.

    with_observed: under art. 20, what the person's use of the service left behind too.
    """
    by_name = {reach.name: reach for reach in reaches}
    origins = {Origin.PROVIDED, Origin.OBSERVED} if with_observed else {Origin.PROVIDED}
    parts: list[Planned] = []
    left_out: dict[LeftOut, None] = {}
    for reach in reaches:
        columns = catalogue.columns_of(reach.name)
        chosen = columns if article == 15 else _portable(reach, columns, origins, catalogue.edges)
        if not any(column.is_personal for column in chosen):
            continue
        missing = [column for column in columns if column not in chosen]
        left_out.update(
            dict.fromkeys(
                LeftOut(reach.name, one.name, Reason.NOT_PORTABLE) for one in missing if one.is_personal
            )
        )
        for part in _parts(reach, chosen, catalogue.edges, by_name, article):
            parts.append(part)
        left_out.update(dict.fromkeys(_withheld(reach, chosen, catalogue.edges, by_name)))
    references = _references(catalogue, parts, frozenset(by_name))
    names = _told_apart([*(one.name for one in parts), *(one.name for one in references)])
    named_parts = tuple(replace(one, name=next(names)) for one in parts)
    named_references = tuple(replace(one, name=next(names)) for one in references)
    return ExportPlan(article, named_parts, named_references, tuple(left_out))


def is_secret(column: Column) -> bool:
    """Tell whether a column holds what opens an account: it is named as held and never handed out."""
    if "secret" in column.strategy_args:
        return bool(column.strategy_args["secret"])
    return column.type.startswith(_SECRET_TYPES) and _SECRET.search(column.name) is not None


def _parts(
    reach: Reach, columns: Sequence[Column], edges: Sequence[Edge], by_name: Mapping[str, Reach], article: int
) -> Iterator[Planned]:
    owned = reach.owned()
    if owned is not None:
        wanted = tuple(_wanted(reach, columns, edges, by_name))
        yield Planned(Part.OWN, _bare(reach), owned, wanted)
    for names, mention in reach.mentions():
        # Of a row of somebody else only what is about this person, whatever its key says.
        about = tuple(
            one
            for one in _wanted(reach, [column for column in columns if column.name in names], edges, by_name)
            if one.column.is_personal or article == 15
        )
        if any(one.column.is_personal for one in about):
            yield Planned(Part.MENTION, f"{_bare(reach)}-of-others", mention, about, owned)


def _wanted(
    reach: Reach, columns: Sequence[Column], edges: Sequence[Edge], by_name: Mapping[str, Reach]
) -> Iterator[Wanted]:
    others = frozenset(column.name for column in columns if column.third_party)
    for column in columns:
        if is_secret(column) or column.people != _PEOPLE:
            continue
        naming = [
            edge for edge in edges if edge.from_table == reach.name and column.name in edge.from_columns
        ]
        wanted = _shown(column, naming, reach, by_name, others)
        if wanted is not None:
            yield wanted


def _shown(
    column: Column, naming: Sequence[Edge], reach: Reach, by_name: Mapping[str, Reach], others: frozenset[str]
) -> Wanted | None:
    """Return how the column is shown; None where nothing tells which of its values are another person's."""
    people = [edge for edge in naming if edge.to_table == reach.subject.name]
    things = [edge for edge in naming if edge.to_table in by_name and edge not in people]
    hidden = _paths(things) if column.third_party else ()
    if _paths(people) or hidden:
        return Wanted(column, paths=_paths(people), hidden_paths=hidden)
    if any(edge.kind is Kind.ARRAY for edge in people):
        return Wanted(column, is_list=True)
    # What stands beside another person's key in one reference is of that person too.
    theirs = column.third_party or any(others.intersection(edge.from_columns) for edge in naming)
    told = people or (things if theirs else [])
    ways = tuple(
        (*way, replace(edge, own_columns=None))
        for edge in told
        if edge.kind in _DIRECT
        for way in _ways_to(edge.to_table, reach, by_name)
    )
    if ways:
        return Wanted(column, shown_if=ways)
    return None if column.third_party else Wanted(column)


def _paths(edges: Sequence[Edge]) -> tuple[str, ...]:
    return tuple(edge.json_path for edge in edges if edge.kind is Kind.JSON and edge.json_path)


def _ways_to(table: str, reach: Reach, by_name: Mapping[str, Reach]) -> Sequence[tuple[Edge, ...]]:
    if table == reach.subject.name:
        return [()]
    owned = by_name[table].owned()
    return owned.ways if owned else ()


def _withheld(
    reach: Reach, columns: Sequence[Column], edges: Sequence[Edge], by_name: Mapping[str, Reach]
) -> Iterator[LeftOut]:
    shown = {one.column.name for one in _wanted(reach, columns, edges, by_name)}
    for column in columns:
        if is_secret(column):
            yield LeftOut(reach.name, column.name, Reason.SECRET)
        elif column.name not in shown:
            yield LeftOut(reach.name, column.name, Reason.OTHERS)


def _portable(
    reach: Reach, columns: Sequence[Column], origins: set[Origin], edges: Sequence[Edge]
) -> tuple[Column, ...]:
    """Return the columns that art. 20 is about, with the keys that hold them together; none without such."""
    provided = {
        column.name
        for column in columns
        if column.is_personal and column.origin in origins and column.legal_basis in PORTABLE_BASES
    }
    keys = {*reach.table.key}
    keys.update(
        name
        for edge in edges
        if edge.from_table == reach.name and edge.is_equality
        for name in edge.from_columns
    )
    neutral = {column.name for column in columns if column.name in reach.table.key or not column.is_personal}
    if not provided:
        return ()
    return tuple(column for column in columns if column.name in provided | (keys & neutral))


def _references(
    catalogue: Catalogue, parts: Sequence[Planned], reached: frozenset[str]
) -> tuple[Reference, ...]:
    """Return the tables about nobody that the exported columns name rows of, each once."""
    exported = {(part.table, one.column.name) for part in parts for one in part.columns}
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in dict.fromkeys(catalogue.edges):
        alone = edge.is_equality and len(edge.from_columns) == 1
        if alone and edge.to_table not in reached and (edge.from_table, edge.from_columns[0]) in exported:
            found.setdefault((edge.to_table, edge.to_columns[0]), []).append(edge)
    return tuple(
        Reference(f"reference-{_slug(table)}", table, key, columns, tuple(edges))
        for (table, key), edges in found.items()
        if (columns := _naming(catalogue.columns_of(table), key))
    )


def _naming(columns: Sequence[Column], key: str) -> tuple[Column, ...]:
    """Return what such a table calls its rows by: key and names; none where that is the key alone."""
    if any(column.is_personal for column in columns):
        return ()
    found = tuple(column for column in columns if column.name == key or column.name in _NAMING)
    return found if any(column.name != key for column in found) else ()


def _bare(reach: Reach) -> str:
    table = reach.table
    return _slug(table.relation if table.schema == "public" else f"{table.schema}.{table.relation}")


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.removeprefix("public.").lower()).strip("-.") or "table"


def _told_apart(names: Sequence[str]) -> Iterator[str]:
    """Yield the names, those that are there already with a number, whatever the tables are called."""
    taken: set[str] = set()
    for wanted in names:
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name)
        yield name
