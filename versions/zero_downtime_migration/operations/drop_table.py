"""Drop a table that nobody needs: unused first, then put away, and only then gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    quarantine,
    refusals,
    unused,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class DropTable:
    """Drop *table*, which is given with its schema.

    `start` remembers how often it was used. `verify` proves that nobody has read or written it since, for at
    least `unused_s` seconds, and puts it, on what a contract demands, into a schema that only its owner may
    enter; `reads_ignored` scans, as those of a nightly dump, are no use. A session tells its reads when it
    is idle, ten seconds later at most; a DELETE in a table that it references reads it too. Let time pass
    again, for whoever misses it; abort brings it back as it was. `complete` drops its foreign keys one by
    one, the other table locked first, and then the table, with its sequences.

    Locks: ACCESS EXCLUSIVE on the table and each partition, on each in a transaction of its own; then on each
    table that it references.

    Raises:
        TableError: something else hangs on the table, as a view, a foreign key or a column of its type; or it
            was used.
    """

    table: str
    unused_s: int = 0
    reads_ignored: int = 0
    operation: ClassVar[str] = "drop_table"

    @property
    def subject(self) -> str:
        """All of it."""
        return "*"

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps: there is always something to do while it is there."""
        if table.is_partition:
            raise TableError(
                f'"{table.name}" is a partition', hint="detach it concurrently first, then drop it"
            )
        if session.value(SQL("SHOW track_counts")) != "on":
            raise TableError(
                f'nobody counts who uses "{table.name}"', hint="ALTER SYSTEM SET track_counts = on"
            )
        refusals.refuse(
            f'what hangs on "{table.name}" would be lost',
            refusals.firsts(session, "dependents", oid=table.oid, defaults=True),
            "drop it first, or let it use another table",
        )
        return (
            *unused.proofs(session, table, unused_s=self.unused_s, reads_ignored=self.reads_ignored),
            *quarantine.steps(session, table),
        )
