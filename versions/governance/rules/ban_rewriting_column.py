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
    default = act.column.default
    if default is not None and default.kind == "sequence":
        return "takes its values from a sequence", _from_sequence(act)
    if default is not None and default.kind == "stored":
        return "is generated and stored", (
            f"write {hints.added(act)}, a trigger that keeps it, and fill the rows in batches in a revision "
            "of its own, or GENERATED … VIRTUAL (PostgreSQL 18)"
        )
    called = default.functions if default is not None else ()
    volatile = next((name for name in called if _is_volatile(name, facts)), None)
    if volatile is not None:
        assert default is not None
        return f"has the volatile default {volatile}()", _later(hints.added(act), _default(act, default.code))
    if facts.is_constrained(act.column.type):
        return f'is of a domain with a CHECK, "{act.column.type}"', _with_check(act, facts)
    return None


def _is_volatile(name: str, facts: Facts) -> bool:
    plain = name.removeprefix("pg_catalog.").removeprefix("public.")
    return plain in _VOLATILE or plain in facts.volatile


def _from_sequence(act: AddColumn) -> str:
    table, name = hints.identifier(act.table), act.column.name
    made = hints.execute(f"CREATE SEQUENCE {table}_{name}_seq OWNED BY {table}.{name}")
    return _later(hints.added(act), made, _default(act, f"""sa.text("nextval('{table}_{name}_seq')")"""))


def _default(act: AddColumn, value: str) -> str:
    return hints.operation("alter_column", act.table, f'"{act.column.name}"', server_default=value)


def _later(*steps: str) -> str:
    return f"write {', then '.join(steps)}, and fill the rows in batches in a revision of its own,"


def _with_check(act: AddColumn, facts: Facts) -> str:
    """Return the code that adds the column with the type behind its domain, and the CHECK apart."""
    table, name = hints.identifier(act.table), act.column.name
    kind = facts.base_type(act.column.type)
    added = hints.execute(f"ALTER TABLE {table} ADD {name} {kind}")
    constraint = f"{table.rpartition('.')[2]}_{name}_check"
    checked = hints.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK (…) NOT VALID")
    return f"write {added}, then {checked}"
