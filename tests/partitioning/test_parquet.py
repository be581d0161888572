"""What is over goes into a Parquet file: every value exactly, read back before it counts, or refused by name."""

from __future__ import annotations

import hashlib
import os
import pathlib
import sys
from typing import Any

import pyarrow.parquet
import pytest
from partitioning.test_maintain import kept, old_month
from psycopg2.sql import Identifier

from spotify_ai_agent_migrations.versions.core.errors import FileError, TableError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import facts
from spotify_ai_agent_migrations.versions.partitioning.archive import Archived, archive
from spotify_ai_agent_migrations.versions.partitioning.session import Session, opened
from support import connected, rows

TYPED = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN small AS smallint CHECK (value > 0);
CREATE DOMAIN smaller AS small CHECK (value < 9);
CREATE DOMAIN late AS timestamptz;
CREATE TYPE pair AS (left_ text, right_ numeric);
CREATE TABLE typed (
    a smallint, b integer, c bigint, d boolean, e real, f double precision, g numeric, h numeric(8, 2), i text,
    j varchar(9), k char(5), l bytea, m date, n timestamp, o timestamptz, p timestamptz(3), q time, r timetz,
    s interval, t uuid, u json, v jsonb, w int[], x text[], y mood, z mood[], aa smaller, ab late, ac pair, ad inet,
    ae tstzrange, af int4multirange, ag tsvector, ah bit varying, ai "char", "odd ""name%" text, aj point
);
INSERT INTO typed VALUES
    (-32768, -2147483648, -9223372036854775808, false, '-Infinity', 'NaN', 'NaN', -999999.99, '', 'é', 'a  ', '\\x00ff',
     '-infinity', '-infinity', '-infinity', '-infinity', '00:00', '23:59:59.999999-15:59', '-178 years', '00000000-0000-0000-0000-000000000000',
     '{"a":  1}', '{"a": 1.10}', '{}', '{}', 'glad', '{}', 1, '-infinity', ROW('', NULL), '10.0.0.1/8', 'empty', '{}', '', B'', 'x', '', '(0,1)'),
    (32767, 2147483647, 9223372036854775807, true, 0.1, 0.1, 123456789012345678901234567890.00000000000000000001, 0.00, E'a\\n"b",\\t\\\\', 'x', 'abcde',
     '\\x', 'infinity', 'infinity', 'infinity', 'infinity', '24:00', '12:00+05:30', '1 mon -1 day 00:00:00.000001', '01980000-0000-7000-8000-000000000000',
     'null', 'null', '[2:3]={1,NULL}', '{{a,"b,c"},{NULL,"NULL"}}', 'sad', '{sad,NULL}', 8, 'infinity', ROW('a,b', 1.50), '::1', '[2026-01-01,infinity)',
     '{[1,3),[5,9)}', 'a:1 ''b c'':2', B'101', 'é', 'é', '(1e300,-0)'),
    (0, 0, 0, NULL, '1e-45', 5e-324, '-Infinity', 'NaN', repeat('a', 5000), NULL, NULL, NULL, '4713-01-01 BC', '4713-01-01 00:00:00.000001 BC',
     '9999-12-31 23:59:59.999999+00', '2026-11-26 12:00:00.123+01', '12:00:00.5', '00:00+00', '0', NULL, '[]', '[]', '{NULL}', '{}', NULL, NULL, NULL,
     '2026-10-25 00:30:00.000001+00', NULL, '10.0.0.0/8', '(,)', '{(,)}', 'x', NULL, '', NULL, NULL),
    (NULL, NULL, NULL, NULL, 'NaN', '-0', NULL, NULL, NULL, NULL, NULL, NULL, '5874897-12-31', '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59.999999+00',
     '1970-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""
INSTANT = "CASE %s::bigint WHEN 9223372036854775807 THEN 'infinity' WHEN -9223372036854775807 THEN '-infinity' ELSE '{epoch}'::{type} + %s / 86400000000 * interval '1 day' + %s %% 86400000000 * interval '1 microsecond' END"
DAY = "CASE %s::int WHEN 2147483647 THEN 'infinity' WHEN -2147483647 THEN '-infinity' ELSE DATE '1970-01-01' + %s::int END"


def archived(url: str, folder: pathlib.Path, table: str, schema: str = "public") -> Archived:
    with opened(resolve_settings(url), "test") as connection:
        session = Session(connection)
        oid = facts.number_of(session, session.text(Identifier(schema, table)))
        return archive(session, oid, schema, table, folder, "parquet")


def loaded(url: str, file: pathlib.Path, table: str) -> None:
    """Load a file into an empty table, each column cast to the type that it bears."""
    found = pyarrow.parquet.read_table(file)
    spoken: list[str] = []
    columns: list[list[Any]] = []
    for field, column in zip(found.schema, found.columns, strict=True):
        kind, epoch = str(field.type), "1970-01-01+00" if "UTC" in str(field.type) else "1970-01-01"
        declared = field.metadata[b"postgresql.type"].decode()
        if kind.startswith("timestamp"):
            base = "timestamptz" if "UTC" in kind else "timestamp"
            spoken.append(INSTANT.format(epoch=epoch, type=base) + f"::{declared}")
            columns += [column.cast("int64").to_pylist()] * 3
        elif kind.startswith("date"):
            spoken.append(DAY)
            columns += [column.cast("int32").to_pylist()] * 2
        else:
            spoken.append(f"(%s)::{declared}")
            columns.append(
                [
                    str(value) if kind in {"float", "double"} and value is not None else value
                    for value in column.to_pylist()
                ]
            )
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'")
        for row in zip(*columns, strict=True):
            cursor.execute(f"INSERT INTO {table} SELECT {', '.join(spoken)}", row)


def content(url: str, table: str) -> list[tuple[object, ...]]:
    return rows(url, f"SET extra_float_digits = 3; SELECT one::text FROM {table} AS one ORDER BY 1")


def test_every_type_comes_back_exactly(url: str, tmp_path: pathlib.Path) -> None:
    rows(url, TYPED + "CREATE TABLE again (LIKE typed)")
    # What a database or a role has set changes nothing.
    for setting in (
        "DateStyle = 'German'",
        "IntervalStyle = 'iso_8601'",
        "extra_float_digits = -10",
        "TimeZone = 'Asia/Kolkata'",
    ):
        rows(
            url,
            f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting.replace(chr(39), chr(39) * 2)}', current_database()); END $$",
        )
    done = archived(url, tmp_path, "typed")
    assert (done.rows, done.file.suffix) == (4, ".parquet")
    assert done.sha256 == hashlib.sha256(done.file.read_bytes()).hexdigest()
    assert done.file.stat().st_mode & 0o777 == 0o600
    before = content(url, "typed")
    assert len(before) == 4
    loaded(url, done.file, "again")
    assert content(url, "again") == before
    assert rows(
        url,
        "SELECT count(*) FROM typed, again WHERE typed.c = again.c AND typed.f = again.f",
    ) == [(3,)]
    written = pyarrow.parquet.read_schema(done.file)
    assert {str(field.type) for field in written} == {
        "int16", "int32", "int64", "bool", "float", "double", "string", "binary", "date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]",
    }  # fmt: skip
    assert written.field("h").metadata == {b"postgresql.type": b"numeric(8,2)"}


