"""What the whole history says of a table, a function or a domain: made here, secured there. Runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spotify_ai_agent_migrations.versions.governance import column_types, ddl, syntax
from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    AddColumn,
    AddConstraint,
    AlterColumn,
    AuditTable,
    ChangeRows,
    ClassifyColumns,
    Column,
    Constraint,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropTable,
    RenameColumn,
    RenameTable,
    Statement,
    TableAction,
    ValidateConstraint,
)
from spotify_ai_agent_migrations.versions.governance.column_types import ColumnType
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, begins, bracketed, qualified, split

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.governance.revision import Revision

_POLICIES: Final = "retention_policies"
_VOLATILITY: Final = frozenset({"IMMUTABLE", "STABLE"})


@dataclass
class Table:
    """A table at the end of the history, and where it and its keys were made."""

    name: str
    revision: Revision
    act: CreateTable
    columns: dict[str, tuple[Revision, Act, Column]] = field(default_factory=dict)
    constraints: list[tuple[Revision, Act, Constraint]] = field(default_factory=list)
    keys: list[tuple[str, ...]] = field(default_factory=list)
    is_secured: bool = False
    is_audited: bool = False
    catalogued: set[str] = field(default_factory=set)


@dataclass
class Facts:
    """What was found; nobody changes it once `read_facts` has returned it.

    `old_types` holds what a column was before its type changed, `proven` the changes to NOT NULL that a valid
    CHECK makes free of a scan, `ending` the tables whose rows are kept for a time only.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    indexes: dict[str, tuple[Revision, CreateIndex]] = field(default_factory=dict)
    partitioned: set[str] = field(default_factory=set)
    retained: set[str] = field(default_factory=set)
    domains: dict[str, tuple[ColumnType, bool]] = field(default_factory=dict)
    volatile: set[str] = field(default_factory=set)
    old_types: dict[AlterColumn, ColumnType] = field(default_factory=dict)
    proven: set[AlterColumn] = field(default_factory=set)
    ending: frozenset[str] = frozenset()
    _checks: dict[tuple[str | None, str | None], str] = field(default_factory=dict)
    _valid: set[tuple[str | None, str]] = field(default_factory=set)

    def table_of_index(self, name: str | None) -> str | None:
        """Return the table of an index that a revision made."""
        _, made = self.indexes.get((name or "").rpartition(".")[2], (None, None))
        return made.table if made is not None else None

    def base_type(self, kind: ColumnType) -> ColumnType:
        """Return the type behind a domain of the history."""
        return self.domains[kind.name][0] if kind.name in self.domains else kind

    def is_constrained(self, kind: ColumnType) -> bool:
        """Tell whether *kind* is a domain with a CHECK or a NOT NULL."""
        return self.domains.get(kind.name, (kind, False))[1]


def read_facts(revisions: Iterable[Revision]) -> Facts:
    """Return what the revisions say, each taken after the one before; only `upgrade()` is read."""
    found = Facts()
    for revision in revisions:
        for act in revision.upgrade.acts:
            _read(found, revision, act)
    found.ending = frozenset(_ending(found))
    return found


def _ending(facts: Facts) -> set[str]:
    """Return the tables whose rows are kept for a time: ruled themselves, or taken along by another's."""
    below: dict[str, list[str]] = {}
    for table in facts.tables.values():
        for _, _, made in table.constraints:
            if made.kind == "fkey" and made.cascades and made.refers is not None:
                below.setdefault(made.refers, []).append(table.name)
    queue = list(facts.retained)
    ending = set(queue)
    for name in queue:
        new = set(below.get(name, ())) - ending
        ending |= new
        queue += new
    return ending


def _read(facts: Facts, revision: Revision, act: Act) -> None:
    match act:
        case CreateTable():
            _created(facts, revision, act)
        case DropTable(table=str(name)):
            facts.tables.pop(name, None)
            facts.dropped.add(name)
        case RenameTable(table=str(name)):
            _renamed(facts, name, act.to)
        case AddConstraint(domain=True):
            _constrain(facts, act.table or "")
        case CreateIndex():
            _indexed(facts, revision, act)
        case Statement():
            _stated(facts, act.tokens)
        case ChangeRows(verb="insert", table="retention_policies"):
            facts.retained.update(_policies(act))
        case AlterColumn() | AddColumn() | AddConstraint() | DropColumn() | RenameColumn():
            _altered(facts, revision, act)
        case ValidateConstraint():
            _validated(facts, act.table, act.name)
        case AuditTable(table=str(name)) if name in facts.tables:
            facts.tables[name].is_audited = True
        case ClassifyColumns(table=str(name)) if name in facts.tables:
            made = facts.tables[name]
            made.catalogued |= set(made.columns) if act.column is None else {act.column}
        case TableAction(table=str(name)) if name in facts.tables:
            if act.words[1:4] == ("ROW", "LEVEL", "SECURITY") and act.words[0] in {"DISABLE", "ENABLE"}:
                facts.tables[name].is_secured = act.words[0] == "ENABLE"


def _created(facts: Facts, revision: Revision, act: CreateTable) -> None:
    if act.table is None:
        return
    made = Table(act.table, revision, act)
    facts.tables[act.table] = made
    if act.partitioned:
        facts.partitioned.add(act.table)
    for column in act.columns:
        _column(made, revision, act, column)
    for constraint in act.constraints:
        _constraint(facts, made, (revision, act, constraint))


