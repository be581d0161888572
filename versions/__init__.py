"""The numbered revisions, and the rooms beside them.

    core/                  what every room stands on
    governance/            which revisions there are, and the rules they keep
    runner/                what env.py runs: gate, lock, migrate; one revision on its own
    rollback/              the way back: planned, kept, proved, put back
    partitioning/          a live table by month: converted, kept, split, taken back
    audit_trail/           the trail sealed, verified and redacted
    gdpr_erasure/          personal data: its catalogue, consent, requests, exports
    health_check/          is it well, and what is not
    bulk_import_export/    files into tables and back
    zero_downtime_migration/  a live table changed: started, filled, verified, completed or aborted
    docs/                  the documentation of the schema, from its catalogue
    distribution/          what Citus would ask of the schema, and how it would be distributed
    cli/                   the command `agentdb`; mounts the rooms

From the checkout this package is also called `versions`. Both names give one and the same module object,
here and for everything below, so an error raised under one name is caught under the other.
A revision goes by its slug as well, since `from versions.001_schema import …` is not Python:
`from versions.schema import upgrade`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_PACKAGE = "spotify_ai_agent_migrations"
_ROOT = Path(__file__).resolve().parent.parent


def _load_package() -> None:
    """Make this checkout importable under its package name, installed or not.

    Raises:
        ImportError: the package is loaded already, from another place.
    """
    loaded = sys.modules.get(_PACKAGE)
    if loaded is None:
        spec = spec_from_file_location(
            _PACKAGE, _ROOT / "__init__.py", submodule_search_locations=[str(_ROOT)]
        )
        assert spec is not None
        assert spec.loader is not None
        loaded = module_from_spec(spec)
        sys.modules[_PACKAGE] = loaded
        spec.loader.exec_module(loaded)
    home = Path(str(loaded.__file__)).resolve().parent
    if home != _ROOT:
        raise ImportError(f"versions is {_ROOT}, but {_PACKAGE} is {home}: install the one you mean")


if __name__ == "versions":
    _load_package()
    sys.modules["versions"] = import_module(f"{_PACKAGE}.versions")
else:
    from spotify_ai_agent_migrations.versions.core import names

    names.install(Path(__file__).resolve().parent)
