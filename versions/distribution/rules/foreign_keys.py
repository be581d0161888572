"""Rules about foreign keys: both rows have to be on one node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.distribution.finding import DDL, Draft, error, rule
from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.distribution.plan import Column, ForeignKey, Table


@dataclass(frozen=True)
class _Link:
    """A foreign key, the tables at both ends, the kinds of their places and their distribution columns."""

    table: Table
    key: ForeignKey
    target: Table
    here: str
    there: str
    column: Column | None
    target_column: Column | None
    together: bool

    @property
    def drop(self) -> str:
        """The statement that drops it."""
        return f"ALTER TABLE {self.table.qualified} DROP CONSTRAINT {self.key.quoted};"

    @property
    def keeps(self) -> bool:
        """Whether it changes no row by itself."""
        return {self.key.on_delete, self.key.on_update} <= {"NO ACTION", "RESTRICT"}

    def refused(self, problem: str, hint: str) -> Draft:
        """Return a draft about it; whatever is wrong with one is refused when the table is distributed."""
        shown = f'foreign key "{self.key.name}" {problem}'
        return error(self.table.qualified, shown, hint, of=("foreign key", self.key.name))


def _links(layout: Layout) -> Iterator[_Link]:
    for table in layout.catalogue.tables:
        for key in table.foreign_keys:
            target = layout.catalogue.table(key.target)
            here, there = layout.place(table), layout.place(target) if target is not None else None
            if target is not None and here is not None and there is not None:
                column, target_column = layout.distribution_column(table), layout.distribution_column(target)
                both = here.kind == there.kind == "distributed"
                together = both and layout.leader(table) == layout.leader(target)
                yield _Link(table, key, target, here.kind, there.kind, column, target_column, together)


@rule(
    "CIT009",
    citus="refuses the foreign key: from a reference or local table to a distributed one, from that to a "
    "local one, and from a reference to a local one if it changes rows",
    see=DDL,
)
def ban_foreign_key_across_kinds(layout: Layout) -> Iterator[Draft]:
    """No foreign key goes from a reference or local table to a distributed one, nor from that to a local."""
    for link in _links(layout):
        table, target = link.table.qualified, link.target.qualified
        if link.there == "distributed" and link.here != "distributed":
            problem = f"points from a {link.here} table at {target}, which is distributed"
            yield link.refused(problem, f"distribute {table} with it in the map, or {link.drop}")
        elif link.there == "local" and link.here == "distributed":
            problem = f"points from a distributed table at {target}, which is local"
            yield link.refused(problem, f"say in the map: {target} reference, or {link.drop}")
        elif link.there == "local" and link.here == "reference" and not link.keeps:
            problem = f"changes rows of a reference table with those of {target}, which is local"
            yield link.refused(problem, f"say in the map: {target} reference, or {link.drop}")


@rule(
    "CIT010",
    citus="refuses the foreign key as not colocated: both tables have to be in one group",
    see=DDL,
)
def require_colocated_foreign_key(layout: Layout) -> Iterator[Draft]:
    """Between distributed tables, a foreign key joins two that are together."""
    for link in _links(layout):
        if link.here == link.there == "distributed" and not link.together:
            place = f"{link.table.qualified} distributed by … with {layout.leader(link.target)}"
            yield link.refused(
                f"points at {link.target.qualified}, which is distributed apart from it",
                f"say in the map: {place}, or {link.drop}",
            )


@rule(
    "CIT011",
    citus="refuses the foreign key: it may point at a reference table, or at a co-located one if it joins "
    "both distribution columns",
    see=DDL,
)
def require_column_in_foreign_key(layout: Layout) -> Iterator[Draft]:
    """Between tables that are together, a foreign key joins their distribution columns to one another."""
    for link in _links(layout):
        here, there = link.column, link.target_column
        if here is None or there is None or not link.together:
            continue
        if (here.name, there.name) not in zip(link.key.columns, link.key.target_columns, strict=True):
            joined = f'"{there.name}" of {link.target.qualified}'
            cascades = "" if link.keeps else f" and do what ON DELETE {link.key.on_delete} did"
            yield link.refused(
                f'does not join distribution column "{here.name}" to {joined}',
                f"let those who write check it{cascades}: {link.drop}",
            )


@rule(
    "CIT012",
    citus="refuses the foreign key: ON DELETE may set nothing if the distribution column is in it, and no "
    "default that a sequence gives",
    see=DDL,
)
def ban_setting_of_foreign_key(layout: Layout) -> Iterator[Draft]:
    """ON DELETE sets nothing where the key holds the distribution column, and nothing a sequence numbers."""
    for link in _links(layout):
        if link.here == "local" or link.key.on_delete not in {"SET NULL", "SET DEFAULT"}:
            continue
        if link.column is not None and link.column.name in link.key.columns:
            held = f'holds distribution column "{link.column.name}"'
            yield link.refused(f"{held} and says ON DELETE {link.key.on_delete}", _unset(link))
        elif numbered := _numbered(link):
            yield link.refused(f'sets column "{numbered}" to a default that a sequence gives', _unset(link))


def _unset(link: _Link) -> str:
    """Return the statements after which the foreign key sets nothing."""
    kept = re.sub(r" ON DELETE SET (?:NULL|DEFAULT)(?: \([^)]*\))?", "", link.key.definition, count=1)
    add = f"ALTER TABLE {link.table.qualified} ADD CONSTRAINT {link.key.quoted} {kept};"
    return f"{link.drop} {add} whoever deletes from {link.target.qualified} then sets the column first"


def _numbered(link: _Link) -> str | None:
    """Return a column of the foreign key whose default is a sequence, if ON DELETE sets defaults."""
    if link.key.on_delete != "SET DEFAULT":
        return None
    columns = (link.table.column(name) for name in link.key.columns)
    return next((column.name for column in columns if column is not None and column.sequence), None)
