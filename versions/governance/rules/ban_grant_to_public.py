"""`upgrade()` grants nothing to PUBLIC.

Why: PUBLIC is every login of the cluster that is, and every one that will be.
Fix: name the role that needs it:

    GRANT SELECT ON public.tracks TO agent_app

`downgrade()` is exempt: it gives back what `upgrade()` took away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.tokens import begins

CODE = "MIG058"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each GRANT to PUBLIC, in default privileges too."""
    for revision, said in history.statements("ALTER", "GRANT"):
        tokens = said.tokens
        if said.verb == "ALTER" and not begins(tokens, "ALTER", "DEFAULT", "PRIVILEGES"):
            continue
        start = next((at for at, token in enumerate(tokens) if token.word == "GRANT"), len(tokens))
        to = next((at for at, token in enumerate(tokens) if at > start and token.word == "TO"), len(tokens))
        if any(token.word == "PUBLIC" for token in tokens[to:]):
            fixed = f"{written(tokens[: to + 1])} <role>"
            yield _found(
                revision.path,
                "GRANT … TO PUBLIC lets in every login of the cluster, those to come included",
                hint=f"write {hints.execute(fixed)} with the role that needs it in {revision.file_name}",
                at=revision.place_of_act(said),
            )
