"""Choose the checks of a run. No database."""

from __future__ import annotations

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


def _means(name: str, check: Check) -> bool:
    return name in {check.id, check.group} or fnmatchcase(check.id, name)
