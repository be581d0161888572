"""Write the page that explains an export to its person. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.gdpr_erasure.export.facts import Facts, Kept, Recipient
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.plan import LeftOut, Reason
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.result import ExportedPart
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.words import Words
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Column


@dataclass(frozen=True)
class Told:
    """A part of an export as the page tells of it, with the columns it has."""

    part: ExportedPart
    title: str
    columns: tuple[Column, ...]


def title_of(words: Words, table_comment: str, part: str) -> str:
    """Return what a part is called, in the person's language."""
    said = words.text(table_comment)
    if part == "mention":
        return words.say("of_others", title=said)
    return words.say("explains", title=said) if part == "reference" else said


def about(
    words: Words, told: Sequence[Told], facts: Facts, left_out: Sequence[LeftOut], *,
    article: int, as_of: str, with_observed: bool = False,
) -> str:  # fmt: skip
    """Return the page, as Markdown that reads as plain text too."""
    lines = [f"# {words.say(f'title_{article}')}", "", words.say(f"intro_{article}", as_of=as_of)]
    if with_observed:
        lines.append(words.say("observed_20"))
    lines += ["", *_files(words, told), *_parts(words, told, facts)]
    lines += _section(
        words, "absent", _absent(words, told, left_out, article=article, with_observed=with_observed)
    )
    if article == 15:
        lines += _section(words, "recipients", _recipients(words, facts.recipients))
        if any(one.part.table == "public.recommendations" for one in told):
            lines += _section(words, "automated", [words.say("automated_say")])
    lines += _section(words, "controller", _controller(words, facts))
    rights = [f"- {words.say(f'right_{number}')}" for number in (16, 17, 18, 20, 21, 7, 22, 77)]
    return "\n".join([*lines, *_section(words, "rights", rights)])


def _section(words: Words, key: str, body: Iterable[str]) -> list[str]:
    return [f"## {words.say(key)}", "", *body, ""]


def _files(words: Words, told: Sequence[Told]) -> list[str]:
    rows = [
        f"| `{one.part.name}` | {one.part.rows} | {' '.join(one.title.split()).replace('|', '/')} |"
        for one in told
        if one.part.files
    ]
    head = [f"| {words.say('file')} | {words.say('rows')} | {words.say('what')} |", "| --- | --- | --- |"]
    empty = dict.fromkeys(one.part.table for one in told if not one.part.rows and one.part.part == "own")
    nothing = (
        [words.say("nothing_held", tables=", ".join(f"`{name}`" for name in empty)), ""] if empty else []
    )
    return _section(words, "files", [words.say("files_say"), "", *head, *rows, "", *nothing])[:-1]


def _parts(words: Words, told: Sequence[Told], facts: Facts) -> Iterator[str]:
    for one in told:
        if one.part.files:
            yield f"### {one.part.name}"
            yield ""
            yield one.title
            yield ""
            if one.part.part != "reference":
                yield from _grounds(words, one, facts)
            yield f"- {_item(words, words.say('columns'), '').rstrip()}"
            for column in one.columns:
                yield f"  - {_item(words, f'`{column.name}`', words.text(column.description))}"
            yield ""


def _grounds(words: Words, one: Told, facts: Facts) -> Iterator[str]:
    personal = [column for column in one.columns if column.is_personal]
    said = {
        "why": (
            words.text(facts.purposes.get(code, code)) for column in personal for code in column.purposes
        ),
        "basis": (words.say(f"basis_{column.legal_basis}") for column in personal if column.legal_basis),
        "kinds": (words.say(f"class_{column.class_}") for column in personal),
        "source": (
            words.say(f"origin_{column.origin.value}") for column in personal if column.origin != "none"
        ),
        "kept": (_kept(words, column, facts) for column in personal),
    }
    for key, values in said.items():
        yield f"- {_item(words, words.say(key), words.say('list').join(dict.fromkeys(values)))}"


def _item(words: Words, name: str, said: str) -> str:
    return words.say("item", name=name, said=said)


def _kept(words: Words, column: Column, facts: Facts) -> str:
    # The rules name their tables as the search path finds them.
    table = column.table_name.removeprefix("public.")
    kept = facts.retention.get((table, column.retention_rule or ""))
    if kept is None:
        return words.say("kept_with_row")
    action = words.say(f"action_{kept.action}")
    return words.say("kept_for", time=_time(words, kept), column=kept.column, action=action)


def _time(words: Words, kept: Kept) -> str:
    spoken = [
        words.say(key if number > 1 else f"{key}_one", n=number)
        for key, number in (("months", kept.months), ("days", kept.days))
        if number
    ]
    return words.say("and").join(spoken)


def _absent(
    words: Words, told: Sequence[Told], left_out: Sequence[LeftOut], *, article: int, with_observed: bool
) -> Iterator[str]:
    count = sum(one.part.replaced for one in told)
    said = [words.say("absent_20_observed" if with_observed else "absent_20")] if article == 20 else []
    for key, reason in (("absent_secrets", Reason.SECRET), ("absent_columns", Reason.OTHERS)):
        columns = [f"`{one.table}.{one.column}`" for one in left_out if one.reason is reason]
        if columns:
            said.append(words.say(key, columns=", ".join(columns)))
    if count:
        said.append(words.say("absent_others", count=count))
    yield "\n\n".join(said or [words.say("absent_none")])


def _recipients(words: Words, recipients: Sequence[Recipient]) -> Iterator[str]:
    for one in recipients:
        kinds = ", ".join(words.say(f"class_{kind}") for kind in one.categories)
        line = words.say(
            "recipient", name=one.name, kind=words.say(f"kind_{one.kind}"), country=one.country,
            purpose=words.text(one.purpose), kinds=kinds,
        )  # fmt: skip
        more = words.say("safeguards", safeguards=words.text(one.safeguards)) if one.safeguards else ""
        yield f"- {line}{more}"
    if not recipients:
        yield words.say("no_recipients")


def _controller(words: Words, facts: Facts) -> Iterator[str]:
    one = facts.controller
    if one is None:
        yield words.say("no_controller")
        return
    yield words.say("controlled_by", name=one.name, address=one.address, contact=one.contact)
    if one.representative:
        yield words.say("represented", representative=one.representative)
    officer = ", ".join(part for part in (one.dpo_name, one.dpo_contact) if part)
    if officer:
        yield words.say("dpo", dpo=officer)
