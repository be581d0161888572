"""Write the documentation of a database, or tell whether what is written still holds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.docs import files
from spotify_ai_agent_migrations.versions.docs.catalogue import read_schema
from spotify_ai_agent_migrations.versions.docs.plan import (
    LANGUAGES,
    SCHEMAS,
    Documentation,
    documentation,
    refuse_stale,
)

FOLDER: Final = Path("docs")


def write_docs(
    folder: str | os.PathLike[str] = FOLDER,
    *,
    schemas: Sequence[str] = SCHEMAS,
    languages: Sequence[str] = LANGUAGES,
    url: str | None = None,
) -> dict[Path, bool]:
    """Write the pages into *folder*; return each by its path, and whether it has changed.

    Writes: files only, each whole or not at all; one that says the same already is left alone.
    Locks: see `describe`.

    Raises:
        TableError: a schema is not there, or there is no table.
        FileError: a page cannot be written.
    """
    made = _read(schemas, languages, url)
    changed = {}
    for page in made.pages:
        path, content = Path(folder) / page.name, page.content.encode()
        changed[path] = files.read(path) != content
        if changed[path]:
            files.write(path, content)
    return changed


def check_docs(
    folder: str | os.PathLike[str] = FOLDER,
    *,
    schemas: Sequence[str] = SCHEMAS,
    languages: Sequence[str] = LANGUAGES,
    url: str | None = None,
) -> tuple[Path, ...]:
    """Return the paths of the pages in *folder*, all of which say what the database says.

    Raises:
        DocumentationError: one does not, or is missing, or a text of the database has no French.
        TableError: a schema is not there, or there is no table.
        FileError: a page cannot be read.
    """
    made = _read(schemas, languages, url)
    paths = {page.name: Path(folder) / page.name for page in made.pages}
    found = {name: files.read(path) for name, path in paths.items()}
    refuse_stale(made, found, folder=str(folder), command=_command(folder, schemas, languages))
    return tuple(paths.values())


def describe(connection: Connection, schemas: Sequence[str], languages: Sequence[str]) -> Documentation:
    """Return the documentation of *schemas*; begins and uses the transaction of *connection*, reads only.

    Locks: ACCESS SHARE on the catalogue and on the tables, whose expressions the server writes out.
    """
    return documentation(read_schema(connection, schemas), languages)


def _read(schemas: Sequence[str], languages: Sequence[str], url: str | None) -> Documentation:
    with connect(resolve_settings(url), purpose="agentdb docs") as connection:
        return describe(connection, schemas, languages)


def _command(folder: str | os.PathLike[str], schemas: Sequence[str], languages: Sequence[str]) -> str:
    """Return the command that writes what was asked for; what it does by itself is left out."""
    words = ["agentdb", "docs"]
    if Path(folder) != FOLDER:
        words += ["--output", str(folder)]
    if tuple(languages) != LANGUAGES:
        words += ["--lang", languages[0]]
    if tuple(schemas) != SCHEMAS:
        words += [word for schema in schemas for word in ("--schema", schema)]
    return shlex.join(words)