@pytest.mark.parametrize("table", ["analytics", "audit_log"])
def test_analytics_and_the_trail_come_back_exactly(url: str, tmp_path: pathlib.Path, table: str) -> None:
    rows(
        url,
        "INSERT INTO analytics (user_id, event_name, properties, created_at) SELECT n, 'a.b', jsonb_build_object('é\"', n / 7.0), now() - n * interval '1 minute' FROM generate_series(1, 50) AS n;"
        " INSERT INTO analytics (user_id, event_name, created_at) VALUES (1, 'a.b', '-infinity'); UPDATE ops.partition_policy SET hold = 'é'",
    )
    rows(url, f"CREATE TABLE again (LIKE {table})")
    done = archived(url, tmp_path, f"{table}_legacy")
    before = content(url, f"{table}_legacy")
    assert len(before) == done.rows > 0
    loaded(url, done.file, "again")
    assert content(url, "again") == before


def test_an_empty_table_and_one_of_many_groups_are_whole(url: str, tmp_path: pathlib.Path) -> None:
    rows(
        url,
        "CREATE TABLE none (id int); CREATE TABLE many AS SELECT n AS id, n::text AS word FROM generate_series(1, 45000) AS n",
    )
    assert archived(url, tmp_path, "none").rows == 0
    done = archived(url, tmp_path, "many")
    assert done.rows == 45000
    found = pyarrow.parquet.ParquetFile(done.file)
    assert (found.num_row_groups, found.metadata.num_rows) == (3, 45000)
    assert sum(found.read().column("id").to_pylist()) == 45000 * 45001 // 2


