"""Say what is wished of a column as ALTER TABLE takes it. No database here."""

from __future__ import annotations

from typing import Final, Protocol

from psycopg2.sql import SQL, Composable

from spotify_ai_agent_migrations.versions.core.errors import TableError

IDENTITIES: Final = ("always", "by default")


class Declaration(Protocol):
    """What is wished of a column."""

    @property
    def column(self) -> str:
        """Its name."""

    @property
    def type(self) -> str:
        """Its type, as SQL writes it."""

    @property
    def default(self) -> str | None:
        """Its default, as SQL writes it."""

    @property
    def not_null(self) -> bool:
        """Whether it is NOT NULL."""

    @property
    def check(self) -> str | None:
        """What is true of its values."""

    @property
    def collation(self) -> str | None:
        """Its collation, as SQL writes it."""

    @property
    def identity(self) -> str | None:
        """Whether its values are drawn, and when."""

    @property
    def generated(self) -> str | None:
        """What it is computed of."""

    @property
    def emulated(self) -> bool:
        """Whether a trigger computes it."""


def clause(wish: Declaration) -> Composable:
    """Return what stands behind the name of the column in a plain ADD COLUMN."""
    return SQL(" ").join(
        SQL(text)
        for text in (
            wish.type,
            wish.collation and f"COLLATE {wish.collation}",
            wish.default is not None and f"DEFAULT {wish.default}",
            _computed(wish),
            wish.identity and f"GENERATED {_identity(wish.identity)} AS IDENTITY",
        )
        if text
    )


def _computed(wish: Declaration) -> str:
    if wish.generated is None:
        return ""
    return f"GENERATED ALWAYS AS ({wish.generated}) {'STORED' if wish.emulated else 'VIRTUAL'}"


def _identity(word: str) -> str:
    if word not in IDENTITIES:
        raise TableError(f'an identity is not drawn "{word}"', hint=f"say {' or '.join(IDENTITIES)}")
    return word.upper()


def typed(wish: Declaration, type_: str) -> Composable:
    """Return another type with the collation that is wished."""
    return SQL(f"{type_} COLLATE {wish.collation}" if wish.collation else type_)
