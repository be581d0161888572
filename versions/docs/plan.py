"""Decide which pages there are, and whether those on disk still say the same. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import DocumentationError, TableError
from spotify_ai_agent_migrations.versions.docs.language import english, french
from spotify_ai_agent_migrations.versions.docs.page import page
from spotify_ai_agent_migrations.versions.docs.schema import Schema, purposes

SCHEMAS: Final = ("public", "ops")
LANGUAGES: Final = ("en", "fr")

_SHOWN_MOST: Final = 3
_SHOWN_LENGTH: Final = 60


@dataclass(frozen=True)
class Page:
    """The name of a file and all that it says."""

    name: str
    content: str


@dataclass(frozen=True)
class Documentation:
    """The pages, and the texts that one of them shows in English for want of a translation."""

    pages: tuple[Page, ...]
    untranslated: tuple[str, ...]


def documentation(schema: Schema, languages: Sequence[str]) -> Documentation:
    """Return the pages of *schema* in *languages*, some of `LANGUAGES`."""
    spoken = [one for one in (english(), french()) if one.code in languages]
    pages = [Page(one.page, page(schema, one)) for one in spoken]
    texts = purposes(schema)
    untranslated = [text for one in spoken if one.code != "en" for text in texts if text not in one.texts]
    return Documentation(tuple(pages), tuple(untranslated))


def refuse_unknown(schemas: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a schema that is not there.

    Raises:
        TableError: one is not among *known*; the nearest is suggested.
    """
    for name in schemas:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            made = "`alembic upgrade head` makes it; --schema names another"
            hint = f'did you mean "{near[0]}"?' if near else made
            raise TableError(f'there is no schema "{name}"', hint=hint)


def refuse_empty(schema: Schema, schemas: Sequence[str]) -> None:
    """Refuse to describe nothing, and so to write over what describes something.

    Raises:
        TableError: there is no table and no view.
    """
    if not schema.relations:
        raise TableError(
            f"there is no table to document in {', '.join(schemas)}",
            hint="`alembic upgrade head` makes them; --schema and --url name another place",
        )


def refuse_stale(
    made: Documentation, found: Mapping[str, bytes | None], *, folder: str, command: str
) -> None:
    """Refuse pages that are not what the database says, and texts without a translation.

    *found* is what *folder* holds, by the name of the page, None for no file; *command* writes it anew.

    Raises:
        DocumentationError: names every page, and its first line that differs.
    """
    problems = [f'"{PurePath(folder, wanted.name)}" {wrong}' for wanted, wrong in _stale(made, found)]
    hints = [f"run `{command}` and commit what it writes"]
    if missing := made.untranslated:
        problems.append(f"{len(missing)} {'text has' if len(missing) == 1 else 'texts have'} no French")
        hints.insert(0, f"add to versions/docs/french.json: {_listed(missing)}")
    if problems:
        raise DocumentationError(", ".join(problems), hint=", then ".join(hints))


def _stale(made: Documentation, found: Mapping[str, bytes | None]) -> Iterator[tuple[Page, str]]:
    for wanted in made.pages:
        there, content = found[wanted.name], wanted.content.encode()
        if there is None:
            yield wanted, "is missing"
        elif there != content:
            yield wanted, f"is stale from line {_first_difference(content, there)}"


def _first_difference(wanted: bytes, there: bytes) -> int:
    lines = zip(wanted.splitlines(), there.splitlines(), strict=False)
    same = next((place for place, (one, other) in enumerate(lines) if one != other), None)
    return (min(wanted.count(b"\n"), there.count(b"\n")) if same is None else same) + 1


def _listed(texts: Sequence[str]) -> str:
    more = ", …" if len(texts) > _SHOWN_MOST else ""
    return ", ".join(f'"{_shown(text)}"' for text in texts[:_SHOWN_MOST]) + more


def _shown(text: str) -> str:
    """Return *text* as a terminal may show it, cut to a length that can be read."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _SHOWN_LENGTH else f"{line[: _SHOWN_LENGTH - 1]}…"
