"""Find how a column that is declared can be added without rewriting its table."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration import emulated, numbered
from spotify_ai_agent_migrations.versions.zero_downtime_migration.added_checks import (
    Check,
    checks_of,
    domain_check,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.declaration import (
    Declaration,
    clause,
    typed,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.numbered import Numbered
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_column import Asked, asked


@dataclass(frozen=True)
class Declared:
    """How a column is added.

    `said` is the type that was declared, `type` the one it gets. `first` is what stands behind its name when
    it is added, `then` what follows in the same transaction, `forget` what takes that away; `whole` and
    `plain_then` are the same where the table may be rewritten. `fill` are the value of old rows and which of
    them are due. `not_null` is whether it is made NOT NULL when all rows have a value, `last` what then
    follows.
    """

    said: str
    type: str
    first: Composable
    whole: Composable
    then: tuple[Composable, ...] = ()
    plain_then: tuple[Composable, ...] = ()
    forget: tuple[Composable, ...] = ()
    fill: tuple[str, str] | None = None
    not_null: bool = False
    checks: tuple[Check, ...] = ()
    last: tuple[Step, ...] = ()


def _counted(made: Numbered, answer: Asked, whole: Composable) -> Declared:
    """Return how a column is added that gets its values from a sequence."""
    return Declared(
        said=answer.type,
        type=answer.type,
        first=SQL(answer.type),
        whole=whole,
        then=made.create,
        fill=(made.value, made.due),
        not_null=True,
        last=made.last,
    )


def declared(session: Session, table: Table, wish: Declaration) -> Declared:
    """Return how the server can add the column that is wished.

    Raises:
        TableError: it would not take it however it is added.
    """
    answer = asked(session, table, wish.column, clause(wish))
    domain = session.ask("domain_of", type=answer.type_oid)
    if answer.serial:
        found = _counted(numbered.serial(session, table, wish.column, answer.type), answer, SQL(wish.type))
    elif wish.identity is not None:
        made = numbered.identity(session, table, wish.column, answer.type, wish.identity)
        found = _counted(made, answer, clause(wish))
    elif wish.emulated:
        found = _emulated(session, table, wish, answer)
    elif answer.rewrites and domain:
        found = _below_domain(session, table, wish, answer)
    else:
        found = _given(session, table, wish, answer)
    return replace(found, checks=(*checks_of(session, table, wish), *found.checks))


def _given(session: Session, table: Table, wish: Declaration, answer: Asked) -> Declared:
    """Return how a column is added whose default is the same for all rows, or different for each."""
    inline = SQL(" NOT NULL" if wish.not_null else "")
    whole = clause(wish) + inline
    found = Declared(said=answer.type, type=answer.type, first=whole, whole=whole)
    if answer.expression is None or wish.generated is not None:
        # Old code leaves it out: it is made NOT NULL in the end.
        return replace(found, first=clause(wish), not_null=wish.not_null)
    if not answer.rewrites:
        return found
    return replace(
        found,
        first=typed(wish, answer.type),
        then=(_defaulted(table, wish.column, answer.expression),),
        fill=(answer.expression, session.text(SQL("{} IS NULL").format(Identifier("t", wish.column)))),
        not_null=wish.not_null,
    )


def _below_domain(session: Session, table: Table, wish: Declaration, answer: Asked) -> Declared:
    """Return how a column is added that gets the type below its domain, and the domain's rules as its own."""
    below, refuses_null, has_checks, default = session.ask("domain_of", type=answer.type_oid)[0]
    wanted = replace(  # type: ignore[type-var]  # every wish is a dataclass
        wish,
        type=below,
        default=default if answer.expression is None else answer.expression,
        not_null=wish.not_null or refuses_null,
    )
    found = _given(session, table, wanted, asked(session, table, wish.column, clause(wanted)))
    if not has_checks:
        return replace(found, said=answer.type)
    return replace(found, said=answer.type, checks=(domain_check(session, table, wish.column, answer.type),))


def _emulated(session: Session, table: Table, wish: Declaration, answer: Asked) -> Declared:
    assert answer.expression is not None
    made = emulated.computed(session, table, wish.column, answer.type, answer.expression)
    return Declared(
        said=answer.type,
        type=answer.type,
        first=typed(wish, answer.type),
        whole=typed(wish, answer.type),
        then=made.create,
        plain_then=made.create,
        forget=made.drop,
        fill=(made.expression, made.due),
        not_null=wish.not_null,
    )


def _defaulted(table: Table, column: str, expression: str) -> Composable:
    return SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
        SQL(table.name), Identifier(column), SQL(expression)
    )
