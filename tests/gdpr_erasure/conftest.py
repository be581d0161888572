"""A database with two people in it, cloned for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gdpr_erasure.erasing import set_keys
from gdpr_erasure.people import bring_in
from gdpr_erasure.planned import Bench, bench

from spotify_ai_agent_migrations.versions.core.signing import Keyring
from support import Databases


@pytest.fixture(scope="session")
def entangled_template(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database with the two in it, kept free of connections to be cloned."""
    name = databases.create(template)
    bring_in(databases.url(name))
    yield name
    databases.drop(name)


@pytest.fixture
def entangled(databases: Databases, entangled_template: str) -> Iterator[str]:
    """The URL of a fresh clone of it."""
    name = databases.create(entangled_template)
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keyring:
    """The keys of erasures, named by the environment; what certificates are verified with."""
    return set_keys(monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def benches(databases: Databases, entangled_template: str) -> Iterator[str]:
    """A clone of it for all tests that roll back what they did."""
    name = databases.create(entangled_template)
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture
def at(benches: str) -> Iterator[Bench]:
    """A transaction in it, rolled back at the end of the test."""
    with bench(benches) as found:
        yield found
