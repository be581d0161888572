"""Decide whether a receipt of staging proves that a revision ran there, as it is to run now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from spotify_ai_agent_migrations.versions.governance.pending import Missing, Pending, Production
from spotify_ai_agent_migrations.versions.governance.receipts import TIME, Receipt, Tried
from spotify_ai_agent_migrations.versions.governance.trust import Held, Trust

# Clocks of two servers differ by less, or one of them is wrong.
_SKEW: Final = timedelta(minutes=5)
_STAGING: Final = "staging"
_SILENT: Final = "other-revisions"
# How many receipts are told of, where none will do.
_MOST_TOLD: Final = 3


def proof(
    pending: Pending, production: Production, held: Sequence[Held], trust: Trust
) -> tuple[Held | None, tuple[Missing, ...]]:
    """Return the newest receipt that will do, or what is missing.

    Checked in this order: is it a receipt, did an accepted key sign it, is it of staging, of this text, of
    an age and of a clock that can be; then the server's major version, the schema before, and, where the
    downgrade may run, whether that ran. A receipt that will not do takes nothing from one that will.
    """
    if trust.trouble:
        return None, (Missing("no-keys", f"no receipt can be verified: {trust.trouble}"),)
    faults: list[Missing] = []
    for one in held:
        fault = _fault(one, pending, production, trust)
        if fault is None:
            return one, ()
        faults.append(fault)
    telling = [fault for fault in faults if fault.code != _SILENT]
    none = Missing("no-receipt", f"no receipt of staging has it{_when(pending)}")
    return None, tuple(telling[:_MOST_TOLD]) or (none,)


def _fault(one: Held, pending: Pending, production: Production, trust: Trust) -> Missing | None:
    """Return why a receipt will not do; None where it does."""
    receipt, named = one.receipt, f'receipt "{one.file_name}"'
    if receipt is None:
        return Missing("receipt-unreadable", f"{named} is none")
    # Of one that anybody may have written, no more is believed than what it claims to be about.
    tried = receipt.of(pending.file_name)
    if tried is None:
        return Missing(_SILENT, f"{named} is of other revisions")
    if one.key_id is None:
        return Missing("receipt-forged", f"{named} is not signed by a key that is accepted")
    return next(_faults(named, receipt, tried, pending, production, trust), None)


def _faults(
    named: str, receipt: Receipt, tried: Tried, pending: Pending, production: Production, trust: Trust
) -> Iterator[Missing]:
    if receipt.environment != _STAGING:
        yield Missing("receipt-not-staging", f'{named} is of "{receipt.environment}"')
    if tried.checksum != pending.checksum:
        said = f"{named} is of another text, {tried.checksum[:12]} and not {str(pending.checksum)[:12]}"
        yield Missing("receipt-of-another-checksum", said)
    age = datetime.strptime(production.now, TIME) - datetime.strptime(receipt.at, TIME)
    if age > timedelta(hours=trust.most_age_h):
        yield Missing("receipt-expired", f"{named} is {_hours(age)} h old, of {trust.most_age_h} that it may")
    if age < -_SKEW:
        yield Missing("receipt-from-the-future", f"{named} is from the future: a clock is wrong")
    if _major(receipt.server_version) != _major(production.server_version):
        yield Missing(
            "receipt-of-another-server",
            f"{named} is of PostgreSQL {receipt.server_version}, and this is {production.server_version}",
        )
    if pending.reverts and tried.downgrade is None:
        yield Missing("receipt-without-downgrade", f"{named} shows no downgrade of it")
    ran = tried.upgrade if pending.verb == "upgrade" else tried.downgrade
    before = ran.schema_before if ran else None
    # Of a long run nobody described the schema before each step; that of a new database is not known.
    if None not in (before, production.schema) and before != production.schema:
        said = f"{named} began with another schema than this database has"
        yield Missing("receipt-of-another-schema", said)


def _when(pending: Pending) -> str:
    return ", its downgrade included" if pending.reverts else ""


def _hours(age: timedelta) -> int:
    return int(age / timedelta(hours=1))


def _major(version: str) -> str:
    return version.split(".")[0].split()[0]
