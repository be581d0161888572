"""What depends on a column beside constraints and indexes: made anew in one transaction, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class Carried:
    """What drops the dependents, what makes them anew, and the views among them as SQL writes them."""

    drop: tuple[str, ...]
    create: tuple[str, ...]
    views: tuple[str, ...]


def carried(session: Session, table: Table, numbers: Sequence[int]) -> Carried:
    """Return what carries over the dependents of columns, by their numbers; with an empty search path.

    Views keep their options, owner, grants, comments, defaults, rules and triggers.

    Raises:
        TableError: one of them cannot be carried over, and is named.
    """
    _refuse(session.ask("depends", oid=table.oid, numbers=list(numbers)), table)
    views = session.ask("views_on", oid=table.oid, numbers=list(numbers))
    _refuse([(f"{name}, which is no plain view,",) for _, name, plain in views if not plain], table)
    for oid, _, _ in views:
        _refuse(session.ask("depends_on_view", view=oid), table)
    pairs = [
        pair
        for query in ("publications_again", "triggers_again", "policies_again")
        for pair in session.ask(query, oid=table.oid, numbers=list(numbers))
    ]
    again = [row[2] for oid, _, _ in views for row in session.ask("view_again", view=oid)]
    return Carried(
        drop=(*(f"DROP VIEW {name}" for _, name, _ in reversed(views)), *(drop for drop, _ in pairs)),
        create=(*(line for _, create in pairs for line in create), *again),
        views=tuple(name for _, name, _ in views),
    )


def _refuse(found: Sequence[tuple[str, ...]], table: Table) -> None:
    if found:
        raise TableError(
            f'{found[0][0]} depends on what is to change in "{table.name}", and cannot be carried over',
            hint="drop it first, and make it again afterwards",
        )
