"""Write a plan as text, JSON or Markdown. Pure: a plan in, a string out, which ends with a newline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.measurement import Lock, Measurement, Verdict
from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.runner.plan.value import Plan, Planned

_HEADINGS: Final = ("where", "verdict", "keeps away", "lock", "work", "rows", "WAL", "time")
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_NOT_EXECUTED: Final = "not executed"
_HIDDEN: Final = (
    "A lock that an earlier of the revisions still holds is not seen being taken again: where it matters the "
    'verdict bears a "?" and is the worst it can be. On a clone (--shadow) each revision is seen by itself.'
)
_MOST: Final = 160


def text(plan: Plan) -> str:
    """Write a table of what matters, each statement below its line, and a summary."""
    shown = [one for one in plan.statements if _matters(one)]
    rows = [_HEADINGS, *map(_cells, shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    blocks = [f"{line}\n    {_cut(one.statement)}" for line, one in zip(lines[1:], shown, strict=True)]
    table = [lines[0], *blocks] if shown else []
    return "\n".join([*table, *_notes(plan)]) + "\n"


def markdown(plan: Plan) -> str:
    """Write the same for a pull request."""
    shown = [one for one in plan.statements if _matters(one)]
    lines = ["| " + " | ".join((*_HEADINGS, "statement")) + " |", "|" + "---|" * (len(_HEADINGS) + 1)]
    lines += [
        "| " + " | ".join((*map(_cell, _cells(one)), _pipes(_code(_cut(one.statement))))) + " |"
        for one in shown
    ]
    table = [*lines, ""] if shown else []
    return "\n".join([*table, *(f"{note}  " for note in _notes(plan))]).rstrip() + "\n"


def as_json(plan: Plan) -> str:
    """Write one object with every statement, all its locks and the summary."""
    shown = {
        "where": plan.where.value,
        "verdicts": dict(plan.verdicts),
        "revisions": list(plan.revisions),
        "certain": not plan.hides_locks,
        "statements": [_statement(one) for one in plan.statements],
        "sequences": [asdict(moved) for moved in plan.moved],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


FORMATS: Final[Mapping[str, Callable[[Plan], str]]] = MappingProxyType(
    {"text": text, "json": as_json, "markdown": markdown}
)


def _cut(statement: str) -> str:
    shown = visible(statement)
    return shown if len(shown) <= _MOST else shown[: _MOST - 1] + "…"


def _matters(one: Planned) -> bool:
    """Tell whether to show the statement: it keeps others away, changes rows or was left out."""
    return one.measurement is None or one.verdict is not Verdict.NONE or bool(one.measurement.rows)


def _cells(one: Planned) -> tuple[str, ...]:
    place = f"{one.path}:{one.line}"
    if one.measurement is None:
        return (place, _NOT_EXECUTED, *("" for _ in _HEADINGS[2:]))
    found = one.measurement
    return (
        place,
        found.verdict.value + ("?" if found.unclear else ""),
        found.blocks or "nobody",
        visible(_lock(found)),
        visible(_work(found)),
        "" if found.rows is None else str(found.rows),
        _bytes(found.wal_bytes),
        f"{found.duration_ms:.1f} ms",
    )


def _lock(found: Measurement) -> str:
    """Return the strongest lock that keeps others away, and how many more there are."""
    blocking = [lock for lock in (*found.locks, *found.unclear) if lock.blocks]
    if not blocking and found.verdict is not Verdict.NONE:
        blocking = [lock for lock in found.held if lock.blocks]
        return f"{blocking[0]}, held already{_more(len(blocking) - 1)}"
    return f"{blocking[0]}{_more(len(blocking) - 1)}" if blocking else ""


def _work(found: Measurement) -> str:
    work = [str(one) for one in found.work if not one.fresh]
    return f"{work[0]}{_more(len(work) - 1)}" if work else ""


def _more(count: int) -> str:
    return f" +{count}" if count else ""


def _bytes(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1_000 and unit < len(_UNITS) - 1:
        size, unit = size / 1_000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def _notes(plan: Plan) -> Iterator[str]:
    """Yield the summary, and what has to be known beside it."""
    if not plan.statements:
        yield "no statement is pending"
        return
    hidden = sum(not _matters(one) for one in plan.statements)
    if hidden:
        yield f"{hidden} more keep nobody away"
    if plan.hides_locks:
        yield _HIDDEN
    if plan.verdicts[_NOT_EXECUTED]:
        yield "What cannot run in a transaction was not executed; on a clone (--shadow) it is."
    for moved in plan.moved:
        moves = f"from {_number(moved.before)} to {_number(moved.after)}"
        yield f"sequence {visible(moved.sequence)} moved {moves} meanwhile, which no rollback takes back"
    counted = ", ".join(f"{count} {name}" for name, count in plan.verdicts.items() if count)
    yield f"{_count(plan.revisions, 'revision')}, {_count(plan.statements, 'statement')}: {counted}"
    yield f"{plan.where.value}"


def _count(things: tuple[object, ...], noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"


def _number(value: int | None) -> str:
    return "its start" if value is None else str(value)


def _cell(value: str) -> str:
    """Return what a name may hold as nothing but text."""
    return _pipes(re.sub(r"([\\`*<>\[\]])", r"\\\1", value))


def _pipes(value: str) -> str:
    return value.replace("|", "\\|")


def _code(statement: str) -> str:
    """Return the statement as code, in a fence that is longer than any in it."""
    fence = "`"
    while fence in statement:
        fence += "`"
    padding = " " if len(fence) > 1 else ""
    return f"{fence}{padding}{statement}{padding}{fence}"


def _statement(one: Planned) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "path": one.path,
        "line": one.line,
        "revision": one.revision,
        "statement": one.statement,
        "executed": one.measurement is not None,
    }
    if one.measurement is not None:
        shown |= _measured(one.measurement)
    return shown


def _measured(found: Measurement) -> dict[str, Any]:
    return {
        "verdict": found.verdict.value,
        "keeps_away": found.blocks or None,
        "certain": not found.unclear,
        "locks": [_taken(lock) for lock in found.locks],
        "held": [_taken(lock) for lock in found.held if lock.blocks],
        "unclear": [_taken(lock) for lock in found.unclear],
        "work": [
            {"kind": work.kind, "relation": work.relation, "rows_read": work.rows, "new": work.fresh}
            for work in found.work
        ],
        "rows": found.rows,
        "wal_bytes": found.wal_bytes,
        "duration_ms": round(found.duration_ms, 3),
    }


def _taken(lock: Lock) -> dict[str, Any]:
    return {"relation": lock.relation, "mode": lock.mode, "new": lock.fresh}
