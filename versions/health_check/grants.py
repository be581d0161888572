"""Grants that let a login ask what it may not by itself; "the login" stands for its name. No database."""

from __future__ import annotations

from typing import Final

MONITOR: Final = "GRANT pg_monitor TO the login"
READ: Final = "GRANT pg_read_all_data TO the login"
SCAN: Final = "GRANT pg_stat_scan_tables TO the login"
AMCHECK: Final = "GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO the login"
HEAPCHECK: Final = (
    "GRANT EXECUTE ON FUNCTION verify_heapam(regclass, boolean, boolean, text, bigint, bigint) TO the login"
)
FILES: Final = (
    "GRANT SELECT ON pg_catalog.pg_file_settings TO the login; "
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO the login"
)
HBA: Final = (
    "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO the login; "
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO the login"
)
LS_DIR: Final = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO the login"
STAT_FILE: Final = (
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO the login; "
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO the login"
)
