"""Decide how a new partitioned table is divided, and what its partitions are called. No database here."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning.periods import Period

How = Literal["range", "list", "hash"]
# A value as text, as SQL would write it between quotation marks, or NULL.
Value = str | None

# The most partitions that are made at once: each is locked, with its indexes, until all of them are there.
MOST: Final = 600
_LONGEST_NAME_BYTES: Final = 63
_NAME: Final = re.compile(r"[a-z0-9_]+")
_LISTED: Final = re.compile(r"FOR VALUES IN \((?P<values>.*)\)", re.DOTALL)
_VALUE: Final = re.compile(r"'((?:[^']|'')*)'|([^',\s][^,]*)")
_HASHED: Final = re.compile(r"FOR VALUES WITH \(modulus (?P<modulus>\d+), remainder (?P<remainder>\d+)\)")


@dataclass(frozen=True)
class ByRange:
    """By time: a partition for the present period and for *premake* after it; `maintain` makes the others."""

    key: str
    period: Period = Period.MONTH
    premake: int = 12

    @property
    def how(self) -> How:
        """What SQL calls it."""
        return "range"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the partition key."""
        return (self.key,)


@dataclass(frozen=True)
class ByList:
    """By the values of one column: a partition for each name, and one for all other values if it is named.

    Without *default* a row of another value is refused. With it such a row is kept, but the partition is
    read, and its writers wait, whenever values of it get a partition of their own.
    """

    key: str
    partitions: Mapping[str, Sequence[Value]]
    default: str | None = None

    @property
    def how(self) -> How:
        """What SQL calls it."""
        return "list"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the partition key."""
        return (self.key,)


@dataclass(frozen=True)
class ByHash:
    """By a hash of some columns: *modulus* partitions of about the same size, for good."""

    keys: tuple[str, ...]
    modulus: int

    @property
    def how(self) -> How:
        """What SQL calls it."""
        return "hash"


Scheme = ByRange | ByList | ByHash


@dataclass(frozen=True)
class Leaf:
    """A partition of a list or of a hash: its values, or its remainder; neither is the DEFAULT one."""

    plain: str
    values: tuple[Value, ...] = ()
    modulus: int | None = None
    remainder: int = 0


def leaves(scheme: ByList | ByHash, table: str) -> tuple[Leaf, ...]:
    """Return the partitions that *scheme* asks for of a table called *table*.

    Raises:
        TableError: a name is no plain one, a value is given twice, or there are too few or too many.
    """
    if isinstance(scheme, ByHash):
        return _of_hash(scheme, table)
    if not 0 < len(scheme.partitions) <= MOST:
        raise TableError(
            f"a list has from 1 to {MOST} partitions, not {len(scheme.partitions)}",
            hint="name each with its values: --partition nordics=SE,NO",
        )
    found = [leaf(table, name, values) for name, values in scheme.partitions.items()]
    twice = [value for value, times in Counter(v for one in found for v in one.values).items() if times > 1]
    if twice:
        raise TableError(f"{len(twice)} values are given twice", hint="a row belongs to one partition")
    if scheme.default is not None:
        if scheme.default in scheme.partitions:
            raise TableError(
                f'partition "{scheme.default}" is to have values and all others', hint="name another DEFAULT"
            )
        found.append(Leaf(_called(table, scheme.default)))
    return tuple(found)


def leaf(table: str, name: str, values: Sequence[Value]) -> Leaf:
    """Return the partition *name* of a table, for some values.

    Raises:
        TableError: the name is no plain one, or there is no value.
    """
    if not values:
        raise TableError(f'partition "{name}" has no values', hint=f"say {name}=VALUE,VALUE")
    return Leaf(_called(table, name), tuple(values))


def _of_hash(scheme: ByHash, table: str) -> tuple[Leaf, ...]:
    if not 2 <= scheme.modulus <= MOST:
        raise TableError(
            f"a hash has from 2 to {MOST} partitions, not {scheme.modulus}",
            hint="choose a power of two: it can be doubled later, one partition after the other",
        )
    width = len(str(scheme.modulus - 1))
    return tuple(
        Leaf(_called(table, f"h{place:0{width}d}"), modulus=scheme.modulus, remainder=place)
        for place in range(scheme.modulus)
    )


def _called(table: str, name: str) -> str:
    whole = f"{table}_{name}"
    if _NAME.fullmatch(name) is None:
        raise TableError(
            f'"{name}" is no name of a partition', hint="lower-case letters, digits and _, as in nordics"
        )
    if len(whole.encode()) > _LONGEST_NAME_BYTES:
        raise TableError(
            f'"{whole}" is longer than {_LONGEST_NAME_BYTES} bytes', hint="choose a shorter name"
        )
    return whole


def listing(said: Iterable[str], *, null: str | None = None) -> dict[str, tuple[Value, ...]]:
    """Return the partitions written as `name=value,value`; a value with a comma stands in double quotes.

    NULL goes to the partition *null*, beside its values if it has any.

    Raises:
        TableError: a name is given twice, or has no value.
    """
    found: dict[str, tuple[Value, ...]] = {}
    for text in said:
        name, given, values = text.partition("=")
        if name in found:
            raise TableError(f'partition "{name}" is given twice', hint="give all of its values at once")
        found[name] = tuple(next(csv.reader([values]), [])) if given else ()
        if not found[name]:
            raise TableError(f'partition "{name}" has no values', hint=f"say {name}=VALUE,VALUE")
    return found if null is None else {**found, null: (*found.get(null, ()), None)}


def listed(bound: str) -> tuple[Value, ...] | None:
    """Return the values of a list's partition by its bound as the server writes it; None for a DEFAULT."""
    found = _LISTED.fullmatch(bound)
    if found is None:
        return None
    return tuple(
        None if bare == "NULL" else bare or quoted.replace("''", "'")
        for quoted, bare in _VALUE.findall(found["values"])
    )


def hashed(bound: str) -> tuple[int, int] | None:
    """Return modulus and remainder of a partition of a hash by its bound as the server writes it."""
    found = _HASHED.fullmatch(bound)
    return (int(found["modulus"]), int(found["remainder"])) if found else None


def uncovered(bounds: Iterable[str]) -> int:
    """Return how many remainders, of the greatest modulus, no partition of a hash has."""
    moduli = [pair[0] for bound in bounds if (pair := hashed(bound))]
    left = 1 - sum((Fraction(1, modulus) for modulus in moduli), Fraction(0))
    return int(left * max(moduli, default=1))
