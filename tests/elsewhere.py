"""What is left out on another server: modules whose results do not depend on the version of PostgreSQL.

They read files, ask the command line, interrupt processes or compute, and are held on the tests' own server. What
is not named here runs on every server. A seal waits for the transactions of the whole cluster, and so for those of
the other tests there.
"""

from __future__ import annotations

import pathlib

FOLDERS = {"cli", "governance"}
MODULES = {
    ".": "test_architecture test_naughty_strings test_packaging test_readmes",
    "audit_trail": (
        "test_attacks test_command test_epochs test_every test_export test_keys test_merkle test_redaction"
        " test_sealing test_sinks test_verification"
    ),
    "bulk_import_export": (
        "test_bounds test_command test_dialects test_encodings test_exactly_once test_export_forms test_harm"
        " test_harm_more test_killed test_large test_odd_options test_places test_pollution test_records"
        " test_refusals test_resumed test_round_trip test_split test_worst"
    ),
    "core": "test_embedded test_names test_password test_settings test_url",
    "docs": "test_command",
    "gdpr_erasure": (
        "test_brakes test_catalogue_command test_certificate test_completion test_deliver test_erase_at_once"
        " test_erase_command test_erase_killed test_erase_server_killed test_erasure_keys test_export_command"
        " test_export_documents test_export_logged test_export_refused test_export_values test_graph test_job"
        " test_ledger test_ledger_kept test_notices test_plan_cycles test_plan_refused test_recognising"
        " test_records test_replay test_returned test_rights_command test_scan test_vault"
    ),
    "health_check": (
        "test_command test_disks test_drift test_forms test_history test_html test_limits test_metrics"
        " test_probes test_serve test_suppressions test_target test_told_apart test_trends"
    ),
    "partitioning": "test_interrupted",
    "rollback": "test_command test_full test_interrupted test_quarantine test_refused",
    "runner": "test_bounds test_gate test_journal test_plan test_template test_ways_in",
}


def is_left_out(place: pathlib.Path) -> bool:
    """Whether a file or folder, as a path below `tests`, is alike on every server."""
    return place.parts[:1] != () and (place.parts[0] in FOLDERS or place.stem in named(place.parent))


def named(folder: pathlib.Path) -> list[str]:
    """The modules of a folder that are left out."""
    return MODULES.get(str(folder), "").split()
