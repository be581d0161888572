"""AI: model registry, prompts, conversations of the agent, embeddings, features as of an instant, recommendations.

Locks: SHARE ROW EXCLUSIVE on users, locales, data_sources and tracks, for the moment a foreign key to each is made.
Reverse: lossy; drops the tables with their rows, and every partition of embeddings.
Data: seed; what the reasons of a recommendation mean, in English and French, and the retention of each table.
Needs: membership of agent_owner. pgvector is made where it is available and the login may; without it the
    search for neighbours is exact.

allow MIG030: comes in one release with 002, before anybody uses the tables
allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, domain, execute

revision = "005"
down_revision = "004"
branch_labels = None
depends_on = None

# Referenced tables first; the way back takes them from the end.
_TABLES = (
    "ai_models", "model_versions", "model_version_sources", "model_aliases", "prompt_versions", "prompt_labels",
    "agent_conversations", "agent_messages", "agent_tool_calls",
    "track_embeddings",
    "feature_definitions", "track_features", "user_features",
    "recommendation_reasons", "recommendations",
)  # fmt: skip


def upgrade() -> None:
    execute(_CREATE_EXTENSION)
    with as_owner():
        _create_models()
        _create_prompts()
        execute(_REGISTRIES)
        _create_conversations()
        execute(_AGENTS)
        _create_embeddings()
        execute(_EMBEDDINGS)
        _create_features()
        execute(_FEATURES)
        _create_recommendations()
        execute(_RECOMMENDATIONS)
        execute(_ML_USE)
        execute(_EXPLAIN_INDEXES)
        execute(_AUDITED)
        execute(_ROW_SECURITY)
        execute(_ANALYSTS)
        execute(_GRANTS)
        execute(_SEED)


def downgrade() -> None:
    with as_owner():
        execute(_FORGET_RETENTION)
        execute(_DROP_AUDITED)
        execute(_DROP_FUNCTIONS)
        for table in reversed(_TABLES):
            op.drop_table(table)
        execute(_DROP_TRIGGER_FUNCTIONS)
    execute(_DROP_EXTENSION)


# pgvector ----------------------------------------------------------------------------------------------

# Not a trusted extension: whoever is no superuser gets one only from an administrator, and may get it later.
# Whatever goes wrong with it, the schema works without.
_CREATE_EXTENSION = """
DO $revision$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_available_extensions AS available
                WHERE available.name = 'vector' AND available.installed_version IS NULL) THEN
        CREATE EXTENSION vector WITH SCHEMA public;
        COMMENT ON EXTENSION vector IS 'search for neighbours; made by spotify-ai-agent-migrations';
    END IF;
EXCEPTION
    WHEN OTHERS THEN
        RAISE NOTICE 'extension "vector" is not used: %', SQLERRM
              USING HINT = 'neighbours are found by exact search; index_embedding_partition_v1 adds the index once it is there';
END
$revision$
"""

# An extension that was there before is not ours to drop.
_DROP_EXTENSION = """
DO $revision$
BEGIN
    IF EXISTS (SELECT
                 FROM pg_catalog.pg_extension AS extension
                WHERE extension.extname = 'vector'
                  AND pg_catalog.obj_description(extension.oid, 'pg_extension')
                      = 'search for neighbours; made by spotify-ai-agent-migrations') THEN
        DROP EXTENSION vector;
    END IF;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege THEN
        RAISE NOTICE 'extension "vector" stays: something depends on it, or another role owns it';
END
$revision$
"""

# Registries --------------------------------------------------------------------------------------------


def _created_at() -> sa.schema.SchemaItem:
    return sa.Column(
        "created_at",
        sa.DateTime(timezone=True),
        server_default=sa.func.now(),
        nullable=False,
        comment="none: when the row was written",
    )


def _updated_at() -> sa.schema.SchemaItem:
    return sa.Column(
        "updated_at",
        sa.DateTime(timezone=True),
        server_default=sa.func.now(),
        nullable=False,
        comment="none: when the row last changed",
    )


def _create_models() -> None:
    op.create_table(
        "ai_models",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("name", sa.Text, nullable=False, comment="none: name the code asks for it by"),
        sa.Column("task", sa.Text, nullable=False, comment="none: what it does"),
        sa.Column("provider", sa.Text, comment="none: who offers it; NULL is ourselves"),
        sa.Column("owner", sa.Text, nullable=False, comment="none: team that answers for it"),
        sa.Column("risk_class", sa.Text, server_default="limited", nullable=False, comment="none: risk class (EU AI Act)"),
        sa.Column("description", sa.Text, nullable=False, comment="none: what it is for, and what it is not for"),
        _created_at(),
        _updated_at(),
        sa.PrimaryKeyConstraint("id", name="ai_models_pkey"),
        sa.UniqueConstraint("name", name="ai_models_name_key"),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'", name="ai_models_name_check"),
        sa.CheckConstraint("task IN ('llm', 'embedding', 'recommender', 'classifier', 'reranker')", name="ai_models_task_check"),
        sa.CheckConstraint("risk_class IN ('minimal', 'limited', 'high')", name="ai_models_risk_class_check"),
        comment="Models in use, ours and those of others",
    )
    op.create_table(
        "model_versions",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("model_id", sa.BigInteger, nullable=False, comment="none: the model"),
        sa.Column("version", sa.Integer, nullable=False, comment="none: number of the version, from 1"),
        sa.Column("parent_version_id", sa.BigInteger, comment="none: version it was made from: fine-tuned, distilled, retrained"),
        sa.Column("status", sa.Text, server_default="pending", nullable=False, comment="none: where it is in its life"),
        sa.Column("artifact_uri", sa.Text, comment="none: where the weights are"),
        sa.Column("artifact_sha256", BYTEA, comment="none: hash of the weights"),
        sa.Column("dimensions", sa.Integer, comment="none: length of its vectors, for an embedding model"),
        sa.Column("training_cutoff", sa.DateTime(timezone=True), comment="none: nothing later was trained on"),
        sa.Column("metrics", JSONB, server_default=sa.text("'{}'"), nullable=False, comment="none: how well it does, by name of the measure"),
        sa.Column("input_usd_per_mtok", sa.Numeric(14, 6), comment="none: price of a million input tokens, in US dollars"),
        sa.Column("output_usd_per_mtok", sa.Numeric(14, 6), comment="none: price of a million output tokens, in US dollars"),
        _created_at(),
        sa.Column("retired_at", sa.DateTime(timezone=True), comment="none: since when it serves nobody"),
        sa.PrimaryKeyConstraint("id", name="model_versions_pkey"),
        sa.UniqueConstraint("model_id", "version", name="model_versions_model_id_version_key"),
        sa.UniqueConstraint("model_id", "id", name="model_versions_model_id_id_key"),
        sa.ForeignKeyConstraint(["model_id"], ["ai_models.id"], name="model_versions_model_id_fkey"),
        sa.ForeignKeyConstraint(["parent_version_id"], ["model_versions.id"], name="model_versions_parent_version_id_fkey"),
        sa.CheckConstraint("version > 0", name="model_versions_version_check"),
        # A parent is older than its child, so a lineage has an end.
        sa.CheckConstraint("parent_version_id < id", name="model_versions_parent_version_id_check"),
        sa.CheckConstraint("status IN ('pending', 'ready', 'failed', 'retired')", name="model_versions_status_check"),
        sa.CheckConstraint("(status = 'retired') = (retired_at IS NOT NULL)", name="model_versions_retired_at_check"),
        sa.CheckConstraint("octet_length(artifact_sha256) = 32", name="model_versions_artifact_sha256_check"),
        sa.CheckConstraint("dimensions BETWEEN 1 AND 16000", name="model_versions_dimensions_check"),
        sa.CheckConstraint("jsonb_typeof(metrics) = 'object'", name="model_versions_metrics_check"),
        sa.CheckConstraint("input_usd_per_mtok >= 0 AND output_usd_per_mtok >= 0", name="model_versions_input_usd_per_mtok_check"),
        comment="Versions of the models: where each came from, what it is made of, what it costs",
    )
    op.create_index("model_versions_parent_version_id_idx", "model_versions", ["parent_version_id"])
    op.create_table(
        "model_version_sources",
        sa.Column("model_version_id", sa.BigInteger, nullable=False, comment="none: what was trained"),
        sa.Column("source", sa.Text, nullable=False, comment="none: where the training data came from, and so what may be done with it"),
        sa.Column("dataset", sa.Text, server_default="", nullable=False, comment="none: which part of the source"),
        sa.Column("dataset_sha256", BYTEA, comment="none: hash of what was trained on"),
        sa.Column("rows", sa.BigInteger, comment="none: how many rows of it"),
        _created_at(),
        sa.PrimaryKeyConstraint("model_version_id", "source", "dataset", name="model_version_sources_pkey"),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_versions.id"], name="model_version_sources_model_version_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="model_version_sources_source_fkey"),
        sa.CheckConstraint("octet_length(dataset_sha256) = 32", name="model_version_sources_dataset_sha256_check"),
        sa.CheckConstraint("rows >= 0", name="model_version_sources_rows_check"),
        comment="What each version was trained on",
    )
    op.create_index("model_version_sources_source_idx", "model_version_sources", ["source"])
    op.create_table(
        "model_aliases",
        sa.Column("model_id", sa.BigInteger, nullable=False, comment="none: the model"),
        sa.Column("alias", sa.Text, nullable=False, comment="none: role of a version: champion, challenger, shadow, …"),
        sa.Column("version_id", sa.BigInteger, nullable=False, comment="none: version that has the role now"),
        _updated_at(),
        sa.PrimaryKeyConstraint("model_id", "alias", name="model_aliases_pkey"),
        sa.ForeignKeyConstraint(["model_id", "version_id"], ["model_versions.model_id", "model_versions.id"], name="model_aliases_model_id_version_id_fkey"),
        sa.CheckConstraint("alias ~ '^[a-z][a-z0-9_-]{0,62}$'", name="model_aliases_alias_check"),
        comment="Which version of a model the code gets when it asks for a role",
    )
    op.create_index("model_aliases_model_id_version_id_idx", "model_aliases", ["model_id", "version_id"])


def _create_prompts() -> None:
    op.create_table(
        "prompt_versions",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("name", sa.Text, nullable=False, comment="none: name the code asks for it by"),
        sa.Column("version", sa.Integer, nullable=False, comment="none: number of the version, from 1"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="none: language it is written in"),
        sa.Column("parent_version_id", sa.BigInteger, comment="none: version it was written from: an edit, a translation"),
        sa.Column("template", JSONB, nullable=False, comment="none: the messages, with their placeholders"),
        sa.Column("config", JSONB, server_default=sa.text("'{}'"), nullable=False, comment="none: temperature, tools, …"),
        sa.Column("commit_message", sa.Text, server_default="", nullable=False, comment="none: why it was written"),
        _created_at(),
        sa.PrimaryKeyConstraint("id", name="prompt_versions_pkey"),
        sa.UniqueConstraint("name", "locale", "version", name="prompt_versions_name_locale_version_key"),
        sa.UniqueConstraint("name", "locale", "id", name="prompt_versions_name_locale_id_key"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="prompt_versions_locale_fkey"),
        sa.ForeignKeyConstraint(["parent_version_id"], ["prompt_versions.id"], name="prompt_versions_parent_version_id_fkey"),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'", name="prompt_versions_name_check"),
        sa.CheckConstraint("version > 0", name="prompt_versions_version_check"),
        sa.CheckConstraint("parent_version_id < id", name="prompt_versions_parent_version_id_check"),
        sa.CheckConstraint("jsonb_typeof(template) IN ('array', 'object', 'string')", name="prompt_versions_template_check"),
        sa.CheckConstraint("jsonb_typeof(config) = 'object'", name="prompt_versions_config_check"),
        comment="Prompts, each version as it was written for ever",
    )
    op.create_index("prompt_versions_locale_idx", "prompt_versions", ["locale"])
    op.create_index("prompt_versions_parent_version_id_idx", "prompt_versions", ["parent_version_id"])
    op.create_table(
        "prompt_labels",
        sa.Column("name", sa.Text, nullable=False, comment="none: name of the prompt"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="none: its language"),
        sa.Column("label", sa.Text, nullable=False, comment="none: role of a version: production, staging, …"),
        sa.Column("prompt_version_id", sa.BigInteger, nullable=False, comment="none: version that has the role now"),
        _updated_at(),
        sa.PrimaryKeyConstraint("name", "locale", "label", name="prompt_labels_pkey"),
        sa.ForeignKeyConstraint(["name", "locale", "prompt_version_id"], ["prompt_versions.name", "prompt_versions.locale", "prompt_versions.id"], name="prompt_labels_name_locale_prompt_version_id_fkey"),
        sa.CheckConstraint("label ~ '^[a-z][a-z0-9_-]{0,62}$'", name="prompt_labels_label_check"),
        comment="Which version of a prompt the code gets when it asks for a role",
    )
    op.create_index("prompt_labels_name_locale_prompt_version_id_idx", "prompt_labels", ["name", "locale", "prompt_version_id"])


_REGISTRIES = """
CREATE TRIGGER ai_models_updated_at BEFORE UPDATE ON public.ai_models
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();
CREATE TRIGGER model_aliases_updated_at BEFORE UPDATE ON public.model_aliases
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();
CREATE TRIGGER prompt_labels_updated_at BEFORE UPDATE ON public.prompt_labels
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();

