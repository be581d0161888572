"""Ask the server how it would find rows: by an index, or by reading a whole table. Reads no row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Texts, Work
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import source_of

# What a statement asks of holds and of what is sought is small, whoever is erased.
_SMALL: Final = frozenset({"legal_holds", "subject_sought", "erasure_secrets", "erasures"})
_SCANS: Final = frozenset({"Seq Scan", "Sample Scan", "Foreign Scan"})
_INDEXED: Final = frozenset({"Index Scan", "Index Only Scan", "Bitmap Index Scan"})


def by_index(cursor: Cursor, found: Sequence[Texts]) -> tuple[bool, ...]:
    """Tell of each whether its rows are found by indexes.

    It is asked with a number that is nobody's, for the server may keep the words of EXPLAIN.
    """
    if not found:
        return ()
    with _without_scans(cursor):
        plans = _plans(
            cursor, [SQL("SELECT FROM {} WHERE {}").format(one.source, one.known) for one in found]
        )
    return tuple(all(map(_is_indexed, _nodes(plan))) for plan in plans)


@contextmanager
def _without_scans(cursor: Cursor) -> Iterator[None]:
    """Let the server read a whole table only where nothing else is possible, in the block of a transaction.

    Where that fails, the setting goes with it.
    """
    cursor.execute("SET LOCAL enable_seqscan = off")
    yield
    cursor.execute("SET LOCAL enable_seqscan TO DEFAULT")


def _plans(cursor: Cursor, queries: Sequence[Composable]) -> Sequence[Mapping[str, Any]]:
    """Return how the server would answer each of *queries*, asked for all of them at once."""
    # Of a query that is fenced, the plan stays as it is, one for each below that of the whole.
    fenced = [SQL("(SELECT FROM ({} OFFSET 0) AS answer)").format(query) for query in queries]
    whole = _explained(cursor, SQL(" UNION ALL ").join(fenced))
    plans: Sequence[Mapping[str, Any]] = whole.get("Plans", ())
    if whole["Node Type"] == "Append" and len(plans) == len(queries) and not whole.get("Subplans Removed"):
        return plans
    return [_explained(cursor, query) for query in queries]


def table_rows(cursor: Cursor, work: Work) -> int:
    """Return how many rows the server thinks the whole table has."""
    plan = _explained(cursor, SQL("SELECT FROM {}").format(source_of(work.reach)))
    return int(plan["Plan Rows"])


def _explained(cursor: Cursor, statement: Composable) -> Mapping[str, Any]:
    cursor.execute(SQL("EXPLAIN (FORMAT JSON) {}").format(statement), {"subject": 0})
    ((found,),) = cursor.fetchall()
    plan: Mapping[str, Any] = found[0]["Plan"]
    return plan


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _is_indexed(node: Mapping[str, Any]) -> bool:
    kind = node["Node Type"]
    if node.get("Relation Name") in _SMALL or kind not in _SCANS | _INDEXED:
        return True
    return kind in _INDEXED and "Index Cond" in node
