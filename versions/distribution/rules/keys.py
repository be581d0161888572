"""Rules about keys: what is unique is so within a shard, and only there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.distribution.finding import (
    DDL,
    FUNCTIONS,
    Draft,
    error,
    rule,
    warning,
)
from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.distribution.plan import Column, Key, Table

_REFUSED: Final = (
    "checks a key or an exclusion within a shard, and refuses one without the distribution column "
    "(with = in an exclusion)"
)


@rule("CIT003", citus=_REFUSED, see=DDL)
def require_column_in_primary_key(layout: Layout) -> Iterator[Draft]:
    """The primary key holds the distribution column."""
    for table, column in layout.distributed():
        key = table.primary_key
        if key is not None and column.name not in key.columns:
            wider = table.written([column.name, *(name for name in key.columns if name)])
            alter = f"ALTER TABLE {table.qualified}"
            yield error(
                table.qualified,
                f'primary key "{key.name}" leaves out distribution column "{column.name}"',
                f"{_first(layout, table)}{alter} DROP CONSTRAINT {key.quoted}; "
                f"{alter} ADD CONSTRAINT {key.quoted} PRIMARY KEY ({wider});",
                of=(key.kind, key.name),
            )


def _first(layout: Layout, table: Table) -> str:
    """Say which foreign keys stand in the way of dropping the key of *table*."""
    pointing = [
        key.name
        for other in layout.catalogue.tables
        for key in other.foreign_keys
        if key.target == table.qualified
    ]
    return f"first widen what points at it, {', '.join(pointing)}; then " if pointing else ""


@rule("CIT004", citus=_REFUSED, see=DDL)
def ban_uniqueness_across_shards(layout: Layout) -> Iterator[Draft]:
    """What is unique, or excludes, does so together with the distribution column."""
    for table, column in layout.distributed():
        for key in table.keys:
            if key.kind != "primary key" and column.name not in key.columns:
                yield _across(table, column, key)


def _across(table: Table, column: Column, key: Key) -> Draft:
    problem = f'{key.kind} "{key.name}" leaves out distribution column "{column.name}"'
    of = (key.kind, key.name)
    if column.name in key.included:
        # Citus counts a column that an index only carries along, and keeps the others unique in each shard.
        problem = f"{problem}, but for carrying it along, and so holds within a shard only"
        return warning(table.qualified, problem, _elsewhere(table, column, key), of=of)
    return error(table.qualified, problem, _elsewhere(table, column, key), of=of)


def _elsewhere(table: Table, column: Column, key: Key) -> str:
    drop = f"ALTER TABLE {table.qualified} DROP CONSTRAINT {key.quoted};"
    if key.kind == "unique index":
        drop = f"DROP INDEX {table.quoted_schema}.{key.quoted};"
    if key.kind == "exclusion constraint":
        return f"{drop} add it again with {column.quoted} WITH = as its first element"
    lookup = _lookup(table, column, key)
    return f"keep it in a table of its own, written in the same transaction: {lookup} {drop}"


def _lookup(table: Table, column: Column, key: Key) -> str:
    """Return the SQL of a table that is distributed by what has to be unique."""
    unique = [
        (one.name, one.quoted, one.type) for name in key.columns if name and (one := table.column(name))
    ]
    if len(unique) < len(key.columns):
        unique = [("key", "key", "text")]
    name = "_".join([table.name, *(one[0] for one in unique)])[:56]
    lookup = f"{table.quoted_schema}.{_quoted(f'{name}_lookup')}"
    first = _literal(unique[0][0])
    columns = ", ".join(f"{quoted} {of_type} NOT NULL" for _, quoted, of_type in unique)
    return (
        f"CREATE TABLE {lookup} ({columns}, {column.quoted} {column.type} NOT NULL, "
        f"PRIMARY KEY ({', '.join(quoted for _, quoted, _ in unique)})); "
        f"SELECT create_distributed_table({_literal(lookup)}, {first}, colocate_with => 'none');"
    )


def _quoted(name: str) -> str:
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None
    return name if plain else '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@rule(
    "CIT026",
    citus="moves its shards under block_writes alone: replication has to tell its rows apart",
    see=FUNCTIONS,
)
def require_replica_identity(layout: Layout) -> Iterator[Draft]:
    """A table has a primary key or a replica identity, so that its shards can move while it is written."""
    for table in layout.of_kind("distributed", "reference"):
        if not table.replica_identity and table.partitioning is None:
            yield warning(
                table.qualified,
                "has no primary key and no replica identity",
                f"ALTER TABLE {table.qualified} ADD PRIMARY KEY (…), or else "
                f"ALTER TABLE {table.qualified} REPLICA IDENTITY FULL;",
            )
