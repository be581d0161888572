"""An amount of money is numeric, and neither money nor a float.

Why: money has the currency and the decimals of the server it stands on, so that a dump changes its value
elsewhere. A float cannot hold a tenth, and its sum depends on the order of the rows.
Fix: say numeric, and the currency beside it:

    sa.Column("price", sa.Numeric(12, 2), comment="none: …")

Seen: the type money, and real or double precision in a column whose name holds amount, balance, cost, fee,
price, revenue, salary, tax or a currency (usd, eur, gbp), as a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.new_columns import NewColumn, new_columns
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG070"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_AMOUNTS: Final = frozenset(
    {"amount", "balance", "cost", "eur", "fee", "gbp", "price", "revenue", "salary", "tax", "usd"}
)
_FLOATS: Final = frozenset({"double precision", "real"})


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each such column."""
    for made in new_columns(history):
        if _is_amount(made):
            fix = made.of_type(operation="sa.Numeric(12, 2)", sql="numeric(12, 2)")
            yield _found(
                made.revision.path,
                f"{made.shown} is {made.column.type}, which keeps no exact amount",
                hint=f"write {fix} in {made.revision.file_name}",
                at=made.place,
            )


def _is_amount(made: NewColumn) -> bool:
    words = {word.removesuffix("s") for word in made.column.name.lower().split("_")}
    kind = made.column.type.name
    return kind == "money" or (kind in _FLOATS and bool(words & _AMOUNTS))
