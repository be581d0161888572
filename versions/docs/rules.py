"""Write the rules of a table: keys and checks, row security, triggers, indexes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from spotify_ai_agent_migrations.versions.docs.markdown import code, table, text
from spotify_ai_agent_migrations.versions.docs.schema import Constraint, Index, Policy, Table, Trigger
from spotify_ai_agent_migrations.versions.docs.sql import plain
from spotify_ai_agent_migrations.versions.docs.voice import Voice

_EVENTS: Final = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
# In the order in which they are shown.
_KEYS: Final = {"p": "primary key", "u": "unique key", "f": "foreign key", "x": "exclusion", "c": "check"}


def rules(shown: Table, voice: Voice) -> Iterator[str]:
    """Yield the blocks about *shown* that have anything to say."""
    yield from constraints(shown.constraints, voice)
    yield from row_security(shown, voice)
    yield from triggers(shown.triggers, voice)
    yield from indexes(shown.indexes, shown.constraints, voice)


def purpose(said: str | None, voice: Voice) -> str:
    """Return what somebody wrote of a thing, for a cell, or that nobody did."""
    return text(said) if said else f"*{voice.say('no comment')}*"


def constraints(found: tuple[Constraint, ...], voice: Voice) -> Iterator[str]:
    """Yield the keys and checks, if there are any."""
    if found:
        header = (voice.say("Key or check"), voice.say("Kind"), voice.say("In SQL"))
        ordered = sorted(found, key=lambda one: (list(_KEYS).index(one.kind), one.name))
        yield table(header, [_constraint(one, voice) for one in ordered])


def _constraint(shown: Constraint, voice: Voice) -> tuple[str, str, str]:
    if shown.target is None:
        kind = voice.say(_KEYS[shown.kind])
    else:
        kind = voice.say("foreign key to {}", voice.link(shown.target))
    why = f" {text(shown.purpose)}" if shown.purpose else ""
    return code(shown.name), kind, code(plain(shown.sql)) + why


def row_security(shown: Table, voice: Voice) -> Iterator[str]:
    """Yield whether row security is on, and the policies; nothing where there is neither."""
    say = voice.say
    if shown.row_security:
        yield f"{' '.join(_protection(shown, voice))}\n"
    elif shown.policies:
        yield f"{say('Row security is off: the policies do nothing.')}\n"
    if shown.policies:
        header = (say("Policy"), say("Role"), say("Command"), say("Rows it lets through"))
        yield table(header, map(_policy, shown.policies))


def _protection(shown: Table, voice: Voice) -> Iterator[str]:
    say = voice.say
    yield say("Row security is on, for its owner too.") if shown.forced else say("Row security is on.")
    if not shown.policies and shown.forced:
        yield say("There is no policy: nobody sees a row.")
    elif not shown.policies:
        yield say("There is no policy: only its owner sees a row.")


def _policy(shown: Policy) -> tuple[str, str, str, str]:
    command = code(shown.command if shown.permissive else f"{shown.command} AS RESTRICTIVE")
    conditions = [
        code(f"{kind} ({plain(condition)})")
        for kind, condition in (("USING", shown.using), ("WITH CHECK", shown.check))
        if condition
    ]
    why = [text(shown.purpose)] if shown.purpose else []
    return code(shown.name), ", ".join(map(code, shown.roles)), command, " ".join(conditions + why)


def triggers(found: tuple[Trigger, ...], voice: Voice) -> Iterator[str]:
    """Yield the triggers; those that differ in their events only, for transition tables, in one row."""

    def alike(one: Trigger) -> tuple[str, bool, str, str, bool, str]:
        stem = _stem(one)
        return stem, stem != one.name, one.timing, one.level, one.enabled, one.purpose or ""

    if found:
        header = (voice.say("Trigger"), voice.say("When"), voice.say("What it does"))
        groups = groupby(sorted(found, key=alike), alike)
        yield table(header, [_trigger(tuple(group), voice) for _, group in groups])


def _stem(trigger: Trigger) -> str:
    """Return the name without the event it ends in, if the trigger has that event alone."""
    ending = f"_{trigger.events[0].split()[0].lower()}"
    return trigger.name.removesuffix(ending) if len(trigger.events) == 1 else trigger.name


def _trigger(group: tuple[Trigger, ...], voice: Voice) -> tuple[str, str, str]:
    first = group[0]
    found = {event for one in group for event in one.events}
    events = sorted(found, key=lambda event: _EVENTS.index(event.split()[0]))
    when = code(f"{first.timing} {' OR '.join(events)} FOR EACH {first.level}")
    names = first.name
    if len(group) > 1:
        names = f"{_stem(first)}_{{{','.join(event.split()[0].lower() for event in events)}}}"
    off = "" if first.enabled else f" ({voice.say('disabled')})"
    return code(names) + off, when, purpose(first.purpose, voice)


def indexes(found: tuple[Index, ...], keys: tuple[Constraint, ...], voice: Voice) -> Iterator[str]:
    """Yield the indexes with their reasons, if there are any; *keys* are those of the table."""
    if found:
        header = (voice.say("Index"), voice.say("On"), voice.say("What for"))
        yield table(
            header, [(code(one.name), code(plain(one.sql)), _reason(one, keys, voice)) for one in found]
        )


def _reason(index: Index, keys: tuple[Constraint, ...], voice: Voice) -> str:
    """Return what an index is for: the key that it is, its comment, else the foreign key that it serves."""
    said = [text(index.purpose)] if index.purpose else []
    if index.kind not in {"plain", "unique"}:
        said.insert(0, voice.say(index.kind))
    elif index.kind == "unique" and not said:
        said = [voice.say("no two rows alike")]
    return "; ".join(said or _served(index, keys, voice)) or purpose(None, voice)


def _served(index: Index, keys: tuple[Constraint, ...], voice: Voice) -> list[str]:
    return [
        voice.say("foreign key to {}", voice.link(held.target))
        for held in keys
        if held.target is not None and set(index.columns[: len(held.columns)]) == set(held.columns)
    ]
