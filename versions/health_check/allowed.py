"""Read the file of what is allowed, and refuse what is wrong in it. No database."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.suppressions import Suppression

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE: Final = "health-suppressions.toml"
_KEYS: Final = ("check", "object", "reason", "expires")
_SHAPE: Final = 'check = "idx.unused", object = "public.plays_*", reason = "…", expires = 2027-02-01'
# A file that is committed is read by many: a URL with a password, or anything that is said to be one.
_SECRET: Final = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|\b(?:password|passwd|secret|token)\s*[=:]", re.IGNORECASE
)


def read_suppressions(path: str | PathLike[str]) -> tuple[Suppression, ...]:
    """Return the rules of the file at *path*.

    Raises:
        SettingsError: there is no such file, or it says something that no rule can; a secret in it is one.
    """
    text = _text(Path(path))
    if _SECRET.search(text):
        raise SettingsError(
            f'"{path}" holds a password or the like', hint="take it out; the file is committed"
        )
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f'"{path}" is not TOML: {error}', hint=f"write [[suppress]] and below it {_SHAPE}"
        ) from error
    rules = found.pop("suppress", [])
    if found or not isinstance(rules, list):
        raise SettingsError(
            f'"{path}" has "{next(iter(found), "suppress")}", which is no list of rules',
            hint=f"write [[suppress]] and below it {_SHAPE}",
        )
    return tuple(_rule(rule, f'rule {number} of "{path}"') for number, rule in enumerate(rules, 1))


def default_file() -> Path | None:
    """Return the file of the current folder, if it has one."""
    return Path(FILE) if Path(FILE).is_file() else None


def rules_of(given: str | PathLike[str] | Sequence[Suppression] | None) -> tuple[Suppression, ...]:
    """Return the rules that *given* is, or that the file at it holds.

    Raises:
        SettingsError: as `read_suppressions`.
    """
    if given is None:
        return ()
    return read_suppressions(given) if isinstance(given, (str, PathLike)) else tuple(given)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f'"{path}" cannot be read: {type(error).__name__}', hint="name a file in UTF-8 that is there"
        ) from None


def _rule(rule: Any, which: str) -> Suppression:  # noqa: ANN401  (whatever the file says)
    if not isinstance(rule, Mapping):
        raise SettingsError(f"{which} is no table", hint=f"write [[suppress]] and below it {_SHAPE}")
    for key in sorted(rule.keys() ^ set(_KEYS), key=lambda key: (key in _KEYS, key)):
        said = "has no" if key in _KEYS else "has an unknown"
        raise SettingsError(f'{which} {said} "{key}"', hint=f"a rule says {_SHAPE}")
    check, name, reason = (rule[key] for key in _KEYS[:3])
    if not all(isinstance(text, str) and text.strip() for text in (check, name, reason)):
        raise SettingsError(f"{which} has an empty text", hint=f"a rule says {_SHAPE}")
    expires = rule["expires"]
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise SettingsError(
            f"{which} does not end on a day", hint="write expires = 2027-02-01, without quotes"
        )
    made = Suppression(check.strip(), name.strip(), reason.strip(), expires)
    if not any(made.means(check.id) for check in CHECKS):
        raise SettingsError(
            f'{which} is about "{made.check}", which is no check', hint="see agentdb health-check --list"
        )
    return made
