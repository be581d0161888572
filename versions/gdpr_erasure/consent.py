"""Consent: granted and withdrawn in one call each, and shown as it was at any instant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import answer, instant, rows


@dataclass(frozen=True)
class Answer:
    """One answer of a person, and the text they were shown; None where nobody published it."""

    event: int
    purpose: str
    granted: bool
    version: str
    locale: str
    channel: str
    recorded_at: datetime
    sha256: str | None
    text: str | None


def grant(
    person: int,
    purpose: str,
    *,
    version: str | None = None,
    locale: str | None = None,
    channel: str = "web",
    text: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    signed_in: int | None = None,
    url: str | None = None,
) -> int:
    """Record that *person* consents to *purpose* now, and return the number of the event.

    text: what was shown, letter by letter; its hash is kept, and version and language found by it. Without
        it, the text that was published last in the language of the person, or the nearest to it.
    signed_in: the person who acts, if it is the application that asks.

    Raises:
        DatabaseError: the text is none that was published, or the person is being erased.
    """
    values = {"person": person, "purpose": purpose, "version": version, "locale": locale, "channel": channel,
              "text": text, "evidence": json.dumps(dict(evidence or {}))}  # fmt: skip
    return int(answer("grant", values, url=url, signed_in=signed_in))


def withdraw(
    person: int,
    purpose: str,
    *,
    version: str | None = None,
    locale: str | None = None,
    channel: str = "web",
    evidence: Mapping[str, Any] | None = None,
    signed_in: int | None = None,
    url: str | None = None,
) -> int:
    """Record that *person* withdraws the consent to *purpose* now, and return the number of the event.

    It needs no more than a grant does, and is never refused: not without an earlier grant, not of a person
    who was erased.
    """
    values = {"person": person, "purpose": purpose, "version": version, "locale": locale, "channel": channel,
              "evidence": json.dumps(dict(evidence or {}))}  # fmt: skip
    return int(answer("withdraw", values, url=url, signed_in=signed_in))


def consent_at(
    person: int,
    purpose: str,
    at: datetime | None = None,
    *,
    signed_in: int | None = None,
    url: str | None = None,
) -> bool | None:
    """Tell whether the consent held *at* an instant, or holds now; None where the person had not answered."""
    values = {"person": person, "purpose": purpose, "at": instant(at)}
    held = answer("consent_at", values, url=url, signed_in=signed_in)
    return None if held is None else bool(held)


def consent_history(
    person: int, purpose: str | None = None, *, signed_in: int | None = None, url: str | None = None
) -> tuple[Answer, ...]:
    """Return every answer of *person*, first to last, each with the text that was shown: the proof."""
    values = {"person": person, "purpose": purpose}
    return tuple(Answer(*row) for row in rows("consent_history", values, url=url, signed_in=signed_in))


def publish_text(purpose: str, version: str, locale: str, body: str, *, url: str | None = None) -> str:
    """Make known the text that people are asked with, and return its SHA-256; the same text twice is one.

    Raises:
        DatabaseError: that version is another text already.
    """
    values = {"purpose": purpose, "version": version, "locale": locale, "body": body}
    return str(answer("publish_text", values, url=url))
