"""Run one revision on its own, through the same gate, lock and transaction as `alembic upgrade`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.settings import may_try_drafts
from spotify_ai_agent_migrations.versions.runner import gate
from spotify_ai_agent_migrations.versions.runner.entry import Direction
from spotify_ai_agent_migrations.versions.runner.environment import (
    AROUND_ATTRIBUTE,
    GATED_ATTRIBUTE,
    OPTIONS_ATTRIBUTE,
    PLAN_ATTRIBUTE,
    TEXTS_ATTRIBUTE,
)
from spotify_ai_agent_migrations.versions.runner.options import Options
from spotify_ai_agent_migrations.versions.runner.plan import Plan
from spotify_ai_agent_migrations.versions.runner.refusal import findings_kept
from spotify_ai_agent_migrations.versions.runner.steps import Around, inside_alembic
from spotify_ai_agent_migrations.versions.runner.texts import Texts

# Alembic keeps the running migration in globals of its modules.
_ONE_AT_A_TIME: Final = threading.RLock()


class Outcome(Enum):
    """What came of running one revision."""

    APPLIED = "applied"
    REVERTED = "reverted"
    UNCHANGED = "unchanged"
    REHEARSED = "rehearsed"
    WRITTEN = "written"


def call_revision(file: Path, verb: str, raw: Callable[[], None]) -> None:
    """Run *raw*, the *verb* of *file*: as it is inside a migration, else on its own and recorded."""
    if inside_alembic():
        raw()
    else:
        run_revision(file, verb)


def run_revision(
    file: str | Path, verb: str = "upgrade", options: Options | None = None, *, sql: bool = False
) -> Outcome:
    """Apply or revert the one revision in *file*; with *sql*, write its statements to standard output.

    Nothing happens when it is applied, or reverted, already.

    Raises:
        RevisionError: an ancestor is not applied yet, or a descendant still is; or the file is not ours.
    """
    options = options or Options()
    with _ONE_AT_A_TIME:
        texts = Texts()
        direction: Direction = "upgrade" if verb == "upgrade" else "downgrade"
        with findings_kept(options, direction, running=not sql):
            gate.refuse_findings(mutating=True, drafts=may_try_drafts())
        config = Config(str(PACKAGE_ROOT / "alembic.ini"))
        config.attributes[OPTIONS_ATTRIBUTE] = options
        config.attributes[GATED_ATTRIBUTE] = True
        config.attributes[TEXTS_ATTRIBUTE] = texts
        scripts = ScriptDirectory.from_config(config)
        texts.load(scripts)
        script = _script(scripts, Path(file).resolve())
        single = _Single(scripts, script, verb)
        start = script.down_revision if verb == "upgrade" else script.revision
        with EnvironmentContext(
            config,
            scripts,
            fn=single,
            as_sql=sql,
            starting_rev=(start or "base") if sql else None,
            destination_rev=script.revision,
        ):
            scripts.run_env()
    return _outcome(verb, ran=single.ran, dry_run=options.dry_run, sql=sql)


def run_downgrade(target: str, options: Options, *, around: Around) -> None:
    """Revert the revisions down to *target*, each inside of *around* and in the order of `alembic downgrade`.

    Raises:
        MigrationError: as for `alembic downgrade`, and whatever *around* raises; the step is undone.
    """
    with _ONE_AT_A_TIME:
        texts = Texts()
        with findings_kept(options, "downgrade", running=True):
            gate.refuse_findings(mutating=True, drafts=may_try_drafts())
        config = Config(str(PACKAGE_ROOT / "alembic.ini"))
        config.attributes[OPTIONS_ATTRIBUTE] = options
        config.attributes[AROUND_ATTRIBUTE] = around
        config.attributes[GATED_ATTRIBUTE] = True
        config.attributes[TEXTS_ATTRIBUTE] = texts
        scripts = ScriptDirectory.from_config(config)

        def downgrade(heads: Any, _: MigrationContext) -> Any:  # noqa: ANN401  (Alembic's own)
            return scripts._downgrade_revs(target, heads)

        with EnvironmentContext(config, scripts, fn=downgrade, destination_rev=target):
            scripts.run_env()


def run_upgrade(revision: str = "head", options: Options | None = None) -> None:
    """Run what `alembic upgrade` would, up to *revision*.

    Raises:
        MigrationError: whatever stands in the way of it.
        CommandError: Alembic's own refusals, such as an unknown revision.
    """
    with _ONE_AT_A_TIME:
        config = Config(str(PACKAGE_ROOT / "alembic.ini"))
        config.attributes[OPTIONS_ATTRIBUTE] = options or Options()
        command.upgrade(config, revision)


def plan_upgrade(revision: str = "head", options: Options | None = None) -> Plan:
    """Execute what `alembic upgrade` would, up to *revision*, and return what each statement did.

    Nothing stays: it is rolled back, or done on a clone (`Options.shadow`).

    Raises:
        MigrationError: whatever would have stood in the way of the upgrade.
        CommandError: Alembic's own refusals, such as an unknown revision.
    """
    with _ONE_AT_A_TIME:
        config = Config(str(PACKAGE_ROOT / "alembic.ini"))
        config.attributes[OPTIONS_ATTRIBUTE] = replace(options or Options(), dry_run=True)
        command.upgrade(config, revision)
        plan = config.attributes[PLAN_ATTRIBUTE]
        assert isinstance(plan, Plan)
        return plan


class _Single:
    """Alembic's step function for one revision: that step, or none when there is nothing to do."""

    def __init__(self, scripts: ScriptDirectory, script: Script, verb: str) -> None:
        self._scripts = scripts
        self._script = script
        # As Alembic's own are called for what they do.
        self.__name__ = self._verb = verb
        self.ran = False

    def __call__(self, heads: Any, _: MigrationContext) -> Iterator[MigrationStep]:  # noqa: ANN401
        revisions = self._scripts.revision_map
        applied = {one.revision for one in revisions.iterate_revisions(heads, "base")} if heads else set()
        if (self._script.revision in applied) == (self._verb == "upgrade"):
            return
        if self._verb == "upgrade":
            self._require_ancestors(applied)
            yield MigrationStep.upgrade_from_script(revisions, self._script)
        else:
            self._require_head(heads)
            yield MigrationStep.downgrade_from_script(revisions, self._script)
        self.ran = True

    def _require_ancestors(self, applied: set[str]) -> None:
        parent = self._script.down_revision
        if parent is not None and parent not in applied:
            at = max(applied, default="base")
            raise RevisionError(
                f"revision {self._script.revision} follows {parent}, and the database is at {at}",
                hint=f"alembic upgrade {self._script.revision} applies all that is missing",
            )

    def _require_head(self, heads: tuple[str, ...]) -> None:
        if self._script.revision not in heads:
            raise RevisionError(
                f"revision {self._script.revision} has successors, and the database is at {', '.join(heads)}",
                hint=f"alembic downgrade {self._script.down_revision or 'base'} reverts them with it",
            )


def _script(scripts: ScriptDirectory, file: Path) -> Script:
    if file.parent != PACKAGE_ROOT / "versions":
        raise RevisionError(
            f'"{file}" is not a revision of the installed package "{PACKAGE_ROOT}"',
            hint=f'pip install -e "{file.parent.parent}"',
        )
    return scripts.get_revision(file.name[:3])


def _outcome(verb: str, *, ran: bool, dry_run: bool, sql: bool) -> Outcome:
    if sql:
        return Outcome.WRITTEN
    if not ran:
        return Outcome.UNCHANGED
    if dry_run:
        return Outcome.REHEARSED
    return Outcome.APPLIED if verb == "upgrade" else Outcome.REVERTED
