r"""Measure bulk import and export beside what a user would pick instead, interleaved in one run.

    python benchmarks/bulk_import_export.py [ROWS] [ROUNDS]

Runs on DATABASE_URL or on the local server. Makes the schema `bulk_benchmark` and drops it at the end.
After each load the tables are compared, after each export the lines of the files. The medians and the
ratios to `psql \copy` are printed.
"""

from __future__ import annotations

import csv
import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn
from psycopg2.extras import execute_values

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.bulk_import_export import bulk_export, bulk_import
from versions.core.embedded import program
from versions.core.settings import resolve_settings

_COLUMNS = ("id", "user_id", "event_type", "properties", "created_at")
_TABLE = """
    DROP SCHEMA IF EXISTS bulk_benchmark CASCADE;
    CREATE SCHEMA bulk_benchmark;
    CREATE TABLE bulk_benchmark.events (
        id bigint, user_id bigint, event_type text, properties jsonb, created_at timestamptz
    );
"""
# As it is, with the keys of the project's analytics, and by month.
_SHAPES = {
    "no index": "",
    "primary key and two indexes": """
        ALTER TABLE bulk_benchmark.events ADD PRIMARY KEY (id, created_at);
        CREATE INDEX ON bulk_benchmark.events (user_id, created_at);
        CREATE INDEX ON bulk_benchmark.events USING brin (created_at)
    """,
    "twelve partitions": """
        DROP TABLE bulk_benchmark.events;
        CREATE TABLE bulk_benchmark.events (
            id bigint, user_id bigint, event_type text, properties jsonb, created_at timestamptz
        ) PARTITION BY RANGE (created_at);
        DO $$ BEGIN FOR month IN 1..12 LOOP
            EXECUTE format('CREATE TABLE bulk_benchmark.events_%s PARTITION OF bulk_benchmark.events FOR VALUES '
                'FROM (%L) TO (%L)', month, make_date(2026, month, 1), make_date(2026, month, 1) + interval '1 month');
        END LOOP; END $$
    """,
}
_BAD_ROWS = 1_000
_CONTENT = "SELECT count(*), sum(hashtextextended(event::text, 0)) FROM bulk_benchmark.events AS event"
# One row a statement: at this many rows it is measured on a part, and said so.
_MANY_ROWS_MOST = 20_000


def write_file(path: Path, rows: int) -> None:
    chance = random.Random(8)  # noqa: S311
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for number in range(rows):
            properties = (
                f'{{"track": {chance.randrange(10**6)}, "device": "phone", "ms": {number % 300_000}}}'
            )
            day = number * 336 // rows
            minute = (
                f"2026-{1 + day // 28:02}-{1 + day % 28:02} {number % 24:02}:{chance.randrange(60):02}:00+00"
            )
            writer.writerow([number, chance.randrange(10**5), "track_played", properties, minute])


def spoil(path: Path, rows: int, bad: Path) -> None:
    """Copy *path* with some rows that cannot be loaded, spread over it."""
    every = max(1, rows // _BAD_ROWS)
    with path.open() as file, bad.open("w") as spoilt:
        for number, line in enumerate(file):
            spoilt.write(f"x{line}" if number and number % every == 0 else line)


def psql(conninfo: Mapping[str, str], command: str, *, is_file: bool = False) -> None:
    """Run *command*; the password goes by the environment, which other users cannot list."""
    binary = shutil.which("psql") or str(program("psql"))
    named = make_dsn(**{name: value for name, value in conninfo.items() if name != "password"})
    login = {"PGPASSWORD": conninfo["password"]} if "password" in conninfo else {}
    arguments = [binary, "-X", "-q", "-d", named, "-f" if is_file else "-c", command]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **login})


def table_content(connection: Connection) -> object:
    with connection, connection.cursor() as cursor:
        cursor.execute(_CONTENT)
        return cursor.fetchone()


def file_content(path: Path) -> object:
    """Return what identifies the rows of *path*, in whatever order they were written."""
    return hashlib.sha256(b"".join(sorted(path.read_bytes().splitlines(keepends=True)))).hexdigest()


