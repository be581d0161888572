"""Ask for the rows of several tables in one statement; each by itself costs a round trip and a beginning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Literal

# However many there are, none of them is too long a statement, nor waits too long for the others.
_MOST: Final = 25


def together(
    cursor: Cursor, queries: Sequence[str | Composable], values: Mapping[str, object]
) -> tuple[tuple[Any, ...], ...]:
    """Return the row of each of *queries*, in their order; each has one, and their types are the same.

    values: the parameters of all of them. Locks: as theirs, to the end of the transaction.
    """
    return tuple(
        row
        for first in range(0, len(queries), _MOST)
        for row in _asked(cursor, queries[first : first + _MOST], values)
    )


def _asked(
    cursor: Cursor, queries: Sequence[str | Composable], values: Mapping[str, object]
) -> Iterator[tuple[Any, ...]]:
    parts = [
        SQL("SELECT {}, answer.* FROM ({}) AS answer").format(Literal(place), _composed(query))
        for place, query in enumerate(queries)
    ]
    cursor.execute(SQL(" UNION ALL ").join(parts), values)
    for _, *row in sorted(cursor.fetchall(), key=lambda one: int(one[0])):
        yield tuple(row)


def _composed(query: str | Composable) -> Composable:
    return SQL(query) if isinstance(query, str) else query
