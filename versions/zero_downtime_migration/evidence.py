"""Hold what is known of a change that is to be contracted, and of the applications. No database here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Application:
    """A version of an application that may run, and the last revision whose new forms it knows."""

    name: str
    version: str
    revision: str
    acknowledged_at: datetime

    def knows(self, evidence: Evidence) -> bool:
        """Tell whether it said that it knows the new form, when the form was there."""
        return self.revision >= (evidence.revision or "") and self.acknowledged_at >= evidence.expanded_at


@dataclass(frozen=True)
class Reading:
    """Since when no counted statement has named what goes; `forgotten` is how often some were forgotten.

    `calls` is how often each was executed when they were last looked at, by its number: one that has become
    less, or is gone, was forgotten and may have been executed since, so that it is a use as well.
    """

    calls: Mapping[str, int]
    unread_since: datetime
    forgotten: int

    def looked(
        self, calls: Mapping[str, int], now: datetime, reset_at: datetime, forgotten: int = 0
    ) -> Reading:
        """Return what is known after another look, when the server had *forgotten* some so often."""
        begun_anew = reset_at > self.unread_since
        if dict(calls) != ({} if begun_anew else dict(self.calls)):
            return Reading(calls, now, forgotten)
        if begun_anew:
            return Reading(calls, reset_at, 0)
        return self


@dataclass(frozen=True)
class Evidence:
    """What is known of a change.

    `left` is the first phase that is not over, if one is not. `released` tells whether its revision is
    applied to its end; `reading` is None, and `unknown` says why, where nobody counts who reads what goes;
    `naming` are functions of the database that name it.
    """

    now: datetime
    left: str
    expanded_at: datetime
    revision: str | None = None
    released: bool = True
    released_at: datetime | None = None
    applications: tuple[Application, ...] = ()
    reading: Reading | None = None
    unknown: str = ""
    naming: tuple[str, ...] = ()
