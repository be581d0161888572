"""What the tests of rollback share: commands run, plans read, tables compared."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from support import Checkout, rows, run

JOURNAL = ("ops.migration_journal", "ops.migration_state", "ops.rollbacks")
# An upgrade that fills a column of every account is a change of each, as updated_at says.
ACCOUNTS = "(SELECT to_jsonb(person) - 'updated_at' FROM users AS person)"


@dataclass(frozen=True)
class Said:
    """What a command said; `err` without Alembic's report of its steps."""

    code: int
    out: str
    err: list[str]


def said(done: subprocess.CompletedProcess[str]) -> Said:
    err = [line for line in done.stderr.splitlines() if line.startswith(("error", "Hint", "Traceback"))]
    return Said(done.returncode, done.stdout, err)


def agentdb(url: str, *arguments: str, checkout: Checkout | None = None) -> Said:
    """Run `agentdb rollback …`, of this checkout or of a copy of it."""
    command = ("-m", "spotify_ai_agent_migrations", "rollback", *arguments)
    if checkout is not None:
        return said(checkout.python(*command, url=url))
    return said(run(sys.executable, *command, url=url))


def planned(url: str, target: str = "-1", *, checkout: Checkout | None = None) -> dict[str, Any]:
    """The plan, as `--json` writes it."""
    done = agentdb(url, "plan", target, "--json", checkout=checkout)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


def accepted(
    url: str, target: str = "-1", *more: str, checkout: Checkout | None = None, digest: str | None = None
) -> str:
    """Plan, unless the digest is known, accept and go back; return the schema that keeps what was lost."""
    digest = digest or str(planned(url, target, checkout=checkout)["digest"])
    done = agentdb(url, "to", target, "--accept-data-loss", digest, *more, checkout=checkout)
    assert (done.code, done.err) == (0, []), done
    return quarantine(url)


def quarantine(url: str) -> str:
    """The schema of the only rollback that kept something."""
    ((name,),) = rows(url, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^rollback_'")
    return str(name)


def losses(plan: dict[str, Any]) -> list[tuple[str, str, str | None, int]]:
    """Every loss of a plan: kind, table, column, rows."""
    return [
        (loss["kind"], loss["table"], loss["column"], loss["rows"])
        for step in plan["steps"]
        for loss in step["losses"]
    ]


def revise(
    checkout: Checkout, upgrade: str, *downgrade: str, reverse: str | None = None, more: str = ""
) -> str:
    """Add a revision of SQL, the way down statement by statement; no rule of governance looks into the way up."""
    hidden = f"DO $revision$ BEGIN EXECUTE $up${upgrade}$up$; END $revision$"
    number = checkout.add(
        f"execute({hidden!r})", downgrade="\n".join(f"execute({one!r})" for one in downgrade)
    )
    file = checkout.versions / f"{number}_added.py"
    text = file.read_text()
    if reverse:
        text = text.replace("Reverse: lossless", f"Reverse: {reverse}")
    file.write_text(text.replace("\ndef upgrade", f"\n{more}\n\n\ndef upgrade", 1) if more else text)
    return number


def upgraded(checkout: Checkout, url: str, target: str = "head") -> None:
    done = checkout.alembic("upgrade", target, url=url)
    assert done.returncode == 0, done.stderr


def contents(url: str, table: str) -> tuple[object, ...]:
    """The number of rows of a table and a hash of all of them."""
    return rows(
        url, f"SELECT count(*), md5(string_agg(one::text, ',' ORDER BY one::text)) FROM {table} AS one"
    )[0]


def everything(url: str) -> dict[str, tuple[object, ...]]:
    """The contents of every table of ours, beside the journal and the ledger."""
    tables = rows(
        url,
        "SELECT format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'ops'))",
    )
    names = [str(name) for (name,) in tables if name not in JOURNAL]
    union = " UNION ALL ".join(
        f"SELECT {quoted!r}, count(*), md5(string_agg(one::text, ',' ORDER BY one::text)) FROM {quoted} AS one"
        for quoted in names
    )
    return {str(name): tuple(held) for name, *held in rows(url, union)}


def sequences(url: str) -> dict[str, int]:
    """The last number that each sequence gave out; what is tried and rolled back takes numbers too."""
    last = "SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences WHERE last_value > 0"
    return {str(name): int(str(number)) for name, number in rows(url, last)}


def untouched(url: str) -> tuple[object, ...]:
    """All that a plan must leave as it is: schema, rows, journal, and no schema beside."""
    objects = rows(url, "SELECT oid::regclass::text, relfilenode FROM pg_class WHERE oid > 16384 ORDER BY 1")
    schemas = rows(url, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1")
    return (
        objects,
        schemas,
        everything(url),
        contents(url, JOURNAL[0]),
        rows(url, "SELECT * FROM alembic_version"),
    )
