"""Undo a load that failed, and say why in the words of this package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2

from spotify_ai_agent_migrations.versions.bulk_import_export import plan
from spotify_ai_agent_migrations.versions.bulk_import_export.blame import Load, blame, judge
from spotify_ai_agent_migrations.versions.bulk_import_export.pool import BlockError, CutShortError
from spotify_ai_agent_migrations.versions.bulk_import_export.prepare import Finder, Prepared
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record
from spotify_ai_agent_migrations.versions.bulk_import_export.refusal import blockers, gave_up, is_lock
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, RowError
from spotify_ai_agent_migrations.versions.core.settings import Settings


@contextmanager
def translated(sessions: Sequence[Session], load: Load, settings: Settings) -> Iterator[None]:
    """Roll back all *sessions* when the block fails, and name the row at fault or who was in the way.

    Raises:
        MigrationError: says so.
    """
    with blockers(sessions[0].connection, settings) as watch:
        try:
            yield
        except BlockError as failed:
            _roll_back(sessions)
            raise _block_error(failed, load, settings, watch.seen) from failed.error
        except Malformed as fault:
            _roll_back(sessions)
            raise _row_error(fault, load) from None
        except CutShortError as cut:
            _roll_back(sessions)
            raise cut.error from cut.error.__cause__
        except psycopg2.Error as error:
            _roll_back(sessions)
            raise _database_error(error, load, settings, watch.seen, sessions[0], None) from error
        except BaseException:
            _roll_back(sessions)
            raise


def _roll_back(sessions: Sequence[Session]) -> None:
    for session in sessions:
        with suppress(psycopg2.Error):
            session.connection.rollback()


def _block_error(failed: BlockError, load: Load, settings: Settings, seen: Any) -> BaseException:
    error = failed.error
    if not isinstance(error, psycopg2.Error):
        return error
    return _database_error(error, load, settings, seen, failed.session, failed.prepared)


def _database_error(
    error: psycopg2.Error, load: Load, settings: Settings, seen: Any, session: Session,
    prepared: Prepared | None,
) -> MigrationError:  # fmt: skip
    if is_lock(error):
        wait_ms = settings.lock_timeout_ms
        return gave_up(error, doing=load.doing, table=load.table.qualified, wait_ms=wait_ms, seen=seen)
    if prepared is not None and (fault := _fault_in(prepared, load, session, error)) is not None:
        return _row_error(fault, load)
    constraint = None
    with suppress(psycopg2.Error):
        constraint = session.constraint(error)
        session.connection.rollback()
    return blame(error, load, constraint, lambda number: _record(prepared, load, number))


def _fault_in(prepared: Prepared, load: Load, session: Session, error: psycopg2.Error) -> Malformed | None:
    """Return the first record of a block that is at fault by itself; the server's words may be of it."""
    if prepared.kept is not None or prepared.kind == "binary":
        return None
    try:
        session.preparer.exact(prepared.number, prepared.block, prepared.first)
    except Malformed as fault:
        found = judge(error, load, None)
        named = _record(prepared, load, found.number) if found is not None and found.number else None
        return None if named is not None and named.line < fault.line else fault
    return None


def _record(prepared: Prepared | None, load: Load, number: int) -> Record | None:
    return Finder(prepared, load.source).at(number) if prepared is not None else None


def _row_error(fault: Malformed, load: Load) -> RowError:
    """Return the error for a record that is not well-formed, by line and by the name of the field."""
    header, name = load.source.header, load.source.name
    column = header[fault.field] if fault.field is not None and fault.field < len(header) else None
    place = f'"{name}" line {fault.line}' + (f", column {plan.quoted(column)}" if column else "")
    return RowError(
        f"{place}: {fault.problem}", hint=load.source.hint_of(fault), path=name, line=fault.line,
        column=column, sqlstate=None,
    )  # fmt: skip
