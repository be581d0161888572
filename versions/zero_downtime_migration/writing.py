"""Write a statement as text: names are quoted, what is SQL already is marked so."""

from __future__ import annotations

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def listed(names: tuple[str, ...] | list[str]) -> Composable:
    """Return names, quoted, with commas between."""
    return SQL(", ").join(map(Identifier, names))


def written(session: Session, text: str, **parts: str | Composable) -> str:
    """Return *text* with its parts put in: a string is a name and is quoted, anything else stays as it is."""
    put = {key: Identifier(part) if isinstance(part, str) else part for key, part in parts.items()}
    return session.text(SQL(text).format(**put))


def only_if(session: Session, condition: Composable, *statements: str | Composable) -> str:
    """Return a statement that executes others if a condition holds, and so may be executed twice."""
    done = SQL("\n").join(SQL("{};").format(SQL(session.text(statement))) for statement in statements)
    body = SQL("BEGIN\nIF {} THEN\n{}\nEND IF;\nEND").format(condition, done)
    return session.text(SQL("DO {}").format(Literal(session.text(body))))
