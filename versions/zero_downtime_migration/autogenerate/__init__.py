"""Write revisions that nobody waits for, where Alembic's `--autogenerate` would write statements that block.

    alembic -x metadata=app.models:metadata revision --autogenerate -m "Nicknames"

When: models have changed, and tables that they describe are in use.
Locks: none but to read the catalogue; a type is tried on an empty temporary table, which is rolled back.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

from sqlalchemy import MetaData

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import run
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.columns import Retyped, Verdict
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.differences import read
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.reading import (
    collation_text,
    type_text,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.scripts import scripts
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.change_type import ChangeType

__all__ = ["rewrite"]

_log: Final = logging.getLogger("spotify_ai_agent_migrations")


def rewrite(settings: Settings, metadata: MetaData, directives: list[Any]) -> None:
    """Put in place of the one revision of *directives* those that change live tables online.

    Where nothing differs none is left. The database of *settings* is asked how types change.
    """
    (first,) = directives
    if first.upgrade_ops.is_empty():
        _log.warning("the models and the database are alike: no revision is written")
        directives.clear()
        return

    judge = partial(_judged, settings)
    directives[:] = scripts(first, read(first.upgrade_ops, metadata, judge))


def _judged(settings: Settings, one: Retyped) -> Verdict:
    """Ask the server how a type changes; where the way back is not certain, with the plain one."""
    collation = collation_text(one.new)
    refusal = ""
    for back in (None, one.back):
        wish = ChangeType(one.table, one.column, type_text(one.new), back=back, collation=collation)
        try:
            steps = run.plan(wish, settings=settings).steps
        except TableError as error:
            refusal = refusal or f"{error.problem}; {error.hint}"
        else:
            return Verdict(at_once=len(steps) <= 1, back=back)
    return Verdict(refusal=refusal)
