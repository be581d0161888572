"""Show how far a change is: on a terminal's standard error as it goes, else in the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step

Told = Callable[[Step, str], None]
_LOG = logging.getLogger("spotify_ai_agent_migrations")


@contextmanager
def shown_steps() -> Iterator[Told]:
    """Yield what a manner's `told` may be: it shows the step that is done, and how far it is.

    On a terminal a `tell_every_s` of half a second makes it a live line.
    """
    # None where it was closed before.
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda step, moment: _LOG.info("%s", line(step, moment))
        return
    from rich.console import Console  # late: nobody waits for it but a terminal
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=10) as live:
        yield lambda step, moment: live.update(line(step, moment))


def line(step: Step, moment: str) -> str:
    """Return what is told of a step on one line."""
    return f"{step.phase.value}: {step.name}: {moment}"
