"""Tables as they are found: inherited, renamed, in circles, alike by name; and what must not be taken for ours."""

from __future__ import annotations

import pytest
from rollback.scene import accepted, agentdb, contents, losses, planned, quarantine, revise, upgraded

from support import AFTER_NEXT, HEAD, NEXT, Checkout, connected, rows

STAYING = """
    CREATE SCHEMA o;
    CREATE TABLE public.twice (id integer PRIMARY KEY, said text);
    CREATE TABLE public.par (id integer PRIMARY KEY, said text);
    CREATE TABLE public.chi (more text, PRIMARY KEY (id)) INHERITS (public.par);
    CREATE TABLE public.gaps (id integer PRIMARY KEY);
    CREATE TABLE public.before (id integer PRIMARY KEY, said text);
"""
COMING = """
    ALTER TABLE public.gaps ADD said text DEFAULT 'preset';
    ALTER TABLE public.before RENAME TO renamed;
    CREATE COLLATION public.sorting (provider = libc, locale = 'C');
    CREATE TABLE public.emptied (id integer PRIMARY KEY, said text);
    CREATE TABLE public.contents (id integer CONSTRAINT contents_pkey PRIMARY KEY, kept text);
    CREATE TABLE o.contents (id integer CONSTRAINT contents_pkey PRIMARY KEY, kept text);
    CREATE TABLE public.numbered (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text UNIQUE);
    CREATE TABLE public.late (id integer PRIMARY KEY DEFERRABLE, said text);
    CREATE TABLE public.sorted (id integer PRIMARY KEY, said text COLLATE public.sorting);
    CREATE TABLE public.keyless (said text);
    INSERT INTO public.keyless VALUES ('seed');
    CREATE TABLE public.ring (id integer PRIMARY KEY, other integer);
    CREATE TABLE public.gnir (id integer PRIMARY KEY, other integer REFERENCES public.ring);
    ALTER TABLE public.ring ADD CONSTRAINT ring_other_fkey FOREIGN KEY (other) REFERENCES public.gnir;
"""
GOING = (
    "UPDATE public.twice SET said = said || '!'",
    "UPDATE public.twice SET said = said || '!'",
    "DELETE FROM public.par WHERE id > 0",
    "ALTER TABLE public.gaps DROP said",
    "UPDATE public.renamed SET said = upper(said)",
    "ALTER TABLE public.renamed RENAME TO before",
    "DELETE FROM public.emptied WHERE id = 1",
    "DROP TABLE public.emptied",
    "ALTER TABLE public.ring DROP CONSTRAINT ring_other_fkey",
    *(f"DROP TABLE {name}" for name in ("public.contents", "o.contents", "public.numbered", "public.late")),
    *(f"DROP TABLE public.{name}" for name in ("sorted", "keyless", "gnir", "ring")),
    "DROP COLLATION public.sorting",
)
FILLED = {
    "twice": "(1, 'a'), (2, 'b')",
    "chi": "(1, 'a', 'x'), (2, 'b', 'y')",
    "gaps": "(1, 'one'), (2, NULL)",
    "renamed": "(1, 'a'), (2, 'b')",
    "emptied": "(1, 'a'), (2, 'b')",
    "public.contents": "(1, 'a')",
    "o.contents": "(1, 'b')",
    "numbered (said)": "('a'), ('b')",
    "late": "(1, 'a')",
    "sorted": "(1, 'a')",
    "keyless": "('seed'), ('own')",
    "ring": "(1, NULL)",
    "gnir": "(1, 1)",
}


