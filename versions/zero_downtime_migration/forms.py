"""Say how an application sees the columns of a table while a change is open: by old names, or new ones.

No database here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted

_Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Open:
    """A change that is not over: what was wished of which table, and the first revision that knows it."""

    operation: str
    table: str
    arguments: _Arguments
    revision: str | None

    def is_known_to(self, revision: str) -> bool:
        """Tell whether an application of a revision knows the new form."""
        return self.revision is not None and revision >= self.revision


@dataclass(frozen=True)
class Form:
    """What an application does not see, and what it sees under another name."""

    hidden: frozenset[str] = frozenset()
    called: Mapping[str, str] = field(default_factory=dict)


def shown(columns: Sequence[str], changes: Collection[Open], revision: str) -> tuple[tuple[str, str], ...]:
    """Return the columns that an application of *revision* sees, each with the name that it sees."""
    forms = [
        _FORMS[one.operation](one.arguments, columns, one.is_known_to(revision))
        for one in changes
        if one.operation in _FORMS
    ]
    hidden = frozenset[str]().union(*(form.hidden for form in forms))
    called = {actual: name for form in forms for actual, name in form.called.items()}
    return tuple((name, called.get(name, name)) for name in columns if name not in hidden)


def called(plain: str, changes: Collection[Open], revision: str) -> str:
    """Return what an application of *revision* calls a table that is called *plain*."""
    for one in changes:
        if one.operation == "rename_table" and one.arguments["to"] == plain and not one.is_known_to(revision):
            return last_part(one.table)
    return plain


def last_part(name: str) -> str:
    """Return the plain name of what SQL writes as schema.name."""
    if not name.endswith('"'):
        return name.rpartition(".")[2]
    start = len(name) - 1
    while True:
        start = name.rindex('"', 0, start)
        if start == 0 or name[start - 1] == ".":
            return name[start + 1 : -1].replace('""', '"')
        start -= name[start - 1] == '"'


def _instead(old: Sequence[str], new: Sequence[str], columns: Collection[str], is_new: bool) -> Form:
    """Hide the one form or the other, as long as both are there."""
    if not {*old, *new} <= set(columns):
        return Form()
    return Form(frozenset(old if is_new else new))


def _renamed(wish: _Arguments, columns: Collection[str], is_new: bool) -> Form:
    return _instead([wish["column"]], [wish["to"]], columns, is_new)


def _split(wish: _Arguments, columns: Collection[str], is_new: bool) -> Form:
    return _instead([wish["column"]], [name for name, *_ in wish["into"]], columns, is_new)


def _merged(wish: _Arguments, columns: Collection[str], is_new: bool) -> Form:
    return _instead([name for name, _ in wish["columns"]], [wish["into"]], columns, is_new)


def _looked_up(wish: _Arguments, columns: Collection[str], is_new: bool) -> Form:
    return _beside(wish["column"], wish["beside"] or fitted(wish["column"], "name"), columns, is_new)


def _converted(wish: _Arguments, columns: Collection[str], is_new: bool) -> Form:
    """See the one of two columns of one name: the new one has that name from the completion on."""
    column = wish["column"]
    before = fitted(column, "old")
    if column in columns and before in columns and fitted(column, "new") not in columns:
        return Form(frozenset({before})) if is_new else Form(frozenset({column}), {before: column})
    return _beside(column, fitted(column, "new"), columns, is_new)


def _beside(column: str, new: str, columns: Collection[str], is_new: bool) -> Form:
    if not {column, new} <= set(columns):
        return Form()
    return Form(frozenset({column}), {new: column}) if is_new else Form(frozenset({new}))


def _dropped(wish: _Arguments, columns: Collection[str], is_new: bool) -> Form:
    column, away = wish["column"], fitted("zz_dropped", wish["column"])
    if is_new:
        return Form(frozenset({column, away}))
    return Form(called={away: column}) if away in columns else Form()


_FORMS: Final[Mapping[str, Callable[[_Arguments, Collection[str], bool], Form]]] = {
    "change_type": _converted,
    "drop_column": _dropped,
    "enum_to_lookup": _looked_up,
    "merge_columns": _merged,
    "rename_column": _renamed,
    "split_column": _split,
    "widen_key": _converted,
}
