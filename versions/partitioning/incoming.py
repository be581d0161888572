"""Carry the foreign keys that refer to a table: a second column holds the key of the partition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.partitioning.facts import Incoming, Table, incoming
from spotify_ai_agent_migrations.versions.partitioning.session import Session, said

# What the column that is added, and the function that fills it, are known by.
_MARK: Final = "none: kept by agentdb for the foreign key beside it"
# Before its text, in the comment of the foreign key that took its place.
_WAS: Final = "was "
_ACTIONS: Final = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL"}
_BLOCKS: Final = 500


def column_of(link: Incoming, table: Table) -> str:
    """Return the name of the column that is added beside a foreign key."""
    return f"{link.columns[0]}_{table.key}"


def routine_of(link: Incoming, table: Table) -> str:
    """Return the name of the trigger that fills the column, and of its function."""
    return f"{link.plain}_{column_of(link, table)}"


def is_carried(link: Incoming) -> bool:
    """Tell whether a foreign key is one that was made for a partitioned table."""
    return (link.comment or "").startswith(_WAS)


def holds_key(link: Incoming, table: Table) -> bool:
    """Tell whether a foreign key refers to the key of the partitions already, and needs no second column."""
    return table.key in link.referred


def obstacles(session: Session, table: Table) -> Iterator[str]:
    """Yield what has a name that something added for a foreign key would get, and what filling would fire."""
    links = [link for link in incoming(session, table.oid) if not holds_key(link, table)]
    seen = {(link.schema, routine_of(link, table)): link.plain for link in links}
    for link in links:
        other_plain = seen[link.schema, routine_of(link, table)]
        if other_plain != link.plain:
            yield f'"{link.plain}" and "{other_plain}" would have one function: rename what refers to it'
        else:
            names = {"column": column_of(link, table), "routine": routine_of(link, table), "mark": _MARK}
            other = {"table": _text(session, link.identifier), "called": link.plain, "schema": link.schema}
            for (line,) in session.ask("parts_taken", key=table.key, **names, **other):
                yield str(line)
            for (line,) in session.ask("fired_by_fill", **other):
                yield str(line)
            for (line,) in session.ask("sent_columns", column=names["column"], **other):
                yield str(line)


def prepare(session: Session, table: Table) -> None:
    """Add the column to each table that refers to *table*, keep it filled, and fill it for what is there."""
    for link in incoming(session, table.oid):
        if holds_key(link, table):
            continue
        session.transaction(lambda link=link: _fill_from_now_on(session, link, table))  # type: ignore[misc]
        _fill(session, link, table, "fill")


def _fill_from_now_on(session: Session, link: Incoming, table: Table) -> None:
    routine = Identifier(link.schema, routine_of(link, table))
    if not _has_part(session, link, table):
        type_name = session.value("key_type", oid=table.oid, key=table.key)
        session.run(_said("add_column", link, table, type=SQL(type_name)))
        session.run(_said("mark_column", link, table, mark=Literal(_MARK)))
    body = Literal(session.text(_said("fill_body", link, table)))
    session.make_routine(_said("create_fill", link, table, routine=routine, body=body), routine, table.owner)
    session.run(SQL("COMMENT ON FUNCTION {}() IS {}").format(routine, Literal(_MARK)))
    session.run(_said("create_fill_trigger", link, table, routine=routine))


def _fill(session: Session, link: Incoming, table: Table, how: str) -> None:
    """Fill the column block by block, so that no row stays locked for long."""
    blocks = session.value("blocks", table=_text(session, link.identifier))
    for first in range(0, int(blocks) + 1, _BLOCKS):
        spans = {"since": Literal(f"({first},0)"), "until": Literal(f"({first + _BLOCKS},0)")}
        statement = _said(how, link, table, **spans)
        session.transaction(lambda statement=statement: _quietly(session, statement))  # type: ignore[misc]


def _quietly(session: Session, statement: Composable) -> None:
    """Change rows without firing what a change fires, where this role may: nothing of the users' changes."""
    allowed, before = session.ask("may_be_quiet")[0]
    if allowed:
        session.run("SET LOCAL session_replication_role = replica")
    session.run(statement)
    if allowed:
        session.run(SQL("SET LOCAL session_replication_role = {}").format(Literal(before)))


def _has_part(session: Session, link: Incoming, table: Table) -> bool:
    where = {"table": _text(session, link.identifier), "column": column_of(link, table)}
    return bool(session.value("has_part", **where, mark=_MARK))


