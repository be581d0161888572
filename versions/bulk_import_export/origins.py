"""Read off what the server keeps of a view which column of what each of its columns is. No database here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

# Whatever would end a word of the tree inside of one has a backslash before it.
_PART: Final = re.compile(r"\\.|[{}()]|[^\\{}()]+", re.DOTALL)
_ENTRY: Final = re.compile(
    r"\s:resno (\d+)\s.*\s:resorigtbl (\d+)\s+:resorigcol (-?\d+)\s+:resjunk false\s*", re.DOTALL
)


def origins_of(tree: str) -> Mapping[int, tuple[int, int]]:
    """Return by number the columns of a view that are columns of a relation as they stand, and which.

    *tree* is `ev_action` of its rule. A column that is made of others, or of several, is left out; the column
    0 of a relation is its whole row.
    """
    found = (_ENTRY.search(entry) for entry in _entries(tree))
    places = (tuple(map(int, one.groups())) for one in found if one is not None)
    return {number: (relation, column) for number, relation, column in places if relation}


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
