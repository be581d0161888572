"""Commit what several sessions did as if it were one transaction."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from spotify_ai_agent_migrations.versions.core.errors import ServerError

_COMMIT_WAIT_S: Final = 30


def commit(sessions: Sequence[Session]) -> None:
    """Commit what several sessions did, all of it or none, whenever this process ends.

    All but the first wait on the server for the end of the first one's transaction, and commit by themselves
    if it did, however long its commit takes. Only a server that crashes between two commits, or an
    administrator who ends one of the sessions just then, could keep a part.

    Raises:
        ServerError: it crashed just then.
    """
    leader, *followers = (session.connection for session in sessions)
    if not followers:
        leader.commit()
        return
    key = secrets.randbits(62)
    with leader.cursor() as cursor:
        cursor.execute(SQL["lead"], {"key": key})
        row = cursor.fetchone()
        assert row is not None
        errors: list[BaseException] = []
        threads = [
            Thread(target=_follow, args=(one, {"key": key, "leader": row[1]}, errors), daemon=True)
            for one in followers
        ]
        for thread in threads:
            thread.start()
        _await(cursor, [one.info.backend_pid for one in followers], errors)
    leader.commit()
    for thread in threads:
        thread.join()
    if errors:
        raise ServerError(
            "the server failed while several sessions were committing, and kept what some of them loaded",
            hint='load the file again, with mode="replace" or after deleting its rows',
        ) from errors[0]


def _follow(connection: Connection, values: Mapping[str, object], errors: list[BaseException]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(SQL["follow"], values)
    except psycopg2.Error as error:
        errors.append(error)


def _await(cursor: Cursor, pids: list[int], errors: list[BaseException]) -> None:
    """Wait until all that follow wait on the server: then they need nobody any more."""
    deadline = time.monotonic() + _COMMIT_WAIT_S
    while True:
        cursor.execute(SQL["followers"], {"pids": pids})
        row = cursor.fetchone()
        if row and row[0] == len(pids):
            return
        if errors or time.monotonic() > deadline:
            raise ServerError(
                "the sessions of the load could not commit together; nothing was loaded", hint="run it again"
            )
        time.sleep(0.002)