CREATE FUNCTION ops.model_versions_life() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF to_regclass(format('public.track_embeddings_v%s', OLD.id)) IS NOT NULL THEN
            RAISE EXCEPTION 'model version % still has its embeddings', OLD.id
                  USING ERRCODE = 'foreign_key_violation',
                        HINT = format('first SELECT public.drop_embedding_partition_v1(%s);', OLD.id);
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.id, NEW.model_id, NEW.version, NEW.parent_version_id) IS DISTINCT FROM (OLD.id, OLD.model_id, OLD.version, OLD.parent_version_id)
       OR OLD.status <> 'pending'
          AND (NEW.artifact_uri, NEW.artifact_sha256, NEW.dimensions, NEW.training_cutoff)
              IS DISTINCT FROM (OLD.artifact_uri, OLD.artifact_sha256, OLD.dimensions, OLD.training_cutoff) THEN
        RAISE EXCEPTION 'what model version % is does not change', OLD.id
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'add a version, with this one as its parent';
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (('pending', 'ready'), ('pending', 'failed'), ('ready', 'retired'), ('failed', 'retired')) THEN
        RAISE EXCEPTION 'model version % is %, and does not become %', OLD.id, OLD.status, NEW.status
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'pending becomes ready or failed, either becomes retired; for anything else add a version';
    END IF;
    IF NEW.status = 'retired' AND OLD.status <> 'retired' THEN
        IF EXISTS (SELECT FROM public.model_aliases AS given WHERE given.model_id = OLD.model_id AND given.version_id = OLD.id) THEN
            RAISE EXCEPTION 'model version % still has an alias', OLD.id
                  USING ERRCODE = 'object_in_use', HINT = 'give the alias to another version first: set_model_alias_v1';
        END IF;
        NEW.retired_at := coalesce(NEW.retired_at, now());
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION ops.model_versions_life() IS 'Let a version become ready, failed or retired and nothing else; keep what it is';

CREATE TRIGGER model_versions_life BEFORE UPDATE OR DELETE ON public.model_versions
    FOR EACH ROW EXECUTE FUNCTION ops.model_versions_life();

-- The row of the version is locked, so that it is not retired at the moment the alias goes there.
CREATE FUNCTION ops.model_aliases_ready() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_status text;
BEGIN
    SELECT version.status INTO found_status
      FROM public.model_versions AS version
     WHERE version.id = NEW.version_id
       FOR SHARE;
    IF found_status <> 'ready' THEN
        RAISE EXCEPTION 'model version % is %, and takes no alias', NEW.version_id, found_status
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'only a version that is ready is served';
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION ops.model_aliases_ready() IS 'Refuse an alias for a version that is not ready';

CREATE TRIGGER model_aliases_ready BEFORE INSERT OR UPDATE ON public.model_aliases
    FOR EACH ROW EXECUTE FUNCTION ops.model_aliases_ready();

CREATE FUNCTION ops.prompt_versions_stay() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'version % of prompt "%" does not change', OLD.version, OLD.name
          USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'add a version, with this one as its parent';
END
$function$;
COMMENT ON FUNCTION ops.prompt_versions_stay() IS 'Refuse to change a prompt that may have been used';

CREATE TRIGGER prompt_versions_stay BEFORE UPDATE ON public.prompt_versions
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.prompt_versions_stay();

CREATE FUNCTION public.set_model_alias_v1(model_name text, new_alias text, new_version integer) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_version public.model_versions;
BEGIN
    SELECT version.* INTO found_version
      FROM public.model_versions AS version
      JOIN public.ai_models AS model ON model.id = version.model_id
     WHERE model.name = model_name AND version.version = new_version;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'model "%" has no version %', model_name, new_version
              USING ERRCODE = 'no_data_found', HINT = 'register it in ai_models and model_versions first';
    END IF;
    INSERT INTO public.model_aliases AS given (model_id, alias, version_id)
    VALUES (found_version.model_id, new_alias, found_version.id)
        ON CONFLICT ON CONSTRAINT model_aliases_pkey DO UPDATE
       SET version_id = excluded.version_id
     WHERE given.version_id <> excluded.version_id;
    RETURN found_version.id;
END
$function$;
COMMENT ON FUNCTION public.set_model_alias_v1(text, text, integer) IS
    'Give an alias of a model to a version that is ready, in one step; returns the key of the version';

CREATE FUNCTION public.model_version_v1(model_name text, wanted_alias text) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT given.version_id
      FROM public.model_aliases AS given
      JOIN public.ai_models AS model ON model.id = given.model_id
     WHERE model.name = model_name AND given.alias = wanted_alias
$function$;
COMMENT ON FUNCTION public.model_version_v1(text, text) IS 'The key of the version that has an alias now, or NULL';

CREATE FUNCTION public.set_prompt_label_v1(prompt_name text, prompt_locale text, new_label text, new_version integer) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_id bigint;
BEGIN
    SELECT version.id INTO found_id
      FROM public.prompt_versions AS version
     WHERE version.name = prompt_name AND version.locale = prompt_locale AND version.version = new_version;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'prompt "%" has no version % in "%"', prompt_name, new_version, prompt_locale
              USING ERRCODE = 'no_data_found', HINT = 'insert it into prompt_versions first';
    END IF;
    INSERT INTO public.prompt_labels AS given (name, locale, label, prompt_version_id)
    VALUES (prompt_name, prompt_locale, new_label, found_id)
        ON CONFLICT ON CONSTRAINT prompt_labels_pkey DO UPDATE
       SET prompt_version_id = excluded.prompt_version_id
     WHERE given.prompt_version_id <> excluded.prompt_version_id;
    RETURN found_id;
END
$function$;
COMMENT ON FUNCTION public.set_prompt_label_v1(text, text, text, integer) IS
    'Give a label of a prompt to one of its versions, in one step; returns the key of the version';

CREATE FUNCTION public.prompt_version_v1(prompt_name text, wanted_label text, wanted_locale text) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    WITH RECURSIVE chain (tag, place) AS (
        SELECT wanted_locale, 0
        UNION ALL
        SELECT coalesce(locale.parent_tag, nullif(regexp_replace(chain.tag, '-[^-]*$', ''), chain.tag)), chain.place + 1
          FROM chain
          LEFT JOIN public.locales AS locale ON locale.tag = chain.tag
         WHERE chain.tag IS NOT NULL AND chain.place < 8
    )
    SELECT given.prompt_version_id
      FROM chain
      JOIN public.prompt_labels AS given ON given.locale = chain.tag
     WHERE given.name = prompt_name AND given.label = wanted_label
     ORDER BY chain.place
     LIMIT 1
$function$;
COMMENT ON FUNCTION public.prompt_version_v1(text, text, text) IS
    'The key of the version that has a label now, in a language or the nearest it falls back to, or NULL';
