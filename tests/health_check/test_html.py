"""The page needs nothing but itself, shows what there is and how it was, and obeys no name of the database."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from health_check.reports import EVERY, EXHAUSTED, EXTRA, NOW, ODD, SINCE, SOME, WELL

from spotify_ai_agent_migrations.versions.health_check import (
    Finding,
    HealthReport,
    Measured,
    Ran,
    State,
    Subject,
    check_health,
)
from spotify_ai_agent_migrations.versions.health_check.history import remembered
from spotify_ai_agent_migrations.versions.health_check.outputs import Extra, plots
from spotify_ai_agent_migrations.versions.health_check.outputs.html import html
from spotify_ai_agent_migrations.versions.health_check.outputs.numbers import shown
from spotify_ai_agent_migrations.versions.health_check.past import Past
from support import rows

# HTML's elements that have no end.
VOID = {"meta", "br"}
FETCHING = {"src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"}
SEQUENCE = Subject("sequence", "public", "s")
SHARE = Measured("seq.exhaustion", SEQUENCE, 0.8, "of the numbers", State.WARNING, 0.75, 0.9)
DAYS = Measured("seq.days_left", SEQUENCE, 12.0, "days", State.CRITICAL, 90, 30, falling=True)
SIZE = Measured("disk.size", Subject("database", None, "agent"), 3.0 * 2**30, "bytes", State.OK)
ROOM = HealthReport(
    (Ran("seq.days_left", State.CRITICAL, 0.1, measured=(SHARE, DAYS, SIZE)),), 1, "x", 180006, "primary", "d@1/1"
)  # fmt: skip


class Page(HTMLParser):
    """The elements of a page, each closed where it should be, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag: str, class_: str = "") -> list[dict[str, str | None]]:
        return [
            held
            for name, held in self.elements
            if name == tag and class_ in [*(held.get("class") or "").split(" "), ""]
        ]

    @property
    def said(self) -> str:
        return "\n".join(part for tag, parts in self.texts.items() if tag != "style" for part in parts)


def _page(report: HealthReport, *history: Past) -> Page:
    return Page(html(report, Extra(NOW, history)))


@pytest.mark.parametrize("report", [*EVERY.values(), ROOM], ids=[*EVERY, "room"])
def test_a_page_fetches_nothing_and_runs_nothing(report: HealthReport) -> None:
    page = _page(report)
    assert {tag for tag, _ in page.elements} >= {"html", "head", "style", "h1", "body"}
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "form", "a"}
    )
    named = {name for _, held in page.elements for name in held}
    assert named.isdisjoint(FETCHING)
    assert not [name for name in named if name.startswith("on")]
    (policy,) = (held for tag, held in page.elements if held.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy["content"])
    style = "".join(page.texts["style"])
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert not re.search(r"url\(|@import|expression", style)


def test_every_finding_is_there_with_what_mends_it_and_why(url: str) -> None:
    rows(url, "CREATE TABLE public.t (a integer); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID")
    rows(url, "CREATE INDEX i ON public.t (a); CREATE INDEX j ON public.t (a)")
    report = check_health(url=url)
    page = _page(report)
    assert {"con.not_valid", "idx.duplicate"} <= {found.check for found in report.findings}
    for found in report.findings:
        assert found.summary in page.said
        assert found.check in page.texts["code"]
        for fix in found.fixes:
            assert fix.sql in page.texts["pre"]
            assert f"lock: {fix.lock}" in page.texts["small"]
    for ran in report.checks:
        assert ran.check in page.texts["code"]
        assert ran.reason in page.said


def test_the_worst_is_said_first_and_what_could_not_be_told_too() -> None:
    page = _page(SOME)
    assert page.texts["h1"] == [" postgresql://monitor@db.example/agent"]
    states = [str(held["class"]).split()[-1] for held in page.of("span", "state")]
    assert states[0] == "critical"
    cards = [held["class"] for held in page.of("article")]
    assert cards == ["critical", "unknown", "warning", "warning", "unknown", "info", "suppressed"]
    assert "GRANT pg_monitor TO monitor" in page.texts["pre"]
    assert " it took longer than it was given" in page.texts["h3"]


def test_where_nothing_is_wrong_that_is_said() -> None:
    page = _page(WELL)
    assert (page.of("article"), "Nothing." in page.texts["p"]) == ([], True)


def test_no_name_is_taken_for_anything_but_a_name() -> None:
    wicked = "</style></pre><script>alert(1)</script><img src=x onerror=alert(1)>&lt;"
    found = replace(ODD, summary=f"no index of {wicked}", evidence_sql=f"SELECT '{wicked}'")
    subject = Subject("table", wicked, wicked)
    report = HealthReport(
        (Ran("idx.fk_missing", State.WARNING, 0, (found,), wicked, (replace(SHARE, subject=subject),)),),
        0, wicked, 180006, "primary",
    )  # fmt: skip
    past = [
        Past(NOW - timedelta(days=day), SHARE.check, subject, 0.5, State.OK, "", "", wicked) for day in (1, 2)
    ]
    page = _page(report, *past)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "img"})
    assert page.said.count(wicked) >= 5
    assert f"SELECT '{wicked}'" in page.texts["pre"]


