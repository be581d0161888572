"""What `--autogenerate` writes passes the gate as it is, and runs while others read and write."""

from __future__ import annotations

import ast
import json
import pathlib
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from support import AFTER_NEXT, HEAD, NEXT, Checkout, connected, rows, until

OPTIONS = ("-x", "metadata=models:metadata", "-x", "compare-defaults=1")
# How long a client waits for a lock: twice what a change may let it wait.
PATIENCE_MS = 1_000
ROWS = 2_000
BEFORE = f"""
    CREATE SCHEMA shop;
    SET search_path = shop;
    CREATE TABLE shops (id bigint PRIMARY KEY, name varchar(20) NOT NULL);
    CREATE TABLE orders (
        id bigserial PRIMARY KEY,
        shop_id bigint CONSTRAINT orders_shop_id_fkey REFERENCES shops,
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
    SELECT 1 + i % 20, 'note', 'c' || i, i, 'old' FROM generate_series(1, {ROWS}) AS i;
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


EXPANDED = [
    'ops.change_type("shop.shops", "name", "varchar(40)")',
    'ops.add_column("shop.orders", "city", "text", comment="location: where it is sent")',
    'ops.add_column("shop.orders", "paid", "boolean", default="false", comment="none: whether it is paid", not_null=True)',
    'ops.add_column("shop.orders", "token", "uuid", default="gen_random_uuid()", comment="none: its key", not_null=True)',
    'ops.add_column("shop.orders", "tries", "integer", default="0", comment="none: how often it was sent", not_null=True)',
    """ops.set_default("shop.orders", "state", "'open'")""",
    'ops.set_comment("shop.orders", "none: how far it is", column="state")',
    'ops.replace_index("shop.orders", ["note", "state"], name="orders_note_idx")',
    'ops.create_index("shop.orders", name="orders_city_idx", keys="lower(city)", where="city IS NOT NULL")',
    'ops.create_index("shop.orders", ["shop_id"], name="orders_shop_id_idx")',
    'ops.change_type("shop.orders", "total", "bigint", part="expand")',
    'ops.drop_column("shop.orders", "legacy", part="expand")',
]
CONTRACTED = [
    'ops.change_type("shop.orders", "total", "bigint", part="contract")',
    'ops.set_default("shop.orders", "tries", None)',
    'ops.set_not_null("shop.orders", "note")',
    'ops.add_unique("shop.orders", ["code"])',
    'ops.drop_constraint("shop.orders", "orders_shop_id_fkey")',
    'ops.add_foreign_key("shop.orders", ["shop_id"], "shop.shops", ["id"], name="orders_shop_id_fkey", on_delete="CASCADE")',
    'ops.drop_index("shop.orders", "orders_legacy_idx")',
    'ops.drop_column("shop.orders", "legacy", part="contract")',
]
# What of the tables a way there and back has to leave as it was; a column that comes back is the last one.
SHAPE = """
    SELECT column_name, data_type, character_maximum_length, column_default, is_nullable = 'YES' AND column_name <> 'legacy'
      FROM information_schema.columns WHERE table_schema = 'shop'
    UNION ALL SELECT indexname, indexdef, NULL, NULL, NULL FROM pg_indexes WHERE schemaname = 'shop'
    UNION ALL
    SELECT conname, pg_get_constraintdef(oid), NULL, NULL, NULL FROM pg_constraint
     WHERE connamespace = 'shop'::regnamespace AND contype <> 'n'
    UNION ALL SELECT tgname, tgrelid::regclass::text, NULL, NULL, NULL FROM pg_trigger
     WHERE NOT tgisinternal AND tgrelid IN ('shop.orders'::regclass, 'shop.shops'::regclass)
     ORDER BY 1, 2, 3, 4, 5
