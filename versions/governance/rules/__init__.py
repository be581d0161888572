"""The rules, one module each: its docstring is its documentation, its name what it requires, bans or prefers.

To add one: write the module with `CODE`, `STRUCTURAL` and `find`, and list it in `RULES`.
A code is never given to another rule. A rule is structural when Alembic itself cannot load a history that
breaks it. What is required or banned stops an upgrade: it blocks others for as long as a table is big, breaks
what runs beside it, loses data, or lets somebody in. What is preferred is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from spotify_ai_agent_migrations.versions.governance.finding import Finding
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.rules import (
    ban_bind_parameter,
    ban_cascade,
    ban_changed_revision,
    ban_concurrent_partitioned_index,
    ban_disabled_timeout,
    ban_dropped_column,
    ban_dropped_table,
    ban_duplicate_number,
    ban_dynamic_sql,
    ban_emptied_table,
    ban_enum_value_in_use,
    ban_foreign_import,
    ban_grant_to_public,
    ban_inline_constraint,
    ban_mixed_transaction,
    ban_not_null_with_dropped_constraint,
    ban_renamed_column,
    ban_renamed_table,
    ban_required_column,
    ban_rewriting_column,
    ban_rewriting_type,
    ban_server_maintenance,
    ban_session_setting,
    ban_stray_module,
    ban_table_rewrite,
    ban_transaction_control,
    ban_unknown_suppression,
    prefer_attached_partition,
    prefer_batched_update,
    prefer_bigint_key,
    prefer_concurrent_detach,
    prefer_concurrent_drop_index,
    prefer_foreign_key_index,
    prefer_identity,
    prefer_jsonb,
    prefer_nowait,
    prefer_numeric,
    prefer_one_locked_table,
    prefer_primary_key,
    prefer_text,
    prefer_timestamptz,
    prefer_used_suppression,
    require_audit_trigger,
    require_autocommit_block,
    require_catalogued_column,
    require_check_before_not_null,
    require_classified_column,
    require_classified_sql_column,
    require_concurrent_index,
    require_concurrent_refresh,
    require_concurrent_reindex,
    require_contiguous_numbers,
    require_declared_loss,
    require_docstring_fields,
    require_file_name,
    require_known_parent,
    require_matching_number,
    require_named_constraint,
    require_named_sql_constraint,
    require_not_valid,
    require_one_head,
    require_previous_parent,
    require_readable_source,
    require_recorded_checksum,
    require_retention_policy,
    require_revision_variables,
    require_revoked_execute,
    require_row_security,
    require_search_path,
    require_separate_validation,
    require_suppression_reason,
    require_upgrade_and_downgrade,
    require_using_index,
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
    ban_unknown_suppression,
    require_suppression_reason,
    prefer_used_suppression,
    ban_dynamic_sql,
    ban_bind_parameter,
    ban_transaction_control,
    ban_mixed_transaction,
    require_autocommit_block,
    ban_session_setting,
    ban_disabled_timeout,
    prefer_nowait,
    ban_server_maintenance,
    prefer_one_locked_table,
    require_concurrent_index,
    prefer_concurrent_drop_index,
    require_concurrent_reindex,
    ban_concurrent_partitioned_index,
    require_concurrent_refresh,
    prefer_concurrent_detach,
    prefer_attached_partition,
    ban_rewriting_column,
    ban_required_column,
    ban_inline_constraint,
    require_check_before_not_null,
    ban_not_null_with_dropped_constraint,
    require_not_valid,
    require_separate_validation,
    require_using_index,
    ban_rewriting_type,
    ban_table_rewrite,
    ban_renamed_table,
    ban_renamed_column,
    ban_enum_value_in_use,
    ban_dropped_table,
    ban_dropped_column,
    ban_emptied_table,
    ban_cascade,
    require_declared_loss,
    prefer_batched_update,
    require_search_path,
    ban_grant_to_public,
    require_revoked_execute,
    require_row_security,
    require_audit_trigger,
    require_retention_policy,
    prefer_primary_key,
    prefer_foreign_key_index,
    prefer_bigint_key,
    prefer_identity,
    prefer_jsonb,
    prefer_timestamptz,
    prefer_text,
    prefer_numeric,
    require_catalogued_column,
    ban_changed_revision,
    require_recorded_checksum,
)

# What the files are and how they follow one another holds for all of them; so does what may be allowed.
_NEVER_SUPPRESSED: Final = (
    require_file_name, require_readable_source, ban_stray_module, require_revision_variables,
    ban_duplicate_number, require_contiguous_numbers, require_matching_number, require_known_parent,
    require_previous_parent, require_one_head, require_docstring_fields, require_upgrade_and_downgrade,
    ban_unknown_suppression, require_suppression_reason, prefer_used_suppression, ban_changed_revision,
    require_recorded_checksum,
)  # fmt: skip
SUPPRESSIBLE: Final = frozenset(rule.CODE for rule in RULES) - {rule.CODE for rule in _NEVER_SUPPRESSED}


def name(rule: Rule) -> str:
    """Return what a rule is called: its module's own name."""
    return rule.__name__.rpartition(".")[2]


def documentation(rule: Rule) -> str:
    """Return the whole documentation of a rule; its first line says what it asks."""
    return (rule.__doc__ or "").strip()