"""

# Conversations -----------------------------------------------------------------------------------------


def _create_conversations() -> None:
    op.create_table(
        "agent_conversations",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: who talks to the agent"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the conversation"),
        sa.Column("agent", sa.Text, nullable=False, comment="none: which agent answers"),
        sa.Column("title", domain("nfc_text"), comment="content: what it is about"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="behavioural: language it is held in"),
        sa.Column("status", sa.Text, server_default="open", nullable=False, comment="none: whether messages are still added"),
        sa.Column("last_seq", sa.Integer, server_default="0", nullable=False, comment="none: number of the latest message; it never goes back"),
        _created_at(),
        sa.Column("last_message_at", sa.DateTime(timezone=True), comment="behavioural: when the latest message came"),
        sa.Column("delete_after", sa.DateTime(timezone=True), server_default=sa.text("now() + INTERVAL '13 months'"), nullable=False, comment="none: when it is deleted with all that is in it"),
        sa.PrimaryKeyConstraint("user_id", "id", name="agent_conversations_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="agent_conversations_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="agent_conversations_locale_fkey"),
        sa.CheckConstraint("status IN ('open', 'closed')", name="agent_conversations_status_check"),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 200", name="agent_conversations_title_check"),
        sa.CheckConstraint("last_seq >= 0", name="agent_conversations_last_seq_check"),
        comment="Conversations with the agent",
    )
    op.create_index("agent_conversations_locale_idx", "agent_conversations", ["locale"])
    op.create_index("agent_conversations_user_id_last_message_at_idx", "agent_conversations", ["user_id", sa.text("last_message_at DESC")])
    op.create_index("agent_conversations_delete_after_idx", "agent_conversations", ["delete_after"])
    op.create_table(
        "agent_messages",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose conversation it is"),
        sa.Column("conversation_id", sa.BigInteger, nullable=False, comment="none: the conversation"),
        sa.Column("seq", sa.Integer, nullable=False, comment="none: place in the conversation, from 1, without a gap"),
        sa.Column("role", sa.Text, nullable=False, comment="none: who speaks"),
        sa.Column("parts", JSONB, nullable=False, comment="content: what is said: texts, images, references"),
        sa.Column("model_version_id", sa.BigInteger, comment="none: what answered"),
        sa.Column("prompt_version_id", sa.BigInteger, comment="none: with which prompt"),
        sa.Column("input_tokens", sa.Integer, comment="none: tokens read"),
        sa.Column("output_tokens", sa.Integer, comment="none: tokens written"),
        sa.Column("cost_micros", sa.BigInteger, comment="none: cost in millionths of a US dollar"),
        sa.Column("latency_ms", sa.Integer, comment="none: time to the last token, in milliseconds"),
        sa.Column("finish_reason", sa.Text, comment="none: why the answer ended"),
        sa.Column("redacted_at", sa.DateTime(timezone=True), comment="none: when what was said was taken out"),
        _created_at(),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", "seq", name="agent_messages_pkey"),
        sa.ForeignKeyConstraint(["user_id", "conversation_id"], ["agent_conversations.user_id", "agent_conversations.id"], name="agent_messages_user_id_conversation_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_versions.id"], name="agent_messages_model_version_id_fkey"),
        sa.ForeignKeyConstraint(["prompt_version_id"], ["prompt_versions.id"], name="agent_messages_prompt_version_id_fkey"),
        sa.CheckConstraint("seq > 0", name="agent_messages_seq_check"),
        sa.CheckConstraint("role IN ('system', 'user', 'assistant', 'tool')", name="agent_messages_role_check"),
        sa.CheckConstraint("jsonb_typeof(parts) = 'array'", name="agent_messages_parts_check"),
        sa.CheckConstraint("role <> 'assistant' OR model_version_id IS NOT NULL", name="agent_messages_model_version_id_check"),
        sa.CheckConstraint("redacted_at IS NULL OR parts = '[]'", name="agent_messages_redacted_at_check"),
        sa.CheckConstraint("input_tokens >= 0 AND output_tokens >= 0", name="agent_messages_tokens_check"),
        sa.CheckConstraint("cost_micros >= 0", name="agent_messages_cost_micros_check"),
        sa.CheckConstraint("latency_ms >= 0", name="agent_messages_latency_ms_check"),
        comment="What was said, in order",
    )
    op.create_index("agent_messages_model_version_id_idx", "agent_messages", ["model_version_id"])
    op.create_index("agent_messages_prompt_version_id_idx", "agent_messages", ["prompt_version_id"])
    op.create_table(
        "agent_tool_calls",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: for whom the tool works"),
        sa.Column("conversation_id", sa.BigInteger, nullable=False, comment="none: the conversation"),
        sa.Column("seq", sa.Integer, nullable=False, comment="none: message that asks for it"),
        sa.Column("call_id", sa.Text, nullable=False, comment="none: name the model gave the call"),
        sa.Column("tool_name", sa.Text, nullable=False, comment="none: which tool"),
        sa.Column("arguments", JSONB, nullable=False, comment="content: with what"),
        sa.Column("approval_required", sa.Boolean, server_default=sa.true(), nullable=False, comment="none: whether a person is asked first"),
        sa.Column("idempotency_key", sa.Text, comment="none: the same request twice is one call"),
        sa.Column("status", sa.Text, server_default="pending", nullable=False, comment="none: where the call is in its life"),
        sa.Column("result", JSONB, comment="content: what the tool answered"),
        sa.Column("error_code", sa.Text, comment="none: why it failed"),
        sa.Column("approved_by", sa.BigInteger, comment="identifier: who approved or denied it; no foreign key, the decision outlives them"),
        sa.Column("approved_at", sa.DateTime(timezone=True), comment="behavioural: when it was approved or denied"),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: when it was asked for"),
        sa.Column("started_at", sa.DateTime(timezone=True), comment="none: when the tool began"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when the tool ended"),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", "seq", "call_id", name="agent_tool_calls_pkey"),
        sa.UniqueConstraint("user_id", "idempotency_key", name="agent_tool_calls_user_id_idempotency_key_key"),
        sa.ForeignKeyConstraint(["user_id", "conversation_id", "seq"], ["agent_messages.user_id", "agent_messages.conversation_id", "agent_messages.seq"], name="agent_tool_calls_user_id_conversation_id_seq_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("call_id ~ '^[A-Za-z0-9_-]{1,100}$'", name="agent_tool_calls_call_id_check"),
        sa.CheckConstraint("jsonb_typeof(arguments) = 'object'", name="agent_tool_calls_arguments_check"),
        sa.CheckConstraint("length(idempotency_key) BETWEEN 1 AND 200", name="agent_tool_calls_idempotency_key_check"),
        sa.CheckConstraint("status IN ('pending', 'approved', 'denied', 'running', 'ok', 'error', 'timeout')", name="agent_tool_calls_status_check"),
        sa.CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="agent_tool_calls_approved_at_check"),
        sa.CheckConstraint(
            "approved_by IS NOT NULL OR status = 'pending' OR NOT approval_required AND status NOT IN ('approved', 'denied')",
            name="agent_tool_calls_approved_by_check",
        ),
        sa.CheckConstraint("(status IN ('running', 'ok', 'error', 'timeout')) = (started_at IS NOT NULL)", name="agent_tool_calls_started_at_check"),
        sa.CheckConstraint("(status IN ('ok', 'error', 'timeout')) = (finished_at IS NOT NULL) AND finished_at >= started_at", name="agent_tool_calls_finished_at_check"),
        comment="Tools the agent asked for: what was approved, by whom, and what came of it",
    )
    op.create_index("agent_tool_calls_user_id_idx", "agent_tool_calls", ["user_id"], postgresql_where=sa.text("status = 'pending'"))
    op.create_index("agent_tool_calls_approved_by_idx", "agent_tool_calls", ["approved_by"], postgresql_where=sa.text("approved_by IS NOT NULL"))


# The numbers are checked where they arrive, so that a COPY makes no gap either; the row of the conversation is
# the queue in which writers stand.
_AGENTS = """
CREATE FUNCTION ops.agent_messages_follow() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM FROM public.agent_conversations AS conversation
      WHERE (conversation.user_id, conversation.id) IN (SELECT added.user_id, added.conversation_id FROM added)
      ORDER BY conversation.user_id, conversation.id
        FOR NO KEY UPDATE;
    IF EXISTS (SELECT
                 FROM added
                 JOIN public.agent_conversations AS conversation
                   ON conversation.user_id = added.user_id AND conversation.id = added.conversation_id
                WHERE conversation.status = 'closed') THEN
        RAISE EXCEPTION 'the conversation is closed'
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'set its status to open, or begin another one';
    END IF;
    IF EXISTS (SELECT
                 FROM (SELECT added.user_id, added.conversation_id, min(added.seq) AS first, max(added.seq) AS last, count(*) AS messages
                         FROM added
                        GROUP BY added.user_id, added.conversation_id) AS fresh
                 JOIN public.agent_conversations AS conversation
                   ON conversation.user_id = fresh.user_id AND conversation.id = fresh.conversation_id
                WHERE fresh.first <> conversation.last_seq + 1 OR fresh.last <> conversation.last_seq + fresh.messages) THEN
        RAISE EXCEPTION 'the messages of a conversation are numbered without a gap'
              USING ERRCODE = 'integrity_constraint_violation', HINT = 'call append_message_v1, which numbers them';
    END IF;
    UPDATE public.agent_conversations AS conversation
       SET last_seq = fresh.last, last_message_at = greatest(conversation.last_message_at, fresh.at)
      FROM (SELECT added.user_id, added.conversation_id, max(added.seq) AS last, max(added.created_at) AS at
              FROM added
             GROUP BY added.user_id, added.conversation_id) AS fresh
     WHERE conversation.user_id = fresh.user_id AND conversation.id = fresh.conversation_id;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.agent_messages_follow() IS 'Refuse a message out of its turn; keep the number and the time of the latest one';

CREATE TRIGGER agent_messages_follow AFTER INSERT ON public.agent_messages
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.agent_messages_follow();

CREATE FUNCTION ops.agent_messages_stay() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'what was said does not change'
          USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'take it out: SET parts = ''[]'', redacted_at = now()';
END
$function$;
COMMENT ON FUNCTION ops.agent_messages_stay() IS 'Refuse to rewrite a message; it may be redacted';

CREATE TRIGGER agent_messages_stay BEFORE UPDATE ON public.agent_messages
    FOR EACH ROW WHEN (OLD.parts <> NEW.parts AND NEW.redacted_at IS NULL
                       OR OLD.redacted_at IS NOT NULL AND NEW.redacted_at IS NULL
                       OR OLD.user_id <> NEW.user_id OR OLD.conversation_id <> NEW.conversation_id
                       OR OLD.seq <> NEW.seq OR OLD.role <> NEW.role)
    EXECUTE FUNCTION ops.agent_messages_stay();

CREATE FUNCTION public.append_message_v1(
    person_id bigint, conversation bigint, role text, parts jsonb, model_version_id bigint DEFAULT NULL,
    prompt_version_id bigint DEFAULT NULL, input_tokens integer DEFAULT NULL, output_tokens integer DEFAULT NULL,
    cost_micros bigint DEFAULT NULL, latency_ms integer DEFAULT NULL, finish_reason text DEFAULT NULL
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    next_seq integer;
BEGIN
    SELECT found.last_seq + 1 INTO next_seq
      FROM public.agent_conversations AS found
     WHERE found.user_id = person_id AND found.id = conversation
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no conversation %', conversation
              USING ERRCODE = 'no_data_found', HINT = 'name its owner and its number';
    END IF;
    INSERT INTO public.agent_messages (user_id, conversation_id, seq, role, parts, model_version_id, prompt_version_id,
                                       input_tokens, output_tokens, cost_micros, latency_ms, finish_reason, created_at)
    VALUES (person_id, conversation, next_seq, role, parts, model_version_id, prompt_version_id,
            input_tokens, output_tokens, cost_micros, latency_ms, finish_reason, clock_timestamp());
    RETURN next_seq;
END
$function$;
COMMENT ON FUNCTION public.append_message_v1(bigint, bigint, text, jsonb, bigint, bigint, integer, integer, bigint, integer, text) IS
    'Add a message at the end of a conversation and return its number; writers wait in line, and leave no gap';

-- What a person approved is what runs: the request does not change afterwards, and the agent decides nothing itself.
CREATE FUNCTION ops.agent_tool_calls_life() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    signed_in CONSTANT bigint := NULLIF(current_setting('app.user_id', true), '')::bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' OR NEW.approved_by IS NOT NULL THEN
            RAISE EXCEPTION 'a tool call begins as pending'
                  USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'call request_tool_call_v1, then decide_tool_call_v1';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.user_id, NEW.conversation_id, NEW.seq, NEW.call_id, NEW.tool_name, NEW.arguments, NEW.approval_required, NEW.idempotency_key)
       IS DISTINCT FROM (OLD.user_id, OLD.conversation_id, OLD.seq, OLD.call_id, OLD.tool_name, OLD.arguments, OLD.approval_required, OLD.idempotency_key) THEN
        RAISE EXCEPTION 'what tool call "%" asks for does not change', OLD.call_id
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'deny it and request another one';
    END IF;
    IF NEW.status = OLD.status THEN
        -- Who decided may be forgotten, by who erases people and nobody else.
        IF (NEW.approved_by, NEW.approved_at) IS DISTINCT FROM (OLD.approved_by, OLD.approved_at)
           AND NOT (current_user = 'agent_eraser' AND NEW.approved_by = 0 AND NEW.approved_at IS NOT DISTINCT FROM OLD.approved_at) THEN
            RAISE EXCEPTION 'the decision on tool call "%" does not change', OLD.call_id
                  USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'decide once, while it is pending: decide_tool_call_v1';
        END IF;
        RETURN NEW;
    END IF;
    IF (OLD.status, NEW.status) NOT IN (('pending', 'approved'), ('pending', 'denied'), ('approved', 'running'),
                                        ('running', 'ok'), ('running', 'error'), ('running', 'timeout'))
       AND NOT (OLD.status = 'pending' AND NEW.status = 'running' AND NOT OLD.approval_required) THEN
        RAISE EXCEPTION 'tool call "%" is %, and does not become %', OLD.call_id, OLD.status, NEW.status
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'pending is approved or denied, approved runs, running ends as ok, error or timeout';
    END IF;
    IF NEW.status IN ('approved', 'denied') THEN
        IF current_setting('app.actor_type', true) = 'agent' THEN
            RAISE EXCEPTION 'an agent does not decide on its own tool calls'
                  USING ERRCODE = 'insufficient_privilege', HINT = 'let a person decide: app.actor_type is "agent" here';
        END IF;
        NEW.approved_by := coalesce(NEW.approved_by, signed_in);
        IF NEW.approved_by <> signed_in THEN
            RAISE EXCEPTION 'tool call "%" is decided in the name of somebody else', OLD.call_id
                  USING ERRCODE = 'insufficient_privilege', HINT = 'leave approved_by to be filled in';
        END IF;
        NEW.approved_at := clock_timestamp();
    ELSE
        NEW.approved_by := OLD.approved_by;
        NEW.approved_at := OLD.approved_at;
    END IF;
    NEW.started_at := CASE WHEN NEW.status = 'running' THEN clock_timestamp() ELSE OLD.started_at END;
    NEW.finished_at := CASE WHEN NEW.status IN ('ok', 'error', 'timeout') THEN clock_timestamp() END;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION ops.agent_tool_calls_life() IS 'Let a tool call run only once it was approved, or where nobody has to be asked';

