"""Drop a table that nobody needs: unused first, then put away, and only then gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import quarantine, relations
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session


@dataclass(frozen=True)
class DropTable:
    """Drop *table*, which is given with its schema.

    `start` remembers how often it was used. `verify` proves that nobody has read or written it since, for at
    least `unused_s` seconds, and puts it into a schema that only its owner may enter; `reads_ignored` scans,
    as those of a nightly dump, are no use. A session tells its reads when it is idle, ten seconds later at
    most. Let time pass again, for whoever misses it; abort brings it back as it was. `complete` drops its
    foreign keys one by one, the other table locked first, and then the table, with its sequences.

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
        relations.refuse(
            f'what hangs on "{table.name}" would be lost',
            relations.firsts(session, "dependents", oid=table.oid, defaults=True),
            "drop it first, or let it use another table",
        )
        return (
            *_proofs(session, table, self),
            *quarantine.steps(session, table),
        )


def _proofs(session: Session, table: Table, wish: DropTable) -> tuple[Step, ...]:
    """Return the steps that look whether it was used since now."""
    reads, writes, since, began = session.ask("uses_of", oid=table.oid)[0]
    known = {
        "oid": Literal(table.oid),
        "reads": Literal(reads),
        "writes": Literal(writes),
        "ignored": Literal(wish.reads_ignored),
        "since": Literal(since),
        "began": Literal(began),
        "unused_s": Literal(wish.unused_s),
    }

    def look(statement: str, name: str, failure: str, hint: str) -> Step:
        return Step(
            name=name,
            phase=Phase.VERIFY,
            kind=Kind.PROOF,
            sql=(session.text(SQL(STATEMENTS[statement]).format(**known)),),
            plain=(),
            failure=failure,
            hint=hint,
        )

    again = "abort it, find out who that is, and start it anew"
    return (
        look(
            "too_early",
            "wait until it was unused for long enough",
            f'"{table.name}" is to be unused for {{first}} seconds more',
            "verify it again then",
        ),
        look(
            "counted_anew",
            "look whether all uses were counted",
            f'the counters of uses of "{table.name}" have begun anew meanwhile',
            "abort it, and start it anew",
        ),
        look("used_since", "look for uses", f'"{table.name}" was {{first}} since it is to be dropped', again),
    )
