"""A key to sign with, and a login that may seal and nothing else."""

from __future__ import annotations

import pathlib
import uuid
from collections.abc import Iterator

import pytest
from audit_trail.scene import Trail, build
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import Databases, connected


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


@pytest.fixture
def sealer(databases: Databases, url: str) -> Iterator[str]:
    """The URL of a login that is a member of agent_sealer."""
    role = f"r{uuid.uuid4().hex[:8]}"
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_sealer")
        yield databases.url(str(parse_dsn(url)["dbname"]), user=role, password="secret")
        cursor.execute(f"DROP ROLE {role}")


@pytest.fixture
def trail(url: str, key: SigningKey, tmp_path: pathlib.Path) -> Trail:
    """Six sealed blocks, the first of them what the migrations wrote."""
    return build(url, key, tmp_path)
