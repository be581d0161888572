"""A folder of small revisions, written for one test."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from pathlib import Path

from spotify_ai_agent_migrations.versions.governance import Finding, Revision, check, discover

DOCSTRING = '''"""Do something.

Locks: none
Reverse: lossless
Data: none
Needs: nothing
"""
'''
HEAD = "import sqlalchemy as sa\nfrom alembic import op\n"
UPGRADE = 'def upgrade() -> None:\n    op.execute("SELECT 1")\n'
DOWNGRADE = 'def downgrade() -> None:\n    op.execute("SELECT 2")\n'
FOOTER = """
if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
"""
# The rules about files, their order and their columns; they say nothing of what a statement does.
FIRST = frozenset(f"MIG{number:03}" for number in range(1, 18))
CHOICE = "none, identifier, contact, location, behavioural, content or derived"


class Folder:
    """The folder `versions`, and what the check says about it."""

    def __init__(self, root: Path, *, codes: Collection[str] | None = None) -> None:
        self.path = root / "versions"
        self.path.mkdir()
        self.codes = codes

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file as it is."""
        raw = content.encode() if isinstance(content, str) else content
        (self.path / name).write_bytes(raw)
        return self.path / name

    def revision(
        self,
        number: int,
        slug: str = "step",
        *,
        name: str | None = None,
        follows: str | None = "previous",
        docstring: str = DOCSTRING,
        imports: str = "",
        upgrade: str = UPGRADE,
        downgrade: str = DOWNGRADE,
        more: str = "",
    ) -> Path:
        """Write a revision that keeps every rule but for what is given."""
        previous = f"{number - 1:03}" if number > 1 else None
        parent = previous if follows == "previous" else follows
        shown = None if parent is None else f'"{parent}"'
        variables = f'revision = "{name or f"{number:03}"}"\ndown_revision = {shown}\n'
        parts = (docstring, HEAD, imports, variables, upgrade, downgrade, more, FOOTER)
        return self.write(f"{number:03}_{slug}.py", "\n".join(parts))

    def upgrade(self, body: str, *, imports: str = "", more: str = "") -> Path:
        """Write revision 001 with this body of `upgrade()`."""
        inner = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        return self.revision(1, imports=imports, upgrade=f"def upgrade() -> None:\n{inner}\n", more=more)

    def findings(self) -> tuple[Finding, ...]:
        """Run the check; return what the rules say that this folder is about."""
        return tuple(found for found in check(self.path) if self.codes is None or found.code in self.codes)

    def revisions(self) -> tuple[Revision, ...]:
        """Return the revisions as they are read."""
        return discover(self.path)

    def said(self) -> list[tuple[str, str, str]]:
        """Run the check; return code, problem and hint of each finding."""
        return [(found.code, found.problem, found.hint) for found in self.findings()]

    def problems(self) -> list[str]:
        """Run the check; return code and problem of each finding."""
        return [f"{found.code} {found.problem}" for found in self.findings()]
