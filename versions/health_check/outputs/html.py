"""Write a report as one page that needs nothing else: what is wrong, what room there is, how it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Final
from xml.etree.ElementTree import Element

from spotify_ai_agent_migrations.versions.governance.markup import element, page
from spotify_ai_agent_migrations.versions.health_check.finding import (
    Finding,
    HealthReport,
    Measured,
    Ran,
    State,
    Subject,
)
from spotify_ai_agent_migrations.versions.health_check.history import RUN, of_database
from spotify_ai_agent_migrations.versions.health_check.outputs import plots, words
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.numbers import axis, moment, shown
from spotify_ai_agent_migrations.versions.health_check.past import Past

# Nothing is fetched and nothing is run, whatever a name in the database is.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
_SUBJECTS_MOST: Final = 50
_BARS_MOST: Final = 20
_PLOTS_MOST: Final = 36
_RUNS_MOST: Final = 300
_NUMBERS: Final = frozenset({"now", "warning", "critical", "took"})
_SIZE: Final = "disk.size"


def html(report: HealthReport, extra: Extra) -> str:
    """Write the page: state, findings, headroom, sizes, history, and every check with its end."""
    past = of_database(extra.history, report.database) if report.database else list(extra.history)
    sections = (
        *_findings(report),
        _headroom(report),
        _sizes(report),
        _history(report, past),
        _checks(report),
    )
    return page(
        element(
            "html",
            _head(report),
            element(
                "body",
                _top(report, extra),
                element("main", *(one for one in sections if one is not None)),
                element("footer", element("p", f"Written by {words.TOOL} on {moment(extra.now)}.")),
            ),
            lang="en",
        )
    )


def _head(report: HealthReport) -> Element:
    style = files(__package__ or "").joinpath("report.css").read_text(encoding="utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{report.state.value}: {report.server or 'PostgreSQL'}"),
        element("style", style),
    )


def _top(report: HealthReport, extra: Extra) -> Element:
    asked = f"{words.version(report)}, {len(report.checks)} checks"
    counts = (element("li", _state(state), f" {number}") for state, number in words.counts(report).items())
    return element(
        "header",
        element("h1", element("span", report.state.value, class_=f"state large {report.state.value}"),
                f" {report.server or 'server'}"),
        element("p", f"{asked} in {report.seconds:.2f} s, on {moment(extra.now)}", class_="dim"),
        element("ul", *counts, class_="counts"),
    )  # fmt: skip


def _findings(report: HealthReport) -> Iterator[Element]:
    """Yield what is to be done, and then what is only to be known."""
    of_check = groupby(report.findings, key=lambda one: (one.state.rank, one.check))
    cards = [(state, _card(list(found))) for (state, _), found in of_check]
    silent = [_silent(reason, checks) for reason, checks in words.silent(report)]
    wrong = [card for rank, card in cards if rank < State.INFO.rank] + silent
    known = [card for rank, card in cards if rank >= State.INFO.rank]
    if not wrong:
        wrong = [element("p", "Nothing.", class_="dim")]
    yield element("section", element("h2", "What is wrong"), *wrong)
    if known:
        yield element("section", element("h2", "What is worth knowing"), *known)


def _card(found: Sequence[Finding]) -> Element:
    """Return the findings of one check in one state, and how they were seen."""
    first = found[0]
    evidence = list(dict.fromkeys(one.evidence_sql for one in found if one.evidence_sql))
    more = len(found) - _SUBJECTS_MOST
    return element(
        "article",
        element("h3", _state(first.state), f" {words.title(first.check) or first.check} ",
                element("code", first.check), f" {len(found)}" if len(found) > 1 else ""),
        element("p", words.why(first.check), class_="dim"),
        *(_found(one) for one in found[:_SUBJECTS_MOST]),
        element("p", f"and {more} more", class_="dim") if more > 0 else None,
        _folded("How it was seen", evidence[0]) if evidence else None,
        class_=first.state.value,
    )  # fmt: skip


def _found(one: Finding) -> Element:
    since = one.first_seen
    said = [words.measured(one), f"since {moment(since)}" if since else ""]
    return element(
        "section",
        element("p", words.said(one)),
        element("p", "; ".join(filter(None, said)), class_="dim") if any(said) else None,
        *(
            element("div", element("pre", fix.sql), element("small", f"lock: {fix.lock}"))
            for fix in one.fixes
        ),
        element("div", element("small", "so that it can be told:"), element("pre", one.cure))
        if one.cure
        else None,
    )


def _silent(reason: str, checks: Sequence[str]) -> Element:
    return element(
        "article",
        element("h3", _state(State.UNKNOWN), f" {reason}"),
        element("p", element("code", ", ".join(checks)), class_="dim"),
        class_=State.UNKNOWN.value,
    )


def _headroom(report: HealthReport) -> Element | None:
    """Return how far what was measured is from its limits, the nearest first."""
    limited = [one for one in _measured(report) if one.warning is not None or one.critical is not None]
    rows = (
        element(
            "tr",
            element("td", f"{one.subject} ", element("small", one.check)),
            element("td", plots.headroom(one)),
            element("td", shown(one.measure, one.unit), class_="number"),
            element("td", _limit(one.warning, one.unit), class_="number"),
            element("td", _limit(one.critical, one.unit), class_="number"),
        )
        for one in sorted(limited, key=_nearness, reverse=True)[:_BARS_MOST]
    )
    return _table("Headroom", ("", "", "now", "warning", "critical"), rows)


def _sizes(report: HealthReport) -> Element | None:
    sizes = sorted((one for one in _measured(report) if one.check == _SIZE), key=lambda one: -one.measure)
    rows = (
        element(
            "tr",
            element("td", str(one.subject)),
            element("td", plots.amount(one.measure, sizes[0].measure, shown(one.measure, one.unit))),
            element("td", shown(one.measure, one.unit), class_="number"),
        )
        for one in sizes[:_BARS_MOST]
    )
    return _table("Sizes", ("", "", "now"), rows)


def _history(report: HealthReport, past: Sequence[Past]) -> Element | None:
    """Return how what is measured now was before, what is nearest to its limits first."""
    seen: dict[tuple[str, Subject], list[plots.Point]] = {}
    for one in sorted(past, key=lambda one: one.taken_at):
        if one.measure is not None:
            seen.setdefault((one.check, one.subject), []).append((one.taken_at, one.measure))
    figures = [
        _figure(one, points)
        for one in sorted(_measured(report), key=_nearness, reverse=True)
        if len(points := seen.get((one.check, one.subject), [])) > 1
    ]
    states = [(one.taken_at, one.state) for one in past if one.check == RUN]
    if not figures and len(states) < 2:
        return None
    return element(
        "section",
        element("h2", "History"),
        plots.runs(sorted(states, key=lambda one: one[0])[-_RUNS_MOST:]) if states else None,
        element("p", f"{len(states)} runs, the oldest on the left", class_="dim"),
        element("div", *figures[:_PLOTS_MOST], class_="plots"),
    )


def _figure(one: Measured, points: Sequence[plots.Point]) -> Element:
    limits = [
        (state, limit)
        for state, limit in ((State.WARNING, one.warning), (State.CRITICAL, one.critical))
        if limit is not None
    ]
    return element(
        "figure",
        element("figcaption", f"{one.subject} ", element("small", one.check), element("br"),
                shown(one.measure, one.unit)),
        plots.line(points, unit=one.unit, state=one.state, limits=limits),
    )  # fmt: skip


def _checks(report: HealthReport) -> Element:
    rows = (
        element(
            "tr",
            element("td", element("code", ran.check)),
            element("td", words.title(ran.check), *_reason(ran)),
            element("td", _state(ran.state)),
            element("td", f"{1000 * ran.seconds:.0f} ms", class_="number"),
        )
        for ran in sorted(report.checks, key=lambda ran: ran.check)
    )
    table = _rows(("check", "what it looks at", "state", "took"), rows)
    return element("section", element("h2", "Every check"), table)


def _reason(ran: Ran) -> Iterator[Element]:
    if ran.reason:
        yield element("br")
        yield element("small", ran.reason)


def _table(title: str, names: Sequence[str], rows: Iterable[Element]) -> Element | None:
    every = list(rows)
    return element("section", element("h2", title), _rows(names, every)) if every else None


def _rows(names: Sequence[str], rows: Iterable[Element]) -> Element:
    heads = (element("th", name, class_="number" if name in _NUMBERS else "") for name in names)
    return element("table", element("thead", element("tr", *heads)), element("tbody", *rows))


def _folded(title: str, text: str) -> Element:
    return element("details", element("summary", title), element("pre", text))


def _state(state: State) -> Element:
    return element("span", state.value, class_=f"state {state.value}")


def _measured(report: HealthReport) -> list[Measured]:
    """Return every number of the report once; what follows another check has the other's numbers too."""
    found = {(one.check, one.subject): one for ran in report.checks for one in ran.measured}
    return list(found.values())


def _nearness(one: Measured) -> float:
    """Return how far *one* is on the way to its worst limit; a number without one is last."""
    limit = one.critical if one.critical is not None else one.warning
    if limit is None:
        return -1.0
    if one.falling:
        return max(limit, 1e-9) / max(one.measure, 1e-9)
    return one.measure / limit if limit else one.measure


def _limit(limit: float | None, unit: str) -> str:
    return "" if limit is None else axis(limit, unit)
