"""A revision changes the schema of one database, and maintains no server.

Why: VACUUM and CLUSTER run for as long as the tables are big, CLUSTER and VACUUM FULL under ACCESS
EXCLUSIVE; ALTER SYSTEM, databases and tablespaces belong to the whole cluster. Nothing of it is undone with
the revision.
Fix: run it apart, when its time has come:

    agentdb db psql -c "VACUUM (ANALYZE) users"

Seen: `upgrade()` and `downgrade()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG029"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_ALWAYS: Final = frozenset({"CHECKPOINT", "CLUSTER", "VACUUM"})
_OF_CLUSTER: Final = frozenset({"DATABASE", "SYSTEM", "TABLESPACE"})


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each command that is not about the schema."""
    for revision, said in history.statements_of_both("ALTER", "CREATE", "DROP", *_ALWAYS):
        second = said.tokens[1].word if said.tokens[1:] else ""
        if said.verb in _ALWAYS or (second in _OF_CLUSTER and not _sets_default(said)):
            what = said.verb if said.verb in _ALWAYS else f"{said.verb} {second}"
            yield _found(
                revision.path,
                f"{what} maintains the server, and is not undone with the revision",
                hint=f"remove it from {revision.file_name}, and run {_command(said)} when its time has come",
                at=revision.place_of_act(said),
            )


def _command(said: Statement) -> str:
    statement = written(said.tokens)
    quote = "'" if '"' in statement else '"'
    return f"agentdb db psql -c {quote}{statement}{quote}"


def _sets_default(said: Statement) -> bool:
    """Tell whether this is `ALTER DATABASE … SET`, which is a setting of this database."""
    words = {token.word for token in said.tokens[3:5]}
    return said.verb == "ALTER" and said.tokens[1].word == "DATABASE" and bool(words & {"SET", "RESET"})
