"""Tell checks what only its owner knows of a server: its role, its standbys, its backups. No database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.health_check.check import Check

# By the id of a check, and then by the name of one of its settings.
Expected = Mapping[str, Mapping[str, object]]
NOTHING_EXPECTED: Final[Expected] = MappingProxyType({})


def told_to(checks: Iterable[Check], expected: Expected) -> tuple[Check, ...]:
    """Return *checks* with what they are told in place of what they took for given.

    Raises:
        SettingsError: there is no such check, it cannot be told that, or that is of another kind.
    """
    every = {check.id: check for check in checks}
    for name, given in expected.items():
        if name not in every:
            raise SettingsError(f'there is no check "{name}" to be told', hint="say its whole id: conn.usage")
        for key, value in given.items():
            _refuse(every[name], key, value)
        every[name] = replace(every[name], settings={**every[name].settings, **given})
    return tuple(every.values())


def spoken(checks: Iterable[Check], words: Iterable[str]) -> Expected:
    """Return what *words* tell, each as CHECK.NAME=VALUE; the values of a list stand between commas.

    Raises:
        SettingsError: one is written otherwise, or says what nobody can be told.
    """
    every = {check.id: check for check in checks}
    told: dict[str, dict[str, object]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        check, _, key = name.strip().rpartition(".")
        if not equals or check not in every:
            raise SettingsError(
                f'"{word}" tells no check anything', hint="say avail.role_expected.role=primary, for one"
            )
        if key not in every[check].settings:
            raise _unknown(every[check], key)
        told.setdefault(check, {})[key] = _value(every[check].settings[key], value.strip(), word)
    return told


def _value(before: object, value: str, word: str) -> object:
    if isinstance(before, list):
        return [one.strip() for one in value.split(",") if one.strip()]
    try:
        return type(before)(value) if isinstance(before, int | float) else value
    except ValueError as error:
        raise SettingsError(f'"{word}" is not a number', hint=f"it is {before} else") from error


def _refuse(check: Check, key: str, value: object) -> None:
    if key not in check.settings:
        raise _unknown(check, key)
    before = check.settings[key]
    numbers = (int, float)
    if isinstance(before, numbers) and isinstance(value, numbers) and not isinstance(value, bool):
        return
    if not isinstance(value, type(before)):
        kind = type(before).__name__
        raise SettingsError(f"{check.id}.{key} is not of type {kind}", hint=f"it is {before!r} else")


def _unknown(check: Check, key: str) -> SettingsError:
    known = ", ".join(sorted(check.settings)) or "nothing"
    return SettingsError(f'{check.id} cannot be told "{key}"', hint=f"it can be told {known}")