def test_whatever_tables_are_like_they_come_back(checkout: Checkout, url: str) -> None:
    revise(checkout, STAYING, "DROP TABLE chi, par, twice, gaps, before; DROP SCHEMA o")
    revise(checkout, COMING, *GOING)
    upgraded(checkout, url)
    for table, values in FILLED.items():
        rows(url, f"INSERT INTO {table} VALUES {values}")
    rows(url, "UPDATE ring SET other = 1")
    tables = ["par", *(table.partition(" ")[0] for table in FILLED)]
    before = {table: contents(url, table) for table in tables}
    lost = losses(planned(url, HEAD, checkout=checkout))
    # Everything in the first step; in the second one what it left, and the rows of the renamed table by its old name.
    assert ("deleted", "public.chi", None, 2) in lost
    assert ("updated", "public.twice", None, 4) in lost
    assert ("table", "public.emptied", None, 2) in lost
    assert ("table", "public.before", None, 2) in lost
    assert ("table", "public.chi", None, 2) not in lost
    kept = accepted(url, NEXT, checkout=checkout)
    assert rows(url, "SELECT count(*) FROM par") == [(0,)]
    upgraded(checkout, url)
    # The same number is given again meanwhile: that row is not lost either.
    rows(url, "INSERT INTO numbered (said) VALUES ('new')")
    done = agentdb(url, "restore", kept, checkout=checkout)
    assert done.err == []
    assert "public.numbered: 2 rows, 1 in the place of others, which are kept now" in done.out.splitlines()
    assert {table: contents(url, table) for table in tables} == before
    ((replaced,),) = rows(
        url, f"SELECT kept_as FROM {kept}.contents WHERE kind = 'replaced' AND source = 'public.numbered'"
    )
    assert rows(url, f"SELECT id, said FROM {kept}.{replaced}") == [(1, "new")]
    assert rows(url, "SELECT conname FROM pg_constraint WHERE contype = 'f' AND condeferrable") == []


@pytest.mark.soak
def test_a_part_that_is_dropped_is_no_part_any_more(checkout: Checkout, url: str) -> None:
    whole = "CREATE TABLE public.whole (id integer PRIMARY KEY, said text) PARTITION BY RANGE (id)"
    part = "CREATE TABLE public.part PARTITION OF public.whole FOR VALUES FROM (0) TO (100)"
    loud = (
        "CREATE FUNCTION public.loud() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.said := NEW.said || 1; RETURN NEW; END';"
        "CREATE TRIGGER loud BEFORE INSERT ON public.whole FOR EACH ROW EXECUTE FUNCTION public.loud()"
    )
    revise(checkout, f"{whole}; {loud}", "DROP TABLE public.whole; DROP FUNCTION public.loud()")
    revise(checkout, part, "DROP TABLE public.part")
    upgraded(checkout, url)
    rows(url, "INSERT INTO whole VALUES (1, 'a'), (2, 'b')")
    before = contents(url, "whole")
    kept = accepted(url, NEXT, checkout=checkout)
    assert rows(url, "SELECT count(*) FROM whole") == [(0,)]
    upgraded(checkout, url)
    assert agentdb(url, "restore", kept, checkout=checkout).out == "public.part: 2 rows\n"
    # And the trigger that the part has from the whole did not fire.
    assert contents(url, "whole") == before


def test_a_row_that_is_gone_since_does_not_keep_the_others_from_coming_back(
    checkout: Checkout, url: str
) -> None:
    revise(checkout, "CREATE TABLE public.notes (id integer PRIMARY KEY)", "DROP TABLE public.notes")
    revise(checkout, "ALTER TABLE public.notes ADD said text", "ALTER TABLE public.notes DROP said")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    kept = accepted(url, NEXT, checkout=checkout)
    upgraded(checkout, url)
    rows(url, "DELETE FROM notes WHERE id = 2")
    dry = agentdb(url, "restore", kept, "-x", "dry-run=1", checkout=checkout)
    assert dry.out.splitlines()[-1] == "dry run: everything was rolled back"
    assert rows(url, "SELECT * FROM notes") == [(1, None)]
    done = agentdb(url, "restore", kept, checkout=checkout)
    assert done.out == "public.notes: 1 row, 1 in the place of others, which are kept now; 1 row gone since\n"
    assert rows(url, "SELECT * FROM notes") == [(1, "a")]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (
            "with op.get_context().autocommit_block():\n    execute('DELETE FROM public.notes')",
            f"downgrade of revision {AFTER_NEXT}_added runs alone what may destroy rows, DELETE FROM public.notes",
        ),
        (
            "execute('UPDATE public.notes SET id = id + 100')",
            f'revision {AFTER_NEXT} changes the primary key of rows of "public.notes"',
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_done(
    checkout: Checkout, url: str, step: str, problem: str
) -> None:
    revise(checkout, "CREATE TABLE public.notes (id integer PRIMARY KEY)", "DROP TABLE public.notes")
    checkout.add("execute('SELECT 1')", downgrade=step)
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1)")
    plan = agentdb(url, "plan", HEAD, "--json", checkout=checkout)
    done = plan
    if plan.code == 0:
        digest = planned(url, HEAD, checkout=checkout)["digest"]
        done = agentdb(url, "to", HEAD, "--accept-data-loss", digest, checkout=checkout)
    assert done.code == 1
    assert problem in done.err[0]
    assert rows(url, "SELECT * FROM notes") == [(1,)]
    assert rows(url, "SELECT version_num FROM alembic_version") == [(AFTER_NEXT,)]
    assert rows(url, "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^rollback_'") == [(0,)]


