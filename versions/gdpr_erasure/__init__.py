"""Personal data: where it is, on what ground, who asked what of it by when, and what they are given.

    check_catalogue()      each column that the catalogue lacks, or says otherwise than it is
    scan(), probe(42)      personal data that nobody declared; where a person is found
    records()              the record of processing (GDPR art. 30)

When: a column is added, a person asks, an authority asks. A revision that makes columns puts them into the
catalogue, their classes from their comments, and says what becomes of those that are personal:

    SELECT ops.classify_table_v1('public.listens', strategy => 'delete', origin => 'observed',
        purposes => '{service}', legal_basis => 'contract', retention_rule => 'raw');
    SELECT ops.classify_column_v1('public.listens', 'client', description => 'kind of application');

From there on the comment of a column is written by the catalogue. Where rows name a person without a foreign
key, it declares an edge in `ops.personal_edges`; where it drops a column, it deletes the entry.
Locks: ROW EXCLUSIVE on the tables that are written to; what reads takes none that a writer could meet.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.gdpr_erasure.accounting import Record, records
from spotify_ai_agent_migrations.versions.gdpr_erasure.checking import check_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding, Held
from spotify_ai_agent_migrations.versions.gdpr_erasure.probing import Probe, probe
from spotify_ai_agent_migrations.versions.gdpr_erasure.scanning import scan

__all__ = ["Finding", "Held", "Probe", "Record", "check_catalogue", "probe", "records", "scan"]
