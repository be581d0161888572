"""Write the page of a schema in one language. Pure: values in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from spotify_ai_agent_migrations.versions.docs.areas import Area, areas
from spotify_ai_agent_migrations.versions.docs.diagram import diagram
from spotify_ai_agent_migrations.versions.docs.language import Language
from spotify_ai_agent_migrations.versions.docs.markdown import anchor, code, fenced, table
from spotify_ai_agent_migrations.versions.docs.part import function_part, table_part, type_row, view_part
from spotify_ai_agent_migrations.versions.docs.schema import Schema, Table, with_purposes
from spotify_ai_agent_migrations.versions.docs.voice import Voice, voice

_CLASSES: Final = {
    "none": "nothing about a person",
    "identifier": "which person, or whose row",
    "contact": "how a person is named or reached",
    "location": "where a person is",
    "behavioural": "what a person does or chooses",
    "content": "what a person wrote, or was told",
    "derived": "computed from what others hold",
}


def page(schema: Schema, language: Language) -> str:
    """Return the page of *schema* in *language*."""
    said = with_purposes(schema, language.text)
    speaks = voice(said, language)
    grouped = areas(said.tables, language)
    blocks = [*_opening(speaks), _contents(said, grouped, speaks), *_classes(said, speaks)]
    return "\n".join([*blocks, *_areas(said, grouped, speaks), *_rest(said, speaks)])


def _opening(voice: Voice) -> Iterator[str]:
    say = voice.say
    yield f"# {say('The schema')}\n"
    writes = say(
        "{} writes this page from the catalogue and the comments of the database.", code("agentdb docs")
    )
    yield f"{writes}\n{say('What is wrong in it is mended there, by a revision.')}\n"
    yield say("*Lire en français : [schema.fr.md](schema.fr.md).*") + "\n"


def _contents(schema: Schema, grouped: tuple[Area, ...], voice: Voice) -> str:
    say = voice.say
    links = [say("{}: {}", _place(area.title), _names(area.tables, voice)) for area in grouped]
    others = {"Views": schema.views, "Functions": schema.functions, "Types": schema.types}
    links += [say("{}: {}", _place(say(title)), len(listed)) for title, listed in others.items() if listed]
    return "".join(f"- {one}\n" for one in links)


def _place(title: str) -> str:
    return f"[{title}](#{anchor(title)})"


def _names(tables: Sequence[Table], voice: Voice) -> str:
    return ", ".join(voice.link(one.called) for one in tables)


def _classes(schema: Schema, voice: Voice) -> Iterator[str]:
    """Say what the classes mean, where any column has one."""
    say = voice.say
    if any(column.classification for one in schema.relations for column in one.columns):
        yield (
            say("Each column has a class, the first word of its comment: which personal data it holds.")
            + "\n"
        )
        rows = [(_class(name, voice), say(meaning)) for name, meaning in _CLASSES.items()]
        yield table((say("Class"), say("What the column holds")), rows)


def _class(name: str, voice: Voice) -> str:
    said = voice.say(name)
    return code(name) if said == name else f"{said} ({code(name)})"


def _areas(schema: Schema, grouped: tuple[Area, ...], voice: Voice) -> Iterator[str]:
    yield voice.say("The diagrams show keys only; the tables below them show every column.") + "\n"
    for area in grouped:
        yield f"## {area.title}\n"
        yield fenced("mermaid", diagram(area.tables))
        yield from (table_part(one, _referring(schema, one), voice) for one in area.tables)


def _referring(schema: Schema, shown: Table) -> tuple[str, ...]:
    """Return the tables whose foreign keys point at *shown*."""
    found = {one.called for one in schema.tables for held in one.constraints if held.target == shown.called}
    return tuple(sorted(found))


def _rest(schema: Schema, voice: Voice) -> Iterator[str]:
    say = voice.say
    if schema.views:
        yield f"## {say('Views')}\n"
        yield from (view_part(one, voice) for one in schema.views)
    if schema.functions:
        yield f"## {say('Functions')}\n"
        yield say("Those that code calls: their names end in a version.") + "\n"
        yield from (function_part(one, voice) for one in schema.functions)
    if schema.types:
        yield f"## {say('Types')}\n"
        header = (say("Type"), say("Made of"), say("Purpose"))
        yield table(header, [type_row(one, voice) for one in schema.types])
