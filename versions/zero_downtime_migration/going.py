"""Say which names a change takes away from old code when it is contracted. No database here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration.forms import last_part
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Kind, Phase
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted

_Arguments = Mapping[str, Any]

# What of its wish each operation takes away; "*" is the table's own name.
_TAKEN: Final[Mapping[str, Callable[[_Arguments], tuple[str, ...]]]] = {
    "change_type": lambda wish: (fitted(wish["column"], "new"),),
    "drop_column": lambda wish: (wish["column"],),
    "drop_table": lambda _wish: ("*",),
    "enum_to_lookup": lambda wish: (wish["beside"] or fitted(wish["column"], "name"),),
    "merge_columns": lambda wish: tuple(name for name, _ in wish["columns"]),
    "rename_column": lambda wish: (wish["column"],),
    "rename_table": lambda _wish: ("*",),
    "split_column": lambda wish: (wish["column"],),
    "widen_key": lambda wish: (fitted(wish["column"], "new"),),
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
    names = taken(change.arguments)
    return Going(last_part(change.table), () if names == ("*",) else names)


def is_expanded(change: Change) -> bool:
    """Tell whether old and new code run side by side before the end: something is done before it."""
    return any(step.kind is not Kind.PROOF and step.phase is not Phase.COMPLETE for step in change.steps)


def _has_word(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE))
