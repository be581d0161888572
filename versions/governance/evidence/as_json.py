"""Write a report as JSON, in the form that `report.schema.json` describes. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from spotify_ai_agent_migrations.versions.governance.evidence.model import Control, Report, Row, Source
from spotify_ai_agent_migrations.versions.governance.evidence.period import instant

SCHEMA: Final = "spotify-ai-agent-migrations/evidence"
VERSION: Final = 1


def as_json(report: Report) -> str:
    """Write the report; a claim names its rows by their anchors, which are those of the page too."""
    found = report.evidence
    chain = found.chain
    said = {
        "schema": SCHEMA,
        "version": VERSION,
        "period": {"from": instant(found.period.since), "to": instant(found.period.until)},
        "taken_at": instant(found.taken_at),
        "database": found.database,
        "server": found.server,
        "login": found.login,
        "application": found.application,
        "journal": {
            "entries": chain.entries,
            "head": chain.head,
            "first": chain.first,
            "last": chain.last,
            "faults": list(chain.faults),
            "whole_up_to_period": not chain.broken,
        },
        "controls": [_control(control) for control in report.controls],
        "sources": [_source(source) for source in found.sources.values()],
    }
    return json.dumps(said, indent=1, ensure_ascii=True) + "\n"


def _control(control: Control) -> dict[str, Any]:
    return {
        "framework": control.framework,
        "code": control.code,
        "title": control.title,
        "asks": control.asks,
        "claims": [
            {"text": claim.text, "exception": claim.exception, "rows": list(claim.rows)}
            for claim in control.claims
        ],
        "gaps": [{"text": gap.text, "remedy": gap.remedy} for gap in control.gaps],
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "title": source.title,
        "scope": source.scope,
        "asked": source.asked,
        "unread": source.unread,
        "left_out": source.left_out,
        "rows": [_row(row) for row in source.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    return {"anchor": row.anchor, "key": row.key, "at": row.at, "hash": row.hash, "cells": dict(row.cells)}
