"""Write what becomes of a value: an expression by its strategy, and what to call the outcome. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal, Placeholder

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Outcome
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import Live
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import constant
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Column, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import ROW, Escaped

# The types that have no equality, or one that takes different values for the same.
_BY_TEXT: Final = frozenset(
    {"json", "xml", "point", "polygon", "box", "circle", "path", "lseg", "line", "txid_snapshot"}
)


@dataclass(frozen=True)
class Change:
    """A column and the expression of its new value; `is_chance` where that is known in an erasure alone."""

    column: str
    value: Composable
    live: Live
    is_chance: bool = False

    @property
    def assignment(self) -> Composable:
        """Return what stands after SET."""
        return SQL("{} = {}").format(Escaped(Identifier(self.column)), self.value)

    @property
    def differs(self) -> Composable:
        """Return the condition that the row does not hold the new value yet."""
        form = "{}::text IS DISTINCT FROM {}::text" if self._is_compared_as_text else "{} IS DISTINCT FROM {}"
        return SQL(form).format(own(self.column), self.value)

    @property
    def _is_compared_as_text(self) -> bool:
        return (self.live.element or self.live.shape.base) in _BY_TEXT


@dataclass(frozen=True)
class Place:
    """A column to be changed: what the catalogue says, how it is, and by what its row is told from others."""

    column: Column
    live: Live
    key: Sequence[str]


def own(column: str) -> Composable:
    """Return the column of the row at hand."""
    return Escaped(Identifier(ROW, column))


def change(place: Place) -> Change | None:
    """Return how the value of a column is changed; None where its strategy changes none."""
    write = _WRITERS.get(place.column.strategy)
    if write is None or place.live.is_filled:
        return None
    chance = place.column.strategy in _CHANCE
    return Change(place.column.name, _cast(write(place), place.live.type), place.live, chance)


def outcome(strategy: Strategy) -> Outcome:
    """Return what is said of a value that was treated so."""
    return _OUTCOMES.get(strategy, Outcome.KEPT)


def _cast(value: Composable, type_: str) -> Composable:
    # The server wrote the name of the type, quoted where it has to be.
    return SQL("CAST({} AS {})").format(value, Escaped(SQL(type_)))


def _null(place: Place) -> Composable:
    del place
    return SQL("NULL")


def _constant(place: Place) -> Composable:
    return Escaped(Literal(constant(place.column)))


def _random(place: Place) -> Composable:
    """Return bytes that only this erasure can make again, other ones in each row."""
    keys = SQL(", ").join([own(name) for name in place.key])
    where = Literal(f"{place.column.table_name}.{place.column.name}")
    return _formed(place, SQL("{} || pg_catalog.jsonb_build_array({})::text").format(Escaped(where), keys))


def _formed(place: Place, told: Composable) -> Composable:
    """Return the value of the column's type that is made of the secret and what is *told*."""
    noise = SQL("ops.erasure_noise_v1((SELECT ops.erasure_secret_v1({})), {})").format(
        Placeholder("subject"), told
    )
    form = _FORMS.get(place.live.shape.base, _AS_TEXT)
    made = SQL(form).format(noise=noise)
    if form is not _AS_TEXT:
        return made
    before, after = (str(place.column.strategy_args.get(name, "")) for name in ("prefix", "suffix"))
    room = min(32, (place.live.length or 1_000) - len(before) - len(after))
    return SQL("{} || pg_catalog.left({}, {}) || {}").format(
        Escaped(Literal(before)), made, Literal(max(room, 1)), Escaped(Literal(after))
    )


_AS_TEXT: Final = "pg_catalog.encode({noise}, 'hex')"
# Of version 4, as any other random one.
_FORMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bytea": "{noise}",
        "bigint": "('x' || pg_catalog.left(pg_catalog.encode({noise}, 'hex'), 15))::bit(60)::bigint",
        "uuid": "overlay(overlay(pg_catalog.left(pg_catalog.encode({noise}, 'hex'), 32)"
        " PLACING '4' FROM 13 FOR 1) PLACING '8' FROM 17 FOR 1)::uuid",
    }
)
_WRITERS: Final[Mapping[Strategy, Callable[[Place], Composable]]] = MappingProxyType(
    {
        Strategy.NULL: _null,
        Strategy.CONSTANT: _constant,
        Strategy.RANDOM: _random,
    }
)
_CHANCE: Final = frozenset({Strategy.RANDOM, Strategy.PSEUDONYM})
_OUTCOMES: Final[Mapping[Strategy, Outcome]] = MappingProxyType(
    {
        Strategy.DELETE: Outcome.DELETED,
        Strategy.NULL: Outcome.DELETED,
        Strategy.CONSTANT: Outcome.DELETED,
        Strategy.RANDOM: Outcome.DELETED,
        Strategy.GENERALISE: Outcome.ANONYMISED,
        Strategy.PSEUDONYM: Outcome.PSEUDONYMISED,
        Strategy.JSON: Outcome.ANONYMISED,
        Strategy.REDACT: Outcome.PSEUDONYMISED,
    }
)
