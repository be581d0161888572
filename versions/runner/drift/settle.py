"""Compare the schema with the one the journal knows, before a migration and on demand."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.errors import GovernanceError
from spotify_ai_agent_migrations.versions.core.fingerprint import (
    described_by,
    hashed,
    lasting,
    schema_objects,
)
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.runner import journal
from spotify_ai_agent_migrations.versions.runner.drift.difference import Difference, differences
from spotify_ai_agent_migrations.versions.runner.entry import Entry
from spotify_ai_agent_migrations.versions.runner.gate import applied_revisions
from spotify_ai_agent_migrations.versions.runner.options import Options

_log: Final = logging.getLogger("spotify_ai_agent_migrations")


@dataclass(frozen=True)
class Drift:
    """What differs from the journal: where the database is, and the objects of its schema.

    False when nothing does. `journaled` is None where there is no journal yet, or nothing in it.
    `incomparable` says why the schema could not be compared at all.
    """

    heads: tuple[str, ...]
    journaled: tuple[str, ...] | None
    differences: tuple[Difference, ...] = ()
    incomparable: str = ""

    def __bool__(self) -> bool:
        return self.heads != (self.journaled or ()) or bool(self.differences)

    def __str__(self) -> str:
        parts = []
        if self.heads != (self.journaled or ()):
            parts.append(
                f"the database is at {_shown(self.heads)}, and the journal at {_shown(self.journaled)}"
            )
        if self.differences:
            parts.append(f"{_count(len(self.differences))} from the journal")
        return "; ".join(parts) or self.incomparable


def find_drift(connection: Connection) -> Drift:
    """Return how the schema differs from the one that was journaled. Leaves no transaction open."""
    heads = applied_revisions(connection)
    if not journal.exists(connection):
        connection.rollback()
        return Drift(heads, None)
    journaled = journal.journaled_heads(connection)
    kept_by, kept = journal.kept_fingerprint(connection)
    here = described_by(connection)
    if kept_by not in {None, here}:
        connection.rollback()
        return Drift(
            heads, journaled, incomparable=f"the schema was described by {kept_by}, and is by {here}"
        )
    live = lasting(schema_objects(connection))
    differ = kept is not None and kept != hashed(live)
    found = differences(journal.kept_objects(connection), live) if differ else ()
    connection.rollback()
    return Drift(heads, journaled, found)


def settle_drift(connection: Connection, into: journal.Journal, settings: Settings, options: Options) -> None:
    """Decide whether to go on with a schema that differs: only said in development, refused in production.

    What is accepted, with the reason, becomes what the journal knows; so does a database that was there
    before the journal.

    Raises:
        GovernanceError: it differs, this is production, and nobody accepted it.
    """
    drift = find_drift(connection)
    reason: str | None
    if not drift and not drift.incomparable:
        return
    if not drift:
        # A new release, or a new server: from here on the schema is described its way.
        reason = drift.incomparable
    elif drift.journaled is None and not drift.differences:
        _log.info("the journal begins here, with the database at %s", _shown(drift.heads))
        reason = "the journal begins"
    elif options.accept_drift:
        reason = options.reason
    elif settings.environment == "production":
        raise GovernanceError(
            f"{drift}; nothing was executed",
            hint="`agentdb governance drift` shows what differs and the SQL that takes it back; "
            'to go on with it say -x accept-drift=1 -x reason="…"',
        )
    else:
        _log.warning("%s; `agentdb governance drift` shows what differs", drift)
        return
    if not options.dry_run:
        accept_schema(connection, into, drift.heads, reason)


def accept_schema(
    connection: Connection, into: journal.Journal, heads: tuple[str, ...], reason: str | None
) -> None:
    """Let the journal know the schema as it is, and why. Leaves no transaction open."""
    live = lasting(schema_objects(connection))
    connection.rollback()
    into.write(
        Entry(
            direction="accept",
            state="applied",
            fingerprint_after=hashed(live),
            heads_after=",".join(sorted(heads)),
            reason=reason,
        ),
        objects=live,
    )


def _shown(heads: tuple[str, ...] | None) -> str:
    return ", ".join(heads or ()) or "base"


def _count(found: int) -> str:
    return "1 object of the schema differs" if found == 1 else f"{found} objects of the schema differ"
