"""What a rule says of the body of `upgrade()`, and what it lets pass; one shape for the rules about statements."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from governance.history import Folder

IMPORTS = """\
from sqlalchemy.dialects.postgresql import JSONB, MONEY

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, domain, execute
"""
MORE = """\
QUERY = "DROP VIEW a -- :later"


def _comment():
    execute("COMMENT ON TABLE t IS 'x'")
"""


@dataclass(frozen=True)
class Said:
    """A finding: the line, counted in the body, the problem and the hint."""

    line: int
    problem: str
    hint: str


class Wrong:
    """A body, behind another revision if one is given, and all that its rule says of it."""

    def __init__(self, body: str, *said: Said, before: str = "") -> None:
        self.body, self.said, self.before = body, said, before


@dataclass(frozen=True)
class Right:
    """A body, behind another revision if one is given, of which the rule says nothing."""

    body: str
    before: str = ""


Case = tuple[str, "Wrong | Right"]


def cases(listed: Mapping[str, Sequence[Wrong | Right]]) -> list[object]:
    """Return the parameters of a test: each body with the code of its rule."""
    return [
        pytest.param(code, case, id=f"{code}-{number}")
        for code, found in listed.items()
        for number, case in enumerate(found, 1)
    ]


def told(folder: Folder, code: str, case: Wrong | Right) -> tuple[Said, ...]:
    """Write the revisions of *case*; return what rule *code* says of the last one, and of nothing else."""
    folder.codes = {code}
    number = 1
    if case.before:
        folder.revision(1, imports=IMPORTS, upgrade=_upgrade(case.before), more=MORE)
        number = 2
    path = folder.revision(number, imports=IMPORTS, upgrade=_upgrade(case.body), more=MORE)
    start = path.read_text().partition("def upgrade()")[0].count("\n") + 1
    found = folder.findings()
    assert {one.path for one in found} <= {f"versions/{path.name}"}
    return tuple(Said(one.line - start, one.problem, one.hint) for one in found)


def _upgrade(body: str) -> str:
    inner = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return f"def upgrade() -> None:\n{inner}\n"
