"""Personal data: where it is, on what ground, who asked what of it by when, and what they are given.

    grant(42, "marketing", text=shown)           a consent, with the hash of what was shown
    withdraw(42, "marketing")                    and its end, with no more words
    consent_at(42, "marketing", instant)         what held then
    object_to(42, "marketing", identifiers=("a@example.org",))    never again, even once 42 is erased
    restrict(42, "accuracy_contested")           stored and nothing else, enforced by the database
    rectify(42, "public.users", {"display_name": "Anna"})         put right, without a value in the trail
    file_request(42, "erasure")                  a month from today, as the law counts it
    place_hold("e", "3 O 12/26", "a claim", subject=42)           kept although it would be erased

When: a column is added, a person asks, an authority asks.
Locks: ROW EXCLUSIVE on the tables that are written to; what reads takes none that a writer could meet.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.gdpr_erasure.consent import (
    Answer,
    consent_at,
    consent_history,
    grant,
    publish_text,
    withdraw,
)
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
from spotify_ai_agent_migrations.versions.gdpr_erasure.rectification import rectify
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import Request, file_request, open_requests
from spotify_ai_agent_migrations.versions.gdpr_erasure.restriction import lift, permit, restrict

__all__ = [
    "Answer",
    "Hold",
    "Request",
    "consent_at",
    "consent_history",
    "except_from_erasure",
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
    "publish_text",
    "rectify",
    "release_hold",
    "restrict",
    "withdraw",
    "withdraw_objection",
]
