"""A revision takes strong locks on one table that was there before, and not on several.

Why: a transaction keeps every lock until its commit. While it waits for the second table, nobody reads or
writes the first; and two transactions that take two tables in another order wait for each other.
Fix: give each table a revision of its own, or say in the docstring why this one may lock them together:

    allow MIG030: applied before the service is started

A foreign key locks two tables by itself, and is exempt where it is alone. Strong are ACCESS EXCLUSIVE
(ALTER, DROP, TRUNCATE, policies) and SHARE ROW EXCLUSIVE (foreign keys, on both tables; triggers).
Seen: `upgrade()`, outside of autocommit blocks. Not seen: the table behind a foreign key that is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Act, AddColumn, AddConstraint
from spotify_ai_agent_migrations.versions.governance.facts import Facts
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.locks import ALL, strong_locks
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG030"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_MOST: Final = 3


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision that locks more than one table, at the first lock of the second."""
    for revision in history.revisions:
        locked = _locked(revision, history.facts)
        if len(locked) > 1:
            yield _found(
                revision.path,
                f"the transaction keeps {_shown(locked)}: whoever uses one waits until the last is free",
                hint="give each table a revision of its own, or write "
                f'"allow MIG030: <why together>" in the docstring of {revision.file_name}',
                at=revision.place_of_act([act for _, act in locked.values()][1]),
            )


def _locked(revision: Revision, facts: Facts) -> dict[str, tuple[str, Act]]:
    """Return the tables that a revision locks, with their lock and who takes it first.

    Where one foreign key locks them all, nothing could be parted, and it counts as none.
    """
    locked: dict[str, tuple[str, Act]] = {}
    keys: list[Mapping[str, str]] = []
    for act in revision.upgrade.acts:
        own = {} if act.autocommit else dict(strong_locks(act, facts))
        found = {table: lock for table, lock in own.items() if revision.upgrade.found(table, act)}
        for table, lock in found.items():
            kept, first = locked.get(table, (lock, act))
            locked[table] = (ALL if ALL in {kept, lock} else lock, first)
        if isinstance(act, AddColumn | AddConstraint):
            keys.append(found)
    return {} if any(found.keys() >= locked.keys() for found in keys) else locked


def _shown(locked: Mapping[str, tuple[str, Act]]) -> str:
    """Return the first locks, and how many more there are."""
    shown = [f'{lock} on "{table}"' for table, (lock, _) in locked.items()]
    last = f"{len(shown) - _MOST} more" if len(shown) > _MOST else shown.pop()
    return f"{', '.join(shown[:_MOST])} and {last}"
