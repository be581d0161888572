"""Write a report as Markdown, for a pull request: the controls, then the rows they rest on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spotify_ai_agent_migrations.versions.governance.evidence import words
from spotify_ai_agent_migrations.versions.governance.evidence.model import (
    Claim,
    Control,
    Gap,
    Report,
    Row,
    Source,
)
from spotify_ai_agent_migrations.versions.governance.markup import escaped


def markdown(report: Report) -> str:
    """Write the report; each claim links to its rows, which stand below."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {words.TITLE}"
    yield ""
    for name, value in words.facts(report.evidence):
        yield f"- {name}: {escaped(value)}"
    yield ""
    yield words.READING
    labels = words.labels(report.evidence)
    framework = ""
    for control in report.controls:
        if control.framework != framework:
            framework = control.framework
            yield from ("", f"## {framework}")
        yield from _control(control, labels)
    yield from ("", "## Rows")
    for source in report.evidence.sources.values():
        yield from _source(source)


def _control(control: Control, labels: dict[str, str]) -> Iterator[str]:
    yield from ("", f"### {control.code} {control.title}", "", f"It asks {control.asks}.", "")
    for claim in control.claims:
        yield f"- {_claim(claim, labels)}"
    if not control.claims:
        yield f"- {words.NOTHING}"
    yield from ("", "Not shown:", "")
    for gap in control.gaps:
        yield f"- {_gap(gap)}"
    if not control.gaps:
        yield f"- {words.NO_GAP}"


def _claim(claim: Claim, labels: dict[str, str]) -> str:
    links = ", ".join(f"[{escaped(labels[anchor])}](#{anchor})" for anchor in claim.rows)
    mark = f"**{words.EXCEPTION}:** " if claim.exception else ""
    return f"{mark}{escaped(claim.text)} ({links})"


def _gap(gap: Gap) -> str:
    return escaped(words.sentence(gap.text) + words.remedy(gap))


def _source(source: Source) -> Iterator[str]:
    yield from ("", f"### {source.title}", "", escaped(words.scope(source)), "")
    for line in words.remarks(source):
        yield from (escaped(line), "")
    if source.rows:
        names = words.columns(source)
        yield _line(["row", *map(escaped, names)])
        yield _line(["---"] * (len(names) + 1))
        yield from (_row(row, names) for row in source.rows)


def _row(row: Row, names: Sequence[str]) -> str:
    place = f'<a id="{row.anchor}"></a>{escaped(row.key)}'
    return _line([place, *(escaped(words.cell(row, name)) for name in names)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
