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
    newest = max((made.number for made in history.revisions if made.number is not None), default=0)
    for revision in history.revisions:
        if not _NAME.fullmatch(revision.file_name):
            number = _number(revision)
            newest += number is None
            shown = f"{newest if number is None else number:03}_{_slug(revision)}.py"
            yield _found(
                revision.path,
                f'"{revision.file_name}" is not named NNN_slug.py',
                hint=f"rename {revision.file_name} to {shown}",
            )


def _number(revision: Revision) -> int | None:
    """Return the number the revision already goes by, in its text or its file's name."""
    digits = re.match(r"[0-9]{1,3}(?![0-9a-zA-Z])", revision.path.stem)
    own = revision.revision or (digits[0] if digits else "")
    return int(own) if re.fullmatch(r"[0-9]{1,3}", own) else revision.number


def _slug(revision: Revision) -> str:
    """Return the slug nearest to the present name, without a number or the hash Alembic makes up."""
    rest = re.sub(r"^(?:[0-9a-f]{8,}(?=_)|[0-9]+)", "", revision.path.stem)
    slug = re.sub(r"[^a-z0-9]+", "_", rest.lower()).strip("_").lstrip("_0123456789")
    return slug or "slug"