def test_what_cannot_be_written_exactly_is_refused_by_name(url: str, tmp_path: pathlib.Path) -> None:
    rows(
        url,
        "CREATE DOMAIN price AS money; CREATE TABLE odd (id int, cost price, costs money[], at timestamp); INSERT INTO odd (at) VALUES ('294247-01-10 05:00')",
    )
    with pytest.raises(TableError) as refused:
        archived(url, tmp_path, "odd")
    assert refused.value.problem == (
        'table "public"."odd" cannot be written to Parquet exactly: "cost" is of type money; '
        '"costs" is of type money[]; "at" has times of the year 294247 or later'
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_hold_it_is_refused(
    url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(url, "CREATE TABLE plain AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 100) AS n")
    whole = os.fsync

    def spoilt(descriptor: int) -> None:
        # As a disk that does not keep what it is given.
        os.pwrite(descriptor, b"\0" * 64, 100)
        whole(descriptor)

    monkeypatch.setattr(os, "fsync", spoilt)
    with pytest.raises(FileError) as refused:
        archived(url, tmp_path, "plain")
    (file,) = tmp_path.glob("*.unfinished")
    assert refused.value.problem == f'"{file}" does not hold what was written to it'
    monkeypatch.undo()
    assert archived(url, tmp_path, "plain").rows == 100


def test_a_policy_says_parquet_and_what_is_over_goes_into_it(url: str, tmp_path: pathlib.Path) -> None:
    name = old_month(url, 20)
    rows(url, "UPDATE ops.partition_policy SET archive_format = 'parquet', grace = '0'")
    done = kept(url, name, archive=tmp_path)
    (file,) = tmp_path.iterdir()
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert done == {
        ("detached", name, None),
        ("archived", name, f"3 rows, SHA-256 {sha256}"),
        ("dropped", name, None),
    }
    assert rows(url, "SELECT archived_rows, sha256, file FROM ops.partition_archives") == [
        (3, sha256, str(file))
    ]
    assert pyarrow.parquet.read_table(file).column("user_id").to_pylist() == [1, 2, 3]


def test_without_pyarrow_it_says_what_to_install_and_drops_nothing(
    url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = old_month(url, 20)
    rows(url, "UPDATE ops.partition_policy SET archive_format = 'parquet', grace = '0'")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert kept(url, name, archive=tmp_path) == {
        ("detached", name, None),
        ("failed", name, 'to write Parquet takes pyarrow: pip install "spotify-ai-agent-migrations[arrow]"'),
    }
    assert rows(url, f"SELECT count(*) FROM {name}") == [(3,)]
    monkeypatch.undo()
    assert ("dropped", name, None) in kept(url, archive=tmp_path)


def test_what_was_changed_behind_the_archive_is_not_dropped(url: str, tmp_path: pathlib.Path) -> None:
    name = old_month(url, 20)
    rows(url, "UPDATE ops.partition_policy SET archive_format = 'parquet'")
    assert ("archived", name) in {one[:2] for one in kept(url, name, archive=tmp_path)}
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    rows(url, "UPDATE ops.partition_policy SET grace = '0'")
    file.write_bytes(content[:-20] + b"x" * 20)
    assert kept(url, name, archive=tmp_path) == {
        ("failed", name, f'the archive of "public.{name}" is not what was archived: "{file}"')
    }
    file.rename(tmp_path / "aside")
    assert kept(url, name, archive=tmp_path) == {
        (
            "failed",
            name,
            f'the archive of "public.{name}" cannot be read: "{file}": No such file or directory',
        )
    }
    file.write_bytes(content)
    # As many rows, and as long; and then as they were, in their order.
    for word, done in (("a.c", "failed"), ("a.b", "dropped")):
        rows(
            url,
            f"""CREATE TEMPORARY TABLE other ON COMMIT DROP AS SELECT * FROM {name};
            UPDATE other SET event_name = '{word}' WHERE user_id = 1; TRUNCATE {name}; INSERT INTO {name} SELECT * FROM other ORDER BY user_id""",
        )
        assert {one[0] for one in kept(url, name, archive=tmp_path)} == {done}