def read_rows(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def with_values(connection: Connection, path: Path) -> None:
    with connection, connection.cursor() as cursor:
        execute_values(
            cursor, "INSERT INTO bulk_benchmark.events VALUES %s", read_rows(path), page_size=1_000
        )


def with_many(connection: Connection, path: Path) -> None:
    with connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO bulk_benchmark.events VALUES (%s, %s, %s, %s, %s)", read_rows(path))


def measure(
    connection: Connection,
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    content: Callable[[], object],
    empty: bool,
) -> dict[str, list[float]]:
    """Run each way once a round, in an order that changes, and check that all leave the same content."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    contents = set()
    for turn in range(rounds):
        for name in random.Random(turn).sample(list(ways), len(ways)):  # noqa: S311
            if empty:
                with connection, connection.cursor() as cursor:
                    cursor.execute("TRUNCATE bulk_benchmark.events")
            began = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - began)
            contents.add(content())
    if len(contents) != 1:
        raise SystemExit(f"the contents differ: {contents}")
    return seconds


def correlation(connection: Connection) -> float:
    """Return how far the heap is in the order of the file."""
    with connection, connection.cursor() as cursor:
        cursor.execute("ANALYZE bulk_benchmark.events")
        cursor.execute(
            "SELECT correlation FROM pg_stats WHERE schemaname = 'bulk_benchmark' AND attname = 'created_at'"
        )
        row = cursor.fetchone()
        return float(row[0]) if row else 0.0


_BY_HAND = """
    CREATE TEMPORARY TABLE staged AS SELECT * FROM bulk_benchmark.events WITH NO DATA;
    \\copy staged FROM '{path}' (FORMAT csv, HEADER)
    INSERT INTO bulk_benchmark.events SELECT DISTINCT ON (id) * FROM staged ORDER BY id
        ON CONFLICT (id) DO UPDATE SET (user_id, event_type, properties, created_at)
         = (excluded.user_id, excluded.event_type, excluded.properties, excluded.created_at);
"""


def upserts(
    connection: Connection, conninfo: Mapping[str, str], path: Path, rounds: int
) -> dict[str, list[float]]:
    """Measure an upsert beside the same written by hand, each into a table that has half of the rows."""
    script = path.with_suffix(".sql")
    script.write_text(_BY_HAND.format(path=path))

    def half() -> None:
        with connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE bulk_benchmark.events DROP CONSTRAINT IF EXISTS events_pkey")
            cursor.execute("TRUNCATE bulk_benchmark.events")
        bulk_import("bulk_benchmark.events", path)
        with connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM bulk_benchmark.events WHERE id % 2 = 0")
            cursor.execute("UPDATE bulk_benchmark.events SET user_id = -1")
            cursor.execute("ALTER TABLE bulk_benchmark.events ADD CONSTRAINT events_pkey PRIMARY KEY (id)")

    ways: dict[str, Callable[[], object]] = {
        "staging and ON CONFLICT": lambda: psql(conninfo, str(script), is_file=True),
        "bulk_import, upsert": lambda: bulk_import("bulk_benchmark.events", path, mode="upsert"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            half()
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def parquet_ways(conninfo: Mapping[str, str], table: str, folder: Path) -> dict[str, Callable[[], object]]:
    """Return ways to write *table* as Parquet; DuckDB's where it and its extension are at hand."""
    ways: dict[str, Callable[[], object]] = {
        "bulk_export": lambda: bulk_export(table, folder / "ours.parquet")
    }
    try:
        library = import_module("duckdb").connect()
        library.execute("LOAD postgres")
    except Exception as error:  # noqa: BLE001  (not installed, or no extension without a network)
        print(f"\nwithout DuckDB: {type(error).__name__}")
        return ways
    library.execute(f"ATTACH '{make_dsn(**conninfo)}' AS db (TYPE postgres, READ_ONLY)")
    place = folder / "duckdb.parquet"
    return {
        "DuckDB": lambda: library.execute(f"COPY db.{table} TO '{place}' (FORMAT parquet, COMPRESSION zstd)"),
        **ways,
    }


def other_loaders(
    connection: Connection, conninfo: Mapping[str, str], path: Path
) -> dict[str, Callable[[], object]]:
    """Return what else loads a CSV file of those columns, where it is at hand: the server itself, and ADBC."""
    ways: dict[str, Callable[[], object]] = {}

    def by_the_server() -> None:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "COPY bulk_benchmark.events FROM %(path)s (FORMAT csv, HEADER)", {"path": str(path)}
            )

    path.chmod(0o644)
    path.parent.chmod(0o711)
    try:
        by_the_server()
        ways["server-side COPY"] = by_the_server
    except psycopg2.Error as error:
        print(f"\nwithout COPY on the server: {type(error).__name__}")
    try:
        import_module("adbc_driver_postgresql.dbapi")
        ways["ADBC from pyarrow.csv"] = lambda: with_adbc(conninfo, path)
    except ImportError:
        print("\nwithout ADBC: pip install adbc-driver-postgresql")
    return ways


def with_adbc(conninfo: Mapping[str, str], path: Path) -> None:
    """Load with ADBC, its columns typed as the table's: text is not taken for jsonb."""
    arrow, text = import_module("pyarrow"), import_module("pyarrow.csv")
    driver = import_module("adbc_driver_postgresql.dbapi")
    moment, json = arrow.timestamp("us", "UTC"), arrow.json_(arrow.utf8())
    read = dict(
        zip(_COLUMNS, (arrow.int64(), arrow.int64(), arrow.utf8(), arrow.utf8(), moment), strict=True)
    )
    schema = arrow.schema([(name, json if name == "properties" else type_) for name, type_ in read.items()])
    batches = (
        arrow.RecordBatch.from_arrays(
            [
                arrow.ExtensionArray.from_storage(json, column) if name == "properties" else column
                for name, column in zip(_COLUMNS, batch.columns, strict=True)
            ],
            schema=schema,
        )
        for batch in text.open_csv(path, convert_options=text.ConvertOptions(column_types=read))
    )
    settings = "&".join(f"{name}={quote(value, safe='')}" for name, value in conninfo.items())
    with driver.connect(f"postgresql://?{settings}") as session, session.cursor() as cursor:
        reader = arrow.RecordBatchReader.from_batches(schema, batches)
        cursor.adbc_ingest("events", reader, mode="append", db_schema_name="bulk_benchmark")
        session.commit()


