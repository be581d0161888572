"""The database that each test here looks at."""

from __future__ import annotations

import pytest
from distribution.schema import Schema


@pytest.fixture
def schema(empty_url: str) -> Schema:
    return Schema(empty_url)
