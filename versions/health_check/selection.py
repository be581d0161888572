"""Choose the checks of a run, and read limits as they are spoken. No database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.health_check.check import Check


def chosen(
    checks: Iterable[Check], *, only: Sequence[str] | None, exclude: Sequence[str], deep: bool
) -> tuple[Check, ...]:
    """Return those of *checks* that are asked for; the deep ones where they are named, or *deep* is.

    Raises:
        SettingsError: a name is none of a check, a group or a pattern of them.
    """
    every = tuple(checks)
    for name in (*(only or ()), *exclude):
        if not any(_means(name, check) for check in every):
            groups = ", ".join(sorted({check.group for check in every}))
            raise SettingsError(f'there is no check "{name}"', hint=f"the groups are {groups}")
    return tuple(
        check
        for check in every
        if (any(_means(name, check) for name in only) if only is not None else deep or not check.deep)
        and not any(_means(name, check) for name in exclude)
    )


def limits_of(spoken: Iterable[str]) -> dict[str, tuple[float | None, float | None]]:
    """Return the limits of each CHECK=WARN,CRIT, either of which may be empty.

    Raises:
        SettingsError: one is written otherwise.
    """
    return dict(map(_limits_of, spoken))


def _limits_of(spoken: str) -> tuple[str, tuple[float | None, float | None]]:
    name, _, limits = spoken.partition("=")
    warning, comma, critical = limits.partition(",")
    try:
        both = (_limit(warning), _limit(critical))
    except ValueError:
        comma = ""
    if not comma:
        raise SettingsError(
            f'"{spoken}" has no two limits', hint="say conn.usage=0.7,0.9; either of them may be empty"
        )
    return name.strip(), both


def _limit(spoken: str) -> float | None:
    if not spoken.strip():
        return None
    if not math.isfinite(limit := float(spoken)):
        raise ValueError
    return limit


def _means(name: str, check: Check) -> bool:
    return name in {check.id, check.group} or fnmatchcase(check.id, name)
