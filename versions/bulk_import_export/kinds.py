"""Refuse an option whose value is of another kind than it asks for. No database here, and no file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError


@dataclass(frozen=True)
class Kind:
    """What a value has to be, what is in it, and how to say so."""

    types: tuple[type[Any], ...]
    said: str
    inside: Callable[[Any], bool] = lambda _: True
    never: tuple[type[Any], ...] = ()


def _are_texts(values: Collection[object]) -> bool:
    return all(isinstance(one, str) for one in values)


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and _are_texts(value)


TEXT: Final = Kind((str,), "say a text")
YES_NO: Final = Kind((bool,), "say True or False")
# A truth is a number in Python.
WHOLE: Final = Kind((Integral,), "say a whole number", never=(bool,))
NUMBER: Final = Kind((Real,), "say a number", never=(bool,))
PATH: Final = Kind((str, os.PathLike), "say a path")
TEXTS: Final = Kind((Collection,), "say a list of texts", _are_texts, never=(bytes, Mapping))
VALUES: Final = Kind((Mapping,), "say a mapping of names to values", _are_texts)
TEXT_OF: Final = Kind(
    (Mapping,), "say a mapping of names to texts", lambda found: _are_texts([*found, *found.values()])
)
TEXT_OR_NONE_OF: Final = Kind(
    (Mapping,), "say a mapping of names to texts, or to None",
    lambda found: _are_texts([*found, *(one for one in found.values() if one is not None)]),
)  # fmt: skip
PAIR_OF: Final = Kind(
    (Mapping,),
    "say a mapping of names to what is true and what is false there: {'paid': ('yes', 'no')}",
    lambda found: _are_texts(found) and all(map(_is_pair, found.values())),
)


def refuse_other_kinds(given: Mapping[str, object], kinds: Mapping[str, Kind]) -> None:
    """Refuse what is of another kind than its name asks for; None is nothing said.

    Raises:
        SettingsError: names it, and not its value.
    """
    for name, kind in kinds.items():
        value = given.get(name)
        if value is None:
            continue
        fits = isinstance(value, kind.types) and not isinstance(value, kind.never)
        if not (fits and kind.inside(value)):
            what = type(value).__name__
            article = "an" if what[0] in "aeiou" else "a"
            raise SettingsError(
                f"{name} cannot be {article} {what}{' of such' if fits else ''}", hint=kind.said
            )
