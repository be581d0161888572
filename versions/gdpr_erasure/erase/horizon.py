"""Wait until every transaction that could still write of a hidden person has ended.

A transaction that took its snapshot before the person was hidden does not see that, and passes every guard.
One that had written before may be at rest between two statements, or be prepared, and commit whenever it
likes. So first every such snapshot has to be gone; then a transaction number is taken, behind which nobody
can have written without being refused, and all that have an older one are waited for. What they committed is
swept then, and nothing comes behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS

_PAUSE_S: Final = 0.001
_PAUSE_MOST_S: Final = 0.5
_SHOWN: Final = 5
_Asking = Callable[[], Sequence[str]]


def wait_for_horizon(
    connection: Connection, hidden_xid: int, *, wait_s: float, said_s: float | None = None
) -> int:
    """Wait until all that began before now has ended, and return the transaction that bounds it.

    hidden_xid: the transaction that hid the person. said_s: the wait to speak of, where this is part of one.
    Looks at this database alone: no other can write here.
    Holds no snapshot and no lock meanwhile; leaves no transaction open.

    Raises:
        LockError: not within *wait_s* seconds; names who is waited for.
    """
    deadline, said_s = time.monotonic() + wait_s, wait_s if said_s is None else said_s
    since = _number(connection, "since", hidden=hidden_xid)
    _wait(deadline, said_s, lambda: _said(connection, "older_snapshots", since=since))
    horizon = _number(connection, "horizon")
    _wait(deadline, said_s, lambda: _writers(connection, horizon))
    return horizon


def _writers(connection: Connection, horizon: int) -> Sequence[str]:
    """Return who wrote before *horizon* and has not ended; what is prepared was a session's before."""
    # In this order, each in its own transaction: what was prepared between the two is seen by the second.
    return _said(connection, "older_writers", horizon=horizon) or _said(
        connection, "older_prepared", horizon=horizon
    )


def _wait(deadline: float, said_s: float, asking: _Asking) -> None:
    pause_s = _PAUSE_S
    while found := asking():
        if time.monotonic() >= deadline:
            raise _late(found, said_s)
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _PAUSE_MOST_S)


def _late(found: Sequence[str], said_s: float) -> LockError:
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return LockError(
        f"waited {said_s:g} s for transactions that may still write of the person: "
        f"{', '.join(found[:_SHOWN])}{more}",
        hint="let them end, or end them (pg_terminate_backend, ROLLBACK PREPARED); called again it goes on",
    )


def _said(connection: Connection, name: str, **values: int) -> Sequence[str]:
    return [str(said) for (said,) in _ask(connection, name, **values)]


def _number(connection: Connection, name: str, **values: int) -> int:
    ((number,),) = _ask(connection, name, **values)
    return int(str(number))


def _ask(connection: Connection, name: str, **values: int) -> list[tuple[object, ...]]:
    """Return the rows of one statement, in its own transaction: what the server saw it keeps till then."""
    with connection, connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], values)
        return cursor.fetchall()
