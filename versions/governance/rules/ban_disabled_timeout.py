"""A revision takes no time limit away.

Why: a statement that waits for a lock holds up everybody who comes after it; without `lock_timeout` it does
so until somebody wakes up. The runner sets the limits, and tries again.
Fix: remove it, and give the run the time it needs:

    alembic -x lock-timeout-ms=20000 -x statement-timeout-ms=3600000 upgrade head
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, bracketed, split

CODE = "MIG027"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_LIMITS: Final = {
    "lock_timeout": "-x lock-timeout-ms=20000",
    "statement_timeout": "-x statement-timeout-ms=3600000",
    "idle_in_transaction_session_timeout": "",
    "transaction_timeout": "",
}
_NONE: Final = re.compile(r"0+ ?(?:us|ms|s|min|h|d)?|-1|default|reset", re.IGNORECASE)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each limit that is set to nothing, of both functions."""
    for revision, said in history.statements_of_both("PERFORM", "RESET", "SELECT", "SET"):
        name = _lifted(said)
        if name is not None:
            option = _LIMITS.get(name) or _LIMITS["statement_timeout"]
            yield _found(
                revision.path,
                f'without "{name}" a statement that waits holds up everybody behind it, for ever',
                hint=f"remove it from {revision.file_name}, and run alembic {option} upgrade head",
                at=revision.place_of_act(said),
            )


def _lifted(said: Statement) -> str | None:
    """Return the limit that is taken away, if one is."""
    name, value = _set(said)
    if name == "all":
        return "statement_timeout"
    written = "".join(token.text if token.value is None else token.value for token in value).strip()
    return name if name in _LIMITS and _NONE.fullmatch(written) else None


def _set(said: Statement) -> tuple[str, Tokens]:
    """Return the name of a setting and the value it is given; RESET and DEFAULT are one."""
    if said.verb == "RESET":
        return (said.tokens[1].name, said.tokens[:1]) if said.tokens[1:] else ("", ())
    if said.verb == "SET":
        rest = without(without(said.tokens[1:], "LOCAL"), "SESSION")
        return (rest[0].name, rest[2:]) if rest else ("", ())
    at = next((place for place, token in enumerate(said.tokens) if token.name == "set_config"), None)
    given = split(bracketed(said.tokens[at + 1 :])[0]) if at is not None else []
    return (given[0][0].value or "", given[1]) if len(given) == 3 else ("", ())
