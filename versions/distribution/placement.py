"""Decide where each table lives: on every node, on the coordinator, or spread by a column. No database here.

The map is lines such as these; a later line wins, and what no line names is derived from the catalogue:

    public.countries  reference
    ops.*             local
    public.users      distributed by id
    public.consent    distributed by user_id with public.users
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, Literal

from spotify_ai_agent_migrations.versions.core.errors import SettingsError, TableError
from spotify_ai_agent_migrations.versions.distribution.plan import Catalogue, Column, Table
from spotify_ai_agent_migrations.versions.governance.finding import visible

SUBJECT: Final = "user_id"
# What the package's own tables need said: the first has no subject; the second is too large to be everywhere,
# and partitioned, which a reference table cannot be. Ignored where there is no such table or column.
_OWN: Final = (
    "public.alembic_version local",
    "ops.* local",
    "public.audit_log distributed by entity_id",
    "public.track_embeddings distributed by track_id",
)

_NAME: Final = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_LINE: Final = re.compile(
    rf"""\s* (?:(?P<schema>{_NAME})\.)? (?P<table>{_NAME}|\*)
         \s+ (?: (?P<kind>reference|local)
               | distributed \s+ by \s+ (?P<column>{_NAME})
                 (?: \s+ with \s+ (?:(?P<with_schema>{_NAME})\.)? (?P<with_table>{_NAME}) )? )
         \s* (?:\#.*)?""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Place:
    """Where a table lives. `column` is what it is distributed by, `group` the table it is co-located with."""

    kind: Literal["reference", "local", "distributed"]
    column: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of a map, its names as they are; `table` is None for all of a schema."""

    schema: str
    table: str | None
    place: Place
    group: tuple[str, str] | None = None
    spoken: str = field(default="", compare=False)

    def names(self, table: Table) -> bool:
        """Tell whether the line is about *table*."""
        return table.schema == self.schema and self.table in {None, table.name}


@dataclass(frozen=True)
class Layout:
    """A catalogue and the place of each table that is no partition; who has none is undecided."""

    catalogue: Catalogue
    places: Mapping[str, Place]
    subject: str = SUBJECT

    def place(self, table: Table) -> Place | None:
        """Return the place of *table*, for a partition that of its root."""
        return self.places.get(table.root or table.qualified)

    def of_kind(self, *kinds: str) -> Iterator[Table]:
        """Yield the tables of these kinds, partitions too."""
        for table in self.catalogue.tables:
            place = self.place(table)
            if place is not None and place.kind in kinds:
                yield table

    def roots(self, *kinds: str) -> Iterator[Table]:
        """Yield the tables of these kinds that are no partitions."""
        return (table for table in self.of_kind(*kinds) if table.root is None)

    def distributed(self) -> Iterator[tuple[Table, Column]]:
        """Yield the distributed tables, partitions too, with the column, where it is there."""
        for table in self.of_kind("distributed"):
            column = self.distribution_column(table)
            if column is not None:
                yield table, column

    def distribution_column(self, table: Table) -> Column | None:
        """Return the column that *table* is distributed by; None if it is not, or has no such column."""
        place = self.place(table)
        return table.column(place.column) if place is not None and place.column is not None else None

    def leader(self, table: Table) -> str:
        """Return the table that leads the co-location group of *table*."""
        place = self.place(table)
        return (place.group if place else None) or table.root or table.qualified

    def undecided(self) -> tuple[Table, ...]:
        """Return the tables without a place."""
        return tuple(table for table in self.catalogue.tables if self.place(table) is None)


def read_map(text: str, *, source: str) -> tuple[Line, ...]:
    """Return the lines of a map; empty lines, and what follows `#`, say nothing.

    Raises:
        SettingsError: a line is not one of a map; names *source* and the line.
    """
    found = []
    for number, spoken in enumerate(text.splitlines(), 1):
        if spoken.strip() and not spoken.lstrip().startswith("#"):
            found.append(_read_line(spoken, f"{source} line {number}"))
    return tuple(found)


def place_tables(catalogue: Catalogue, lines: Iterable[Line] = (), *, subject: str = SUBJECT) -> Layout:
    """Return where each table of *catalogue* lives: by *lines*, else by the package's own, else derived.

    Derived is: a table whose primary key holds *subject* is distributed by it, together with the table that
    foreign keys on it point at; one that has the column elsewhere is undecided; all others are for reference.

    Raises:
        TableError: a line names a table that is not there.
        SettingsError: a line puts a table together with one that is not distributed.
    """
    given = tuple(lines)
    roots = [table for table in catalogue.tables if table.root is None]
    for line in given:
        _refuse_unknown(line, roots)
    fixed = {**_said(_own(roots), roots), **_said(given, roots)}
    places = {**_derived(roots, fixed, subject), **fixed}
    for line in given:
        _refuse_stranger(line, places, catalogue)
    return Layout(catalogue, {name: _led(name, place, places) for name, place in places.items()}, subject)


def map_lines(layout: Layout) -> tuple[str, ...]:
    """Return the map as it is used, a line a table, fit to be read again; the undecided as comments."""
    width = max((len(name) for name in layout.places), default=0)
    decided = {
        name: f"{name:<{width}}  {_spoken(layout, name, place)}" for name, place in layout.places.items()
    }
    undecided = {
        table.qualified: f"# {table.qualified} is undecided: say reference, local or distributed by …"
        for table in layout.undecided()
        if table.root is None
    }
    return tuple(visible(line) for _, line in sorted({**decided, **undecided}.items()))


def _spoken(layout: Layout, name: str, place: Place) -> str:
    if place.kind != "distributed":
        return place.kind
    table = layout.catalogue.table(name)
    column = table.column(place.column or "") if table else None
    written = column.quoted if column else f'"{place.column}"'
    return f"distributed by {written}{f' with {place.group}' if place.group else ''}"


def _derived(roots: Sequence[Table], fixed: Mapping[str, Place], subject: str) -> dict[str, Place]:
    """Return the places that the catalogue itself tells, beside those that are *fixed*."""
    places = {table.qualified: place for table in roots if (place := _by_key(table, subject)) is not None}
    root = _subject_root(roots, subject)
    if root is not None and fixed.get(root[0], Place("distributed")).kind == "distributed":
        places[root[0]] = Place("distributed", root[1])
    else:
        root = None
    spread = [name for name, place in places.items() if place.column == subject and name not in fixed]
    leader = root[0] if root else min(spread, default=None)
    together = {name: Place("distributed", subject, leader) for name in spread if name != leader}
    return {**places, **together}


def _by_key(table: Table, subject: str) -> Place | None:
    key = table.primary_key
    if key is not None and subject in key.columns:
        return Place("distributed", subject)
    return None if table.column(subject) else Place("reference")


def _subject_root(roots: Sequence[Table], subject: str) -> tuple[str, str] | None:
    """Return the table and the column that most foreign keys on *subject* alone point at."""
    known = {table.qualified for table in roots}
    targets = Counter(
        (key.target, key.target_columns[0])
        for table in roots
        for key in table.foreign_keys
        if key.columns == (subject,) and key.target in known - {table.qualified}
    )
    return min(targets, key=lambda target: (-targets[target], target), default=None)


def _own(roots: Iterable[Table]) -> tuple[Line, ...]:
    """Return the package's own lines, without those that speak of a column which is not there."""
    lines = read_map("\n".join(_OWN), source="the package's map")
    return tuple(
        line
        for line in lines
        if line.place.column is None
        or any(line.names(table) and table.column(line.place.column) for table in roots)
    )


def _said(lines: Iterable[Line], roots: Iterable[Table]) -> dict[str, Place]:
    by_name = {(table.schema, table.name): table.qualified for table in roots}
    return {
        table.qualified: Place(
            line.place.kind, line.place.column, by_name.get(line.group) if line.group else None
        )
        for line in lines
        for table in roots
        if line.names(table)
    }


def _led(name: str, place: Place, places: Mapping[str, Place]) -> Place:
    """Return *place* with the table that leads its whole group; who leads is with nobody."""
    seen, leader = [name], place.group
    while leader is not None and (above := places[leader].group) is not None and leader not in seen:
        seen.append(leader)
        leader = above
    # In a circle, the first by name leads.
    leader = min(seen) if leader in seen else leader
    return Place(place.kind, place.column, None if leader == name else leader)


def _read_line(spoken: str, where: str) -> Line:
    found = _LINE.fullmatch(spoken)
    if found is None:
        raise SettingsError(
            f"{where} does not say where a table lives",
            hint='write "public.users distributed by id", "public.countries reference", "ops.* local" or '
            '"public.consent distributed by user_id with public.users"',
        )
    kind = found["kind"] or "distributed"
    assert kind in {"reference", "local", "distributed"}
    group = (
        (_name(found["with_schema"] or "public"), _name(found["with_table"])) if found["with_table"] else None
    )
    return Line(
        schema=_name(found["schema"] or "public"),
        table=None if found["table"] == "*" else _name(found["table"]),
        place=Place(kind, _name(found["column"]) if found["column"] else None),  # type: ignore[arg-type]
        group=group,
        spoken=where,
    )


def _name(written: str) -> str:
    """Return the name that *written* means in SQL."""
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()


def _refuse_unknown(line: Line, roots: Iterable[Table]) -> None:
    names = {(table.schema, table.name): table.qualified for table in roots}
    for schema, name in [(line.schema, line.table or ""), line.group or (line.schema, "")]:
        if name and (schema, name) not in names:
            near = get_close_matches(f"{schema}.{name}", names.values(), n=3)
            raise TableError(
                f'{line.spoken}: there is no table "{schema}.{name}", or it is a partition',
                hint=f"did you mean {' or '.join(near)}?"
                if near
                else "`agentdb distribution map` lists the tables",
            )


def _refuse_stranger(line: Line, places: Mapping[str, Place], catalogue: Catalogue) -> None:
    """Refuse to put a table together with one that is not distributed."""
    leader = catalogue.find(*line.group) if line.group else None
    place = places.get(leader.qualified) if leader else None
    if leader is not None and (place is None or place.kind != "distributed"):
        raise SettingsError(
            f'{line.spoken}: table "{leader.qualified}" is not distributed',
            hint=f"say by which column: {leader.qualified} distributed by …",
        )
