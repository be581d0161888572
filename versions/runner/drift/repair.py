"""Write the SQL that takes the schema back to what it was before it drifted. No database here.

What destroys rows, or what no statement can do, is written as a comment: a person decides about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.runner.drift.difference import Difference
from spotify_ai_agent_migrations.versions.runner.drift.repair_relation import column, create_table, relation
from spotify_ai_agent_migrations.versions.runner.drift.words import (
    Fields,
    comment,
    grants,
    literal,
    owned_name,
    owner,
    quoted,
    split,
)

# What others stand on comes first.
_ORDER: Final = (
    "schema", "extension", "type", "domain constraint", "routine", "relation", "column", "constraint",
    "index", "statistics", "rule", "trigger", "policy",
)  # fmt: skip
_FIRING: Final = MappingProxyType(
    {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
)
_COMMANDS: Final = MappingProxyType({"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"})


def repairs(found: Iterable[Difference]) -> Iterator[tuple[Difference, tuple[str, ...]]]:
    """Yield each difference with the statements that undo it, in an order in which they can be run.

    None where those of another difference undo it too: of a column of a table that is made again, say.
    """
    every = sorted(
        found, key=lambda one: (_ORDER.index(one.kind) if one.kind in _ORDER else -1, one.identity)
    )
    relations = {one.identity for one in every if one.kind == "relation" and one.change != "changed"}
    constraints = {owned_name(one.identity) for one in every if one.kind == "constraint"}
    for one in every:
        if _implied(one, relations, constraints):
            yield one, ()
        elif one.kind == "relation" and one.was and one.now is None and one.was["kind"] in "rp":
            yield one, tuple(create_table(one.identity, one.was, every))
        else:
            yield one, tuple(_repair(one))


def _implied(one: Difference, relations: Container[str], constraints: Container[str]) -> bool:
    """Tell whether undoing another difference undoes this one."""
    if one.kind == "index":
        return one.identity.rpartition(".")[2] in constraints
    goes_with_its_relation = one.kind == "column" or one.change == "added"
    return goes_with_its_relation and owner(one.identity) in relations


def _is_not_null_of(one: Difference, columns: Container[str]) -> bool:
    """Tell whether *one* is a NOT NULL, a constraint since PostgreSQL 18, that a column differs in too."""
    said = one.was or one.now
    assert said is not None
    name = str(said.get("definition")).removeprefix("NOT NULL ")
    return (
        one.kind == "constraint" and name != said["definition"] and f"{owner(one.identity)}.{name}" in columns
    )


def _repair(one: Difference) -> Iterator[str]:
    maker = _MAKERS.get(one.kind)
    if maker is None:
        yield f"-- {one.kind} {one.identity}: compare it by hand"
    else:
        yield from maker(one)


def _constraint(one: Difference) -> Iterator[str]:
    table, name = split(one.identity)
    if one.was is None:
        yield f"ALTER TABLE {table} DROP CONSTRAINT {name};"
    elif one.now is None or "definition" in one.fields:
        if one.now is not None:
            yield f"ALTER TABLE {table} DROP CONSTRAINT {name};"
        yield from _add_constraint(table, name, one.was)
    elif "validated" in one.fields and one.was["validated"]:
        yield f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    elif one.fields == ("comment",):
        yield f"COMMENT ON CONSTRAINT {name} ON {table} IS {literal(one.was['comment'])};"
    else:
        yield f"-- {', '.join(one.fields)} of {one.identity}: change it back by hand"


def _add_constraint(table: str, name: str, was: Fields) -> Iterator[str]:
    definition = was["definition"]
    add = f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
    if definition.startswith(("CHECK", "FOREIGN KEY")) and "NOT VALID" not in definition:
        # So that the table is read without keeping others from it.
        yield f"{add} NOT VALID;"
        yield f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    else:
        yield f"{add};"


def _domain_constraint(one: Difference) -> Iterator[str]:
    for statement in _constraint(one):
        yield statement.replace("ALTER TABLE", "ALTER DOMAIN").replace(" ON ", " ON DOMAIN ", 1)


def _index(one: Difference) -> Iterator[str]:
    # An index of a partitioned table, of which it is the whole, cannot be made or dropped CONCURRENTLY.
    whole = " ON ONLY " in str((one.was or one.now or {}).get("definition"))
    alone = "" if whole else " CONCURRENTLY"
    drop = f"DROP INDEX{alone} {one.identity};"
    if one.was is None:
        yield drop
    elif one.now is None or "definition" in one.fields:
        if one.now is not None:
            yield drop
        made = re.sub(r"^(CREATE (?:UNIQUE )?INDEX) ", rf"\1{alone} ", one.was["definition"])
        yield made.replace(" ON ONLY ", " ON ", 1) + ";"
        if one.was["comment"]:
            yield from comment("INDEX", one.identity, one.was)
    elif one.fields == ("comment",):
        yield from comment("INDEX", one.identity, one.was)
    elif "valid" in one.fields or "ready" in one.fields:
        yield f"REINDEX INDEX CONCURRENTLY {one.identity};"
    else:
        yield f"-- {', '.join(one.fields)} of {one.identity}: change it back by hand"


def _trigger(one: Difference) -> Iterator[str]:
    table, name = split(one.identity)
    if one.now is not None and (one.was is None or "definition" in one.fields):
        yield f"DROP TRIGGER {name} ON {table};"
    if one.was is not None and (one.now is None or "definition" in one.fields):
        yield f"{one.was['definition']};"
    if one.was is not None and "enabled" in one.fields:
        yield f"ALTER TABLE {table} {_FIRING[one.was['enabled']]} TRIGGER {name};"


def _policy(one: Difference) -> Iterator[str]:
    table, name = split(one.identity)
    if one.now is not None:
        yield f"DROP POLICY {name} ON {table};"
    if one.was is not None:
        said = one.was
        using = f" USING ({said['using']})" if said["using"] else ""
        check = f" WITH CHECK ({said['check']})" if said["check"] else ""
        yield (
            f"CREATE POLICY {name} ON {table} AS {'PERMISSIVE' if said['permissive'] else 'RESTRICTIVE'} "
            f"FOR {_COMMANDS[said['command']]} TO {', '.join(said['roles'] or ['public'])}{using}{check};"
        )


def _rule(one: Difference) -> Iterator[str]:
    table, name = split(one.identity)
    if one.now is not None:
        yield f"DROP RULE {name} ON {table};"
    if one.was is not None:
        yield f"{one.was['definition']}"


def _routine(one: Difference) -> Iterator[str]:
    if one.was is None:
        yield f"DROP ROUTINE {one.identity};"
        return
    again = one.now is None
    if again or "definition" in one.fields:
        yield f"{one.was['definition'].rstrip()};"
    if again or "owner" in one.fields:
        yield f"ALTER ROUTINE {one.identity} OWNER TO {quoted(one.was['owner'])};"
    if again or "grants" in one.fields:
        # A new routine may be executed by everybody.
        after = one.now["grants"] if one.now is not None else ["=X/nobody"]
        yield from grants("ROUTINE", one.identity, one.was["grants"] or [], after or [])
    if "comment" in one.fields or (again and one.was["comment"]):
        yield from comment("ROUTINE", one.identity, one.was)


def _schema(one: Difference) -> Iterator[str]:
    if one.was is None:
        yield f"DROP SCHEMA {one.identity};"
        return
    if one.now is None:
        yield f"CREATE SCHEMA {one.identity} AUTHORIZATION {quoted(one.was['owner'])};"
    elif "owner" in one.fields:
        yield f"ALTER SCHEMA {one.identity} OWNER TO {quoted(one.was['owner'])};"
    yield from grants("SCHEMA", one.identity, one.was["grants"] or [], (one.now or {}).get("grants") or [])
    if one.was["comment"] != (one.now or {}).get("comment"):
        yield from comment("SCHEMA", one.identity, one.was)


def _extension(one: Difference) -> Iterator[str]:
    if one.was is None:
        yield f"DROP EXTENSION {one.identity};"
    elif one.now is None:
        yield f"CREATE EXTENSION {one.identity} SCHEMA {one.was['schema']} VERSION '{one.was['version']}';"
    elif "version" in one.fields:
        yield f"-- extension {one.identity} was version {one.was['version']}: it has no way back, accept it"


def _statistics(one: Difference) -> Iterator[str]:
    if one.now is not None:
        yield f"DROP STATISTICS {one.identity};"
    if one.was is not None:
        yield f"{one.was['definition']};"


_MAKERS: Final[Mapping[str, Callable[[Difference], Iterator[str]]]] = MappingProxyType(
    {
        "schema": _schema,
        "extension": _extension,
        "domain constraint": _domain_constraint,
        "routine": _routine,
        "relation": relation,
        "column": column,
        "constraint": _constraint,
        "index": _index,
        "statistics": _statistics,
        "rule": _rule,
        "trigger": _trigger,
        "policy": _policy,
    }
)
