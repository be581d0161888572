"""The rules, one module each: its docstring is its documentation, its name what it requires or bans.

To add one: write the module with `CODE`, `STRUCTURAL` and `find`, and list it in `RULES`.
A code is never given to another rule. A rule is structural when Alembic itself cannot load a history that
breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from spotify_ai_agent_migrations.versions.governance.finding import Finding
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.rules import (
    ban_changed_revision,
    ban_duplicate_number,
    ban_foreign_import,
    ban_stray_module,
    require_classified_column,
    require_classified_sql_column,
    require_contiguous_numbers,
    require_docstring_fields,
    require_file_name,
    require_known_parent,
    require_matching_number,
    require_named_constraint,
    require_named_sql_constraint,
    require_one_head,
    require_previous_parent,
    require_readable_source,
    require_recorded_checksum,
    require_revision_variables,
    require_upgrade_and_downgrade,
)


class Rule(Protocol):
    """What the module of a rule offers."""

    __name__: str
    __doc__: str | None
    CODE: str
    STRUCTURAL: bool

    def find(self, history: History) -> Iterator[Finding]:
        """Yield the findings of the rule."""


RULES: Final[tuple[Rule, ...]] = (
    require_file_name,
    require_readable_source,
    ban_stray_module,
    require_revision_variables,
    ban_duplicate_number,
    require_contiguous_numbers,
    require_matching_number,
    require_known_parent,
    require_previous_parent,
    require_one_head,
    require_docstring_fields,
    require_upgrade_and_downgrade,
    ban_foreign_import,
    require_classified_column,
    require_classified_sql_column,
    require_named_constraint,
    require_named_sql_constraint,
    ban_changed_revision,
    require_recorded_checksum,
)


def name(rule: Rule) -> str:
    """Return what a rule is called: its module's own name."""
    return rule.__name__.rpartition(".")[2]


def documentation(rule: Rule) -> str:
    """Return the whole documentation of a rule; its first line says what it asks."""
    return (rule.__doc__ or "").strip()
