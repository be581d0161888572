"""Describe an export to a program: a Data Package (datapackage.org, version 2.0). No database here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from spotify_ai_agent_migrations.versions.gdpr_erasure.export.staging import Written
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.writing import OTHER_PERSON, Field

_PROFILE: Final = "https://datapackage.org/profiles/2.0"
_MEDIA_TYPES: Final[Mapping[str, str]] = {"csv": "text/csv", "json": "application/json"}


@dataclass(frozen=True)
class Described:
    """The rows of one table as they were written, and what they are."""

    name: str
    title: str
    description: str
    fields: tuple[Field, ...]
    descriptions: Mapping[str, str]
    key: tuple[str, ...]
    files: tuple[Written, ...]


def data_package(
    described: Sequence[Described], *, name: str, title: str, description: str, created: datetime
) -> dict[str, Any]:
    """Return the descriptor: each table twice, as CSV and as JSON, with the same schema."""
    return {
        "$schema": f"{_PROFILE}/datapackage.json",
        "name": name,
        "title": title,
        "description": description,
        "version": "1.0.0",
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": [_resource(one, file) for one in described for file in one.files],
    }


def _resource(described: Described, file: Written) -> dict[str, Any]:
    form = file.path.rpartition(".")[2]
    # Of JSON the manifest alone has them: frictionless counts no bytes there, and finds the file damaged.
    sums = {"bytes": file.bytes, "hash": f"sha256:{file.sha256}"} if form == "csv" else {}
    return {
        "$schema": f"{_PROFILE}/dataresource.json",
        "name": described.name if form == "csv" else f"{described.name}-{form}",
        "type": "table",
        "path": file.path,
        "title": described.title,
        "description": described.description,
        "format": form,
        "mediatype": _MEDIA_TYPES[form],
        "encoding": "utf-8",
        **sums,
        "schema": _schema(described),
    }


def _schema(described: Described) -> dict[str, Any]:
    found: dict[str, Any] = {
        "$schema": f"{_PROFILE}/tableschema.json",
        "fields": [_field(one, described.descriptions.get(one.name, "")) for one in described.fields],
        "missingValues": [""],
    }
    # A key that names somebody else in part tells rows apart no longer.
    kept = {one.name for one in described.fields if not one.replaced}
    if described.key and kept.issuperset(described.key):
        found["primaryKey"] = list(described.key)
    return found


def _field(one: Field, description: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one.name, "type": one.type}
    if one.type == one.form.type and one.form.format != "default":
        found["format"] = one.form.format
    if description:
        found["description"] = description
    if one.replaced and one.type != "string":
        found["missingValues"] = ["", OTHER_PERSON]
    return found
