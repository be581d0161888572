"""Add the checks of a new column by names that are free."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration.declaration import Declaration
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.server_names import check_name, free_name
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class Check:
    """A check, by a name that is free."""

    name: str
    said: Composable

    @property
    def inline(self) -> Composable:
        """The check as part of a column."""
        return SQL("CONSTRAINT {} CHECK ({})").format(Identifier(self.name), self.said)

    def added(self, table: Table) -> Composable:
        """Return the statement that adds it, not valid."""
        return SQL("ALTER TABLE {} ADD {} NOT VALID").format(SQL(table.name), self.inline)


def checks_of(session: Session, table: Table, wish: Declaration) -> tuple[Check, ...]:
    """Return the check that is wished."""
    if wish.check is None:
        return ()
    said = SQL("{} CHECK ({})").format(SQL(wish.type), SQL(wish.check))
    return (Check(check_name(session, table, wish.column, said), SQL(wish.check)),)


def domain_check(session: Session, table: Table, column: str, domain: str) -> Check:
    """Return a check that a column's values are those of a domain."""
    # The cast itself fails, as the domain would; that something is true of its outcome is not seen through.
    name = free_name(session, table, fitted(table.plain, column, "domain", "check"))
    said = SQL("pg_catalog.num_nonnulls(({})::{}) >= 0").format(Identifier(column), SQL(domain))
    return Check(name, said)
