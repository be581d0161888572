"""What is called how that a change makes: by one rule, never longer than PostgreSQL takes."""

from __future__ import annotations

import hashlib
from typing import Final

LONGEST_BYTES: Final = 63


def fitted(*parts: str) -> str:
    """Return *parts* joined by underscores; what is too long ends with a hash instead of its end."""
    name = "_".join(parts)
    if len(name.encode()) <= LONGEST_BYTES:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: LONGEST_BYTES - 9].decode(errors='ignore')}_{mark}"
