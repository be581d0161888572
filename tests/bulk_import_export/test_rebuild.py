"""Indexes and foreign keys are taken off for a load when that is asked, and are there again whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotify_ai_agent_migrations import RowError, SettingsError, TableError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from support import connected, rows

_TABLE = """
    CREATE TABLE p (id integer PRIMARY KEY); INSERT INTO p SELECT generate_series(0, 99);
    CREATE TABLE t (id bigint PRIMARY KEY, p integer CONSTRAINT to_p REFERENCES p ON DELETE CASCADE, name text);
    CREATE INDEX "by Name" ON t USING btree (lower(name) DESC) WITH (fillfactor = 80) WHERE name <> '';
    CREATE UNIQUE INDEX once ON t (name, id);
    COMMENT ON INDEX "by Name" IS 'none: it''s said';
    COMMENT ON CONSTRAINT to_p ON t IS 'none: said too';
"""
_DEFINED = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), obj_description(indexrelid, 'pg_class')
      FROM pg_index WHERE indrelid = 't'::regclass
    UNION ALL
    SELECT conname::text, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint')
      FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1
"""


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _file(path: Path, last: str = "") -> Path:
    path.write_text(
        "id,p,name\n" + "".join(f"{number},{number % 100},name {number}\n" for number in range(5_000)) + last
    )
    return path


@pytest.mark.parametrize(
    ("rebuild", "left"), [("indexes", {"t_pkey", "to_p"}), ("constraints", {"t_pkey"}), (None, None)]
)
def test_what_is_taken_off_is_put_back_as_it_was(
    empty_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rebuild: str | None,
    left: set[str] | None,
) -> None:
    _execute(empty_url, _TABLE)
    before = rows(empty_url, _DEFINED)
    send, seen = Session.send, []

    def looking(self: Session, prepared: object) -> object:
        self.cursor.execute(_DEFINED)
        seen.append({str(name) for name, *_ in self.cursor.fetchall()})
        return send(self, prepared)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "send", looking)
    result = bulk_import("t", _file(tmp_path / "t.csv"), url=empty_url, rebuild=rebuild)  # type: ignore[arg-type]
    every = {str(name) for name, *_ in before}
    assert {name for name in seen[0] if "not_null" not in name} == (
        left or every - {n for n in every if "not_null" in n}
    )
    assert (result.rows, rows(empty_url, _DEFINED)) == (5_000, before)


def test_a_row_that_breaks_what_is_put_back_undoes_all_of_it(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, _TABLE)
    before = rows(empty_url, _DEFINED)
    path = _file(tmp_path / "t.csv", "5000,100,late\n")
    with pytest.raises(RowError) as caught:
        bulk_import("t", path, url=empty_url, rebuild="constraints")
    assert caught.value.problem == (
        f'"{path}" line 5002, column "p": p has no row with this key, and "to_p" needs one'
    )
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]
    assert rows(empty_url, _DEFINED) == before


def test_where_they_could_not_be_put_back_it_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id bigint) PARTITION BY LIST (id)")
    (tmp_path / "t.csv").write_text("id\n")
    with pytest.raises(TableError) as partitioned:
        bulk_import("t", tmp_path / "t.csv", url=empty_url, rebuild="indexes")
    assert partitioned.value.problem == (
        "public.t is partitioned, and the indexes of its partitions cannot be rebuilt as one"
    )
    with pytest.raises(SettingsError) as resumed:
        bulk_import("t", "t.csv", rebuild="indexes", guarantee="resumable")
    assert resumed.value.hint == 'leave rebuild out, or say guarantee="atomic" and mode="insert" or "replace"'
    with pytest.raises(SettingsError) as kept:
        bulk_import("t", "t.csv", rebuild="constraints", max_rejects=1)
    assert kept.value.hint == 'say rebuild="indexes", or leave max_rejects out'
