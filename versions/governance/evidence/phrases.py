"""Words that several claims need. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, one: str, many: str = "") -> str:
    """Return *number* with what is counted."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def named(kind: str, names: Sequence[str]) -> str:
    """Return the names on one line, the first and the last of many; *kind* in front, as one or several."""
    shown = list(names) if len(names) <= 6 else [*names[:3], "…", names[-1]]
    said = ", ".join(shown)
    if not kind:
        return said
    return f"{kind} {said}" if len(names) == 1 else f"{len(names)} {kind}s ({said})"
