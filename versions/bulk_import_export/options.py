"""Say what a caller asked of an import, checked. No database here, and no file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Literal, TypedDict

from spotify_ai_agent_migrations.versions.bulk_import_export.kinds import (
    NUMBER,
    PAIR_OF,
    PATH,
    TEXT,
    TEXT_OF,
    TEXT_OR_NONE_OF,
    TEXTS,
    WHOLE,
    YES_NO,
    refuse_other_kinds,
)
from spotify_ai_agent_migrations.versions.core.errors import SettingsError

Mode = Literal["insert", "ignore", "upsert", "replace", "merge"]
Guarantee = Literal["atomic", "resumable"]
Format = Literal["csv", "tsv", "jsonl", "copy", "binary", "parquet", "arrow"]
Rebuild = Literal["indexes", "constraints"]
Compression = Literal["none", "gzip", "zstd", "bz2", "xz"]

MODES: Final = ("insert", "ignore", "upsert", "replace", "merge")
GUARANTEES: Final = ("atomic", "resumable")
FORMATS: Final = ("csv", "tsv", "jsonl", "copy", "binary", "parquet", "arrow")
# They say of themselves what they are, and whoever says otherwise errs.
MARKED: Final = ("binary", "parquet", "arrow")
# One line a record, in the escapes of COPY.
COPY_TEXT: Final = ("copy", "parquet", "arrow")
REBUILDS: Final = ("indexes", "constraints")
COMPRESSIONS: Final = ("none", "gzip", "zstd", "bz2", "xz")

# Without one of these, rows of the file and of the table would be told apart by nothing.
KEYED: Final = ("ignore", "upsert", "merge")
KEPT: Final = "what was loaded before stays, and the same call goes on, unless that part of the file changes"
RECORD_MOST_BYTES: Final = 32 << 20
_WORKERS_MOST: Final = 16
_KINDS: Final = {
    **dict.fromkeys((
        "mode", "guarantee", "format", "compression", "encoding", "delimiter", "quote", "escape", "decimal",
        "job", "rebuild",
    ), TEXT),
    **dict.fromkeys((
        "header", "lenient", "again", "dry_run", "row_security", "analyze", "swap", "verify",
    ), YES_NO),
    **dict.fromkeys(("skip_lines", "footer_lines", "workers", "max_record_bytes"), WHOLE),
    **dict.fromkeys(("columns", "constants"), TEXT_OR_NONE_OF),
    **dict.fromkeys(("key", "null"), TEXTS),
    **dict.fromkeys(("rejects", "manifest"), PATH),
    "max_rejects": NUMBER, "dates": TEXT_OF, "booleans": PAIR_OF,
}  # fmt: skip


class Choices(TypedDict, total=False):
    """The keyword arguments of `bulk_import`; what is left out is found in the file, or is the default."""

    mode: Mode
    guarantee: Guarantee
    key: Sequence[str]
    columns: Mapping[str, str | None]
    constants: Mapping[str, str | None]
    format: Format
    compression: Compression
    encoding: str
    delimiter: str
    quote: str
    escape: str
    header: bool
    skip_lines: int
    footer_lines: int
    null: Sequence[str]
    dates: Mapping[str, str]
    booleans: Mapping[str, Sequence[str]]
    decimal: str
    lenient: bool
    max_rejects: float
    rejects: str | os.PathLike[str]
    workers: int
    job: str
    again: bool
    dry_run: bool
    row_security: bool
    analyze: bool
    rebuild: Rebuild
    swap: bool
    manifest: str | os.PathLike[str]
    verify: bool
    max_record_bytes: int


@dataclass(frozen=True)
class Options:
    """What was asked; None is "find out"."""

    mode: Mode = "insert"
    guarantee: Guarantee = "atomic"
    key: tuple[str, ...] = ()
    columns: Mapping[str, str | None] = field(default_factory=dict)
    constants: Mapping[str, str | None] = field(default_factory=dict)
    format: Format | None = None
    compression: Compression | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    skip_lines: int | None = None
    footer_lines: int = 0
    null: tuple[str, ...] | None = None
    dates: Mapping[str, str] = field(default_factory=dict)
    booleans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    decimal: str = "."
    lenient: bool = False
    max_rejects: float = 0
    rejects: str | os.PathLike[str] | None = None
    workers: int | None = None
    job: str | None = None
    again: bool = False
    dry_run: bool = False
    row_security: bool = False
    analyze: bool | None = None
    rebuild: Rebuild | None = None
    swap: bool = False
    manifest: str | os.PathLike[str] | None = None
    verify: bool = False
    max_record_bytes: int = RECORD_MOST_BYTES
    # Where the records lie that are loaded, and no others: offset and length.
    only: tuple[tuple[int, int], ...] | None = None

    @property
    def left(self) -> str:
        """What a load that fails leaves, in the words of a hint."""
        return KEPT if self.guarantee == "resumable" and not self.dry_run else "nothing was loaded"

    @property
    def keeps_rejects(self) -> bool:
        """Whether a row that cannot be loaded is kept aside instead of ending the import."""
        return self.max_rejects > 0 or self.dry_run

    @property
    def staged(self) -> bool:
        """Whether rows go by way of a temporary table, where they meet those of the target."""
        return self.mode in KEYED or self.row_security or self.swap

    @property
    def stages(self) -> bool:
        """Whether this call stages them: a dry run need not, but where the server refuses COPY."""
        return self.row_security if self.dry_run else self.staged

    @property
    def only_checks(self) -> bool:
        """Whether the values are checked on their way, and no row is kept anywhere."""
        return self.dry_run and not self.stages

    def too_many(self, rejected: int, read: int, *, final: bool = False) -> bool:
        """Tell whether *rejected* of *read* records are more than allowed; a share is known at the end."""
        if 0 < self.max_rejects < 1:
            return final and rejected > self.max_rejects * read
        return rejected > self.max_rejects


def choose(choices: Choices) -> Options:
    """Return *choices* as options, checked.

    Raises:
        SettingsError: one is unknown or out of range, or two do not go together.
    """
    known = {found.name for found in fields(Options)} - {"only"}
    for name in choices:
        if name not in known:
            raise SettingsError(
                f'"{name}" is no option of an import', hint=f"there are {', '.join(sorted(known))}"
            )
    refuse_other_kinds(choices, _KINDS)
    given: dict[str, object] = {name: value for name, value in choices.items() if value is not None}
    for name in ("key", "null"):
        if name in given:
            value = given[name]
            given[name] = (value,) if isinstance(value, str) else tuple(value)  # type: ignore[arg-type]
    options = Options(**given)  # type: ignore[arg-type]
    _refuse_unknown(options)
    _refuse_out_of_range(options)
    _refuse_contradictions(options)
    return options


def _refuse_unknown(options: Options) -> None:
    for name, value, allowed in (
        ("mode", options.mode, MODES),
        ("guarantee", options.guarantee, GUARANTEES),
        ("format", options.format, FORMATS),
        ("compression", options.compression, COMPRESSIONS),
        ("rebuild", options.rebuild, REBUILDS),
    ):
        if value is not None and value not in allowed:
            raise SettingsError(
                f'{name} is "{value}", which there is not', hint=f"say one of {', '.join(allowed)}"
            )


def _refuse_out_of_range(options: Options) -> None:
    for name, text in (
        ("delimiter", options.delimiter),
        ("quote", options.quote),
        ("escape", options.escape),
    ):
        if text is not None and (
            ("\n" in text or "\r" in text) or (name != "delimiter" and len(text.encode()) > 1)
        ):
            raise SettingsError(f"the {name} cannot be {text!r}", hint="say one character, and no line end")
    _refuse_same_letter(options)
    if options.delimiter == "":
        raise SettingsError("the delimiter cannot be empty", hint="say one character, and no line end")
    if not options.max_rejects >= 0:
        raise SettingsError("max_rejects is negative", hint="say a number of rows, or a share below 1")
    refuse_workers(options.workers)
    if options.max_record_bytes < 1 or (options.skip_lines or 0) < 0 or options.footer_lines < 0:
        raise SettingsError("a number of bytes or lines is negative", hint="say 0 or more")
    if options.decimal not in {".", ","}:
        raise SettingsError(f"the decimal mark cannot be {options.decimal!r}", hint='say "." or ","')


def refuse_workers(workers: int | None) -> None:
    """Refuse a number of sessions that no load or export is made by.

    Raises:
        SettingsError: says how many there may be.
    """
    if workers is not None and not 1 <= workers <= _WORKERS_MOST:
        raise SettingsError(f"there cannot be {workers} workers", hint=f"say 1 to {_WORKERS_MOST}")


def _refuse_same_letter(options: Options) -> None:
    for name, letter in (("quote", options.quote), ("escape", options.escape)):
        if letter and letter in (options.delimiter or ""):
            raise SettingsError(
                f"{letter!r} cannot be the delimiter and the {name}", hint="say another one, or none of them"
            )


def _refuse_contradictions(options: Options) -> None:
    if options.format is not None:
        refuse_unmeant(options, options.format)
    if options.guarantee == "resumable" and options.mode in {"replace", "merge"}:
        raise SettingsError(
            f"{options.mode} cannot be resumed: half of it would be a table nobody asked for",
            hint='say guarantee="atomic"',
        )
    if options.rebuild and (
        options.guarantee == "resumable" or options.mode in KEYED or options.row_security
    ):
        raise SettingsError(
            "indexes are rebuilt in the transaction of a load that is all or nothing, and meets no keys",
            hint='leave rebuild out, or say guarantee="atomic" and mode="insert" or "replace"',
        )
    if options.swap and (options.mode != "replace" or options.rebuild is not None):
        raise SettingsError(
            "only what is replaced is swapped, and its indexes are not rebuilt",
            hint='say mode="replace", and leave rebuild out',
        )
    if options.rebuild == "constraints" and options.max_rejects > 0:
        raise SettingsError(
            "a row that breaks a foreign key cannot be kept aside while the key is not there",
            hint='say rebuild="indexes", or leave max_rejects out',
        )
    if options.key and options.mode not in KEYED:
        raise SettingsError(
            f"{options.mode} asks for no key", hint=f"leave it out, or say one of {', '.join(KEYED)}"
        )


def refuse_unmeant(options: Options, form: str) -> None:
    """Refuse what is said of delimited text only, where the file is in another *form*.

    Raises:
        SettingsError: names it.
    """
    if form in {"csv", "tsv"}:
        return
    said = {
        "null": options.null not in {None, ("\\N",) if form == "copy" else None},
        "delimiter": options.delimiter not in {None, "\t" if form == "copy" else None},
        "quote": bool(options.quote), "escape": bool(options.escape), "header": bool(options.header),
        "skip_lines": bool(options.skip_lines),
    }  # fmt: skip
    if (name := next((name for name, is_said in said.items() if is_said), None)) is not None:
        raise SettingsError(
            f"{name} is said of delimited text, and the file is {form}",
            hint='leave it out, or say format="csv"',
        )
