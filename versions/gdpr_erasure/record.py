"""Write a record of processing as Markdown or JSON. No database here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from spotify_ai_agent_migrations.versions.gdpr_erasure.accounting import (
    Activity,
    Controller,
    Recipient,
    Record,
)


def as_json(record: Record) -> str:
    """Return *record* as one JSON document."""
    return json.dumps(asdict(record), ensure_ascii=False, indent=2).replace('"class_"', '"class"')


def as_markdown(record: Record) -> str:
    """Return *record* as Markdown, what is missing first."""
    return "\n".join(_lines(record)).rstrip() + "\n"


def _lines(record: Record) -> Iterator[str]:
    yield "# Record of processing activities (GDPR art. 30)"
    yield ""
    if record.missing:
        yield "**MISSING, and this record is not complete without it:**"
        yield ""
        yield from (f"- {_cell(one)}" for one in record.missing)
        yield ""
    yield from _controller(record.controller)
    for activity in record.activities:
        yield from _activity(activity)


def _controller(controller: Controller | None) -> Iterator[str]:
    yield "## Controller"
    yield ""
    if controller is None:
        yield "**MISSING**"
    else:
        yield f"- Controller: {_cell(controller.name)}, {_cell(controller.address)}"
        yield f"- Contact: {_cell(controller.contact)}"
        if controller.representative:
            yield f"- Representative in the Union: {_cell(controller.representative)}"
        officer = [_cell(one) for one in (controller.dpo_name, controller.dpo_contact) if one]
        yield f"- Data protection officer: {', '.join(officer) or '**MISSING**'}"
    yield ""


def _activity(activity: Activity) -> Iterator[str]:
    yield f"## {_cell(activity.name)}"
    yield ""
    for purpose in activity.purposes:
        basis = purpose.legal_basis.replace("_", " ")
        yield f"- Purpose: {_cell(purpose.description)} ({basis}, GDPR art. 6(1))"
    yield f"- People: {_cell(', '.join(activity.people))}"
    yield f"- Security: {_cell(activity.security_measures)}"
    yield ""
    yield from _table("Data", "Where", [(one.class_, ", ".join(one.tables)) for one in activity.categories])
    yield from _table(
        "Table", "Kept for", [(one.table, one.how_long or "**MISSING**") for one in activity.retention]
    )
    yield from _table("Recipient", "What for, and where", [_given(one) for one in activity.recipients])


def _given(recipient: Recipient) -> tuple[str, str]:
    transfer = "" if recipient.gdpr_applies else f"; transfer under {recipient.safeguards or '**MISSING**'}"
    what = ", ".join(recipient.categories)
    kind = recipient.kind.replace("_", " ")
    return f"{recipient.name} ({kind})", f"{recipient.purpose}: {what}, in {recipient.country}{transfer}"


def _table(left: str, right: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield f"| {left} | {right} |"
    yield "|---|---|"
    yield from (f"| {_cell(one)} | {_cell(other)} |" for one, other in rows or [("none", "")])
    yield ""


def _cell(text: str) -> str:
    """Return *text* on one line, with nothing in it that ends a cell."""
    return " ".join(text.split()).replace("|", r"\|")
