"""Restrict a person's data to being stored (GDPR art. 18); the database enforces it."""

from __future__ import annotations

from datetime import datetime

from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import answer, instant


def restrict(person: int, ground: str, *, request: int | None = None, url: str | None = None) -> int:
    """Restrict the data of *person*, and return the number of the restriction.

    From the next statement on the application neither reads, changes, deletes nor adds rows of theirs, and
    the analysts' views leave them out; their answers of consent stay, and so does what they ask for.
    ground: accuracy_contested, unlawful, legal_claims or objection_pending (art. 18(1)(a) to (d)).
    """
    return int(answer("restrict", {"person": person, "ground": ground, "request": request}, url=url))


def lift(number: int, reason: str, *, notice_sent_at: datetime, url: str | None = None) -> datetime:
    """Lift a restriction of which the person was told before (art. 18(3)), and return when.

    Raises:
        DatabaseError: the notice is not from between the restriction and now, or there is no such one.
    """
    values = {"restriction": number, "reason": reason, "notice_sent_at": instant(notice_sent_at)}
    lifted: datetime = answer("lift_restriction", values, url=url)
    return lifted


def permit(
    number: int, ground: str, purpose: str, reason: str, *, expires_at: datetime, url: str | None = None
) -> int:
    """Let restricted data be used for one purpose all the same (art. 18(2)), and return the permit's number.

    ground: consent, which the person gave since; legal_claims, rights_of_others or public_interest.
    A session sees the data once it calls `use_permit_v1` with the number, which the trail says.
    """
    values = {"restriction": number, "ground": ground, "purpose": purpose, "reason": reason,
              "expires_at": instant(expires_at)}  # fmt: skip
    return int(answer("permit", values, url=url))
