"""Tell whether a column can be treated as the catalogue says, by its type alone. No database here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Column, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.paths import is_path

_TEXTS: Final = frozenset({"text", "character varying", "character", "citext", "name"})
_DOCUMENTS: Final = frozenset({"json", "jsonb"})
_RANDOM: Final = _TEXTS | {"uuid", "bytea", "bigint"}
_TIMES: Final = frozenset({"time without time zone", "time with time zone"})
_NO_NUMBERS: Final = frozenset({"money", "oid"})
_ADDRESS_BITS: Final = 32
_STEPS: Final = frozenset({"century", "decade", "year", "quarter", "month", "week", "day"})


@dataclass(frozen=True)
class Shape:
    """What a column can hold.

    base: its type, behind any domain, without a length. category: PostgreSQL's letter for its kind.
    """

    base: str
    category: str
    not_null: bool
    is_unique: bool


def misfits(column: Column, shape: Shape) -> Iterator[str]:
    """Yield what the strategy of *column* asks that *shape* does not allow."""
    judge = _JUDGES.get(column.strategy)
    if judge is not None and (problem := judge(shape, column.strategy_args)) is not None:
        yield problem


def constant(column: Column) -> str | None:
    """Return the text of the value that the strategy of *column* leaves; None is NULL."""
    value = column.strategy_args.get("value") if column.strategy is Strategy.CONSTANT else None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _null(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    del arguments
    return "is to be NULL, and is NOT NULL" if shape.not_null else None


def _constant(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    if arguments.get("value") is None:
        return _null(shape, arguments)
    return "is to be one value for everybody, and is unique" if shape.is_unique else None


def _random(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    del arguments
    return None if shape.base in _RANDOM else f"is to be random, which {shape.base} cannot be"


def _generalised(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    step: Any = arguments.get("to")
    is_number = isinstance(step, int) and not isinstance(step, bool) and step > 0
    if shape.category == "D" and shape.base not in _TIMES:
        fits = step in _STEPS
    elif shape.category == "N" and shape.base not in _NO_NUMBERS:
        fits = is_number
    elif shape.category == "I":
        # Of IPv4; an address of IPv6 keeps twice as many bits.
        fits = is_number and step <= _ADDRESS_BITS
    else:
        return f"is to be generalised, which {shape.base} cannot be"
    return None if fits else f"is to be generalised to a step that {shape.base} does not have"


def _document(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    if shape.base not in _DOCUMENTS:
        return f"is to lose paths of JSON, and is {shape.base}"
    paths = arguments.get("keep", arguments.get("paths"))
    listed = isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths)
    if not listed:
        return "is to lose paths of JSON, and none are listed"
    return None if all(map(is_path, paths)) else "is to lose paths of JSON, and one of them is no path"


def _pseudonym(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    del arguments
    fits = shape.base in _TEXTS or shape.base in {"uuid", "bigint"}
    return None if fits else f"is to be a pseudonym, which {shape.base} cannot hold"


def _redacted(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    if shape.base == "tsvector":
        # What was indexed is indexed again, from what is left of the texts.
        listed = arguments.get("from")
        fits = isinstance(listed, list) and bool(listed) and all(isinstance(one, str) for one in listed)
        return None if fits else "is to be made again, and the columns it is made from are not listed"
    fits = shape.base in _TEXTS or shape.base in _DOCUMENTS or shape.category in {"A", "N"}
    return None if fits else f"is to be redacted, which {shape.base} cannot be"


def _shredded(shape: Shape, arguments: Mapping[str, Any]) -> str | None:
    del arguments
    fits = shape.base == "bytea"
    return None if fits else f"is to be encrypted with a key of the person, which {shape.base} cannot be"


_JUDGES: Final[Mapping[Strategy, Callable[[Shape, Mapping[str, Any]], str | None]]] = MappingProxyType(
    {
        Strategy.NULL: _null,
        Strategy.CONSTANT: _constant,
        Strategy.RANDOM: _random,
        Strategy.GENERALISE: _generalised,
        Strategy.JSON: _document,
        Strategy.PSEUDONYM: _pseudonym,
        Strategy.REDACT: _redacted,
        Strategy.SHRED: _shredded,
    }
)
