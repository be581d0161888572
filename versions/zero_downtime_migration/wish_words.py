"""Read a wish from words: `column=user_id`, by the fields of its operation. No database here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Final, get_type_hints

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import (
    OPERATIONS,
    Wish,
    wish_of,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.widen_key import WidenKey

# Without it, what is wished is all of a key: what refers to it as well.
_KEY: Final = (WidenKey.operation, "key")
_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "yes": True, "false": False, "no": False}


def wish_from(operation: str, table: str, words: Iterable[str]) -> Wish:
    """Return what is wished of *table*: each of *words* is FIELD=VALUE, a list as JSON.

    Raises:
        SettingsError: a word is no field of the operation, or one that it needs is missing.
        TableError: there is no such operation.
    """
    if operation not in OPERATIONS:
        wish_of(operation, {})
    given: dict[str, Any] = {"table": table}
    hints = get_type_hints(OPERATIONS[operation])
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in {one.name for one in _fields(operation)}:
            raise SettingsError(f'"{word}" is no field of {operation}', hint=f"say {called(operation)}")
        given[name] = _value(name, value, hints[name])
    missing = [one.name for one in _fields(operation) if _is_needed(one) and one.name not in given]
    if missing:
        raise SettingsError(f"{operation} needs {', '.join(missing)}", hint=f"say {called(operation)}")
    return wish_of(operation, given)


def widened(operation: str, words: Iterable[str]) -> str | None:
    """Return the column of a key that is to be widened with all that refers to it; None is another wish.

    With `key` among *words*, it is the part of one table that is wished.
    """
    given = dict(word.partition("=")[::2] for word in words)
    return given["column"] if operation == WidenKey.operation and given.keys() == {"column"} else None


def called(operation: str) -> str:
    """Return how an operation is called, with its fields; in brackets what it can do without."""
    words = [
        f"{one.name}=…" if _is_needed(one) and (operation, one.name) != _KEY else f"[{one.name}=…]"
        for one in _fields(operation)
        if one.name != "table"
    ]
    return " ".join((operation, "TABLE", *words))


def operations() -> Iterator[tuple[str, str]]:
    """Yield how each operation is called, and what it does."""
    for name in sorted(OPERATIONS):
        yield called(name), (OPERATIONS[name].__doc__ or "").splitlines()[0]


def _fields(operation: str) -> tuple[Field[Any], ...]:
    return fields(OPERATIONS[operation])  # type: ignore[arg-type]  # every wish is a dataclass


def _is_needed(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _value(name: str, text: str, hint: object) -> Any:  # noqa: ANN401  (whatever the field holds)
    if hint is bool:
        if text not in _TRUTHS:
            raise SettingsError(f'{name} is "{text}", and not true or false', hint=f"say {name}=true")
        return _TRUTHS[text]
    if hint is int:
        if not text.lstrip("-").isdigit():
            raise SettingsError(f'{name} is "{text}", and no whole number', hint=f"say {name}=1")
        return int(text)
    if str(hint).startswith("tuple"):
        return _listed(name, text)
    return text


def _listed(name: str, text: str) -> Any:  # noqa: ANN401  (a list, of whatever)
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise SettingsError(f"{name} is a list", hint=f"""say {name}='["a", "b"]'""")
    return found
