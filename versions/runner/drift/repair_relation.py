"""Write the SQL that takes a table, a view, a sequence or a column back to what it was. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.runner.drift.difference import Difference
from spotify_ai_agent_migrations.versions.runner.drift.words import (
    Fields,
    comment,
    grants,
    owner,
    quoted,
    split,
)

_RELATIONS: Final = MappingProxyType(
    {"r": "TABLE", "p": "TABLE", "f": "FOREIGN TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "S": "SEQUENCE"}
)
_STORAGE: Final = MappingProxyType({"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"})
_IDENTITY: Final = MappingProxyType({"a": "ALWAYS", "d": "BY DEFAULT"})


def relation(one: Difference) -> Iterator[str]:
    """Yield what undoes a difference of a relation; nothing for an index, which goes by its own kind."""
    said = one.was or one.now
    assert said is not None
    kind = _RELATIONS.get(said["kind"])
    if kind is None:
        return
    if one.was is None:
        yield f"{'-- destroys its rows: ' if said['kind'] in 'rpf' else ''}DROP {kind} {one.identity};"
    elif one.now is None:
        yield _create(kind, one.identity, one.was)
        yield f"ALTER {kind} {one.identity} OWNER TO {quoted(one.was['owner'])};"
        yield from comment(kind, one.identity, one.was)
        yield from grants(kind, one.identity, one.was["grants"], [])
    else:
        yield from _changed_relation(kind, one.identity, one.was, one.now, one.fields)


def _create(kind: str, name: str, was: Fields) -> str:
    if kind == "SEQUENCE":
        said = was["sequence"]
        return (
            f"CREATE SEQUENCE {name} INCREMENT {said['seqincrement']} MINVALUE {said['seqmin']} "
            f"MAXVALUE {said['seqmax']} START {said['seqstart']} CACHE {said['seqcache']}"
            f"{' CYCLE' if said['seqcycle'] else ''}; -- it begins anew"
        )
    if was["query"]:
        return f"CREATE {kind} {name} AS {was['query'].rstrip(';')};"
    return f"-- {kind.lower()} {name}: create it again by hand"


def _changed_relation(kind: str, name: str, was: Fields, now: Fields, fields: Sequence[str]) -> Iterator[str]:
    alter = f"ALTER {kind} {name}"
    for field in fields:
        before = was[field]
        if field == "owner":
            yield f"{alter} OWNER TO {quoted(before)};"
        elif field == "row security":
            yield f"{alter} {'ENABLE' if before else 'DISABLE'} ROW LEVEL SECURITY;"
        elif field == "forced row security":
            yield f"{alter} {'' if before else 'NO '}FORCE ROW LEVEL SECURITY;"
        elif field == "persistence":
            yield f"{alter} SET {'UNLOGGED' if before == 'u' else 'LOGGED'}; -- rewrites the table"
        elif field == "options":
            yield from _options(alter, before or [], now[field] or [])
        elif field == "query":
            yield f"CREATE OR REPLACE {kind} {name} AS {before.rstrip(';')};"
        elif field == "grants":
            yield from grants(kind, name, before or [], now[field] or [])
        elif field == "comment":
            yield from comment(kind, name, was)
        else:
            yield f"-- {field} of {name} was {before}: change it back by hand"


def _options(alter: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    kept = {option.partition("=")[0] for option in before}
    if before:
        yield f"{alter} SET ({', '.join(before)});"
    gone = [name for name in (option.partition("=")[0] for option in after) if name not in kept]
    if gone:
        yield f"{alter} RESET ({', '.join(gone)});"


def create_table(name: str, was: Fields, every: Iterable[Difference]) -> Iterator[str]:
    """Yield what makes a table again, with the columns among *every* difference that went with it."""
    columns = [
        (one.identity, one.was)
        for one in every
        if one.kind == "column" and one.was and one.now is None and owner(one.identity) == name
    ]
    columns.sort(key=lambda pair: int(pair[1]["position"]))
    inside = ", ".join(_column_definition(split(identity)[1], said) for identity, said in columns)
    by = f" PARTITION BY {was['partition key']}" if was["partition key"] else ""
    yield f"CREATE TABLE {name} ({inside}){by}; -- its rows are gone"
    yield f"ALTER TABLE {name} OWNER TO {quoted(was['owner'])};"
    if was["row security"]:
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;"
    yield from comment("TABLE", name, was)
    for identity, said in columns:
        yield from comment("COLUMN", identity, said)
    yield from grants("TABLE", name, was["grants"] or [], [])


def _column_definition(column: str, was: Fields) -> str:
    generated = f" GENERATED ALWAYS AS ({was['default']}) STORED" if was["generated"] else ""
    numbered = _IDENTITY.get(was["identity"])
    identity = f" GENERATED {numbered} AS IDENTITY" if numbered else ""
    default = f" DEFAULT {was['default']}" if was["default"] and not generated else ""
    return f"{column} {was['type']}{generated or identity or default}{' NOT NULL' if was['not null'] else ''}"


def column(one: Difference) -> Iterator[str]:
    """Yield what undoes a difference of a column."""
    table, name = split(one.identity)
    if one.was is None:
        yield f"-- destroys its values: ALTER TABLE {table} DROP COLUMN {name};"
    elif one.now is None:
        yield f"ALTER TABLE {table} ADD COLUMN {_column_definition(name, one.was)}; -- its values are gone"
        yield from comment("COLUMN", one.identity, one.was)
    else:
        yield from _changed_column(table, name, one)


def _changed_column(table: str, column: str, one: Difference) -> Iterator[str]:
    assert one.was is not None
    alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
    for field in one.fields:
        before = one.was[field]
        if field == "type":
            yield f"{alter} TYPE {before}; -- may rewrite the table"
        elif field == "not null":
            yield f"{alter} {'SET' if before else 'DROP'} NOT NULL;"
        elif field == "default":
            yield f"{alter} {f'SET DEFAULT {before}' if before else 'DROP DEFAULT'};"
        elif field == "statistics target":
            yield f"{alter} SET STATISTICS {before};"
        elif field == "storage":
            yield f"{alter} SET STORAGE {_STORAGE.get(before, before)};"
        elif field == "comment":
            yield from comment("COLUMN", one.identity, one.was)
        elif field != "position":
            yield f"-- {field} of {one.identity} was {before}: change it back by hand"
