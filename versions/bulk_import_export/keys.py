"""Find the record that the server means by a key, `Key (a, b)=(1, x)`. No database here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID

from spotify_ai_agent_migrations.versions.bulk_import_export.records import Record

_NUMBERS: Final = ("smallint", "integer", "bigint", "numeric", "real", "double precision")

Records = Callable[[], Iterable[Record]]
Fits = Callable[[Sequence[str]], bool]


def key_of(detail: str | None) -> str | None:
    """Return the values in *detail* as the server wrote them, with commas between; None without any."""
    _, found, rest = (detail or "").partition(")=(")
    # A value may hold a parenthesis; the words behind the key do not.
    key, closed, _ = rest.rpartition(")")
    return key if found and closed else None


def first_of(records: Records, places: Sequence[int], types: Sequence[str], key: str) -> list[Record]:
    """Return the first two records with *key* in their fields at *places*.

    A key spelt exactly so comes first. Only where there is none, a number or a UUID may be spelt
    otherwise: 007 for 7. *records* is called once or twice.
    """
    exact = _matching(records, places, lambda values: ", ".join(values) == key)
    return exact or _matching(records, places, _fits_by_type(types, key))


def equal_of(records: Records, places: Sequence[int], types: Sequence[str], key: str) -> list[Record]:
    """Return the first two records with *key*, the second of them perhaps spelt otherwise."""
    found = first_of(records, places, types, key)
    return found if len(found) > 1 else _matching(records, places, _fits_by_type(types, key)) or found


def _matching(records: Records, places: Sequence[int], fits: Fits) -> list[Record]:
    """Return the first two records that fit."""
    found: list[Record] = []
    for record in records():
        values = [value.decode() for place in places if (value := record.fields[place]) is not None]
        if len(values) == len(places) and fits(values):
            found.append(record)
            if len(found) > 1:
                break
    return found


def _fits_by_type(types: Sequence[str], key: str) -> Fits:
    parts = key.split(", ") if len(types) > 1 else [key]

    def fits(values: Sequence[str]) -> bool:
        return len(parts) == len(types) and all(map(_same, types, values, parts))

    return fits


def _same(type_: str, value: str, part: str) -> bool:
    try:
        if type_.startswith(_NUMBERS):
            return Decimal(value) == Decimal(part)
        if type_ == "uuid":
            return UUID(value) == UUID(part)
    except (InvalidOperation, ValueError):
        return False
    return value == part
