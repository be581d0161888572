"""What is called how that a change makes: by one rule, never longer than PostgreSQL takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

LONGEST_BYTES: Final = 63


def fitted(*parts: str) -> str:
    """Return *parts* joined by underscores; what is too long ends with a hash instead of its end."""
    name = "_".join(parts)
    if len(name.encode()) <= LONGEST_BYTES:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: LONGEST_BYTES - 9].decode(errors='ignore')}_{mark}"


def free(name: str, is_taken: Callable[[str], object]) -> str:
    """Return *name*, or the first one with a number behind it that is not taken."""
    number, found = 0, name
    while is_taken(found):
        number += 1
        found = f"{name.encode()[: LONGEST_BYTES - len(str(number))].decode(errors='ignore')}{number}"
    return found
