"""Read what some columns drag along: indexes, checks, foreign keys, sequences, grants and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.following import Carried, carried
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import rolled_back, unpathed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.turning import Trial, Turned


@dataclass(frozen=True)
class Mark:
    """What is set of a column: its number, statistics target, options and comment."""

    name: str
    number: int
    target: int | None
    options: str | None
    comment: str | None


@dataclass(frozen=True)
class Index:
    """An index to be built anew; `stands` is "p" or "u" for a key, `deferred` is how that is checked."""

    oid: int
    name: str
    unique: bool
    stands: str
    deferred: str
    replica: bool
    clustered: bool
    comment: str | None
    key_comment: str | None
    tablespace: str | None

    @property
    def new(self) -> str:
        """What it is called until the old one is gone."""
        return fitted(self.name, "new")


@dataclass(frozen=True)
class Check:
    """A check ("c"), or the NOT NULL ("n") that some servers keep as a constraint."""

    name: str
    kind: str
    definition: str
    valid: bool
    comment: str | None
    numbers: tuple[int, ...]

    @property
    def new(self) -> str:
        """What it is called until the old one is gone."""
        return fitted(self.name, "new")


@dataclass(frozen=True)
class Reference:
    """A foreign key; `own`: these columns refer; `known`: it is of a kind that can be made anew."""

    name: str
    own: bool
    referring: str
    referred: str
    columns: tuple[str, ...]
    referred_columns: tuple[str, ...]
    emptied: tuple[str, ...]
    match: str
    on_update: str
    on_delete: str
    deferred: str
    valid: bool
    comment: str | None
    known: bool

    @property
    def new(self) -> str:
        """What it is called until the old one is gone."""
        return fitted(self.name, "new")


@dataclass(frozen=True)
class Statistics:
    """A statistics object, and `uses` whether it is of these columns."""

    oid: int
    called: str
    name: str
    definition: str
    target: str | None
    owner: str
    comment: str | None
    uses: bool
    schema: str

    @property
    def new(self) -> str:
        """What it is called until the old one is gone."""
        return fitted(self.name, "new")


@dataclass(frozen=True)
class Counter:
    """A sequence of a column, and what it is set to; `least` and `most` where they are not usual."""

    column: str
    identity: bool
    schema: str
    name: str
    mode: str
    type: str
    start: int
    step: int
    cache: int
    cycle: bool
    least: int | None
    most: int | None
    comment: str | None
    grants: tuple[str, ...]


@dataclass(frozen=True)
class Dragged:
    """All that the columns of a table drag along, and what the server has made of them on trial."""

    table: Table
    trial: Trial
    marks: tuple[Mark, ...]
    grants: tuple[tuple[str, str, str], ...]
    indexes: tuple[Index, ...]
    checks: tuple[Check, ...]
    references: tuple[Reference, ...]
    statistics: tuple[Statistics, ...]
    sequences: tuple[Counter, ...]
    carried: Carried
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[Turned, ...]:
        """What the columns will be."""
        return self.trial.columns

    def named(self, column: str) -> str:
        """Return what a column of the table is called while both are there, in the new form."""
        return next((one.shadow for one in self.columns if one.name == column), column)


def read(
    session: Session,
    table: Table,
    trial: Trial,
    *,
    elsewhere: Mapping[str, Mapping[str, str]] | None = None,
) -> Dragged:
    """Return what the columns of a trial drag along.

    *elsewhere* are the columns of other tables that are turned too, each with its new form: foreign keys from
    there are theirs to make anew, and those to there refer to the new form.

    Raises:
        TableError: something of it cannot be carried over, and is named.
    """
    names = [one.name for one in trial.columns]
    turned = dict(elsewhere or {})
    with rolled_back(session):
        unpathed(session)
        marks = [Mark(*row) for row in session.ask("column_marks", oid=table.oid, names=names)]
        numbers = [mark.number for mark in marks]
        known: dict[str, object] = {"oid": table.oid, "numbers": numbers}
        references = [Reference(*map(_fixed, row)) for row in session.ask("references_of", **known)]
        _refuse_references(table, references, turned)
        return Dragged(
            table=table,
            trial=trial,
            marks=tuple(marks),
            grants=tuple(
                (name, before, after)
                for name, before, after in session.ask("turned_grants", oid=table.oid, names=names)
            ),
            indexes=tuple(Index(*row) for row in session.ask("used_indexes", **known)),
            checks=tuple(Check(*map(_fixed, row)) for row in session.ask("turned_checks", **known)),
            references=tuple(one for one in references if one.own),
            statistics=tuple(Statistics(*row) for row in session.ask("all_statistics", **known) if row[7]),
            sequences=tuple(Counter(*map(_fixed, row)) for row in session.ask("sequences_of", **known)),
            carried=carried(session, table, numbers),
            elsewhere=turned,
        )


def _fixed(value: Any) -> Any:  # noqa: ANN401  (whatever the catalogue holds)
    return tuple(value) if isinstance(value, list) else value


def _refuse_references(
    table: Table, references: Sequence[Reference], turned: Mapping[str, Mapping[str, str]]
) -> None:
    for one in references:
        if not one.known:
            raise TableError(
                f'the foreign key "{one.name}" of "{one.referring}" is of a partitioned table, a period or '
                "not enforced, and cannot be carried over",
                hint="drop it first, and make it again afterwards",
            )
        followed = turned.get(one.referring, {})
        if not one.own and not set(one.columns) & set(followed):
            raise TableError(
                f'the foreign key "{one.name}" of "{one.referring}" refers to what changes in "{table.name}"',
                hint="change both sides together: widen_key does it for whole numbers",
            )