@pytest.mark.soak
def test_only_the_digest_of_a_rollback_that_was_cut_off_goes_on(checkout: Checkout, url: str) -> None:
    revise(checkout, "CREATE TABLE public.notes (id integer PRIMARY KEY)", "DROP TABLE public.notes")
    revise(checkout, "CREATE TABLE public.more (id integer PRIMARY KEY)", "DROP TABLE public.more")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1); INSERT INTO more VALUES (1)")
    digest = str(planned(url, HEAD, checkout=checkout)["digest"])
    dry = agentdb(url, "to", HEAD, "--accept-data-loss", digest, "-x", "dry-run=1", checkout=checkout)
    assert (dry.code, dry.out.splitlines()[0]) == (0, f"from {AFTER_NEXT} back to {HEAD}")
    assert rows(url, "SELECT version_num FROM alembic_version") == [(AFTER_NEXT,)]
    accepted(url, HEAD, checkout=checkout)
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1)")
    for said in (digest, digest[0], planned(url, HEAD, checkout=checkout)["digest"][1:]):
        done = agentdb(url, "to", HEAD, "--accept-data-loss", said, checkout=checkout)
        assert done.code == 1
        assert f"loses 1 row, and the digest {said} is of another plan" in done.err[0]
    assert rows(url, "SELECT * FROM notes") == [(1,)]


def test_a_schema_of_somebody_else_is_no_quarantine(url: str) -> None:
    trap = """
        CREATE ROLE {0} NOLOGIN;
        GRANT CREATE ON DATABASE {1} TO {0};
        SET ROLE {0};
        CREATE SCHEMA rollback_abcdefabcdef;
        CREATE FUNCTION rollback_abcdefabcdef.sprung() RETURNS bigint LANGUAGE plpgsql
            AS 'BEGIN RAISE EXCEPTION ''sprung''; END';
        CREATE {2} rollback_abcdefabcdef.contents AS SELECT {3} AS id
    """
    with connected(url) as connection, connection.cursor() as cursor:
        role, database = f"trapper_{connection.info.dbname}", connection.info.dbname
        cursor.execute(trap.format(role, database, "VIEW", "rollback_abcdefabcdef.sprung()"))
        assert agentdb(url, "list").out == ""
        assert agentdb(url, "purge").out == ""
        done = agentdb(url, "restore", "rollback_abcdefabcdef")
        assert done.err[0] == 'error: there is no quarantine "rollback_abcdefabcdef"'
        cursor.execute(
            "DROP VIEW rollback_abcdefabcdef.contents; CREATE TABLE rollback_abcdefabcdef.contents ()"
        )
        assert agentdb(url, "list").out == ""
        cursor.execute(f"RESET ROLE; DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_what_is_preset_for_new_schemas_does_not_open_the_quarantine(checkout: Checkout, url: str) -> None:
    preset = "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO agent_app; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO agent_app"
    revise(checkout, preset, preset.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
    revise(checkout, "CREATE TABLE public.notes (id integer PRIMARY KEY)", "DROP TABLE public.notes")
    upgraded(checkout, url)
    rows(url, "CREATE SCHEMA open; INSERT INTO notes VALUES (1)")
    assert rows(url, "SELECT has_schema_privilege('agent_app', 'open', 'USAGE')") == [(True,)]
    rows(url, "DROP SCHEMA open")
    kept = accepted(url, checkout=checkout)
    assert rows(url, "SELECT has_schema_privilege('agent_app', %s, 'USAGE')", (kept,)) == [(False,)]
    assert quarantine(url) == kept


def test_the_failure_is_told_where_the_way_back_is_barred(checkout: Checkout, url: str) -> None:
    revise(
        checkout, "CREATE TABLE public.notes (id integer)", "DROP TABLE public.notes", reverse="irreversible"
    )
    checkout.add("execute('SELECT 1 / 0')")
    done = checkout.alembic("-x", "on-failure=rollback", "upgrade", "head", url=url)
    assert done.returncode == 1
    problem = done.stderr.splitlines()[-2]
    assert (
        f"upgrade of revision {AFTER_NEXT}_added failed: division by zero; and it stays so, for " in problem
    )
    assert f"revision {NEXT} is irreversible" in problem
