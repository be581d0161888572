"""A revision's docstring has the fields `Locks`, `Reverse`, `Data` and `Needs`.

Why: whoever applies it at night reads these four lines, and nothing else, before doing so.
Fix: write what is missing, each field on a line of its own (its text may go on until an empty line):

    Locks: which locks on which tables, for how long
    Reverse: lossless, lossy or irreversible, then what the way back loses
    Data: none, seed, backfill or destructive, then which rows are touched
    Needs: privileges, extensions and versions; or nothing
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import FIELDS, History

CODE = "MIG011"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Reverse": ("lossless", "lossy", "irreversible"),
        "Data": ("none", "seed", "backfill", "destructive"),
    }
)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each field that is missing, empty or begins with another word."""
    for revision, _ in history.readable:
        for name in FIELDS:
            problem = _problem(name, revision.fields.get(name))
            if problem is not None:
                yield _found(
                    revision.path, problem, hint=f"{_fix(name)} in the docstring of {revision.file_name}"
                )


def _problem(name: str, text: str | None) -> str | None:
    if text is None:
        return f'the docstring has no field "{name}"'
    if not text.strip(".… "):
        return f'the field "{name}" is empty'
    words = _WORDS.get(name, ())
    if words and not re.match(rf"(?:{'|'.join(words)})\b", text):
        return f'the field "{name}" begins with "{text.split()[0]}"'
    return None


def _fix(name: str) -> str:
    words = _WORDS.get(name, ("…",))
    return f'write "{name}: {" | ".join(words)}"'
