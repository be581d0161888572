"""Say how an application sees the columns of a table while a change is open: by old names, or new ones.

No database here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted


@dataclass(frozen=True)
class Open:
    """A change that is not over: what was wished of which table, and the first revision that knows it.

    `filled` are the columns that it fills.
    """

    operation: str
    table: str
    arguments: Mapping[str, Any]
    revision: str | None
    filled: Collection[str] = ()

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
        _FORMS[one.operation](one, columns, one.is_known_to(revision))
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


def _renamed(one: Open, columns: Collection[str], is_new: bool) -> Form:
    return _instead([one.arguments["column"]], [one.arguments["to"]], columns, is_new)


def _split(one: Open, columns: Collection[str], is_new: bool) -> Form:
    wish = one.arguments
    return _instead([wish["column"]], [name for name, *_ in wish["into"]], columns, is_new)


def _merged(one: Open, columns: Collection[str], is_new: bool) -> Form:
    wish = one.arguments
    return _instead([name for name, _ in wish["columns"]], [wish["into"]], columns, is_new)


def _looked_up(one: Open, columns: Collection[str], is_new: bool) -> Form:
    wish = one.arguments
    return _beside(wish["column"], wish["beside"] or fitted(wish["column"], "name"), columns, is_new)


def _converted(one: Open, columns: Collection[str], is_new: bool) -> Form:
    """See the one of two columns of one name: the new one has that name from the completion on."""
    hidden, called = set[str](), dict[str, str]()
    for column in columns:
        new, before = fitted(column, "new"), fitted(column, "old")
        if new not in one.filled:
            continue
        if new in columns:
            form = _beside(column, new, columns, is_new)
        elif before in columns:
            form = Form(frozenset({before})) if is_new else Form(frozenset({column}), {before: column})
        else:
            continue
        hidden |= form.hidden
        called |= form.called
    return Form(frozenset(hidden), called)


def _beside(column: str, new: str, columns: Collection[str], is_new: bool) -> Form:
    if not {column, new} <= set(columns):
        return Form()
    return Form(frozenset({column}), {new: column}) if is_new else Form(frozenset({new}))


def _dropped(one: Open, columns: Collection[str], is_new: bool) -> Form:
    column = one.arguments["column"]
    away = fitted("zz_dropped", column)
    if is_new:
        return Form(frozenset({column, away}))
    return Form(called={away: column}) if away in columns else Form()


_FORMS: Final[Mapping[str, Callable[[Open, Collection[str], bool], Form]]] = {
    "change_type": _converted,
    "drop_column": _dropped,
    "enum_to_lookup": _looked_up,
    "merge_columns": _merged,
    "rename_column": _renamed,
    "split_column": _split,
    "widen_key": _converted,
}
