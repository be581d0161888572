"""Say what a caller asked of an export, checked. No database here, and no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spotify_ai_agent_migrations.versions.bulk_import_export.kinds import (
    TEXT,
    TEXTS,
    VALUES,
    WHOLE,
    YES_NO,
    refuse_other_kinds,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.options import refuse_workers
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.remote import is_address, without_secrets
from spotify_ai_agent_migrations.versions.core.errors import SettingsError

_FORMATS: Final = ("csv", "tsv", "jsonl", "copy", "binary", "parquet", "arrow")
_ENDINGS: Final = {
    ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".copy": "copy", ".pgcopy": "binary",
    ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
# Whoever opens such a file would not find what its name says.
_OTHERS: Final = (".json", ".xlsx", ".xls", ".ods", ".xml", ".avro", ".orc", ".zip", ".7z", ".lz4", ".br")
COLUMNAR: Final = ("parquet", "arrow")
_KINDS: Final = {
    **dict.fromkeys(("where", "format", "compression", "personal", "split_by"), TEXT),
    **dict.fromkeys(("columns", "order_by"), TEXTS),
    **dict.fromkeys(("for_spreadsheets", "manifest"), YES_NO),
    **dict.fromkeys(("workers", "split_rows"), WHOLE),
    "parameters": VALUES,
}


@dataclass(frozen=True)
class Wish:
    """What a caller asked of an export, in full."""

    columns: tuple[str, ...] | None = None
    where: str | None = None
    order_by: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    format: str = "csv"
    compression: str = "none"
    personal: str | None = None
    for_spreadsheets: bool = False
    workers: int | None = None
    manifest: bool = False
    split_rows: int | None = None
    split_by: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether it is what a spreadsheet reads."""
        return self.format in {"csv", "tsv"}

    @property
    def is_split(self) -> bool:
        """Whether more files than one may be written."""
        return self.split_rows is not None or self.split_by is not None


def format_of(place: str) -> str:
    """Return the format that the name of a file asks for."""
    name = place.casefold()
    for ending in (".gz", ".zst", ".bz2", ".xz"):
        name = name.removesuffix(ending)
    return _ENDINGS.get(Path(name).suffix, "csv")


def wish_for(place: str, said: Mapping[str, object], *, is_query: bool) -> Wish:
    """Return what was *said* of an export into *place*, checked; None is nothing said.

    Raises:
        SettingsError: there is no such thing, or two do not go together.
    """
    refuse_other_kinds(said, _KINDS)
    given: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    for name in {"columns", "order_by"} & given.keys():
        given[name] = (given[name],) if isinstance(given[name], str) else tuple(given[name])
    wish = Wish(**{"format": format_of(place), **given})
    _refuse_contradictions(wish, place, is_query=is_query)
    if "format" not in given and place.casefold().endswith(_OTHERS):
        raise SettingsError(
            f'"{shown(place)}" ends as no file does that an export writes',
            hint=f"let it end otherwise, such as .csv or .jsonl, or say the format: {', '.join(_FORMATS)}",
        )
    return wish


def _refuse_contradictions(wish: Wish, place: str, *, is_query: bool) -> None:
    """Refuse what there is not.

    Raises:
        SettingsError: names it.
    """
    if is_address(place):
        raise SettingsError(
            f'"{shown(without_secrets(place))}" is a URL, and an export is written into a file',
            hint="name a file, or - for standard output",
        )
    if wish.format not in _FORMATS:
        raise SettingsError(
            f'format is "{wish.format}", which there is not', hint=f"say one of {', '.join(_FORMATS)}"
        )
    if wish.compression not in {"none", "gzip", "zstd", "bz2", "xz"}:
        raise SettingsError(
            f'compression is "{wish.compression}", which there is not', hint="say none, gzip, zstd, bz2 or xz"
        )
    if wish.format in COLUMNAR and wish.compression not in {"none", "gzip", "zstd"}:
        raise SettingsError(
            f"{wish.format} cannot be compressed with {wish.compression}", hint="say gzip or zstd, or neither"
        )
    refuse_workers(wish.workers)
    if is_query and wish.columns is not None:
        raise SettingsError(
            "the columns of a query are those that it names",
            hint="leave columns out, and name them in the query",
        )
    if wish.is_split:
        _refuse_split(wish, place)
    if wish.personal not in {None, "keep", "mask", "refuse"}:
        raise SettingsError(f'personal is "{wish.personal}"', hint="say keep, mask or refuse")


def _refuse_split(wish: Wish, place: str) -> None:
    if place == "-":
        raise SettingsError("standard output cannot be split", hint="name a file")
    if wish.split_rows is not None and (wish.split_rows < 1 or wish.split_by is not None):
        raise SettingsError(
            "an export is split by a number of rows or by a column", hint="say one of them, and 1 row or more"
        )
    if wish.split_rows is not None and wish.format == "binary":
        raise SettingsError(
            "binary cannot be split by rows", hint="split it by a column, or say another format"
        )
