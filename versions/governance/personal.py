"""Find the tables that hold personal data, by the classes of their columns. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.governance.classification import is_personal
from spotify_ai_agent_migrations.versions.governance.facts import Table
from spotify_ai_agent_migrations.versions.governance.finding import Place
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision


@dataclass(frozen=True, eq=False)
class Personal:
    """A table that holds personal data, with the column that first makes it so, and where that is made."""

    table: Table
    column: str
    revision: Revision
    place: Place

    @property
    def file_name(self) -> str:
        """Return the file in which it became personal."""
        return self.revision.file_name


def personal_tables(history: History) -> Iterator[Personal]:
    """Yield the tables with a column of another class than none that are there at the end of the history."""
    for table in history.facts.tables.values():
        for name, (revision, act, column) in table.columns.items():
            comment = column.comment or revision.comments.get(f"{table.name}.{name}")
            if comment is not None and is_personal(comment):
                yield Personal(table, name, revision, revision.place_of_act(act, column.part))
                break
