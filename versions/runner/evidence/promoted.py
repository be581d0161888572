"""Take apart what an entry of the gate says: approvals that counted, and the receipt. No database here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spotify_ai_agent_migrations.versions.governance.evidence.model import Row
from spotify_ai_agent_migrations.versions.runner.entry import Written


def grounds(written: Written) -> Iterator[Row]:
    """Yield a row for each approval that an entry names, and one for its receipt."""
    details = written.entry.details
    if details is None or details.get("gate") != "promotion":
        return
    for number, approval in enumerate(details.get("approvals") or (), 1):
        yield _approval(written, number, approval)
    receipt = details.get("receipt")
    if isinstance(receipt, Mapping):
        yield _receipt(written, receipt)


def _approval(written: Written, number: int, approval: Mapping[str, Any]) -> Row:
    cells = {
        "entry": str(written.id),
        "revision": written.entry.revision or "",
        "checksum": written.entry.checksum or "",
        "reviewer": _name(approval.get("reviewer")),
        "authors": ", ".join(map(_name, approval.get("authors") or ())),
    }
    return Row(
        "approval", f"{written.id}-{number}", cells, at=str(approval.get("at") or ""), hash=written.hash
    )


def _receipt(written: Written, receipt: Mapping[str, Any]) -> Row:
    cells = {
        "entry": str(written.id),
        "revision": written.entry.revision or "",
        "signed_with": str(receipt.get("key") or ""),
        "file": str(receipt.get("file") or ""),
        "server": str(receipt.get("server_version") or ""),
        "schema": str(receipt.get("fingerprint") or ""),
    }
    return Row(
        "receipt", str(written.id), cells, at=str(receipt.get("at") or ""), hash=str(receipt.get("id") or "")
    )


def _name(person: object) -> str:
    """Return a person's name without the address behind it."""
    text = str(person or "")
    return text.partition(" <")[0].strip() or text
