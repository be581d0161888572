"""Show how far an import or export is: on a terminal as it goes, in a log now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.progress import Progress, Tell

_LOG: Final = logging.getLogger(__name__)
_LOGGED_EVERY_S: Final = 10.0
_SHOWN_EVERY_S: Final = 0.1


@contextmanager
def shown_progress() -> Iterator[Tell]:
    """Yield what takes the progress, and shows it on standard error."""
    # None where it was closed before.
    if sys.stderr is None or not sys.stderr.isatty():
        yield _every(_LOGGED_EVERY_S, lambda seen: _LOG.info("%s", line(seen)))
        return
    from rich.console import Console  # late: nobody waits for it but a terminal
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=10) as live:
        yield _every(_SHOWN_EVERY_S, lambda seen: live.update(line(seen)))


def line(seen: Progress) -> str:
    """Return the progress on one line: rows, speed, rejects, and how long it will take."""
    speed = seen.bytes / seen.seconds if seen.seconds else 0.0
    so_far = f"{seen.bytes / 1e6:.0f} MB" if seen.rows is None else f"{seen.rows} rows"
    parts = [so_far, f"{speed / 1e6:.1f} MB/s"]
    if seen.rejected:
        parts.append(f"{seen.rejected} rejected")
    if seen.total_bytes and speed:
        left_s = max(0, seen.total_bytes - seen.bytes) / speed
        parts.append(f"{100 * seen.bytes // max(1, seen.total_bytes)} %, {left_s:.0f} s left")
    return ", ".join(parts)


def _every(pause_s: float, show: Callable[[Progress], None]) -> Tell:
    last = time.monotonic()

    def tell(seen: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= pause_s:
            last = time.monotonic()
            show(seen)

    return tell
