"""Say how far an import or export is, to whoever asked to be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far an import or export is; `rows` and `total_bytes` only where they are known."""

    rows: int | None
    bytes: int
    total_bytes: int | None
    rejected: int
    seconds: float


Tell = Callable[[Progress], None]