CREATE TRIGGER agent_tool_calls_life BEFORE INSERT OR UPDATE ON public.agent_tool_calls
    FOR EACH ROW EXECUTE FUNCTION ops.agent_tool_calls_life();

CREATE FUNCTION public.request_tool_call_v1(
    person_id bigint, conversation bigint, message_seq integer, new_call_id text, new_tool text, new_arguments jsonb,
    new_key text, needs_approval boolean DEFAULT true
) RETURNS public.agent_tool_calls
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    call public.agent_tool_calls;
BEGIN
    LOOP
        INSERT INTO public.agent_tool_calls AS made (user_id, conversation_id, seq, call_id, tool_name, arguments, approval_required, idempotency_key)
        VALUES (person_id, conversation, message_seq, new_call_id, new_tool, new_arguments, needs_approval, new_key)
            ON CONFLICT ON CONSTRAINT agent_tool_calls_user_id_idempotency_key_key DO NOTHING
        RETURNING made.* INTO call;
        EXIT WHEN FOUND;
        SELECT made.* INTO call
          FROM public.agent_tool_calls AS made
         WHERE made.user_id = person_id AND made.idempotency_key = new_key;
        -- Deleted in between: ask again.
        CONTINUE WHEN NOT FOUND;
        IF (call.conversation_id, call.tool_name, call.arguments) IS DISTINCT FROM (conversation, new_tool, new_arguments) THEN
            RAISE EXCEPTION 'the idempotency key of tool call "%" stands for another request', call.call_id
                  USING ERRCODE = 'integrity_constraint_violation', HINT = 'a new request takes a new key; the same request takes the same arguments';
        END IF;
        EXIT;
    END LOOP;
    RETURN call;
END
$function$;
COMMENT ON FUNCTION public.request_tool_call_v1(bigint, bigint, integer, text, text, jsonb, text, boolean) IS
    'Ask for a tool call; the same key with the same arguments gives the call that exists already';

CREATE FUNCTION public.decide_tool_call_v1(person_id bigint, conversation bigint, message_seq integer, wanted_call_id text, approve boolean) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    wanted CONSTANT text := CASE WHEN approve THEN 'approved' ELSE 'denied' END;
    found_status text;
BEGIN
    SELECT call.status INTO found_status
      FROM public.agent_tool_calls AS call
     WHERE call.user_id = person_id AND call.conversation_id = conversation AND call.seq = message_seq AND call.call_id = wanted_call_id
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no tool call "%"', wanted_call_id
              USING ERRCODE = 'no_data_found', HINT = 'name its owner, its conversation, its message and its name';
    END IF;
    IF NULLIF(current_setting('app.user_id', true), '') IS NULL THEN
        RAISE EXCEPTION 'nobody is signed in to decide on tool call "%"', wanted_call_id
              USING ERRCODE = 'insufficient_privilege', HINT = 'set app.user_id to the person who decides';
    END IF;
    IF found_status <> wanted THEN
        UPDATE public.agent_tool_calls AS call
           SET status = wanted
         WHERE call.user_id = person_id AND call.conversation_id = conversation AND call.seq = message_seq AND call.call_id = wanted_call_id;
    END IF;
    RETURN wanted;
END
$function$;
COMMENT ON FUNCTION public.decide_tool_call_v1(bigint, bigint, integer, text, boolean) IS
    'Approve or deny a pending tool call in the name of whoever is signed in; the same decision twice is one';
"""

# Embeddings --------------------------------------------------------------------------------------------


def _create_embeddings() -> None:
    # real[] holds a vector without pgvector, to its last bit; the index of a partition holds half of each number.
    # No foreign key to model_versions: the partition stands for it, and a version that has one is not deleted.
    op.create_table(
        "track_embeddings",
        sa.Column("track_id", sa.BigInteger, autoincrement=False, nullable=False, comment="none: the recording"),
        sa.Column("model_version_id", sa.BigInteger, autoincrement=False, nullable=False, comment="none: what computed the vector; each version has a partition of its own"),
        sa.Column("embedding", ARRAY(sa.REAL), nullable=False, comment="none: the vector; neighbours by cosine distance sound alike"),
        sa.Column("content_hash", BYTEA, nullable=False, comment="none: hash of what was embedded; another one means it is out of date"),
        sa.Column("source", sa.Text, nullable=False, comment="none: where what was embedded came from, and so what may be done with it"),
        _created_at(),
        sa.PrimaryKeyConstraint("track_id", "model_version_id", name="track_embeddings_pkey"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="track_embeddings_track_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="track_embeddings_source_fkey"),
        sa.CheckConstraint("octet_length(content_hash) = 32", name="track_embeddings_content_hash_check"),
        # Half precision reaches from 6e-5 to 65504, and a vector of zeros has no direction: refused with and without pgvector.
        sa.CheckConstraint(
            "array_ndims(embedding) = 1 AND array_position(embedding, NULL) IS NULL"
            " AND 65504 >= ALL (embedding) AND -65504 <= ALL (embedding)"
            " AND (0.0001 <= ANY (embedding) OR -0.0001 >= ANY (embedding))",
            name="track_embeddings_embedding_check",
        ),
        comment="What a track sounds like to a model; to retire a model is to drop one partition",
        postgresql_partition_by="LIST (model_version_id)",
    )
    op.create_index("track_embeddings_source_idx", "track_embeddings", ["source"])
    # Numbers like these do not compress: out of line they go as they are.
    execute("ALTER TABLE public.track_embeddings ALTER COLUMN embedding SET STORAGE EXTERNAL")


# Partitions belong to the owner role whoever asks for them, hence SECURITY DEFINER; only the owner role and its
# members may ask. The schema of the extension is looked up: it may be any.
_EMBEDDINGS = """
CREATE FUNCTION public.index_embedding_partition_v1(version_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT text := format('track_embeddings_v%s', version_id);
    found_dimensions CONSTANT integer := (SELECT version.dimensions FROM public.model_versions AS version WHERE version.id = version_id);
    vector_schema text;
BEGIN
    IF to_regclass('public.' || called) IS NULL THEN
        RAISE EXCEPTION 'model version % has no partition for embeddings', version_id
              USING ERRCODE = 'undefined_table', HINT = format('first SELECT public.add_embedding_partition_v1(%s);', version_id);
    END IF;
    IF EXISTS (SELECT
                 FROM pg_index AS index
                 JOIN pg_class AS class ON class.oid = index.indexrelid
                 JOIN pg_am AS method ON method.oid = class.relam
                WHERE index.indrelid = to_regclass('public.' || called) AND method.amname = 'hnsw') THEN
        RETURN true;
    END IF;
    -- halfvec came with 0.7; beyond 4000 dimensions it is not indexed.
    SELECT type.typnamespace::regnamespace::text INTO vector_schema
      FROM pg_extension AS extension
      JOIN pg_type AS type ON type.typnamespace = extension.extnamespace AND type.typname = 'halfvec'
     WHERE extension.extname = 'vector'
       AND has_schema_privilege(extension.extnamespace, 'USAGE');
    IF vector_schema IS NULL OR found_dimensions > 4000 THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE INDEX %I ON public.%I USING hnsw ((embedding::%s.halfvec(%s)) %s.halfvec_cosine_ops)',
                   called || '_embedding_idx', called, vector_schema, found_dimensions, vector_schema);
    EXECUTE format('COMMENT ON INDEX public.%I IS %L', called || '_embedding_idx', 'the tracks nearest to a vector, by cosine distance');
    RETURN true;
END
$function$;
COMMENT ON FUNCTION public.index_embedding_partition_v1(bigint) IS
    'Index a partition of embeddings where pgvector is there; returns whether it is indexed. Writing to that partition waits until it is done';

CREATE FUNCTION public.add_embedding_partition_v1(version_id bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT text := format('track_embeddings_v%s', version_id);
    found_version public.model_versions;
    found_task text;
BEGIN
    SELECT version.* INTO found_version
      FROM public.model_versions AS version
     WHERE version.id = version_id
       FOR NO KEY UPDATE;
    SELECT model.task INTO found_task FROM public.ai_models AS model WHERE model.id = found_version.model_id;
    IF found_task IS DISTINCT FROM 'embedding' OR found_version.dimensions IS NULL OR found_version.status NOT IN ('pending', 'ready') THEN
        RAISE EXCEPTION 'model version % computes no embeddings', version_id
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'it takes a model whose task is "embedding", and a version that has dimensions and is pending or ready';
    END IF;
    IF to_regclass('public.' || called) IS NOT NULL THEN
        RETURN called;
    END IF;
    -- Made apart and then attached: SHARE UPDATE EXCLUSIVE on the parent, under which it is read and written.
    EXECUTE format('CREATE TABLE public.%I (LIKE public.track_embeddings INCLUDING ALL, CONSTRAINT %I CHECK (cardinality(embedding) = %s))',
                   called, called || '_dimensions_check', found_version.dimensions);
    EXECUTE format('COMMENT ON TABLE public.%I IS %L', called, format('Embeddings of model version %s', version_id));
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON public.%I REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.track_embeddings_ml_use()',
                   called || '_ml_use_insert', called);
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON public.%I REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.track_embeddings_ml_use()',
                   called || '_ml_use_update', called);
    EXECUTE format('ALTER TABLE public.track_embeddings ATTACH PARTITION public.%I FOR VALUES IN (%s)', called, version_id);
    PERFORM public.index_embedding_partition_v1(version_id);
    RETURN called;