"""


@contextmanager
def clients(url: str, number: int = 3) -> Iterator[Callable[[], int]]:
    """Let clients write and read orders as old code does, until the block ends, and hold that none waited too long.

    Yielded is what tells how often the one was served that was served least.
    """
    failed: list[str] = []
    over = threading.Event()
    served = [0] * number

    def serve(place: int) -> None:
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {PATIENCE_MS}; SET search_path = shop")
            while not over.wait(0.005):
                try:
                    cursor.execute(
                        "UPDATE orders SET total = total + 1 WHERE id = %s", (1 + served[place] % ROWS,)
                    )
                    cursor.execute("SELECT count(*) FROM orders WHERE shop_id = 3")
                    served[place] += 1
                except psycopg2.Error as error:
                    failed.append(f"{error.pgcode}: {error}")

    threads = [threading.Thread(target=serve, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: min(served)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failed == []


@contextmanager
def slow_reader(url: str, least: Callable[[], int]) -> Iterator[None]:
    """Have a transaction read orders until a change of orders is recorded, and every client was served 50 times since."""

    def read() -> None:
        with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM shop.orders")
            begun.set()
            until(lambda: rows(url, "SELECT count(*) > 1 FROM ops.online_change") == [(True,)])
            sofar = least()
            until(lambda: least() > sofar + 50)

    begun = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(30)
    yield
    reader.join()


def generated(checkout: Checkout, url: str, message: str) -> list[pathlib.Path]:
    """Generate revisions from the models; the files that are new, in order."""
    before = set(checkout.versions.glob("[0-9]*.py"))
    done = checkout.alembic(*OPTIONS, "revision", "--autogenerate", "-m", message, url=url)
    assert done.returncode == 0, done.stderr
    return sorted(set(checkout.versions.glob("[0-9]*.py")) - before)


def applied(checkout: Checkout, url: str, *command: str) -> str:
    """Run a command of Alembic to its good end; what it said."""
    done = checkout.alembic(*command, url=url)
    assert done.returncode == 0, done.stderr
    return done.stderr


def calls(file: pathlib.Path, function: str) -> list[str]:
    """What a function of a revision calls, each as `ops.name` with its table and what follows it."""
    tree = ast.parse(file.read_text())
    (made,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    found = [
        node.value for node in made.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    return [_shown(node) for node in found]


def _shown(node: ast.Call) -> str:
    given = [_value(one) for one in node.args] + [f"{one.arg}={_value(one.value)}" for one in node.keywords]
    return f"{ast.unparse(node.func)}({', '.join(given)})"


def _value(node: ast.expr) -> str:
    found = ast.literal_eval(node)
    return json.dumps(found) if isinstance(found, str | list) else repr(found)


def test_what_it_writes_passes_the_gate_and_runs_while_nobody_is_blocked(
    checkout: Checkout, url: str
) -> None:
    rows(url, BEFORE)
    before = rows(url, SHAPE)
    (checkout.root / "models.py").write_text(MODELS)
    files = generated(checkout, url, "Orders")
    assert [file.name for file in files] == [f"{NEXT}_orders_expand.py", f"{AFTER_NEXT}_orders_contract.py"]
    checked = checkout.python("-m", "spotify_ai_agent_migrations", "check")
    assert (checked.returncode, " no findings," in checked.stdout) == (0, True), checked.stdout
    assert calls(files[0], "upgrade") == EXPANDED
    assert calls(files[1], "upgrade") == CONTRACTED

    applied(checkout, url, "-x", "dry-run=1", "upgrade", "head")
    assert rows(url, SHAPE) == before
    with clients(url) as least:
        until(lambda: least() > 0)
        with slow_reader(url, least):
            said = applied(checkout, url, "upgrade", NEXT)
        # There was somebody in the way, behind whom nobody queued.
        assert "waiting: pid " in said
        applied(checkout, url, "upgrade", AFTER_NEXT)
        alike = checkout.alembic(*OPTIONS, "check", url=url)
        assert (alike.returncode, alike.stdout) == (0, "No new upgrade operations detected.\n"), alike.stderr
        after = rows(url, SHAPE)
        # Whoever runs has acknowledged no way back, and a downgrade takes it all the same, and says so.
        rows(url, f"SELECT public.acknowledge_version_v1('backend', '1.5.0', '{AFTER_NEXT}')")
        applied(checkout, url, "downgrade", HEAD)
    assert rows(url, SHAPE) == before
    assert rows(
        url,
        "SELECT DISTINCT reason, missing -> 0 ->> 'demand' FROM ops.online_contract"
        " WHERE reason IS NOT NULL ORDER BY 1",
    ) == [(f"downgrade of revision {file.stem} was asked for", "acknowledged") for file in files]
    rows(url, "DELETE FROM ops.application_version")
    applied(checkout, url, "upgrade", "head")
    assert rows(url, SHAPE) == after
    assert generated(checkout, url, "Nothing") == []


MORE = """
import sqlalchemy as sa

