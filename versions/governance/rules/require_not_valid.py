"""A CHECK or a foreign key is added to a table that was there before as NOT VALID.

Why: otherwise every row is read under the lock: ACCESS EXCLUSIVE for a CHECK, SHARE ROW EXCLUSIVE on both
tables for a foreign key, SHARE on every table that uses it for a domain. NOT VALID holds for new rows at
once and reads nothing; VALIDATE reads under a lock that lets others work.
Fix: add it as NOT VALID, and validate it in the next revision:

    op.create_check_constraint("users_age_check", "users", "age > 0", postgresql_not_valid=True)
    execute("ALTER TABLE users VALIDATE CONSTRAINT users_age_check")

Tables of the same revision are exempt. A foreign key of a partitioned table can be NOT VALID from
PostgreSQL 18 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AddConstraint
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.tokens import begins, qualified

CODE = "MIG043"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_LOCKS: Final = {
    "check": ("the check", "ACCESS EXCLUSIVE: nobody reads or writes"),
    "fkey": ("the foreign key", "SHARE ROW EXCLUSIVE: nobody writes to it, nor to the table it points at,"),
    "not null": ("the NOT NULL", "ACCESS EXCLUSIVE: nobody reads or writes"),
}


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each constraint that reads every row under its lock."""
    made_here = {made: _domains(made) for made in history.revisions if made.upgrade.acts}
    for revision, act in history.changes(AddConstraint):
        kind = act.constraint.kind
        if kind not in _LOCKS or act.constraint.not_valid or act.table in made_here[revision]:
            continue
        what, lock = _LOCKS[kind]
        shown = f'{what} "{act.constraint.name}"' if act.constraint.name else what
        problem = f"{shown} reads every row of {hints.quoted(act.table)} under {lock} until it is done"
        if act.domain:
            problem = (
                f'{shown} reads every table that uses "{act.table}" under SHARE: nobody writes meanwhile'
            )
        yield _found(
            revision.path,
            problem,
            hint=f"write {_fix(act)}, and {_validation(act)} in the next revision, instead in "
            f"{revision.file_name}",
            at=revision.place_of_act(act),
        )


def _domains(revision: Revision) -> set[str]:
    """Return the domains that a revision makes: no table uses them yet."""
    created = (said.tokens for said in revision.upgrade.statements("CREATE"))
    return {qualified(tokens[2:])[0] for tokens in created if begins(tokens, "CREATE", "DOMAIN")}


def _fix(act: AddConstraint) -> str:
    if act.tokens:
        return hints.execute(f"{written(act.tokens)} NOT VALID")
    return hints.called(act, postgresql_not_valid="True")


def _validation(act: AddConstraint) -> str:
    kind = "DOMAIN" if act.domain else "TABLE"
    name = act.constraint.name or "<name>"
    return hints.execute(f"ALTER {kind} {hints.identifier(act.table)} VALIDATE CONSTRAINT {name}")