END
$function$;
COMMENT ON FUNCTION public.add_embedding_partition_v1(bigint) IS
    'Make the partition that the embeddings of a model version go to, indexed where pgvector is there; returns its name';

CREATE FUNCTION public.drop_embedding_partition_v1(version_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT text := format('track_embeddings_v%s', version_id);
BEGIN
    PERFORM FROM public.model_versions AS version WHERE version.id = version_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM public.model_aliases AS given WHERE given.version_id = drop_embedding_partition_v1.version_id) THEN
        RAISE EXCEPTION 'model version % still has an alias', version_id
              USING ERRCODE = 'object_in_use', HINT = 'give the alias to another version first: set_model_alias_v1';
    END IF;
    IF to_regclass('public.' || called) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE public.%I', called);
    RETURN true;
END
$function$;
COMMENT ON FUNCTION public.drop_embedding_partition_v1(bigint) IS
    'Drop the embeddings of a model version at once; returns whether there were any. Reading the others waits for that moment: set lock_timeout';

CREATE FUNCTION public.upsert_track_embedding_v1(
    wanted_track_id bigint, version_id bigint, new_embedding real[], new_content_hash bytea, new_source text
) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_dimensions CONSTANT integer := (SELECT version.dimensions FROM public.model_versions AS version WHERE version.id = version_id);
BEGIN
    IF to_regclass(format('public.track_embeddings_v%s', version_id)) IS NULL THEN
        RAISE EXCEPTION 'model version % has no partition for embeddings', version_id
              USING ERRCODE = 'undefined_table', HINT = format('first SELECT public.add_embedding_partition_v1(%s);', version_id);
    END IF;
    IF cardinality(new_embedding) <> found_dimensions THEN
        RAISE EXCEPTION 'the vector has % dimensions, and model version % has %', cardinality(new_embedding), version_id, found_dimensions
              USING ERRCODE = 'check_violation', HINT = 'embed with the model version that is named';
    END IF;
    INSERT INTO public.track_embeddings AS stored (track_id, model_version_id, embedding, content_hash, source)
    VALUES (wanted_track_id, version_id, new_embedding, new_content_hash, new_source)
        ON CONFLICT ON CONSTRAINT track_embeddings_pkey DO UPDATE
       SET embedding = excluded.embedding, content_hash = excluded.content_hash, source = excluded.source, created_at = now()
     WHERE (stored.embedding, stored.content_hash, stored.source) IS DISTINCT FROM (excluded.embedding, excluded.content_hash, excluded.source);
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION public.upsert_track_embedding_v1(bigint, bigint, real[], bytea, text) IS
    'Store the embedding of a track, in place of an older one; returns whether anything changed';

-- Candidates by the index in half precision, four for each one wanted, then measured in full: what comes back
-- has the distances of an exact search.
CREATE FUNCTION public.similar_to_v1(wanted real[], version_id bigint, wanted_count integer DEFAULT 10)
RETURNS TABLE (track_id bigint, distance double precision)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    stored CONSTANT regclass := to_regclass(format('public.track_embeddings_v%s', version_id));
    found_dimensions CONSTANT integer := (SELECT version.dimensions FROM public.model_versions AS version WHERE version.id = version_id);
    candidates CONSTANT integer := least(1000, greatest(40, 4 * wanted_count));
    vector_schema text;
    nearest text := '';
    ef_search text;
BEGIN
    IF stored IS NULL THEN
        RAISE EXCEPTION 'model version % has no embeddings', version_id
              USING ERRCODE = 'undefined_table', HINT = format('first SELECT public.add_embedding_partition_v1(%s);', version_id);
    END IF;
    IF cardinality(wanted) IS DISTINCT FROM found_dimensions THEN
        RAISE EXCEPTION 'the vector has % dimensions, and model version % has %', cardinality(wanted), version_id, found_dimensions
              USING ERRCODE = 'invalid_parameter_value', HINT = 'embed with the model version that is named';
    END IF;
    IF wanted_count IS NULL OR wanted_count NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION '% neighbours were asked for', coalesce(wanted_count::text, 'no')
              USING ERRCODE = 'invalid_parameter_value', HINT = 'ask for 1 to 1000';
    END IF;
    SELECT extension.extnamespace::regnamespace::text INTO vector_schema
      FROM pg_index AS index
      JOIN pg_class AS class ON class.oid = index.indexrelid
      JOIN pg_am AS method ON method.oid = class.relam
      JOIN pg_extension AS extension ON extension.extname = 'vector'
     WHERE index.indrelid = stored
       AND index.indisvalid
       AND method.amname = 'hnsw'
       AND has_schema_privilege(extension.extnamespace, 'USAGE');
    IF FOUND THEN
        -- The index gives no more rows than ef_search; the setting is put back below, and by a rollback.
        ef_search := coalesce(current_setting('hnsw.ef_search', true), '40');
        PERFORM set_config('hnsw.ef_search', greatest(ef_search::integer, candidates)::text, true);
        nearest := format('ORDER BY stored.embedding::%1$s.halfvec(%2$s) OPERATOR(%1$s.<=>) $1::%1$s.halfvec(%2$s) LIMIT %3$s',
                          vector_schema, found_dimensions, candidates);
    END IF;
    RETURN QUERY EXECUTE format($query$
        SELECT candidate.track_id, measured.distance
          FROM (SELECT stored.track_id, stored.embedding
                  FROM public.track_embeddings AS stored
                 WHERE stored.model_version_id = %s
                 %s) AS candidate
         CROSS JOIN LATERAL (
               SELECT 1 - sum(pair.x::double precision * pair.y)
                          / sqrt(sum(pair.x::double precision * pair.x) * sum(pair.y::double precision * pair.y)) AS distance
                 FROM unnest(candidate.embedding, $1) AS pair (x, y)) AS measured
         ORDER BY measured.distance, candidate.track_id
         LIMIT $2
        $query$, version_id, nearest)
    USING wanted, wanted_count;
    IF ef_search IS NOT NULL THEN
        PERFORM set_config('hnsw.ef_search', ef_search, true);
    END IF;
END
$function$;
COMMENT ON FUNCTION public.similar_to_v1(real[], bigint, integer) IS
    'The tracks nearest to a vector with their cosine distances, nearest first; by the index where there is one';

CREATE FUNCTION public.similar_tracks_v1(wanted_track_id bigint, version_id bigint, wanted_count integer DEFAULT 10)
RETURNS TABLE (track_id bigint, distance double precision)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    wanted real[];
BEGIN
    SELECT stored.embedding INTO wanted
      FROM public.track_embeddings AS stored
     WHERE stored.track_id = wanted_track_id AND stored.model_version_id = version_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'track % has no embedding of model version %', wanted_track_id, version_id
              USING ERRCODE = 'no_data_found', HINT = 'embed it first: upsert_track_embedding_v1';
    END IF;
    RETURN QUERY
    SELECT found.track_id, found.distance
      FROM public.similar_to_v1(wanted, version_id, least(wanted_count + 1, 1000)) AS found
     WHERE found.track_id <> wanted_track_id
     ORDER BY found.distance, found.track_id
     LIMIT wanted_count;
END
$function$;
COMMENT ON FUNCTION public.similar_tracks_v1(bigint, bigint, integer) IS
    'The tracks nearest to a track with their cosine distances, nearest first, itself left out';
"""

# Features ----------------------------------------------------------------------------------------------


def _create_features() -> None:
    op.create_table(
        "feature_definitions",
        sa.Column("name", sa.Text, nullable=False, comment="none: what is measured"),
        sa.Column("version", sa.Integer, nullable=False, comment="none: number of the definition, from 1; another way to compute it is another version"),
        sa.Column("feature", sa.Text, sa.Computed("name || '@' || version::text", persisted=True), nullable=False, comment="none: name@version, by which its values are asked for"),
        sa.Column("entity", sa.Text, nullable=False, comment="none: of what it is a property"),
        sa.Column("dtype", sa.Text, nullable=False, comment="none: JSON type of its values; null is a value that is known to be missing"),
        sa.Column("description", sa.Text, nullable=False, comment="none: how it is computed"),
        sa.Column("source", sa.Text, nullable=False, comment="none: where it is computed from, and so what may be done with it"),
        _created_at(),
        sa.PrimaryKeyConstraint("feature", name="feature_definitions_pkey"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="feature_definitions_source_fkey"),
        sa.CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,62}$'", name="feature_definitions_name_check"),
        sa.CheckConstraint("version > 0", name="feature_definitions_version_check"),
        sa.CheckConstraint("entity IN ('track', 'user')", name="feature_definitions_entity_check"),
        sa.CheckConstraint("dtype IN ('number', 'string', 'boolean', 'array', 'object')", name="feature_definitions_dtype_check"),
        comment="Features that models learn from, and where they come from",
    )
    op.create_index("feature_definitions_source_idx", "feature_definitions", ["source"])
    op.create_table(
        "track_features",
        sa.Column("track_id", sa.BigInteger, nullable=False, comment="none: the recording"),
        sa.Column("feature", sa.Text, nullable=False, comment="none: name@version of the feature"),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=False, comment="none: since when the value was so"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="none: since when the value was known here"),
        sa.Column("value", JSONB, nullable=False, comment="none: the value"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="track_features_track_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["feature"], ["feature_definitions.feature"], name="track_features_feature_fkey"),
        sa.CheckConstraint("octet_length(value::text) <= 1000", name="track_features_value_check"),
        comment="Values of the features of tracks; a correction is a later row",
    )
    op.create_index("track_features_feature_idx", "track_features", ["feature"])
    op.create_table(
        "user_features",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose it is"),
        sa.Column("feature", sa.Text, nullable=False, comment="none: name@version of the feature"),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=False, comment="behavioural: since when the value was so"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="none: since when the value was known here"),
        sa.Column("value", JSONB, nullable=False, comment="derived: the value"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="user_features_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["feature"], ["feature_definitions.feature"], name="user_features_feature_fkey"),
        sa.CheckConstraint("octet_length(value::text) <= 1000", name="user_features_value_check"),
        comment="Values of the features of people; a correction is a later row",
    )
    op.create_index("user_features_feature_idx", "user_features", ["feature"])
    op.create_index("user_features_event_at_idx", "user_features", ["event_at"], postgresql_using="brin")


# Two times: when a value was so, and when it was known. Asked for an instant, neither may lie behind it, or a
# model learns from what nobody knew yet. The key carries the value, so that the index alone answers.
_FEATURES = """
ALTER TABLE public.track_features ADD CONSTRAINT track_features_pkey PRIMARY KEY (track_id, feature, event_at, created_at) INCLUDE (value);
ALTER TABLE public.user_features ADD CONSTRAINT user_features_pkey PRIMARY KEY (user_id, feature, event_at, created_at) INCLUDE (value);

CREATE TRIGGER track_features_refuse_change BEFORE UPDATE ON public.track_features
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
CREATE TRIGGER user_features_refuse_change BEFORE UPDATE ON public.user_features
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();

