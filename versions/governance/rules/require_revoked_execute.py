"""A SECURITY DEFINER function is not left to PUBLIC.

Why: whoever may connect may execute a new function, unless that is taken away; this one runs with the
rights of its owner.
Fix: make it as the owner role, whose default privileges revision 003 took from PUBLIC, or take it away
beside it:

    REVOKE EXECUTE ON FUNCTION find_user_v1(bytea) FROM PUBLIC

Functions of triggers are exempt: nobody calls them. So are functions made inside of `as_owner()` once an
ALTER DEFAULT PRIVILEGES of the history has revoked EXECUTE from PUBLIC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.functions import KINDS, functions
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, begins, qualified, split

CODE = "MIG059"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each function that everybody may execute with its owner's rights."""
    by_default = False
    for revision in history.revisions:
        revoked: set[str] = set()
        for said in revision.upgrade.of(Statement):
            by_default = by_default or _revokes_by_default(said)
            revoked |= set(_revoked(said.tokens))
        for made in functions(revision):
            kept = made.name in revoked or "*" in revoked or (by_default and made.statement.as_owner)
            if made.is_definer and not made.is_trigger and not kept:
                fixed = hints.execute(f"REVOKE EXECUTE ON {made.kind} {made.name} FROM PUBLIC")
                yield _found(
                    revision.path,
                    f'whoever may connect may execute "{made.name}" with the rights of its owner',
                    hint=f"make it inside of with as_owner():, or write {fixed} behind it in "
                    f"{revision.file_name}",
                    at=revision.place_of_act(made.statement),
                )


def _revokes_by_default(said: Statement) -> bool:
    """Tell whether what the owner role makes from here on is nobody's; a schema alone has no such default."""
    words = [token.word for token in said.tokens]
    if not begins(said.tokens, "ALTER", "DEFAULT", "PRIVILEGES") or "REVOKE" not in words:
        return False
    owner = "AGENT_OWNER" in words if "FOR" in words else said.as_owner
    whole = "SCHEMA" not in words and "PUBLIC" in words
    return owner and whole and bool({"FUNCTIONS", "ROUTINES"} & {*words})


def _revoked(tokens: Tokens) -> Iterator[str]:
    """Yield the functions that a REVOKE takes from PUBLIC; an asterisk is all of a schema."""
    if not begins(tokens, "REVOKE") or not any(token.word == "PUBLIC" for token in tokens):
        return
    at = next((place for place, token in enumerate(tokens) if token.word == "ON"), len(tokens))
    rest = tokens[at + 1 :]
    if begins(rest, "ALL"):
        yield "*"
    elif rest and rest[0].word in KINDS:
        yield from (qualified(part)[0] for part in split(rest[1:]))
