"""Write an expression as the server writes it out, without what it adds to what was meant. Pure."""

from __future__ import annotations

import re
from typing import Final

_NUMBERS: Final = r"(?:smallint|integer|bigint|real|double\ precision|numeric)"
_ANY: Final = r"(?:double\ precision|timestamp\ with(?:out)?\ time\ zone|character\ varying|[a-z_][\w.]*)"
# A cast to an array or with a length is another type, and stays.
_WHOLE: Final = r"\b(?![\[(])"
_PARTS: Final = re.compile(
    rf"""(?P<name>"(?:[^"]|"")*")
       | '(?P<number>-?\d+(?:\.\d+)?)'(?:::{_NUMBERS}{_WHOLE})+
       | (?P<literal>'(?:[^']|'')*')(?:::(?:text|regclass){_WHOLE})?
       | (?P<plain>(?<![\w"])\d+(?:\.\d+)?)(?:::{_NUMBERS}{_WHOLE})+
       | (?P<null>\bNULL)::{_ANY}{_WHOLE}
       | \s*(?P<list>=\ ANY|<>\ ALL)\ \(ARRAY\[(?P<items>(?:'(?:[^']|'')*'|[^\[\]'])*)\]\)
       | (?<=\()(?P<padding>\s+)
       | (?P<space>\s+)
    """,
    re.VERBOSE,
)
_COMMAS: Final = re.compile(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | \([^()]*\) | (?P<comma>,\s)""", re.VERBOSE)


def plain(expression: str) -> str:
    """Return *expression* on one line, its constants without casts, `= ANY (ARRAY[…])` as `IN (…)`.

    What is between quotation marks is left alone. It means the same: `'a'::text` is `'a'`.
    """
    return _PARTS.sub(_shown, expression).strip()


def listed(arguments: str) -> list[str]:
    """Return the arguments of a function one by one."""
    cuts = [found.span() for found in _COMMAS.finditer(arguments) if found["comma"]]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(arguments)]
    return [arguments[start:end] for start, end in zip(starts, ends, strict=True)]


def _shown(part: re.Match[str]) -> str:
    if part["list"] is not None:
        return f" {'IN' if part['list'][0] == '=' else 'NOT IN'} ({plain(part['items'])})"
    if part["padding"] is not None:
        return ""
    if part["space"] is not None:
        return " "
    return part["name"] or part["number"] or part["literal"] or part["plain"] or part["null"]
