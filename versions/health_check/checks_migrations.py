"""Checks of the schema beside what the journal and this build say of it. No database."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check

_HOME: Final = "spotify_ai_agent_migrations.versions"
_FILE: Final = re.compile(r"([0-9]{3})_\w+\.py")
_SAYS: Final = re.compile(r"^(?P<what>revision|down_revision)\b[^=\n]*=(?P<numbers>.*)$", re.MULTILINE)
_NUMBER: Final = re.compile(r"""["'](\w+)["']""")


@cache
def known() -> tuple[str, ...]:
    """Return the numbers of the revisions in this build, by the names of their files."""
    return tuple(name[:3] for name in _names())


@cache
def heads() -> tuple[str, ...]:
    """Return the revisions of this build that no other one follows, as their files say."""
    # A draft may say anything, in any encoding: that is for governance to tell, and keeps nobody from asking.
    texts = (files(_HOME).joinpath(name).read_bytes().decode(errors="replace") for name in _names())
    return heads_of(texts)


def heads_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the revisions among *texts* that none of them follows."""
    said: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for one in (one for text in texts for one in _SAYS.finditer(text)):
        said[one["what"]] |= set(_NUMBER.findall(one["numbers"]))
    return tuple(sorted(said["revision"] - said["down_revision"]))


def _names() -> list[str]:
    return sorted(file.name for file in files(_HOME).iterdir() if _FILE.fullmatch(file.name))


SCHEMA_STATE: Final = (
    Check(
        "mig.multiple_heads", "revisions of this build that no other one follows",
        "No upgrade knows where it ends, and each deployment stops at that.",
        "this build ends at {heads}, and should at one of them",
        settings={"heads": list(heads())},
    ),
    Check(
        "mig.partitioning_unfinished", "tables that were on their way to partitions",
        "Every write pays for what was made, and no read is the quicker for it.",
        "to {verb} {name} was begun and did not end: agentdb partitioning {verb} goes on",
        roles=PRIMARY,
    ),
    Check(
        "mig.drift", "what was changed beside the migrations",
        "The next migration meets a schema that it was not written for, and a new server gets another one.",
        "{name} {how}",
        table="ops.migration_state", deep=True, most_s=None, roles=PRIMARY,
    ),
)  # fmt: skip
