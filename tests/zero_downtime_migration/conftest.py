"""A database with the ledger of online changes and nothing else, built once and cloned for each test."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import Operations

from support import Databases, rows


@pytest.fixture(scope="session")
def ledger(databases: Databases, template: str) -> Iterator[str]:
    """The name of the database, kept free of connections to be cloned."""
    del template
    name = databases.create()
    make_ledger(databases.url(name))
    yield name
    databases.drop(name)


def make_ledger(url: str) -> None:
    """Make the ledger and nothing else in a database that has the roles."""
    rows(url, "CREATE SCHEMA ops AUTHORIZATION agent_owner; GRANT USAGE ON SCHEMA ops TO PUBLIC")
    revision = importlib.import_module("spotify_ai_agent_migrations.versions.011_zero_downtime_migration")
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        revision._create_ledger()
    engine.dispose()


@pytest.fixture
def ledger_url(databases: Databases, ledger: str) -> Iterator[str]:
    """The URL of a fresh clone of it."""
    name = databases.create(ledger)
    yield databases.url(name)
    databases.drop(name)
