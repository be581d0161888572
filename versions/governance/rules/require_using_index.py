"""A UNIQUE or a PRIMARY KEY of a table that was there before is made from an index that is there already.

Why: otherwise the index is built under ACCESS EXCLUSIVE: nobody reads or writes until it is done.
Fix: build the index CONCURRENTLY in a revision of its own, then make the constraint from it in the next:

    with op.get_context().autocommit_block():
        op.create_index("users_email_key", "users", ["email"], unique=True, postgresql_concurrently=True)

    execute("ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key")

An EXCLUDE has no such way: make a new table with it, or stop the writers and allow it. Tables of the same
revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints, naming
from spotify_ai_agent_migrations.versions.governance.acts import AddConstraint
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG045"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_SHOWN: Final = {"key": ("unique constraint", "UNIQUE"), "pkey": ("primary key", "PRIMARY KEY")}


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each constraint that builds its index under the strongest lock."""
    for revision, act in history.changes(AddConstraint):
        made = act.constraint
        if made.kind not in {"excl", *_SHOWN} or made.using_index:
            continue
        what = naming.KINDS[made.kind]
        shown = f'{what} "{made.name}"' if made.name else what
        yield _found(
            revision.path,
            f"the {shown} builds its index under ACCESS EXCLUSIVE: nobody reads or writes "
            f"{hints.quoted(act.table)} until it is done",
            hint=f"{_fix(act)} {revision.file_name}",
            at=revision.place_of_act(act),
        )


def _fix(act: AddConstraint) -> str:
    made = act.constraint
    if made.kind == "excl":
        return 'make a table with it and move the rows, or write "# allow MIG045: <who writes meanwhile>" in'
    name = made.name or naming.suggested(made.kind, act.table, made.columns)
    columns = ", ".join(f'"{column}"' for column in made.columns) or '"…"'
    index = hints.operation_of(
        "create_index", name, act.table, f"[{columns}]", unique="True", postgresql_concurrently="True"
    )
    kind = _SHOWN[made.kind][1]
    added = f"ALTER TABLE {hints.identifier(act.table)} ADD CONSTRAINT {name} {kind} USING INDEX {name}"
    return (
        f"write {hints.alone(index)}, alone in a revision, and {hints.execute(added)} in the next, instead in"
    )
