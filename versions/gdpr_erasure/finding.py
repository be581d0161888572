"""What is wrong about the catalogue, or missing from it: place, problem and cure. Never a value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    kind: unclassified, comment, gone, strategy, unreached, unguarded, edge, reference, named, valued or
        subject.
    place: a table or a column, as SQL writes it.
    """

    kind: str
    place: str
    problem: str
    hint: str


@dataclass(frozen=True)
class Held:
    """A column that holds a person: in how many rows, and in how many that are not theirs."""

    place: str
    rows: int
    elsewhere: int


def as_text(findings: Sequence[Finding]) -> str:
    """Return *findings* as lines for people, the number of them last."""
    lines = [f"{one.place}: {one.problem}\n  Hint: {one.hint}" for one in findings]
    ending = "no findings" if not findings else f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
    return "\n".join([*lines, ending])


def as_json(findings: Sequence[Finding], *, held: Sequence[Held] | None = None) -> str:
    """Return *findings* as one JSON document, and where a person is *held* if one was looked for."""
    found = {"findings": [asdict(one) for one in findings]}
    places = {} if held is None else {"held": [asdict(one) for one in held]}
    return json.dumps({**places, **found}, ensure_ascii=False, indent=2)
