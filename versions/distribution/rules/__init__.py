"""The rules that Citus sets, one function each: its docstring says what it asks, its name requires or bans.

To add one: write the function under `@rule`, in the module of what it is about, and list it in `RULES`.
A code is never given to another rule.
"""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.distribution.finding import Report, Rule
from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.distribution.rules import (
    code,
    columns,
    foreign_keys,
    keys,
    storage,
    visibility,
)

RULES: Final[tuple[Rule, ...]] = (
    columns.require_place,
    columns.require_distributable_column,
    keys.require_column_in_primary_key,
    keys.ban_uniqueness_across_shards,
    columns.ban_changing_distribution_column,
    columns.require_same_type,
    columns.ban_identity,
    columns.require_bigint_sequence,
    foreign_keys.ban_foreign_key_across_kinds,
    foreign_keys.require_colocated_foreign_key,
    foreign_keys.require_column_in_foreign_key,
    foreign_keys.ban_setting_of_foreign_key,
    storage.ban_trigger,
    storage.ban_multilevel_partitioning,
    storage.ban_partitioned_reference_table,
    storage.prefer_range_partitions,
    visibility.ban_subquery_in_policy,
    visibility.require_propagated_settings,
    code.require_column_in_locking_read,
    code.ban_ctid,
    code.ban_volatile_update,
    visibility.prefer_views_of_one_group,
    storage.ban_inheritance,
    storage.ban_rewrite_rule,
    columns.ban_default_of_one_node,
    keys.require_replica_identity,
    storage.ban_unlogged,
)


def check(layout: Layout) -> Report:
    """Return what would have to change, by object and code."""
    findings = (finding for each in RULES for finding in each.find(layout))
    ordered = sorted(findings, key=lambda found: (found.table, found.code, found.name or "", found.problem))
    return Report(tuple(ordered), len(RULES), len(layout.catalogue.tables))
