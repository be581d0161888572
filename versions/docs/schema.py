"""What the catalogue says of a schema, as frozen values. No database here.

A field called `purpose` is a text that somebody wrote in the database, in English; None where nobody did.
Every other text is SQL, or a name as SQL writes it with the search path on public.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import cast


@dataclass(frozen=True)
class Column:
    """A column; `preset` is what fills it, `classification` the personal data it holds."""

    name: str
    type: str
    nullable: bool
    preset: str | None
    classification: str | None
    purpose: str | None


@dataclass(frozen=True)
class Constraint:
    """A key or check; `kind` is the letter of the catalogue, `target` what a foreign key points at."""

    name: str
    kind: str
    sql: str
    columns: tuple[str, ...]
    target: str | None
    purpose: str | None


@dataclass(frozen=True)
class Index:
    """An index; `kind` is primary, unique key, exclusion, unique or plain; an expression is no column."""

    name: str
    kind: str
    sql: str
    columns: tuple[str | None, ...]
    purpose: str | None


@dataclass(frozen=True)
class Trigger:
    """A trigger; `events` are SQL, such as INSERT or UPDATE OF time_zone."""

    name: str
    timing: str
    events: tuple[str, ...]
    level: str
    enabled: bool
    purpose: str | None


@dataclass(frozen=True)
class Policy:
    """A row security policy; `using` and `check` are its conditions."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None
    purpose: str | None


@dataclass(frozen=True)
class Retention:
    """How long rows are kept after the time in a column; `purpose` is the law or contract behind it."""

    rule: str
    time_column: str
    months: int
    days: int
    seconds: int
    action: str
    purpose: str | None


@dataclass(frozen=True)
class Table:
    """A table with all that belongs to it; `key` is schema.name, `called` how SQL names it."""

    key: str
    called: str
    foreign: bool
    partition_key: str | None
    row_security: bool
    forced: bool
    purpose: str | None
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()
    retention: tuple[Retention, ...] = ()


@dataclass(frozen=True)
class View:
    """A view; `invoker` says that it reads with the rights of whoever asks."""

    key: str
    called: str
    materialized: bool
    invoker: bool
    reads: tuple[str, ...]
    purpose: str | None
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True)
class Function:
    """A function that code calls; `definer` says that it runs with the rights of its owner."""

    key: str
    called: str
    arguments: str
    result: str | None
    definer: bool
    purpose: str | None


@dataclass(frozen=True)
class Type:
    """A domain, which has a base and checks, or an enumeration, which has labels."""

    key: str
    called: str
    base: str | None
    checks: tuple[str, ...]
    labels: tuple[str, ...]
    purpose: str | None


@dataclass(frozen=True)
class Schema:
    """All that is documented, each kind in the order of its keys."""

    tables: tuple[Table, ...]
    views: tuple[View, ...]
    functions: tuple[Function, ...]
    types: tuple[Type, ...]

    @property
    def relations(self) -> tuple[Table | View, ...]:
        """What has columns and a heading of its own."""
        return (*self.tables, *self.views)


def with_purposes(schema: Schema, say: Callable[[str], str]) -> Schema:
    """Return *schema* with every `purpose` inside it said by *say*."""
    return cast("Schema", _said(schema, say))


def _said(value: object, say: Callable[[str], str]) -> object:
    if isinstance(value, tuple):
        return tuple(_said(one, say) for one in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    held = {field.name: getattr(value, field.name) for field in fields(value)}
    changed = {name: _said(one, say) for name, one in held.items() if name != "purpose"}
    if isinstance(purpose := held.get("purpose"), str):
        changed["purpose"] = say(purpose)
    return replace(value, **changed)


def purposes(schema: Schema) -> tuple[str, ...]:
    """Return every text that somebody wrote in the database, once each, in order of the alphabet."""
    found: set[str] = set()

    def note(purpose: str) -> str:
        found.add(purpose)
        return purpose

    with_purposes(schema, note)
    return tuple(sorted(found))
