"""Ask the server which tables a query reads from one end to the other, however many rows they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.sql import queries, without_literals

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")
_PLANNED: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE")


def read_as_a_whole(statement: str, connection: Connection) -> frozenset[tuple[str, str]]:
    """Return the tables, by schema and name, that *statement* reads as a whole; none if it has no plan.

    The planner is kept from reading a small table as a whole where an index would do: with more rows it would
    not either. Executes nothing, and leaves the open transaction and its locks as they are.
    """
    if not without_literals(statement).upper().startswith(_PLANNED):
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(_SQL["begin_planning"])
        try:
            cursor.execute(SQL(_SQL["plan_of"]).format(statement=SQL(statement)))
            found = cursor.fetchone()
        except psycopg2.Error:
            # It is executed next, and then says itself what is wrong with it.
            found = None
        cursor.execute(_SQL["end_planning"])
    return frozenset(_whole(found[0][0]["Plan"])) if found else frozenset()


def _whole(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the tables that this node of a plan, or one below it, reads without looking anything up."""
    looks_up = "Index Cond" in node or "TID Cond" in node
    if "Relation Name" in node and "Scan" in node["Node Type"] and not looks_up:
        below = node.get("Plans", [])
        # The index of a bitmap has a node of its own.
        if not any("Index Cond" in one for one in _nodes(below)):
            yield node["Schema"], node["Relation Name"]
    for child in node.get("Plans", []):
        yield from _whole(child)


def _nodes(plans: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for plan in plans:
        yield plan
        yield from _nodes(plan.get("Plans", []))
