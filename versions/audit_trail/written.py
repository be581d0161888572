"""Write what was verified, and how far it is sealed, as lines or as JSON. No database here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from spotify_ai_agent_migrations.versions.audit_trail.digest import digest_line
from spotify_ai_agent_migrations.versions.audit_trail.fault import Verification
from spotify_ai_agent_migrations.versions.audit_trail.progress import Status


def counted(number: int, one: str, many: str) -> str:
    """Return *number* and what it counts."""
    return f"{number} {one if number == 1 else many}"


def verification_lines(done: Verification) -> Iterator[str]:
    """Yield what was found, a line each, and what was looked at."""
    for fault in done.faults:
        yield f"{fault.problem} ({fault.kind.value})"
        yield f"  {fault.hint}"
    if done.more_faults:
        yield f"and {done.more_faults} more"
    yield from done.notes
    if not done.signatures_checked:
        yield "signatures were not checked: no public key was named"
    if done.retired:
        yield f"{counted(done.retired, 'entry', 'entries')} taken by the rule of retention"
    waiting = "" if done.unsealed is None else f", {done.unsealed} to be sealed"
    last = done.last_seal.id if done.last_seal else 0
    found = "whole" if done.whole else counted(len(done.faults) + done.more_faults, "fault", "faults")
    entries, seals = counted(done.entries, "entry", "entries"), counted(done.seals, "seal", "seals")
    yield f"{found}: {entries} of {seals}, up to seal {last}{waiting}"


def verification_json(done: Verification) -> str:
    """Return what was found as one JSON object."""
    faults = [asdict(fault) | {"kind": fault.kind.value, "hint": fault.hint} for fault in done.faults]
    last = json.loads(digest_line(done.last_seal)) if done.last_seal else None
    values = asdict(done) | {"whole": done.whole, "faults": faults, "last_seal": last}
    return json.dumps(values, ensure_ascii=False)


def status_lines(found: Status) -> Iterator[str]:
    """Yield how far the trail is sealed, and how far each sink has got."""
    if found.last_seal_id is None or found.sealed_at is None:
        yield "nothing is sealed yet: agentdb audit-trail seal"
    else:
        at = found.sealed_at.isoformat(timespec="seconds")
        yield f"seal {found.last_seal_id} of {at}, epoch {found.epoch}, key {found.key_id}"
    waiting = counted(found.waiting_entries, "entry", "entries")
    yield f"{waiting} to be sealed, the oldest for {found.waiting_s:.0f} s"
    for told in found.sinks:
        behind = (found.last_seal_id or 0) - told.seal_id
        yield f"{told.sink}: seal {told.seal_id}" + (f", {behind} behind" if behind else "")


def status_json(found: Status) -> str:
    """Return how far the trail is sealed as one JSON object."""
    return json.dumps(asdict(found), default=_spoken, ensure_ascii=False)


def _spoken(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
