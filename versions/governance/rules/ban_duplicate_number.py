"""No two revisions have one number, nor one `revision`.

Why: two branches that both add the next number merge without a conflict. Alembic only warns, and then applies
one of the two.
Fix: give the later one the next free number: rename its file and set its two variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG005"
STRUCTURAL = True

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision whose number an earlier file has."""
    numbers: dict[int, str] = {}
    names: dict[str, str] = {}
    newest = max((made.number for made in history.revisions if made.number is not None), default=0)
    for made in history.revisions:
        first = None if made.number is None else numbers.setdefault(made.number, made.file_name)
        same = names.setdefault(made.name, made.file_name)
        if first not in {None, made.file_name}:
            newest += 1
            yield _found(
                made.path,
                f'number "{made.number:03}" is taken by "{first}"',
                hint=f"rename {made.file_name} to {newest:03}_{made.slug}.py and set "
                f'revision = "{newest:03}", down_revision = "{newest - 1:03}" in it',
            )
        elif same != made.file_name:
            own = "NNN" if made.number is None else f"{made.number:03}"
            yield _found(
                made.path,
                f'revision "{made.name}" is taken by "{same}"',
                hint=f'set revision = "{own}" in {made.file_name}',
            )
