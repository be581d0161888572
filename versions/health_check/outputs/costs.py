"""What checks cost where there is much to look at. No database.

Milliseconds on 4,000 tables with 12,000 indexes and 4,000 sequences, PostgreSQL 18, two cores, all in memory:
the best of six runs. What is not named here took 5 ms at the most.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OTHERS_MS: Final = 5
MEASURED_MS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "idx.array_btree": 90, "seq.exhaustion": 80, "int.narrow_identity": 60, "idx.fk_type_mismatch": 45,
        "chk.missing_files": 40, "stats.never_analyzed": 40, "idx.unused": 40, "vac.dead_tuples": 30,
        "int.pk_no_sequence": 30, "xid.table": 30, "set.memory": 25, "vac.not_running": 25,
        "sec.reg_columns": 25, "lock.blocked": 20, "vac.autovacuum_off": 20, "idx.duplicate": 15,
        "idx.fk_missing": 15, "sec.public_grants": 15, "sec.view_bypass": 15, "tbl.hot_updates": 15,
        "idx.redundant_prefix": 10, "tbl.no_pk": 10, "tbl.seq_scan_heavy": 10, "stats.stale": 10,
        "coll.objects": 10, "sec.rls_no_policy": 10, "mig.leftovers": 10, "tbl.unlogged": 10,
        "idx.boolean": 10,
    }
)  # fmt: skip
