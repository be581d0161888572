"""What tests of a whole erasure share: its keys, and what is left of somebody in a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.signing import Keyring, make_keys, read_keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from support import connected, rows

SETTINGS = ("ERASURE_SIGNING_KEY", "ERASURE_SIGNING_KEY_FILE", "ERASURE_LEDGER_KEY", "ERASURE_LEDGER_KEY_FILE",
            "ERASURE_LEDGER_FILE", "SUPPRESSION_KEY", "SUPPRESSION_KEY_FILE")  # fmt: skip
_TABLES = """
SELECT namespace.nspname, class.relname
  FROM pg_class AS class
  JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'm') AND namespace.nspname IN ('public', 'ops')
"""


def set_keys(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Keyring:
    """Name new keys by the environment, and return those that certificates are verified with."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    make_keys(folder / "erasure.key", folder / "erasure.pub")
    monkeypatch.setenv("ERASURE_SIGNING_KEY_FILE", str(folder / "erasure.key"))
    monkeypatch.setenv("ERASURE_LEDGER_KEY", "ab" * 32)
    monkeypatch.setenv("SUPPRESSION_KEY", "cd" * 32)
    return read_keyring(folder / "erasure.pub")


def found_in(url: str, *values: str) -> dict[str, list[str]]:
    """The tables in whose rows one of *values* stands, each with those of them."""
    found: dict[str, list[str]] = {}
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for schema, table in cursor.fetchall():
            query = sql.SQL("SELECT row_to_json(one)::text FROM {} AS one").format(
                sql.Identifier(schema, table)
            )
            cursor.execute(query)
            text = "\n".join(row for (row,) in cursor.fetchall())
            if held := [value for value in values if value in text]:
                found[f"{schema}.{table}"] = held
    return found


def state_of(url: str) -> list[tuple[object, ...]]:
    """The state of every erasure, and whether it has a certificate."""
    return rows(url, "SELECT state, certificate IS NOT NULL FROM ops.erasures ORDER BY hidden_at")


def counts(certificate: ErasureCertificate) -> dict[str, tuple[int, int]]:
    """Of each table of a certificate: its rows, and those of them that were swept."""
    found: dict[str, tuple[int, int]] = {}
    for one in certificate.tables:
        before = found.get(one.table, (0, 0))
        found[one.table] = (before[0] + one.rows, before[1] + one.swept)
    return found


@contextmanager
def open_session(url: str, isolation: str = "READ COMMITTED") -> Iterator[Connection]:
    """A session in a transaction of that isolation, its snapshot taken; rolled back at the end of the block."""
    with connected(url, autocommit=False) as connection:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET TRANSACTION ISOLATION LEVEL {}").format(sql.SQL(isolation)))
            cursor.execute("SELECT count(*) FROM users")
        yield connection
        connection.rollback()


def body_of(certificate: ErasureCertificate) -> str:
    """The certificate as it is handed out, without its keys and numbers at random."""
    return json.dumps(json.loads(certificate.as_json())["certificate"])
