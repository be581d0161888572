"""Personal data are known wherever they are met: in a partition, by a view, by a query, under another name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spotify_ai_agent_migrations import PrivilegeError, bulk_export, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export.origins import origins_of
from support import connected, rows

_TABLES = """
    CREATE TABLE t (id integer, mail text, note text) PARTITION BY RANGE (id);
    COMMENT ON COLUMN t.id IS 'none: number';
    COMMENT ON COLUMN t.mail IS 'contact: address';
    CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
    INSERT INTO t VALUES (1, 'a@b.example', 'x'), (2, NULL, 'y');
    CREATE TABLE base (mail text); COMMENT ON COLUMN base.mail IS 'contact: address';
    CREATE TABLE heir (id integer) INHERITS (base); INSERT INTO heir VALUES ('a@b.example', 1);
    CREATE TABLE plain (id integer, note text); INSERT INTO plain VALUES (1, 'x');
    CREATE VIEW v AS SELECT id, mail AS address, upper(note) AS note FROM (SELECT * FROM t) AS inside;
    CREATE VIEW over AS SELECT id, address FROM v UNION ALL SELECT id, note FROM v;
    CREATE VIEW cleared AS SELECT id, md5(mail) AS pseudonym FROM t;
    COMMENT ON COLUMN cleared.pseudonym IS 'none: of nobody any more';
    CREATE VIEW fair AS SELECT id, upper(note) AS note FROM plain;
    CREATE MATERIALIZED VIEW kept AS SELECT id, mail FROM t;
    CREATE TABLE made (
        id integer, mail text, low text GENERATED ALWAYS AS (lower(mail)) STORED,
        big integer GENERATED ALWAYS AS (id * 2) STORED
    );
    COMMENT ON COLUMN made.mail IS 'contact: address'; INSERT INTO made VALUES (1, 'A@B.example');
    CREATE VIEW over_made AS SELECT big, low FROM made;
"""


@pytest.fixture
def reader(empty_url: str, login: Callable[..., str]) -> str:
    """A login that may read all of it, and owns none."""
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLES)
    return login(grants=("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {role}",))


_PERSONAL = {
    "t": ("mail",),
    "t1": ("mail",),
    "heir": ("mail",),
    "v": ("address", "note"),
    "over": ("id", "address"),
    "kept": ("mail",),
    "SELECT * FROM t": ("mail",),
    "SELECT id, mail AS nothing FROM t1": ("nothing",),
    "SELECT id, count(*) AS n, count(DISTINCT mail) AS m FROM t GROUP BY id ORDER BY 2 LIMIT 9": (),
    "SELECT count(*) AS n, max(mail) AS m FROM t": ("m",),
    "SELECT count(*) + 1 AS n FROM t": ("n",),
    "SELECT count(*) AS n FROM plain UNION ALL SELECT length(mail) FROM t": ("n",),
    "SELECT id, low FROM made": ("low",),
    "SELECT big, low FROM over_made": ("low",),
    "SELECT id, (SELECT string_agg(address, ',') FROM v) AS s FROM plain": ("s",),
    "SELECT id, mail || '' AS m FROM kept": ("m",),
    "SELECT id, t FROM t": ("t",),
    "WITH RECURSIVE w AS (SELECT id, mail FROM t UNION ALL SELECT id, note FROM plain) SELECT id FROM w": (
        "id",
    ),
    "SELECT note FROM plain JOIN (SELECT id FROM over) AS o USING (id)": (),
    "cleared": (),
    "fair": (),
    "plain": (),
    "SELECT id, note, pseudonym FROM t JOIN cleared USING (id)": (),
    "SELECT id, upper(note) AS note FROM fair": (),
    "SELECT n FROM generate_series(1, 2) AS n": (),
    "SELECT 1 AS n": (),
}


def test_a_column_is_personal_by_whatever_way_it_is_read(empty_url: str, reader: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    found = {}
    for name, personal in _PERSONAL.items():
        query = name.startswith(("SELECT", "WITH"))
        masked = bulk_export(name, path, url=reader, query=query, personal="mask").masked
        assert "a@b.example" not in path.read_text().lower()
        found[name] = masked
        for how in (None, "keep", "refuse"):
            if personal:
                with pytest.raises(PrivilegeError):
                    bulk_export(name, path, url=reader, query=query, personal=how)
            else:
                bulk_export(name, path, url=reader, query=query, personal=how)
        assert bulk_export(name, path, url=empty_url, query=query).masked == ()
    assert found == _PERSONAL


def test_what_is_said_of_it_tells_what_is_from_what_may_be(reader: str, tmp_path: Path) -> None:
    hint = (
        'leave the columns out, mask them (personal="mask", --personal mask), '
        "or connect as a member of agent_privacy"
    )
    expected = {
        "SELECT mail FROM t": (
            'the query holds personal data in "mail", and this export may not hold it',
            hint,
        ),
        "SELECT upper(mail) AS m FROM t": (
            'the query holds what may be personal data in "m", and this export may not hold it',
            f"{hint}; what is made of values counts as personal where a table is read that holds personal data, "
            "but for the columns of a view whose comments say none: …",
        ),
    }
    for query, said in expected.items():
        with pytest.raises(PrivilegeError) as caught:
            bulk_export(query, tmp_path / "t.csv", url=reader, query=True)
        assert (caught.value.problem, caught.value.hint) == said
    written = bulk_export("SELECT id, upper(mail) AS m FROM t ORDER BY id", tmp_path / "t.csv", url=reader,
                          query=True, personal="mask")  # fmt: skip
    assert (written.masked, (tmp_path / "t.csv").read_text()) == (("m",), "id,m\n1,***\n2,\n")


def test_what_a_function_reads_is_found_when_it_has_read_it(
    empty_url: str, reader: str, tmp_path: Path
) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION f(n integer) RETURNS text LANGUAGE plpgsql STABLE AS
                'BEGIN RETURN (SELECT mail FROM t WHERE id = n); END';
            CREATE FUNCTION fair() RETURNS SETOF plain LANGUAGE plpgsql STABLE AS
                'BEGIN RETURN QUERY SELECT * FROM plain; END';
            CREATE VIEW by_f AS SELECT id, f(id) AS m FROM plain;
            CREATE VIEW said AS SELECT id, f(id) AS m FROM plain;
            COMMENT ON COLUMN said.m IS 'contact: address';
            GRANT SELECT ON by_f, said TO PUBLIC
            """
        )
    path = tmp_path / "t.csv"
    for name in ("by_f", "SELECT m FROM by_f", "SELECT f(id) AS m FROM plain"):
        for how in (None, "keep", "refuse", "mask"):
            with pytest.raises(PrivilegeError) as caught:
                bulk_export(name, path, url=reader, query=name != "by_f", personal=how)
            assert caught.value.problem == (
                f'{"public.by_f" if name == "by_f" else "the query"} holds what may be personal data in "m": '
                "a function that it calls reads some, and this export may not hold it"
            )
        assert list(tmp_path.iterdir()) == []
        bulk_export(name, path, url=empty_url, query=name != "by_f")
        assert "a@b.example" in path.read_text()
        path.unlink()
    assert bulk_export("said", path, url=reader, personal="mask").masked == ("m",)
    assert bulk_export("SELECT id, note FROM fair()", path, url=reader, query=True).rows == 1
    path.unlink()


