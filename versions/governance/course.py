"""What `upgrade()` or `downgrade()` of a revision does, in order, and which tables it found there before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from spotify_ai_agent_migrations.versions.governance import flow, op_acts, sql_acts
from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    CreateTable,
    CreateTemporary,
    RenameTable,
    Statement,
)
from spotify_ai_agent_migrations.versions.governance.flow import Source, Step
from spotify_ai_agent_migrations.versions.governance.op_columns import Reading

Kind = TypeVar("Kind", bound=Act)


@dataclass(frozen=True)
class Course:
    """The steps of one function, and the acts they make; all acts of one kind are found at once."""

    steps: tuple[Step, ...] = ()
    acts: tuple[Act, ...] = ()
    _by_kind: Mapping[type[Act], list[Act]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Sort the acts by kind."""
        found: dict[type[Act], list[Act]] = {}
        for act in self.acts:
            found.setdefault(type(act), []).append(act)
        object.__setattr__(self, "_by_kind", found)

    def of(self, kind: type[Kind]) -> Sequence[Kind]:
        """Return the acts of exactly this kind, in order."""
        return cast("Sequence[Kind]", self._by_kind.get(kind, ()))

    def statements(self, *verbs: str) -> Iterator[Statement]:
        """Yield the statements of SQL that begin with one of these words."""
        return (found for found in self.of(Statement) if found.verb in verbs)

    @cached_property
    def new_tables(self) -> frozenset[str]:
        """Return the tables that are made here, under every name they get."""
        made = {act.table for kind in (CreateTable, CreateTemporary) for act in self.of(kind) if act.table}
        for renamed in self.of(RenameTable):
            if renamed.table in made:
                made.add(renamed.to)
        return frozenset(made)

    def found(self, table: str | None) -> bool:
        """Tell whether *table* was there before; one whose name cannot be told may have been."""
        return table not in self.new_tables and not (table or "").startswith("pg_temp.")


def course(source: Source, constants: Mapping[str, str], function: str) -> Course:
    """Return what *function* of a revision does."""
    reading = Reading(source, constants)
    steps = tuple(flow.steps(source, function))
    acts = (
        act for step in steps for act in (op_acts.acts(step, reading) if step.call else sql_acts.acts(step))
    )
    return Course(steps, tuple(acts))
