"""Read the paths of a JSON document that are to go, or to stay: a lax jsonpath of names, places and `*`."""

from __future__ import annotations

import json
import re
from typing import Final

Step = str | int | None

_STEP: Final = re.compile(
    r"""\.(?P<any>\*)
      | \.(?P<name>[^\W\d][\w$]*)
      | \.(?P<quoted>"(?:[^"\\]|\\.)*")
      | \[\s*(?P<every>\*)\s*\]
      | \[\s*(?P<place>\d+)\s*\]
    """,
    re.VERBOSE,
)


def steps(path: str) -> tuple[Step, ...] | None:
    """Return the steps of *path*, `$.items[*].name`: a name, a place, or None for all; None if it is none."""
    text = path.strip().removeprefix("lax").strip()
    if not text.startswith("$"):
        return None
    found, at = [], 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return None
        found.append(_step(step))
        at = step.end()
    return tuple(found) or None


def _step(step: re.Match[str]) -> Step:
    if step["any"] or step["every"]:
        return None
    if step["place"]:
        return int(step["place"])
    return str(json.loads(step["quoted"])) if step["quoted"] else step["name"]


def is_path(path: object) -> bool:
    """Tell whether *path* is one that can be followed."""
    if not isinstance(path, str):
        return False
    try:
        return steps(path) is not None
    except ValueError:
        return False
