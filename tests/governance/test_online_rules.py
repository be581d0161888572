"""Rules that read the calls of `ops`, which change live tables: MIG014, MIG024 and MIG055."""

from __future__ import annotations

import pytest
from governance.history import CHOICE, Folder

IMPORTS = "from spotify_ai_agent_migrations import ops\n"
ADDED = 'ops.add_column("public.users", "city", "text"{})'
LOST = (
    'MIG055 the revision destroys data, and its field "Data" says none',
    'write "Data: destructive; <what is lost>" in the docstring of 001_step.py',
)


def said(folder: Folder, body: str) -> list[tuple[str, str]]:
    folder.upgrade(body, imports=IMPORTS)
    return [
        (f"{code} {problem}", hint)
        for code, problem, hint in folder.said()
        if code in {"MIG014", "MIG024", "MIG055"}
    ]


def test_a_column_that_is_added_online_has_a_class(folder: Folder) -> None:
    assert said(folder, ADDED.format("")) == [
        (
            'MIG014 column "city" of "public.users" has no classification',
            'write ops.add_column(…, comment="<class>: <what it is for>") in 001_step.py; '
            f"the class is {CHOICE}",
        )
    ]
    assert said(folder, ADDED.format(', comment="location: where it is sent"')) == []


def test_what_stands_beside_an_online_change_is_refused(folder: Folder) -> None:
    beside = 'op.create_table("t")\nops.set_not_null("public.users", "city")'
    assert said(folder, beside) == [
        (
            'MIG024 "ops.set_not_null" commits what came before it, and stays when what comes after fails',
            'move the calls of ops from 001_step.py into a revision of their own: alembic revision -m "…"',
        )
    ]
    assert said(folder, 'op.execute("SELECT 1")\nops.set_not_null("public.users", "city")') == []


@pytest.mark.parametrize("call", ['drop_table("public.t")', 'drop_column("public.t", "c", part="contract")'])
def test_what_drops_online_declares_its_loss(folder: Folder, call: str) -> None:
    assert said(folder, f"ops.{call}") == [LOST]


@pytest.mark.parametrize("part", ["expand", "undo"])
def test_a_part_that_drops_nothing_loses_nothing(folder: Folder, part: str) -> None:
    assert said(folder, f'ops.drop_column("public.t", "c", part="{part}")') == []
