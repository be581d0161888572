r"""Score the import of polluted files beside DuckDB's sniffer, where `duckdb` is installed.

    python benchmarks/pollution.py

The files are those of tests/polluted.py, in the kinds of pollution of the Pollock benchmark
(https://github.com/HPI-Information-Systems/Pollock). A file scores the share of its rows that arrive as they
are; nobody is told how any of them is written. The import knows the columns of its table, DuckDB does not. Runs on DATABASE_URL or on the local server.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from polluted import CASES, COLUMNS, TYPES, Polluted, score
from versions.bulk_import_export import bulk_import
from versions.core.settings import resolve_settings

_SHOWN = "SELECT id::text, artist, title, price::text, released::text FROM pollution_benchmark.t"
Rows = list[tuple[Any, ...]]


def ours(conninfo: dict[str, str]) -> Callable[[Path], Rows]:
    def load(path: Path) -> Rows:
        with closing(psycopg2.connect(make_dsn(**conninfo))) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute("TRUNCATE pollution_benchmark.t")
            bulk_import("pollution_benchmark.t", path, lenient=True, max_rejects=3)
            with connection, connection.cursor() as cursor:
                cursor.execute(_SHOWN)
                return cursor.fetchall()

    return load


def duckdb(**options: object) -> Callable[[Path], Rows]:
    """Read a file by DuckDB, its columns by name where it found the names, else in their order."""
    library = import_module("duckdb")

    def load(path: Path) -> Rows:
        found = library.connect().read_csv(str(path), all_varchar=True, **options)
        places = {name.strip().casefold(): place for place, name in enumerate(found.columns)}
        named = [places.get(name) for name in COLUMNS]
        order = named if None not in named else list(range(len(COLUMNS)))
        return [tuple(row[place] for place in order) for row in found.fetchall()]

    return load


def scored(load: Callable[[Path], Rows], case: Polluted, path: Path) -> float:
    path.write_bytes(case.content)
    try:
        return score(case, load(path))
    except Exception:  # noqa: BLE001  (DuckDB has errors of many kinds, and a file with too few columns raises another)
        return 0.0


def main() -> None:
    conninfo = dict(resolve_settings(None).conninfo)
    ways = {"bulk_import": ours(conninfo)}
    try:
        ways |= {
            "DuckDB": duckdb(),
            "DuckDB, lenient": duckdb(ignore_errors=True, null_padding=True, strict_mode=False),
        }
    except ImportError:
        print("duckdb is not installed; pip install duckdb to compare")
    totals = dict.fromkeys(ways, 0.0)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(psycopg2.connect(make_dsn(**conninfo))) as connection,
    ):
        connection.autocommit = True
        connection.cursor().execute(
            f"DROP SCHEMA IF EXISTS pollution_benchmark CASCADE; CREATE SCHEMA pollution_benchmark;"
            f"CREATE TABLE pollution_benchmark.t ({TYPES})"
        )
        print(f"{'':36}" + "".join(f"{name:>18}" for name in ways))
        for case in CASES:
            found = {name: scored(load, case, Path(folder, "t.csv")) for name, load in ways.items()}
            print(f"{case.name[:35]:36}" + "".join(f"{one:18.2f}" for one in found.values()))
            totals = {name: totals[name] + one for name, one in found.items()}
        print(f"{'of ' + str(len(CASES)):36}" + "".join(f"{one:18.2f}" for one in totals.values()))
        connection.cursor().execute("DROP SCHEMA pollution_benchmark CASCADE")


if __name__ == "__main__":
    main()
