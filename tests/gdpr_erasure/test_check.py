"""The catalogue against the database: complete as the revisions leave it, and what is wrong is said by name."""

from __future__ import annotations

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.checking import check_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import constant
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Strategy
from spotify_ai_agent_migrations.versions.governance.classification import CLASSES
from support import BEFORE_HEAD, HEAD, connected, rows, run_alembic

_CLASSIFY = (
    "SELECT ops.classify_column_v1('{}', '{}', class => '…', description => '…', strategy => '…', …); "
    "the class is one of none, identifier, contact, location, behavioural, content, derived"
)
_EDGE = "UPDATE or DELETE the edge in ops.personal_edges"


def told(url: str) -> set[tuple[str, str, str]]:
    return {(one.kind, one.place, one.problem) for one in check_catalogue(url)}


def entry(url: str, table: str, column: str, what: str) -> list[tuple[object, ...]]:
    return rows(
        url,
        f"SELECT {what} FROM ops.personal_data WHERE table_name = %s AND column_name = %s",
        (table, column),
    )


def test_every_column_of_every_table_is_in_the_catalogue_and_nothing_is_wrong_about_it(url: str) -> None:
    assert check_catalogue(url) == ()
    with connected(url) as connection, connection.cursor() as cursor:
        catalogue = read_catalogue(cursor)
    assert {one.class_ for one in catalogue.columns} == set(CLASSES)
    assert {table.name for table in catalogue.tables} == {one.table_name for one in catalogue.columns}
    assert {"public.users", "public.audit_log", "ops.pseudonyms"} <= set(catalogue.personal())


def test_a_column_without_an_entry_is_said_by_name_and_so_is_a_table_beside_the_schema(url: str) -> None:
    rows(
        url,
        "ALTER TABLE public.users ADD COLUMN shoe_size int; CREATE SCHEMA app; CREATE TABLE app.fan (who text)",
    )
    assert check_catalogue(url) == (
        Finding("unclassified", "app.fan.who", "is not in the catalogue", _CLASSIFY.format("app.fan", "who")),
        Finding(
            "unclassified",
            "public.users.shoe_size",
            "is not in the catalogue",
            _CLASSIFY.format("public.users", "shoe_size"),
        ),
    )


def test_what_the_catalogue_says_is_what_the_comment_says(url: str) -> None:
    said = "SELECT pg_catalog.col_description('public.users'::regclass, 3)"
    assert rows(url, said) == [("contact: sign-in and notices",)]
    rows(url, "SELECT ops.classify_column_v1('public.users', 'email', description => 'it''s for %s notices')")
    assert rows(url, said) == [("contact: it's for %s notices",)]
    rows(
        url,
        "UPDATE ops.personal_data SET class = 'identifier' WHERE table_name = 'public.users' AND column_name = 'email'",
    )
    assert rows(url, said) == [("identifier: it's for %s notices",)]
    assert check_catalogue(url) == ()


def test_a_comment_that_was_changed_beside_the_catalogue_is_found(url: str) -> None:
    rows(url, "COMMENT ON COLUMN public.users.email IS 'none: nothing'")
    assert told(url) == {("comment", "public.users.email", "has another comment than the catalogue says")}
    rows(url, "SELECT ops.classify_column_v1('public.users', 'email')")
    assert check_catalogue(url) == ()


