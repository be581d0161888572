"""Know the revisions that run by the text that was loaded, though their files may change meanwhile.

A command loads them, and may then wait: for the lock of the migration, for a table, for its next try.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from alembic.script import ScriptDirectory

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.settings import may_try_drafts
from spotify_ai_agent_migrations.versions.governance.checksums import checksum


class Texts:
    """The checksum of every revision's file as it was when this was made: before the rules read it."""

    def __init__(self) -> None:
        made: dict[str, str] = {}
        for file in (PACKAGE_ROOT / "versions").glob("*.py"):
            with suppress(OSError):
                made[file.name] = checksum(file)
        self._checksums: Mapping[str, str] = MappingProxyType(made)

    def load(self, scripts: ScriptDirectory) -> None:
        """Let Alembic load every revision, outside of development from its source alone.

        Raises:
            RevisionError: a file is not what it was.
        """
        with _no_cached_bytecode():
            loaded = tuple(scripts.walk_revisions())
        for script in loaded:
            self.of(Path(script.path))

    def of(self, file: Path) -> str:
        """Return the checksum of *file*, which is still that of the text that was loaded.

        Raises:
            RevisionError: it is not.
        """
        known = self._checksums.get(file.name)
        with suppress(OSError):
            if known is not None and checksum(file) == known:
                return known
        raise RevisionError(
            f'the file "{file.name}" changed while the command waited; what was loaded is another text',
            hint="call it again, when nobody writes there",
        )


@contextmanager
def _no_cached_bytecode() -> Iterator[None]:
    """Hide every `__pycache__`: what lies there may be made of another text than the one that is judged."""
    if may_try_drafts():
        yield
        return
    before = sys.pycache_prefix, sys.dont_write_bytecode
    with TemporaryDirectory() as empty:
        sys.pycache_prefix, sys.dont_write_bytecode = empty, True
        try:
            yield
        finally:
            sys.pycache_prefix, sys.dont_write_bytecode = before
