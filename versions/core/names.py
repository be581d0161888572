"""Let a module be imported by each of its names, and stay one module. Runs no revision.

versions.core.errors          is spotify_ai_agent_migrations.versions.core.errors
versions.schema               is spotify_ai_agent_migrations.versions.001_schema
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final

_CHECKOUT: Final = "versions"
_PACKAGE: Final = "spotify_ai_agent_migrations.versions"


def install(folder: Path) -> None:
    """Understand every name of the modules in *folder* from now on; a second call changes nothing."""
    if not any(isinstance(finder, _Names) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Names(folder))


class _Names(MetaPathFinder):
    """Finds the modules below `versions` under their other names, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname.startswith(f"{_CHECKOUT}."):
            return spec_from_loader(fullname, _Alias(_PACKAGE + fullname.removeprefix(_CHECKOUT)))
        parent, _, name = fullname.rpartition(".")
        if parent != _PACKAGE:
            return None
        if name[:3].isdigit() and (file := self._folder / f"{name}.py").is_file():
            return spec_from_file_location(fullname, file, loader=_Revision(fullname, str(file)))
        if (numbered := self._numbered(name)) is not None:
            return spec_from_loader(fullname, _Alias(f"{_PACKAGE}.{numbered}"))
        return None

    def _numbered(self, slug: str) -> str | None:
        """Return the stem of the revision called *slug*, unless a room has that name."""
        if (self._folder / slug).is_dir():
            return None
        return next((file.stem for file in self._folder.glob(f"[0-9][0-9][0-9]_{slug}.py")), None)


class _Alias(Loader):
    """Gives the module that another name already means."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        del spec
        module = import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the alias's spec on it: the module keeps its own.
        module.__spec__ = self._spec


class _Revision(SourceFileLoader):
    """Loads a numbered revision whose `upgrade()` and `downgrade()` may be called from anywhere.

    Alembic loads the same file by path and gets the functions as they are written.
    """

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for verb in ("upgrade", "downgrade"):
            if callable(raw := getattr(module, verb, None)):
                setattr(module, verb, _callable_anywhere(raw, Path(self.path), verb))


def _callable_anywhere(raw: Callable[[], None], file: Path, verb: str) -> Callable[[], None]:
    @wraps(raw)
    def run() -> None:
        # By name, and late: the runner stands above core, and importing a revision must stay cheap.
        import_module(f"{_PACKAGE}.runner").call_revision(file, verb, raw)

    return run
