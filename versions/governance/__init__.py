"""Read the numbered revisions without running them, and say which rules they break.

    for finding in check():
        ...                     # finding.problem, finding.hint, finding.path, finding.line

When: before every merge, and before the runner executes a statement.
Locks: none; there is no database here, and no revision is imported or executed.
A revision that is not even Python is reported like any other; nothing here raises because of one.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.governance.checking import check, structural
    from spotify_ai_agent_migrations.versions.governance.classification import CLASSES
    from spotify_ai_agent_migrations.versions.governance.finding import Finding
    from spotify_ai_agent_migrations.versions.governance.revision import Revision, discover

__all__ = ["CLASSES", "Finding", "Revision", "check", "discover", "structural"]

_HOMES: Final = MappingProxyType(
    {
        "CLASSES": "classification",
        "Finding": "finding",
        "Revision": "revision",
        "check": "checking",
        "discover": "revision",
        "structural": "checking",
    }
)


def __getattr__(name: str) -> object:
    """Load what reads revisions when it is first asked for: whoever needs a class only reads none."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
