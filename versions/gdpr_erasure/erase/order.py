"""What is ordered: why a person is erased, on whose word, and in what portions. No database here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final
from uuid import UUID

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import instant

WAIT_S: Final = 60.0
BATCH_ROWS: Final = 5_000
WHOLE_ROWS: Final = 25_000
COMPLETION: Final = "completion"
REPLAY: Final = "replay"  # which nobody orders: it passes the brakes
# Checked here, for what the server says of a row that breaks a constraint goes to its log with the row.
REASONS: Final = (
    "request", "not_needed", "consent_withdrawn", "objection", "unlawful", "legal_obligation",
    "child_service", COMPLETION,
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """Why a person is erased, and on whose word.

    requested_by: the number of who ordered it; without, the login at work did.
    request: the number of the request that it answers. completes: the erasure that left something.
    """

    reason: str
    requested_at: datetime
    requested_by: int | None = None
    request: int | None = None
    completes: UUID | None = None


@dataclass(frozen=True)
class Portions:
    """In what portions it is done.

    wait_s: how long older transactions are waited for. whole_rows: up to how many rows one transaction does
    everything. batch_rows: how many rows each transaction does above it. scan_everything: reads all
    tables before the certificate.
    """

    wait_s: float = WAIT_S
    batch_rows: int = BATCH_ROWS
    whole_rows: int = WHOLE_ROWS
    scan_everything: bool = False

    def __post_init__(self) -> None:
        """Refuse what no erasure could be done in."""
        if self.wait_s < 0 or self.batch_rows < 1 or self.whole_rows < 0:
            raise SettingsError(
                "a wait or a portion of an erasure is negative, or a batch has no rows",
                hint=f"wait_s={WAIT_S:g}, batch_rows={BATCH_ROWS}, whole_rows={WHOLE_ROWS} suit most",
            )


def ordered(
    reason: str,
    requested_at: datetime | None,
    requested_by: int | None,
    request: int | None,
    completes: UUID | None,
) -> Order:
    """Return what is ordered.

    Raises:
        SettingsError: the reason is none, the instant has no time zone or is still to come.
    """
    if reason not in REASONS or (reason == COMPLETION) != (completes is not None):
        raise SettingsError(
            "this is no reason to erase a person", hint=f"name one of {', '.join(REASONS)}; it is a code"
        )
    now = datetime.now(timezone.utc)
    at = instant(requested_at) or now
    if at > now:
        raise SettingsError("an erasure was not asked for in the future", hint="name the instant it was")
    return Order(reason, at, requested_by, request, completes)
