"""`upgrade()` drops and truncates nothing with CASCADE.

Why: CASCADE takes along whatever depends on it, on this database: views, columns of a type, rows of tables
that nobody named, and on another database something else.
Fix: name each thing, in the order in which they depend on one another, and leave out CASCADE; then a
dependency that was forgotten is an error:

    execute("DROP VIEW top_tracks; DROP FUNCTION rank_v1(bigint)")

`downgrade()` is exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG054"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each CASCADE that drops or truncates."""
    for revision, said in history.statements("ALTER", "DROP", "TRUNCATE"):
        if said.tokens[-1].word != "CASCADE" or not _takes(said):
            continue
        fixed = hints.execute(written(said.tokens[:-1]))
        yield _found(
            revision.path,
            f"{said.verb} … CASCADE takes along whatever depends on it, and nobody can read what that is",
            hint=f"drop what depends on it by name, then write {fixed} in {revision.file_name}",
            at=revision.place_of_act(said),
        )


def _takes(said: Statement) -> bool:
    """Tell whether an ALTER drops something; the CASCADE of a foreign key is no drop."""
    words = [token.word for token in said.tokens]
    return said.verb != "ALTER" or ("DROP" in words and words[-3:-1] != ["ON", "DELETE"])
