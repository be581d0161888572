"""Write revisions that nobody waits for, where Alembic's `--autogenerate` would write statements that block.

    alembic -x metadata=app.models:metadata revision --autogenerate -m "Nicknames"

When: models have changed, and tables that they describe are in use.
Locks: none but to read the catalogue; a type is tried on an empty temporary table, which is rolled back.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import MetaData

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import run
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.columns import Verdict
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.differences import read
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

    def judge(table: str, column: str, kind: str, collation: str | None) -> Verdict:
        try:
            planned = run.plan(ChangeType(table, column, kind, collation=collation), settings=settings)
        except TableError as error:
            return Verdict(at_once=False, refusal=f"{error.problem}; {error.hint}")
        return Verdict(at_once=len(planned.steps) <= 1)

    directives[:] = scripts(first, read(first.upgrade_ops, metadata, judge))
