"""Personal data: the catalogue of it, consent and requests of people, and the seals of the audit trail.

Locks: SHARE ROW EXCLUSIVE on public.audit_log, and ACCESS EXCLUSIVE on the tables that get a policy, for a moment each.
Reverse: lossy; forgets the seals of the trail, the catalogue, holds, requests, restrictions and objections.
Data: seed; the catalogue of all columns so far.
Needs: membership of agent_owner; CREATEROLE, or that role agent_sealer exists.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from spotify_ai_agent_migrations.versions.core.ddl import NAME, as_owner, domain, execute

revision = "010"
down_revision = "009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        _create_jobs()
        _create_seals()
        _create_catalogue()
        _create_consent()
        _create_requests()


def downgrade() -> None:
    with as_owner():
        _drop_requests()
        _drop_consent()
        _drop_catalogue()
        _drop_seals()
        _drop_jobs()


# Jobs that should run ----------------------------------------------------------------------------------


def _create_jobs() -> None:
    op.create_table(
        "job_heartbeat",
        sa.Column("job", sa.Text, nullable=False, comment="none: name of the job"),
        sa.Column("every", sa.Interval, nullable=False, comment="none: how often it should end well"),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it last did"),
        sa.PrimaryKeyConstraint("job", name="job_heartbeat_pkey"),
        sa.CheckConstraint("every > INTERVAL '0'", name="job_heartbeat_every_check"),
        comment="Jobs that are expected to run again and again, and when each last ended well",
        schema="ops",
    )
    execute(_JOBS)


def _drop_jobs() -> None:
    execute("DROP FUNCTION ops.beat_v1(text, interval)")
    op.drop_table("job_heartbeat", schema="ops")


_JOBS = """
CREATE FUNCTION ops.beat_v1(ended_job text, expected_every interval) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO ops.job_heartbeat (job, every)
    VALUES (ended_job, expected_every)
        ON CONFLICT ON CONSTRAINT job_heartbeat_pkey DO UPDATE
       SET every = excluded.every,
           succeeded_at = clock_timestamp()
