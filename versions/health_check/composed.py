"""Ask the checks whose rows no single statement gives: the schema beside the one that was journaled."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from spotify_ai_agent_migrations.versions.core.fingerprint import LAYOUT, SchemaObject, hashed, lasting
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.session import Session

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.runner.drift import Difference

Raw = tuple[Any, ...]
_CORE: Final = queries("spotify_ai_agent_migrations.versions.core")
_RUNNER: Final = queries("spotify_ai_agent_migrations.versions.runner")
_LOCK: Final = "up to ACCESS EXCLUSIVE on what it changes"


def _drift(session: Session, most_s: float) -> Sequence[Raw]:
    """Return a row for each object that is not as the journal has it, compared by one hash at first."""
    from spotify_ai_agent_migrations.versions.runner.drift import (
        differences,
        repairs,
    )  # late: a probe needs none

    described_by, kept = session.rows(_RUNNER["kept_schema"], most_s=most_s)[0]
    here = f"{LAYOUT} on PostgreSQL {session.server_version // 10_000}"
    if kept is None:
        return []
    if described_by != here:
        reason = f"the schema was described by {described_by}, and is by {here}"
        return [("journal", "ops", "migration_state", None, "unknown", {"reason": reason}, None)]
    live = lasting(sorted(SchemaObject(*map(str, row)) for row in _objects(session, most_s)))
    if kept == hashed(live):
        return []
    found = repairs(differences(_kept(session, most_s), live))
    # What is undone with another one, a column with its table, is none of its own.
    return [_row(one, repair) for one, repair in found if repair]


def _objects(session: Session, most_s: float) -> Sequence[Raw]:
    return session.rows(_CORE["schema_objects"], {}, most_s=most_s)


def _kept(session: Session, most_s: float) -> tuple[SchemaObject, ...]:
    ((packed,),) = session.rows(_RUNNER["kept_objects"], most_s=most_s)
    return tuple(SchemaObject(*described) for described in json.loads(zlib.decompress(packed)))


def _row(one: Difference, repair: Sequence[str]) -> Raw:
    how = {"added": "is new", "removed": "is gone"}.get(one.change) or f"has another {', '.join(one.fields)}"
    # What destroys rows is written as a comment: a person decides about it.
    fixes = [[statement, _LOCK] for statement in repair if not statement.startswith("--")]
    return one.kind, None, one.identity, None, "warning", {"how": how}, fixes


COMPOSED: Final[Mapping[str, Callable[[Session, float], Sequence[Raw]]]] = MappingProxyType(
    {"mig.drift": _drift}
)
