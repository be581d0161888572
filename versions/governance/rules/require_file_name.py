"""A revision's file is called `NNN_slug.py`.

Why: the three digits order the files as they are applied, and the slug is the name of the revision's room,
sub-command and import; a slug is lower case because an import is.
Fix: rename the file, with three digits, an underscore and a slug of a-z, 0-9 and _ that begins with a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG001"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_NAME: Final = re.compile(r"[0-9]{3}_[a-z][a-z0-9_]*\.py")


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision with another name."""
    for revision in history.revisions:
        if not _NAME.fullmatch(revision.file_name):
            yield _found(
                revision.path,
                f'"{revision.file_name}" is not named NNN_slug.py',
                hint=f"rename {revision.file_name} to {_better(revision)}",
            )


def _better(revision: Revision) -> str:
    """Return the name nearest to the present one."""
    digits, rest = re.fullmatch(r"([0-9]*)(.*)", revision.path.stem, re.DOTALL).groups()  # type: ignore[union-attr]
    own = revision.revision or digits
    number = f"{int(own):03}" if own.isascii() and own.isdigit() else "NNN"
    slug = re.sub(r"[^a-z0-9]+", "_", rest.lower()).strip("_0123456789")
    return f"{number}_{slug or 'slug'}.py"