def test_the_officer_changes_an_entry_and_with_it_the_comment_of_a_table_of_the_owner(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_privacy")
        cursor.execute("SELECT ops.classify_column_v1('public.users', 'email', description => 'sign-in')")
        cursor.execute("SELECT pg_catalog.col_description('public.users'::regclass, 3)")
        assert cursor.fetchall() == [("contact: sign-in",)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("COMMENT ON COLUMN public.users.email IS 'none: nothing'")


def test_an_entry_of_a_column_that_is_gone_is_said_with_what_takes_it_away(url: str) -> None:
    rows(
        url,
        "DROP TABLE public.recommendations CASCADE; ALTER TABLE public.listens DROP COLUMN client CASCADE",
    )
    found = check_catalogue(url)
    assert {one.kind for one in found} == {"gone"}
    assert found[0] == Finding(
        "gone",
        "public.listens.client",
        "is in the catalogue, and not in the database",
        "DELETE FROM ops.personal_data WHERE table_name = 'public.listens' AND column_name = 'client';",
    )
    for one in found:
        rows(url, one.hint)
    assert check_catalogue(url) == ()


@pytest.mark.parametrize(
    ("column", "said", "problem"),
    [
        ("locale", "strategy => 'null'", "is to be NULL, and is NOT NULL"),
        ("locale", """strategy => 'constant', strategy_args => '{"value": null}'""", "is to be NULL, and is NOT NULL"),
        ("locale", """strategy => 'constant', strategy_args => '{"value": "??"}'""", "is to be a constant that is no locale_tag"),
        ("locale", """strategy => 'constant', strategy_args => '{"value": "zu-ZA"}'""", 'is to be a constant that the foreign key "users_locale_fkey" does not find'),
        ("birth_year", """strategy => 'constant', strategy_args => '{"value": "then"}'""", "is to be a constant that is no smallint"),
        ("birth_year", """strategy => 'constant', strategy_args => '{"value": 1066}'""", 'is to be what the check "users_birth_year_check" refuses'),
        ("birth_year", """strategy => 'generalise', strategy_args => '{"to": "year"}'""", "is to be generalised to a step that smallint does not have"),
        ("birth_year", "strategy => 'random'", "is to be random, which smallint cannot be"),
        ("birth_year", "strategy => 'pseudonym'", "is to be a pseudonym, which smallint cannot hold"),
        ("email_hmac", """strategy => 'constant', strategy_args => '{"value": "x"}'""", "is to be one value for everybody, and is unique"),
        ("email_hmac", "strategy => 'redact'", "is to be redacted, which bytea cannot be"),
        ("display_name", """strategy => 'json', strategy_args => '{"paths": ["$.a"]}'""", "is to lose paths of JSON, and is text"),
        ("display_name", """strategy => 'generalise', strategy_args => '{"to": "year"}'""", "is to be generalised, which text cannot be"),
        ("email", "strategy => 'delete'", None),
    ],
)  # fmt: skip
def test_a_strategy_that_the_column_does_not_allow_is_found(
    url: str, column: str, said: str, problem: str | None
) -> None:
    rows(url, f"SELECT ops.classify_column_v1('public.users', '{column}', {said})")
    found = told(url)
    if problem is not None:
        assert ("strategy", f"public.users.{column}", problem) in found
    else:
        # A row that goes keeps nothing.
        assert ("strategy", "public.users.id", "is to be kept, in a row that is to be deleted") in found


def test_a_check_of_several_columns_is_tried_on_all_that_is_left(url: str) -> None:
    rows(
        url,
        "CREATE TABLE public.pair (a text DEFAULT 'x', b text, who bigint REFERENCES public.users,"
        " CONSTRAINT pair_a_check CHECK ((a IS NULL) = (b IS NULL) AND a || '%' <> 'y%'));"
        "COMMENT ON COLUMN public.pair.a IS 'content: a'; COMMENT ON COLUMN public.pair.b IS 'content: b';"
        "COMMENT ON COLUMN public.pair.who IS 'none: c';"
        "SELECT ops.classify_table_v1('public.pair', 'null', 'provided', '{service}', 'contract');"
        "SELECT ops.guard_table_v1('public.pair', 'who')",
    )
    assert check_catalogue(url) == ()
    rows(
        url,
        """SELECT ops.classify_column_v1('public.pair', 'a', strategy => 'constant', strategy_args => '{"value": "z"}')""",
    )
    assert told(url) == {("strategy", "public.pair.a", 'is to be what the check "pair_a_check" refuses')}


def test_a_check_that_fails_on_what_is_left_refuses_it(url: str) -> None:
    rows(
        url,
        "CREATE TABLE public.part (of_whole int, who bigint REFERENCES public.users,"
        " CONSTRAINT part_of_whole_check CHECK (1 / of_whole < 2));"
        "COMMENT ON COLUMN public.part.of_whole IS 'content: a'; COMMENT ON COLUMN public.part.who IS 'none: c';"
        """SELECT ops.classify_table_v1('public.part', 'constant', 'provided', '{service}', 'contract',
                                        strategy_args => '{"value": 0}');
           SELECT ops.guard_table_v1('public.part', 'who')""",
    )
    assert told(url) == {
        ("strategy", "public.part.of_whole", 'is to be what the check "part_of_whole_check" refuses')
    }


def test_what_a_rollback_kept_is_said_and_how_it_goes(url: str) -> None:
    rows(url, "CREATE SCHEMA rollback_0123456789ab; CREATE TABLE rollback_0123456789ab.users_1 (email text)")
    assert check_catalogue(url) == (
        Finding(
            "unclassified",
            "rollback_0123456789ab.users_1",
            "is kept by a rollback, beside the catalogue",
            "agentdb rollback restore, or agentdb rollback purge: agentdb rollback list names it",
        ),
    )


def test_a_personal_table_that_nothing_leads_to_is_found_and_one_that_only_mentions_loses_no_row(
    url: str,
) -> None:
    rows(
        url,
        "CREATE TABLE public.fan (who bigint, name text);"
        "COMMENT ON COLUMN public.fan.who IS 'identifier: a'; COMMENT ON COLUMN public.fan.name IS 'contact: b';"
        "SELECT ops.classify_table_v1('public.fan', 'delete', 'provided', '{service}', 'contract')",
    )
    assert told(url) == {
        ("unreached", "public.fan", "holds personal data, and nothing leads to it from a person")
    }
    rows(
        url,
        "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, own_columns, note)"
        " VALUES ('public.fan', '{who}', 'public.users', '{id}', 'column', '{who}', 'x')",
    )
    assert told(url) == {
        ("unreached", "public.fan", "is to lose rows, and is reached only where it mentions a person")
    }
    rows(url, "UPDATE ops.personal_edges SET own_columns = NULL WHERE from_table = 'public.fan'")
    assert told(url) == {("unguarded", "public.fan", "would take rows of a person who was erased")}


def test_a_table_that_would_take_rows_of_an_erased_person_is_found_until_its_guard_is_there(url: str) -> None:
    rows(url, "ALTER TABLE public.listens DISABLE TRIGGER listens_guard_update")
    assert check_catalogue(url) == (
        Finding(
            "unguarded",
            "public.listens",
            "would take rows of a person who was erased",
            "SELECT ops.guard_table_v1('public.listens', 'user_id'), as who owns the table",
        ),
    )
    rows(url, "SET ROLE agent_owner; SELECT ops.unguard_table_v1('public.listens')")
    assert len(check_catalogue(url)) == 1
    # Both of the columns that say whose a row is.
    rows(url, "SET ROLE agent_owner; SELECT ops.guard_table_v1('public.playlist_collaborators', 'user_id')")
    assert [one.place for one in check_catalogue(url)] == ["public.listens", "public.playlist_collaborators"]
    rows(url, "SET ROLE agent_owner; SELECT ops.guard_table_v1('public.playlist_collaborators', 'user_id', 'collaborator_id')")  # fmt: skip
    rows(url, "SET ROLE agent_owner; SELECT ops.guard_table_v1('public.listens', 'user_id')")
    assert check_catalogue(url) == ()


def test_an_edge_whose_columns_are_gone_or_of_another_type_is_found(url: str) -> None:
    rows(
        url,
        "INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, discriminator_column,"
        " discriminator_value, json_path, own_columns, note) VALUES"
        " ('public.listens', '{listener}', 'public.users', '{id}', 'column', NULL, NULL, NULL, NULL, 'x'),"
        " ('public.nowhere', '{a}', 'public.users', '{number}', 'column', NULL, NULL, NULL, NULL, 'x'),"
        " ('public.listens', '{id}', 'public.users', '{id}', 'polymorphic', 'kind', 'user', NULL, '{gone}', 'x'),"
        " ('public.listens', '{client}', 'public.users', '{id}', 'array', NULL, NULL, NULL, NULL, 'x'),"
        " ('public.listens', '{client}', 'public.users', '{id}', 'json', NULL, NULL, '$.user', NULL, 'x'),"
        " ('public.listens', '{raw}', 'public.users', '{id}', 'json', NULL, NULL, '$.(', NULL, 'x')",
    )
    found = check_catalogue(url)
    assert {one.hint for one in found} == {_EDGE}
    assert {(one.place, one.problem) for one in found} == {
        ("public.listens (listener)", 'names the column "listener" of "public.listens", which is not there'),
        ("public.nowhere (a)", 'names the column "a" of "public.nowhere", which is not there'),
        ("public.nowhere (a)", 'names the column "number" of "public.users", which is not there'),
        ("public.listens (id)", 'names the column "kind" of "public.listens", which is not there'),
        ("public.listens (id)", 'names the column "gone" of "public.listens", which is not there'),
        ("public.listens (client)", "is said to be an array, and is text"),
        ("public.listens (client)", "is said to be JSON, and is text"),
        ("public.listens (raw)", "has a path that is no jsonpath"),
    }


def test_purposes_bases_and_rules_that_are_not_there_are_found(url: str) -> None:
    rows(
        url,
        "SELECT ops.classify_column_v1('public.users', 'email', purposes => '{service,spying}');"
        "SELECT ops.classify_column_v1('public.users', 'display_name', legal_basis => 'consent');"
        "SELECT ops.classify_column_v1('public.users', 'country_code', retention_rule => 'never')",
    )
    assert told(url) == {
        ("reference", "public.users.email", 'is for the purpose "spying", which is not there'),
        ("reference", "public.users.display_name", 'rests on "consent", and none of its purposes does'),
        (
            "reference",
            "public.users.country_code",
            'is kept by the rule "never", which its table does not have',
        ),
    }


def test_a_schema_that_a_script_made_is_complete_once_the_journal_is_there(url: str) -> None:
    entries = "SELECT count(*) FROM ops.personal_data WHERE table_name IN ('ops.migration_journal', 'ops.migration_state')"
    ((before,),) = rows(url, entries)
    rows(
        url,
        "DROP TABLE ops.migration_journal, ops.migration_state;"
        "DELETE FROM ops.personal_data WHERE table_name IN ('ops.migration_journal', 'ops.migration_state')",
    )
    assert check_catalogue(url) == ()
    assert run_alembic("downgrade", BEFORE_HEAD, url=url).returncode == 0
    assert run_alembic("upgrade", HEAD, url=url).returncode == 0
    assert check_catalogue(url) == ()
    assert rows(url, entries) == [(before,)] != [(0,)]


def test_a_database_without_a_catalogue_says_what_makes_one(empty_url: str) -> None:
    with pytest.raises(RevisionError) as refused:
        check_catalogue(empty_url)
    assert refused.value.problem == "the database has no catalogue of personal data"
    assert refused.value.hint == "apply the revisions: alembic upgrade head"


def test_a_person_treated_as_the_catalogue_says_is_an_erased_one(url: str) -> None:
    rows(
        url,
        "INSERT INTO public.users (email, email_hmac, display_name, locale, country_code, time_zone, birth_year)"
        " VALUES ('a@example.org', decode(repeat('00', 32), 'hex'), 'a', 'fr', 'FR', 'Europe/Paris', 1990)",
    )
    with connected(url) as connection, connection.cursor() as cursor:
        columns = read_catalogue(cursor).columns_of("public.users")
        left = {
            one.name: constant(one) for one in columns if one.strategy in {Strategy.NULL, Strategy.CONSTANT}
        }
        assert left.keys() == {
            "email",
            "email_hmac",
            "display_name",
            "locale",
            "country_code",
            "time_zone",
            "birth_year",
        }
        values = ", ".join(f"{name} = %({name})s" for name in left)
        cursor.execute(f"UPDATE public.users SET {values}, status = 'erased', erased_at = now()", left)
        assert cursor.rowcount == 1


def test_a_table_is_classified_by_its_comments_with_what_is_given_for_the_personal_ones(url: str) -> None:
    rows(
        url,
        "CREATE TABLE public.pet (id int PRIMARY KEY, owner bigint REFERENCES public.users, name text);"
        "COMMENT ON COLUMN public.pet.id IS 'none: key'; COMMENT ON COLUMN public.pet.owner IS 'identifier: whose it is';"
        "COMMENT ON COLUMN public.pet.name IS 'content: what it is called'",
    )
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as refused:
        rows(url, "SELECT ops.classify_table_v1('public.pet')")
    assert refused.value.diag.message_primary == (
        'column "owner" of "public.pet" holds personal data, and nothing says what becomes of it'
    )
    assert refused.value.diag.message_hint == (
        "give strategy, origin, purposes and legal_basis, or classify the column first"
    )
    rows(
        url,
        """SELECT ops.classify_column_v1('public.pet', 'name', strategy => 'constant', strategy_args => '{"value": ""}',
                   origin => 'inferred', purposes => '{analytics}', legal_basis => 'consent')""",
    )
    classify = "SELECT ops.classify_table_v1('public.pet', 'delete', 'provided', '{service}', 'contract')"
    assert rows(url, classify) == [(2,)]
    assert rows(url, classify) == [(0,)]
    assert entry(url, "public.pet", "id", "class, description, strategy, origin") == [
        ("none", "key", "keep", "none")
    ]
    assert entry(url, "public.pet", "owner", "class, description, strategy, origin, people") == [
        ("identifier", "whose it is", "delete", "provided", "users")
    ]
    assert entry(url, "public.pet", "name", "strategy, strategy_args, origin, purposes") == [
        ("constant", {"value": ""}, "inferred", ["analytics"])
    ]


def test_a_column_without_a_class_stops_the_revision_by_name(url: str) -> None:
    rows(
        url, "CREATE TABLE public.pet (id int, \"Name\" text); COMMENT ON COLUMN public.pet.id IS 'none: key'"
    )
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as refused:
        rows(url, "SELECT ops.classify_table_v1('public.pet')")
    assert refused.value.diag.message_primary == 'column "Name" of "public.pet" has no classification'
    assert (
        refused.value.diag.message_hint
        == """COMMENT ON COLUMN public.pet."Name" IS '<class>: <what it is for>';"""
    )


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        ("public.nowhere", "id", 'there is no column "id" of "public.nowhere"'),
        ("public.users", "ctid", 'there is no column "ctid" of "public.users"'),
        ("users", "id", 'there is no column "id" of "users"'),
        ('public."users"', "id", 'there is no column "id" of "public."users""'),
    ],
)
def test_an_entry_of_what_is_not_there_is_refused(url: str, table: str, column: str, message: str) -> None:
    with pytest.raises(psycopg2.errors.UndefinedColumn) as refused:
        rows(
            url,
            "INSERT INTO ops.personal_data (table_name, column_name, class, description) VALUES (%s, %s, 'none', 'x')",
            (table, column),
        )
    assert refused.value.diag.message_primary == message


