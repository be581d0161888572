"""An export is verified without a database, and what was changed in it is found and named."""

from __future__ import annotations

import gzip
import pathlib
import stat

import pytest
from audit_trail.scene import Trail, found

from spotify_ai_agent_migrations.versions.audit_trail.exporting import (
    COLUMNS,
    Exported,
    export,
    verify_export,
)
from spotify_ai_agent_migrations.versions.audit_trail.run import redact, seal
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, FileError, MigrationError
from support import connected, rows

TEXTS = ["", "\\N", '"', '""', "a,b", "a\nb", "a\r\nb", "é\u0301", ",", "NULL", "\r", '",\n"', " x "]


@pytest.fixture
def exported(trail: Trail, tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """The files of a trail with odd texts and redacted entries in it."""
    with connected(trail.url) as connection, connection.cursor() as cursor:
        for text in TEXTS:
            cursor.execute(
                "INSERT INTO audit_log (entity_type, entity_id, action, actor_type, entity_key, changed_columns, payload)"
                " VALUES (%(text)s, 1, 'update', 'user', %(text)s, ARRAY[%(text)s], to_jsonb(%(text)s::text))",
                {"text": text},
            )
    redact(trail.blocks[2][:3], trail.url)
    seal(trail.url, key=trail.key)
    files = tmp_path / "entries.csv.gz", tmp_path / "seals.jsonl"
    ((entries,),) = rows(trail.url, "SELECT count(*)::int FROM audit_log")
    done = export(entries=files[0], seals=files[1], url=trail.url)
    assert done == Exported(int(str(entries)), 7)
    return files


def rewritten(file: pathlib.Path, old: str, new: str) -> pathlib.Path:
    """A copy of *file*, unpacked, with one text in place of another."""
    text = (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).decode()
    assert text.count(old) == 1, text.count(old)
    made = file.with_name(f"other {file.stem}")
    made.write_bytes(text.replace(old, new).encode())
    return made


def test_an_export_is_whole_without_a_database(
    trail: Trail, exported: tuple[pathlib.Path, pathlib.Path]
) -> None:
    done = verify_export(*exported, public_key=trail.public_key, digests=trail.published)
    ((entries,),) = rows(trail.url, "SELECT count(*) FROM audit_log")
    assert done.whole, done.faults
    assert (done.entries, done.seals, done.unsealed, done.signatures_checked) == (entries, 7, 0, True)


def test_an_edit_of_a_cell_a_row_less_and_a_row_more_are_found(
    trail: Trail, exported: tuple[pathlib.Path, pathlib.Path]
) -> None:
    entries, seals = exported
    number = trail.blocks[4][5]
    lines = gzip.decompress(entries.read_bytes()).decode().splitlines(keepends=True)
    (line,) = [line for line in lines if line.startswith(f"{number},")]
    cells = line.split(",")
    assert tuple(lines[0].strip().split(",")) == COLUMNS
    edited = ",".join([*cells[:7], "5", *cells[8:]])
    assert found(verify_export(rewritten(entries, line, edited), seals)) == {("edited", 4, number, number)}
    assert found(verify_export(rewritten(entries, line, ""), seals)) == {("missing", 4, number, number)}
    assert found(verify_export(rewritten(entries, line, line + line), seals)) == {
        ("duplicate", None, number, number)
    }
    added = ",".join(["77000", *cells[1:]])
    assert found(verify_export(rewritten(entries, line, line + added), seals)) == {
        ("foreign", None, 77000, 77000)
    }
    for place in (2, 6, 7):
        odd = ",".join([*cells[:place], "x", *cells[place + 1 :]])
        assert found(verify_export(rewritten(entries, line, odd), seals)) == {("edited", 4, number, number)}


def test_a_seal_less_and_a_seal_that_was_edited_are_found(
    exported: tuple[pathlib.Path, pathlib.Path],
) -> None:
    entries, seals = exported
    lines = seals.read_text().splitlines(keepends=True)
    assert found(verify_export(entries, rewritten(seals, lines[3], ""))) == {("seal_missing", 4, None, None)}
    edited = lines[3].replace('"timeline": 1', '"timeline": 2')
    assert found(verify_export(entries, rewritten(seals, lines[3], edited))) == {
        ("seal_edited", 4, None, None)
    }
    shorter = rewritten(seals, lines[-1], "")
    assert verify_export(entries, shorter).unsealed == len(TEXTS) + 3
    assert found(verify_export(entries, shorter, digests=seals)) == {("truncated", 7, None, None)}


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\n1,2\n", ",".join(COLUMNS) + '\n"1\n']
)
def test_what_is_no_export_is_refused(exported: tuple[pathlib.Path, pathlib.Path], text: str) -> None:
    other = exported[0].with_name("other.csv")
    other.write_text(text)
    with pytest.raises(FileError):
        verify_export(other, exported[1])
    with pytest.raises(FileError):
        verify_export(exported[0].with_name("none.csv"), exported[1])
    with pytest.raises(FileError):
        verify_export(exported[0], exported[0])


def test_entries_without_a_seal_are_not_called_whole(exported: tuple[pathlib.Path, pathlib.Path]) -> None:
    exported[1].write_text("")
    with pytest.raises(FileError) as refused:
        verify_export(*exported)
    assert refused.value.problem == (
        f'"{exported[1]}" holds no seal, so no entry could be told from a forged one'
    )


def test_a_file_that_cannot_be_unpacked_is_refused(exported: tuple[pathlib.Path, pathlib.Path]) -> None:
    # All that is behind the header and the name of the file in it.
    exported[0].write_bytes(exported[0].read_bytes()[:22] + b"\xff" * 100)
    with pytest.raises(FileError) as refused:
        verify_export(*exported)
    assert refused.value.problem == f'"{exported[0]}" cannot be read'


def test_a_file_that_cannot_be_written_is_refused(trail: Trail, tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileError) as refused:
        export(entries=tmp_path / "none" / "e.csv", seals=tmp_path / "s.jsonl", url=trail.url)
    assert refused.value.problem == f'"{tmp_path}/none/e.csv" cannot be written: No such file or directory'


def test_what_is_written_is_for_its_owner_alone_and_replaces_a_file_only_when_it_is_whole(
    trail: Trail, exported: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    assert {stat.S_IMODE(file.stat().st_mode) for file in exported} == {0o600}
    before = [file.read_bytes() for file in exported]
    there = sorted(tmp_path.rglob("*"))
    with connected(trail.url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_log RENAME TO hidden")
        cursor.execute("COMMIT")
    with pytest.raises(MigrationError):
        export(entries=exported[0], seals=exported[1], url=trail.url)
    assert exported[0].read_bytes() == before[0]
    assert sorted(tmp_path.rglob("*")) == there


def test_an_export_that_could_not_be_judged_is_refused(trail: Trail, tmp_path: pathlib.Path) -> None:
    trail.attacked("UPDATE ops.audit_seal SET system_identifier = '1' WHERE id = 6")
    with pytest.raises(DatabaseError) as refused:
        export(entries=tmp_path / "e.csv", seals=tmp_path / "s.jsonl", url=trail.url)
    assert refused.value.problem == "the database was restored since the last seal"
