"""Write what becomes of a value: an expression by its strategy, and what to call it. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal, Placeholder

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Outcome
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import Live
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import constant
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Column, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.paths import steps
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import ROW, Escaped

MARK: Final = "[erased]"
# The types that have no equality, or one that takes different values for the same.
_BY_TEXT: Final = frozenset({"json", "xml", "point", "polygon", "box", "circle", "path", "lseg", "line"})
# What a person is known by, gathered on the server: no literal of it is in any statement.
_SOUGHT: Final = "(SELECT sought.pattern FROM pg_temp.subject_sought AS sought)"


@dataclass(frozen=True)
class Change:
    """A column and the expression of its new value.

    is_chance: it is known in an erasure alone. is_early: what it needs goes with other columns.
    """

    column: str
    value: Composable
    live: Live
    is_chance: bool = False
    is_early: bool = False
    is_object: bool = False

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
    """A column to be changed: what the catalogue says, how it is, and by what its row is told from others.

    others: the new values of other columns of the row, where they are changed at the same time.
    """

    column: Column
    live: Live
    key: Sequence[str]
    others: Mapping[str, Composable] = field(default_factory=dict)


def own(column: str) -> Composable:
    """Return the column of the row at hand."""
    return Escaped(Identifier(ROW, column))


def is_object(column: Column) -> bool:
    """Tell whether a column holds the number of a large object, which goes with it."""
    return bool(column.strategy_args.get("large_object"))


def change(place: Place) -> Change | None:
    """Return how the value of a column is changed; None where its strategy changes none."""
    strategy = place.column.strategy
    write = _WRITERS.get(strategy)
    if write is None or place.live.is_filled:
        return None
    return Change(
        place.column.name,
        _cast(write(place), place.live.type),
        place.live,
        is_chance=strategy in _CHANCE,
        is_early=strategy is Strategy.REDACT and not is_derived(place),
        is_object=is_object(place.column),
    )


def is_derived(place: Place) -> bool:
    """Tell whether its value is made from others of the row, and has to be made again after them."""
    return place.live.shape.base == "tsvector" and place.column.strategy is Strategy.REDACT


def outcome(strategy: Strategy) -> Outcome:
    """Return what is said of a value that was treated so."""
    return _OUTCOMES.get(strategy, Outcome.KEPT)


def _cast(value: Composable, type_: str) -> Composable:
    # The server wrote the name of the type, quoted where it has to be.
    return SQL("CAST({} AS {})").format(value, Escaped(SQL(type_)))


def _text(value: str | None) -> Composable:
    return Escaped(Literal(value))


def _null(place: Place) -> Composable:
    del place
    return SQL("NULL")


def _constant(place: Place) -> Composable:
    return _text(constant(place.column))


def _shredded(place: Place) -> Composable:
    """Return the value as it is where the end of the person's key ends it; what is in clear is emptied."""
    return SQL(
        "CASE WHEN ops.key_of_v1({value}) IN (SELECT kept.key_id FROM ops.subject_keys AS kept"
        " WHERE kept.subject_id = {subject} UNION ALL SELECT ended.key_id FROM ops.destroyed_keys AS ended"
        " WHERE ended.key_id = ops.key_of_v1({value})) THEN {value} {otherwise}END"
    ).format(
        value=own(place.column.name),
        subject=Placeholder("subject"),
        otherwise=SQL("ELSE '' " if place.live.shape.not_null else ""),
    )


def _random(place: Place) -> Composable:
    """Return bytes that only this erasure can make again, other ones in each row."""
    keys = SQL(", ").join([own(name) for name in place.key])
    where = _text(f"{place.column.table_name}.{place.column.name}")
    return _formed(place, SQL("{} || pg_catalog.jsonb_build_array({})::text").format(where, keys))


def _pseudonym(place: Place) -> Composable:
    return _formed(place, _text("pseudonym"))


def _formed(place: Place, told: Composable) -> Composable:
    """Return the value of the column's type that is made of the secret and what is *told*."""
    noise = SQL("ops.erasure_noise_v1((SELECT ops.erasure_secret_v1({})), {})").format(
        Placeholder("subject"), told
    )
    form = _FORMS.get(place.live.shape.base)
    if form is not None:
        return SQL(form).format(noise=noise)
    before, after = (str(place.column.strategy_args.get(name, "")) for name in ("prefix", "suffix"))
    room = min(32, (place.live.length or 1_000) - len(before) - len(after))
    return SQL("{} || pg_catalog.left(pg_catalog.encode({}, 'hex'), {}) || {}").format(
        _text(before), noise, Literal(max(room, 1)), _text(after)
    )


