"""What is left out on another server: modules whose results do not depend on the version of PostgreSQL.

They read files, ask the command line, interrupt processes, compute, or say in SQL what every version takes alike, and
are held on the tests' own server; each room keeps others that ask the catalogue or have words of a version. What is not
named here runs on every server. A seal waits for the transactions of the whole cluster, and so for those of the other
tests there.
"""

from __future__ import annotations

import pathlib

FOLDERS = {"cli", "governance", "real_data"}
MODULES = {
    ".": "test_architecture test_naughty_strings test_packaging test_readmes test_real_data",
    "ai_ml": "test_agents test_features test_ml_use test_recommendations",
    "audit_trail": (
        "test_attacks test_command test_epochs test_every test_export test_keys test_merkle test_redaction"
        " test_sealing test_sinks test_verification"
    ),
    "bulk_import_export": (
        "test_bounds test_columnar test_command test_dialects test_encodings test_exactly_once test_export_forms"
        " test_harm test_harm_more test_killed test_large test_odd_options test_personal test_places test_pollution"
        " test_rebuild test_records test_refusals test_rejects test_resumed test_retry test_round_trip test_split test_staged test_worst"
    ),
    "business_logic": "test_audit test_catalogue test_consent test_playlists",
    "core": "test_embedded test_names test_password test_settings test_url",
    "distribution": (
        "test_code_rules test_column_rules test_command test_foreign_key_rules test_key_rules test_rules"
        " test_storage_rules test_visibility_rules"
    ),
    "docs": "test_command test_diagram test_french test_markdown",
    "gdpr_erasure": (
        "test_brakes test_catalogue_command test_certificate test_completion test_consent test_deadlines"
        " test_deliver test_erase_abuse test_erase_at_once test_erase_command test_erase_killed test_erase_race"
        " test_erase_server_killed test_erased_import test_erased_trail test_erasure_keys test_erasure_rights test_export_command"
        " test_export_documents test_export_logged test_export_refused test_export_values test_graph test_holds"
        " test_job test_ledger test_ledger_kept test_notices test_objection test_plan_cycles test_plan_kept"
        " test_plan_refused test_recognising test_records test_rectification test_replay test_requests"
        " test_restriction test_retention test_returned test_rights_command test_rows_of test_scan test_strategies"
        " test_vault"
    ),
    "health_check": (
        "test_bounded test_building test_cancelled test_command test_declared test_disks test_drift test_forms"
        " test_hidden test_history test_html test_limits test_metrics test_probes test_serve test_suppressions"
        " test_target test_told_apart test_trends"
    ),
    "multilingual_geo": "test_places",
    "partitioning": "test_held test_interrupted test_parquet test_replicas test_retained test_split test_writers",
    "rollback": "test_command test_full test_interrupted test_quarantine test_refused test_unusual",
    "runner": "test_bounds test_gate test_journal test_plan test_promotion test_receipt test_template test_ways_in",
    "zero_downtime_migration": "test_command test_filling_crash",
}


def is_left_out(place: pathlib.Path) -> bool:
    """Whether a file or folder, as a path below `tests`, is alike on every server."""
    return place.parts[:1] != () and (place.parts[0] in FOLDERS or place.stem in named(place.parent))


def named(folder: pathlib.Path) -> list[str]:
    """The modules of a folder that are left out."""
    return MODULES.get(str(folder), "").split()
