"""The locks that a plan lists are those that its steps take."""

from __future__ import annotations

from zero_downtime_migration.walked import settings

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    AddCheck,
    AddForeignKey,
    AddPrimaryKey,
    AddUnique,
    CreateIndex,
    DropIndex,
    ReplaceIndex,
    Step,
    plan,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from support import connected, rows

MODES = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE", "ACCESS EXCLUSIVE",
)  # fmt: skip
# Of what was there before the transaction, and stronger than a writer's.
HELD = """
    SELECT format('%I.%I', nspname, relname), regexp_replace(mode, '([a-z])([A-Z])', '\\1 \\2', 'g')
      FROM pg_locks
      JOIN pg_class AS class ON class.oid = relation
      JOIN pg_namespace AS space ON space.oid = relnamespace AND nspname = 'shop'
     WHERE pid = pg_backend_pid() AND locktype = 'relation'
       AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
       AND class.xmin <> pg_current_xact_id_if_assigned()::xid
"""
MADE = (
    "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer, a integer NOT NULL, b integer);"
    " CREATE TABLE shop.r (id integer PRIMARY KEY);"
    " CREATE TABLE shop.p (id integer NOT NULL, a integer) PARTITION BY RANGE (id);"
    " CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES FROM (0) TO (100);"
    " CREATE TABLE shop.p2 PARTITION OF shop.p FOR VALUES FROM (100) TO (300)"
)
WISHES: tuple[Wish, ...] = (
    CreateIndex("shop.t", ("a",), comment="c"),
    CreateIndex("shop.p", ("a",)),
    ReplaceIndex("shop.t", ("a", "b"), name="t_a_idx"),
    AddForeignKey("shop.t", ("a",), "shop.r", comment="c"),
    AddForeignKey("shop.p", ("a",), "shop.r"),
    AddCheck("shop.t", "a > 0"),
    AddCheck("shop.p", "a > 0", comment="c"),
    AddUnique("shop.t", ("a",), comment="c"),
    AddUnique("shop.p", ("a", "id")),
    AddPrimaryKey("shop.t", ("a",)),
    AddPrimaryKey("shop.p", ("id",)),
    DropIndex("shop.p", "p_a_idx", at_once=True),
    DropIndex("shop.t", "t_a_idx"),
)


def test_every_step_takes_the_locks_that_are_said_and_no_others(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    seen = [
        undeclared(ledger_url, step)
        for wish in WISHES
        for step in plan(wish, settings=settings(ledger_url)).steps
    ]
    assert sum(taken for taken, _ in seen) > len(WISHES)
    assert [more for _, more in seen if more] == []


def undeclared(url: str, step: Step) -> tuple[int, list[object]]:
    """Do a step; return how many strong locks it took, and which of them it does not say, or its undoing does not."""
    if step.kind is Kind.ALONE:
        for statement in step.sql:
            rows(url, statement)
    if step.kind is not Kind.BRIEF:
        return 0, []
    back = taken(url, (*step.sql, *step.undo), commit=False)
    locks = taken(url, step.sql, commit=True)
    every = (*step.locks, *step.undo_locks)
    return len(locks), [(step.name, lock) for lock in locks if not said(lock, step.locks)] + [
        (step.name, "undo", lock) for lock in back if not said(lock, every)
    ]


def taken(url: str, statements: tuple[str, ...], *, commit: bool) -> list[Lock]:
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        cursor.execute(HELD)
        found = [Lock(table, mode.removesuffix(" Lock").upper()) for table, mode in cursor.fetchall()]
        if commit:
            connection.commit()
        return found


def said(lock: Lock, listed: tuple[Lock, ...]) -> bool:
    return any(
        lock.table == one.table.replace('"', "") and MODES.index(lock.mode) <= MODES.index(one.mode)
        for one in listed
    )
