"""Write the rows of one table as JSON and as CSV, side by side, as they come. No database here."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from spotify_ai_agent_migrations.versions.gdpr_erasure.export.documents import without_others
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.forms import NULL, Form

# Stands where a value names somebody else; the schema says that it is none of the field's values.
OTHER_PERSON: Final = "[withheld]"
_KINDS: Final = {"{": "object", "[": "array"}
_OTHER: Final = json.dumps(OTHER_PERSON)


@dataclass
class Field:
    """A column as it is written, and what was seen of it on the way."""

    name: str
    form: Form
    paths: tuple[str, ...] = ()
    hidden_paths: tuple[str, ...] = ()
    is_list: bool = False
    may_be_others: bool = False
    odd: bool = False
    replaced: int = 0
    kinds: set[str] = field(default_factory=set)

    def literal(self, given: str | None, subject: str) -> str:
        """Return the JSON text of a value; note where it is of another kind than its type promises."""
        if given is None:
            return NULL
        if self.may_be_others and given == _OTHER:
            self.replaced += 1
            return _OTHER
        for paths, kept in ((self.paths, subject), (self.hidden_paths, None)):
            if paths:
                given, replaced = without_others(given, paths, kept, OTHER_PERSON)
                self.replaced += replaced
        if self.is_list:
            self.replaced += given.count(_OTHER)
        if self.form.is_json:
            self.kinds.add(given.lstrip()[:1])
            return given
        written = self.form.written(given)
        self.odd = self.odd or not self.form.conforms(written)
        return written

    @property
    def type(self) -> str:
        """Return the type that the schema gives it, now that all values are known."""
        if self.odd:
            return "string"
        if self.form.type == "any" and self.kinds:
            return _KINDS.get("".join(self.kinds), "any")
        return self.form.type


def write_rows(
    rows: Iterable[Sequence[str | None]],
    fields: Sequence[Field],
    *,
    as_json: BinaryIO,
    as_csv: BinaryIO,
    subject: str,
) -> int:
    """Write *rows*, each a JSON text a column, into both files; return how many there were.

    Memory: one row, and what is not written yet.
    """
    json_text = io.TextIOWrapper(as_json, encoding="utf-8", newline="")
    csv_text = io.TextIOWrapper(as_csv, encoding="utf-8", newline="")
    table = csv.writer(csv_text)
    table.writerow([one.name for one in fields])
    names = [json.dumps(one.name, ensure_ascii=False) for one in fields]
    count = 0
    json_text.write("[")
    for row in rows:
        literals = [one.literal(value, subject) for one, value in zip(fields, row, strict=True)]
        members = ", ".join(f"{name}: {literal}" for name, literal in zip(names, literals, strict=True))
        json_text.write(f"{',' if count else ''}\n  {{{members}}}")
        table.writerow([one.form.cell(literal) for one, literal in zip(fields, literals, strict=True)])
        count += 1
    json_text.write("\n]\n" if count else "]\n")
    for wrapper in (json_text, csv_text):
        wrapper.flush()
        wrapper.detach()
    return count
