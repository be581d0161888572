"""Read the named statements of a `queries.sql`, and take the literals out of a statement to be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

_NAME = re.compile(r"^-- (?P<name>[a-z0-9_]+) --$", re.MULTILINE)
_LITERAL: Final = re.compile(
    r"""(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)   # dollar quoted
      | [EeBbXxNn]?'(?:[^'\\]|\\.|'')*(?:'|$)      # quoted, or cut off in the middle
      | \b\d+(?:\.\d+)?\b                          # a number
    """,
    re.VERBOSE | re.DOTALL,
)


@cache
def queries(package: str) -> Mapping[str, str]:
    """Return the statements of *package*'s `queries.sql` by name.

    A statement begins at a line `-- name --`; comment lines right below it say what it is for.
    """
    text = files(package).joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return MappingProxyType({name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)})


def without_literals(statement: str, *, most: int = 200) -> str:
    """Return *statement* on one line with every literal replaced by `?`, cut to *most* characters.

    A literal may be a personal datum; what is left names tables and columns only.
    """
    shown = " ".join(_LITERAL.sub("?", statement).split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"
