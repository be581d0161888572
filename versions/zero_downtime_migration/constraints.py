"""Read what the constraints of a table are, and validate one while others read and write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_NOT_VALID: Final = re.compile(r" NOT VALID$")
_DEFERRABLE: Final = {
    "": "",
    "deferrable": " DEFERRABLE",
    "deferred": " DEFERRABLE INITIALLY DEFERRED",
}


@dataclass(frozen=True)
class Constraint:
    """A constraint as it is: its kind is the catalogue's letter, its definition is without NOT VALID."""

    name: str
    kind: str
    definition: str
    valid: bool
    comment: str | None


def constraints(session: Session, table: int) -> tuple[Constraint, ...]:
    """Return the constraints of the table of that number, but those on NOT NULL."""
    return tuple(
        Constraint(name, kind, _NOT_VALID.sub("", definition), valid, comment)
        for name, kind, definition, valid, comment in session.ask("constraint_facts", table=table)
    )


def constraint_named(session: Session, table: int, name: str, definition: str) -> Constraint | None:
    """Return the constraint of that name and definition.

    Raises:
        TableError: it is defined in another way.
    """
    found = next((one for one in constraints(session, table) if one.name == name), None)
    if found is not None and found.definition != definition:
        raise TableError(
            f'the constraint "{name}" is another one: {found.definition}',
            hint="give the new one another name, or drop that one first",
        )
    return found


def deferrable(word: str) -> str:
    """Return how SQL says when a constraint is looked at: "", "deferrable" or "deferred".

    Raises:
        TableError: it is another word.
    """
    if word not in _DEFERRABLE:
        raise TableError(f'no constraint is "{word}"', hint='say "", "deferrable" or "deferred"')
    return _DEFERRABLE[word]


def added(session: Session, table: str, name: str, definition: str, ending: str = "") -> str:
    """Return the statement that adds a constraint."""
    statement = SQL("ALTER TABLE {} ADD CONSTRAINT {} {}{}").format(
        SQL(table), Identifier(name), SQL(definition), SQL(ending)
    )
    return session.text(statement)


def removed(session: Session, table: str, name: str) -> str:
    """Return the statement that takes a constraint away, if it is there."""
    return session.text(
        SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(SQL(table), Identifier(name))
    )


def comments(session: Session, table: str, name: str, comment: str | None) -> tuple[str, ...]:
    """Return the statement that says what a constraint is for, if anything is said."""
    if comment is None:
        return ()
    said: Composable = SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(
        Identifier(name), SQL(table), Literal(comment)
    )
    return (session.text(said),)


def validated(
    session: Session, table: str, name: str, *, others: Sequence[Lock] = (), phase: Phase = Phase.VERIFY
) -> Step:
    """Return the step that validates a constraint; done too where the table is gone meanwhile."""
    return Step(
        name=f"validate {name} of {table}",
        phase=phase,
        kind=Kind.ALONE,
        sql=(
            session.text(SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(SQL(table), Identifier(name))),
        ),
        locks=(Lock(table, "SHARE UPDATE EXCLUSIVE"), *others),
        held="while it reads the table; others read and write meanwhile",
        done=session.asked("is_validated", table=table, name=name),
        plain=(),
    )
