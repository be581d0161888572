"""The folder of revisions that each test here writes into."""

from __future__ import annotations

from pathlib import Path

import pytest
from governance.history import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
