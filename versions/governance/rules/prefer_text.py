"""A text is text, with a CHECK where its length matters, and not char or varchar.

Why: they take no less room and are no faster. To shorten or lengthen a char, or shorten a varchar, is a
change of type; a CHECK is exchanged without touching a row. char pads with blanks, which comparisons then
ignore.
Fix: say text, and the length in a constraint:

    sa.Column("name", sa.Text, comment="content: …")
    sa.CheckConstraint("length(name) <= 200", name="plans_name_check")

Seen: `sa.String`, which is varchar, and columns whose type is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.new_columns import NewColumn, new_columns
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG069"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each such column."""
    for made in new_columns(history):
        if made.column.type.name in {"char", "varchar"}:
            fix = made.of_type(operation="sa.Text", sql="text") + _length(made)
            yield _found(
                made.revision.path,
                f"{made.shown} is {made.column.type}, no faster than text",
                hint=f"write {fix} in {made.revision.file_name}",
                at=made.place,
            )


def _length(made: NewColumn) -> str:
    """Return the code that keeps the length, if there is one."""
    if not made.column.type.numbers:
        return ""
    name = made.column.name
    condition = f"length({name}) <= {made.column.type.numbers[0]}"
    constraint = f"{(made.table or '<table>').rpartition('.')[2]}_{name}_check"
    if made.act.tokens:
        return f" and CONSTRAINT {constraint} CHECK ({condition})"
    return f' and sa.CheckConstraint("{condition}", name="{constraint}")'
