"""The command `agentdb docs`: flags in, one line a page out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.docs.plan import LANGUAGES, SCHEMAS
from spotify_ai_agent_migrations.versions.docs.run import FOLDER, check_docs, write_docs


class Lang(str, Enum):
    """What `--lang` accepts."""

    EN = "en"
    FR = "fr"
    ALL = "all"


def docs(
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of the pages.", file_okay=False)
    ] = FOLDER,
    lang: Annotated[Lang, typer.Option("--lang", help="The languages of the pages.")] = Lang.ALL,
    schema: Annotated[
        list[str], typer.Option("--schema", metavar="NAME", help="A schema to document; may be said again.")
    ] = list(SCHEMAS),  # noqa: B006  (Typer reads it, and nothing changes it)
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a page is not what would be written.")
    ] = False,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The database; else DATABASE_URL, else .env.")
    ] = None,
) -> None:
    """Write what the database says of itself as Markdown, with diagrams; reads only.

    Exit codes: 0 done, 1 refused or failed, 2 usage, 3 a page is stale or missing, or a text has no French.
    """
    languages = LANGUAGES if lang is Lang.ALL else (lang.value,)
    if check:
        for path in check_docs(output, schemas=schema, languages=languages, url=url):
            typer.echo(f"{path}: up to date")
        return
    for path, changed in write_docs(output, schemas=schema, languages=languages, url=url).items():
        typer.echo(f"{path}: {'written' if changed else 'unchanged'}")
