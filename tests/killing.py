"""Kill a process before its n-th statement: a real one, by SIGKILL, that opened its own connections."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable

from psycopg2.sql import Composable

from spotify_ai_agent_migrations.versions.core.session import BriefSession

# Set by --soak.
before_each = False


def killed_before(place: int | str, work: Callable[[], object]) -> bool:
    """Run *work* in a process that is killed before a statement; tell whether it came so far.

    The statement is the one of this number, or the first that holds this text.
    """
    with warnings.catch_warnings():
        # What a fork may break, a lock of another thread, is of no use to a process that is killed.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            _run(place, work)
        finally:
            os._exit(9)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _run(place: int | str, work: Callable[[], object]) -> None:
    run, seen = BriefSession.run, [0]

    def counted(session: BriefSession, statement: str | Composable) -> int:
        seen[0] += 1
        if seen[0] == place or (isinstance(place, str) and place in session.text(statement)):
            os.kill(os.getpid(), signal.SIGKILL)
        return run(session, statement)

    BriefSession.run = counted  # type: ignore[method-assign, assignment]
    work()
    os._exit(0)
