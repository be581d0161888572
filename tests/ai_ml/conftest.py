"""A database where pgvector is there, and one where it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ai_ml.scene import has_pgvector, one

from support import rows, run_alembic


@pytest.fixture
def with_pgvector(url: str) -> str:
    """A migrated database with pgvector; the test skips where the server has none."""
    if not has_pgvector(url):
        pytest.skip("this server has no pgvector")
    return url


@pytest.fixture
def without_pgvector(empty_url: str, login: Callable[..., str]) -> str:
    """A database migrated by an owner who is no superuser, and so may not make pgvector."""
    rows(
        empty_url,
        "DO $$ BEGIN CREATE ROLE agent_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    by = login(
        "CREATEROLE",
        grants=(
            "ALTER DATABASE {database} OWNER TO {role}",
            "GRANT agent_owner TO {role} WITH ADMIN OPTION",
        ),
    )
    done = run_alembic("upgrade", "head", url=by)
    assert done.returncode == 0, done.stderr
    assert one(empty_url, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == 0
    return empty_url
