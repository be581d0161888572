"""What a revision may say beyond Alembic's own operations: SQL text as it is written, and our types."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import op
from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import UserDefinedType


def execute(script: str) -> None:
    """Execute SQL exactly as it is written, online and with `--sql`.

    `op.execute` reads ` :name` as a parameter, even inside a literal; offline it leaves a placeholder
    behind without a word, and turns tabs into spaces.
    """
    statements = script.strip().rstrip(";")
    context = op.get_context()
    if context.as_sql:
        # On a line of its own, the semicolon is not part of a comment that ends the script.
        context.impl.static_output(f"{statements}\n;")
    else:
        op.execute(text(statements.replace(":", r"\:")))


@contextmanager
def as_owner() -> Iterator[None]:
    """Make and drop objects as `agent_owner`, so that nothing belongs to whoever happens to migrate.

    The role ends with the block, and with the transaction if a statement fails. Its default privileges hold
    for what the block makes. An extension or a schema takes the login's own privileges: make it outside.
    """
    execute("SET LOCAL ROLE agent_owner")
    yield
    execute("RESET ROLE")


def domain(name: str) -> DOMAIN:
    """Return the text domain *name* as a column type; revision 001 makes the domains."""
    return DOMAIN(name, Text(), create_type=False)


class XID8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which SQLAlchemy does not know."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:  # noqa: ANN401  (SQLAlchemy's signature)
        """Return the type's name in DDL."""
        return "xid8"


class NAME(UserDefinedType[str]):
    """The type of names of objects, which SQLAlchemy knows from reading catalogs only."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:  # noqa: ANN401  (SQLAlchemy's signature)
        """Return the type's name in DDL."""
        return "name"
