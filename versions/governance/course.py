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
    def _made(self) -> Mapping[str, int]:
        """Return when each new table is made, under every name it gets."""
        made: dict[str, int] = {}
        for at, act in enumerate(self.acts):
            if isinstance(act, CreateTable | CreateTemporary) and act.table and not act.if_not_exists:
                made.setdefault(act.table, at)
            elif isinstance(act, RenameTable) and act.table in made:
                made.setdefault(act.to, at)
        return made

    @cached_property
    def _order(self) -> Mapping[Act, int]:
        return {act: at for at, act in enumerate(self.acts)}

    def found(self, table: str | None, act: Act) -> bool:
        """Tell whether *table* is there before this course when *act* comes to it.

        One whose name cannot be told may have been, and so may one that is made with IF NOT EXISTS.
        """
        if table is None:
            return True
        return self._made.get(table, len(self.acts)) > self._order[act] and not table.startswith("pg_temp.")


def course(source: Source, constants: Mapping[str, str], function: str) -> Course:
    """Return what *function* of a revision does."""
    reading = Reading(source, constants)
    steps = tuple(flow.steps(source, function))
    acts = (
        act for step in steps for act in (op_acts.acts(step, reading) if step.call else sql_acts.acts(step))
    )
    return Course(steps, tuple(acts))
