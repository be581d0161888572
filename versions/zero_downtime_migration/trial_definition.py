"""Try what the definition of an index or a constraint comes to: on an empty copy of the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import refused, rolled_back

_PROBE: Final = "agentdb_probe"


@dataclass(frozen=True)
class IndexShape:
    """What an index is, whatever it is called and wherever it is.

    `body` is its definition behind the table's name, as PostgreSQL writes it. `columns` are called as
    PostgreSQL would put them into a name, `keys` are the expressions that it compares.
    """

    unique: bool
    body: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    nulls_equal: bool
    where: str | None


@dataclass(frozen=True)
class Rule:
    """What a constraint is: its definition as PostgreSQL writes it, its columns, its condition, its index."""

    definition: str
    columns: tuple[str, ...]
    condition: str | None
    shape: IndexShape | None


def shape(session: Session, table: Table, definition: Composable, *, unique: bool) -> IndexShape:
    """Return what an index comes to that is defined so, behind the table's name.

    Locks: ACCESS SHARE on the table, as a reader does.

    Raises:
        TableError: PostgreSQL refuses it; the message is its own.
    """
    made = SQL("CREATE {} INDEX {} ON {} {}").format(
        SQL("UNIQUE" if unique else ""), Identifier(_PROBE), _copy(table), definition
    )
    with _copied(session, table, "the index"):
        session.run(made)
        return _shape(session, _index(session))


def rule(session: Session, table: Table, definition: Composable) -> Rule:
    """Return what a constraint comes to that is defined so.

    Locks: ACCESS SHARE on the table, as a reader does.

    Raises:
        TableError: PostgreSQL refuses it; the message is its own.
    """
    made = SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(_copy(table), Identifier(_PROBE), definition)
    with _copied(session, table, "the constraint"):
        session.run(made)
        found = session.ask("probed_rule", table=_copy(table).as_string(session.connection), name=_PROBE)[0]
        said, columns, condition, index = found
        return Rule(said, tuple(columns), condition, _shape(session, index) if index else None)


def _copy(table: Table) -> Identifier:
    # By the same name, which an expression may hold.
    return Identifier("pg_temp", table.plain)


@contextmanager
def _copied(session: Session, table: Table, what: str) -> Iterator[None]:
    copied = SQL("CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING GENERATED)")
    with (
        refused(
            f'PostgreSQL refuses {what} on "{table.name}"', "correct its definition; nothing was changed"
        ),
        rolled_back(session),
    ):
        session.run(copied.format(_copy(table), SQL(table.name)))
        yield


def _index(session: Session) -> int:
    return int(session.value("probed_index", name=_PROBE))


def _shape(session: Session, index: int) -> IndexShape:
    facts = session.ask("index_facts", table=session.value("indexed_by", index=index), name=None)
    unique, body = next((row[4], row[5]) for row in facts if row[0] == index)
    columns, keys, nulls_equal, where = session.ask("index_parts", index=index)[0]
    return IndexShape(unique, body, tuple(columns), tuple(keys), nulls_equal, where)
