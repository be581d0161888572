"""A SECURITY DEFINER function sets its search_path.

Why: it runs with the rights of its owner and the search_path of its caller, who can put a table or an
operator of their own before the one that is meant.
Fix: fix the path in the function, with pg_temp last:

    CREATE FUNCTION find_user_v1(…) … SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$ …

Seen: CREATE FUNCTION and CREATE PROCEDURE; ALTER FUNCTION … SET search_path in the same revision counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.functions import KINDS, functions
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, qualified

CODE = "MIG057"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each function that runs with its owner's rights and its caller's path."""
    for revision in history.revisions:
        fixed = _altered(revision)
        for made in functions(revision):
            if made.is_definer and not made.sets_path and made.name not in fixed:
                yield _found(
                    revision.path,
                    f'"{made.name}" runs with the rights of its owner and the search_path of its caller',
                    hint="write SET search_path = pg_catalog, pg_temp behind SECURITY DEFINER in "
                    f"{revision.file_name}",
                    at=revision.place_of_act(made.statement),
                )


def _altered(revision: Revision) -> set[str]:
    """Return the functions whose path is set by an ALTER of the same revision."""
    found = set()
    for said in revision.upgrade.statements("ALTER"):
        if said.tokens[1:] and said.tokens[1].word in KINDS and _sets(said.tokens):
            found.add(qualified(said.tokens[2:])[0])
    return found


def _sets(tokens: Tokens) -> bool:
    return ("SET", "SEARCH_PATH") in pairwise(token.word for token in tokens)
