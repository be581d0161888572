"""Make a column that is being filled unique, once no two rows have the same value."""

from __future__ import annotations

from typing import Final

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def unique_steps(session: Session, table: Table, column: str, source: str) -> tuple[Step, ...]:
    """Return what looks for equal values of *column*, which *source* has made, and then allows none.

    Raises:
        TableError: something else has the name of the constraint.
    """
    name = fitted(table.plain, column, "key")
    index = session.text(table.beside(name))
    if session.value(SQL("SELECT pg_catalog.to_regclass({})").format(Literal(index))):
        raise TableError(f'there is something called "{name}" already', hint="rename it")
    parts = {
        "table": SQL(table.name),
        "column": Identifier(column),
        "name": Identifier(name),
        "index": SQL(index),
        "key": SQL(", ").join(map(Identifier, table.primary)),
        "first": Identifier(table.primary[0]),
        "called": Literal(index),
        "text": Literal(table.name),
    }

    def said(text: str) -> str:
        return session.text(SQL(text).format(**parts))

    same = said(_SAME)
    failure = f'rows of "{table.name}" come to the same "{column}": {{first}}'
    hint = f'give all but one of each another "{source}", or none, or delete them; then run it again'
    return (
        Step(
            name="look for rows with the same value",
            phase=Phase.VERIFY,
            kind=Kind.PROOF,
            sql=(same,),
            locks=(Lock(table.name, "ACCESS SHARE"),),
            held="while it reads the table",
            failure=failure,
            hint=hint,
        ),
        Step(
            name="build the unique index",
            phase=Phase.COMPLETE,
            kind=Kind.ALONE,
            sql=(said("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({column})"),),
            locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
            held="while it reads the table; others read and write meanwhile",
            done=said(_BUILT),
            sweep=session.asked("index_litter", table=table.name, name=name, itself=True),
            undo=(said("DROP INDEX CONCURRENTLY IF EXISTS {index}"),),
            plain=(),
            blame=same,
            failure=failure,
            hint=hint,
        ),
        Step(
            name="make it a constraint",
            phase=Phase.COMPLETE,
            kind=Kind.BRIEF,
            sql=(said("ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"),),
            locks=(Lock(table.name),),
            undo=(said("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"),),
            plain=(said("ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE ({column})"),),
        ),
    )


# Told by their keys: what they have in common may name somebody.
_SAME: Final = """
SELECT pg_catalog.count(*) || ' values, of ' || pg_catalog.sum(same.many) || ' rows'
       || pg_catalog.string_agg(same.told, '' ORDER BY same.place) FILTER (WHERE same.place <= 10)
       || CASE WHEN pg_catalog.count(*) > 10 THEN '; …' ELSE '' END
  FROM (SELECT pg_catalog.count(*) AS many,
               '; ' || pg_catalog.array_to_string(
                   (pg_catalog.array_agg(pg_catalog.concat_ws(',', {key}) ORDER BY {key}))[1:5], ' and '
               ) || CASE WHEN pg_catalog.count(*) > 5 THEN ' and …' ELSE '' END AS told,
               pg_catalog.row_number() OVER (
                   ORDER BY (pg_catalog.array_agg({first} ORDER BY {first}))[1]
               ) AS place
          FROM {table}
         GROUP BY {column}
        HAVING pg_catalog.count(*) > 1) AS same
HAVING pg_catalog.count(*) > 0
"""

_BUILT: Final = """
SELECT built.indisvalid AND built.indisunique
  FROM pg_catalog.pg_index AS built
 WHERE built.indexrelid = pg_catalog.to_regclass({called})
   AND built.indrelid = pg_catalog.to_regclass({text})
"""
