"""Take away the partitions that are over: detached, archived and proved, and dropped after a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import facts, policies
from spotify_ai_agent_migrations.versions.partitioning.archive import archive
from spotify_ai_agent_migrations.versions.partitioning.facts import Table
from spotify_ai_agent_migrations.versions.partitioning.plan import Done, Due, Policy, due
from spotify_ai_agent_migrations.versions.partitioning.policies import Detached
from spotify_ai_agent_migrations.versions.partitioning.session import Session

_FOREIGN_KEY_VIOLATION: Final = "23503"


def retain(
    session: Session, table: Table, policy: Policy, now: datetime, folder: Path | None
) -> tuple[Done, ...]:
    """Do what is due by *policy*; return what was done and what was kept, each with the reason.

    Locks: DETACH CONCURRENTLY takes SHARE UPDATE EXCLUSIVE, so nobody waits; dropping what is detached
    concerns nobody any more.
    """
    done = [*finalize(session, table), *detach(session, table, policy, now)]
    for gone in policies.detached(session, facts.MARK):
        if gone.table == table.name:
            done += _retire(session, policy, gone, folder)
    for copy in policies.detached(session, facts.COPY):
        if copy.table == table.name:
            done += _retire(session, replace(policy, archive=False), copy, folder)
    return tuple(done)


def detach(session: Session, table: Table, policy: Policy, now: datetime) -> tuple[Done, ...]:
    """Detach the partitions that are over, but for those that something keeps."""
    return tuple(_detach(session, table, one) for one in due(policy, facts.partitions(session, table), now))


def finalize(session: Session, table: Table) -> tuple[Done, ...]:
    """Finish the detaching that a killed run has left half done, which keeps every other one waiting."""
    done = []
    for one in facts.partitions(session, table):
        if one.detaching:
            with session.patient():
                session.run(
                    SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE").format(
                        table.identifier, Identifier(one.schema, one.plain)
                    )
                )
            done.append(Done("finalized", one.plain))
    return tuple(done)


def _detach(session: Session, table: Table, one: Due) -> Done:
    partition = one.partition
    if one.kept_by:
        return Done("kept", partition.plain, one.kept_by)
    try:
        with session.patient():
            session.run(
                SQL("ALTER TABLE {} DETACH PARTITION {} CONCURRENTLY").format(
                    table.identifier, Identifier(partition.schema, partition.plain)
                )
            )
    except psycopg2.Error as error:
        if error.pgcode != _FOREIGN_KEY_VIOLATION:
            raise
        return Done("kept", partition.plain, f"rows refer to it: {shown_message(error)}")
    return Done("detached", partition.plain)


def _retire(session: Session, policy: Policy, gone: Detached, folder: Path | None) -> tuple[Done, ...]:
    """Archive a detached partition and, when its time of grace is over, drop it."""
    if gone.detached_at is None:
        policies.note(session, "note_detached", gone)
        gone = _again(session, gone)
    done: list[Done] = []
    if policy.archive and gone.sha256 is None:
        if folder is None:
            return (Done("kept", gone.plain, "it is not archived: say --archive FOLDER"),)
        made = archive(session, gone.schema, gone.plain, folder, policy.archive_format)
        policies.note(
            session, "note_archived", gone, rows=made.rows, sha256=made.sha256, file=str(made.file.resolve())
        )
        gone = _again(session, gone)
        done.append(Done("archived", gone.plain, f"{made.rows} rows, SHA-256 {made.sha256}"))
    now, _ = facts.clock(session)
    if policy.hold:
        done.append(Done("kept", gone.plain, f"a legal hold: {policy.hold}"))
    elif gone.detached_at is not None and gone.detached_at + policy.grace > now:
        until = f"{gone.detached_at + policy.grace:%Y-%m-%d}"
        done.append(Done("kept", gone.plain, f"until {until}, in case somebody misses it"))
    else:
        session.transaction(lambda: _drop(session, policy, gone))
        done.append(Done("dropped", gone.plain))
    return tuple(done)


def _again(session: Session, gone: Detached) -> Detached:
    """Return what the ledger says of a detached partition by now."""
    found = (*policies.detached(session, facts.MARK), *policies.detached(session, facts.COPY))
    return next(one for one in found if one.oid == gone.oid)


def _drop(session: Session, policy: Policy, gone: Detached) -> None:
    """Drop a table if it is still the one that was detached, and still has the rows that were archived.

    Raises:
        TableError: it is another, or it was written to since.
    """
    table = Identifier(gone.schema, gone.plain)
    session.run(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
    if facts.number_of(session, gone.name) != gone.oid or session.value("is_partition", oid=gone.oid):
        raise TableError(
            f'"{gone.name}" is not the table that was detached', hint="look at it; it is left as it is"
        )
    if policy.archive and session.value(SQL("SELECT count(*) FROM {}").format(table)) != gone.archived_rows:
        raise TableError(
            f'"{gone.name}" has not the rows any more that were archived',
            hint="somebody wrote to it; look at it; it is left as it is",
        )
    session.run(SQL("DROP TABLE {}").format(table))
    policies.note(session, "note_dropped", gone)
