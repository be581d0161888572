"""Decide which columns the header of a file means. No database here, and no file."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from spotify_ai_agent_migrations.versions.bulk_import_export.plan import (
    Column,
    Table,
    fillable,
    listed,
    names_of,
    quoted,
)
from spotify_ai_agent_migrations.versions.core.errors import FileError, TableError


def match_header(
    header: Sequence[str], table: Table, path: str, *, filled: Sequence[Column] = (), line: int = 1
) -> tuple[Column, ...]:
    """Return the column that each name of *header*, on *line*, means; *filled* ones are filled otherwise.

    A name means the column spelt so, else the only one spelt so but for case and surrounding spaces.

    Raises:
        FileError: a name is empty, unknown or there twice.
        TableError: a generated column is named, or one is left out that has to be filled.
    """
    place = f'"{path}" line {line}'
    found = [_meant(name, table.columns) for name in header]
    _refuse_unknown(header, found, table, place)
    columns = tuple(column for column in found if column is not None)
    _refuse_duplicates((*columns, *filled), place)
    _refuse_generated(columns, table, path)
    _refuse_missing((*columns, *filled), table, path)
    return columns


def _meant(name: str, columns: Sequence[Column]) -> Column | None:
    for spelt in (str, str.strip, lambda text: text.strip().casefold()):
        fitting = [column for column in columns if spelt(column.name) == spelt(name)]
        if len(fitting) == 1:
            return fitting[0]
    return None


def _refuse_unknown(header: Sequence[str], found: Sequence[Column | None], table: Table, where: str) -> None:
    if "" in (name.strip() for name in header):
        place = [name.strip() for name in header].index("") + 1
        raise FileError(
            f"{where}: name {place} of the header is empty",
            hint=f"{where.rpartition(chr(34))[2].strip()} must name columns of {table.qualified}: "
            f"{names_of(fillable(table))}",
        )
    unknown = [name for name, column in zip(header, found, strict=True) if column is None]
    if not unknown:
        return
    near = [_nearest(name, table) for name in unknown]
    if (len(header) - len(unknown) + sum(one is not None for one in near)) * 2 < len(header):
        # A file without a header: line 1 is a row, and a row is not repeated in a message.
        none = "no column" if len(unknown) == len(header) else "few columns"
        raise FileError(
            f"{where} names {none} of {table.qualified}",
            hint=f"the first line must be a header, or say that there is none (header=False, --no-header); "
            f"{table.qualified} has: {names_of(fillable(table))}",
        )
    meant = [
        f"did you mean {quoted(column.name)} for {quoted(name)}?"
        for name, column in zip(unknown, near, strict=True)
        if column is not None
    ]
    raise FileError(
        f"{where} names what {table.qualified} has no column for: {listed(map(quoted, unknown))}",
        hint=" ".join([*meant[:3], f"{table.qualified} has: {names_of(fillable(table))}"]),
    )


def _nearest(name: str, table: Table) -> Column | None:
    folded = {column.name.casefold(): column for column in reversed(fillable(table))}
    near = get_close_matches(name.strip().casefold(), folded, n=1)
    return folded[near[0]] if near else None


def _refuse_duplicates(columns: Sequence[Column], where: str) -> None:
    twice = [column for column in dict.fromkeys(columns) if columns.count(column) > 1]
    if twice:
        raise FileError(
            f"{where} names a column twice: {names_of(twice)}",
            hint="rename or remove all but one of the fields",
        )


def _refuse_generated(columns: Sequence[Column], table: Table, path: str) -> None:
    generated = [column for column in columns if column.generated]
    if generated:
        raise TableError(
            f'{table.qualified} generates {names_of(generated)} itself, and "{path}" brings values for it',
            hint=f"remove {names_of(generated)} from the file",
        )


def _refuse_missing(columns: Sequence[Column], table: Table, path: str) -> None:
    missing = [column for column in table.columns if column.required and column not in columns]
    # A trigger before the insert may fill what the file leaves out: then only the server can tell.
    if missing and not table.has_before_trigger:
        raise TableError(
            f'{table.qualified} needs {names_of(missing)}, and the header of "{path}" lacks it',
            hint=f"add {names_of(missing)} to the file, or give it a default in the table",
        )
