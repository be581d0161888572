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

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.new_columns import NewColumn, new_columns
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG069"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def _length(made: NewColumn) -> str:
    return f"length({made.column.name}) <= {made.column.type.numbers[0]}" if made.column.type.numbers else ""


def _check(made: NewColumn) -> str:
    return f"{(made.table or '<table>').rpartition('.')[2]}_{made.column.name}_check"


def _sql(made: NewColumn) -> str:
    length = _length(made)
    return f"{made.column.name} text" + (f" and CONSTRAINT {_check(made)} CHECK ({length})" if length else "")


def _operation(made: NewColumn) -> str:
    length = _length(made)
    column = f'sa.Column("{made.column.name}", sa.Text, …)'
    return column + (f' and sa.CheckConstraint("{length}", name="{_check(made)}")' if length else "")


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each such column."""
    for made in new_columns(history):
        if made.column.type.name in {"char", "varchar"}:
            name = made.column.name
            fix = _operation(made) if not made.act.tokens else _sql(made)
            yield _found(
                made.revision.path,
                f'"{name}" of {hints.quoted(made.table)} is {made.column.type}, no faster than text',
                hint=f"write {fix} in {made.revision.file_name}",
                at=made.place,
            )
