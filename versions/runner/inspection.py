"""Look into the journal and make the exceptions that it keeps; runs no migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.database import connect, engine, open_connection, translated
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.governance.checksums import checksum, code_checksum
from spotify_ai_agent_migrations.versions.runner import journal
from spotify_ai_agent_migrations.versions.runner.drift import Drift, accept_schema, find_drift
from spotify_ai_agent_migrations.versions.runner.entry import Entry, Fault, Written, verify
from spotify_ai_agent_migrations.versions.runner.gate import applied_revisions, edited_revisions
from spotify_ai_agent_migrations.versions.runner.offline import VERSION_TABLE
from spotify_ai_agent_migrations.versions.runner.options import Options, require_reason
from spotify_ai_agent_migrations.versions.runner.steps import refuse_unverified


@dataclass(frozen=True)
class Verification:
    """What is wrong with a journal, how many entries it has, and the hash of the last."""

    entries: int
    head: str
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        state = f"{len(self.faults)} faults" if self.faults else "whole"
        return f"{self.entries} entries, {state}; the last is {self.head}"


def read_journal(settings: Settings) -> tuple[Written, ...]:
    """Return the entries of the journal, in order.

    Raises:
        RevisionError: there is none.
    """
    with connect(settings, purpose="agentdb governance") as connection:
        _require_journal(connection)
        return journal.entries(connection)


def verify_journal(settings: Settings, *, head: str | None = None) -> Verification:
    """Recompute every hash of the journal and compare its end, and where the database is.

    Whoever can write the whole journal can write it anew: with *head*, the hash of an entry that was kept
    elsewhere, that is seen too.

    Raises:
        RevisionError: there is none.
    """
    with connect(settings, purpose="agentdb governance") as connection:
        _require_journal(connection)
        heads = applied_revisions(connection)
        found = journal.entries(connection)
        faults = tuple(verify(found, journal.recorded_end(connection), heads))
    last = found[-1].hash if found else "none"
    if head is not None and head not in {written.hash for written in found}:
        faults += (Fault(len(found), f"no entry has the hash {head}"),)
    return Verification(len(found), last, faults)


def read_drift(settings: Settings) -> Drift:
    """Return how the schema differs from the one that was journaled last.

    Raises:
        RevisionError: there is no journal.
    """
    with connect(settings, purpose="agentdb governance") as connection:
        _require_journal(connection)
        return find_drift(connection)


def accept_drift(settings: Settings, *, reason: str) -> Drift:
    """Let the journal know the schema as it is now, and why; return what differed.

    Raises:
        RevisionError: there is no journal.
        LockError: a migration is running.
    """
    require_reason(reason)
    with locked(settings) as (connection, into):
        found = find_drift(connection)
        if found:
            accept_schema(connection, into, found.heads, reason)
        return found


def accept_revision(settings: Settings, revision: str, *, reason: str) -> None:
    """Take the file of an applied revision as it is now for the one that was applied, and journal why.

    Raises:
        RevisionError: it is not applied, or did not change.
        LockError: a migration is running.
    """
    require_reason(reason)
    scripts = ScriptDirectory.from_config(Config(str(PACKAGE_ROOT / "alembic.ini")))
    with locked(settings) as (connection, into):
        changed = {edited.revision: edited.file for edited in edited_revisions(connection, scripts)}
        if revision not in changed:
            names = ", ".join(changed) or "none"
            raise RevisionError(
                f'revision "{revision}" is not an applied one whose file changed',
                hint=f"those that changed: {names}",
            )
        into.write(_accepted(revision, changed[revision], reason))


def verify_revisions(settings: Settings) -> tuple[str, ...]:
    """Run `verify(connection)` of every applied revision that has one, and return which were asked.

    Raises:
        RevisionError: what one of them promises does not hold.
    """
    scripts = ScriptDirectory.from_config(Config(str(PACKAGE_ROOT / "alembic.ini")))
    asked = []
    with translated(), engine(settings, purpose="agentdb governance").connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, Connection)
        heads = applied_revisions(raw)
        for script in reversed(tuple(scripts.iterate_revisions(heads, "base")) if heads else ()):
            verify = getattr(script.module, "verify", None)
            if verify is not None:
                refuse_unverified(script.revision, verify, connection)
                asked.append(script.revision)
    return tuple(asked)


def _accepted(revision: str, file: Path, reason: str) -> Entry:
    return Entry(
        direction="accept",
        state="applied",
        revision=revision,
        checksum=checksum(file),
        code=code_checksum(file),
        reason=reason,
    )


@contextmanager
def locked(settings: Settings) -> Iterator[tuple[Connection, journal.Journal]]:
    """Hold the lock of the migration for the block, in a database that has a journal, which is given too."""
    opener = partial(open_connection, settings, purpose="agentdb journal", actor="migration")
    with (
        connect(settings, purpose="agentdb governance") as connection,
        closing(journal.Journal(opener)) as into,
        advisory_lock(connection, lock_key(VERSION_TABLE), wait_ms=Options.wait_ms),
    ):
        _require_journal(connection)
        connection.rollback()
        yield connection, into


def _require_journal(connection: Connection) -> None:
    if not journal.exists(connection):
        raise RevisionError(
            "this database has no journal: no migration has run in it yet",
            hint="alembic upgrade head begins one",
        )


def line(written: Written) -> str:
    """Return an entry on one line: number, time, what happened, how long it took, by whom, from where."""
    entry = written.entry
    said = [
        f"{written.id:>5} {written.at}",
        f"{entry.direction} {entry.revision or '-'} {entry.state}",
        f"{entry.duration_ms} ms" if entry.duration_ms is not None else "",
        f"SQLSTATE {entry.sqlstate}" if entry.sqlstate else "",
        entry.statement or "",
        f"({entry.reason})" if entry.reason else "",
        f"by {written.database_user}",
        f"from {written.origin.os_user or 'somebody'}@{written.origin.host}",
        f"commit {written.origin.git_commit[:8]}" if written.origin.git_commit else "",
    ]
    return "  ".join(part for part in said if part)
