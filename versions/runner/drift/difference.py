"""Decide how one schema differs from another, field by field. No database here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject

_CONSTRAINT: Final = (
    "definition", "validated", "deferrable", "deferred", "local", "not inherited", "triggers", "comment",
)  # fmt: skip

# What the query `schema_objects` says of each kind of object, in its order.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "schema": ("owner", "grants", "comment"),
        "relation": (
            "kind", "persistence", "owner", "options", "row security", "forced row security",
            "replica identity", "partition bound", "partition key", "query", "parents", "sequence", "grants",
            "comment",
        ),
        "column": (
            "position", "type", "not null", "collation", "identity", "generated", "default",
            "statistics target", "storage", "compression", "options", "grants", "comment",
        ),
        "constraint": _CONSTRAINT,
        "domain constraint": _CONSTRAINT,
        "index": ("definition", "valid", "ready", "clustered", "replica identity", "comment"),
        "trigger": ("definition", "enabled", "comment"),
        "policy": ("command", "permissive", "roles", "using", "check"),
        "rule": ("definition", "enabled"),
        "routine": ("definition", "owner", "grants", "comment"),
        "type": (
            "kind", "base type", "not null", "default", "owner", "range", "labels", "grants", "comment",
        ),
        "extension": ("version", "schema", "comment"),
        "statistics": ("definition", "statistics target"),
        "publication": (
            "all tables", "inserts", "updates", "deletes", "truncates", "through root", "tables", "schemas",
        ),
        "event trigger": ("event", "enabled", "function", "tags"),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One object that is there and was not, was there and is not, or is another in `fields`.

    `was` and `now` are its fields by name; None where it did not, or does not, exist.
    """

    kind: str
    identity: str
    was: Mapping[str, Any] | None
    now: Mapping[str, Any] | None

    @property
    def change(self) -> Literal["added", "removed", "changed"]:
        """What happened to it."""
        if self.was is None:
            return "added"
        return "removed" if self.now is None else "changed"

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that changed; none of an object that was added or removed."""
        if self.was is None or self.now is None:
            return ()
        return tuple(name for name, before in self.was.items() if self.now.get(name) != before)

    def __str__(self) -> str:
        said = f"{self.change} {self.kind} {self.identity}"
        if not self.fields or self.was is None or self.now is None:
            return said
        details = (
            f"{name} was {_shown(self.was[name])}, is {_shown(self.now[name])}" for name in self.fields
        )
        return f"{said}: {'; '.join(details)}"


def differences(was: Iterable[SchemaObject], now: Iterable[SchemaObject]) -> tuple[Difference, ...]:
    """Return how the objects *now* differ from those that were, by kind and identity."""
    before = {(thing.kind, thing.identity): thing.definition for thing in was}
    after = {(thing.kind, thing.identity): thing.definition for thing in now}
    return tuple(_found(before, after))


def _found(
    before: Mapping[tuple[str, str], str], after: Mapping[tuple[str, str], str]
) -> Iterator[Difference]:
    for key in sorted({*before, *after}):
        kind, identity = key
        # An index is a relation too, and told once.
        index = ("index", identity)
        twice = kind == "relation" and before.get(index) != after.get(index)
        if before.get(key) != after.get(key) and not twice:
            found = Difference(kind, identity, _named(kind, before.get(key)), _named(kind, after.get(key)))
            # A column that comes or goes moves the ones behind it.
            if kind != "column" or found.fields != ("position",):
                yield found


def _named(kind: str, definition: str | None) -> Mapping[str, Any] | None:
    """Return the fields of an object by their names."""
    if definition is None:
        return None
    names = FIELDS.get(kind)
    # Default privileges are one list of grants.
    values = json.loads(definition) if names else [definition]
    return MappingProxyType(dict(zip(names or ("grants",), values, strict=True)))


def _shown(value: object) -> str:
    """Return a field as a person reads it, on one line of a bearable length."""
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:119]}…"
