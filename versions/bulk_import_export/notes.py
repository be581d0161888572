"""Say what should be known of a load besides its counts. No database here."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.source import Source


def notes_of(source: Source, options: Options, *, already: bool) -> Iterator[str]:
    """Yield what was taken for granted, and how to say otherwise."""
    if already:
        yield "loaded before, and nothing of it now; again=True, --again loads it once more"
    if source.opened.guessed:
        yield f"read as {source.dialect.encoding}, which is a guess; encoding=…, --encoding says it"
    if source.opened.candidates:
        may = " or ".join(source.opened.candidates)
        yield f"read as utf-8, which it is not: it may be {may}; encoding=…, --encoding says it"
    if source.wears_apostrophes:
        yield 'all texts stand in apostrophes, which were kept; quote="\'", --quote "\'" takes them off'
    if source.dialect.quote == "'" and options.quote is None:
        yield "took apostrophes around a text for quotes; quote='\"', --quote '\"' keeps them"
    lines = source.dialect.skip_lines
    if lines and options.skip_lines is None:
        yield f"left out before the header: {lines} line{'s' if lines > 1 else ''}"
    if source.dialect.trim and source.dialect.format in {"csv", "tsv"}:
        yield "left out the blanks around the values"
