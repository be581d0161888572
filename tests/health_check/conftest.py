"""One database for all tests of the room that ask for an empty one, emptied before each: a new one takes longer."""

from __future__ import annotations

import pytest

from support import Databases, emptied


@pytest.fixture(scope="session")
def _shared(databases: Databases, template: str) -> str:
    del template
    return databases.create()


@pytest.fixture
def empty_url(databases: Databases, _shared: str) -> str:
    """The URL of a database with nothing in it."""
    return emptied(databases.url(_shared))
