"""What a rule says about an object of the catalogue, and the report that all of them make. No rule here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.governance.finding import visible

Severity = Literal["error", "warning", "note"]

DOCS: Final = "https://docs.citusdata.com/en/v13.0"
DDL: Final = f"{DOCS}/develop/reference_ddl.html"
LIMITS: Final = f"{DOCS}/develop/reference_workarounds.html"
FUNCTIONS: Final = f"{DOCS}/develop/api_udf.html"
CLUSTER: Final = f"{DOCS}/admin_guide/cluster_management.html"
SOURCE: Final = "https://github.com/citusdata/citus/blob/main/src/backend/distributed"


@dataclass(frozen=True)
class Draft:
    """What the function of a rule yields: about which object, how grave, and the fix.

    `table` is a qualified name, of a view or a function too; `kind` and `name` say which part of it.
    """

    severity: Severity
    table: str
    problem: str
    hint: str
    kind: str = "table"
    name: str | None = None


def error(table: str, problem: str, hint: str, *, of: tuple[str, str] | None = None) -> Draft:
    """Return a draft of an error, about a part of *table*, by kind and name, or all of it."""
    return Draft("error", table, problem, hint, *(of or ()))


def warning(table: str, problem: str, hint: str, *, of: tuple[str, str] | None = None) -> Draft:
    """Return a draft of a warning; see `error`."""
    return Draft("warning", table, problem, hint, *(of or ()))


def note(table: str, problem: str, hint: str, *, of: tuple[str, str] | None = None) -> Draft:
    """Return a draft of a note; see `error`."""
    return Draft("note", table, problem, hint, *(of or ()))


@dataclass(frozen=True)
class Finding:
    """One thing that would have to change.

    An error is refused when the table is distributed; with a warning it works otherwise than before, or a
    later statement fails; a note is to be known. `problem` is one line, `hint` the whole fix; `citus` is what
    Citus does then, in words of our own, and `see` where that is to be read.
    """

    code: str
    rule: str
    severity: Severity
    table: str
    kind: str
    name: str | None
    problem: str
    citus: str
    see: str
    hint: str


@dataclass(frozen=True)
class Rule:
    """One rule: what it asks, what Citus does where it is broken, and the function that looks."""

    code: str
    name: str
    asks: str
    citus: str
    see: str
    look: Callable[[Layout], Iterator[Draft]]

    def find(self, layout: Layout) -> Iterator[Finding]:
        """Yield what breaks the rule."""
        for draft in self.look(layout):
            yield Finding(
                code=self.code,
                rule=self.name,
                severity=draft.severity,
                table=visible(draft.table),
                kind=draft.kind,
                name=None if draft.name is None else visible(draft.name),
                problem=visible(draft.problem),
                citus=self.citus,
                see=self.see,
                hint=visible(draft.hint),
            )


@dataclass(frozen=True)
class Report:
    """The findings of one look, in order, and how many rules and tables there were."""

    findings: tuple[Finding, ...]
    rules: int
    tables: int

    @property
    def failed(self) -> bool:
        """Whether one of them is an error."""
        return any(found.severity == "error" for found in self.findings)


def rule(code: str, *, citus: str, see: str) -> Callable[[Callable[[Layout], Iterator[Draft]]], Rule]:
    """Make a rule of a function, which gives it its name, and what it asks by its docstring."""

    def make(look: Callable[[Layout], Iterator[Draft]]) -> Rule:
        asks = (look.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        return Rule(code, look.__name__, asks, citus, see, look)

    return make
