"""Decide which tables may be used, and how sequences move on. No database here, and no file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, TableError

_KINDS: Final = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "S": "sequence",
    "f": "foreign table",
    "c": "composite type",
    "t": "TOAST table",
    "i": "index",
    "I": "partitioned index",
}
IMPORTABLE: Final = "rp"
EXPORTABLE: Final = "rpvm"

_SHOWN_MOST: Final = 12
_STEPS_MOST: Final = 10_000
_STEPS_PATIENT: Final = 1_000_000


@dataclass(frozen=True)
class Column:
    """A column of a table; `required` says it is NOT NULL and nothing fills it in its absence.

    `number` is its place in the catalogue, `category` the one of its type there. `data_class` is the class of
    data that its comment begins with, or that of the table it comes from, if any. `always` says that the
    server numbers it, whatever an UPDATE says; `may_lack`, that a row which leaves it out has NULL there.
    """

    name: str
    type: str
    required: bool = False
    generated: bool = False
    sequence: str | None = None
    number: int = 0
    category: str = ""
    always: bool = False
    may_lack: bool = False
    data_class: str | None = None

    @property
    def is_personal(self) -> bool:
        """Whether a comment says that it holds personal data."""
        return self.data_class not in {None, "none"}


@dataclass(frozen=True)
class Table:
    """A relation of the catalogue; `qualified` is its name as SQL wants it written.

    `serial_only` says that rows of it may wait for one another: two sessions must not load it as one.
    """

    oid: int
    schema: str
    name: str
    qualified: str
    kind: str
    columns: tuple[Column, ...] = ()
    is_system: bool = False
    row_security: bool = False
    has_before_trigger: bool = False
    primary_key: tuple[str, ...] = ()
    estimated_rows: int = 0
    size_bytes: int = 0
    may_select: bool = True
    serial_only: bool = False
    has_unique: bool = False


@dataclass(frozen=True)
class OwnedSequence:
    """A sequence that fills a column: where it stands, and what the login may do with it.

    `last` is the value given out last; before the first one, the one below it; None where it is hidden.
    """

    name: str
    increment: int
    greatest: int
    last: int | None
    may_step: bool
    may_set: bool


@dataclass(frozen=True)
class Move:
    """How a sequence moves on: by `steps`, or with none of them, by being set to `value`."""

    steps: int
    value: int


def accept_name(text: str) -> str:
    """Return *text*, fit to be sent to the server.

    Raises:
        TableError: it holds what no name can hold.
    """
    lone_surrogate = any("\ud800" <= letter <= "\udfff" for letter in text)
    if "\0" in text or lone_surrogate:
        raise refused_name(text)
    return text


def refused_name(text: str) -> TableError:
    """Say that *text* is not the name of a table, and how to write one."""
    bare = shown(text).replace('"', "")
    return TableError(
        f'"{bare}" is not the name of a table',
        hint=f"""write it as in SQL: users, public.users, or in double quotes: '"{bare or "Odd Name"}"'""",
    )


def unknown_table(text: str, existing: Sequence[str]) -> TableError:
    """Say that no table is called *text*, with the names most like it among *existing*, or all of them."""
    bare = {name.rpartition(".")[2]: name for name in existing}
    near = [bare[name] for name in get_close_matches(text.rpartition(".")[2], bare, n=3)]
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif existing:
        hint = f"this database has {listed(existing)}"
    else:
        hint = "this database has no tables yet; run the migrations first"
    return TableError(f"there is no table {shown(text)}", hint=hint)


def refuse_other_kinds(table: Table, allowed: str, *, verb: str) -> None:
    """Refuse what is not a kind of relation that *verb* goes with.

    Raises:
        TableError: says what it is.
    """
    if table.is_system:
        raise TableError(
            f"{table.qualified} belongs to the system catalogue and cannot be {verb}",
            hint="name a table of yours",
        )
    if table.kind not in allowed:
        what = _KINDS.get(table.kind, "relation of another kind")
        article = "an" if what.startswith("i") else "a"
        raise TableError(
            f"{table.qualified} is {article} {what} and cannot be {verb}",
            hint=f"what can be {verb}: {', '.join(f'{_KINDS[kind]}s' for kind in allowed)}",
        )


def refuse_row_security(table: Table, login: str) -> None:
    """Refuse to load a table whose row security applies to us: COPY cannot check its policies.

    Raises:
        TableError: it does.
    """
    if table.row_security:
        raise TableError(
            f'row security of {table.qualified} applies to "{login}", and COPY cannot load under it',
            hint=f"connect as the owner of {table.qualified}, or as a role with BYPASSRLS",
        )


def exported_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns that an export holds: all but the generated ones, which no import could fill.

    Raises:
        TableError: there are none.
    """
    columns = fillable(table)
    if not columns:
        raise TableError(
            f"{table.qualified} has no columns to export", hint="add a column, or name another table"
        )
    return columns