def test_whoever_owns_what_is_read_may_keep_it_and_not_who_owns_the_view(
    empty_url: str, reader: str, tmp_path: Path
) -> None:
    role = rows(reader, "SELECT current_user")[0][0]
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(f'GRANT CREATE ON SCHEMA public TO "{role}"; ALTER VIEW v OWNER TO "{role}"')
    for name in ("v", "SELECT address FROM v"):
        with pytest.raises(PrivilegeError):
            bulk_export(name, tmp_path / "t.csv", url=reader, query=name != "v")
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE t OWNER TO "{role}"')
    for name in ("v", "SELECT address FROM v", "SELECT upper(mail) AS m FROM t"):
        assert bulk_export(name, tmp_path / "t.csv", url=reader, query=name != "v").masked == ()


def test_the_columns_of_the_project_s_views_are_what_their_comments_say(url: str, tmp_path: Path) -> None:
    result = bulk_export("analyst_users", tmp_path / "t.csv", url=url, personal="mask")
    assert "status" in result.columns
    assert set(result.columns) - set(result.masked) == {"status"}


@pytest.mark.parametrize("table", ["t1", "heir"])
def test_rows_that_a_partition_rejects_are_kept_without_what_is_personal(
    reader: str, tmp_path: Path, table: str
) -> None:
    path, kept = tmp_path / "t.csv", tmp_path / "r.jsonl"
    path.write_text("id,mail\nx,alice@example.com\n")
    assert bulk_import(table, path, url=reader, max_rejects=1, rejects=kept).rejected == 1
    assert json.loads(kept.read_text().splitlines()[1])["masked"] == ["mail"]
    assert "alice" not in kept.read_text()


def test_the_columns_of_a_view_are_found_in_what_the_server_keeps_of_it() -> None:
    tree = (
        r"({QUERY :commandType 1 :cteList ({COMMONTABLEEXPR :ctename w :ctequery {QUERY :targetList "
        r"({TARGETENTRY :expr {VAR :varno 9} :resno 1 :resname no :resorigtbl 9 :resorigcol 9 :resjunk false})}})"
        r" :rtable ({RTE :eref {ALIAS :aliasname a\ \{\(b :colnames (\"x\ \)\" \"y\")}}) :targetList "
        r"({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname a\ \}b :ressortgroupref 0 :resorigtbl 16384 "
        r":resorigcol 2 :resjunk false} {TARGETENTRY :expr {FUNCEXPR :args ({TARGETENTRY :resno 7 :resorigtbl 7 "
        r":resorigcol 7})} :resno 2 :resname <> :resorigtbl 0 :resorigcol 0 :resjunk false} {TARGETENTRY :expr "
        r"{VAR} :resno 3 :resname z :resorigtbl 16385 :resorigcol 1 :resjunk true}) :override 0})"
    )
    assert origins_of(tree) == {1: (16384, 2)}
    assert origins_of("") == origins_of("({QUERY :targetList ({TARGETENTRY :resno") == {}
