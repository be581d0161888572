"""Which tables are reached from a person, and by which ways. No database here.

A way begins at the table of people and follows edges against their direction: from the row that is named to
the rows that name it. It visits no table twice, so a cycle is cut where it closes. A way ends at an edge by
which a row of somebody else merely mentions the person: what hangs on that row is not the person's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import SUBJECTS, Catalogue, Edge, Kind, Table

# Ways multiply where tables name each other by several columns; what no query can ask is said in time.
MOST_WAYS: Final = 1_000

Way = tuple[Edge, ...]


@dataclass(frozen=True)
class Reach:
    """A table that is reached, with all ways to it.

    subject: the table of people; `subject_key` is its key, one column.
    ways: each a tuple of edges, the first of which names the subject; the subject itself has one empty way.
    loops: edges from the table to itself, which its rows are followed along, however far.
    """

    table: Table
    subject: Table
    subject_key: str
    ways: tuple[Way, ...]
    loops: tuple[Edge, ...] = ()

    @property
    def name(self) -> str:
        """Return the table's name, as SQL writes it."""
        return self.table.name

    @property
    def depth(self) -> int:
        """Return the number of edges of the longest way: rows are deleted from the deepest table up."""
        return max(len(way) for way in self.ways)

    def owned(self) -> Reach | None:
        """Return it with the ways to rows that are the person's as a whole; None where there is none."""
        return self._with(tuple(way for way in self.ways if _mention(way) is None))

    def mentions(self) -> tuple[tuple[tuple[str, ...], Reach], ...]:
        """Return it once for each set of columns that are about the person in rows of somebody else."""
        grouped: dict[tuple[str, ...], list[Way]] = defaultdict(list)
        for way in self.ways:
            if (columns := _mention(way)) is not None:
                grouped[columns].append(way)
        return tuple(
            (columns, replace(self, ways=tuple(ways), loops=())) for columns, ways in grouped.items()
        )

    def _with(self, ways: tuple[Way, ...]) -> Reach | None:
        return replace(self, ways=ways) if ways else None


def reached(catalogue: Catalogue, subject: str = SUBJECTS) -> tuple[Reach, ...]:
    """Return every table that is reached from *subject*, that one first, with all ways to each.

    Raises:
        TableError: there is no such table, its key is not one column, or too many ways lead to one table.
    """
    start = _start(catalogue, subject)
    tables = {table.name: table for table in catalogue.tables}
    incoming = _incoming(catalogue.edges)
    ways: dict[str, list[Way]] = {subject: [()]}
    for way in _ways(subject, incoming):
        found = ways.setdefault(way[-1].from_table, [])
        found.append(way)
        if len(found) > MOST_WAYS:
            raise TableError(
                f'there are more than {MOST_WAYS} ways from "{subject}" to "{way[-1].from_table}"',
                hint="declare edges that lead nowhere in ops.personal_edges: own_columns => '{}'",
            )
    return tuple(
        Reach(tables[name], start, start.key[0], tuple(found), _loops(name, subject, incoming))
        for name, found in ways.items()
        if name in tables
    )


def _start(catalogue: Catalogue, subject: str) -> Table:
    found = next((table for table in catalogue.tables if table.name == subject), None)
    if found is None:
        raise TableError(f'there is no table "{subject}"', hint="name the table of people, as SQL writes it")
    if len(found.key) != 1:
        raise TableError(
            f'the primary key of "{subject}" is not one column', hint="people are named by one number or text"
        )
    return found


def _incoming(edges: Sequence[Edge]) -> Mapping[str, Sequence[Edge]]:
    """Return the edges that lead on from each table, each once."""
    found: dict[str, list[Edge]] = defaultdict(list)
    for edge in dict.fromkeys(edges):
        if edge.own_columns != ():
            found[edge.to_table].append(edge)
    return found


def _ways(subject: str, incoming: Mapping[str, Sequence[Edge]]) -> Iterator[Way]:
    """Yield every way from *subject* that visits no table twice, short ones first."""
    queue: list[tuple[Way, frozenset[str]]] = [((), frozenset({subject}))]
    for way, visited in queue:
        for edge in incoming.get(way[-1].from_table if way else subject, ()):
            if edge.from_table in visited:
                if not way and edge.from_table == subject:
                    # Another person whose row names this one.
                    yield (_as_mention(edge),)
                elif edge.from_table == edge.to_table and edge.own_columns is not None:
                    # A row of somebody else that names one of these.
                    yield (*way, edge)
                continue
            yield (*way, edge)
            if edge.own_columns is None:
                queue.append(((*way, edge), visited | {edge.from_table}))


def _as_mention(edge: Edge) -> Edge:
    return edge if edge.own_columns is not None else replace(edge, own_columns=edge.from_columns)


def _loops(name: str, subject: str, incoming: Mapping[str, Sequence[Edge]]) -> tuple[Edge, ...]:
    return tuple(
        edge
        for edge in incoming.get(name, ())
        if edge.from_table == name != subject
        and edge.own_columns is None
        and edge.kind in {Kind.FOREIGN_KEY, Kind.COLUMN}
    )


def _mention(way: Way) -> tuple[str, ...] | None:
    return way[-1].own_columns if way else None


def unreached(catalogue: Catalogue, reaches: Sequence[Reach]) -> tuple[str, ...]:
    """Return the tables with columns about the people of the service that none of *reaches* is."""
    found = {reach.name for reach in reaches}
    return tuple(name for name in catalogue.personal() if name not in found)