def fillable(table: Table) -> tuple[Column, ...]:
    """Return the columns that a file may fill."""
    return tuple(column for column in table.columns if not column.generated)


def plan_move(sequence: OwnedSequence, loaded: int) -> Move | None:
    """Return the move to make; None when *sequence* gives values past *loaded*.

    Never a move back, and none for a sequence that counts down. Where it stands is hidden from a login
    without SELECT until a first step is made: that is the move then, and the next one follows from there.

    Raises:
        PrivilegeError: the login may not make that move.
    """
    step, last = sequence.increment, sequence.last
    if step < 0 or (last is not None and min(loaded, sequence.greatest) <= last):
        return None
    steps = 1 if last is None else _steps(sequence, last, loaded)
    if steps == 0:
        return None
    # A step never goes back, whatever others do meanwhile. To be set is quick, and only safe far ahead.
    by_steps = steps <= _STEPS_MOST or not sequence.may_set
    if not sequence.may_step or (by_steps and steps > _STEPS_PATIENT):
        raise refused_sequence(sequence.name)
    return Move(steps=steps if by_steps else 0, value=(last or 0) + steps * step)


def _steps(sequence: OwnedSequence, last: int, loaded: int) -> int:
    """Return how many steps lead from *last* to *loaded* or past it, short of the end of the sequence."""
    steps = -((last - min(loaded, sequence.greatest)) // sequence.increment)
    return steps - (last + steps * sequence.increment > sequence.greatest)


def refuse_unmovable(sequence: OwnedSequence) -> None:
    """Refuse to number rows that *sequence* would then number again.

    Raises:
        PrivilegeError: the login may not move it.
    """
    if not sequence.may_step:
        raise refused_sequence(sequence.name)


def refused_sequence(name: str) -> PrivilegeError:
    """Say that the login may not move the sequence *name*."""
    return PrivilegeError(
        f"the file fills a column that the sequence {name} numbers, and this login may not move it",
        hint=f"GRANT USAGE, UPDATE ON SEQUENCE {name} TO the login, and run again",
    )


def shown(text: str) -> str:
    """Return *text* on one line of a bearable length."""
    line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return line if len(line) <= 80 else f"{line[:79]}…"


def quoted(name: str) -> str:
    """Return *name* as a message shows it, and as SQL would have it: a quote inside is doubled."""
    doubled = shown(name).replace('"', '""')
    return f'"{doubled}"'


def names_of(columns: Sequence[Column]) -> str:
    """Return the names of *columns* as a message shows them."""
    return listed([quoted(column.name) for column in columns])


def listed(names: Iterable[str]) -> str:
    """Return *names* with commas between them, the first dozen if there are more."""
    every = list(names)
    more = len(every) - _SHOWN_MOST
    return ", ".join(every[:_SHOWN_MOST]) + (f" and {more} more" if more > 0 else "")
