"""Write the checks down as rows of `ops.health_checks`, for functions that ask them in SQL. No database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from psycopg2.extensions import adapt

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Check

SQL: Final = queries("spotify_ai_agent_migrations.versions.health_check")
# What only a client knows: which revisions it was built with.
_OUTSIDE: Final = frozenset({"head", "heads", "known"})
# What may read all of a table: nothing bounds a part of a statement.
_LONG: Final = frozenset({"app.retention_overdue"})
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")


def published() -> str:
    """Return a script that makes `ops.health_checks` hold the checks of this build, and no other.

    A check that reads data for long is not among them, nor one that asks what only a client knows, or looks
    at anything beside the server.
    """
    return SQL["publish"] % {"checks": json.dumps(list(_rows()), indent=0)}


def is_published(check: Check) -> bool:
    """Tell whether *check* can be asked in SQL alone, and in the time that somebody waits for a view."""
    if check.deep or check.extension or check.told or check.id in _LONG:
        return False
    if not check.is_plain or check.statement not in SQL:
        return False
    told = {"warning", "critical", *check.settings} - _OUTSIDE
    return {*_PARAMETER.findall(SQL[check.statement])} <= told


def _rows() -> Iterator[Mapping[str, Any]]:
    for check in filter(is_published, CHECKS):
        if check.renamed:
            yield _row(check, check.statement + "_older", since=check.since)
        yield _row(check, check.statement, since=max(check.since, check.renamed))


def _row(check: Check, statement: str, *, since: int) -> Mapping[str, Any]:
    return {
        "check_id": check.id, "since": since, "title": check.title, "why": check.why,
        "summary": check.summary,
        "statement": _asked(check, SQL[statement]), "warning": check.warning, "critical": check.critical,
        "unit": check.unit, "falling": check.falling, "on_primary": "primary" in check.roles,
        "on_standby": "standby" in check.roles, "watching": check.watching, "probed": check.probed,
        "most_s": check.most_s, "needs": check.needs, "table_name": check.table,
    }  # fmt: skip


def _asked(check: Check, statement: str) -> str:
    """Return the statement with its settings in it, and `$1` and `$2` in place of its limits."""
    settings = {name: adapt(value).getquoted().decode() for name, value in check.settings.items()}
    # On a line of its own, what follows is not part of a comment at the end.
    return statement.rstrip().rstrip(";") % {**settings, "warning": "$1", "critical": "$2"} + "\n"
