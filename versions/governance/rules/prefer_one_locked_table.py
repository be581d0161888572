"""A revision takes strong locks on one table that was there before, and not on several.

Why: a transaction keeps every lock until its commit. While it waits for the second table, nobody reads or
writes the first; and two transactions that take two tables in another order wait for each other.
Fix: give each table a revision of its own, or say in the docstring why this one may lock them together:

    allow MIG030: applied before the service is started

Strong are ACCESS EXCLUSIVE (ALTER, DROP, TRUNCATE, policies) and SHARE ROW EXCLUSIVE (foreign keys, on both
tables; triggers).
Seen: `upgrade()`, outside of autocommit blocks. Not seen: the table behind a foreign key that is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Act
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.locks import ALL, strong_locks
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG030"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_MOST: Final = 3


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision that locks more than one table, at the first lock of the second."""
    for revision in history.revisions:
        locked: dict[str, tuple[str, Act]] = {}
        for act in revision.upgrade.acts:
            for table, lock in () if act.autocommit else strong_locks(act, history.facts):
                if revision.upgrade.found(table):
                    stronger = table not in locked or (lock == ALL and locked[table][0] != ALL)
                    locked[table] = (lock, locked.get(table, ("", act))[1]) if stronger else locked[table]
        if len(locked) > 1:
            yield _found(
                revision.path,
                f"the transaction keeps {_shown(locked)}: whoever uses one waits until the last is free",
                hint="give each table a revision of its own, or write "
                f'"allow MIG030: <why together>" in the docstring of {revision.file_name}',
                at=revision.place_of_act([act for _, act in locked.values()][1]),
            )


def _shown(locked: Mapping[str, tuple[str, Act]]) -> str:
    """Return the first locks, and how many more there are."""
    first = [f'{lock} on "{table}"' for table, (lock, _) in locked.items()][:_MOST]
    more = len(locked) - len(first)
    return f"{', '.join(first)} and {more} more" if more else " and ".join(first)
