"""Every personal column that is made once there is a catalogue of personal data is put into it.

Why: erasure, exports, the scan and the record of processing read `ops.personal_data`; a column that is not in
it is one that they miss, and `agentdb gdpr-erasure check` fails by its name on the database.
Fix: behind what makes the columns, take their classes from their comments, and say what becomes of those that
are personal:

    SELECT ops.classify_table_v1('public.listens', strategy => 'delete', origin => 'observed',
        purposes => '{service}', legal_basis => 'contract', retention_rule => 'raw');

For one column alone there is `ops.classify_column_v1('public.listens', 'client', …)`; where no new column is
personal, `SELECT ops.classify_table_v1(<table>)` does for `agentdb gdpr-erasure check`.
Seen: columns of another class than none, of revisions behind the one that makes `ops.personal_data`, and
calls whose names are literals, in the same revision or a later one. Not seen: rows that are inserted into
`ops.personal_data` directly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.classification import is_personal
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG071"
STRUCTURAL = False

_CATALOGUE: Final = "ops.personal_data"
_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each personal column made after the catalogue that nobody put into it."""
    catalogue = history.facts.tables.get(_CATALOGUE)
    if catalogue is None:
        return
    places = {revision.file_name: place for place, revision in enumerate(history.revisions)}
    for table in history.facts.tables.values():
        target = table.name if "." in table.name else f"public.{table.name}"
        for name, (revision, act, column) in table.columns.items():
            comment = column.comment or revision.comments.get(f"{table.name}.{name}") or ""
            is_later = places[revision.file_name] > places[catalogue.revision.file_name]
            if is_later and is_personal(comment) and name not in table.catalogued:
                call = f"SELECT ops.classify_column_v1('{target}', '{name}', <what becomes of it>)"
                yield _found(
                    revision.path,
                    f'column "{name}" of "{table.name}" is personal, and is not put into the catalogue',
                    hint=f"write {hints.execute(call)} in {revision.file_name}",
                    at=revision.place_of_act(act, column.part),
                )
