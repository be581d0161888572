"""Prove that nobody has used a table since a change of it began."""

from __future__ import annotations

from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session


def proofs(session: Session, table: Table, *, unused_s: int, reads_ignored: int) -> tuple[Step, ...]:
    """Return the steps that look whether it was used since now, by the counters of the server."""
    reads, writes, since, began = session.ask("uses_of", oid=table.oid)[0]
    known = {
        "oid": Literal(table.oid),
        "reads": Literal(reads),
        "writes": Literal(writes),
        "ignored": Literal(reads_ignored),
        "since": Literal(since),
        "began": Literal(began),
        "unused_s": Literal(unused_s),
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
