"""What one difference comes to: a call of `ops` there, and the calls back. No database here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

_WIDTH: Final = 100


class Half(str, Enum):
    """Which revision a move is of: old code runs with what `EXPAND` makes, and no longer with the others."""

    EXPAND = "expand"
    CONTRACT = "contract"
    REMOVE = "remove"


class Rank(IntEnum):
    """In which order moves are made; a column that is exchanged goes after what is to come along."""

    CONTRACT_TYPE = 0
    LOOSEN = 10
    COLUMN = 20
    NULLABLE = 30
    DEFAULT = 40
    COMMENT = 50
    INDEX = 60
    NOT_NULL = 70
    UNIQUE = 80
    FOREIGN_KEY = 90
    EXPAND_TYPE = 100
    EXCHANGED_RULE = 105
    DROP_INDEX = 110
    DROP_COLUMN = 120
    DROP_TABLE = 130


@dataclass(frozen=True)
class Move:
    """A call there and the calls back, with what the docstring of their revision has to say of them.

    `strong` are the tables it locks for milliseconds, as "MODE on table"; `reads` those that it reads, or
    builds an index of, beside everybody; `fills` what it writes into rows, `lost` what is gone after it, and
    `lost_back` what the way back loses. `notes` are comments above the call.
    """

    half: Half
    rank: Rank
    there: tuple[str, ...]
    back: tuple[str, ...]
    strong: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    fills: str = ""
    lost: str = ""
    lost_back: str = ""
    notes: tuple[str, ...] = ()


def call(operation: str, *positional: object, **named: object) -> str:
    """Return a call of `ops` as text, a line an argument where it is long; what is empty is left out."""
    given = [written(value) for value in positional]
    given += [
        f"{name}={written(value)}" for name, value in named.items() if value not in (None, "", (), False)
    ]
    whole = f"ops.{operation}({', '.join(given)})"
    if len(whole) <= _WIDTH:
        return whole
    return "\n".join((f"ops.{operation}(", *(f"    {one}," for one in given), ")"))


def comment(note: str) -> tuple[str, ...]:
    """Return a note as lines that are comments, each, whatever a name in it holds."""
    return tuple(f"# {on_one_line(line)}" for line in note.split("\n"))


def on_one_line(text: str) -> str:
    """Return a text in which what ends a line, or is not seen, is written as Python would."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def written(value: object) -> str:
    """Return a value as Python writes it, and the formatter would have it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{written(key)}: {written(one)}' for key, one in value.items())}}}"
    if isinstance(value, str):
        shown = repr(value)
        # As the formatter would have it.
        return f'"{shown[1:-1]}"' if shown.startswith("'") and '"' not in shown else shown
    return repr(value)