def report(title: str, seconds: dict[str, list[float]], rows: int) -> None:
    base = statistics.median(next(iter(seconds.values())))
    print(f"\n{title}: {rows} rows, {len(next(iter(seconds.values())))} rounds")
    print(f"{'':28}{'median s':>10}{'least s':>10}{'rows/s':>12}{'ratio':>8}")
    for name, found in seconds.items():
        median = statistics.median(found)
        print(f"{name:28}{median:10.2f}{min(found):10.2f}{rows / median:12.0f}{median / base:8.2f}")


def main(rows: int = 200_000, rounds: int = 5) -> None:
    conninfo = resolve_settings(None).conninfo
    # The times in both files are to be spelt the same.
    in_utc = {**conninfo, "options": f"{conninfo.get('options', '')} -c timezone=UTC".strip()}
    table = "bulk_benchmark.events"
    with (
        tempfile.TemporaryDirectory() as name,
        closing(psycopg2.connect(make_dsn(**conninfo))) as connection,
    ):
        folder = Path(name)
        path, part, out = folder / "events.csv", folder / "part.csv", folder / "out.csv"
        bad = folder / "bad.csv"
        write_file(path, rows)
        write_file(part, min(rows, _MANY_ROWS_MOST))
        with connection, connection.cursor() as cursor:
            cursor.execute(_TABLE)

        def copied(source: Path) -> Callable[[], object]:
            return lambda: psql(conninfo, f"\\copy {table} FROM '{source}' (FORMAT csv, HEADER)")

        def ours(source: Path) -> Callable[[], object]:
            return lambda: bulk_import(table, source)

        def loaded() -> object:
            return table_content(connection)

        small = {
            "psql \\copy": copied(part),
            "bulk_import": ours(part),
            "psycopg2 execute_values": lambda: with_values(connection, part),
            "psycopg2 executemany": lambda: with_many(connection, part),
        }
        report(
            "import",
            measure(connection, small, rounds, content=loaded, empty=True),
            min(rows, _MANY_ROWS_MOST),
        )
        large = {
            "psql \\copy": copied(path),
            "bulk_import": ours(path),
            "bulk_import, no ANALYZE": lambda: bulk_import(table, path, analyze=False),
            "bulk_import, one session": lambda: bulk_import(table, path, workers=1),
            "bulk_import, rejects kept": lambda: bulk_import(table, path, max_rejects=0.01),
            **other_loaders(connection, conninfo, path),
        }
        for shape, statement in _SHAPES.items():
            with connection, connection.cursor() as cursor:
                cursor.execute(_TABLE + statement)
            seconds = measure(connection, large, rounds, content=loaded, empty=True)
            report(f"import, {shape}", seconds, rows)
            if shape == "no index":
                print(f"correlation of created_at after the last: {correlation(connection):.3f}")
        with connection, connection.cursor() as cursor:
            cursor.execute(_TABLE)
        spoil(path, rows, bad)
        rejecting = {
            "rejects kept, none there": lambda: bulk_import(table, path, max_rejects=0.01),
            "rejects kept, 1000 there": lambda: bulk_import(table, bad, max_rejects=0.01),
        }
        report(
            "import with rejects", measure(connection, rejecting, rounds, content=lambda: 0, empty=True), rows
        )
        columnar = {
            "psql \\copy of the CSV": copied(path),
            "bulk_import of Parquet": ours(folder / "events.parquet"),
            "bulk_import of binary COPY": ours(folder / "events.pgcopy"),
        }
        bulk_import(table, path, mode="replace")
        for place in (folder / "events.parquet", folder / "events.pgcopy"):
            bulk_export(table, place)
        report(
            "import of other forms", measure(connection, columnar, rounds, content=loaded, empty=True), rows
        )
        report("upsert, half of it there", upserts(connection, conninfo, path, rounds), rows)
        export = {
            "psql \\copy": lambda: psql(in_utc, f"\\copy {table} TO '{out}' (FORMAT csv, HEADER)"),
            "bulk_export": lambda: bulk_export(table, out),
            "bulk_export, one session": lambda: bulk_export(table, out, workers=1),
        }
        bulk_import(table, path, mode="replace")
        report(
            "export",
            measure(connection, export, rounds, content=lambda: file_content(out), empty=False),
            rows,
        )
        report("export as Parquet", measure(
            connection, parquet_ways(conninfo, table, folder), rounds, content=lambda: 0, empty=False,
        ), rows)  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA bulk_benchmark CASCADE")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