$function$;
REVOKE EXECUTE ON FUNCTION ops.beat_v1(text, interval) FROM PUBLIC;
COMMENT ON FUNCTION ops.beat_v1(text, interval) IS 'Say that a job has ended well, and how often it should';
GRANT EXECUTE ON FUNCTION ops.beat_v1(text, interval) TO agent_app, agent_privacy, agent_auditor;
GRANT SELECT ON ops.job_heartbeat TO agent_auditor, agent_monitor;
"""


# The seals of the audit trail --------------------------------------------------------------------------


def _create_seals() -> None:
    pass


def _drop_seals() -> None:
    pass


# The catalogue of personal data ------------------------------------------------------------------------


def _create_catalogue() -> None:
    _create_personal_data()
    _create_processing()
    execute(_CATALOGUE_FUNCTIONS)
    execute(_JOURNAL_CLASSIFIED)
    execute(_PURPOSES)
    execute(_CLASSIFIED)
    execute(_EDGES)
    execute(_ACTIVITIES)
    execute(_CATALOGUE_AUDITED)
    execute(_CATALOGUE_GRANTS)


def _drop_catalogue() -> None:
    execute(_DROP_CATALOGUE)
    for table in ("processing_activities", "controller", "recipients", "personal_edges", "personal_data"):
        op.drop_table(table, schema="ops")
    execute(_FORGET_PURPOSES)


def _create_personal_data() -> None:
    op.create_table(
        "personal_data",
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the table, with its schema, as SQL writes it"),
        sa.Column("column_name", sa.Text, nullable=False, comment="none: the column"),
        sa.Column("class", sa.Text, nullable=False, comment="none: what kind of personal data it holds; none is none at all"),
        sa.Column("description", sa.Text, nullable=False, comment="none: what the column is for; with the class its comment"),
        sa.Column("strategy", sa.Text, server_default="keep", nullable=False, comment="none: what becomes of the value when its person is erased"),
        sa.Column("strategy_args", JSONB, server_default=sa.text("'{}'"), nullable=False, comment="none: with what: value of a constant, step of a generalisation, why it is kept"),
        sa.Column("origin", sa.Text, server_default="none", nullable=False, comment="none: whether it was provided, observed or inferred (GDPR art. 15 and 20)"),
        sa.Column("third_party", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether it may name another person than the one whose row it is"),
        sa.Column("purposes", ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False, comment="none: what it is processed for, by the codes of consent_purposes"),
        sa.Column("legal_basis", sa.Text, comment="none: GDPR art. 6(1) basis"),
        sa.Column("retention_rule", sa.Text, comment="none: rule of retention_policies; NULL is as long as the row that it hangs on"),
        sa.Column("rectifiable", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether its person may have it put right (GDPR art. 16)"),
        sa.Column("people", sa.Text, server_default="users", nullable=False, comment="none: whose it is: people of the service, or staff, who are reached from no user"),
        sa.PrimaryKeyConstraint("table_name", "column_name", name="personal_data_pkey"),
        sa.CheckConstraint("class IN ('none', 'identifier', 'contact', 'location', 'behavioural', 'content', 'derived')", name="personal_data_class_check"),
        sa.CheckConstraint("description ~ '^[^[:space:]]'", name="personal_data_description_check"),
        sa.CheckConstraint("strategy IN ('delete', 'null', 'constant', 'random', 'generalise', 'pseudonym', 'json', 'redact', 'keep')", name="personal_data_strategy_check"),
        sa.CheckConstraint(
            "CASE strategy WHEN 'constant' THEN strategy_args ? 'value'"
            " WHEN 'generalise' THEN strategy_args ? 'to'"
            " WHEN 'json' THEN strategy_args ? 'paths'"
            " WHEN 'keep' THEN class = 'none' OR strategy_args ? 'why'"
            " ELSE true END",
            name="personal_data_strategy_args_check",
        ),
        sa.CheckConstraint("jsonb_typeof(strategy_args) = 'object'", name="personal_data_arguments_check"),
        sa.CheckConstraint("origin IN ('provided', 'observed', 'inferred', 'none')", name="personal_data_origin_check"),
        sa.CheckConstraint("legal_basis IN ('consent', 'contract', 'legal_obligation', 'vital_interests', 'public_task', 'legitimate_interests')", name="personal_data_legal_basis_check"),
        sa.CheckConstraint("people IN ('users', 'staff')", name="personal_data_people_check"),
        sa.CheckConstraint(
            "CASE class WHEN 'none' THEN strategy = 'keep' AND origin = 'none' AND NOT third_party AND purposes = '{}'"
            " AND legal_basis IS NULL AND NOT rectifiable"
            " ELSE origin <> 'none' AND purposes <> '{}' AND legal_basis IS NOT NULL END",
            name="personal_data_decided_check",
        ),
        comment="Every column there is: what personal data it holds, on what ground, and what becomes of it",
        schema="ops",
    )
    op.create_table(
        "personal_edges",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the edge"),
        sa.Column("from_table", sa.Text, nullable=False, comment="none: table whose rows name others, with its schema, as SQL writes it"),
        sa.Column("from_columns", ARRAY(NAME), nullable=False, comment="none: the columns that name them"),
        sa.Column("to_table", sa.Text, nullable=False, comment="none: table whose rows are named"),
        sa.Column("to_columns", ARRAY(NAME), nullable=False, comment="none: the columns they are named by, in the same order"),
        sa.Column("kind", sa.Text, nullable=False, comment="none: whether the column itself names them, one of an array, or a value inside JSON"),
        sa.Column("discriminator_column", NAME, comment="none: column that says which table is meant, of a polymorphic edge"),
        sa.Column("discriminator_value", sa.Text, comment="none: what it says for this one"),
        sa.Column("json_path", sa.Text, comment="none: jsonpath of the values that name them"),
        sa.Column("own_columns", ARRAY(NAME), comment="none: columns that are about the person, in a row that is of somebody else; NULL is the whole row, empty none"),
        sa.Column("note", sa.Text, nullable=False, comment="none: why there is no foreign key, or why it does not mean what it seems to"),
        sa.PrimaryKeyConstraint("id", name="personal_edges_pkey"),
        sa.UniqueConstraint("from_table", "from_columns", "to_table", "to_columns", "discriminator_value", "json_path", name="personal_edges_from_table_key", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("kind IN ('column', 'polymorphic', 'array', 'json')", name="personal_edges_kind_check"),
        sa.CheckConstraint("cardinality(from_columns) > 0 AND cardinality(from_columns) = cardinality(to_columns)", name="personal_edges_from_columns_check"),
        sa.CheckConstraint("kind NOT IN ('array', 'json') OR cardinality(from_columns) = 1", name="personal_edges_one_column_check"),
        sa.CheckConstraint("num_nonnulls(discriminator_column, discriminator_value) = CASE kind WHEN 'polymorphic' THEN 2 ELSE 0 END", name="personal_edges_discriminator_column_check"),
        sa.CheckConstraint("(json_path IS NOT NULL) = (kind = 'json')", name="personal_edges_json_path_check"),
        comment="How rows name rows where no foreign key says so, or where one does not mean what it seems to",
        schema="ops",
    )


def _create_processing() -> None:
    op.create_table(
        "recipients",
        sa.Column("code", sa.Text, nullable=False, comment="none: short name of the recipient"),
        sa.Column("name", sa.Text, nullable=False, comment="none: who it is"),
        sa.Column("kind", sa.Text, nullable=False, comment="none: on whose behalf they process it"),
        sa.Column("purpose", sa.Text, nullable=False, comment="none: what they are given it for"),
        sa.Column("country_code", domain("country_code"), nullable=False, comment="none: where they process it"),
        sa.Column("safeguards", sa.Text, comment="none: what allows the transfer, where the GDPR does not apply (art. 46)"),
        sa.Column("categories", ARRAY(sa.Text), nullable=False, comment="none: classes of data they are given"),
        sa.PrimaryKeyConstraint("code", name="recipients_pkey"),
        sa.ForeignKeyConstraint(["country_code"], ["countries.code"], name="recipients_country_code_fkey"),
        sa.CheckConstraint("kind IN ('processor', 'joint_controller', 'controller', 'authority')", name="recipients_kind_check"),
        sa.CheckConstraint("categories <> '{}' AND categories <@ ARRAY['identifier', 'contact', 'location', 'behavioural', 'content', 'derived']", name="recipients_categories_check"),
        comment="Who else is given personal data, what for, and on what ground it leaves",
        schema="ops",
    )
    op.create_index("recipients_country_code_idx", "recipients", ["country_code"], schema="ops")
    # allow MIG060: nobody but the roles of privacy and audit may read it
    # allow MIG062: holds as long as the organisation does
    op.create_table(
        "controller",
        sa.Column("only_one", sa.Boolean, server_default=sa.true(), nullable=False, comment="none: there is one row"),
        sa.Column("name", sa.Text, nullable=False, comment="none: the organisation"),
        sa.Column("address", sa.Text, nullable=False, comment="none: its address"),
        sa.Column("contact", sa.Text, nullable=False, comment="none: where it is reached"),
        sa.Column("representative", sa.Text, comment="none: its representative in the Union (GDPR art. 27)"),
        sa.Column("dpo_name", sa.Text, comment="identifier: the data protection officer"),
        sa.Column("dpo_contact", sa.Text, comment="contact: where they are reached"),
        sa.PrimaryKeyConstraint("only_one", name="controller_pkey"),
        sa.CheckConstraint("only_one", name="controller_only_one_check"),
        comment="Who answers for the processing (GDPR art. 30)",
        schema="ops",
    )
    op.create_table(
        "processing_activities",
        sa.Column("code", sa.Text, nullable=False, comment="none: short name of the activity"),
        sa.Column("name", sa.Text, nullable=False, comment="none: what is done"),
        sa.Column("purposes", ARRAY(sa.Text), nullable=False, comment="none: what for, by the codes of consent_purposes"),
        sa.Column("people", ARRAY(sa.Text), nullable=False, comment="none: categories of the people it is about"),
        sa.Column("recipients", ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False, comment="none: who is given data of it, by the codes of recipients"),
        sa.Column("security_measures", sa.Text, nullable=False, comment="none: how it is protected (GDPR art. 32)"),
        sa.PrimaryKeyConstraint("code", name="processing_activities_pkey"),
        sa.CheckConstraint("purposes <> '{}' AND people <> '{}'", name="processing_activities_purposes_check"),
        comment="What is done with personal data (GDPR art. 30); kinds of data and how long they are kept come from personal_data",
        schema="ops",
    )


# The comment of a column is written from its entry, by whoever changes the entry: as the owner of the tables.
_CATALOGUE_FUNCTIONS = r"""
CREATE FUNCTION ops.personal_data_comment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    target CONSTANT regclass := to_regclass(NEW.table_name);
    place smallint;
    wanted CONSTANT text := NEW.class || ': ' || NEW.description;
