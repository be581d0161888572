"""A database with the scene of these tests in it, built once and cloned for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from partitioning.scene import build

from support import Databases


@pytest.fixture(scope="session")
def scene_template(databases: Databases) -> Iterator[str]:
    """The name of a database with the scene, kept free of connections to be cloned."""
    name = databases.create()
    build(databases.url(name))
    yield name
    databases.drop(name)


@pytest.fixture
def scene(databases: Databases, scene_template: str) -> Iterator[str]:
    """The URL of a fresh clone of the scene."""
    name = databases.create(scene_template)
    yield databases.url(name)
    databases.drop(name)
