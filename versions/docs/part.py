"""Write what is told of one table, view, function or type. Pure: values in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.docs.markdown import code, fenced, paragraph, table, text
from spotify_ai_agent_migrations.versions.docs.rules import indexes, purpose, rules
from spotify_ai_agent_migrations.versions.docs.schema import Column, Function, Retention, Table, Type, View
from spotify_ai_agent_migrations.versions.docs.sql import listed, plain
from spotify_ai_agent_migrations.versions.docs.voice import Voice

_LINE: Final = 110
_ACTIONS: Final = {
    "delete": "the row is deleted",
    "drop_partition": "the partition is dropped",
    "anonymise": "the row is made anonymous",
    "archive": "the row is archived",
}


def table_part(shown: Table, referring: tuple[str, ...], voice: Voice) -> str:
    """Return the section of a table; *referring* are the tables that point at it."""
    return "\n".join(
        [
            f"### {code(shown.called)}\n",
            _purpose(shown.purpose, voice),
            *_facts(shown, referring, voice),
            *_columns(shown.columns, voice),
            *rules(shown, voice),
        ]
    )


def view_part(shown: View, voice: Voice) -> str:
    """Return the section of a view."""
    say = voice.say
    facts = [
        say("Reads {}.", ", ".join(map(code, shown.reads))) if shown.reads else "",
        say("Materialized: it shows what was there at its last refresh.") if shown.materialized else "",
        say("It reads with the rights of whoever asks.") if shown.invoker else "",
        "" if shown.invoker or shown.materialized else say("It reads with the rights of its owner."),
    ]
    return "\n".join(
        [
            f"### {code(shown.called)}\n",
            _purpose(shown.purpose, voice),
            " ".join(filter(None, facts)) + "\n",
            *_columns(shown.columns, voice, of_view=True),
            *indexes(shown.indexes, (), voice),
        ]
    )


def function_part(shown: Function, voice: Voice) -> str:
    """Return the section of a function."""
    blocks = [
        f"### {code(shown.called)}\n",
        fenced("sql", _signature(shown)),
        _purpose(shown.purpose, voice),
    ]
    if shown.definer:
        blocks.append(voice.say("It runs with the rights of its owner.") + "\n")
    return "\n".join(blocks)


def _signature(shown: Function) -> str:
    """Return how a function is called, on one line where that is not long."""
    arguments = plain(shown.arguments)
    returns = "" if shown.result is None else f" RETURNS {shown.result}"
    line = f"{shown.called}({arguments}){returns}"
    if len(line) <= _LINE or not arguments:
        return line
    return f"{shown.called}(\n    " + ",\n    ".join(listed(arguments)) + f"\n){returns}"


def type_row(shown: Type, voice: Voice) -> tuple[str, str, str]:
    """Return a type, what it is made of and what it is for."""
    made = [shown.base, *map(plain, shown.checks)] if shown.base else [f"ENUM ({', '.join(shown.labels)})"]
    return code(shown.called), code(" ".join(filter(None, made))), purpose(shown.purpose, voice)


def _purpose(said: str | None, voice: Voice) -> str:
    if not said:
        return f"{purpose(None, voice)}\n"
    return f"{paragraph(said)}{'' if said.rstrip().endswith(('.', '!', '?', '…')) else '.'}\n"


def _facts(shown: Table, referring: tuple[str, ...], voice: Voice) -> Iterator[str]:
    say = voice.say
    if shown.foreign:
        yield say("A foreign table: its rows are on another server.") + "\n"
    if shown.partition_key:
        key = code(shown.partition_key)
        yield f"{say('Partitioned by {}; its partitions come and go, and are left out here.', key)}\n"
    if shown.retention:
        yield "".join(f"- {_kept(one, voice)}\n" for one in shown.retention)
    if referring:
        yield say("Pointed at by {}.", ", ".join(map(voice.link, referring))) + "\n"


def _kept(rule: Retention, voice: Voice) -> str:
    say = voice.say
    then = say(_ACTIONS[rule.action]) if rule.action in _ACTIONS else code(rule.action)
    law = f" ({text(rule.purpose)})" if rule.purpose else ""
    kept = say("Kept for {} from {}, then {}", _duration(rule, voice), code(rule.time_column), then)
    return f"{kept}{law}. {say('Rule {}.', code(rule.rule))}"


def _duration(rule: Retention, voice: Voice) -> str:
    years, months = divmod(rule.months, 12) if rule.months % 12 == 0 else (0, rule.months)
    parts = {"year": years, "month": months, "day": rule.days, "second": rule.seconds}
    said = [
        voice.say(f"{{}} {unit}" if count == 1 else f"{{}} {unit}s", count)
        for unit, count in parts.items()
        if count
    ]
    return " ".join(said)


def _columns(columns: tuple[Column, ...], voice: Voice, *, of_view: bool = False) -> Iterator[str]:
    """Yield the columns, if there are any; a view has no defaults, and may hold NULL anywhere."""
    header = [voice.say(title) for title in ("Column", "Type", "Null", "Default", "Class", "Purpose")]
    kept = (0, 1, 4, 5) if of_view else range(len(header))
    if columns:
        rows = [_column(one, voice) for one in columns]
        yield table([header[place] for place in kept], [[row[place] for place in kept] for row in rows])


def _column(shown: Column, voice: Voice) -> list[str]:
    say = voice.say
    return [
        code(shown.name),
        code(shown.type),
        say("yes") if shown.nullable else say("no"),
        code(plain(shown.preset)) if shown.preset else "",
        say(shown.classification) if shown.classification else "-",
        purpose(shown.purpose, voice),
    ]
