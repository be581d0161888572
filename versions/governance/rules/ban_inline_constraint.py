"""No column brings a constraint along into a table that was there before.

Why: a CHECK reads the whole table, UNIQUE and PRIMARY KEY build an index over it, all under ACCESS
EXCLUSIVE, even if the column is NULL in every row; so does a foreign key that Alembic adds behind the
column.
Fix: add the column alone, then the constraint in the way that lets others work:

    op.add_column("users", sa.Column("age", sa.SmallInteger, comment="identifier: …"))
    op.create_check_constraint("users_age_check", "users", "age > 0", postgresql_not_valid=True)

and VALIDATE it in the next revision. Tables of the same revision are exempt, and so is REFERENCES in SQL on
a column without a default, which reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints, naming
from spotify_ai_agent_migrations.versions.governance.acts import AddColumn, Constraint
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG040"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_BROUGHT: Final = frozenset({"index", "primary_key", "unique"})
_SHOWN: Final = {
    "check": ("a CHECK", "reads all of"),
    "fkey": ("a foreign key", "reads all of"),
    "idx": ("an index", "is built over"),
    "key": ("UNIQUE", "builds an index over"),
    "pkey": ("PRIMARY KEY", "builds an index over"),
}


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each constraint that comes with a column."""
    for revision, act in history.changes(AddColumn):
        for made in act.column.constraints:
            if made.kind not in _SHOWN or (made.kind == "fkey" and act.tokens and act.column.default is None):
                continue
            what, does = _SHOWN[made.kind]
            locked = "SHARE" if made.kind == "idx" else "ACCESS EXCLUSIVE"
            yield _found(
                revision.path,
                f'column "{act.column.name}" brings {what}, which {does} {hints.quoted(act.table)} '
                f"under {locked}",
                hint=f"write {hints.added(act, without=_BROUGHT)}, then {_fix(act, made)} "
                f"in {revision.file_name}",
                at=revision.place_of_act(act, made.part),
            )


def _fix(act: AddColumn, made: Constraint) -> str:
    """Return the code that adds the constraint without stopping others."""
    table, column = act.table, act.column.name
    name = made.name or naming.suggested(made.kind, table or "<table>", [column])
    if made.kind == "check":
        return hints.operation_of("create_check_constraint", name, table, '"…"', postgresql_not_valid="True")
    if made.kind == "fkey":
        refers = f'"{made.refers or "<table>"}"'
        return hints.operation_of(
            "create_foreign_key", name, table, refers, f'["{column}"]', '["…"]', postgresql_not_valid="True"
        )
    unique = {} if made.kind == "idx" else {"unique": "True"}
    built = hints.operation_of(
        "create_index", name, table, f'["{column}"]', **unique, postgresql_concurrently="True"
    )
    return f"{hints.alone(built)}, alone in a revision,"
