"""What is kept although it would be erased: of a person, a table, a column or a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import answer, instant, rows


@dataclass(frozen=True)
class Hold:
    """One hold in force.

    subject, table, column, key: what it keeps; None is all there is.
    basis: letters of GDPR art. 17(3).
    """

    number: int
    kind: str
    subject: int | None
    table: str | None
    column: str | None
    key: Mapping[str, Any] | None
    basis: tuple[str, ...]
    law: str
    reason: str
    placed_at: datetime
    expires_at: datetime | None


def place_hold(
    basis: str | Sequence[str],
    law: str,
    reason: str,
    *,
    subject: int | None = None,
    table: str | None = None,
    column: str | None = None,
    key: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
    url: str | None = None,
) -> int:
    """Keep what is named for a case, until it is released or over; return the number of the hold.

    basis: letters of GDPR art. 17(3), "be" or ("b", "e"). law: the law or case behind it.
    subject: whose data; of everybody without. table, column, key: which part of it; all without.

    Raises:
        DatabaseError: there is no such table or column, or nothing is named that it would keep.
    """
    values = _values(basis, law, reason, "hold", expires_at) | _kept(subject, table, column, key)
    return int(answer("place_hold", values, url=url))


def except_from_erasure(
    basis: str | Sequence[str],
    law: str,
    reason: str,
    *,
    expires_at: datetime,
    subject: int | None = None,
    table: str | None = None,
    column: str | None = None,
    key: Mapping[str, Any] | None = None,
    url: str | None = None,
) -> int:
    """Keep what is named because a rule of retention says so, until *expires_at*; else as `place_hold`."""
    values = _values(basis, law, reason, "exception", expires_at) | _kept(subject, table, column, key)
    return int(answer("place_hold", values, url=url))


def release_hold(number: int, reason: str, *, url: str | None = None) -> datetime:
    """Release a hold, for a *reason*, and return when; what it kept may be erased from then on.

    Raises:
        DatabaseError: there is none of that number in force.
    """
    released: datetime = answer("release_hold", {"hold": number, "reason": reason}, url=url)
    return released


def held_now(subject: int | None = None, *, url: str | None = None) -> tuple[Hold, ...]:
    """Return the holds in force: all of them, or those that keep something of one person."""
    return tuple(_hold(row) for row in rows("held_now", {"subject": subject}, url=url))


def _hold(row: Sequence[Any]) -> Hold:
    values = list(row)
    values[6] = tuple(values[6])
    return Hold(*values)


def holds_of_row(
    subject: int, table: str, key: Mapping[str, Any], column: str | None = None, *, url: str | None = None
) -> tuple[int, ...]:
    """Return the numbers of the holds that keep a row of a person, or one column of it."""
    values = {"subject": subject, "table": table, "key": json.dumps(dict(key), default=str), "column": column}
    return tuple(answer("holds_of_row", values, url=url))


def _values(
    basis: str | Sequence[str], law: str, reason: str, kind: str, expires_at: datetime | None
) -> dict[str, object]:
    return {
        "basis": list(basis),
        "law": law,
        "reason": reason,
        "kind": kind,
        "expires_at": instant(expires_at),
    }


def _kept(
    subject: int | None, table: str | None, column: str | None, key: Mapping[str, Any] | None
) -> dict[str, object]:
    written = None if key is None else json.dumps(dict(key), default=str)
    return {"subject": subject, "table": table, "column": column, "key": written}
