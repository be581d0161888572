"""Ask, before production is changed, who approved of it and what staging says of it; journal the answer.

Locks: none; the caller holds the lock of the migration.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.migration import MigrationStep, RevisionStep, StampStep
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import FileError, PromotionError, SettingsError
from spotify_ai_agent_migrations.versions.core.fingerprint import described_by
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.governance.approvals import read_approvals
from spotify_ai_agent_migrations.versions.governance.authors import authors_of
from spotify_ai_agent_migrations.versions.governance.checksums import code_checksum
from spotify_ai_agent_migrations.versions.governance.pending import Missing, Pending, Production
from spotify_ai_agent_migrations.versions.governance.promotion import Verdict, decide, remedy
from spotify_ai_agent_migrations.versions.governance.revision import read
from spotify_ai_agent_migrations.versions.governance.trust import read_trust
from spotify_ai_agent_migrations.versions.runner import journal
from spotify_ai_agent_migrations.versions.runner.entry import Entry, State
from spotify_ai_agent_migrations.versions.runner.gate import (
    applied_revisions,
    known_revisions,
    refuse_unknown_revision,
)
from spotify_ai_agent_migrations.versions.runner.options import Options
from spotify_ai_agent_migrations.versions.runner.refusal import Refusals
from spotify_ai_agent_migrations.versions.runner.texts import Texts

# Of `stamp --purge base` Alembic makes no step, and it empties its table all the same.
EMPTYING: Final = StampStep(None, None, is_upgrade=False, branch_move=False)

_log: Final = logging.getLogger("spotify_ai_agent_migrations")


def admit(
    connection: Connection,
    into: journal.Journal,
    refusals: Refusals,
    steps: Iterable[MigrationStep],
    texts: Texts,
    options: Options,
) -> None:
    """Let production run *steps*, or refuse; either way the journal says so before anything is executed.

    Leaves no transaction open.

    Raises:
        RevisionError: a file is not the one that was loaded.
        PromotionError: for one of them something is missing, and `break_glass` was not said.
        SettingsError: what production believes is set wrongly.
    """
    with refusals.of("loaded"):
        pending = pending_of(steps, texts, back=options.on_failure == "rollback")
    verdicts = judge(connection, pending, glass=options.break_glass)
    lacking = [verdict for verdict in verdicts if verdict.missing]
    if lacking and not options.break_glass:
        for verdict in lacking:
            refusals.write(_entry(verdict, "refused", verdict.said))
        raise _refused(lacking)
    for verdict in verdicts:
        into.write(_entry(verdict, "overridden" if verdict.missing else "allowed", options.reason))
        if verdict.missing:
            _log.warning(
                "BREAK-GLASS: %s goes on though %s; the journal keeps who did it, and why: %s",
                _named(verdict.pending), verdict.said, options.reason,
            )  # fmt: skip
    if options.break_glass and not lacking:
        _log.warning("break-glass was not needed: nothing is missing")


def judge(connection: Connection, pending: Sequence[Pending], *, glass: bool = False) -> tuple[Verdict, ...]:
    """Return what is missing for each of *pending*, by the files and the settings of this machine.

    Where *glass* is to be broken, it is missing as well that one of them cannot be read. Leaves no
    transaction open.

    Raises:
        SettingsError: what production believes is set wrongly.
        FileError: the approvals or the receipts cannot be read.
    """
    if not pending:
        return ()
    production = Production(
        now=journal.server_time(connection),
        server_version=str(connection.info.parameter_status("server_version")),
        schema=_schema(connection),
    )
    connection.rollback()
    try:
        return decide(pending, read_approvals(PACKAGE_ROOT / "versions"), read_trust(), production)
    except (FileError, SettingsError) as error:
        if not glass:
            raise
        # A path may hold bytes that are no text, which the journal cannot keep.
        unread = Missing("unreadable", error.problem.encode("utf-8", "replace").decode())
        return tuple(Verdict(one, (unread,)) for one in pending)


def check_upgrade(settings: Settings, revision: str) -> tuple[Verdict, ...]:
    """Return what is missing for each revision that an upgrade to *revision* would run; runs none.

    Raises:
        RevisionError: the database is at a revision that this code does not know.
        CommandError: Alembic's own refusal of *revision*.
    """
    texts = Texts()
    scripts = ScriptDirectory.from_config(Config(str(PACKAGE_ROOT / "alembic.ini")))
    texts.load(scripts)
    with connect(settings, purpose="agentdb governance") as connection:
        refuse_unknown_revision(connection, known_revisions(scripts))
        heads = applied_revisions(connection)
        steps = planned(lambda at, _: scripts._upgrade_revs(revision, at), heads)
        return judge(connection, pending_of(steps, texts))


def pending_of(steps: Iterable[MigrationStep], texts: Texts, *, back: bool = False) -> tuple[Pending, ...]:
    """Return *steps* as what is to be judged; with *back*, a failure of theirs goes back by itself.

    Raises:
        RevisionError: a file is not the one that was loaded.
    """
    return tuple(_pending(step, texts, back=back) for step in steps)


def _pending(step: MigrationStep, texts: Texts, *, back: bool) -> Pending:
    if not isinstance(step, RevisionStep):
        assert isinstance(step, StampStep)
        return Pending(",".join(step.to_), verb="stamp")
    file = Path(step.revision.path)
    own, authors = texts.of(file), authors_of(file)
    return Pending(
        revision=step.revision.revision,
        file_name=file.name,
        checksum=own,
        code=code_checksum(file),
        verb="upgrade" if step.is_upgrade else "downgrade",
        destructive=(read(file).fields.get("Data") or "").startswith("destructive"),
        back=back and step.is_upgrade,
        authors=authors or (),
        authors_unknown=authors is None,
    )


def _schema(connection: Connection) -> str | None:
    if not journal.exists(connection):
        return None
    kept_by, kept = journal.kept_fingerprint(connection)
    return kept if kept_by == described_by(connection) else None


def _entry(verdict: Verdict, state: State, reason: str | None) -> Entry:
    asked = verdict.pending
    return Entry(
        direction=asked.verb,
        state=state,
        revision=asked.revision or None,
        checksum=asked.checksum,
        code=asked.code,
        reason=reason,
        details=verdict.details,
    )


def _refused(lacking: Sequence[Verdict]) -> PromotionError:
    told = ", ".join(f"{_named(verdict.pending)} ({verdict.said})" for verdict in lacking)
    return PromotionError(
        f"production does not run {told}; nothing was executed",
        hint=remedy(lacking),
        missing={verdict.pending.revision: tuple(one.code for one in verdict.missing) for verdict in lacking},
    )


def _named(pending: Pending) -> str:
    name = pending.file_name.removesuffix(".py") or pending.revision or "base"
    return f"the {pending.verb} of {name}"


def planned(function: Any, heads: Sequence[str]) -> list[MigrationStep]:  # noqa: ANN401  (a StepFunction)
    """Return the steps that *function* makes of a database at *heads*; none of them is run."""
    return list(function(tuple(heads), None) or ())