def _column(table: Table, revision: Revision, act: Act, column: Column) -> None:
    table.columns[column.name] = (revision, act, column)
    for inline in column.constraints:
        own = Constraint(
            inline.kind,
            inline.name,
            (column.name,),
            inline.refers,
            cascades=inline.cascades,
            part=inline.part,
        )
        table.constraints.append((revision, act, own))
        if inline.kind in {"idx", "key", "pkey"}:
            table.keys.append((column.name,))


def _constraint(facts: Facts, table: Table, found: tuple[Revision, Act, Constraint]) -> None:
    made = found[2]
    table.constraints.append(found)
    if made.kind in {"key", "pkey"}:
        table.keys.append(made.columns)
    _checked(facts, table.name, made)


def _checked(facts: Facts, table: str | None, made: Constraint) -> None:
    """Remember which column a constraint keeps from being NULL, and whether every row was asked."""
    if made.checks is not None:
        facts._checks[(table, made.name)] = made.checks
        if not made.not_valid:
            facts._valid.add((table, made.checks))


def _validated(facts: Facts, table: str | None, name: str) -> None:
    checked = facts._checks.get((table, name))
    if checked is not None:
        facts._valid.add((table, checked))


def _altered(
    facts: Facts, revision: Revision, act: AlterColumn | AddColumn | AddConstraint | DropColumn | RenameColumn
) -> None:
    """Follow what a table is; of one that the history did not make, only what is checked."""
    table = facts.tables.get(act.table or "")
    match act:
        case AlterColumn():
            _alter_column(facts, table, act)
        case AddConstraint(constraint=made) if table is None:
            _checked(facts, act.table, made)
        case _ if table is None:
            pass
        case AddConstraint():
            _constraint(facts, table, (revision, act, act.constraint))
        case AddColumn():
            _column(table, revision, act, act.column)
        case DropColumn():
            table.columns.pop(act.column or "", None)
        case RenameColumn(column=str(old), to=str(new)) if old in table.columns:
            table.columns[new] = table.columns.pop(old)


def _alter_column(facts: Facts, table: Table | None, act: AlterColumn) -> None:
    if act.required and (act.table, act.column) in facts._valid:
        facts.proven.add(act)
    if act.type is None:
        return
    held = table.columns.get(act.column or "") if table is not None else None
    if held is not None:
        revision, made, column = held
        facts.old_types[act] = column.type
        changed = Column(
            column.name, act.type, column.required, column.default, column.constraints, column.comment
        )
        assert table is not None
        table.columns[column.name] = (revision, made, changed)


def _renamed(facts: Facts, name: str, to: str) -> None:
    if (table := facts.tables.pop(name, None)) is not None:
        table.name = to
        facts.tables[to] = table
    for names in (facts.partitioned, facts.retained):
        if name in names:
            names.add(to)


def _indexed(facts: Facts, revision: Revision, act: CreateIndex) -> None:
    if act.index.name is not None:
        facts.indexes[act.index.name] = (revision, act)
    table = facts.tables.get(act.table or "")
    if table is not None and act.index.covers:
        table.keys.append(act.index.columns)


def _stated(facts: Facts, tokens: Tokens) -> None:
    """Read what is no table: a domain, or a function and whether it is volatile."""
    if begins(tokens, "CREATE", "DOMAIN"):
        name, rest = qualified(tokens[2:])
        kind, after = column_types.from_sql(ddl.without(rest, "AS"))
        words = {token.word for token in after}
        facts.domains[name] = (kind, "CHECK" in words or {"NOT", "NULL"} <= words)
    elif begins(tokens, "CREATE"):
        at = 4 if begins(tokens, "CREATE", "OR", "REPLACE", "FUNCTION") else 2
        if tokens[at - 1 : at] and tokens[at - 1].word == "FUNCTION":
            _function(facts, tokens[at:])


def _function(facts: Facts, tokens: Tokens) -> None:
    name, rest = qualified(tokens)
    if _VOLATILITY & {token.word for token in rest}:
        facts.volatile.discard(name)
    else:
        facts.volatile.add(name)


def _constrain(facts: Facts, name: str) -> None:
    kind, _ = facts.domains.get(name, (ColumnType(), False))
    facts.domains[name] = (kind, True)


def _policies(act: ChangeRows) -> Iterator[str]:
    """Yield the tables for which rows of `retention_policies` are written out."""
    call = act.where.step.call
    if call is not None:
        yield from _policies_of_rows(syntax.argument(call.node, 1, "rows"))
        return
    at = next((place for place, token in enumerate(act.tokens) if token.name == _POLICIES), len(act.tokens))
    named, rest = bracketed(act.tokens[at + 1 :])
    columns = [part[0].name for part in split(named)]
    place = columns.index("table_name") if "table_name" in columns else 0
    for row in split(ddl.without(rest, "VALUES")):
        values = split(bracketed(row)[0])
        given = values[place][0].value if len(values) > place else None
        if given is not None:
            yield given.removeprefix("public.")


def _policies_of_rows(rows: ast.expr | None) -> Iterator[str]:
    for row in rows.elts if isinstance(rows, ast.List) else []:
        if isinstance(row, ast.Dict):
            pairs = zip(map(syntax.literal, row.keys), map(syntax.literal, row.values), strict=True)
            yield from (value for key, value in pairs if key == "table_name" and value is not None)