def test_a_thousand_findings_of_a_check_are_counted_and_some_are_shown() -> None:
    found = [
        replace(EXHAUSTED, subject=Subject("sequence", "public", f"s{number}"), summary=f"s{number} ends")
        for number in range(1000)
    ]
    report = HealthReport(
        (Ran("seq.exhaustion", State.CRITICAL, 1, tuple(found)),), 1, "x", 180006, "primary"
    )
    page = _page(report)
    assert (len(page.of("article")), len(page.of("pre"))) == (1, 51)
    assert "and 950 more" in page.texts["p"]
    assert len(html(report, EXTRA)) < 100_000


def test_headroom_is_drawn_for_what_has_a_limit_and_sizes_for_databases() -> None:
    page = _page(ROOM)
    assert {"Headroom", "Sizes"} <= set(page.texts["h2"])
    assert "History" not in page.texts["h2"]
    labels = [held["aria-label"] for held in page.of("svg")]
    assert labels == ["12 days, critical", "80 %, warning", "3 GB"]
    cells = page.texts["td"]
    assert {"sequence public.s ", "12 days", "90", "30", "80 %", "75 %", "90 %", "3 GB"} <= set(cells)
    assert _page(WELL).of("svg") == []


def test_history_is_drawn_for_what_was_measured_more_than_once_and_here() -> None:
    times = [NOW - timedelta(days=day) for day in range(9, -1, -1)]
    run = Past(NOW, "run", Subject("run"), 1.0, State.OK, "", "d@1/1", "seconds")
    past = [
        replace(one, taken_at=at)
        for at in times
        for one in (
            replace(run, state=State.WARNING if at < SINCE + timedelta(days=20) else State.OK),
            Past(at, SHARE.check, SEQUENCE, 0.5 + 0.03 * times.index(at), State.OK, "", "d@1/1"),
        )
    ]
    page = _page(ROOM, *past)
    assert len(page.of("figure")) == 1
    assert "10 runs, the oldest on the left" in page.texts["p"]
    labels = {held["aria-label"] for held in page.of("svg")}
    assert "how the last 10 runs ended" in labels
    assert "from 50 % on 2026-11-17 20:30 UTC to 77 %" in labels
    assert len(page.of("polyline")) == 1
    elsewhere = [replace(one, database="d@2/1") for one in past]
    assert "History" not in _page(ROOM, *elsewhere).texts["h2"]


@pytest.mark.parametrize(
    "values",
    [[1.0, 1.0], [0.0, 0.0], [-5.0, 5.0], [1e-9, 2e9], [float(2**63), float(2**63)], [1.0] * 500],
)
def test_a_line_stays_in_its_picture(values: list[float]) -> None:
    points = [(NOW + timedelta(seconds=place), value) for place, value in enumerate(values)]
    drawn = plots.line(points, unit="", state=State.OK, limits=[(State.WARNING, 3.0), (State.CRITICAL, 1e30)])
    (line,) = drawn.iter("polyline")
    places = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
    assert len(places) == len(values)
    assert all(0 <= x <= 320 and 0 <= y <= 110 for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)


@pytest.mark.parametrize("measure", [-1.0, 0.0, 0.5, 1.0, 7.0, 1e300])
@pytest.mark.parametrize(
    "one", [SHARE, DAYS, replace(SHARE, unit="s", warning=None), replace(DAYS, critical=0.0)]
)
def test_a_bar_stays_in_its_picture(one: Measured, measure: float) -> None:
    drawn = plots.headroom(replace(one, measure=measure))
    assert all(0 <= float(held.attrib["width"]) <= 240 for held in drawn.iter("rect"))
    assert all(0 <= float(held.attrib["x1"]) <= 240 for held in drawn.iter("line"))
    assert len(list(drawn.iter("rect"))) == 2


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.987, "of the slots", "98.7 %"), (0.000001, "of the slots", "0 %"), (3 * 2**30, "bytes", "3 GB"),
        (1536, "bytes an hour", "1.5 kB an hour"), (1023, "bytes", "1023 bytes"), (90, "seconds", "90 s"),
        (7200, "seconds", "2 h"), (86_400 * 3, "seconds", "3 days"), (0.25, "seconds", "0.25 s"),
        (1_500_000_000, "transactions", "1.5 billion transactions"), (12_345, "sessions", "12,345 sessions"),
        (3.14159, "days", "3.14 days"), (0, "", "0"),
    ],
)  # fmt: skip
def test_a_number_is_said_as_people_do(value: float, unit: str, said: str) -> None:
    assert shown(value, unit) == said


def test_what_a_run_has_measured_is_in_the_history_of_its_own_page(empty_url: str) -> None:
    report = check_health(url=empty_url, only=["conn.usage", "disk"], history=[])
    runs = [remembered(report, now=NOW - timedelta(hours=hours)) for hours in (2, 1, 0)]
    page = _page(report, *(past for run in runs for past in run))
    assert "3 runs, the oldest on the left" in page.texts["p"]
    assert (
        len(page.of("figure"))
        == len({(one.check, one.subject) for ran in report.checks for one in ran.measured})
        > 2
    )
    assert not any(isinstance(one, Finding) for ran in report.checks for one in ran.measured)
