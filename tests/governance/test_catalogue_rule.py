"""What is made behind the catalogue of personal data is put into it: MIG071."""

from __future__ import annotations

import pytest
from governance.history import Folder

CODES = ("MIG071",)
_CATALOGUE = (
    'def upgrade() -> None:\n    op.execute("CREATE TABLE ops.personal_data (table_name text);'
    ' CREATE TABLE public.old (id int)")\n'
)
_MADE = (
    'def upgrade() -> None:\n    op.execute("CREATE TABLE public.visits (id int, who text, at date)")\n'
    '    op.add_column("old", sa.Column("note", sa.Text, comment="content: x"))\n'
    "    op.execute(\"COMMENT ON COLUMN public.visits.id IS 'identifier: x';"
    " COMMENT ON COLUMN public.visits.who IS 'contact: x'; COMMENT ON COLUMN public.visits.at IS 'none: x'\")\n"
)


def told(folder: Folder, *behind: str, catalogue: str = _CATALOGUE) -> list[tuple[str, str]]:
    folder.revision(1, upgrade=catalogue)
    lines = "".join(f"    op.execute({line!r})\n" for line in behind)
    folder.revision(2, "visits", upgrade=_MADE + lines)
    return [(one.problem, one.hint) for one in folder.findings()]


def missing(table: str, column: str) -> tuple[str, str]:
    return (
        f'column "{column}" of "{table}" is personal, and is not put into the catalogue',
        f"write execute(\"SELECT ops.classify_column_v1('public.{table}', '{column}', <what becomes of it>)\")"
        " in 002_visits.py",
    )


def test_each_personal_column_that_is_not_put_into_the_catalogue_is_said_by_name(folder: Folder) -> None:
    assert told(folder) == [missing("visits", "id"), missing("visits", "who"), missing("old", "note")]


@pytest.mark.parametrize(
    "call",
    [
        "SELECT ops.classify_table_v1('public.visits', 'delete', 'provided', '{{service}}', 'contract')",
        "DO $$ BEGIN PERFORM ops.classify_table_v1('visits'); END $$",
    ],
)
def test_a_table_that_is_classified_is_well_and_so_is_a_column(folder: Folder, call: str) -> None:
    column = "SELECT ops.classify_column_v1('public.old', 'note', strategy => 'null')"
    assert told(folder, call, column) == []


def test_a_column_that_is_classified_does_not_speak_for_its_table(folder: Folder) -> None:
    behind = "SELECT ops.classify_column_v1('public.visits', 'who'), ops.classify_table_v1('public.old')"
    assert told(folder, behind) == [missing("visits", "id")]


def test_a_later_revision_may_do_it_and_an_earlier_call_does_not_count(folder: Folder) -> None:
    told(folder, "SELECT ops.classify_table_v1('public.old')")
    upgrade = (
        "def upgrade() -> None:\n    op.execute(\"SELECT ops.classify_table_v1('public.visits')\")\n"
        "    op.execute(\"ALTER TABLE public.visits ADD COLUMN late int; COMMENT ON COLUMN public.visits.late IS 'derived: x'\")\n"
    )
    folder.revision(3, "late", upgrade=upgrade)
    (found,) = folder.findings()
    assert found.problem == 'column "late" of "visits" is personal, and is not put into the catalogue'


def test_without_a_catalogue_nothing_is_put_into_it(folder: Folder) -> None:
    assert (
        told(folder, catalogue='def upgrade() -> None:\n    op.execute("CREATE TABLE public.old (id int)")\n')
        == []
    )
