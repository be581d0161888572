"""No column is added to a table that was there before whose values PostgreSQL has to compute row by row.

Why: a constant default, and now(), cost nothing. A volatile default (random, clock_timestamp,
gen_random_uuid, nextval), serial, IDENTITY, a stored generated column and a domain with a CHECK rewrite the
table with all its indexes, under ACCESS EXCLUSIVE: nobody reads or writes until it is done.
Fix: add the column empty, give it its default for new rows, and fill the old ones in batches, in a revision
of its own:

    op.add_column("users", sa.Column("token", sa.Uuid, comment="identifier: …"))
    op.alter_column("users", "token", server_default=sa.func.gen_random_uuid())

Tables of the same revision are exempt. Not seen: volatile functions of an extension, or made outside of the
revisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AddColumn
from spotify_ai_agent_migrations.versions.governance.facts import Facts
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG038"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_VOLATILE: Final = frozenset(
    {"clock_timestamp", "currval", "gen_random_bytes", "gen_random_uuid", "lastval", "nextval", "random",
     "random_normal", "setval", "timeofday", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4",
     "uuidv4", "uuidv7"}
)  # fmt: skip


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each column that rewrites its table."""
    for revision, act in history.changes(AddColumn):
        found = _cause(act, history.facts)
        if found is not None:
            cause, fix = found
            yield _found(
                revision.path,
                f'column "{act.column.name}" {cause}, which rewrites {hints.quoted(act.table)} under '
                "ACCESS EXCLUSIVE: nobody reads or writes until it is done",
                hint=f"{fix} in {revision.file_name}",
                at=revision.place_of_act(act, act.column.part),
            )


def _cause(act: AddColumn, facts: Facts) -> tuple[str, str] | None:
    """Return why a column rewrites its table, and what to write instead."""
    column, table = act.column, act.table
    name = column.name
    plain = hints.operation("add_column", table, f'sa.Column("{name}", …)')
    if column.default is not None and column.default.kind == "sequence":
        sequence = f"{hints.identifier(table)}_{name}_seq"
        made = hints.execute(f"CREATE SEQUENCE {sequence} OWNED BY {hints.identifier(table)}.{name}")
        default = f"""sa.text("nextval('{sequence}')")"""
        return "takes its values from a sequence", _later(plain, made, _default(table, name, default))
    if column.default is not None and column.default.kind == "stored":
        return "is generated and stored", (
            f"write {plain}, a trigger that keeps it, and fill the rows in batches in a revision of its own; or "
            "GENERATED … VIRTUAL (PostgreSQL 18)"
        )
    called = (
        [name for name in column.default.functions if _is_volatile(name, facts)] if column.default else []
    )
    if called:
        return f"has the volatile default {called[0]}()", _later(
            plain, _default(table, name, f'sa.text("{called[0]}()")')
        )
    if facts.is_constrained(column.type):
        base = facts.base_type(column.type)
        return f'is of the domain "{column.type}", which has a CHECK', (
            f'write {hints.operation("add_column", table, f"""sa.Column("{name}", …)""")} of type {base or "text"}, '
            f"then {hints.execute(_check(table, name))}"
        )
    return None


def _is_volatile(name: str, facts: Facts) -> bool:
    plain = name.removeprefix("pg_catalog.").removeprefix("public.")
    return plain in _VOLATILE or plain in facts.volatile


def _default(table: str | None, name: str, value: str) -> str:
    return hints.operation("alter_column", table, f'"{name}"', server_default=value)


def _later(*steps: str) -> str:
    return f"write {', then '.join(steps)}, and fill the rows in batches in a revision of its own,"


def _check(table: str | None, name: str) -> str:
    plain = (table or "<table>").rpartition(".")[2]
    return f"ALTER TABLE {hints.identifier(table)} ADD CONSTRAINT {plain}_{name}_check CHECK (…) NOT VALID"
