"""Decide whether enough persons approved of the text of a revision that is to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spotify_ai_agent_migrations.versions.governance.approvals import LIST, Approval
from spotify_ai_agent_migrations.versions.governance.pending import Missing, Pending
from spotify_ai_agent_migrations.versions.governance.persons import distinct


def approved(
    pending: Pending, approvals: Sequence[Approval]
) -> tuple[tuple[Approval, ...], tuple[Missing, ...]]:
    """Return the approvals that count, and what is missing.

    Those count that are as they were written, of this very text, and by nobody who wrote it, whether the
    line says so or Git. Two by one person are one.
    """
    own = [one for one in approvals if one.file_name == pending.file_name]
    counting = [one for one in own if _fault(pending, one) is None]
    persons = distinct(tuple(one.reviewer for one in counting))
    if len(persons) >= pending.approvers:
        return tuple(counting), ()
    return tuple(counting), tuple(_missing(pending, own, len(persons)))


def wrote(approval: Approval, pending: Pending) -> bool:
    """Tell whether the reviewer is one of the authors."""
    authors = (*approval.authors, *pending.authors)
    return any(approval.reviewer.same_as(author) for author in authors)


def _missing(pending: Pending, own: Sequence[Approval], persons: int) -> Iterator[Missing]:
    faults = [fault for one in own if (fault := _fault(pending, one)) is not None]
    if persons:
        why = "a downgrade drops what was written" if pending.reverts else "its data is destroyed"
        said = f"{persons} person of {pending.approvers} approves of it, for {why}"
        yield Missing("too-few-approvals", said)
        # Of earlier texts there are approvals as a rule; where this one has any, they explain nothing.
        faults = [fault for fault in faults if fault.code != "approval-of-another-checksum"]
    elif not own:
        wanted = "nobody approves" if pending.approvers == 1 else "nobody approves, and two persons have to"
        yield Missing("no-approval", f"{wanted} of it in {LIST}")
    yield from faults


def _fault(pending: Pending, one: Approval) -> Missing | None:
    """Return why an approval does not count; None where it does."""
    if one.broken:
        return Missing("approval-edited", f"line {one.line} of {LIST} is not as it was written")
    if one.checksum != pending.checksum:
        texts = f"{one.checksum[:12]} and not {str(pending.checksum)[:12]}"
        said = f"line {one.line} of {LIST} approves of another text, {texts}"
        return Missing("approval-of-another-checksum", said)
    if wrote(one, pending):
        return Missing("approved-by-author", f"line {one.line} of {LIST} is by an author of it")
    return None