CREATE FUNCTION ops.features_fit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    wrong record;
BEGIN
    SELECT definition.feature, definition.entity, definition.dtype INTO wrong
      FROM added
      JOIN public.feature_definitions AS definition ON definition.feature = added.feature
     WHERE definition.entity <> TG_ARGV[0]
        OR jsonb_typeof(added.value) NOT IN (definition.dtype, 'null')
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'feature "%" is a % of a %', wrong.feature, wrong.dtype, wrong.entity
              USING ERRCODE = 'check_violation', HINT = 'write a JSON value of that type, in the table of that entity';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.features_fit() IS 'Refuse a value that is not what its feature is defined to be';

CREATE TRIGGER track_features_fit AFTER INSERT ON public.track_features
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.features_fit('track');
CREATE TRIGGER user_features_fit AFTER INSERT ON public.user_features
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.features_fit('user');

CREATE FUNCTION public.features_as_of_v1(entity text, entity_id bigint, features text[], at timestamptz)
RETURNS TABLE (feature text, value jsonb, event_at timestamptz, created_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    unknown text;
BEGIN
    SELECT asked.feature INTO unknown
      FROM unnest(features) AS asked (feature)
     WHERE NOT EXISTS (SELECT FROM public.feature_definitions AS definition
                        WHERE definition.feature = asked.feature AND definition.entity = features_as_of_v1.entity)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no feature "%" of a %', unknown, entity
              USING ERRCODE = 'undefined_object', HINT = 'name features as name@version, as in feature_definitions';
    END IF;
    IF entity = 'user' THEN
        RETURN QUERY
        SELECT asked.feature, latest.value, latest.event_at, latest.created_at
          FROM unnest(features) WITH ORDINALITY AS asked (feature, place)
          LEFT JOIN LATERAL (
               SELECT stored.value, stored.event_at, stored.created_at
                 FROM public.user_features AS stored
                WHERE stored.user_id = entity_id AND stored.feature = asked.feature AND stored.event_at <= at AND stored.created_at <= at
                ORDER BY stored.event_at DESC, stored.created_at DESC
                LIMIT 1) AS latest ON true
         ORDER BY asked.place;
    ELSE
        RETURN QUERY
        SELECT asked.feature, latest.value, latest.event_at, latest.created_at
          FROM unnest(features) WITH ORDINALITY AS asked (feature, place)
          LEFT JOIN LATERAL (
               SELECT stored.value, stored.event_at, stored.created_at
                 FROM public.track_features AS stored
                WHERE stored.track_id = entity_id AND stored.feature = asked.feature AND stored.event_at <= at AND stored.created_at <= at
                ORDER BY stored.event_at DESC, stored.created_at DESC
                LIMIT 1) AS latest ON true
         ORDER BY asked.place;
    END IF;
END
$function$;
COMMENT ON FUNCTION public.features_as_of_v1(text, bigint, text[], timestamptz) IS
    'The values of features as they were known at an instant, in the order asked for; NULL where nothing was known';

CREATE FUNCTION public.training_set_v1(entity text, entity_ids bigint[], instants timestamptz[], features text[])
RETURNS TABLE (entity_id bigint, at timestamptz, feature text, value jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    unknown text;
BEGIN
    IF cardinality(entity_ids) IS DISTINCT FROM cardinality(instants) THEN
        RAISE EXCEPTION 'there are % entities and % instants', cardinality(entity_ids), cardinality(instants)
              USING ERRCODE = 'invalid_parameter_value', HINT = 'give each entity its instant';
    END IF;
    SELECT asked.feature INTO unknown
      FROM unnest(features) AS asked (feature)
     WHERE NOT EXISTS (SELECT FROM public.feature_definitions AS definition
                        WHERE definition.feature = asked.feature AND definition.entity = training_set_v1.entity)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no feature "%" of a %', unknown, entity
              USING ERRCODE = 'undefined_object', HINT = 'name features as name@version, as in feature_definitions';
    END IF;
    IF entity = 'user' THEN
        RETURN QUERY
        SELECT wanted.entity_id, wanted.at, asked.feature, latest.value
          FROM unnest(entity_ids, instants) WITH ORDINALITY AS wanted (entity_id, at, place)
         CROSS JOIN unnest(features) WITH ORDINALITY AS asked (feature, place)
          LEFT JOIN LATERAL (
               SELECT stored.value
                 FROM public.user_features AS stored
                WHERE stored.user_id = wanted.entity_id AND stored.feature = asked.feature
                  AND stored.event_at <= wanted.at AND stored.created_at <= wanted.at
                ORDER BY stored.event_at DESC, stored.created_at DESC
                LIMIT 1) AS latest ON true
         WHERE public.may_process_v1(wanted.entity_id, 'model_training')
         ORDER BY wanted.place, asked.place;
    ELSE
        RETURN QUERY
        SELECT wanted.entity_id, wanted.at, asked.feature, latest.value
          FROM unnest(entity_ids, instants) WITH ORDINALITY AS wanted (entity_id, at, place)
         CROSS JOIN unnest(features) WITH ORDINALITY AS asked (feature, place)
          LEFT JOIN LATERAL (
               SELECT stored.value
                 FROM public.track_features AS stored
                WHERE stored.track_id = wanted.entity_id AND stored.feature = asked.feature
                  AND stored.event_at <= wanted.at AND stored.created_at <= wanted.at
                ORDER BY stored.event_at DESC, stored.created_at DESC
                LIMIT 1) AS latest ON true
         ORDER BY wanted.place, asked.place;
    END IF;
END
$function$;
COMMENT ON FUNCTION public.training_set_v1(text, bigint[], timestamptz[], text[]) IS
    'The values of features, each entity as it was known at its own instant; people without a consent to model_training are left out';
"""

# Recommendations ---------------------------------------------------------------------------------------


def _create_recommendations() -> None:
    op.create_table(
        "recommendation_reasons",
        sa.Column("code", sa.Text, nullable=False, comment="none: reason or parameter, as recommendations name it"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="none: language of the text"),
        sa.Column("explanation", domain("nfc_text"), nullable=False, comment="none: what the user is told"),
        sa.PrimaryKeyConstraint("code", "locale", name="recommendation_reasons_pkey"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="recommendation_reasons_locale_fkey"),
        sa.CheckConstraint("code ~ '^[a-z][a-z0-9_]{0,62}$'", name="recommendation_reasons_code_check"),
        sa.CheckConstraint("length(explanation) BETWEEN 1 AND 500", name="recommendation_reasons_explanation_check"),
        comment="What the reasons of a recommendation mean, in words",
    )
    op.create_index("recommendation_reasons_locale_idx", "recommendation_reasons", ["locale"])
    op.create_table(
        "recommendations",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: to whom"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the recommendation"),
        sa.Column("model_version_id", sa.BigInteger, nullable=False, comment="none: what chose"),
        sa.Column("surface", sa.Text, nullable=False, comment="behavioural: where it was shown: home, radio, agent, …"),
        sa.Column("items", JSONB, nullable=False, comment="derived: the tracks in order, each with its reasons"),
        sa.Column("profiling_used", sa.Boolean, nullable=False, comment="behavioural: whether it rests on what this person did (DSA art. 38, GDPR art. 22)"),
        sa.Column("main_parameters", JSONB, server_default=sa.text("'{}'"), nullable=False, comment="derived: what weighed, and how much (DSA art. 27)"),
        sa.Column("served_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: when it was shown"),
        sa.Column("feedback", sa.SmallInteger, comment="behavioural: -1 disliked, 0 dismissed, 1 liked"),
        sa.PrimaryKeyConstraint("user_id", "id", name="recommendations_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="recommendations_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_versions.id"], name="recommendations_model_version_id_fkey"),
        sa.CheckConstraint("surface ~ '^[a-z][a-z0-9_.]{0,62}$'", name="recommendations_surface_check"),
        sa.CheckConstraint(
            "CASE WHEN jsonb_typeof(items) = 'array'"
            " THEN jsonb_array_length(items) >= 1 AND jsonb_array_length(items) <= 500"
            # Flat, and one filter after another: what is nested is written otherwise once it was dumped and restored.
            " AND jsonb_array_length(items) = jsonb_array_length(jsonb_path_query_array(items,"
            " 'strict $[*] ? (@.type() == \"object\") ? (@.track.type() == \"number\") ? (@.reasons.type() == \"array\")"
            " ? (@.reasons.size() > 0) ? (!exists(@.reasons[*] ? (@.type() != \"string\")))'))"
            " ELSE false END",
            name="recommendations_items_check",
        ),
        sa.CheckConstraint(
            "jsonb_typeof(main_parameters) = 'object' AND NOT jsonb_path_exists(main_parameters, '$.* ? (@.type() != \"number\")')",
            name="recommendations_main_parameters_check",
        ),
        sa.CheckConstraint("NOT profiling_used OR main_parameters <> '{}'", name="recommendations_profiling_used_check"),
        sa.CheckConstraint("feedback IN (-1, 0, 1)", name="recommendations_feedback_check"),
        comment="What was recommended to whom, and why",
    )
    op.create_index("recommendations_model_version_id_idx", "recommendations", ["model_version_id"])
    op.create_index("recommendations_user_id_served_at_idx", "recommendations", ["user_id", sa.text("served_at DESC")])
    op.create_index("recommendations_served_at_idx", "recommendations", ["served_at"], postgresql_using="brin")


_RECOMMENDATIONS = """
CREATE FUNCTION ops.recommendations_may_be_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    unexplained text;
BEGIN
    IF EXISTS (SELECT
                 FROM added
                WHERE added.profiling_used
                  AND NOT EXISTS (SELECT
                                    FROM public.consent AS answer
                                   WHERE answer.user_id = added.user_id
                                     AND answer.purpose = 'personalisation'
                                     AND answer.granted
                                     AND coalesce(answer.expires_at > clock_timestamp(), true))) THEN
        RAISE EXCEPTION 'profiling needs a consent to "personalisation" that holds'
              USING ERRCODE = 'insufficient_privilege',
                    HINT = 'recommend without profiling, or ask first: record_consent_v1';
    END IF;
    SELECT named.code INTO unexplained
      FROM (SELECT reason.code
              FROM added, jsonb_array_elements(added.items) AS item, jsonb_array_elements_text(item -> 'reasons') AS reason (code)
             UNION
            SELECT parameter.code
              FROM added, jsonb_object_keys(added.main_parameters) AS parameter (code)) AS named
     WHERE NOT EXISTS (SELECT FROM public.recommendation_reasons AS known WHERE known.code = named.code AND known.locale = 'en')
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'reason "%" cannot be explained', unexplained
              USING ERRCODE = 'foreign_key_violation', HINT = 'insert its text into recommendation_reasons, in "en" at least';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.recommendations_may_be_made() IS 'Refuse profiling without consent, and what nobody could explain';

CREATE TRIGGER recommendations_may_be_made AFTER INSERT ON public.recommendations
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.recommendations_may_be_made();

CREATE FUNCTION ops.recommendations_stay() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'what was recommended, and why, does not change'
          USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'only feedback is added to it';
END
$function$;
COMMENT ON FUNCTION ops.recommendations_stay() IS 'Refuse to change anything of a recommendation but its feedback';

CREATE TRIGGER recommendations_stay BEFORE UPDATE ON public.recommendations
    FOR EACH ROW WHEN (OLD.user_id <> NEW.user_id
                       OR OLD.id <> NEW.id
                       OR OLD.model_version_id <> NEW.model_version_id
                       OR OLD.surface <> NEW.surface
                       OR OLD.items <> NEW.items
                       OR OLD.profiling_used <> NEW.profiling_used
                       OR OLD.main_parameters <> NEW.main_parameters
                       OR OLD.served_at <> NEW.served_at)
    EXECUTE FUNCTION ops.recommendations_stay();

CREATE FUNCTION public.explain_recommendation_v1(person_id bigint, recommendation bigint, wanted_locale text DEFAULT 'en') RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    made public.recommendations;
    explained jsonb;
BEGIN
    SELECT found.* INTO made
      FROM public.recommendations AS found
     WHERE found.user_id = person_id AND found.id = recommendation;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no recommendation %', recommendation
              USING ERRCODE = 'no_data_found', HINT = 'name the person and its number';
    END IF;
    WITH RECURSIVE chain (tag, place) AS (
        SELECT wanted_locale, 0
        UNION ALL
        SELECT coalesce(locale.parent_tag, nullif(regexp_replace(chain.tag, '-[^-]*$', ''), chain.tag)), chain.place + 1
          FROM chain
          LEFT JOIN public.locales AS locale ON locale.tag = chain.tag
         WHERE chain.tag IS NOT NULL AND chain.place < 8
    ), texts AS (
        SELECT DISTINCT ON (reason.code) reason.code, reason.explanation
          FROM public.recommendation_reasons AS reason
          LEFT JOIN chain ON chain.tag = reason.locale
         WHERE chain.tag IS NOT NULL OR reason.locale = 'en'
         ORDER BY reason.code, coalesce(chain.place, 9)
    )
    SELECT jsonb_build_object(
               'surface', made.surface,
               'served_at', made.served_at,
               'model', (SELECT model.name || ' ' || version.version
                           FROM public.model_versions AS version
                           JOIN public.ai_models AS model ON model.id = version.model_id
                          WHERE version.id = made.model_version_id),
               'profiling_used', made.profiling_used,
               'basis', (SELECT texts.explanation FROM texts
                          WHERE texts.code = CASE WHEN made.profiling_used THEN 'profiling_used' ELSE 'profiling_not_used' END),
               'parameters', (SELECT coalesce(jsonb_agg(jsonb_build_object('code', weighed.code, 'weight', weighed.weight, 'text', texts.explanation)
                                                        ORDER BY weighed.weight::numeric DESC, weighed.code), '[]')
                                FROM jsonb_each(made.main_parameters) AS weighed (code, weight)
                                LEFT JOIN texts ON texts.code = weighed.code),
               'items', (SELECT jsonb_agg(jsonb_build_object(
                                    'track', item.value -> 'track',
                                    'title', (SELECT track.title FROM public.tracks AS track WHERE track.id = (item.value ->> 'track')::numeric),
                                    'reasons', (SELECT jsonb_agg(coalesce(texts.explanation, reason.code) ORDER BY reason.place)
                                                  FROM jsonb_array_elements_text(item.value -> 'reasons') WITH ORDINALITY AS reason (code, place)
                                                  LEFT JOIN texts ON texts.code = reason.code))
                                ORDER BY item.place)
                           FROM jsonb_array_elements(made.items) WITH ORDINALITY AS item (value, place)))
      INTO explained;
    RETURN explained;
END
$function$;
COMMENT ON FUNCTION public.explain_recommendation_v1(bigint, bigint, text) IS
    'What a person is told about a recommendation: what it rests on, what weighed most, why each track; in their language or the nearest it falls back to';
"""

# What the terms allow ----------------------------------------------------------------------------------

# A table for each: a set of rows that arrives is checked at once, also under COPY. A source whose terms change
# later is not refused: ml_violations_v1 says what has to go.
_ML_USE = """
CREATE FUNCTION ops.refuse_ml_use(forbidden text) RETURNS void
LANGUAGE plpgsql AS $function$
BEGIN
    IF forbidden IS NOT NULL THEN
        RAISE EXCEPTION 'the terms of source "%" do not allow machine learning', forbidden
              USING ERRCODE = 'check_violation', HINT = 'leave out what comes from there; the terms are in data_sources.ml_use_allowed';
    END IF;
END
$function$;
COMMENT ON FUNCTION ops.refuse_ml_use(text) IS 'Refuse what comes from a source, if one is named';

CREATE FUNCTION ops.track_embeddings_ml_use() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM ops.refuse_ml_use((
        SELECT source.code
          FROM public.data_sources AS source
         WHERE NOT source.ml_use_allowed
           AND source.code IN (SELECT added.source FROM added
                                UNION
                               SELECT track.source FROM added JOIN public.tracks AS track ON track.id = added.track_id)
         LIMIT 1));
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.track_embeddings_ml_use() IS 'Refuse an embedding whose source, or whose track''s source, forbids it';

CREATE TRIGGER track_embeddings_ml_use_insert AFTER INSERT ON public.track_embeddings
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.track_embeddings_ml_use();
CREATE TRIGGER track_embeddings_ml_use_update AFTER UPDATE ON public.track_embeddings
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.track_embeddings_ml_use();

CREATE FUNCTION ops.model_version_sources_ml_use() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM ops.refuse_ml_use((
        SELECT source.code
          FROM public.data_sources AS source
         WHERE NOT source.ml_use_allowed AND source.code IN (SELECT added.source FROM added)
         LIMIT 1));
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.model_version_sources_ml_use() IS 'Refuse a training set whose source forbids it';

CREATE TRIGGER model_version_sources_ml_use_insert AFTER INSERT ON public.model_version_sources
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.model_version_sources_ml_use();
CREATE TRIGGER model_version_sources_ml_use_update AFTER UPDATE ON public.model_version_sources
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.model_version_sources_ml_use();

CREATE FUNCTION ops.track_features_ml_use() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM ops.refuse_ml_use((
        SELECT source.code
          FROM public.data_sources AS source
         WHERE NOT source.ml_use_allowed
           AND source.code IN (SELECT definition.source FROM added JOIN public.feature_definitions AS definition ON definition.feature = added.feature
                                UNION
                               SELECT track.source FROM added JOIN public.tracks AS track ON track.id = added.track_id)
         LIMIT 1));
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.track_features_ml_use() IS 'Refuse a feature whose source, or whose track''s source, forbids it';

CREATE TRIGGER track_features_ml_use_insert AFTER INSERT ON public.track_features
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.track_features_ml_use();
CREATE TRIGGER track_features_ml_use_update AFTER UPDATE ON public.track_features
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.track_features_ml_use();

CREATE FUNCTION ops.user_features_ml_use() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM ops.refuse_ml_use((
        SELECT source.code
          FROM public.data_sources AS source
         WHERE NOT source.ml_use_allowed
           AND source.code IN (SELECT definition.source FROM added JOIN public.feature_definitions AS definition ON definition.feature = added.feature)
         LIMIT 1));
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.user_features_ml_use() IS 'Refuse a feature whose source forbids it';

CREATE TRIGGER user_features_ml_use_insert AFTER INSERT ON public.user_features
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.user_features_ml_use();
CREATE TRIGGER user_features_ml_use_update AFTER UPDATE ON public.user_features
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.user_features_ml_use();

CREATE FUNCTION public.ml_violations_v1() RETURNS TABLE (table_name text, partition_name text, source text, violations bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    WITH forbidden AS (SELECT source.code FROM public.data_sources AS source WHERE NOT source.ml_use_allowed)
    SELECT 'track_embeddings', class.relname::text, forbidden.code, count(*)
      FROM forbidden
      JOIN public.tracks AS track ON true
      JOIN public.track_embeddings AS stored ON stored.track_id = track.id
      JOIN pg_class AS class ON class.oid = stored.tableoid
     WHERE forbidden.code IN (stored.source, track.source)
     GROUP BY class.relname, forbidden.code
     UNION ALL
    SELECT 'model_version_sources', NULL, forbidden.code, count(*)
      FROM forbidden
      JOIN public.model_version_sources AS trained ON trained.source = forbidden.code
     GROUP BY forbidden.code
     UNION ALL
    SELECT 'track_features', NULL, forbidden.code, count(*)
      FROM forbidden
      JOIN public.tracks AS track ON true
      JOIN public.track_features AS stored ON stored.track_id = track.id
      JOIN public.feature_definitions AS definition ON definition.feature = stored.feature
     WHERE forbidden.code IN (definition.source, track.source)
     GROUP BY forbidden.code
     UNION ALL
    SELECT 'user_features', NULL, forbidden.code, count(*)
      FROM forbidden
      JOIN public.feature_definitions AS definition ON definition.source = forbidden.code
      JOIN public.user_features AS stored ON stored.feature = definition.feature
     GROUP BY forbidden.code
     ORDER BY 1, 2, 3
$function$;
COMMENT ON FUNCTION public.ml_violations_v1() IS
    'How many rows have to go because the terms of their source no longer allow machine learning, by table, partition and source';
"""

# A key and the index of a foreign key explain themselves; the others say what they are for.
_EXPLAIN_INDEXES = """
COMMENT ON INDEX public.agent_conversations_user_id_last_message_at_idx IS 'the conversations of a person, latest first';
COMMENT ON INDEX public.agent_conversations_delete_after_idx IS 'what is to be deleted by now';
COMMENT ON INDEX public.agent_tool_calls_user_id_idx IS 'what waits for a person to decide; few at a time';
COMMENT ON INDEX public.agent_tool_calls_approved_by_idx IS 'what a person decided, for their access and erasure';
COMMENT ON INDEX public.user_features_event_at_idx IS 'what is to be deleted by now; the rows arrive in time order';
COMMENT ON INDEX public.recommendations_user_id_served_at_idx IS 'what was recommended to a person, latest first';
COMMENT ON INDEX public.recommendations_served_at_idx IS 'what is to be deleted by now; the rows arrive in time order';
"""

# Messages, features of people and recommendations are their own record of what was added.
_AUDITED = """
DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('public.ai_models', 'ai_model', entity_id => 'id', entity_key => 'name');
    PERFORM ops.audit_table_v1('public.model_versions', 'model_version', entity_id => 'id', entity_key => 'version');
    PERFORM ops.audit_table_v1('public.model_version_sources', 'model_version_source', entity_id => 'model_version_id', entity_key => 'source');
    PERFORM ops.audit_table_v1('public.model_aliases', 'model_alias', entity_id => 'model_id', entity_key => 'alias');
    PERFORM ops.audit_table_v1('public.prompt_versions', 'prompt_version', entity_id => 'id', entity_key => 'name');
    PERFORM ops.audit_table_v1('public.prompt_labels', 'prompt_label', entity_id => 'prompt_version_id', entity_key => 'label');
    PERFORM ops.audit_table_v1('public.feature_definitions', 'feature_definition', entity_key => 'feature');
    PERFORM ops.audit_table_v1('public.recommendation_reasons', 'recommendation_reason', entity_key => 'code');
    PERFORM ops.audit_table_v1('public.agent_conversations', 'agent_conversation', entity_id => 'id', subject => 'user_id', ignored => '{last_seq,last_message_at}');
    PERFORM ops.audit_table_v1('public.agent_messages', 'agent_message', entity_id => 'conversation_id', subject => 'user_id', operations => '{update,delete,truncate}');
    PERFORM ops.audit_table_v1('public.agent_tool_calls', 'agent_tool_call', entity_id => 'conversation_id', subject => 'user_id', entity_key => 'tool_name');
    PERFORM ops.audit_table_v1('public.user_features', 'user_feature', entity_id => 'user_id', subject => 'user_id', entity_key => 'feature', operations => '{update,delete,truncate}');
    PERFORM ops.audit_table_v1('public.recommendations', 'recommendation', entity_id => 'id', subject => 'user_id', operations => '{update,delete,truncate}');
END
$revision$
"""

_DROP_AUDITED = """
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('public.recommendations');
    PERFORM ops.unaudit_table_v1('public.user_features');
    PERFORM ops.unaudit_table_v1('public.agent_tool_calls');
    PERFORM ops.unaudit_table_v1('public.agent_messages');
    PERFORM ops.unaudit_table_v1('public.agent_conversations');
    PERFORM ops.unaudit_table_v1('public.recommendation_reasons');
    PERFORM ops.unaudit_table_v1('public.feature_definitions');
    PERFORM ops.unaudit_table_v1('public.prompt_labels');
    PERFORM ops.unaudit_table_v1('public.prompt_versions');
    PERFORM ops.unaudit_table_v1('public.model_aliases');
    PERFORM ops.unaudit_table_v1('public.model_version_sources');
    PERFORM ops.unaudit_table_v1('public.model_versions');
    PERFORM ops.unaudit_table_v1('public.ai_models');
END
$revision$
"""

# Who sees what -----------------------------------------------------------------------------------------

_ROW_SECURITY = """
ALTER TABLE public.agent_conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agent_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agent_tool_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.user_features ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.recommendations ENABLE ROW LEVEL SECURITY;

CREATE POLICY agent_conversations_app ON public.agent_conversations TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY agent_messages_app ON public.agent_messages TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY agent_tool_calls_app ON public.agent_tool_calls TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY user_features_app ON public.user_features TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY recommendations_app ON public.recommendations TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);

CREATE POLICY agent_conversations_privacy ON public.agent_conversations FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY agent_messages_privacy ON public.agent_messages FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY agent_tool_calls_privacy ON public.agent_tool_calls FOR SELECT TO agent_privacy
    USING (NULLIF(current_setting('app.subject_id', true), '')::bigint IN (user_id, approved_by));
CREATE POLICY user_features_privacy ON public.user_features FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY recommendations_privacy ON public.recommendations FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
"""

_ANALYSTS = """
CREATE VIEW public.analyst_recommendations AS
SELECT pseudonym.analyst_ref,
       made.model_version_id,
       made.surface,
       made.profiling_used,
       jsonb_array_length(made.items) AS items,
       made.served_at,
       made.feedback
  FROM public.recommendations AS made
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = made.user_id;
COMMENT ON VIEW public.analyst_recommendations IS 'What was recommended and how it was received, without to whom';
COMMENT ON COLUMN public.analyst_recommendations.analyst_ref IS 'identifier: pseudonym, the same in every analyst view; NULL once the person is erased';
COMMENT ON COLUMN public.analyst_recommendations.model_version_id IS 'none: what chose';
COMMENT ON COLUMN public.analyst_recommendations.surface IS 'behavioural: where it was shown';
COMMENT ON COLUMN public.analyst_recommendations.profiling_used IS 'behavioural: whether it rests on what this person did';
COMMENT ON COLUMN public.analyst_recommendations.items IS 'derived: how many tracks';
COMMENT ON COLUMN public.analyst_recommendations.served_at IS 'behavioural: when it was shown';
COMMENT ON COLUMN public.analyst_recommendations.feedback IS 'behavioural: -1 disliked, 0 dismissed, 1 liked';
"""

# Nobody but the owner role registers models and prompts, makes partitions, or changes what a reason means. The
# application dates no feature back: when a value was known is when it came.
_GRANTS = """
GRANT SELECT ON public.ai_models, public.model_versions, public.model_version_sources, public.model_aliases,
                public.prompt_versions, public.prompt_labels, public.feature_definitions, public.recommendation_reasons,
                public.track_embeddings, public.track_features
    TO agent_app, agent_readonly;
GRANT SELECT ON public.ai_models, public.model_versions, public.feature_definitions, public.recommendation_reasons TO agent_privacy;
GRANT SELECT ON public.analyst_recommendations TO agent_readonly;

GRANT INSERT, UPDATE ON public.track_embeddings TO agent_app;
GRANT INSERT (track_id, feature, event_at, value) ON public.track_features TO agent_app;

GRANT SELECT, INSERT (user_id, agent, title, locale, delete_after), UPDATE (title, status, delete_after), DELETE ON public.agent_conversations TO agent_app;
GRANT SELECT, INSERT, UPDATE (parts, redacted_at), DELETE ON public.agent_messages TO agent_app;
GRANT SELECT, INSERT, UPDATE (status, result, error_code) ON public.agent_tool_calls TO agent_app;
GRANT SELECT, INSERT (user_id, feature, event_at, value), DELETE ON public.user_features TO agent_app;
GRANT SELECT, INSERT (user_id, model_version_id, surface, items, profiling_used, main_parameters), UPDATE (feedback), DELETE ON public.recommendations TO agent_app;
GRANT USAGE ON SEQUENCE public.agent_conversations_id_seq, public.recommendations_id_seq TO agent_app;

GRANT SELECT ON public.agent_conversations, public.agent_messages, public.agent_tool_calls, public.user_features, public.recommendations
    TO agent_privacy;

GRANT EXECUTE ON FUNCTION public.model_version_v1(text, text),
                          public.prompt_version_v1(text, text, text),
                          public.similar_to_v1(real[], bigint, integer),
                          public.similar_tracks_v1(bigint, bigint, integer),
                          public.features_as_of_v1(text, bigint, text[], timestamptz)
    TO agent_app, agent_readonly;
GRANT EXECUTE ON FUNCTION public.training_set_v1(text, bigint[], timestamptz[], text[]), public.ml_violations_v1() TO agent_readonly;
GRANT EXECUTE ON FUNCTION public.append_message_v1(bigint, bigint, text, jsonb, bigint, bigint, integer, integer, bigint, integer, text),
                          public.request_tool_call_v1(bigint, bigint, integer, text, text, jsonb, text, boolean),
                          public.decide_tool_call_v1(bigint, bigint, integer, text, boolean),
                          public.upsert_track_embedding_v1(bigint, bigint, real[], bytea, text)
    TO agent_app;
GRANT EXECUTE ON FUNCTION public.explain_recommendation_v1(bigint, bigint, text) TO agent_app, agent_privacy;
"""

_SEED = """
INSERT INTO public.recommendation_reasons (code, locale, explanation)
VALUES ('profiling_used', 'en', 'Chosen for you, from what you listened to; you can end this by withdrawing your consent to personalisation'),
       ('profiling_used', 'fr', 'Choisi pour vous, d''après vos écoutes ; vous pouvez y mettre fin en retirant votre consentement à la personnalisation'),
       ('profiling_not_used', 'en', 'Not based on anything about you'),
       ('profiling_not_used', 'fr', 'Ne repose sur aucune donnée vous concernant'),
       ('listening_history', 'en', 'What you listened to lately'),
       ('listening_history', 'fr', 'Ce que vous avez écouté récemment'),
       ('similar_audio', 'en', 'It sounds like music you play'),
       ('similar_audio', 'fr', 'Ressemble à l''oreille à la musique que vous écoutez'),
       ('similar_listeners', 'en', 'People who listen to the same music play it'),
       ('similar_listeners', 'fr', 'Écouté par des personnes aux goûts proches des vôtres'),
       ('popularity', 'en', 'Many people play it at the moment'),
       ('popularity', 'fr', 'Très écouté en ce moment'),
       ('new_release', 'en', 'It was released recently'),
       ('new_release', 'fr', 'Sorti récemment'),
       ('editorial', 'en', 'Our editors chose it'),
       ('editorial', 'fr', 'Choisi par notre rédaction');

INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('agent_conversations', 'history', 'created_at', INTERVAL '13 months', 'delete', 'GDPR art. 5(1)(e)'),
       ('agent_messages', 'history', 'created_at', INTERVAL '13 months', 'delete', 'GDPR art. 5(1)(e)'),
       ('agent_tool_calls', 'history', 'requested_at', INTERVAL '13 months', 'delete', 'GDPR art. 5(1)(e)'),
       ('user_features', 'history', 'event_at', INTERVAL '13 months', 'delete', 'GDPR art. 5(1)(e)'),
       ('recommendations', 'served', 'served_at', INTERVAL '6 months', 'delete', 'GDPR art. 5(1)(e); explained meanwhile: GDPR art. 22, DSA art. 27')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

_FORGET_RETENTION = """
DELETE FROM public.retention_policies AS policy
 WHERE policy.table_name IN ('agent_conversations', 'agent_messages', 'agent_tool_calls', 'user_features', 'recommendations')
   AND policy.rule IN ('history', 'served');
"""

_DROP_FUNCTIONS = """
DROP VIEW public.analyst_recommendations;
DROP FUNCTION public.ml_violations_v1();
DROP FUNCTION public.explain_recommendation_v1(bigint, bigint, text);
DROP FUNCTION public.training_set_v1(text, bigint[], timestamptz[], text[]);
DROP FUNCTION public.features_as_of_v1(text, bigint, text[], timestamptz);
DROP FUNCTION public.similar_tracks_v1(bigint, bigint, integer);
DROP FUNCTION public.similar_to_v1(real[], bigint, integer);
DROP FUNCTION public.upsert_track_embedding_v1(bigint, bigint, real[], bytea, text);
DROP FUNCTION public.drop_embedding_partition_v1(bigint);
DROP FUNCTION public.add_embedding_partition_v1(bigint);
DROP FUNCTION public.index_embedding_partition_v1(bigint);
DROP FUNCTION public.decide_tool_call_v1(bigint, bigint, integer, text, boolean);
DROP FUNCTION public.request_tool_call_v1(bigint, bigint, integer, text, text, jsonb, text, boolean);
DROP FUNCTION public.append_message_v1(bigint, bigint, text, jsonb, bigint, bigint, integer, integer, bigint, integer, text);
DROP FUNCTION public.prompt_version_v1(text, text, text);
DROP FUNCTION public.set_prompt_label_v1(text, text, text, integer);
DROP FUNCTION public.model_version_v1(text, text);
DROP FUNCTION public.set_model_alias_v1(text, text, integer);
"""

# The triggers went with their tables, partitions included.
_DROP_TRIGGER_FUNCTIONS = """
DROP FUNCTION ops.user_features_ml_use();
DROP FUNCTION ops.track_features_ml_use();
DROP FUNCTION ops.model_version_sources_ml_use();
DROP FUNCTION ops.track_embeddings_ml_use();
DROP FUNCTION ops.refuse_ml_use(text);
DROP FUNCTION ops.recommendations_stay();
DROP FUNCTION ops.recommendations_may_be_made();
DROP FUNCTION ops.features_fit();
DROP FUNCTION ops.agent_tool_calls_life();
DROP FUNCTION ops.agent_messages_stay();
DROP FUNCTION ops.agent_messages_follow();
DROP FUNCTION ops.prompt_versions_stay();
DROP FUNCTION ops.model_aliases_ready();
DROP FUNCTION ops.model_versions_life();
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