metadata = sa.MetaData(schema="shop")
sa.Table(
    "shops", metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("title", sa.String(20), nullable=False, comment="none: what it is called"),
    sa.Column("place", sa.Text, nullable=False, comment="location: where it is"),
)
sa.Table(
    "visits", metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="none: number"),
    sa.Column(
        "shop_id", sa.BigInteger, sa.ForeignKey("shop.shops.id", name="visits_shop_id_fkey"), index=True, comment="none: shop"
    ),
)
"""


OLD = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.shops (id bigint PRIMARY KEY, name varchar(20) NOT NULL);
    INSERT INTO shop.shops SELECT i, 'shop ' || i FROM generate_series(1, 20) AS i;
    CREATE TABLE shop.closed (id bigint PRIMARY KEY, why text);
    COMMENT ON COLUMN shop.closed.id IS 'none: number';
    COMMENT ON COLUMN shop.closed.why IS 'none: reason';
    CREATE INDEX closed_why_idx ON shop.closed (why);
"""
# Written as it is, it would end a docstring, and a comment, and run.
HOSTILE = 'a\\d"""\nraise SystemExit("a name was run")\n"""'
HOSTILE_TABLE = '"' + HOSTILE.replace('"', '""') + '"'
ODD = f"""
    CREATE TABLE shop.{HOSTILE_TABLE} (id bigint PRIMARY KEY, closed_id bigint CONSTRAINT of_closed REFERENCES shop.closed);
    COMMENT ON COLUMN shop.{HOSTILE_TABLE}.id IS 'none: number';
    COMMENT ON COLUMN shop.{HOSTILE_TABLE}.closed_id IS 'none: what was closed';
    ALTER TABLE shop.shops ADD COLUMN {HOSTILE_TABLE} varchar(20);
"""


def test_new_tables_and_tables_that_go_have_revisions_of_their_own(checkout: Checkout, url: str) -> None:
    rows(url, OLD + ODD)
    (checkout.root / "models.py").write_text(MORE)
    made, expand, contract, gone = generated(checkout, url, "Visits")
    number = int(NEXT)
    assert [file.name for file in (made, expand, contract, gone)] == [
        f"{number:03d}_visits_tables.py",
        f"{number + 1:03d}_visits_expand.py",
        f"{number + 2:03d}_visits_contract.py",
        f"{number + 3:03d}_visits_drop_tables.py",
    ]
    # A table that is new takes no lock on one that is there.
    assert "ops." not in made.read_text()
    assert "shops" not in made.read_text()
    odd = json.dumps(f"shop.{HOSTILE_TABLE}")
    unbound, *counted = [one for one in calls(expand, "upgrade") if "table" in one or "constraint" in one]
    assert unbound == f'ops.drop_constraint({odd}, "of_closed")'
    # Alembic has them in any order.
    assert {*counted} == {
        'ops.drop_table("shop.closed", part="expand")',
        f'ops.drop_table({odd}, part="expand")',
    }
    assert {*calls(gone, "upgrade")} == {
        'ops.drop_table("shop.closed", part="contract")',
        f'ops.drop_table({odd}, part="contract")',
    }
    told = ast.get_docstring(ast.parse(gone.read_text()))
    assert told is not None
    assert f"the rows of shop.{HOSTILE_TABLE}".replace("\n", r"\n") in told
    assert 'op.create_table("closed"' in gone.read_text().replace("'", '"')
    text = expand.read_text()
    assert (
        '# Is "title" another name of "name"? Then its values go: in place of both, ops.rename_column('
        '"shop.shops", "name", "title", part="expand"), and in' in text
    )
    # A call that is longer than a line is a comment on all of its lines.
    assert "    # ops.rename_column(\n" in text or "in place of both, ops.rename_column(\n" in text
    assert "# Rows of shop.shops have no value here yet." in contract.read_text()

    applied(checkout, url, "upgrade", f"{number + 1:03d}")
    # What no model has a value for is asked for, and nothing is broken.
    refused = checkout.alembic("upgrade", f"{number + 2:03d}", url=url)
    assert refused.returncode == 1
    assert 'of "shop.shops" have no value in' in refused.stderr, refused.stderr
    rows(url, "UPDATE shop.shops SET place = 'here', title = name")
    applied(checkout, url, "upgrade", "head")
    assert generated(checkout, url, "Nothing") == []
    applied(checkout, url, "downgrade", HEAD)
    assert rows(
        url,
        "SELECT to_regclass('shop.closed_why_idx') IS NULL, to_regclass('shop.visits') IS NULL,"
        " (SELECT count(*) FROM pg_constraint WHERE conname = 'of_closed' AND convalidated)",
    ) == [(False, True, 1)]


