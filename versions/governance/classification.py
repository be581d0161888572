"""The classes a column can have, and how its comment says so."""

from __future__ import annotations

import re
from typing import Final

CLASSES: Final = ("none", "identifier", "contact", "location", "behavioural", "content", "derived")

CHOICE: Final = f"{', '.join(CLASSES[:-1])} or {CLASSES[-1]}"

_SHOWN: Final = 60
_CLASSIFIED: Final = re.compile(rf"(?:{'|'.join(CLASSES)}): \s*\S")


def is_classified(comment: str) -> bool:
    """Tell whether *comment* is `class: purpose`, with a class of `CLASSES` and some purpose."""
    return _CLASSIFIED.match(comment) is not None


def is_personal(comment: str) -> bool:
    """Tell whether *comment* is of a class that speaks of a person."""
    return is_classified(comment) and not comment.startswith("none:")


def complaint(comment: str | None) -> str:
    """Return what is wrong with *comment*, to follow the name of its column."""
    if comment is None:
        return "has no classification"
    shown = comment if len(comment) <= _SHOWN else f"{comment[: _SHOWN - 1]}…"
    return f'has the comment "{shown}", which names no class and purpose'
