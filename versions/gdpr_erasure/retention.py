"""Delete what no rule of retention keeps any longer (GDPR art. 5(1)(e)), but for what a hold keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, SettingsError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import eraser

BATCH_ROWS: Final = 10_000
MOST_BATCH_ROWS: Final = 100_000
_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure")
# Rows that others refer to go once those are gone: as often as tables hang on one another.
_MOST_ROUNDS: Final = 10
_LEFT: Final = {
    "drop_partition": "whole partitions go by `agentdb partitioning maintain`",
    "anonymise": "rows are made anonymous by whoever wrote the rule: nothing here does",
    "archive": "rows are archived by whoever wrote the rule: nothing here does",
}


@dataclass(frozen=True)
class Retained:
    """What became of the rows that one rule keeps no longer.

    deleted: how many went, or would go. held: how many a hold keeps. needed: how many others refer to that
    are kept themselves. note: why nothing was done, or what went wrong.
    """

    table: str
    rule: str
    action: str
    deleted: int = 0
    held: int = 0
    needed: int = 0
    note: str | None = None
    failed: bool = False


def apply_retention(
    url: str | None = None, *, dry_run: bool = False, batch_rows: int = BATCH_ROWS
) -> tuple[Retained, ...]:
    """Do what the rules of `retention_policies` say, and return what became of each.

    A rule that fails keeps no other from its turn. Each batch is a transaction of its own, so whoever
    interrupts this loses one batch, and the next run goes on.
    Locks: ROW EXCLUSIVE on the tables, and the rows of one batch; SHARE on ops.legal_holds while one lasts,
    so that no hold comes too late.

    Raises:
        SettingsError: a batch of no rows, or of more than 100,000, was asked for.
    """
    if not 1 <= batch_rows <= MOST_BATCH_ROWS:
        raise SettingsError(
            "a batch has no rows, or too many to be locked at once",
            hint=f"name a number from 1 to {MOST_BATCH_ROWS}",
        )
    with eraser(url) as connection:
        done = [
            _retained(connection, rule, dry_run=dry_run, batch_rows=batch_rows) for rule in _rules(connection)
        ]
        for _ in range(0 if dry_run else _MOST_ROUNDS):
            again = [_again(connection, one, batch_rows=batch_rows) for one in done]
            if not _went_on(done, again):
                break
            done = again
    return tuple(done)


def _rules(connection: Connection) -> list[Retained]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL["retention_rules"])
        rules = [Retained(*row) for row in cursor.fetchall()]
    connection.commit()
    return rules


def _again(connection: Connection, one: Retained, *, batch_rows: int) -> Retained:
    """Try the rule again whose rows others referred to."""
    if not one.needed:
        return one
    more = _retained(
        connection, replace(one, deleted=0, held=0, needed=0), dry_run=False, batch_rows=batch_rows
    )
    return replace(more, deleted=one.deleted + more.deleted)


def _went_on(before: list[Retained], after: list[Retained]) -> bool:
    return any(one.deleted < other.deleted for one, other in zip(before, after, strict=True))


def _retained(connection: Connection, rule: Retained, *, dry_run: bool, batch_rows: int) -> Retained:
    """Return *rule* with what became of its rows."""
    if rule.action in _LEFT:
        return replace(rule, note=_LEFT[rule.action])
    done = rule
    try:
        for gone, held, needed in _batches(connection, rule, dry_run=dry_run, batch_rows=batch_rows):
            done = replace(
                done, deleted=done.deleted + gone, held=done.held + held, needed=done.needed + needed
            )
    except MigrationError as error:
        return replace(done, note=error.problem, failed=True)
    return done


def _batches(
    connection: Connection, rule: Retained, *, dry_run: bool, batch_rows: int
) -> Iterator[tuple[int, int, int]]:
    """Yield what became of the rows of each batch, once it is committed."""
    after: str | None = None
    while True:
        values = {
            "table": rule.table,
            "rule": rule.rule,
            "most": batch_rows,
            "only_count": dry_run,
        }
        with translated(), connection, connection.cursor() as cursor:
            cursor.execute(_SQL["retain_after"], {"after": after or ""})
            cursor.execute(_SQL["retain"], values)
            ((gone, held, needed, after),) = cursor.fetchall()
        yield gone, held, needed
        if after is None:
            return
