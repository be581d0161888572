"""Which exit code a report ends with. No database.

The codes 0 to 3 are those that Nagios asks for, and say how the server is; all that kept it from being asked
has another one, so that neither is taken for the other.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport, State

EXIT_OK: Final = 0
EXIT_WARNING: Final = 1
EXIT_CRITICAL: Final = 2
EXIT_UNKNOWN: Final = 3
EXIT_USAGE: Final = 64
EXIT_CRASH: Final = 70

# As the plugins of Nagios combine several: a warning is told before what nobody knows.
_WORST_FIRST: Final = (
    (State.CRITICAL, EXIT_CRITICAL), (State.WARNING, EXIT_WARNING), (State.UNKNOWN, EXIT_UNKNOWN),
)  # fmt: skip


class FailOn(str, Enum):
    """From which state on the exit code is not 0."""

    WARNING = "warning"
    UNKNOWN = "unknown"
    CRITICAL = "critical"
    NEVER = "never"

    @property
    def states(self) -> frozenset[State]:
        """The states of which the exit code tells."""
        order = (FailOn.CRITICAL, FailOn.UNKNOWN, FailOn.WARNING)
        return frozenset() if self is FailOn.NEVER else frozenset(
            State(one.value) for one in order[: order.index(self) + 1]
        )  # fmt: skip


def exit_code(report: HealthReport, fail_on: FailOn = FailOn.WARNING) -> int:
    """Return the exit code of *report*: 0 of one that says nothing of which *fail_on* tells."""
    if not report.checks:
        return EXIT_UNKNOWN if State.UNKNOWN in fail_on.states else EXIT_OK
    there = {ran.state for ran in report.checks} & fail_on.states
    return next((code for state, code in _WORST_FIRST if state in there), EXIT_OK)
