"""Write a report as one page that needs nothing else, to be read, printed and handed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Final
from xml.etree.ElementTree import Element

from spotify_ai_agent_migrations.versions.governance.evidence import words
from spotify_ai_agent_migrations.versions.governance.evidence.model import (
    Claim,
    Control,
    Gap,
    Report,
    Row,
    Source,
)
from spotify_ai_agent_migrations.versions.governance.markup import element, page

# Nothing is fetched and nothing is run, whatever a reason or a name says.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def html(report: Report) -> str:
    """Write the page: what it is of, the controls, and every row that a claim leads to."""
    labels = words.labels(report.evidence)
    return page(
        element(
            "html",
            _head(report),
            element(
                "body",
                _top(report),
                element("main", _summary(report), *_controls(report, labels), *_rows(report)),
                element("footer", element("p", words.written_by(report.evidence))),
            ),
            lang="en",
        )
    )


def _head(report: Report) -> Element:
    style = files(__package__ or "").joinpath("evidence.css").read_text(encoding="utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{words.TITLE}, {report.evidence.period}"),
        element("style", style),
    )


def _top(report: Report) -> Element:
    listed: list[Element] = []
    for name, value in words.facts(report.evidence):
        listed += [element("dt", name), element("dd", value)]
    broken = report.evidence.chain.broken
    return element(
        "header",
        element("h1", words.TITLE),
        element("p", words.READING),
        element("dl", *listed, class_="broken" if broken else "whole"),
    )


def _summary(report: Report) -> Element:
    heads = ("Control", "Asks", "Claims", "Exceptions", "Not shown")
    rows = (
        element(
            "tr",
            element("th", element("a", f"{one.code} {one.title}", href=f"#{one.anchor}"), scope="row"),
            element("td", one.asks),
            *(element("td", str(number), class_="number") for number in _numbers(one)),
        )
        for one in report.controls
    )
    return element(
        "section",
        element("h2", "Controls"),
        _table("Controls, and what is claimed of each", heads, [element("tbody", *rows)]),
    )


def _numbers(control: Control) -> tuple[int, int, int]:
    exceptions = sum(claim.exception for claim in control.claims)
    return len(control.claims), exceptions, len(control.gaps)


def _controls(report: Report, labels: dict[str, str]) -> Iterator[Element]:
    for framework, controls in groupby(report.controls, key=lambda one: one.framework):
        yield element("section", element("h2", framework), *(_control(one, labels) for one in controls))


def _control(control: Control, labels: dict[str, str]) -> Element:
    claims = [_claim(one, labels) for one in control.claims]
    gaps = [_gap(one) for one in control.gaps]
    return element(
        "article",
        element("h3", f"{control.code} {control.title}"),
        element("p", f"It asks {control.asks}.", class_="dim"),
        element("h4", "Shown"),
        element("ul", *claims) if claims else element("p", words.NOTHING),
        element("h4", "Not shown"),
        element("ul", *gaps, class_="gaps") if gaps else element("p", words.NO_GAP),
        id=control.anchor,
    )


def _claim(claim: Claim, labels: dict[str, str]) -> Element:
    links: list[Element | str] = []
    for anchor in claim.rows:
        links += [" ", element("a", labels[anchor], href=f"#{anchor}")]
    return element(
        "li",
        element("strong", f"{words.EXCEPTION}: ") if claim.exception else None,
        claim.text,
        element("span", *links, class_="rows"),
        class_="exception" if claim.exception else "claim",
    )


def _gap(gap: Gap) -> Element:
    return element(
        "li", words.sentence(gap.text), element("small", words.remedy(gap)) if gap.remedy else None
    )


def _rows(report: Report) -> Iterator[Element]:
    yield element("h2", "Rows")
    for source in report.evidence.sources.values():
        yield element(
            "section",
            element("h3", source.title),
            element("p", words.scope(source), class_="dim"),
            *(element("p", said) for said in words.remarks(source)),
            _listed(source) if source.rows else None,
            id=f"source-{source.name}",
        )


def _listed(source: Source) -> Element:
    """Return the rows as a table; what is long stands on a line of its own below its row."""
    names = words.columns(source)
    short = [name for name in names if name not in words.LONG]
    long = [name for name in names if name in words.LONG]
    bodies = (_row(row, short, long) for row in source.rows)
    table = _table(source.title, ("row", *short), bodies)
    return element("div", table, class_="wide", tabindex="0", role="region", aria_label=source.title)


def _row(row: Row, short: Sequence[str], long: Sequence[str]) -> Element:
    said = [(name, words.cell(row, name)) for name in long]
    filled = [_named(name, value) for name, value in said if value]
    return element(
        "tbody",
        element(
            "tr",
            element("th", row.key, scope="row"),
            *(element("td", words.cell(row, name)) for name in short),
        ),
        element("tr", element("td", *filled, colspan=len(short) + 1, class_="long")) if filled else None,
        id=row.anchor,
    )


def _named(name: str, value: str) -> Element:
    tag = "code" if name in words.HASHES else "span"
    return element("span", element("small", f"{_heading(name)}: "), element(tag, value), class_="pair")


def _heading(name: str) -> str:
    return name.replace("_", " ")


def _table(caption: str, heads: Sequence[str], bodies: Iterable[Element]) -> Element:
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *(element("th", _heading(name), scope="col") for name in heads))),
        *bodies,
    )
