"""An UPDATE of a whole table that was there before is done in batches.

Why: one statement locks every row until it ends, writes the table a second time, and keeps vacuum and the
replicas waiting; when it is cut off, all of it is lost.
Fix: give it a revision of its own that goes through the table by key and commits on the way; it may be run
again:

    with op.get_context().autocommit_block():
        execute(\"\"\"
            DO $batches$
            BEGIN
                LOOP
                    UPDATE users SET plan = 'free'
                     WHERE id IN (SELECT id FROM users WHERE plan IS NULL LIMIT 10000);
                    EXIT WHEN NOT FOUND;
                    COMMIT;
                END LOOP;
            END
            $batches$
        \"\"\")

Tables of the same revision are exempt. Not seen: a WHERE that holds for every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import ChangeRows
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG056"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each UPDATE without WHERE."""
    for revision, act in history.changes(ChangeRows):
        if act.verb != "update" or not act.everywhere:
            continue
        table = hints.identifier(act.table)
        batch = (
            f"DO $batches$ BEGIN LOOP UPDATE {table} SET … WHERE <key> IN (SELECT <key> FROM {table} "  # noqa: S608
            "WHERE <not done yet> LIMIT 10000); EXIT WHEN NOT FOUND; COMMIT; END LOOP; END $batches$"
        )
        yield _found(
            revision.path,
            f"one UPDATE locks every row of {hints.quoted(act.table)} until it ends, "
            "and loses all when it is cut off",
            hint=f"write {hints.alone(hints.execute(batch))}, alone in a revision, instead in "
            f"{revision.file_name}",
            at=revision.place_of_act(act),
        )
