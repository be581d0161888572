"""The folder of revisions that each test here writes into."""

from __future__ import annotations

from pathlib import Path

import pytest
from governance.history import Folder


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Folder:
    """A folder whose findings are those of the rules that the module is about: all, unless it says `CODES`."""
    return Folder(tmp_path, codes=getattr(request.module, "CODES", None))
