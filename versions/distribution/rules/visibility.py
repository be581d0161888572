"""Rules about what is seen: policies of row security, and views."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.distribution.finding import (
    CLUSTER,
    LIMITS,
    SOURCE,
    Draft,
    error,
    note,
    rule,
    warning,
)
from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.distribution.plan import Policy, Table, View

_SETTING: Final = re.compile(r"current_setting\('((?:[^']|'')+)'")
# As the server writes it: the whole call in parentheses, and a cast that the empty text does not survive.
_BARE_CAST: Final = re.compile(r"\(current_setting\('((?:[^']|'')+)'[^()]*\)\)::(?!text\b)")
_PROPAGATE: Final = "SET LOCAL citus.propagate_set_commands = 'local';"


@rule(
    "CIT017",
    citus="refuses a policy that holds a subquery, and the table that has one",
    see=f"{SOURCE}/commands/policy.c",
)
def ban_subquery_in_policy(layout: Layout) -> Iterator[Draft]:
    """A policy asks the row and the session, no other table."""
    for table, policy in _policies(layout):
        if policy.subquery:
            yield error(
                table.qualified,
                f'policy "{policy.name}" holds a subquery',
                "keep in a column of the row what it looks up: "
                f"DROP POLICY {policy.quoted} ON {table.qualified};",
                of=("policy", policy.name),
            )


@rule(
    "CIT018",
    citus="tells a worker of SET LOCAL alone, and only with citus.propagate_set_commands = 'local'",
    see=CLUSTER,
)
def require_propagated_settings(layout: Layout) -> Iterator[Draft]:
    """A setting that a policy asks is sent to the workers, and may be empty there."""
    for table in layout.of_kind("distributed", "reference"):
        settings = sorted({name for policy in table.policies for name in _SETTING.findall(policy.expression)})
        if settings:
            said = " ".join(f"SET LOCAL {name} = '…';" for name in settings)
            yield warning(
                table.qualified,
                f"its policies ask {', '.join(settings)}, which a worker does not know, and so show no row",
                f"in every transaction, before anything else: {_PROPAGATE} {said}",
            )
    for table, policy in _policies(layout):
        for name in sorted(set(_BARE_CAST.findall(policy.expression))):
            problem = f'policy "{policy.name}" casts {name}, which is empty on a connection that is reused'
            hint = f"ask NULLIF(current_setting('{name}', true), '') instead"
            yield warning(table.qualified, problem, hint, of=("policy", policy.name))


def _policies(layout: Layout) -> Iterator[tuple[Table, Policy]]:
    tables = layout.of_kind("distributed", "reference")
    return ((table, policy) for table in tables for policy in table.policies)


@rule(
    "CIT022",
    citus="joins freely only within a group on distribution columns, and sends a local table to the "
    "workers for each query",
    see=LIMITS,
)
def prefer_views_of_one_group(layout: Layout) -> Iterator[Draft]:
    """A view reads tables that are together, and reference tables; a materialized one is not distributed."""
    for view in layout.catalogue.views:
        groups, local = _read_by(layout, view)
        of = ("view", view.qualified)
        if len(groups) > 1:
            problem = f"joins tables that are apart: {', '.join(groups)}"
            yield warning(view.qualified, problem, "split it, or put them together in the map", of=of)
        if groups and local:
            problem = f"joins {', '.join(local)}, local, to what is distributed"
            yield warning(view.qualified, problem, f"say in the map: {local[0]} reference", of=of)
        if groups and view.materialized:
            problem = "is materialized, and all of it stays on the coordinator"
            yield note(view.qualified, problem, "if it is large, make it a table and distribute that", of=of)


def _read_by(layout: Layout, view: View) -> tuple[list[str], list[str]]:
    """Return the leaders of the groups that *view* reads, and the local tables."""
    tables = [table for name in view.tables if (table := layout.catalogue.table(name)) is not None]
    kinds = [(table, place.kind) for table in tables if (place := layout.place(table)) is not None]
    groups = sorted({layout.leader(table) for table, kind in kinds if kind == "distributed"})
    return groups, sorted(table.qualified for table, kind in kinds if kind == "local")
