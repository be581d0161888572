"""Decide in which order a schema would be distributed: what goes, what is converted, what comes back. Pure.

A foreign key between the tables makes Citus convert them together and then refuse the next one, so all of
them are dropped first and added again at the end, when both tables are where they belong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.distribution.finding import Finding, Report
from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.distribution.plan import ForeignKey, Key, Policy, Table
from spotify_ai_agent_migrations.versions.governance.finding import visible

_LEFT: Final = (
    "the coordinator keeps the rows on its disk, unseen, until truncate_local_data_after_distributing_table",
)
_UNIQUE: Final = ("unique constraint", "unique index", "exclusion constraint")


@dataclass(frozen=True)
class Step:
    """One statement: its name among the queries, and what stands in it, each as SQL wants it written."""

    statement: str
    table: str = ""
    name: str = ""
    schema: str = ""
    definition: str = ""
    column: str = ""
    group: str = ""
    comment: str = ""


_FIRST: Final = (Step("step_coordinator"), Step("step_patience"))


@dataclass(frozen=True)
class Section:
    """Steps of one kind, under a title, with what there is to say about them."""

    title: str
    steps: tuple[Step, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The sections in order, and the findings of error level that no statement of them mends."""

    sections: tuple[Section, ...]
    unmended: tuple[Finding, ...]


def make_plan(layout: Layout, report: Report) -> Plan:
    """Return the steps that would distribute *layout*, given what the rules found."""
    refused = {
        (found.table, found.kind, found.name) for found in report.findings if found.severity == "error"
    }
    links = [
        (table, key, _is(refused, table, "foreign key", key.name)) for table, key in _foreign_keys(layout)
    ]
    kept = [(table, key) for table, key, lost in links if not lost]
    lost = [(table, key) for table, key, lost in links if lost]
    unmended = tuple(
        found for found in report.findings if found.severity == "error" and not _mends(layout, found)
    )
    sections = (
        Section("Stop where Citus is not, and wait for no lock for long", _FIRST, _remarks(layout, unmended)),
        Section("Foreign keys go, all of them; until 7 nothing checks them", tuple(_drops(layout))),
        _removed(tuple(_removals(layout, refused))),
        Section("Reference tables, on every node", tuple(_references(layout))),
        Section("Distributed tables, those that lead a group first", tuple(_distributions(layout)), _LEFT),
        Section(
            "Foreign keys come back, unchecked",
            tuple(step for table, key in kept for step in _addition(table, key)),
            tuple(f"{key.name} of {table.qualified} does not: Citus would refuse it" for table, key in lost),
        ),
        Section("and are checked", tuple(_validations(kept))),
    )
    return Plan(sections, unmended)


def _is(refused: set[tuple[str, str, str | None]], table: Table, kind: str, name: str) -> bool:
    return (visible(table.qualified), kind, visible(name)) in refused


def _mends(layout: Layout, found: Finding) -> bool:
    """Tell whether the plan drops what *found* is about; not a restrictive policy, which hides rows."""
    if found.kind == "policy":
        return any(
            policy.permissive
            for table in layout.catalogue.tables
            for policy in table.policies
            if (visible(table.qualified), visible(policy.name)) == (found.table, found.name)
        )
    return found.code == "CIT013" or found.kind in {"foreign key", "trigger", *_UNIQUE}


def _remarks(layout: Layout, unmended: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return what is to be known before the first statement."""
    counts = ", ".join(
        f"{sum(table.root is None for table in layout.of_kind(kind))} {kind}"
        for kind in ("reference", "distributed", "local")
    )
    return (
        f"{counts} tables. On the coordinator, as the owner, while nothing writes: psql -v ON_ERROR_STOP=1",
        "the workers know of lock_timeout by ALTER DATABASE … SET lock_timeout alone",
        *(f"BEFORE: {found.code} {found.table}: {found.problem}" for found in unmended),
    )


def _removed(steps: tuple[Step, ...]) -> Section:
    """Return the section of *steps*, with how many things of which kind it takes away."""
    kinds = {"step_drop_trigger": "triggers", "step_drop_policy": "policies"}
    count = Counter(
        kinds.get(step.statement, "unique keys") for step in steps if step.statement != "step_create_index"
    )
    said = ", ".join(
        f"{count[kind]} {kind}" for kind in ("triggers", "policies", "unique keys") if count[kind]
    )
    remark = f"{said}: `agentdb distribution lint` says what has to take their place first"
    return Section("What Citus refuses goes for good", steps, (remark,) if steps else ())


def _foreign_keys(layout: Layout) -> list[tuple[Table, ForeignKey]]:
    """Return the foreign keys that have a table of Citus at either end."""
    citus = {table.qualified for table in layout.of_kind("reference", "distributed")}
    return [
        (table, key)
        for table in layout.catalogue.tables
        for key in table.foreign_keys
        if table.qualified in citus or key.target in citus
    ]


def _drops(layout: Layout) -> Iterator[Step]:
    for table, key in _foreign_keys(layout):
        yield Step("step_drop_foreign_key", table.qualified, key.quoted)


def _removals(layout: Layout, refused: set[tuple[str, str, str | None]]) -> Iterator[Step]:
    for table in layout.of_kind("reference", "distributed"):
        for trigger in table.triggers:
            yield Step("step_drop_trigger", table.qualified, trigger.quoted)
        for policy in table.policies:
            if _goes(policy):
                yield Step("step_drop_policy", table.qualified, policy.quoted)
        for key in table.keys:
            if key.kind in _UNIQUE and _is(refused, table, key.kind, key.name):
                yield from _plain(table, key)


def _goes(policy: Policy) -> bool:
    return policy.subquery and policy.permissive


def _plain(table: Table, key: Key) -> Iterator[Step]:
    """Yield the steps that leave of a unique index what reading needs: the index."""
    if key.kind == "unique index":
        yield Step("step_drop_index", table.qualified, key.quoted, table.quoted_schema)
    else:
        yield Step("step_drop_constraint", table.qualified, key.quoted)
    plain = key.index.replace("CREATE UNIQUE INDEX", "CREATE INDEX", 1).replace(" ON ONLY ", " ON ", 1)
    yield Step("step_create_index", table.qualified, definition=plain)


def _references(layout: Layout) -> Iterator[Step]:
    for table in layout.of_kind("reference"):
        if table.root is None:
            yield Step("step_reference", table.qualified)


def _distributions(layout: Layout) -> Iterator[Step]:
    tables = [(table, column) for table, column in layout.distributed() if table.root is None]
    for table, column in sorted(tables, key=lambda pair: layout.leader(pair[0]) != pair[0].qualified):
        leader = layout.leader(table)
        group = "none" if leader == table.qualified else leader
        yield Step("step_distribute", table.qualified, column=column.name, group=group)


def _addition(table: Table, key: ForeignKey) -> Iterator[Step]:
    """Yield the steps that add *key* again; on a partitioned table PostgreSQL 15 checks it at once."""
    later = key.validated and table.partitioning is None
    definition = f"{key.definition} NOT VALID" if later else key.definition
    yield Step("step_add_foreign_key", table.qualified, key.quoted, definition=definition)
    if key.comment is not None:
        yield Step("step_comment", table.qualified, key.quoted, comment=key.comment)


def _validations(kept: list[tuple[Table, ForeignKey]]) -> Iterator[Step]:
    for table, key in kept:
        if key.validated and table.partitioning is None:
            yield Step("step_validate", table.qualified, key.quoted)
