"""Say which names a change takes away from old code when it is contracted. No database here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration.forms import last_part
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Kind, Phase


def _filled(change: Change) -> tuple[str, ...]:
    """The columns beside the old ones, whose names go: the old names stay, of the new columns."""
    return tuple(name for step in change.steps if step.fill is not None for name, _ in step.fill.values)


# What of its wish each operation takes away; "*" is the table's own name.
_TAKEN: Final[Mapping[str, Callable[[Change], tuple[str, ...]]]] = {
    "change_type": _filled,
    "drop_column": lambda change: (change.arguments["column"],),
    "drop_table": lambda _change: ("*",),
    "enum_to_lookup": _filled,
    "merge_columns": lambda change: tuple(name for name, _ in change.arguments["columns"]),
    "rename_column": lambda change: (change.arguments["column"],),
    "rename_table": lambda _change: ("*",),
    "split_column": lambda change: (change.arguments["column"],),
    "widen_key": _filled,
}
# These leave every name where it is.
KEEPING: Final = frozenset(
    {
        "add_check",
        "add_column",
        "add_exclusion",
        "add_foreign_key",
        "add_primary_key",
        "add_synced_column",
        "add_unique",
        "backfill",
        "create_index",
        "drop_index",
        "drop_not_null",
        "rebuild_index",
        "replace_index",
        "set_not_null",
        "swap_table",
    }
)
TAKING: Final = frozenset(_TAKEN)
# Of the engine and of who looks after the database: it is no reader.
_UTILITY: Final = re.compile(
    r"\s*(ALTER|ANALYZE|COMMENT|CREATE|DROP|EXPLAIN|GRANT|LOCK|REINDEX|REVOKE|SET|VACUUM)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Going:
    """What goes from a table: the plain name of the table, and columns; none of these is the name itself."""

    table: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return " and ".join(f'"{name}"' for name in self.columns or (self.table,))

    def is_named_by(self, statement: str) -> bool:
        """Tell whether a statement reads or writes by one of the names.

        One that says `*`, or the names in a text of its own, is not seen.
        """
        if _UTILITY.match(statement) or not _has_word(statement, self.table):
            return False
        return not self.columns or any(_has_word(statement, name) for name in self.columns)


def going(change: Change) -> Going | None:
    """Return what goes when a change is contracted that was expanded before; None is nothing."""
    taken = _TAKEN.get(change.operation)
    if taken is None or not is_expanded(change):
        return None
    names = tuple(dict.fromkeys(taken(change)))
    return Going(last_part(change.table), () if names == ("*",) else names)


def is_expanded(change: Change) -> bool:
    """Tell whether old and new code run side by side before the end: something is done before it."""
    return any(step.kind is not Kind.PROOF and step.phase is not Phase.COMPLETE for step in change.steps)


def _has_word(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE))
