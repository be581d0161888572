"""Walk a change through all that may befall it: aborted, begun again, killed before each of its statements, resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import killing
from killing import killed_before
from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, schema_objects
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Manner,
    State,
    abort,
    change,
    start,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from support import Databases, connected, rows, until

# What is walked lives in this schema, so that nothing else has to be compared.
SCHEMA = "shop"
ALONE = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@dataclass(frozen=True)
class Walk:
    """A change to be walked: `made` makes its scene in the schema `shop`, `plain` does the same as the wish at once.

    `content` is a query whose rows are the same in the end as after `plain`. `lives` is called after every kill, with
    the URL: both applications write, see what the other one wrote, and take it away again. `seen` is what of a thing in
    the schema has to be as `plain` makes it. Killed is before one of `every` so many statements, those of one transaction
    being all the same to the server; with --soak before each.
    """

    made: str
    wish: Wish
    plain: str
    content: str
    lives: Callable[[str], None] = lambda _url: None
    seen: Callable[[SchemaObject], object] = lambda thing: thing
    manner: Manner = field(default_factory=Manner)
    every: int = 5


def settings(url: str) -> Settings:
    return resolve_settings(url)


def schema(url: str) -> tuple[SchemaObject, ...]:
    """Everything in the schema, as it is described."""
    with connected(url) as connection:
        connection.cursor().execute("BEGIN")
        return tuple(thing for thing in schema_objects(connection) if f"{SCHEMA}." in thing.identity)


def build(databases: Databases, ledger: str, walk: Walk) -> str:
    """Return the URL of a new database with the ledger and the scene in it."""
    url = databases.url(databases.create(ledger))
    rows(url, f"CREATE SCHEMA {SCHEMA}")
    rows(url, walk.made)
    return url


def walked(databases: Databases, ledger: str, walk: Walk) -> str:
    """Walk a change to its end and hold that it is what the plain way would have made; return the URL."""
    plain = build(databases, ledger, walk)
    url = build(databases, ledger, walk)
    before, content = schema(url), rows(url, walk.content)
    rows(plain, walk.plain)
    given = settings(url)

    start(walk.wish, settings=given, manner=walk.manner)
    walk.lives(url)
    assert abort(walk.wish, settings=given, manner=walk.manner).state is State.ABORTED
    assert (schema(url), rows(url, walk.content)) == (before, content)

    kills = killed_everywhere(
        url, lambda: change(walk.wish, settings=given, manner=walk.manner), walk.lives, every=walk.every
    )
    assert kills > 0
    made = change(walk.wish, settings=given, manner=walk.manner)
    assert made.state is State.COMPLETED
    walk.lives(url)
    assert differences(url, plain, walk.seen) == []
    assert rows(url, walk.content) == rows(plain, walk.content)
    assert change(walk.wish, settings=given, manner=walk.manner) == made
    return url


def straight(databases: Databases, ledger: str, walk: Walk) -> str:
    """Go straight to the end of a change, which is what the plain way would have made; return the URL."""
    plain = build(databases, ledger, walk)
    url = build(databases, ledger, walk)
    rows(plain, walk.plain)
    made = change(walk.wish, settings=settings(url), manner=walk.manner)
    assert made.state is State.COMPLETED
    assert differences(url, plain, walk.seen) == []
    assert rows(url, walk.content) == rows(plain, walk.content)
    assert change(walk.wish, settings=settings(url), manner=walk.manner) == made
    return url


def killed_everywhere(
    url: str, work: Callable[[], object], lives: Callable[[str], None], *, every: int = 5
) -> int:
    """Kill *work* before one of so many statements of each of its steps; return how often."""
    every = 1 if killing.before_each else every
    number = kills = 0
    done: Sequence[object] = []
    # A change of few statements is killed before each of the first ones, too.
    while killed_before(number := number + (1 if number < every else every), work):
        kills += 1
        # The server rolls back what the process leaves behind, and lets go of its locks.
        until(lambda: rows(url, ALONE) == [(0,)])
        lives(url)
        now = rows(url, "SELECT change_id, place FROM ops.online_step WHERE finished_at IS NOT NULL")
        if now != done:
            number, done = 0, now
    return kills


def differences(
    left: str, right: str, seen: Callable[[SchemaObject], object] = lambda thing: thing
) -> list[object]:
    """Return what is described in one of two databases only, whatever the order of columns."""
    described = [{seen(_anywhere(thing)) for thing in schema(url)} for url in (left, right)]
    return sorted(described[0] ^ described[1], key=str)


def _anywhere(thing: SchemaObject) -> SchemaObject:
    """What is said of a column without its place, which a new one has at the end."""
    if thing.kind != "column":
        return thing
    return thing._replace(definition=json.dumps(json.loads(thing.definition)[1:]))
