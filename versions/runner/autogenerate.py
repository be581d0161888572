"""Compare an application's models with the database, and number the revision that comes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from alembic.config import Config
from sqlalchemy import MetaData, String, text
from sqlalchemy.dialects.postgresql import DOMAIN

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import RevisionError, SettingsError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.governance import discover
from spotify_ai_agent_migrations.versions.runner.options import Options

OPERATIONS_SCHEMA: Final = "ops"
_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner")


# What the docstrings of new revisions say of them, by their numbers; the template reads it.
FIELDS_ATTRIBUTE: Final = "spotify_ai_agent_migrations.fields"
# Puts other directives in the place of those that Alembic made.
Rewrite = Callable[[Settings, MetaData, list[Any]], None]


def comparison(
    config: Config, options: Options, connection: sqlalchemy.Connection, rewrite: Rewrite | None = None
) -> dict[str, Any]:
    """Return what Alembic's `configure` needs to compare models with the database.

    The models are those that the options name (`-x metadata=module:attribute`), or `target_metadata` of
    alembic.ini. With neither, `alembic check` looks at the revisions only, and `--autogenerate` is Alembic's
    to refuse. A schema that no model is in is not compared, nor is schema ops, nor are partitions, which come
    and go with time.

    Raises:
        RevisionError: a model has a key that its table, which is partitioned, cannot have.
    """
    named = options.metadata or config.get_main_option("target_metadata")
    metadata = load_metadata(named) if named else None
    schemas = {table.schema for table in metadata.tables.values()} if metadata else {None}
    if metadata is None and _is_check(config):
        return {"target_metadata": MetaData(), "include_name": lambda *_: False}
    partitions = _partitions(connection)
    if metadata is not None:
        _refuse_stale_keys(metadata, connection)
    return {
        "target_metadata": metadata,
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name in schemas - {OPERATIONS_SCHEMA},
        "include_object": lambda thing, *_: (
            _schema_of(thing) != OPERATIONS_SCHEMA and _place_of(thing) not in partitions
        ),
        "compare_type": _types_differ,
        "compare_server_default": options.compare_defaults,
        "process_revision_directives": partial(_directed, config, options, metadata, rewrite),
    }


def _directed(
    config: Config,
    options: Options,
    metadata: MetaData | None,
    rewrite: Rewrite | None,
    context: object,
    heads: object,
    directives: list[Any],
) -> None:
    """Have the directives of `--autogenerate` rewritten, where they are to become files, and numbered."""
    if _is_check(config):
        return
    if rewrite is not None and metadata is not None:
        rewrite(options.settings(), metadata, directives)
    number_revision(context, heads, directives)
    told = {one.rev_id: vars(one).get("fields", {}) for one in directives}
    config.attributes[FIELDS_ATTRIBUTE] = told


def load_metadata(named: str) -> MetaData:
    """Return the `MetaData` that "module:attribute" names; the current directory may hold the module.

    Raises:
        SettingsError: no such module or attribute, or it is something else.
    """
    module_name, _, attribute = named.partition(":")
    sys.path.append(str(Path.cwd()))
    try:
        found: object = import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f'metadata "{named}" cannot be loaded: {error}',
            hint="say -x metadata=package.module:Base.metadata",
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(found, MetaData):
        raise SettingsError(
            f'metadata "{named}" is {type(found).__name__}, not MetaData',
            hint="say -x metadata=package.module:Base.metadata",
        )
    return found


def number_revision(_: object, __: object, directives: list[Any]) -> None:
    """Give new revisions the next three-digit numbers instead of random ids, one behind the other.

    Raises:
        RevisionError: this is an installed package, whose revisions nobody would ever see again.
    """
    if not (PACKAGE_ROOT / "pyproject.toml").is_file():
        raise RevisionError(
            f'"{PACKAGE_ROOT}" is an installed package, not a checkout',
            hint="write new revisions in a checkout of it",
        )
    newest = max((revision.number or 0 for revision in discover()), default=0)
    for number, directive in enumerate(directives, newest + 1):
        directive.rev_id = f"{number:03d}"
    for before, directive in pairwise(directives):
        directive.head = before.rev_id


def _partitions(connection: sqlalchemy.Connection) -> frozenset[tuple[str, str]]:
    """Return the partitions there are, by schema and name. Leaves no transaction open."""
    found = connection.execute(text(_SQL["partitions"])).all()
    connection.rollback()
    return frozenset((str(schema), str(name)) for schema, name in found)


def _refuse_stale_keys(metadata: MetaData, connection: sqlalchemy.Connection) -> None:
    """Refuse a model whose key has not the column its table is partitioned by: Alembic does not see it."""
    found = connection.execute(text(_SQL["partition_keys"])).all()
    connection.rollback()
    keys = {(str(schema), str(name)): str(column) for schema, name, column in found}
    for table in metadata.tables.values():
        column = keys.get((table.schema or "public", table.name))
        if column is not None and column not in table.primary_key.columns:
            raise RevisionError(
                f'the model of "{table.name}" has not "{column}" in its primary key, '
                "and the table is partitioned by it",
                hint=f"say primary_key=True of {column} in the model, behind the others",
            )


def _place_of(thing: object) -> tuple[str, str]:
    """Return schema and name of the table that an object is, or belongs to."""
    table = getattr(thing, "table", thing)
    return getattr(table, "schema", None) or "public", str(getattr(table, "name", ""))


def _is_check(config: Config) -> bool:
    command = getattr(config.cmd_opts, "cmd", None)
    return command is not None and command[0].__name__ == "check"


def _schema_of(thing: object) -> object:
    table = getattr(thing, "table", thing)
    return getattr(table, "schema", None)


def _types_differ(_: object, __: object, ___: object, found: object, wanted: object) -> bool | None:
    """Take a text domain for text where the models do not name the domain; None leaves it to Alembic."""
    if isinstance(found, DOMAIN) and isinstance(found.data_type, String) and isinstance(wanted, String):
        return False
    return None
