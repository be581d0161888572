"""Make a receipt of what ran in staging, by its journal. Runs no migration.

Locks: the lock of the migration, so that none is running meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import GovernanceError, RevisionError, SettingsError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.governance.checksums import checksum
from spotify_ai_agent_migrations.versions.governance.receipts import Receipt, Run, Tried
from spotify_ai_agent_migrations.versions.governance.revision import Revision, discover
from spotify_ai_agent_migrations.versions.runner import journal
from spotify_ai_agent_migrations.versions.runner.drift import find_drift
from spotify_ai_agent_migrations.versions.runner.entry import ANSWERS, Entry, Written, verify
from spotify_ai_agent_migrations.versions.runner.gate import applied_revisions
from spotify_ai_agent_migrations.versions.runner.inspection import locked

_STAGING: Final = "staging"


def make_receipt(settings: Settings) -> Receipt:
    """Return what staging has run: every applied revision whose file is still the one that ran.

    Left out are revisions that were stamped, or accepted after a change: nobody ran that text.

    Raises:
        SettingsError: this is not staging.
        RevisionError: there is no journal, the last run failed, or no revision is left.
        GovernanceError: the journal is not whole, or the schema is not the one that it knows.
        LockError: a migration is running.
    """
    if settings.environment != _STAGING:
        raise SettingsError(
            f'a receipt says what ran in staging, and MIGRATIONS_ENV is "{settings.environment}"',
            hint="set MIGRATIONS_ENV=staging where staging is",
        )
    scripts = ScriptDirectory.from_config(Config(str(PACKAGE_ROOT / "alembic.ini")))
    with locked(settings) as (connection, _):
        every = journal.entries(connection)
        _refuse_broken(connection, every)
        _refuse_failed(every)
        _refuse_drift(connection)
        heads = applied_revisions(connection)
        applied = {script.revision for script in scripts.iterate_revisions(heads, "base")} if heads else set()
        tried = tuple(_tried((one for one in discover() if one.name in applied), every))
        if not tried:
            raise RevisionError(
                "no applied revision was run here as its file is now", hint="alembic upgrade head"
            )
        return _receipt(connection, settings.environment, heads, every[-1], tried)


def _receipt(
    connection: Connection,
    environment: str,
    heads: tuple[str, ...],
    last: Written,
    tried: tuple[Tried, ...],
) -> Receipt:
    _, fingerprint = journal.kept_fingerprint(connection)
    return Receipt(
        at=journal.server_time(connection),
        environment=environment,
        server_version=str(connection.info.parameter_status("server_version")),
        heads=heads,
        fingerprint=fingerprint or "",
        journal_head=last.hash,
        application_version=last.origin.application_version,
        git_commit=last.origin.git_commit,
        tried=tried,
    )


def _refuse_broken(connection: Connection, every: Sequence[Written]) -> None:
    end = journal.recorded_end(connection)
    fault = next(iter(verify(every, end, applied_revisions(connection))), None)
    if fault is not None:
        raise GovernanceError(
            f"the journal is not as it was written: {fault}",
            hint="`agentdb governance journal --verify` shows all that is wrong with it",
        )


def _refuse_failed(every: Sequence[Written]) -> None:
    last = next((one for one in reversed(every) if _is_run(one.entry)), None)
    if last is not None and last.entry.state != "applied":
        how = f"{last.entry.direction} of {last.entry.revision} {last.entry.state}"
        raise RevisionError(
            f"the last run was no success: {how}",
            hint="alembic upgrade head, until it ends well; where it has nothing to do, go back first",
        )


def _is_run(entry: Entry) -> bool:
    """Whether it was tried: neither an answer of a gate nor an exception, which undoes no failure."""
    return entry.direction in {"upgrade", "downgrade"} and entry.state not in ANSWERS


def _refuse_drift(connection: Connection) -> None:
    drift = find_drift(connection)
    if drift:
        raise GovernanceError(
            f"{drift}: what ran here ran on something else",
            hint="`agentdb governance drift` shows what differs and the SQL that takes it back",
        )


def _tried(revisions: Iterable[Revision], every: Sequence[Written]) -> Iterator[Tried]:
    last = _last(every)
    for revision in revisions:
        up, back = last.get((revision.name, "upgrade")), last.get((revision.name, "downgrade"))
        own = checksum(revision.path)
        # The last that was done with it is its upgrade, and of this very text.
        if up is None or up.entry.checksum != own or (back is not None and back.id > up.id):
            continue
        tried = back is not None and back.entry.checksum == own
        yield Tried(
            revision=revision.name,
            file_name=revision.file_name,
            checksum=own,
            upgrade=_run(up),
            downgrade=_run(back) if back is not None and tried else None,
        )


def _last(every: Sequence[Written]) -> Mapping[tuple[str | None, str], Written]:
    """Return how each revision was last run, in each direction."""
    return {
        (one.entry.revision, one.entry.direction): one
        for one in every
        if one.entry.state == "applied" and one.entry.direction in {"upgrade", "downgrade"}
    }


def _run(one: Written) -> Run:
    entry = one.entry
    return Run(one.at, entry.duration_ms, entry.fingerprint_before, entry.fingerprint_after)
