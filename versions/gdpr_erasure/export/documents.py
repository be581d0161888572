"""Take other people out of a document, at the places that the catalogue names. No database here.

Numbers stay as they are written: a document that goes through this keeps every digit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

_STEP: Final = re.compile(
    r"""\.\s*(?P<key>[\w$]+)(?![\w$]) | \.\s*"(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<all>\[\s*\*\s*\])
      | \[\s*(?P<index>\d+)\s*\] | (?P<any>\.\s*\*(?!\*)) | (?P<deep>\.\s*\*\*)""",
    re.VERBOSE,
)


class _Number(str):
    """A number by its digits."""

    __slots__ = ()


def without_others(literal: str, paths: Sequence[str], subject: str | None, mark: str) -> tuple[str, int]:
    """Return the document with *mark* for each value at *paths* but *subject*, and how many those are.

    A document, or a path, that cannot be followed is replaced as a whole: what is not understood may name
    anybody.
    """
    try:
        document = json.loads(literal, parse_int=_Number, parse_float=_Number)
        steps = [_steps(path) for path in paths]
        replaced = 0
        for path in steps:
            document, more = _replaced(document, path, subject, mark)
            replaced += more
        return (_dumped(document), replaced) if replaced else (literal, 0)
    except (RecursionError, ValueError):
        return json.dumps(mark), 1


def _steps(path: str) -> list[re.Match[str]]:
    text = re.sub(r"^\s*(?:lax|strict)?\s*\$", "", path).strip()
    found, end = [], 0
    while end < len(text):
        step = _STEP.match(text, end)
        if step is None:
            raise ValueError(path)
        found.append(step)
        end = step.end()
    return found


def _replaced(value: Any, steps: Sequence[re.Match[str]], subject: str | None, mark: str) -> tuple[Any, int]:  # noqa: ANN401
    if not steps:
        # A list at the end of a path is looked into, as PostgreSQL does.
        if isinstance(value, list):
            return _each(value, lambda one: _replaced(one, (), subject, mark))
        if value is None or _text(value) == subject or value == mark:
            return value, 0
        return mark, 1
    step, rest = steps[0], steps[1:]
    if isinstance(value, list) and not (step["all"] or step["index"] or step["deep"]):
        return _each(value, lambda one: _replaced(one, steps, subject, mark))
    if step["deep"]:
        here, found = _replaced(value, rest, subject, mark) if rest else (value, 0)
        below, more = _each(here, lambda one: _replaced(one, steps, subject, mark))
        return below, found + more
    chosen = frozenset(_chosen(value, step))
    if step["all"] and not isinstance(value, list):
        return _replaced(value, rest, subject, mark)
    return _each(value, lambda one: _replaced(one, rest, subject, mark), chosen)


def _chosen(value: Any, step: re.Match[str]) -> Iterator[object]:  # noqa: ANN401
    places = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
    for place in places:
        if step["all"] or step["any"] or place == _key(step):
            yield place


def _key(step: re.Match[str]) -> object:
    if step["index"]:
        return int(step["index"])
    return step["key"] if step["quoted"] is None else json.loads(f'"{step["quoted"]}"')


def _each(
    value: Any,  # noqa: ANN401
    change: Callable[[Any], tuple[Any, int]],
    only: frozenset[object] | None = None,
) -> tuple[Any, int]:
    if isinstance(value, dict):
        changed = {
            key: change(one) if only is None or key in only else (one, 0) for key, one in value.items()
        }
        return {key: one for key, (one, _) in changed.items()}, sum(n for _, n in changed.values())
    if isinstance(value, list):
        listed = [change(one) if only is None or n in only else (one, 0) for n, one in enumerate(value)]
        return [one for one, _ in listed], sum(n for _, n in listed)
    return value, 0


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else _dumped(value)


def _dumped(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_dumped(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_dumped(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