ONLINE = """
from spotify_ai_agent_migrations import ops
ops.add_column("shop.orders", "city", "text", comment="location: where it is sent")
ops.create_index("shop.orders", ["city"])
"""


KILLED = """
import os, runpy, signal, sys
from spotify_ai_agent_migrations.versions.core.session import BriefSession
run, text = BriefSession.run, sys.argv[1]
def killed(session, statement):
    if text in session.text(statement):
        os.kill(os.getpid(), signal.SIGKILL)
    return run(session, statement)
BriefSession.run = killed
sys.argv = ["alembic", "upgrade", "head"]
runpy.run_module("alembic", run_name="__main__")
"""


@pytest.mark.soak
def test_a_script_stops_a_dry_run_changes_nothing_and_what_was_killed_goes_on(
    checkout: Checkout, url: str
) -> None:
    rows(url, BEFORE)
    checkout.add(
        ONLINE,
        downgrade="from spotify_ai_agent_migrations import ops\nops.drop_column('shop.orders', 'city')",
    )
    script = checkout.alembic("upgrade", f"{HEAD}:{NEXT}", "--sql", url=url)
    assert script.returncode == 0, script.stderr
    block = re.findall(r"DO \$revision\$.*?\$revision\$", script.stdout, re.DOTALL)[0]
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as told:
        rows(url, block)
    assert told.value.diag.message_primary == "a script cannot change shop.orders online"
    before = rows(url, SHAPE)
    applied(checkout, url, "-x", "dry-run=1", "upgrade", "head")
    assert rows(url, SHAPE) == before
    assert rows(url, "SELECT count(*) FROM ops.online_change") == [(0,)]
    killed = checkout.python("-c", KILLED, "CREATE INDEX CONCURRENTLY", url=url)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert rows(url, "SELECT subject, state FROM ops.online_change ORDER BY id") == [
        ("city", "completed"),
        ("city", "begun"),
    ]
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    applied(checkout, url, "upgrade", "head")
    assert rows(url, "SELECT subject, state FROM ops.online_change ORDER BY id") == [
        ("city", "completed"),
        ("city", "completed"),
    ]
    assert (
        "orders_city_idx",
        "CREATE INDEX orders_city_idx ON shop.orders USING btree (city)",
        None,
        None,
        None,
    ) in rows(url, SHAPE)
    applied(checkout, url, "downgrade", HEAD)
    assert rows(url, SHAPE) == before

    # Old code would find the column gone while it runs.
    (checkout.versions / f"{NEXT}_added.py").unlink()
    checkout.add(
        'from spotify_ai_agent_migrations import ops\nops.rename_column("shop.orders", "note", "remark")'
    )
    refused = checkout.alembic("upgrade", "head", url=url)
    assert refused.returncode == 1
    assert ' on shop.orders takes "note" from code that runs meanwhile' in refused.stderr
    assert rows(url, "SELECT count(*) FROM ops.online_change WHERE operation = 'rename_column'") == [(0,)]
    assert rows(url, SHAPE) == before
