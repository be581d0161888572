"""The one spelling of a document that is signed: JSON without a choice (RFC 8785, less fractions). Pure.

Keys stand in the order of their letters, nothing stands between, text is UTF-8; there are no fractions, whose
spelling differs between languages. An instant is text, in UTC with microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timezone
from enum import Enum
from typing import Any, Final, NoReturn
from uuid import UUID

_INSTANT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of *document*: of texts, whole numbers, booleans, None, lists and objects."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def plain(value: Any) -> Any:  # noqa: ANN401  (whatever is told, and what JSON can say of it)
    """Return *value* as JSON can say it; a fraction is text.

    Raises:
        TypeError: it is something else than values, dates and numbers.
    """
    if value is None or (isinstance(value, (bool, int, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, (UUID, date, float)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return _of_many(value)


def _of_many(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (Sequence, frozenset, set)) and not isinstance(value, (bytes, bytearray)):
        return [plain(one) for one in (value if isinstance(value, Sequence) else sorted(value))]
    raise TypeError(f"{type(value).__name__} cannot be told in a certificate")


def written(at: datetime) -> str:
    """Return an instant as it stands in a document.

    Raises:
        ValueError: it has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError("a time without its zone is no instant")
    return at.astimezone(timezone.utc).strftime(_INSTANT)


def instant(text: str) -> datetime:
    """Return the instant that `written` wrote."""
    return datetime.strptime(text, _INSTANT).replace(tzinfo=timezone.utc)


def document(text: str | bytes) -> dict[str, Any]:
    """Return the document that *text* is, however it is laid out.

    Raises:
        ValueError: it is none: no object, a key twice, a fraction, no Unicode.
    """
    found = json.loads(text, object_pairs_hook=_object, parse_float=_no_fraction, parse_constant=_no_fraction)
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004  (of text and not of a type)
    # A lone half of a character is read and cannot be written.
    canonical(found)
    return found


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError("a key is there twice")
        found[key] = value
    return found


def _no_fraction(_: str) -> NoReturn:
    raise ValueError("a fraction is there")
