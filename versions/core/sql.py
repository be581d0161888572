"""Read the named statements of `.sql` files, and take the literals out of a statement to be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT

_NAME = re.compile(r"^-- (?P<name>[a-z0-9_]+) --$", re.MULTILINE)
# In the order in which a statement is read: what opens first decides what the rest means.
_PARTS: Final = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|$))
      | (?P<name>"(?:[^"]|"")*(?:"|$))
      | (?P<literal>
            \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|$)
          | [Ee]'(?:[^'\\]|\\.|'')*(?:'|$)
          | (?:[BbXxNn]|[Uu]&)?'(?:[^']|'')*(?:'|$)
          | (?<![\w"])\d[\d_.]*(?:[Ee][+-]?\d+)?
        )
    """,
    re.VERBOSE | re.DOTALL,
)


@cache
def queries(package: str) -> Mapping[str, str]:
    """Return the statements of *package*'s `.sql` files by name: `queries.sql`, and others where it has many.

    A statement begins at a line `-- name --`; comment lines right below it say what it is for.

    Raises:
        ValueError: two of them have one name.
    """
    # By its place and not by its name: to read a room's statements is no reason to load the room.
    folder = PACKAGE_ROOT.joinpath(*package.split(".")[1:])
    texts = (file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.sql")))
    found: dict[str, str] = {}
    for name, statement in (named for text in texts for named in _named(text)):
        if name in found:
            raise ValueError(f'two statements of {package} are called "{name}"')
        found[name] = statement
    return MappingProxyType(found)


def _named(text: str) -> Iterator[tuple[str, str]]:
    parts = _NAME.split(text)[1:]
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        yield name, body.strip()


def without_literals(statement: str, *, most: int = 200) -> str:
    """Return *statement* on one line, literals replaced by `?`, comments dropped, cut to *most* characters.

    Either may hold a personal datum; what is left names tables and columns only.
    """
    shown = " ".join(_PARTS.sub(_shown, statement).split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def ends_transaction(statement: str) -> bool:
    """Tell whether *statement* begins or ends a transaction, which nobody could roll back then."""
    words = without_literals(statement).upper().replace(";", " ").split()
    if words[:1] == ["ROLLBACK"]:
        return "TO" not in words[1:3]
    return words[:1] in (["COMMIT"], ["END"], ["ABORT"], ["BEGIN"]) or words[:2] in (
        ["START", "TRANSACTION"],
        ["PREPARE", "TRANSACTION"],
    )


def _shown(part: re.Match[str]) -> str:
    if part["comment"] is not None:
        return " "
    return part["name"] or "?"
