"""Write open requests for people and for programs. No database here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import Request

_HEAD: Final = ("request", "person", "kind", "status", "received", "due", "")


def as_json(requests: Sequence[Request]) -> str:
    """Return *requests* as a JSON list, instants and days as ISO 8601 has them."""
    return json.dumps([asdict(one) for one in requests], default=lambda value: value.isoformat(), indent=2)


def as_table(requests: Sequence[Request]) -> str:
    """Return *requests* as a table, and below it what is not known about their days."""
    lines = [_HEAD, *(_cells(one) for one in requests)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    notes = [f"note: request {one.number}: {one.note}" for one in requests if one.note]
    overdue = sum(one.overdue for one in requests)
    return "\n".join([*(line.rstrip() for line in table), *notes, f"{len(requests)} open, {overdue} overdue"])


def _cells(one: Request) -> tuple[str, ...]:
    due = "stands still" if one.due_on is None else one.due_on.isoformat()
    person = "-" if one.person is None else str(one.person)
    state = "overdue" if one.overdue else ""
    return (str(one.number), person, one.kind, one.status, one.received_on.isoformat(), due, state)
