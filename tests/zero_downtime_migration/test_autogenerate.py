"""What `--autogenerate` writes passes the gate as it is, and runs while others read and write."""

from __future__ import annotations

import pathlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from support import Checkout, connected, rows

pytestmark = pytest.mark.usefixtures("place_of_checkouts")

# What application_name the clients have, and how long one of them waits for a lock at most.
CLIENT, PATIENCE_MS = "client", 1_500
BEFORE = """
    CREATE SCHEMA shop;
    SET search_path = shop;
    CREATE TABLE shops (id bigint PRIMARY KEY, name varchar(20) NOT NULL);
    CREATE TABLE orders (
        id bigserial PRIMARY KEY,
        shop_id bigint,
        note text,
        code varchar(10),
        total integer NOT NULL,
        legacy text NOT NULL,
        state text NOT NULL DEFAULT 'new',
        CONSTRAINT orders_total_check CHECK (total >= 0)
    );
    CREATE INDEX orders_legacy_idx ON orders (legacy);
    CREATE INDEX orders_note_idx ON orders (note);
    INSERT INTO shops SELECT i, 'shop ' || i FROM generate_series(1, 20) AS i;
    INSERT INTO orders (shop_id, note, code, total, legacy)
    SELECT 1 + i % 20, 'note', 'c' || i, i, 'old' FROM generate_series(1, 20000) AS i;
"""
MODELS = """
import sqlalchemy as sa

metadata = sa.MetaData(schema="shop")
sa.Table(
    "shops", metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("name", sa.String(40), nullable=False),
)
sa.Table(
    "orders", metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("shop_id", sa.BigInteger, sa.ForeignKey("shop.shops.id", name="orders_shop_id_fkey", ondelete="CASCADE")),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("code", sa.String(10), unique=True),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="open", comment="none: how far it is"),
    sa.Column("city", sa.Text, comment="location: where it is sent"),
    sa.Column("paid", sa.Boolean, nullable=False, server_default=sa.false(), comment="none: whether it is paid"),
    sa.Column("token", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()"), comment="none: its key"),
    sa.Column("tries", sa.Integer, nullable=False, default=0, comment="none: how often it was sent"),
    sa.Index("orders_shop_id_idx", "shop_id"),
    sa.Index("orders_note_idx", "note", "state"),
    sa.Index("orders_city_idx", sa.text("lower(city)"), postgresql_where=sa.text("city IS NOT NULL")),
)
"""


@contextmanager
def clients(url: str, number: int = 4) -> Iterator[list[str]]:
    """Let clients write and read orders as old code does, until the block ends; yield what went wrong for them."""
    failed: list[str] = []
    over = threading.Event()
    served = [0] * number

    def serve(place: int) -> None:
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(
                f"SET application_name = {CLIENT}; SET lock_timeout = {PATIENCE_MS}; SET search_path = shop"
            )
            while not over.is_set():
                try:
                    cursor.execute(
                        "UPDATE orders SET total = total + 1 WHERE id = %s", (1 + served[place] % 20_000,)
                    )
                    cursor.execute("SELECT count(*) FROM orders WHERE shop_id = 3")
                    served[place] += 1
                except psycopg2.Error as error:
                    failed.append(f"{error.pgcode}: {error}")
                time.sleep(0.001)

    threads = [threading.Thread(target=serve, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert all(served), served


def generated(checkout: Checkout, url: str, message: str) -> list[pathlib.Path]:
    before = set(checkout.versions.glob("[0-9]*.py"))
    done = checkout.alembic(
        "-x", "metadata=models:metadata", "-x", "compare-defaults=1", "revision", "--autogenerate", "-m", message, url=url
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return sorted(set(checkout.versions.glob("[0-9]*.py")) - before)


def applied(checkout: Checkout, url: str, *command: str) -> None:
    done = checkout.alembic(*command, url=url)
    assert done.returncode == 0, done.stderr


def test_what_it_writes_passes_the_gate_and_nobody_is_blocked(checkout: Checkout, url: str) -> None:
    rows(url, BEFORE)
    (checkout.root / "models.py").write_text(MODELS)
    done = checkout.alembic("-x", "metadata=models:metadata", "check", url=url)
    files = generated(checkout, url, "Orders")
    for f in files:
        print(f.name)
        print(f.read_text())
    checked = checkout.python("-m", "spotify_ai_agent_migrations", "check")
    print(checked.stdout, checked.stderr)
    with clients(url) as failed:
        applied(checkout, url, "upgrade", "head")
    assert failed == []
    print(rows(url, "SELECT id, operation, subject, state from ops.online_change order by 1"))
    assert generated(checkout, url, "Again") == []
    with clients(url) as failed:
        applied(checkout, url, "downgrade", "-1")
    assert failed == []
    print(rows(url, "SELECT id, operation, subject, state from ops.online_change order by 1"))
    applied(checkout, url, "downgrade", "-1")
    print(rows(url, "SELECT id, operation, subject, state from ops.online_change order by 1"))
    applied(checkout, url, "upgrade", "head")
