"""Say what a caller asked of an export, checked. No database here, and no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError

_FORMATS: Final = ("csv", "tsv", "jsonl", "copy")


@dataclass(frozen=True)
class Wish:
    """What a caller asked of an export, in full."""

    columns: tuple[str, ...] | None
    where: str | None
    order_by: tuple[str, ...]
    parameters: Mapping[str, object]
    format: str
    compression: str
    personal: str | None
    for_spreadsheets: bool
    workers: int | None
    manifest: bool


def format_of(place: str) -> str:
    """Return the format that the name of a file asks for."""
    name = place.casefold()
    for ending in (".gz", ".zst", ".bz2", ".xz"):
        name = name.removesuffix(ending)
    return {".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".copy": "copy"}.get(
        Path(name).suffix, "csv"
    )


def refuse_contradictions(wish: Wish) -> None:
    """Refuse what there is not.

    Raises:
        SettingsError: names it.
    """
    if wish.format not in _FORMATS:
        raise SettingsError(
            f'format is "{wish.format}", which there is not', hint=f"say one of {', '.join(_FORMATS)}"
        )
    if wish.compression not in {"none", "gzip", "zstd", "bz2", "xz"}:
        raise SettingsError(
            f'compression is "{wish.compression}", which there is not', hint="say none, gzip, zstd, bz2 or xz"
        )
    if wish.personal not in {None, "keep", "mask", "refuse"}:
        raise SettingsError(f'personal is "{wish.personal}"', hint="say keep, mask or refuse")
