"""Rules about how a table is made: triggers, partitions, inheritance, rewrite rules, logging."""

from __future__ import annotations

from collections.abc import Iterator

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
from spotify_ai_agent_migrations.versions.distribution.plan import Table


@rule(
    "CIT013",
    citus="refuses the table while a trigger stands on it",
    see=f"{SOURCE}/commands/create_distributed_table.c",
)
def ban_trigger(layout: Layout) -> Iterator[Draft]:
    """No trigger stands on a distributed or a reference table."""
    for table in layout.of_kind("distributed", "reference"):
        if table.triggers:
            drops = " ".join(f"DROP TRIGGER {one.quoted} ON {table.qualified};" for one in table.triggers)
            yield error(
                table.qualified,
                f"has triggers: {', '.join(one.name for one in table.triggers)}",
                f"whoever writes the table does in the same transaction what they did: {drops}",
            )


@rule(
    "CIT014",
    citus="refuses a partition that has partitions of its own",
    see=LIMITS,
)
def ban_multilevel_partitioning(layout: Layout) -> Iterator[Draft]:
    """A partition is not partitioned again."""
    for table in layout.of_kind("distributed", "reference"):
        if table.partitioning is not None and table.root is not None:
            yield error(
                table.qualified,
                f"is a partition of {table.root}, and partitioned itself",
                f"attach its own partitions to {table.root} instead: its distribution splits them already",
            )


@rule(
    "CIT015",
    citus="refuses partitions in a reference table, and takes them in a distributed one",
    see=DDL,
)
def ban_partitioned_reference_table(layout: Layout) -> Iterator[Draft]:
    """A reference table is not partitioned."""
    for table in layout.roots("reference"):
        if table.partitioning is not None:
            yield error(
                table.qualified,
                "is partitioned, and a reference table cannot be",
                f"say in the map: {table.qualified} distributed by {_of_key(table)}",
            )


def _of_key(table: Table) -> str:
    key = table.primary_key
    return table.written([key.columns[0]]) if key is not None and key.columns[0] else "…"


@rule(
    "CIT016",
    citus="makes partitions by ranges of time alone, with create_time_partitions",
    see=FUNCTIONS,
)
def prefer_range_partitions(layout: Layout) -> Iterator[Draft]:
    """A distributed table that is partitioned is so by RANGE, which Citus maintains."""
    for table in layout.roots("distributed"):
        if table.partitioning in {"LIST", "HASH"}:
            yield note(
                table.qualified,
                f"is partitioned by {table.partitioning}, and Citus maintains partitions by RANGE only",
                "go on creating and dropping its partitions yourself, on the coordinator",
            )


@rule(
    "CIT023",
    citus="refuses a table with a parent or with children, other than partitions",
    see=LIMITS,
)
def ban_inheritance(layout: Layout) -> Iterator[Draft]:
    """A table neither inherits from another nor is inherited from, but for partitions."""
    for table in layout.of_kind("distributed", "reference"):
        if table.inherits:
            yield error(
                table.qualified,
                "inherits from another table, or is inherited from",
                "make them partitions of one table, or tables of their own: ALTER TABLE … NO INHERIT …;",
            )


@rule(
    "CIT024",
    citus="leaves rewrite rules unsupported on its tables",
    see=LIMITS,
)
def ban_rewrite_rule(layout: Layout) -> Iterator[Draft]:
    """No rule rewrites what is done to a table."""
    for table in layout.of_kind("distributed", "reference"):
        if table.rewrite_rules:
            drops = " ".join(f"DROP RULE {name} ON {table.qualified};" for name in table.rewrite_rules)
            yield warning(
                table.qualified,
                f"has rules that rewrite statements: {', '.join(table.rewrite_rules)}",
                f"whoever writes the table says what they said: {drops}",
            )


@rule(
    "CIT027",
    citus="moves no shard of it by logical replication, which wants a logged table",
    see=FUNCTIONS,
)
def ban_unlogged(layout: Layout) -> Iterator[Draft]:
    """A table is logged: else a crash empties the shards of a node, and none moves while it is written."""
    for table in layout.of_kind("distributed", "reference"):
        if table.unlogged:
            yield warning(
                table.qualified,
                "is unlogged: the crash of a node empties its share, and no shard moves while it is written",
                f"before it is distributed: ALTER TABLE {table.qualified} SET LOGGED;",
            )
