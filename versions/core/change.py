"""Tell from the relations before a statement and after it what it worked on. No database here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

from spotify_ai_agent_migrations.versions.core.measurement import Work

# As a table grows, a query comes to read it by an index; what reads this much does so without.
MANY_ROWS: Final = 1_000

_TABLES: Final = frozenset({"r", "m", "f"})
# These words are in English on every server.
_VALIDATES: Final = "validating foreign key constraint"
_VERIFIES: Final = 'verifying table "{}"'


class Relation(NamedTuple):
    """A relation as `meter_relations` gives it; one that is only locked, or dropped, has no name.

    `name` is as SQL writes it, `schema` and `plain` as they are; `table` is that of an index; `scans` and
    `rows` count how often it was read, and how many rows that was.
    """

    oid: int
    name: str | None
    schema: str | None
    plain: str | None
    kind: str | None
    file: int | None
    tablespace: int | None
    table: int | None
    scans: int
    rows: int
    modes: tuple[str, ...]


Relations = dict[int, Relation]
Held = frozenset[tuple[int, str]]


def held(relations: Relations) -> Held:
    """Return the locks on *relations*: an oid and a mode each."""
    return frozenset((oid, mode) for oid, found in relations.items() for mode in found.modes)


@dataclass(frozen=True)
class Change:
    """The relations before a statement and after it, and its tag.

    `told` is what the server said of its work. Of a query, which may read a small table although an index
    would serve it, `whole` are the tables, by schema and name, that its plan reads from one end to the other;
    what its triggers and functions read counts from MANY_ROWS on.
    """

    before: Relations
    after: Relations
    tag: str
    told: tuple[str, ...] = ()
    is_query: bool = False
    whole: frozenset[tuple[str, str]] = frozenset()

    def work(self, old: Iterable[int], names: Relations) -> tuple[Work, ...]:
        """Return what was worked on; *old* is what the revision found, *names* is what all are called."""
        known = frozenset(old)
        return tuple(
            Work(kind, str(names[oid].name), self._rows(oid), fresh=oid not in known)
            for oid, kind in sorted(self.worked().items())
        )

    def worked(self) -> dict[int, Literal["rewrite", "index build", "scan"]]:
        """Return the tables that were worked on, and the most that was done to each."""
        emptied = {oid for oid in self._refiled if not self._rewritten(oid)}
        found: dict[int, Literal["rewrite", "index build", "scan"]] = {}
        found.update((oid, "scan") for oid in self._read())
        found.update((oid, "index build") for oid in self._built)
        found.update((oid, "rewrite") for oid in self._refiled)
        return {oid: kind for oid, kind in found.items() if oid not in emptied}

    def _read(self) -> set[int]:
        """Return the tables that were read as a whole."""
        read = {oid for oid in self._scanned if not self.is_query or self._is_whole(oid)}
        read |= {oid for oid, found in self.after.items() if (found.schema, found.plain) in self.whole}
        read |= {found.table for oid, found in self._indexes.items() if found.table and self._is_many(oid)}
        if any(_VALIDATES in line for line in self.told):
            # The server may join the two tables of a foreign key by their indexes.
            read |= self._scanned
            read |= {found.table for oid, found in self._indexes.items() if found.table and self._scans(oid)}
        if self.tag == "ANALYZE":
            # Which reads a sample, and does not count it.
            taken = held(self.after) - held(self.before)
            read |= {oid for oid, mode in taken if mode == "ShareUpdateExclusiveLock"}
        return {oid for oid in read if oid in self.after and self.after[oid].name}

    @cached_property
    def _scanned(self) -> set[int]:
        """The tables that were read other than by an index."""
        return {oid for oid, found in self.after.items() if found.kind in _TABLES and self._scans(oid)}

    def _is_whole(self, oid: int) -> bool:
        """Tell whether a query, or what it called, would have read the table as a whole at any size."""
        found = self.after[oid]
        verified = _VERIFIES.format(found.plain)
        return self._is_many(oid) or any(verified in line for line in self.told)

    def _is_many(self, oid: int) -> bool:
        return self.is_query and self._rows(oid) >= MANY_ROWS

    @cached_property
    def _refiled(self) -> set[int]:
        """The tables that are in another file than before."""
        return {
            oid
            for oid, found in self.after.items()
            if found.kind in _TABLES and oid in self.before and self.before[oid].file != found.file
        }

    def _rewritten(self, oid: int) -> bool:
        """Tell a rewrite from TRUNCATE, which reads a table for nothing but its new, empty indexes."""
        found = self.after[oid]
        if self.tag == "TRUNCATE TABLE":
            return False
        if found.kind == "m" or self.before[oid].tablespace != found.tablespace:
            return True
        searches = sum(self._scans(index) for index, one in self._indexes.items() if one.table == oid)
        return self._scans(oid) + searches > self._built.count(oid)

    @cached_property
    def _built(self) -> list[int]:
        """The table of each index that is in a file which no relation had before."""
        files = {found.file for found in self.before.values()}
        return [found.table for found in self._indexes.values() if found.table and found.file not in files]

    @cached_property
    def _indexes(self) -> Relations:
        return {oid: found for oid, found in self.after.items() if found.kind == "i" and found.file}

    def _scans(self, oid: int) -> int:
        return self.after[oid].scans - (self.before[oid].scans if oid in self.before else 0)

    def _rows(self, oid: int) -> int:
        return self.after[oid].rows - (self.before[oid].rows if oid in self.before else 0)
