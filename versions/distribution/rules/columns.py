"""Rules about where a table lives, its distribution column, and what numbers its columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.distribution.finding import (
    DDL,
    FUNCTIONS,
    LIMITS,
    SOURCE,
    Draft,
    error,
    note,
    rule,
    warning,
)
from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.distribution.plan import Column, ForeignKey, Sequence, Table
from spotify_ai_agent_migrations.versions.distribution.source import without_comments

# What the node answers that happens to plan the statement.
_OF_ONE_NODE: Final = re.compile(
    r"\b(pg_current_xact_id|txid_current|pg_current_snapshot|pg_backend_pid|inet_server_addr|inet_server_port"
    r"|pg_current_wal_lsn|pg_postmaster_start_time)\("
)


@rule(
    "CIT001",
    citus="keeps on the coordinator alone every table that it is told nothing about",
    see=FUNCTIONS,
)
def require_place(layout: Layout) -> Iterator[Draft]:
    """Every table is distributed, a reference table or local."""
    for table in layout.undecided():
        subject = table.column(layout.subject)
        if table.root is None and subject is not None:
            yield error(
                table.qualified,
                f'nothing says where it lives: column "{subject.name}" is not in its primary key',
                f"make the key PRIMARY KEY ({subject.quoted}, …), or say in the map: "
                f"{table.qualified} reference, {table.qualified} local or {table.qualified} distributed by …",
            )


@rule(
    "CIT002",
    citus="refuses a distribution column that is generated, has no hash function or a nondeterministic "
    "collation, and later every row where it is NULL",
    see=DDL,
)
def require_distributable_column(layout: Layout) -> Iterator[Draft]:
    """The distribution column exists, is hashed, is not generated and never NULL."""
    for table in layout.roots("distributed"):
        column = layout.distribution_column(table)
        if column is not None:
            yield from _unfit(table, column)
        elif (place := layout.place(table)) is not None:
            known = ", ".join(f'"{one.name}"' for one in table.columns)
            hint = f"name another in the map: the table has {known}"
            yield _of_column(table, place.column or "", "does not exist", hint)


def _unfit(table: Table, column: Column) -> Iterator[Draft]:
    another = f"name another column in the map: {table.qualified} distributed by …"
    alter = f"ALTER TABLE {table.qualified} ALTER COLUMN {column.quoted}"
    if not column.hashable:
        problem = f"is of type {column.type}, which has no hash function"
        yield _of_column(table, column.name, problem, another)
    if not column.deterministic:
        yield _of_column(table, column.name, "has a collation that is not deterministic", another)
    if column.generated:
        yield _of_column(table, column.name, "is generated", f"{alter} DROP EXPRESSION;")
    if not column.not_null:
        problem = f'distribution column "{column.name}" may be NULL, and a row without it is refused'
        yield warning(table.qualified, problem, f"{alter} SET NOT NULL;", of=("column", column.name))


def _of_column(table: Table, column: str, problem: str, hint: str) -> Draft:
    return error(table.qualified, f'distribution column "{column}" {problem}', hint, of=("column", column))


@rule(
    "CIT005",
    citus="refuses whatever changes a row's distribution column: the row may then belong to another shard",
    see=DDL,
)
def ban_changing_distribution_column(layout: Layout) -> Iterator[Draft]:
    """Nothing changes the distribution column of a row."""
    for table, column in layout.distributed():
        yield from (_updating(table, column, key) for key in table.foreign_keys if _updates(key, column))
        for trigger in table.triggers:
            if _writes(trigger.source, column):
                yield error(
                    table.qualified,
                    f'trigger "{trigger.name}" writes distribution column "{column.name}"',
                    f"take the assignment to NEW.{column.quoted} out of {trigger.function}",
                    of=("trigger", trigger.name),
                )


def _updates(key: ForeignKey, column: Column) -> bool:
    return column.name in key.columns and key.on_update not in {"NO ACTION", "RESTRICT"}


def _updating(table: Table, column: Column, key: ForeignKey) -> Draft:
    kept = key.definition.replace(f" ON UPDATE {key.on_update}", "", 1)
    return error(
        table.qualified,
        f'foreign key "{key.name}" changes distribution column "{column.name}" on update',
        f"ALTER TABLE {table.qualified} DROP CONSTRAINT {key.quoted}; "
        f"ALTER TABLE {table.qualified} ADD CONSTRAINT {key.quoted} {kept};",
        of=("foreign key", key.name),
    )


def _writes(source: str, column: Column) -> bool:
    """Tell whether PL/pgSQL assigns to the column of the new row."""
    row = rf"NEW\.{re.escape(column.quoted)}"
    assigned = rf"\b{row}\s*:=|(?:^|;|\b(?:BEGIN|THEN|ELSE|LOOP|INTO))\s*{row}\s*(?:=|;|,|\bFROM\b)"
    return re.search(assigned, without_comments(source), re.IGNORECASE) is not None


@rule(
    "CIT006",
    citus="refuses colocate_with a table whose distribution column is of another type",
    see=DDL,
)
def require_same_type(layout: Layout) -> Iterator[Draft]:
    """Tables that are together are distributed by columns of one type."""
    for table in layout.roots("distributed"):
        column, leader = layout.distribution_column(table), layout.catalogue.table(layout.leader(table))
        other = layout.distribution_column(leader) if leader is not None else None
        if column is None or leader is None or other is None or column.type == other.type:
            continue
        alter = f"ALTER TABLE {table.qualified} ALTER COLUMN {column.quoted} TYPE {other.type};"
        theirs = f'"{other.name}" of {leader.qualified} is {other.type}'
        yield error(
            table.qualified,
            f'distribution column "{column.name}" is {column.type}, and {theirs}',
            f"before it is distributed: {alter}",
            of=("column", column.name),
        )


@rule(
    "CIT007",
    citus="converts the table once, and refuses it in undistribute_table and alter_distributed_table",
    see=FUNCTIONS,
)
def ban_identity(layout: Layout) -> Iterator[Draft]:
    """A default of a sequence numbers a column, not IDENTITY: such a table is never altered again."""
    for table, column in _columns(layout):
        if column.identity and column.sequence is not None:
            yield warning(
                table.qualified,
                f'column "{column.name}" is an identity column',
                _to_sequence(table, column, column.sequence.qualified),
                of=("column", column.name),
            )


def _to_sequence(table: Table, column: Column, sequence: str) -> str:
    literal = sequence.replace("'", "''")
    alter = f"ALTER TABLE {table.qualified} ALTER COLUMN {column.quoted}"
    create = f"CREATE SEQUENCE {sequence} OWNED BY {table.qualified}.{column.quoted};"
    # Shown, and never executed.
    move = f"SELECT setval('{literal}', max({column.quoted})) FROM {table.qualified};"  # noqa: S608
    return f"{alter} DROP IDENTITY; {create} {move} {alter} SET DEFAULT nextval('{literal}');"


@rule(
    "CIT008",
    citus="fails at nextval on a worker where the column is smaller than bigint, and refuses one sequence "
    "for two types",
    see=LIMITS,
)
def require_bigint_sequence(layout: Layout) -> Iterator[Draft]:
    """What a sequence numbers is bigint, and so is the sequence; one sequence numbers one type."""
    users: dict[Sequence, list[tuple[Table, Column]]] = {}
    for table, column in _columns(layout):
        if column.sequence is not None and not column.identity:
            users.setdefault(column.sequence, []).append((table, column))
            yield from _small(table, column, column.sequence)
    for sequence, numbered in users.items():
        if len({column.type for _, column in numbered}) > 1:
            listed = ", ".join(
                f"{table.qualified}.{column.quoted} {column.type}" for table, column in numbered
            )
            problem = f"sequence {sequence.qualified} numbers columns of different types: {listed}"
            hint = "give each column a sequence of its own"
            yield error(numbered[0][0].qualified, problem, hint, of=("sequence", sequence.qualified))


def _small(table: Table, column: Column, sequence: Sequence) -> Iterator[Draft]:
    alter = f"ALTER SEQUENCE {sequence.qualified} AS bigint;"
    of = ("column", column.name)
    if column.type in {"smallint", "integer"}:
        problem = f'column "{column.name}" is {column.type}, and no worker can number it'
        widen = f"ALTER TABLE {table.qualified} ALTER COLUMN {column.quoted} TYPE bigint;"
        yield warning(table.qualified, problem, f"{widen} {alter}", of=of)
    elif column.type == "bigint" and sequence.type != "bigint":
        problem = f'column "{column.name}" is bigint, and its sequence ends where {sequence.type} does'
        yield note(table.qualified, problem, alter, of=of)


@rule(
    "CIT025",
    citus="computes the defaults of an INSERT on the node that plans it",
    see=f"{SOURCE}/planner",
)
def ban_default_of_one_node(layout: Layout) -> Iterator[Draft]:
    """No default is a number that means something on one node only."""
    for table, column in _columns(layout):
        found = _OF_ONE_NODE.search(column.default or "")
        if found is not None:
            yield note(
                table.qualified,
                f'the default of column "{column.name}", {found[1]}(), differs from node to node',
                "insert through the coordinator alone, or order rows by something else",
                of=("column", column.name),
            )


def _columns(layout: Layout) -> Iterator[tuple[Table, Column]]:
    """Yield the columns that are on more than one node; those of a partition are its root's."""
    return ((table, column) for table in layout.roots("distributed", "reference") for column in table.columns)
