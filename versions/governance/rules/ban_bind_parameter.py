"""What `op.execute` is given as a string holds no `:name`.

Why: it takes ` :name` for a parameter, even inside a literal, and fails; with `--sql` it writes the name
out as a placeholder, without a word.
Fix: use the package's own `execute`, which sends SQL as it is written:

    from spotify_ai_agent_migrations.versions.core.ddl import execute
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import bindings, syntax
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG022"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

# https://github.com/sqlalchemy/sqlalchemy/blob/main/lib/sqlalchemy/sql/compiler.py, BIND_PARAMS
_NAME: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each string with a name that would be taken for a parameter."""
    for revision in history.revisions:
        for call in revision.calls:
            if call.operation() != "execute":
                continue
            text = bindings.folded(syntax.argument(call.node, 0, "sqltext"), revision.constants)
            match = _NAME.search(text or "")
            if match is not None:
                yield _found(
                    revision.path,
                    f'op.execute takes "{match[0]}" for a parameter, even inside a literal',
                    hint="write execute(…) of spotify_ai_agent_migrations.versions.core.ddl instead of "
                    f"op.execute(…) in {revision.file_name}",
                    at=revision.place(call.node),
                )
