"""Write the four fields of a revision's docstring from its moves. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.moves import (
    Move,
    on_one_line,
)

NEEDS: Final = "ownership of these tables, or membership of agent_owner where they are its own; revision 011"
PLAIN: Final[Mapping[str, str]] = {
    "Locks": "none on a table that was there before",
    "Reverse": "lossy; the rows of the new tables",
    "Data": "none",
    "Needs": "membership of agent_owner",
}


def fields_of(moves: Iterable[Move]) -> dict[str, str]:
    """Return what a reader is told before the revision runs: by name of the field, one sentence each.

    It is written for a docstring: a name of the database ends none, and no line of it.
    """
    every = tuple(moves)
    back = _listed(move.lost_back for move in every)
    lost, fills = (_listed(getattr(move, name) for move in every) for name in ("lost", "fills"))
    data = f"destructive; {lost}" if lost else f"backfill; {fills}" if fills else "none"
    told = {
        "Locks": _locks(every),
        "Reverse": f"lossy; {back}" if back else "lossless",
        "Data": data,
        "Needs": NEEDS,
    }
    return {name: _in_docstring(said) for name, said in told.items()}


def _in_docstring(said: str) -> str:
    return on_one_line(said).replace("\\", r"\\").replace('"""', r"\"\"\"")


def _locks(moves: tuple[Move, ...]) -> str:
    strong = _listed(lock for move in moves for lock in move.strong)
    reads = _listed(table for move in moves for table in move.reads)
    said = (
        strong
        and f"{strong}, each for some milliseconds and waited for no longer than half a second at a time",
        reads and f"SHARE UPDATE EXCLUSIVE on {reads} while rows are read and indexes built or dropped",
    )
    return "; ".join(filter(None, said)) or "none that anybody waits for"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, words)))