@pytest.mark.parametrize(
    ("said", "check"),
    [
        ("strategy => 'burn'", "personal_data_strategy_check"),
        ("strategy => 'constant'", "personal_data_strategy_args_check"),
        ("strategy => 'keep'", "personal_data_strategy_args_check"),
        ("class => 'none'", "personal_data_decided_check"),
        ("purposes => '{}'", "personal_data_decided_check"),
        ("origin => 'none'", "personal_data_decided_check"),
        ("legal_basis => 'because'", "personal_data_legal_basis_check"),
        ("description => ' '", "personal_data_description_check"),
        ("people => 'robots'", "personal_data_people_check"),
    ],
)
def test_an_entry_that_is_not_decided_is_refused(url: str, said: str, check: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as refused:
        rows(url, f"SELECT ops.classify_column_v1('public.users', 'email', {said})")
    assert refused.value.diag.constraint_name == check


def test_changes_of_the_catalogue_are_in_the_trail(url: str) -> None:
    trail = "SELECT count(*) FROM public.audit_log WHERE entity_type = 'personal_data' AND action = 'update'"
    ((before,),) = rows(url, trail)
    rows(url, "SELECT ops.classify_column_v1('public.users', 'email', rectifiable => false)")
    assert rows(url, f"SELECT ({trail}) - {before}") == [(1,)]
