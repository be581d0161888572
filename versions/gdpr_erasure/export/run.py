"""Export what is held about one person."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.database import connect, translated
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.about import Told, about, title_of
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.datapackage import Described, data_package
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.facts import Facts
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.forms import Form
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.looks import Looks, looks
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.plan import (
    ExportPlan,
    Part,
    Planned,
    Reason,
    Reference,
    Wanted,
    plan_export,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.reading import (
    PRIVACY,
    Person,
    Reader,
    Row,
    checked_subject,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.result import ExportedPart, SubjectExport
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.select import names_any, tables_of
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.staging import Package, Written, packaged
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.words import Words, language_of, words
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.writing import Field, write_rows
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import reached, unreached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column

_PURPOSE: Final = "agentdb gdpr export"
_KIND: Final = "subject_export"
_ARTICLES: Final = (15, 20)
_PAGES: Final = {"en": "READ_ME.md", "fr": "LISEZ_MOI.md"}


def export_subject(
    user_id: int, path: str | os.PathLike[str], *, article: int = 15, request_id: int | None = None,
    with_observed: bool = False, language: str | None = None, url: str | None = None,
) -> SubjectExport:  # fmt: skip
    """Write what is held about the person *user_id* into *path*: a ZIP file by its name, or a directory.

    All of it is of one snapshot. Each table is there as CSV and as JSON, with a schema (Data Package 2.0), a
    page in the person's language, and a manifest with counts and sums. Only its owner may read it, and
    nothing is in its place before it is whole. Rows are read as agent_privacy, which sees one person at a
    time, and counted past row security: where that hides any, the export fails. What names another person is
    replaced or left out.

    article: 15 is all that the catalogue of personal data leads to; 20 what the person provided, by consent
        or under a contract. `with_observed` adds to the latter what their use of the service left behind.
    request_id: the request it answers, an open one of the same person; it gets an event, and stays open.
    language: en or fr; the person's own otherwise.

    Writes: an entry of the trail for each table before it is read, and one before the export is handed out.
    Locks: ACCESS SHARE. Memory: a few hundred rows, however many there are.

    Raises:
        SubjectError: nobody has this number, they are erased, or the request is not theirs.
        FileError: something is at *path*, or it cannot be written.
        PrivilegeError: the login may not act as agent_privacy, or rows are hidden from that role.
        TableError: a column of a table that is reached is not in the catalogue.
        MigrationError: the trail did not take the entries, or any other statement failed; there is no file.
    """
    began = time.monotonic()
    subject = checked_subject(user_id)
    if article not in _ARTICLES:
        raise SettingsError(f"there is no export under article {article}", hint="choose 15 or 20")
    settings = resolve_settings(url)
    with (
        connect(settings, purpose=_PURPOSE, row_security=False) as connection,
        translated("exporting the data of a person"),
        looks(settings, subject, request=request_id, purpose=_PURPOSE) as trail,
    ):
        reader = Reader(connection, subject)
        person = reader.person()
        if request_id is not None:
            reader.refuse_request_of_others(request_id)
        spoken = words(language or language_of(person.locale))
        with packaged(Path(path), at=person.as_of) as package:
            export = _Export(reader, package, trail, spoken, subject, article=article)
            return export.write(Path(path), person, began=began, with_observed=with_observed)


@dataclass(frozen=True)
class _Done:
    """A part that is written: what is told of it, and what describes it."""

    told: Told
    described: Described


class _Export:
    """One export on its way."""

    def __init__(
        self, reader: Reader, package: Package, trail: Looks, spoken: Words, subject: int, *, article: int
    ) -> None:
        self._reader = reader
        self._package = package
        self._trail = trail
        self._words = spoken
        self._subject = subject
        self._article = article

    def write(self, path: Path, person: Person, *, began: float, with_observed: bool) -> SubjectExport:
        catalogue = self._reader.catalogue()
        reaches = reached(catalogue)
        plan = plan_export(catalogue, reaches, article=self._article, with_observed=with_observed)
        tables = list(
            dict.fromkeys([*(one.table for one in plan.parts), *(one.table for one in plan.references)])
        )
        facts = self._reader.facts(tables)
        # A look that fails half-way was a look.
        self._trail.record("read", _KIND, list(dict.fromkeys(one.table for one in plan.parts)))
        done = self._written(plan, catalogue, facts, tables)
        missed = unreached(catalogue, reaches)
        self._explain(done, plan, facts, person, with_observed=with_observed, missed=missed)
        parts = tuple(one.told.part for one in done)
        self._trail.record("export", _KIND, [f"article {self._article}"])
        place = self._package.publish()
        secrets = tuple(f"{one.table}.{one.column}" for one in plan.left_out if one.reason is Reason.SECRET)
        return SubjectExport(
            self._article, path, self._words.code, person.as_of, parts, secrets,
            missed, place.sha256, place.bytes, time.monotonic() - began,
        )  # fmt: skip

    def _written(
        self, plan: ExportPlan, catalogue: Catalogue, facts: Facts, tables: Sequence[str]
    ) -> list[_Done]:
        forms = self._reader.forms(catalogue, [one.table for one in plan.parts])
        readable = self._reader.readable(list(dict.fromkeys([*tables, *_passed(plan)])))
        done = [self._part(one, forms[one.table], readable, facts) for one in plan.parts]
        named = [one for one in plan.parts if self._reader.acts_as(one, readable) == PRIVACY]
        for reference in plan.references:
            parts = [one for one in named if names_any(reference, one)]
            # What that role may not read is no explanation for the person either.
            if parts and reference.table in readable:
                done.append(self._reference(reference, parts, catalogue, facts))
        return done

    def _part(
        self, planned: Planned, forms: Mapping[str, Form], readable: frozenset[str], facts: Facts
    ) -> _Done:
        acted_as = self._reader.acts_as(planned, readable)
        fields = tuple(_field(one, forms[one.column.name]) for one in planned.columns)
        rows = self._reader.rows(planned, forms, acted_as=acted_as)
        columns = tuple(one.column for one in planned.columns)
        return self._files(planned.name, planned.table, planned.part, rows, fields, columns, facts,
                           planned.reach.table.key, acted_as)  # fmt: skip

    def _reference(
        self, reference: Reference, parts: Sequence[Planned], catalogue: Catalogue, facts: Facts
    ) -> _Done:
        forms = self._reader.forms(catalogue, [reference.table])[reference.table]
        fields = tuple(Field(one.name, forms[one.name]) for one in reference.columns)
        rows = self._reader.references(reference, parts, forms)
        return self._files(reference.name, reference.table, Part.REFERENCE, rows, fields, reference.columns,
                           facts, (reference.key,), PRIVACY)  # fmt: skip

    def _files(
        self, name: str, table: str, part: Part, rows: Iterable[Row], fields: tuple[Field, ...],
        columns: tuple[Column, ...], facts: Facts, key: tuple[str, ...], acted_as: str,
    ) -> _Done:  # fmt: skip
        began = time.monotonic()
        as_json, as_csv = self._package.begin(), self._package.begin()
        count = write_rows(rows, fields, as_json=as_json.file, as_csv=as_csv.file, subject=str(self._subject))
        files: list[Written] = []
        for ending, unseen in (("csv", as_csv), ("json", as_json)):
            if count:
                files.append(self._package.add(f"data/{name}.{ending}", unseen))
            else:
                unseen.close()
        replaced = sum(one.replaced for one in fields)
        names = tuple(one.name for one in fields)
        done = ExportedPart(
            name, table, part.value, count, names, tuple(one.path for one in files), replaced, acted_as,
            time.monotonic() - began,
        )  # fmt: skip
        title = title_of(self._words, facts.titles[table], part.value)
        descriptions = {one.name: self._words.text(one.description) for one in columns}
        about_them = self._words.text(facts.titles[table])
        described = Described(name, title, about_them, fields, descriptions, key, tuple(files))
        return _Done(Told(done, title, columns), described)

    def _explain(
        self, done: Sequence[_Done], plan: ExportPlan, facts: Facts, person: Person, *, with_observed: bool,
        missed: Sequence[str],
    ) -> None:  # fmt: skip
        """Write the page for the person, the schema for programs, and last the manifest of all of it."""
        at = person.as_of.strftime("%Y-%m-%d %H:%M UTC")
        told = [one.told for one in done]
        page = about(self._words, told, facts, plan.left_out, article=self._article, as_of=at,
                     with_observed=with_observed)  # fmt: skip
        self._package.add_text(_PAGES[self._words.code], page)
        described = data_package(
            [one.described for one in done],
            name=f"personal-data-article-{self._article}",
            title=self._words.say(f"title_{self._article}"),
            description=self._words.say(f"intro_{self._article}", as_of=at),
            created=person.as_of,
        )
        self._package.add_text("datapackage.json", _pretty(described))
        self._package.add_text("manifest.json", _pretty(self._manifest(done, plan, person, missed)))

    def _manifest(
        self, done: Sequence[_Done], plan: ExportPlan, person: Person, missed: Sequence[str]
    ) -> Mapping[str, object]:
        rows = {name: one.told.part.rows for one in done for name in one.told.part.files}
        return {
            "article": self._article,
            "as_of": person.as_of.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "language": self._words.code,
            "files": [
                {"path": one.path, "bytes": one.bytes, "sha256": one.sha256,
                 **({"rows": rows[one.path]} if one.path in rows else {})}
                for one in self._package.written
            ],
            "parts": [
                {"name": one.told.part.name, "table": one.told.part.table, "part": one.told.part.part,
                 "rows": one.told.part.rows, "values_withheld": one.told.part.replaced}
                for one in done
            ],
            "not_reached": list(missed),
            "left_out": [
                {"table": one.table, "column": one.column, "reason": one.reason.value}
                for one in plan.left_out
            ],
        }  # fmt: skip


def _field(wanted: Wanted, form: Form) -> Field:
    return Field(
        wanted.column.name,
        form,
        paths=wanted.paths,
        hidden_paths=wanted.hidden_paths,
        is_list=wanted.is_list,
        may_be_others=wanted.shown_if is not None,
    )


def _passed(plan: ExportPlan) -> list[str]:
    return [table for one in plan.parts for table in sorted(tables_of(one))]


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
