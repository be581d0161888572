"""The columns of a foreign key are the first of an index or a key.

Why: without one, each DELETE or UPDATE of a row that is pointed at reads the whole table that points, while
it holds its locks.
Fix: make one, in a revision of its own where the table was there before:

    op.create_index("listens_track_id_idx", "listens", ["track_id"])

Any revision of the history counts. A partial index counts where it leaves out NULL only; brin and gin do
not count.
Not seen: tables that no revision made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints, naming
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG064"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each foreign key that is looked up by reading the table."""
    for table in history.facts.tables.values():
        keys = [*table.keys, *(made.columns for _, _, made in table.constraints if made.kind == "excl")]
        for revision, act, made in table.constraints:
            wanted = {*made.columns}
            if made.kind != "fkey" or not wanted or any(wanted == {*key[: len(wanted)]} for key in keys):
                continue
            columns = ", ".join(f'"{column}"' for column in made.columns)
            name = naming.suggested("idx", table.name, made.columns)
            yield _found(
                revision.path,
                f'no index begins with {columns} of "{table.name}": a row of {hints.quoted(made.refers)} is '
                "deleted by reading the whole table",
                hint=f"write {hints.operation_of('create_index', name, table.name, f'[{columns}]')} in "
                f"{revision.file_name}",
                at=revision.place_of_act(act, made.part),
            )
