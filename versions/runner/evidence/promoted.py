"""Take apart what an entry of the gate says, and tell which steps ran on one. No database here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spotify_ai_agent_migrations.versions.governance.evidence.model import Row
from spotify_ai_agent_migrations.versions.runner.entry import ANSWERS, Entry, Written


class Answers:
    """Tells, entry by entry from the first on, on which answer of the gate each step ran."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._run = ""
        self._given: dict[tuple[str, str], int] = {}
        self._tried: tuple[tuple[str, str], int | None] | None = None

    def behind(self, written: Written) -> int | None:
        """Return the entry that let *written* go on; None where nothing did, or it is no step."""
        entry, step = written.entry, _step(written.entry)
        if written.origin.run != self._run:
            self._run, self._given = written.origin.run, {}
        if entry.state in ANSWERS:
            self.first = self.first or written.id
            if entry.state != "refused":
                self._given[step] = written.id
            return None
        found = self._given.get(step)
        if entry.state == "started":
            self._tried = step, found
        elif self._tried is not None and self._tried[0] == step:
            # Of a process that was killed, the next run says how its attempt ended.
            (_, found), self._tried = self._tried, None
        return found


def _step(entry: Entry) -> tuple[str, str]:
    return entry.direction, "" if entry.direction == "stamp" else entry.revision or ""


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
