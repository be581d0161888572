"""What people ask for, by when it is due, and what became of it. The database alone counts deadlines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import answer, instant, rows


@dataclass(frozen=True)
class Request:
    """A request nobody has answered yet.

    due_on: the last day on which an answer is in time, `due_at` the end of it where the controller is; None
        while the clock stands still. note: what is not known about that day.
    """

    number: int
    person: int | None
    kind: str
    status: str
    received_on: date
    due_on: date | None
    due_at: datetime | None
    note: str | None
    reference: str | None
    overdue: bool


def file_request(
    person: int | None,
    kind: str,
    *,
    received_at: datetime | None = None,
    channel: str = "web",
    country: str | None = None,
    time_zone: str | None = None,
    reference: str | None = None,
    signed_in: int | None = None,
    url: str | None = None,
) -> int:
    """Take up what *person* asks for, and return the number of the request.

    person: None has no account. kind: access, portability, rectification, erasure, restriction, objection or
        automated_decision.
    received_at: when it came, now without; the month runs from that day.
    country, time_zone: whose holidays and hours count; those of `ops.controller` without.
    """
    values = {"person": person, "kind": kind, "received_at": instant(received_at), "channel": channel,
              "country": country, "time_zone": time_zone, "reference": reference}  # fmt: skip
    return int(answer("file_request", values, url=url, signed_in=signed_in))


def pause(number: int, reasons: str, *, at: datetime | None = None, url: str | None = None) -> None:
    """Stop the clock of a request: the person was asked to prove who they are, for *reasons* (art. 12(6))."""
    answer("pause_request", {"request": number, "reasons": reasons, "at": instant(at)}, url=url)


def resume(number: int, *, at: datetime | None = None, url: str | None = None) -> datetime:
    """Let the clock run on, as many days later as it stood still, and return the deadline."""
    due: datetime = answer("resume_request", {"request": number, "at": instant(at)}, url=url)
    return due


def extend(number: int, reasons: str, *, notice_sent_at: datetime, url: str | None = None) -> datetime:
    """Add two months, of which the person was told with *reasons*, and return the deadline.

    Raises:
        DatabaseError: the notice came too late, or they were added already; the deadline stays.
    """
    values = {"request": number, "reasons": reasons, "at": instant(notice_sent_at)}
    due: datetime = answer("extend_request", values, url=url)
    return due


def reject(number: int, reasons: str, *, notice_sent_at: datetime, url: str | None = None) -> bool:
    """Record that the person was refused, with *reasons*; return whether it was within the month."""
    values = {"request": number, "reasons": reasons, "at": instant(notice_sent_at)}
    return bool(answer("reject_request", values, url=url))


def complete(
    number: int, done: str | None = None, *, at: datetime | None = None, url: str | None = None
) -> bool:
    """Record that the person was given what they asked for; return whether it was in time."""
    return bool(answer("complete_request", {"request": number, "done": done, "at": instant(at)}, url=url))


def note(number: int, done: str, *, url: str | None = None) -> None:
    """Record something that was *done* for a request and does not end it."""
    answer("note_request", {"request": number, "done": done}, url=url)


def open_requests(*, due_within_days: int | None = None, url: str | None = None) -> tuple[Request, ...]:
    """Return the requests nobody has answered, the one due first in front.

    due_within_days: only those due by then, overdue ones among them; all without.
    """
    return tuple(
        Request(*row) for row in rows("open_requests", {"due_within_days": due_within_days}, url=url)
    )
