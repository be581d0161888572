"""Show which check is running: on a terminal as it goes, in a log now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_LOG: Final = logging.getLogger(__name__)
_LOGGED_EVERY_S: Final = 10.0
# The check that begins, how many are done, and how many there are.
Tell = Callable[[str, int, int], None]


@contextmanager
def shown_progress(*, wanted: bool) -> Iterator[Tell | None]:
    """Yield what takes the progress and shows it on standard error; None where it is not wanted."""
    # None where it was closed before.
    if not wanted or sys.stderr is None:
        yield None
    elif not sys.stderr.isatty():
        yield _logging()
    else:
        from rich.console import Console  # late: only a terminal waits for it

        with Console(stderr=True).status("") as status:
            yield lambda check, done, every: status.update(line(check, done, every))


def line(check: str, done: int, every: int) -> str:
    """Return the progress on one line."""
    return f"{done} of {every} checks, now {check}"


def _logging() -> Tell:
    last = time.monotonic()

    def tell(check: str, done: int, every: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LOGGED_EVERY_S:
            last = time.monotonic()
            _LOG.info("%s", line(check, done, every))

    return tell
