"""Read from the catalogue what a table is, how far its conversion has come and which partitions it has."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg2.sql import Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning.periods import KeyKind, Span, kind_of, span_of
from spotify_ai_agent_migrations.versions.partitioning.plan import Partition
from spotify_ai_agent_migrations.versions.partitioning.session import Row, Session

# What begins the comment of a partition that this package made; another one is never dropped.
MARK: Final = "partition made by agentdb"
# What begins the comment of a table whose rows are elsewhere: a copy in the making, or one left over.
COPY: Final = "copy by agentdb"
_WAS: Final = re.compile(
    r"partitioned by agentdb; its key was (?P<key>\[[^\n]*\]|[^\n]*)(?:\n(?P<more>.*))?", re.DOTALL
)


@dataclass(frozen=True)
class Table:
    """A table: its names, as they are and as SQL writes them; its key column; its primary key."""

    oid: int
    schema: str
    plain: str
    name: str
    owner: str
    partitioned: bool
    size_bytes: int
    key: str
    kind: KeyKind
    primary: str
    primary_columns: tuple[str, ...]
    primary_comment: str | None

    @property
    def legacy(self) -> str:
        """What the table with the old rows is called."""
        return f"{self.plain}_legacy"

    @property
    def built(self) -> str:
        """What the index is called that becomes the key of the old rows."""
        return f"{self.plain}_legacy_pkey"

    @property
    def shadow(self) -> str:
        """What the copy is called that a split makes."""
        return f"{self.plain}_split"

    @property
    def check(self) -> str:
        """What the check is called that proves where the old rows end."""
        return f"{self.plain}_legacy_bound_check"

    @property
    def new_key(self) -> tuple[str, ...]:
        """The columns of the key of the partitioned table."""
        return (*self.primary_columns, *(() if self.key in self.primary_columns else (self.key,)))

    @property
    def identifier(self) -> Identifier:
        """Its name."""
        return Identifier(self.schema, self.plain)

    def renamed(self, index: str) -> str:
        """Return what an index of the table is called once it is one of the table with the old rows."""
        begun = index.startswith(f"{self.plain}_")
        return self.legacy + index.removeprefix(self.plain) if begun else f"{self.legacy}_{index}"

    def beside(self, name: str) -> Identifier:
        """Return the name of something in the same schema."""
        return Identifier(self.schema, name)

    @property
    def was(self) -> dict[str, Any]:
        """What the table was before it was partitioned."""
        found = _WAS.fullmatch(self.primary_comment or "")
        if found is None:
            raise TableError(
                f'table "{self.name}" was not partitioned by this package',
                hint="only what it made can be taken back by it",
            )
        key = json.loads(found["key"]) if found["key"].startswith("[") else found["key"].split(", ")
        return {"publications": [], "comment": None, **json.loads(found["more"] or "{}"), "primary_key": key}


@dataclass(frozen=True)
class Progress:
    """How far a conversion has come: None is not there, False not valid; `bound` is the end of old rows."""

    index_valid: bool | None
    check_valid: bool | None
    bound: str | None


@dataclass(frozen=True)
class Incoming:
    """A foreign key of another table that refers to this one."""

    name: str
    schema: str
    plain: str
    owner: str
    columns: tuple[str, ...]
    referred: tuple[str, ...]
    on_delete: str
    validated: bool
    text: str
    comment: str | None

    @property
    def identifier(self) -> Identifier:
        """The name of the table that refers."""
        return Identifier(self.schema, self.plain)


@dataclass(frozen=True)
class Numbered:
    """A column that numbers itself by a sequence."""

    column: str
    schema: str
    sequence: str
    identity: str
    made: str
    options: str
    grants: tuple[str, ...]
    comment: str | None

    @property
    def identifier(self) -> Identifier:
        """The name of the sequence."""
        return Identifier(self.schema, self.sequence)

    @property
    def cache(self) -> str:
        """How many numbers a session takes at a time, as SQL."""
        found = re.search(r"CACHE \d+", self.options)
        return found[0] if found else "CACHE 1"


def table(session: Session, name: str, key: str | None = None) -> Table:
    """Return the table called *name*; *key* is its key column, which a partitioned one knows itself.

    Raises:
        TableError: there is none, or no such column, or its type has no periods.
    """
    found = session.ask("table_facts", table=name, key=key)
    if not found:
        raise TableError(f'there is no table "{name}"', hint="say schema.table, as SQL writes it")
    oid, schema, plain, qualified, owner, letter, size, type_name, column, primary, columns, comment = found[
        0
    ]
    if type_name is None:
        raise TableError(
            f'table "{qualified}" has no column "{key}"'
            if key
            else f'table "{qualified}" is not partitioned',
            hint="name the column that holds the time" if key else "agentdb partitioning convert TABLE KEY",
        )
    return Table(
        oid, schema, plain, qualified, owner, letter == "p", size, column, kind_of(type_name),
        primary or "", tuple(columns or ()), comment,
    )  # fmt: skip


def publications(session: Session, oid: int) -> tuple[str, ...]:
    """Return the publications that publish partitions as their table for the sake of this package alone."""
    return tuple(
        str(name)
        for name, via_root, others in session.ask("published", oid=oid)
        if not via_root or any(name in _was(comment).get("publications", ()) for comment in others)
    )


def _was(comment: str) -> dict[str, Any]:
    found = _WAS.fullmatch(comment)
    told = json.loads(found["more"] or "{}") if found else {}
    return dict(told)


def was_comment(described: Table, publications: tuple[str, ...]) -> str:
    """Return the comment of the new primary key, which says what the old one was."""
    columns = described.primary_columns
    # Names that need no quotation marks can be read as they are.
    plain = all(re.fullmatch("[a-z_][a-z0-9_]*", name) for name in columns)
    key = ", ".join(columns) if plain else json.dumps(columns, ensure_ascii=False)
    more = {"publications": publications, "comment": described.primary_comment}
    told = {name: value for name, value in more.items() if value}
    return f"partitioned by agentdb; its key was {key}" + (
        "\n" + json.dumps(told, ensure_ascii=False) if told else ""
    )


def progress(session: Session, described: Table) -> Progress:
    """Return how far the conversion of a table has come that is not partitioned yet."""
    return Progress(
        *session.ask("progress", oid=described.oid, built=described.built, check=described.check)[0]
    )


def obstacles(session: Session, described: Table) -> tuple[str, ...]:
    """Return everything about a table that cannot be carried over, by name."""
    found = session.ask(
        "obstacles", oid=described.oid, key=described.key, built=described.built, check=described.check
    )
    indexes = session.ask("own_indexes", oid=described.oid, built=described.built)
    renamed = [described.renamed(str(name)) for name, _ in indexes]
    names = [described.legacy, described.built, *renamed]
    taken = session.ask("names_taken", oid=described.oid, schema=described.schema, names=names)
    dependent = dependents(session, described.oid)
    return (
        *(str(line) for (line,) in found),
        *(str(line) for (line,) in session.ask("not_allowed", oid=described.oid)),
        *(f"{one} and would go on reading the old rows only: drop it" for one in dependent),
        *(f'two indexes would be called "{name}": rename one' for name in sorted(_doubles(names))),
        *(f'"{name}" is there, and the old rows need the name: rename it' for (name,) in taken),
    )


def _doubles(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def is_being_split(session: Session, described: Table) -> bool:
    """Tell whether a split of a table was begun and is not over."""
    return session.value("oid_of", table=session.text(described.beside(described.shadow))) is not None


def refuse_all(begin: str, found: Sequence[str]) -> None:
    """Refuse what stands in the way, all of it at once.

    Raises:
        TableError: *found* is not empty.
    """
    if found:
        raise TableError(
            f"{begin}: {'; '.join(found)}", hint="mend each of them, and run it again; nothing was changed"
        )


def dependents(session: Session, oid: int) -> tuple[str, ...]:
    """Return what else depends on a table and stays with what has its number now: "… depends on it"."""
    return tuple(str(line) for (line,) in session.ask("dependents", oid=oid))


def hold_on(session: Session, table: Table, oid: int) -> int | None:
    """Return the number of a legal hold that keeps a row of a part of *table*; None is none."""
    if not session.value("knows_holds"):
        return None
    hold = session.value("hold_on", part=oid, whole=table.oid)
    return None if hold is None else int(hold)


def incoming(session: Session, oid: int) -> tuple[Incoming, ...]:
    """Return the foreign keys that refer to a table."""
    return tuple(Incoming(*_listed(row, 4, 5)) for row in session.ask("incoming", oid=oid))


def numbered(session: Session, oid: int) -> tuple[Numbered, ...]:
    """Return the columns of a table that number themselves."""
    return tuple(Numbered(*_listed(row, 6)) for row in session.ask("numbered", oid=oid))


def _listed(row: Row, *places: int) -> list[Any]:
    """Return the values of a row, with arrays at these places as tuples."""
    return [tuple(value) if place in places else value for place, value in enumerate(row)]


def partitions(session: Session, described: Table) -> tuple[Partition, ...]:
    """Return the partitions of a table whose bounds are periods, in the order of their bounds.

    Raises:
        TableError: one has no bounds to compare, as a DEFAULT partition.
    """
    found = []
    for oid, schema, plain, name, bound, comment, detaching, rows, size in session.ask(
        "partitions", oid=described.oid
    ):
        span = span_of(described.kind, bound or "")
        if span is None and not detaching:
            raise TableError(
                f'partition "{name}" is not a span of time: {bound or "it has no bounds"}',
                hint="detach it, or look after this table by hand",
            )
        ours = bool(comment) and comment.startswith(MARK)
        found.append(
            Partition(oid, schema, plain, name, span or Span(None, None), ours, detaching, rows, size)
        )
    return tuple(sorted(found, key=lambda one: _place(one.span.since)))


def _place(since: datetime | None) -> tuple[bool, Any]:
    return (since is not None, since)


def clock(session: Session) -> tuple[datetime, bool]:
    """Return the time by the server, and whether it is a standby."""
    now, standby = session.ask("clock")[0]
    return now, standby


def key_of(session: Session, name: str) -> str | None:
    """Return the column that a table is partitioned by, or is about to be; None where nothing says so.

    Raises:
        TableError: there is no such table.
    """
    number_of(session, name)
    found = session.value("key_of", table=name)
    return str(found) if found is not None else None


def number_of(session: Session, name: str) -> int:
    """Return the number of a table.

    Raises:
        TableError: there is none.
    """
    found = session.value("oid_of", table=name)
    if found is None:
        raise TableError(f'there is no table "{name}"', hint="say schema.table, as SQL writes it")
    return int(found)


def qualified(session: Session, name: str) -> str:
    """Return a table's name with its schema, as SQL writes it.

    Raises:
        TableError: there is none.
    """
    return str(session.value("name_of", oid=number_of(session, name)))
