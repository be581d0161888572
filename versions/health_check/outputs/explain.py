"""Write what a check asks, why, and from where on it is bad: a page of it, or one line. No database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import BOTH, Check
from spotify_ai_agent_migrations.versions.health_check.checks_history import HISTORY
from spotify_ai_agent_migrations.versions.health_check.outputs.costs import MEASURED_MS, OTHERS_MS
from spotify_ai_agent_migrations.versions.health_check.outputs.words import CHECK_OF, amount

_PACKAGE: Final = "spotify_ai_agent_migrations.versions.health_check"
_OLDEST: Final = 15
_PARAMETER: Final = re.compile(r"%(?:\((\w+)\)s|%)")


def page(name: str) -> str:
    """Return the page of the check *name*.

    Raises:
        SettingsError: there is none of that name.
    """
    if name not in CHECK_OF:
        near = get_close_matches(name, CHECK_OF, n=1)
        hint = f"did you mean {near[0]}?" if near else "`agentdb health-check --list` names them"
        raise SettingsError(f'there is no check "{name}"', hint=hint)
    check = CHECK_OF[name]
    lines = [f"{label + ':':<11}{told}" for label, told in _facts(check) if told]
    return "\n".join([f"{check.id}: {check.title}", "", *lines, "", *_statements(check)]) + "\n"


def listing(checks: Iterable[Check] = CHECKS) -> str:
    """Return a line for each check: its name, what it looks at, and its limits."""
    every = tuple(checks)
    width = max(len(check.id) for check in every)
    return "".join(f"{check.id:<{width}}  {check.title}{_short(check)}\n" for check in every)


def _facts(check: Check) -> Iterator[tuple[str, str]]:
    yield "Why", check.why
    yield "Says", check.summary
    yield "Limits", _limits(check)
    yield "Asked", _asked(check)
    yield "Needs", _needs(check)
    yield "Cost", _cost(check)


def _bounds(check: Check) -> str:
    limits = (("warning", check.warning), ("critical", check.critical))
    way = "down to" if check.falling else "from"
    return ", ".join(f"{name} {way} {amount(limit)}" for name, limit in limits if limit is not None)


def _limits(check: Check) -> str:
    if not (bounds := _bounds(check)):
        return "none: what it finds is bad, or worth knowing, as it says itself"
    return f"{bounds} {check.unit}".rstrip() + f"; others by --limit {check.id}=WARN,CRIT"


def _short(check: Check) -> str:
    told = [f"{_bounds(check)} {check.unit}".rstrip()] if _bounds(check) else []
    return f" ({'; '.join([*told, *(['--deep'] if check.deep else [])])})" if told or check.deep else ""


def _asked(check: Check) -> str:
    where = "primary and standby" if check.roles == BOTH else "".join(check.roles)
    since = max(_OLDEST, check.since // 10_000)
    parts = [_when(check), f"{where}, PostgreSQL {since} and later"]
    if only := f"table {check.table}" if check.table else check.extension and f"extension {check.extension}":
        parts.append(f"skipped where there is no {only}")
    return "; ".join(parts)


def _when(check: Check) -> str:
    """Return on which condition it is asked."""
    if check.wants:
        return f"only with {'--history' if check.wants == HISTORY else '--settings'}"
    if check.told:
        return f"only with --expect {check.id}.{check.told}=…"
    return f"only with --deep, or --only {check.id}" if check.deep else "always"


def _needs(check: Check) -> str:
    told = [check.needs, "GRANT pg_monitor TO the login" if check.watching else ""]
    return "; ".join(dict.fromkeys(filter(None, told))) or "no more than to connect"


def _cost(check: Check) -> str:
    if check.deep:
        return "reads the data, for as long as --deadline lets it"
    if check.probed and check.most_s is not None:
        return f"asks objects one by one, for {amount(check.most_s)} s at the most; what is left is unknown"
    return f"one statement; {_milliseconds(check)}"


def _milliseconds(check: Check) -> str:
    if check.id in MEASURED_MS:
        return f"some {MEASURED_MS[check.id]} ms on 4,000 tables and 12,000 indexes"
    return f"{OTHERS_MS} ms at the most, however many tables there are"


def _statements(check: Check) -> Iterator[str]:
    every = queries(_PACKAGE)
    if check.statement not in every:
        return
    yield _filled(check, every[check.statement])
    if check.renamed:
        yield f"\n-- below PostgreSQL {check.renamed // 10_000}"
        yield _filled(check, every[f"{check.statement}_older"])


def _filled(check: Check, statement: str) -> str:
    """Return *statement* with its parameters in it, so that a person can ask it."""
    known = {**check.settings, "warning": check.warning, "critical": check.critical, "connected_s": 0.0}
    literals = {name: _literal(value) for name, value in known.items()}
    literals["now"] = "extract(epoch FROM pg_catalog.clock_timestamp())"
    return _PARAMETER.sub(lambda found: literals[found[1]] if found[1] else "%", statement)


def _literal(value: object) -> str:
    """Return a number, a text of ours, or a list of such, as SQL writes it."""
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else str(value)
