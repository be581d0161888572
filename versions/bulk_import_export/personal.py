"""Tell which columns of a relation or a query hold personal data, and whose they are. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL, classes_of
from spotify_ai_agent_migrations.versions.bulk_import_export.origins import origins_of

_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Holding:
    """The relations whose personal data a column holds; not *sure* is that it may, being made of others."""

    relations: frozenset[int] = _NOTHING
    sure: bool = True

    @property
    def is_personal(self) -> bool:
        """Whether it holds any."""
        return bool(self.relations)


class Holdings:
    """Looks up what columns hold, each relation once.

    A column holds what its comment says; else what that of the table says that it comes from: of which its
    table is a partition or an heir, or which a view reads. What is made of others holds what any of the
    relations holds that are read for it, but a generated column what those do that it is made of.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._known: dict[int, Mapping[int, Holding]] = {}

    def of_relation(self, relation: int) -> Mapping[int, Holding]:
        """Return what the columns of *relation* hold, by number."""
        if relation not in self._known:
            # One that is met again on the way, which the server does not let happen, would hold nothing.
            self._known[relation] = {}
            self._known[relation] = self._looked_up(relation)
        return self._known[relation]

    def of_query(self, columns: Iterable[tuple[int | None, int | None]]) -> tuple[Holding, ...]:
        """Return what the columns of the query hold that was just executed.

        *columns* are the relation and the number of the column there that the server says each comes from.
        """
        return tuple(self._of_value(relation, number, self.locked) for relation, number in columns)

    def locked(self) -> Sequence[int]:
        """Return the relations that this transaction has read: the server keeps a lock on each to its end."""
        self._cursor.execute(SQL["locked_relations"])
        return [relation for (relation,) in self._cursor.fetchall()]

    def of_functions(self, before: Sequence[int]) -> Holding:
        """Return what was read that holds personal data since the transaction had read *before*.

        What a query or a view reads is locked before its first row: what comes behind, its functions read.
        """
        return Holding(self._of_any(self.locked()) - self._of_any(before), sure=False)

    def may_keep(self, holdings: Iterable[Holding]) -> bool:
        """Tell whether the login owns all that is held, or is there to see personal data."""
        relations = sorted({one for held in holdings for one in held.relations})
        self._cursor.execute(SQL["may_keep_personal"], {"relations": relations})
        row = self._cursor.fetchone()
        return bool(row and row[0])

    def _looked_up(self, relation: int) -> Mapping[int, Holding]:
        self._cursor.execute(SQL["view"], {"relation": relation})
        row = self._cursor.fetchone()
        origins = origins_of(row[0]) if row is not None else {}
        classes = {number: data_class for _, number, _, data_class in classes_of(self._cursor, [relation])}
        held = {
            number: Holding(frozenset({relation}) if data_class != "none" else _NOTHING)
            for number, data_class in classes.items()
        }
        for number, personal in self._generated(relation, held):
            held.setdefault(number, Holding(personal, sure=False))
        for number in row[1] if row is not None else ():
            if number not in held:
                source, column = origins.get(number, (None, None))
                held[number] = self._of_value(source, column, lambda: [relation])
        return held

    def _generated(self, relation: int, held: Mapping[int, Holding]) -> Sequence[tuple[int, frozenset[int]]]:
        """Return the generated columns of a table, and what those hold that they are made of."""
        self._cursor.execute(SQL["generated_from"], {"relation": relation})
        return [
            (number, _NOTHING.union(*(held.get(source, Holding()).relations for source in sources)))
            for number, sources in self._cursor.fetchall()
        ]

    def _of_value(
        self, relation: int | None, number: int | None, read: Callable[[], Sequence[int]]
    ) -> Holding:
        if not relation:
            return Holding(self._of_any(read()), sure=False)
        if not number:
            return Holding(self._of_any([relation]), sure=False)
        return self.of_relation(relation).get(number, Holding())

    def _of_any(self, relations: Sequence[int]) -> frozenset[int]:
        """Return those of *relations*, and of what they read if they are views, that hold personal data."""
        self._cursor.execute(SQL["read_by_views"], {"relations": [*relations]})
        every = [relation for (relation,) in self._cursor.fetchall()]
        classes = classes_of(self._cursor, every)
        return frozenset(relation for relation, _, _, data_class in classes if data_class != "none")