def drop_statements(links: tuple[Incoming, ...]) -> Iterator[Composable]:
    """Yield what takes the foreign keys off, for the moment of the swap."""
    for link in links:
        yield SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(link.identifier, Identifier(link.name))


def composite_statements(links: tuple[Incoming, ...], table: Table) -> Iterator[Composable]:
    """Yield what makes the foreign keys anew, over both columns.

    MATCH FULL: with MATCH SIMPLE a row that refers to nothing would pass, since the column looked up is NULL.
    """
    for link in links:
        if holds_key(link, table):
            yield from renewed_statements((link,))
            continue
        column = column_of(link, table)
        words = [
            SQL("ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}, {})").format(
                link.identifier, Identifier(link.name), Identifier(link.columns[0]), Identifier(column)
            ),
            SQL("REFERENCES {} ({}, {}) MATCH FULL").format(
                table.identifier, Identifier(link.referred[0]), Identifier(table.key)
            ),
            SQL("ON UPDATE CASCADE ON DELETE {}").format(SQL(_ACTIONS[link.on_delete])),
            SQL("NOT VALID"),
        ]
        yield SQL(" ").join(words)
        was = "\n".join([_WAS + link.text, *([link.comment] if link.comment else [])])
        yield _commented(link, was)


def renewed_statements(links: tuple[Incoming, ...]) -> Iterator[Composable]:
    """Yield what makes foreign keys to a partitioned table once more, to be validated later."""
    for link in links:
        yield SQL("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID").format(
            link.identifier, Identifier(link.name), SQL(link.text.removesuffix(" NOT VALID"))
        )
        if link.comment:
            yield _commented(link, link.comment)


def plain_statements(links: tuple[Incoming, ...], table: Table) -> Iterator[Composable]:
    """Yield what puts the foreign keys back as they were, and takes away what was added for them."""
    # Two foreign keys of one column share what was added.
    parts = {(link.schema, link.plain, routine_of(link, table)): link for link in links if is_carried(link)}
    for link in parts.values():
        yield from _dropped(link, table)
    for link in links:
        if not is_carried(link):
            yield from renewed_statements((link,))
            continue
        was, _, comment = (link.comment or "").removeprefix(_WAS).partition("\n")
        # The server wrote it itself, every name quoted.
        yield SQL("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID").format(
            link.identifier, Identifier(link.name), SQL(was)
        )
        if comment:
            yield _commented(link, comment)


def validating_statements(session: Session, table: Table) -> Iterator[Composable]:
    """Yield what validates the foreign keys that the swap has made anew."""
    for link in incoming(session, table.oid):
        yield SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(link.identifier, Identifier(link.name))


def validate(session: Session, oid: int, table: Table | None = None) -> None:
    """Validate the foreign keys that are not; of a partitioned *table*, with their second column."""
    for link in incoming(session, oid):
        if link.validated:
            continue
        if table is not None and is_carried(link):
            _fill(session, link, table, "refill")
        with session.patient():
            session.run(
                SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(link.identifier, Identifier(link.name))
            )


def forget(session: Session, table: Table) -> None:
    """Take away what was prepared for a conversion that is not wanted any more."""
    for link in incoming(session, table.oid):
        if not holds_key(link, table) and _has_part(session, link, table):
            for statement in _dropped(link, table):
                session.transaction(lambda statement=statement: session.run(statement))  # type: ignore[misc]


def _dropped(link: Incoming, table: Table) -> Iterator[Composable]:
    """Yield what takes away what was added for a foreign key; the column last, by which the rest is found."""
    routine = routine_of(link, table)
    yield SQL("DROP TRIGGER IF EXISTS {} ON {}").format(Identifier(routine), link.identifier)
    yield SQL("DROP FUNCTION IF EXISTS {}()").format(Identifier(link.schema, routine))
    yield SQL("ALTER TABLE {} DROP COLUMN {}").format(link.identifier, Identifier(column_of(link, table)))


def _commented(link: Incoming, text: str) -> Composable:
    return SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(
        Identifier(link.name), link.identifier, Literal(text)
    )


def _said(name: str, link: Incoming, table: Table, **more: Composable) -> Composable:
    return said(
        name,
        other=link.identifier,
        table=table.identifier,
        column=Identifier(link.columns[0]),
        added=Identifier(column_of(link, table)),
        referred=Identifier(link.referred[0]),
        key=Identifier(table.key),
        trigger=Identifier(routine_of(link, table)),
        **more,
    )


def _text(session: Session, identifier: Identifier) -> str:
    return session.text(identifier)