BEGIN
    SELECT attribute.attnum
      INTO place
      FROM pg_attribute AS attribute
      JOIN pg_class AS class ON class.oid = attribute.attrelid
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE attribute.attrelid = target
       AND attribute.attname = NEW.column_name
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
       AND NEW.table_name = quote_ident(namespace.nspname) || '.' || quote_ident(class.relname);
    IF place IS NULL THEN
        RAISE EXCEPTION 'there is no column "%" of "%"', NEW.column_name, NEW.table_name
              USING ERRCODE = 'undefined_column',
                    HINT = 'name the table with its schema, as SQL writes it, and the column as it is';
    END IF;
    -- A comment that says so already costs no lock.
    IF col_description(target, place) IS DISTINCT FROM wanted THEN
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', NEW.table_name, NEW.column_name, wanted);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.personal_data_comment() IS 'Keep the comment of a column what the catalogue says of it';

CREATE TRIGGER personal_data_comment AFTER INSERT OR UPDATE ON ops.personal_data
    FOR EACH ROW EXECUTE FUNCTION ops.personal_data_comment();

-- The classes come from the comments, which a revision writes with its columns.
CREATE FUNCTION ops.classify_table_v1(
    target regclass,
    strategy text DEFAULT NULL,
    origin text DEFAULT NULL,
    purposes text[] DEFAULT NULL,
    legal_basis text DEFAULT NULL,
    retention_rule text DEFAULT NULL,
    strategy_args jsonb DEFAULT '{}',
    people text DEFAULT 'users'
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT text := (
        SELECT quote_ident(namespace.nspname) || '.' || quote_ident(class.relname)
          FROM pg_class AS class
          JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE class.oid = target);
    one record;
    added integer := 0;
BEGIN
    FOR one IN
        SELECT attribute.attname::text AS column_name,
               (regexp_match(col_description(target, attribute.attnum), '^(none|identifier|contact|location|behavioural|content|derived): \s*(\S.*)$')) AS said
          FROM pg_attribute AS attribute
         WHERE attribute.attrelid = target
           AND attribute.attnum > 0
           AND NOT attribute.attisdropped
           AND NOT EXISTS (SELECT
                             FROM ops.personal_data AS entry
                            WHERE entry.table_name = called
                              AND entry.column_name = attribute.attname)
         ORDER BY attribute.attnum
    LOOP
        IF one.said IS NULL THEN
            RAISE EXCEPTION 'column "%" of "%" has no classification', one.column_name, called
                  USING ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = format('COMMENT ON COLUMN %s.%I IS ''<class>: <what it is for>'';', called, one.column_name);
        ELSIF one.said[1] = 'none' THEN
            INSERT INTO ops.personal_data (table_name, column_name, class, description)
            VALUES (called, one.column_name, one.said[1], one.said[2]);
        ELSIF num_nulls(strategy, origin, purposes, legal_basis) > 0 THEN
            RAISE EXCEPTION 'column "%" of "%" holds personal data, and nothing says what becomes of it', one.column_name, called
                  USING ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = 'give strategy, origin, purposes and legal_basis, or classify the column first';
        ELSE
            INSERT INTO ops.personal_data (table_name, column_name, class, description, strategy, strategy_args, origin,
                                           purposes, legal_basis, retention_rule, people)
            VALUES (called, one.column_name, one.said[1], one.said[2], classify_table_v1.strategy, classify_table_v1.strategy_args,
                    classify_table_v1.origin, classify_table_v1.purposes, classify_table_v1.legal_basis,
                    classify_table_v1.retention_rule, classify_table_v1.people);
        END IF;
        added := added + 1;
    END LOOP;
    RETURN added;
END
$function$;
COMMENT ON FUNCTION ops.classify_table_v1(regclass, text, text, text[], text, text, jsonb, text) IS
    'Put the columns of a table into the catalogue that are not there yet, by their comments; what is given holds for the personal ones';

CREATE FUNCTION ops.classify_column_v1(
    target regclass,
    column_name text,
    class text DEFAULT NULL,
    description text DEFAULT NULL,
    strategy text DEFAULT NULL,
    strategy_args jsonb DEFAULT NULL,
    origin text DEFAULT NULL,
    third_party boolean DEFAULT NULL,
    purposes text[] DEFAULT NULL,
    legal_basis text DEFAULT NULL,
    retention_rule text DEFAULT NULL,
    rectifiable boolean DEFAULT NULL,
    people text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT text := (
        SELECT quote_ident(namespace.nspname) || '.' || quote_ident(relation.relname)
          FROM pg_class AS relation
          JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
         WHERE relation.oid = target);
    said CONSTANT text[] := (
        SELECT regexp_match(col_description(target, attribute.attnum), '^(none|identifier|contact|location|behavioural|content|derived): \s*(\S.*)$')
          FROM pg_attribute AS attribute
         WHERE attribute.attrelid = target
           AND attribute.attname = classify_column_v1.column_name
           AND NOT attribute.attisdropped);
    entry ops.personal_data := (
        SELECT known
          FROM ops.personal_data AS known
         WHERE known.table_name = called
           AND known.column_name = classify_column_v1.column_name);
BEGIN
    INSERT INTO ops.personal_data (table_name, column_name, class, description, strategy, strategy_args, origin, third_party,
                                   purposes, legal_basis, retention_rule, rectifiable, people)
    VALUES (called, column_name,
            coalesce(classify_column_v1.class, entry.class, said[1]),
            coalesce(classify_column_v1.description, entry.description, said[2]),
            coalesce(classify_column_v1.strategy, entry.strategy, 'keep'),
            coalesce(classify_column_v1.strategy_args, CASE WHEN classify_column_v1.strategy IS NULL THEN entry.strategy_args END, '{}'),
            coalesce(classify_column_v1.origin, entry.origin, 'none'),
            coalesce(classify_column_v1.third_party, entry.third_party, false),
            coalesce(classify_column_v1.purposes, entry.purposes, '{}'),
            coalesce(classify_column_v1.legal_basis, entry.legal_basis),
            coalesce(classify_column_v1.retention_rule, entry.retention_rule),
            coalesce(classify_column_v1.rectifiable, entry.rectifiable, false),
            coalesce(classify_column_v1.people, entry.people, 'users'))
        ON CONFLICT ON CONSTRAINT personal_data_pkey DO UPDATE
       SET class = excluded.class, description = excluded.description, strategy = excluded.strategy,
           strategy_args = excluded.strategy_args, origin = excluded.origin, third_party = excluded.third_party,
           purposes = excluded.purposes, legal_basis = excluded.legal_basis, retention_rule = excluded.retention_rule,
           rectifiable = excluded.rectifiable, people = excluded.people;
END
$function$;
COMMENT ON FUNCTION ops.classify_column_v1(regclass, text, text, text, text, jsonb, text, boolean, text[], text, text, boolean, text) IS
    'Say of a column what is given, in the catalogue and so in its comment; what is not given stays, or comes from the comment';
"""

# The journal is of no revision: where the schema was made from a script, it comes after, and calls this.
_JOURNAL_CLASSIFIED = """
CREATE FUNCTION ops.classify_journal_v1() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF num_nulls(to_regclass('ops.migration_journal'), to_regclass('ops.migration_state')) > 0 THEN
        RETURN;
    END IF;
    PERFORM ops.classify_table_v1('ops.migration_journal', strategy => 'keep', strategy_args => '{"why": "ISO/IEC 27001:2022 A.8.32: who changed the schema", "until": "the database is given up"}', origin => 'observed', purposes => '{security}', legal_basis => 'legitimate_interests', people => 'staff');
    PERFORM ops.classify_column_v1('ops.migration_journal', 'locks', strategy_args => '{"why": "the keys are names of relations"}');
    PERFORM ops.classify_table_v1('ops.migration_state');
END
$function$;
COMMENT ON FUNCTION ops.classify_journal_v1() IS 'Put the journal of migrations into the catalogue, if it is there';
"""

# What is processed on a ground that nobody is asked for.
_PURPOSES = """
INSERT INTO public.consent_purposes (code, legal_basis, description, valid_for)
VALUES ('security', 'legitimate_interests', 'Keep the service and its data safe, and tell who touched what', NULL),
       ('accountability', 'legal_obligation', 'Show that consent was given and that requests were answered', NULL)
    ON CONFLICT ON CONSTRAINT consent_purposes_pkey DO NOTHING;
"""

_FORGET_PURPOSES = """
DELETE FROM public.consent_purposes AS purpose
 WHERE purpose.code IN ('security', 'accountability')
   AND NOT EXISTS (SELECT FROM public.consent AS answer WHERE answer.purpose = purpose.code);
"""

_CLASSIFIED = r"""
DO $revision$
DECLARE
    target regclass;
BEGIN
    -- People: a row without personal data stays of them, for what points to it.
    PERFORM ops.classify_table_v1('public.users', strategy => 'null', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'erased');
    PERFORM ops.classify_column_v1('public.users', 'id', strategy => 'keep', strategy_args => '{"why": "the number alone says nothing; proofs that must be kept point to it"}', origin => 'observed');
    PERFORM ops.classify_column_v1('public.users', 'public_id', strategy => 'random', origin => 'observed');
    PERFORM ops.classify_column_v1('public.users', 'email', rectifiable => true, purposes => '{service,marketing}');
    PERFORM ops.classify_column_v1('public.users', 'email_hmac', origin => 'inferred');
    PERFORM ops.classify_column_v1('public.users', 'display_name', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'locale', strategy => 'constant', strategy_args => '{"value": "en"}', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'country_code', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'time_zone', strategy => 'constant', strategy_args => '{"value": "UTC"}', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'birth_year', rectifiable => true, purposes => '{service,accountability}');

    PERFORM ops.classify_table_v1('public.user_identities', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'disconnected');
    PERFORM ops.classify_column_v1('public.user_identities', 'connected_at', origin => 'observed');
    PERFORM ops.classify_column_v1('public.user_identities', 'disconnected_at', origin => 'observed');

    -- The answer that holds goes with the person; the proof of each answer is kept for its time.
    PERFORM ops.classify_table_v1('public.consent', strategy => 'delete', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('public.consent', 'channel', origin => 'observed');
    PERFORM ops.classify_column_v1('public.consent', 'recorded_at', origin => 'observed');
    PERFORM ops.classify_table_v1('public.consent_events', strategy => 'keep', strategy_args => '{"why": "GDPR art. 7(1), 17(3)(b) and (e): the answer has to be shown, and withdrawn answers too"}', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation', retention_rule => 'proof');
    PERFORM ops.classify_column_v1('public.consent_events', 'channel', origin => 'observed');
    PERFORM ops.classify_column_v1('public.consent_events', 'evidence', origin => 'observed');
    PERFORM ops.classify_column_v1('public.consent_events', 'recorded_at', origin => 'observed');

    -- The library: a list is its owner's; who added to the list of another leaves the track there, without a name.
    PERFORM ops.classify_table_v1('public.playlists', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlists', 'name', rectifiable => true);
    PERFORM ops.classify_column_v1('public.playlists', 'description', rectifiable => true);
    PERFORM ops.classify_table_v1('public.playlist_items', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlist_items', 'added_by', strategy => 'null', origin => 'observed', third_party => true);
    PERFORM ops.classify_column_v1('public.playlist_items', 'added_at', origin => 'observed');
    PERFORM ops.classify_table_v1('public.playlist_snapshots', strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_table_v1('public.playlist_item_versions', strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlist_item_versions', 'added_by', strategy => 'null', third_party => true);
    PERFORM ops.classify_table_v1('public.playlist_collaborators', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlist_collaborators', 'user_id', third_party => true);
    PERFORM ops.classify_column_v1('public.playlist_collaborators', 'collaborator_id', third_party => true);
    PERFORM ops.classify_column_v1('public.playlist_collaborators', 'added_at', origin => 'observed');

    -- What was done.
    PERFORM ops.classify_table_v1('public.listens', strategy => 'delete', origin => 'observed', purposes => '{service,personalisation}', legal_basis => 'contract', retention_rule => 'raw');
    PERFORM ops.classify_table_v1('public.analytics', strategy => 'delete', origin => 'observed', purposes => '{analytics}', legal_basis => 'consent', retention_rule => 'raw');

    -- The agent: what is said stands in one column, and may be taken out of it without the rest.
    PERFORM ops.classify_table_v1('public.agent_conversations', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_column_v1('public.agent_conversations', 'title', origin => 'inferred', rectifiable => true);
    PERFORM ops.classify_column_v1('public.agent_conversations', 'last_message_at', origin => 'observed');
    PERFORM ops.classify_table_v1('public.agent_messages', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_table_v1('public.agent_tool_calls', strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_column_v1('public.agent_tool_calls', 'arguments', origin => 'inferred');
    PERFORM ops.classify_column_v1('public.agent_tool_calls', 'approved_by', strategy => 'constant', strategy_args => '{"value": 0}', third_party => true);

    -- What was computed about a person is about the person.
    PERFORM ops.classify_table_v1('public.user_features', strategy => 'delete', origin => 'inferred', purposes => '{personalisation,model_training}', legal_basis => 'consent', retention_rule => 'history');
    PERFORM ops.classify_table_v1('public.recommendations', strategy => 'delete', origin => 'inferred', purposes => '{personalisation}', legal_basis => 'consent', retention_rule => 'served');
    PERFORM ops.classify_column_v1('public.recommendations', 'feedback', origin => 'provided');
    PERFORM ops.classify_column_v1('public.recommendations', 'surface', origin => 'observed');
    PERFORM ops.classify_column_v1('public.recommendations', 'served_at', origin => 'observed');

    -- The trail stays: without the mapping a pseudonym names nobody, and the number of a person is taken out of it.
    PERFORM ops.classify_table_v1('public.audit_log', strategy => 'keep', strategy_args => '{"why": "GDPR art. 17(3)(b): names nobody once the pseudonym is gone"}', origin => 'observed', purposes => '{security,accountability}', legal_basis => 'legitimate_interests', retention_rule => 'trail');
    PERFORM ops.classify_column_v1('public.audit_log', 'entity_id', strategy => 'redact');
    PERFORM ops.classify_column_v1('public.audit_log', 'actor_ref', third_party => true);
    PERFORM ops.classify_table_v1('ops.pseudonyms', strategy => 'delete', strategy_args => '{"until": "the person is erased"}', origin => 'observed', purposes => '{security}', legal_basis => 'legitimate_interests');
    PERFORM ops.classify_column_v1('ops.pseudonyms', 'role_name', people => 'staff');

    -- Of those who run the service.
    PERFORM ops.classify_journal_v1();
    PERFORM ops.classify_table_v1('ops.controller', strategy => 'keep', strategy_args => '{"why": "GDPR art. 30(1)(a)", "until": "it changes"}', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation', people => 'staff');

    -- What looks as if it were about a person, and is not.
    PERFORM ops.classify_column_v1('ops.controller', 'address', strategy_args => '{"why": "of the organisation"}');

    -- All the others of this schema hold nothing personal, and say so; whoever made a table beside them classifies it.
    FOR target IN
        SELECT class.oid
          FROM pg_catalog.pg_class AS class
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE namespace.nspname IN ('public', 'ops')
           AND class.relkind IN ('r', 'p')
           AND NOT class.relispartition
           AND class.relowner = 'agent_owner'::regrole
           AND class.relname <> 'alembic_version'
           AND NOT EXISTS (SELECT
                             FROM pg_catalog.pg_attribute AS attribute
                            WHERE attribute.attrelid = class.oid
                              AND attribute.attnum > 0
                              AND NOT attribute.attisdropped
                              AND pg_catalog.col_description(class.oid, attribute.attnum) !~ '^none: \s*\S' IS NOT FALSE)
         ORDER BY namespace.nspname, class.relname
    LOOP
        PERFORM ops.classify_table_v1(target);
    END LOOP;
END
$revision$
"""

_EDGES = """
INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, discriminator_column, discriminator_value, own_columns, note)
VALUES ('public.consent_events', '{user_id}', 'public.users', '{id}', 'column', NULL, NULL, NULL, 'the proof outlives the account'),
       ('public.analytics', '{user_id}', 'public.users', '{id}', 'column', NULL, NULL, NULL, '0 is nobody'),
       ('public.playlist_items', '{added_by}', 'public.users', '{id}', 'column', NULL, NULL, '{added_by,track_id,added_at}', 'the list outlives them, and is of somebody else'),
       ('public.playlist_item_versions', '{added_by}', 'public.users', '{id}', 'column', NULL, NULL, '{added_by,track_id,added_at}', 'the past of a list that is of somebody else'),
       ('public.agent_tool_calls', '{approved_by}', 'public.users', '{id}', 'column', NULL, NULL, '{approved_by,approved_at}', 'the decision outlives them'),
       ('ops.pseudonyms', '{user_id}', 'public.users', '{id}', 'column', NULL, NULL, NULL, 'erased by itself, so that the trail names nobody'),
       ('public.audit_log', '{subject_ref}', 'ops.pseudonyms', '{audit_ref}', 'column', NULL, NULL, NULL, 'the trail outlives the mapping'),
       ('public.audit_log', '{actor_ref}', 'ops.pseudonyms', '{audit_ref}', 'column', NULL, NULL, '{actor_ref,action,request_id,created_at}', 'what a person did to things of others'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'user', NULL, 'entries outlive what they are about'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'user_identity', NULL, 'numbered by the person'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'consent', NULL, 'numbered by the person'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'user_feature', NULL, 'numbered by the person');
"""

_ACTIVITIES = """
INSERT INTO ops.processing_activities (code, name, purposes, people, security_measures)
SELECT given.code, given.name, given.purposes, given.people,
       'Row security by person, least privilege by role, an audit trail without values, pseudonyms in the views of analysts'
  FROM (VALUES ('streaming', 'Accounts, playlists, playback and the agent', '{service}'::text[], '{users of the service}'::text[]),
               ('measurement', 'Measuring how the service is used', '{analytics}', '{users of the service}'),
               ('recommendation', 'Recommending music', '{personalisation}', '{users of the service}'),
               ('training', 'Training recommendation models', '{model_training}', '{users of the service}'),
               ('marketing', 'News and offers by e-mail', '{marketing}', '{users of the service}'),
               ('security', 'Security, and the record of what was done', '{security}', '{users of the service,staff}'),
               ('accountability', 'Proof of consent and of answers to requests', '{accountability}', '{users of the service,staff}')
       ) AS given (code, name, purposes, people);
"""

_CATALOGUE_AUDITED = """
DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('ops.personal_data', 'personal_data', entity_key => 'table_name');
    PERFORM ops.audit_table_v1('ops.personal_edges', 'personal_edge', entity_id => 'id', entity_key => 'from_table');
    PERFORM ops.audit_table_v1('ops.recipients', 'recipient', entity_key => 'code');
    PERFORM ops.audit_table_v1('ops.controller', 'controller');
    PERFORM ops.audit_table_v1('ops.processing_activities', 'processing_activity', entity_key => 'code');
END
$revision$
"""

_CATALOGUE_GRANTS = """
GRANT USAGE ON SCHEMA ops TO agent_privacy, agent_auditor;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.personal_data, ops.personal_edges, ops.recipients, ops.controller, ops.processing_activities
    TO agent_privacy;
GRANT USAGE ON SEQUENCE ops.personal_edges_id_seq TO agent_privacy;
GRANT EXECUTE ON FUNCTION ops.classify_table_v1(regclass, text, text, text[], text, text, jsonb, text),
                          ops.classify_column_v1(regclass, text, text, text, text, jsonb, text, boolean, text[], text, text, boolean, text)
    TO agent_privacy;
GRANT SELECT ON ops.personal_data, ops.personal_edges, ops.recipients, ops.controller, ops.processing_activities TO agent_auditor;
"""

_DROP_CATALOGUE = """
REVOKE USAGE ON SCHEMA ops FROM agent_privacy, agent_auditor;
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('ops.processing_activities');
    PERFORM ops.unaudit_table_v1('ops.controller');
    PERFORM ops.unaudit_table_v1('ops.recipients');
    PERFORM ops.unaudit_table_v1('ops.personal_edges');
    PERFORM ops.unaudit_table_v1('ops.personal_data');
END
$revision$;
DROP FUNCTION ops.classify_journal_v1();
DROP FUNCTION ops.classify_column_v1(regclass, text, text, text, text, jsonb, text, boolean, text[], text, text, boolean, text);
DROP FUNCTION ops.classify_table_v1(regclass, text, text, text[], text, text, jsonb, text);
DROP TRIGGER personal_data_comment ON ops.personal_data;
DROP FUNCTION ops.personal_data_comment();
"""


# Consent, and what must be kept ------------------------------------------------------------------------


def _create_consent() -> None:
    pass


def _drop_consent() -> None:
    pass


# What people ask for -----------------------------------------------------------------------------------


def _create_requests() -> None:
    pass


def _drop_requests() -> None:
    pass


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
