"""A seal as one line of JSON, to be kept where nobody who owns the database can reach it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime, timezone
from struct import error as StructError
from typing import Any, Final

from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal, seal_hash
from spotify_ai_agent_migrations.versions.core.errors import FileError

_BYTES: Final = ("previous_hash", "root", "hash", "signature")
_INTEGERS: Final = ("id", "epoch", "first_xid", "horizon", "entry_count", "timeline")
_TEXTS: Final = ("entry_ids", "system_identifier", "key_id")
_OPENING: Final = "{"
_NO_SEAL: Final = (
    ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, StructError,
)  # fmt: skip
_NAMES: Final = tuple(field.name for field in fields(Seal))


def digest_line(seal: Seal) -> str:
    """Return *seal* as one JSON object on one line, without its line end: bytes as hex, instants in UTC."""
    values = {name: getattr(seal, name) for name in _NAMES}
    values |= {name: values[name].hex() for name in _BYTES}
    values["sealed_at"] = seal.sealed_at.astimezone(timezone.utc).isoformat(timespec="microseconds")
    return json.dumps(values, ensure_ascii=False)


def read_digest(line: str) -> Seal:
    """Return the seal that *line* holds.

    Raises:
        ValueError: not one of ours; its text is not quoted.
    """
    try:
        seal = _seal(json.loads(line))
        # A number that no column could hold has no hash, nor has a note that is no text.
        seal_hash(seal)
    except _NO_SEAL as error:
        raise ValueError("not the digest of a seal") from error
    return seal


def read_digests(lines: Iterable[str], *, name: str) -> Iterator[Seal]:
    """Yield the seals of *lines*, of the file *name*; empty lines are passed over.

    Raises:
        FileError: a line that is not a digest.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield read_digest(line)
        except ValueError as error:
            raise FileError(
                f'line {number} of "{name}" is not the digest of a seal',
                hint="name a file that `agentdb audit-trail seal --append-to` or `export` wrote",
            ) from error


def without_cuts(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines*, an empty one for each that a write was cut off in, as where a disk was full.

    Such a line is the last one, without its end, or the beginning of one that was written after it: what had
    not arrived is sent again.
    """
    known = list(lines)
    for number, line in enumerate(known):
        begun = line.rstrip("\n")
        is_cut = line.startswith(_OPENING) and not line.rstrip().endswith("}")
        again = any(later.startswith(begun) for later in known[number + 1 :]) if is_cut else False
        unended = number == len(known) - 1 and not line.endswith("\n")
        yield "\n" if is_cut and (again or unended) else line


def _seal(values: dict[str, Any]) -> Seal:
    values |= {name: bytes.fromhex(values[name]) for name in _BYTES}
    values |= {name: _integer(values[name]) for name in _INTEGERS}
    values |= {name: _text(values[name]) for name in _TEXTS}
    values["sealed_at"] = datetime.fromisoformat(values["sealed_at"]).astimezone(timezone.utc)
    return Seal(**{name: values[name] for name in _NAMES})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value