def _generalised(place: Place) -> Composable:
    step, value = place.column.strategy_args["to"], own(place.column.name)
    if place.live.shape.category == "D":
        form = _DATES.get(place.live.shape.base, "pg_catalog.date_trunc({step}, {value})")
    elif place.live.shape.category == "I":
        form = (
            "pg_catalog.network(pg_catalog.set_masklen({value}, LEAST(pg_catalog.masklen({value}),"
            " {step} * CASE pg_catalog.family({value}) WHEN 4 THEN 1 ELSE 2 END)))"
        )
    else:
        form = "pg_catalog.floor({value}::numeric / {step}) * {step}"
    return SQL(form).format(step=Escaped(Literal(step)), value=value)


def _document(place: Place) -> Composable:
    """Return the document without some of its paths, or with nothing but some of them."""
    kept = place.column.strategy_args.get("keep")
    listed = kept or place.column.strategy_args.get("paths") or ()
    form = (
        "CASE WHEN {value} IS NOT NULL THEN coalesce(ops.json_only_v1({value}::jsonb, {paths}), 'null') END"
        if kept
        else "ops.json_without_v1({value}::jsonb, {paths})"
    )
    paths = SQL("{}::jsonb").format(_text(json.dumps([steps(path) for path in listed])))
    return SQL(form).format(value=own(place.column.name), paths=paths)


def _redacted(place: Place) -> Composable:
    """Return the value without what the person is known by."""
    shape = place.live.shape
    if is_derived(place):
        return _indexed(place)
    if shape.base in {"json", "jsonb"}:
        form = "ops.json_redacted_v1({value}::jsonb, {sought}, {mark}, {subject}::text)"
    elif shape.category == "A" and place.live.element in _NUMBERS:
        form = "pg_catalog.array_remove({value}, {subject}::{element})"
    elif shape.category == "A":
        form = (
            "CASE WHEN {value} IS NOT NULL THEN ARRAY("
            "SELECT ops.redacted_v1(item.value::text, {sought}, {mark})"
            " FROM pg_catalog.unnest({value}) WITH ORDINALITY AS item (value, place)"
            " WHERE item.value::text IS DISTINCT FROM {subject}::text ORDER BY item.place) END"
        )
    elif shape.category == "N":
        form = "CASE WHEN {value} <> {subject} THEN {value} ELSE {none} END"
    else:
        form = "ops.redacted_v1({value}::text, {sought}, {mark})"
    return SQL(form).format(
        value=own(place.column.name),
        sought=SQL(_SOUGHT),
        mark=_text(str(place.column.strategy_args.get("by", MARK))),
        subject=Placeholder("subject"),
        element=Escaped(SQL(place.live.element or "text")),
        none=SQL("0" if shape.not_null else "NULL"),
    )


def _indexed(place: Place) -> Composable:
    """Return the words of the texts that are left."""
    arguments = place.column.strategy_args
    texts = [place.others.get(name) or own(name) for name in arguments.get("from", ())]
    return SQL("pg_catalog.to_tsvector({}::pg_catalog.regconfig, pg_catalog.concat_ws(' ', {}))").format(
        _text(str(arguments.get("config", "simple"))), SQL(", ").join(texts)
    )


_NUMBERS: Final = frozenset({"smallint", "integer", "bigint", "numeric"})
_DATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "date": "pg_catalog.date_trunc({step}, {value}::timestamp)",
        "timestamp with time zone": "pg_catalog.date_trunc({step}, {value}, 'UTC')",
    }
)
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
        Strategy.SHRED: _shredded,
        Strategy.PSEUDONYM: _pseudonym,
        Strategy.GENERALISE: _generalised,
        Strategy.JSON: _document,
        Strategy.REDACT: _redacted,
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
        # What else a text says of the person nobody can prove to be gone.
        Strategy.REDACT: Outcome.PSEUDONYMISED,
        # Its bytes stay, and nobody can tell what they were.
        Strategy.SHRED: Outcome.ANONYMISED,
    }
)
