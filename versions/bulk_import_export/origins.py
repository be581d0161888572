"""Read off what the server says of a view or a query what its columns are made of. No database here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

# Whatever would end a word of the tree inside of one has a backslash before it.
_PART: Final = re.compile(r"\\.|[{}()]|[^\\{}()]+", re.DOTALL)
_ENTRY: Final = re.compile(
    r"\s:resno (\d+)\s.*\s:resorigtbl (\d+)\s+:resorigcol (-?\d+)\s+:resjunk false\s*", re.DOTALL
)

# A number of rows, with no call inside: that might be of anything.
_COUNT: Final = re.compile(r"count\((?:\*|(?:DISTINCT )?[^()]*)\)")
# They hand on what is below them, column by column.
_PASSING: Final = ("Limit", "Sort", "Incremental Sort")


def origins_of(tree: str) -> Mapping[int, tuple[int, int]]:
    """Return by number the columns of a view that are columns of a relation as they stand, and which.

    *tree* is `ev_action` of its rule. A column that is made of others, or of several, is left out; the column
    0 of a relation is its whole row.
    """
    found = (_ENTRY.search(entry) for entry in _entries(tree))
    places = (tuple(map(int, one.groups())) for one in found if one is not None)
    return {number: (relation, column) for number, relation, column in places if relation}


def counts_in(plan: Mapping[str, Any], columns: int) -> Sequence[bool]:
    """Tell of the first *columns* of a query whether each is a number of rows, and nothing else.

    *plan* is the outermost node of its plan. Where it cannot be told, none is.
    """
    while plan.get("Node Type") in _PASSING:
        plan = plan["Plans"][0]
    made = plan.get("Output", ()) if plan.get("Node Type") == "Aggregate" else ()
    return [place < len(made) and bool(_COUNT.fullmatch(made[place])) for place in range(columns)]


def _entries(tree: str) -> Iterator[str]:
    """Yield what the entries of the outermost list of columns say, without what is inside of that."""
    depth = lists = 0
    wanted = False
    before, said = "", ""
    for part in _PART.findall(tree):
        if part == "{":
            depth += 1
            said = "" if depth == 2 else said
        elif part == "}":
            depth -= 1
            if depth == 1 and wanted:
                yield said
        elif depth == 1 and part in "()":
            wanted = wanted or (part == "(" and not lists and before.endswith(":targetList "))
            lists += 1 if part == "(" else -1
            wanted = wanted and lists > 0
        elif depth == 2 and not part.startswith("\\"):
            said += part
        before = part
