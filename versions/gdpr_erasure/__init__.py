"""Personal data: where it is, on what ground, who asked what of it by when, and what they are given.

    check_catalogue()      each column that the catalogue lacks, or says otherwise than it is
    scan(), probe(42)      personal data that nobody declared; where a person is found
    records()              the record of processing (GDPR art. 30)
    grant(42, "marketing", text=shown)           a consent, with the hash of what was shown
    withdraw(42, "marketing")                    and its end, with no more words
    consent_at(42, "marketing", instant)         what held then
    object_to(42, "marketing", identifiers=("a@example.org",))    never again, even once 42 is erased
    restrict(42, "accuracy_contested")           stored and nothing else, enforced by the database
    rectify(42, "public.users", {"display_name": "Anna"})         put right, without a value in the trail
    file_request(42, "erasure")                  a month from today, as the law counts it
    place_hold("e", "3 O 12/26", "a claim", subject=42)           kept although it would be erased
    export_subject(42, "42.zip")                 all that is held of a person; article=20: what they provided
    plan_erasure(42), erase_user(42)             what an erasure does; done, with a certificate that says so
    replay("erasures.ledger")                    erase again whom a restore has brought back
    residue(), rewrite()                         what is physically left of the erased, and no more
    work()                                       what is to be done again and again: run it every hour

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
from spotify_ai_agent_migrations.versions.gdpr_erasure.consent import (
    Answer,
    consent_at,
    consent_history,
    grant,
    publish_text,
    withdraw,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.brakes import approve
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.completion import complete_erasures
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.job import Worked, work, work_every
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import export_ledger
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import Delivered, deliver
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import plan_erasure
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.remaining import Residue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.replay import Replayed, replay, watch
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.residue import residue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.rewriting import rewrite
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user, resume
from spotify_ai_agent_migrations.versions.gdpr_erasure.export import SubjectExport, export_subject
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding, Held
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import (
    Hold,
    except_from_erasure,
    held_now,
    holds_of_row,
    place_hold,
    release_hold,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.objection import (
    is_suppressed,
    object_to,
    override_objection,
    withdraw_objection,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.probing import Probe, probe
from spotify_ai_agent_migrations.versions.gdpr_erasure.rectification import rectify
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import Request, file_request, open_requests
from spotify_ai_agent_migrations.versions.gdpr_erasure.restriction import lift, permit, restrict
from spotify_ai_agent_migrations.versions.gdpr_erasure.retention import apply_retention
from spotify_ai_agent_migrations.versions.gdpr_erasure.scanning import scan

__all__ = [
    "Answer",
    "Delivered",
    "ErasureCertificate",
    "ErasurePlan",
    "Finding",
    "Held",
    "Hold",
    "Probe",
    "Record",
    "Replayed",
    "Request",
    "Residue",
    "SubjectExport",
    "Worked",
    "apply_retention",
    "approve",
    "check_catalogue",
    "complete_erasures",
    "consent_at",
    "consent_history",
    "deliver",
    "erase_user",
    "except_from_erasure",
    "export_ledger",
    "export_subject",
    "file_request",
    "grant",
    "held_now",
    "holds_of_row",
    "is_suppressed",
    "lift",
    "object_to",
    "open_requests",
    "override_objection",
    "permit",
    "place_hold",
    "plan_erasure",
    "probe",
    "publish_text",
    "records",
    "rectify",
    "release_hold",
    "replay",
    "residue",
    "restrict",
    "resume",
    "rewrite",
    "scan",
    "watch",
    "withdraw",
    "withdraw_objection",
    "work",
    "work_every",
]
