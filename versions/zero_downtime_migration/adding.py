"""What is done to add a column: what stands behind its name, what follows, what old rows get."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.sql import SQL, Composable

from spotify_ai_agent_migrations.versions.zero_downtime_migration.added_checks import Check
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.numbered import Numbered
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_column import Asked


@dataclass(frozen=True)
class Declared:
    """How a column is added.

    `said` is the type that was declared, `type` the one it gets. `first` is what stands behind its name when
    it is added, `then` what follows in the same transaction, `forget` what takes that away; `whole` and
    `plain_then` are the same where the table may be rewritten. `fill` are the value of old rows and which of
    them are due. `not_null` is whether it is made NOT NULL when all rows have a value, `last` what then
    follows.
    """

    said: str
    type: str
    first: Composable
    whole: Composable
    then: tuple[Composable, ...] = ()
    plain_then: tuple[Composable, ...] = ()
    forget: tuple[Composable, ...] = ()
    fill: tuple[str, str] | None = None
    not_null: bool = False
    checks: tuple[Check, ...] = ()
    last: tuple[Step, ...] = ()


def counted(made: Numbered, answer: Asked, whole: Composable) -> Declared:
    """Return how a column is added that gets its values from a sequence."""
    return Declared(
        said=answer.type,
        type=answer.type,
        first=SQL(answer.type),
        whole=whole,
        then=made.create,
        fill=(made.value, made.due),
        not_null=True,
        last=made.last,
    )
