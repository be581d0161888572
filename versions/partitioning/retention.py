"""Take away the partitions that are over: detached, archived and proved, and dropped after a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.database import shown_message, translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, TableError
from spotify_ai_agent_migrations.versions.partitioning import facts, policies
from spotify_ai_agent_migrations.versions.partitioning.archive import archive, hash_of, rows_of
from spotify_ai_agent_migrations.versions.partitioning.facts import Table
from spotify_ai_agent_migrations.versions.partitioning.periods import moment_of
from spotify_ai_agent_migrations.versions.partitioning.plan import Done, Due, Partition, Policy, due
from spotify_ai_agent_migrations.versions.partitioning.policies import Detached
from spotify_ai_agent_migrations.versions.partitioning.session import Session

_FOREIGN_KEY_VIOLATION: Final = "23503"


def retain(
    session: Session, table: Table, policy: Policy, now: datetime, folder: Path | None
) -> tuple[Done, ...]:
    """Do what is due by *policy*; return what was done and what was kept, each with the reason.

    Locks: DETACH CONCURRENTLY takes SHARE UPDATE EXCLUSIVE, so nobody waits; where foreign keys refer to the
    table, SHARE on the tables that have them, waited for no longer than the lock time-out. Dropping what is
    detached concerns nobody any more.
    """
    done = [*finalize(session, table), *detach(session, table, policy, now)]
    for gone in policies.detached(session, facts.MARK):
        if gone.table == table.name:
            with caught(gone.plain, done):
                done += _retire(session, table, policy, gone, folder)
    for copy in policies.detached(session, facts.COPY):
        if copy.table == table.name:
            with caught(copy.plain, done):
                done += _retire_copy(session, table, replace(policy, archive=False), copy)
    return tuple(done)


@contextmanager
def caught(name: str, done: list[Done]) -> Iterator[None]:
    """Note an error of the block under a name, so that what comes after it has its turn."""
    try:
        with translated():
            yield
    except MigrationError as error:
        done.append(Done("failed", name, error.problem))


def detach(session: Session, table: Table, policy: Policy, now: datetime) -> tuple[Done, ...]:
    """Detach the partitions that are over, but for those that something keeps."""
    over = due(policy, facts.partitions(session, table), now)
    over = tuple(
        replace(one, kept_by=one.kept_by or _held(session, table, one.partition.oid)) for one in over
    )
    if facts.is_being_split(session, table):
        over = tuple(replace(one, kept_by=one.kept_by or _split(table, one.partition)) for one in over)
    return tuple(_detach(session, table, one) for one in over)


def _held(session: Session, table: Table, oid: int) -> str | None:
    """Return which hold keeps rows of a part of *table*, attached or not."""
    hold = facts.hold_on(session, table, oid)
    return None if hold is None else f"hold {hold} keeps rows of it"


def _split(table: Table, partition: Partition) -> str | None:
    """Return why the partition that is being split stays."""
    return "a split of it has begun: finish it, or --abort" if partition.plain == table.legacy else None


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
    place = (partition.oid, partition.schema, partition.plain, partition.name, table.name)
    entry = Detached(*place)
    # Before, so that a run that is killed behind it knows whose doing it was.
    policies.note(session, "note_detaching", entry)
    try:
        _detach_online(session, table, Identifier(partition.schema, partition.plain))
    except psycopg2.Error as error:
        if error.pgcode != _FOREIGN_KEY_VIOLATION:
            raise
        policies.note(session, "note_kept", entry)
        return Done("kept", partition.plain, f"rows refer to it: {shown_message(error)}")
    policies.note(session, "note_detached", entry)
    return Done("detached", partition.plain)


def _detach_online(session: Session, table: Table, partition: Identifier) -> None:
    statement = SQL("ALTER TABLE {} DETACH PARTITION {} CONCURRENTLY").format(table.identifier, partition)
    if not facts.incoming(session, table.oid):
        with session.patient():
            session.run(statement)
        return
    # Whoever writes to a table that refers to it waits behind this; and what is half detached by then, and
    # waits for the readers that see it attached, keeps nobody.
    session.alone_briefly(statement, unless=lambda: bool(finalize(session, table)))


def _retire(
    session: Session, table: Table, policy: Policy, gone: Detached, folder: Path | None
) -> tuple[Done, ...]:
    """Archive a detached partition and, when its time of grace is over, drop it."""
    if gone.detached_at is None:
        return (Done("kept", gone.plain, "it was not detached by this package: attach it, or drop it"),)
    done: list[Done] = []
    if policy.archive and gone.sha256 is None:
        if folder is None:
            return (Done("kept", gone.plain, "it is not archived: say --archive FOLDER"),)
        made = archive(session, gone.oid, gone.schema, gone.plain, folder, policy.archive_format)
        proof = {"rows": made.rows, "sha256": made.sha256, "content": made.content}
        policies.note(session, "note_archived", gone, **proof, file=str(made.file.resolve()))
        gone = _again(session, gone)
        done.append(Done("archived", gone.plain, f"{made.rows} rows, SHA-256 {made.sha256}"))
    return (*done, _dropped(session, table, policy, gone, over=True))


def _retire_copy(session: Session, table: Table, policy: Policy, copy: Detached) -> tuple[Done, ...]:
    """Drop what a split has left, when its time of grace is over: its rows are in the partitions."""
    if copy.detached_at is None:
        policies.note(session, "note_detaching", copy)
        copy = _again(session, copy)
    return (_dropped(session, table, policy, copy, over=False),)


def _dropped(session: Session, table: Table, policy: Policy, gone: Detached, *, over: bool) -> Done:
    """Drop a table unless something keeps it, with *over* also that its rows are not over any more."""
    kept = _kept_by(session, table, gone, over=over)
    if kept is None:
        kept = session.transaction(lambda: _drop(session, table, policy, gone, over=over))
    return Done("dropped", gone.plain) if kept is None else Done("kept", gone.plain, kept)


def _kept_by(session: Session, table: Table, gone: Detached, *, over: bool) -> str | None:
    """Return what keeps a detached partition from being dropped, by the policy of this moment."""
    now, _ = facts.clock(session)
    policy = policies.read(session, table.name)[0]
    if policy.hold:
        return f"a legal hold: {policy.hold}"
    held = _held(session, table, gone.oid) if over else None
    if held is not None:
        return held
    still = _is_not_over(table, policy, gone) if over else None
    if still is not None:
        return still
    if gone.detached_at is not None and gone.detached_at + policy.grace > now:
        return f"until {gone.detached_at + policy.grace:%Y-%m-%d}, in case somebody misses it"
    return None


def _is_not_over(table: Table, policy: Policy, gone: Detached) -> str | None:
    try:
        until = moment_of(table.kind, str(gone.until))
    except (ValueError, OverflowError):
        return "its comment does not say any more until when its rows are"
    if policy.cutoff is not None and until <= policy.cutoff:
        return None
    return f"its rows, until {until:%Y-%m-%d}, are not over any more by the policy: attach it again"


def _again(session: Session, gone: Detached) -> Detached:
    """Return what the ledger says of a detached partition by now."""
    found = (*policies.detached(session, facts.MARK), *policies.detached(session, facts.COPY))
    return next(one for one in found if one.oid == gone.oid)


def _drop(session: Session, table: Table, policy: Policy, gone: Detached, *, over: bool) -> str | None:
    """Drop a table if it is still the one that was detached, and its rows are still those of its archive.

    Returns:
        What keeps it, as a hold that was set a moment ago; None when it is dropped.

    Raises:
        TableError: it is another, it was written to since, or the archive is not there any more.
    """
    name = Identifier(gone.schema, gone.plain)
    session.run(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
    kept = _kept_by(session, table, gone, over=over)
    if kept is not None:
        return kept
    if facts.number_of(session, gone.name) != gone.oid or session.value("is_partition", oid=gone.oid):
        raise TableError(
            f'"{gone.name}" is not the table that was detached', hint="look at it; it is left as it is"
        )
    if policy.archive:
        session.run("SET LOCAL statement_timeout = '12h'")
        _refuse_unproved(session, gone)
    session.run(SQL("DROP TABLE {}").format(name))
    policies.note(session, "note_dropped", gone)
    return None


def _refuse_unproved(session: Session, gone: Detached) -> None:
    if rows_of(session, gone.schema, gone.plain) != (gone.archived_rows, gone.rows_sha256):
        raise TableError(
            f'"{gone.name}" has not the rows any more that were archived',
            hint="somebody wrote to it; look at it; it is left as it is",
        )
    try:
        found = hash_of(Path(str(gone.file)))
    except OSError as error:
        raise TableError(
            f'the archive of "{gone.name}" cannot be read: "{gone.file}": {error.strerror or error}',
            hint="leave it there until the partition is dropped; copy it elsewhere as you like",
        ) from error
    if found != gone.sha256:
        raise TableError(
            f'the archive of "{gone.name}" is not what was archived: "{gone.file}"',
            hint="somebody wrote over it; the partition is left as it is",
        )
