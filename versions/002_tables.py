"""Core tables: people and consent, the catalogue, listening, the audit trail and analytics.

Locks: none on existing tables; every table is new.
Reverse: lossy; drops the tables with their rows.
Data: seed; two locales, the consent purposes and this service as a data source.
Needs: CREATE on schema public, membership of agent_owner.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, ENUM, JSONB, UUID

from spotify_ai_agent_migrations.versions.core.ddl import XID8, as_owner, domain, execute

revision = "002"
down_revision = "001"
branch_labels = None
depends_on = None

# Referenced tables first; the way back takes them from the end.
_TABLES = (
    "countries", "locales", "data_sources", "consent_purposes", "retention_policies",
    "users", "user_identities", "consent", "consent_events",
    "artists", "albums", "tracks", "track_artists", "track_audio_features",
    "playlists", "playlist_items", "listens",
    "audit_log", "analytics",
)  # fmt: skip


def upgrade() -> None:
    with as_owner():
        _create_reference_tables()
        _create_people()
        _create_consent()
        _create_artists()
        _create_albums()
        _create_tracks()
        _create_track_details()
        _create_library()
        _create_listens()
        _create_audit_log()
        _create_analytics()
        execute(_EXPLAIN_INDEXES)
        _seed()


def downgrade() -> None:
    with as_owner():
        for table in reversed(_TABLES):
            op.drop_table(table)
        execute(_DROP_AUDIT_TYPES)


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


def _source() -> sa.schema.SchemaItem:
    return sa.Column(
        "source",
        sa.Text,
        nullable=False,
        comment="none: where the row came from, and so what may be done with it",
    )


def _fetched_at() -> sa.schema.SchemaItem:
    return sa.Column(
        "fetched_at",
        sa.DateTime(timezone=True),
        server_default=sa.func.now(),
        nullable=False,
        comment="none: when the source was last read; its terms may limit how long the row is kept",
    )


def _external_ids() -> sa.schema.SchemaItem:
    return sa.Column(
        "external_ids",
        JSONB,
        server_default=sa.text("'{}'"),
        nullable=False,
        comment="none: identifiers in other catalogues, by their name: spotify, musicbrainz, …",
    )


def _create_reference_tables() -> None:
    op.create_table(
        "countries",
        sa.Column("code", domain("country_code"), nullable=False, comment="none: ISO 3166-1 alpha-2"),
        sa.Column("name", sa.Text, nullable=False, comment="none: English short name"),
        sa.Column("gdpr_applies", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether the GDPR or its EEA or UK twin applies there"),
        sa.Column("digital_consent_age", sa.SmallInteger, comment="none: age in years from which a person consents alone (GDPR art. 8)"),
        sa.PrimaryKeyConstraint("code", name="countries_pkey"),
        sa.CheckConstraint("digital_consent_age BETWEEN 13 AND 18", name="countries_digital_consent_age_check"),
        comment="Countries, and which privacy law applies in them",
    )
    op.create_table(
        "locales",
        sa.Column("tag", domain("locale_tag"), nullable=False, comment="none: BCP 47 tag"),
        sa.Column("parent_tag", domain("locale_tag"), comment="none: where to look when a text is missing in this locale"),
        sa.Column("direction", sa.Text, server_default="ltr", nullable=False, comment="none: writing direction"),
        sa.Column("enabled", sa.Boolean, server_default=sa.true(), nullable=False, comment="none: whether users may choose it"),
        sa.PrimaryKeyConstraint("tag", name="locales_pkey"),
        sa.ForeignKeyConstraint(["parent_tag"], ["locales.tag"], name="locales_parent_tag_fkey"),
        sa.CheckConstraint("direction IN ('ltr', 'rtl')", name="locales_direction_check"),
        sa.CheckConstraint("parent_tag IS DISTINCT FROM tag", name="locales_parent_tag_check"),
        comment="Locales, and the chain in which each falls back",
    )
    op.create_index("locales_parent_tag_idx", "locales", ["parent_tag"])
    op.create_table(
        "data_sources",
        sa.Column("code", sa.Text, nullable=False, comment="none: short name of the source"),
        sa.Column("licence", sa.Text, nullable=False, comment="none: SPDX identifier, or the name of the terms"),
        sa.Column("terms_url", sa.Text, comment="none: where the terms can be read"),
        sa.Column("ml_use_allowed", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether the terms allow training or ingestion into a model"),
        sa.Column("max_retention", sa.Interval, comment="none: how long the terms allow a copy to be kept; NULL is for ever"),
        sa.Column("attribution", sa.Text, comment="none: what must be shown with the data"),
        sa.PrimaryKeyConstraint("code", name="data_sources_pkey"),
        comment="Where catalogue data comes from, and on which terms",
    )
    op.create_table(
        "consent_purposes",
        sa.Column("code", sa.Text, nullable=False, comment="none: short name of the purpose"),
        sa.Column("legal_basis", sa.Text, nullable=False, comment="none: GDPR art. 6(1) basis"),
        sa.Column("description", sa.Text, nullable=False, comment="none: what the processing is for"),
        sa.Column("valid_for", sa.Interval, comment="none: after which a consent has to be asked for again; NULL is never"),
        sa.Column("direct_marketing", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether it is direct marketing, to which an objection is absolute (GDPR art. 21(3))"),
        sa.PrimaryKeyConstraint("code", name="consent_purposes_pkey"),
        sa.CheckConstraint("legal_basis IN ('consent', 'contract', 'legal_obligation', 'vital_interests', 'public_task', 'legitimate_interests')", name="consent_purposes_legal_basis_check"),
        sa.CheckConstraint("valid_for > INTERVAL '0'", name="consent_purposes_valid_for_check"),
        comment="What personal data is processed for, and on which basis",
    )
    op.create_table(
        "retention_policies",
        sa.Column("table_name", sa.Text, nullable=False, comment="none: table the rule is about"),
        sa.Column("rule", sa.Text, nullable=False, comment="none: name of the rule, one of several a table may have"),
        sa.Column("time_column", sa.Text, nullable=False, comment="none: column the age is counted from"),
        sa.Column("keep_for", sa.Interval, nullable=False, comment="none: how long rows are kept"),
        sa.Column("action", sa.Text, nullable=False, comment="none: what happens to older rows"),
        sa.Column("legal_reference", sa.Text, comment="none: the law or contract behind the rule"),
        sa.PrimaryKeyConstraint("table_name", "rule", name="retention_policies_pkey"),
        sa.CheckConstraint("keep_for > INTERVAL '0'", name="retention_policies_keep_for_check"),
        sa.CheckConstraint("action IN ('drop_partition', 'delete', 'anonymise', 'archive')", name="retention_policies_action_check"),
        comment="How long the rows of a table are kept, and what happens then",
    )


def _create_people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="identifier: the subject of all personal tables"),
        sa.Column("public_id", UUID(as_uuid=True), server_default=sa.func.gen_random_uuid(), nullable=False, comment="identifier: shown outside in place of id"),
        sa.Column("email", domain("email_address"), comment="contact: sign-in and notices"),
        sa.Column("email_hmac", BYTEA, comment="identifier: keyed hash of the e-mail, for look-ups without reading it"),
        sa.Column("display_name", domain("nfc_text"), comment="identifier: name the user chose to be shown"),
        sa.Column("locale", domain("locale_tag"), server_default="en", nullable=False, comment="behavioural: language the user reads"),
        sa.Column("country_code", domain("country_code"), comment="location: country of the account"),
        sa.Column("time_zone", sa.Text, server_default="UTC", nullable=False, comment="location: IANA time zone, for dates shown to the user"),
        sa.Column("birth_year", sa.SmallInteger, comment="identifier: for the age of digital consent; the year is enough"),
        sa.Column("status", sa.Text, server_default="active", nullable=False, comment="none: where the account is in its life"),
        _created_at(),
        _updated_at(),
        sa.Column("erased_at", sa.DateTime(timezone=True), comment="none: when the person behind the row was erased"),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.UniqueConstraint("public_id", name="users_public_id_key"),
        sa.UniqueConstraint("email_hmac", name="users_email_hmac_key"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="users_locale_fkey"),
        sa.ForeignKeyConstraint(["country_code"], ["countries.code"], name="users_country_code_fkey"),
        sa.CheckConstraint("length(display_name) BETWEEN 1 AND 100", name="users_display_name_check"),
        sa.CheckConstraint("birth_year BETWEEN 1900 AND 2100", name="users_birth_year_check"),
        sa.CheckConstraint("status IN ('pending', 'active', 'suspended', 'erasing', 'erased')", name="users_status_check"),
        sa.CheckConstraint("(status = 'erased') = (erased_at IS NOT NULL)", name="users_erased_at_check"),
        sa.CheckConstraint(
            "status <> 'erased' OR (email IS NULL AND email_hmac IS NULL AND display_name IS NULL AND country_code IS NULL"
            " AND birth_year IS NULL AND locale = 'en' AND time_zone = 'UTC')",
            name="users_erased_check",
        ),
        sa.CheckConstraint("octet_length(email_hmac) = 32", name="users_email_hmac_check"),
        comment="One row a person; an erased person leaves a row without personal data",
    )
    op.create_index("users_country_code_idx", "users", ["country_code"])
    op.create_index("users_locale_idx", "users", ["locale"])
    op.create_table(
        "user_identities",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose login it is"),
        sa.Column("provider", sa.Text, nullable=False, comment="none: who vouches for the login"),
        sa.Column("provider_user_id", sa.Text, nullable=False, comment="identifier: the user's name there"),
        sa.Column("scopes", ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False, comment="behavioural: what the user allowed"),
        sa.Column("access_token_enc", BYTEA, comment="identifier: access token, encrypted by the application"),
        sa.Column("refresh_token_enc", BYTEA, comment="identifier: refresh token, encrypted by the application"),
        sa.Column("key_id", sa.Text, comment="none: key the tokens are encrypted with"),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), comment="none: when the access token ends"),
        sa.Column("connected_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: when the user connected"),
        sa.Column("disconnected_at", sa.DateTime(timezone=True), comment="behavioural: when the user disconnected"),
        sa.PrimaryKeyConstraint("user_id", "provider", name="user_identities_pkey"),
        sa.UniqueConstraint("provider", "provider_user_id", name="user_identities_provider_provider_user_id_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="user_identities_user_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("provider IN ('spotify', 'google', 'apple', 'lastfm', 'musicbrainz')", name="user_identities_provider_check"),
        sa.CheckConstraint("disconnected_at IS NULL OR (access_token_enc IS NULL AND refresh_token_enc IS NULL)", name="user_identities_tokens_check"),
        comment="Logins at other services; a disconnected one holds no token",
    )


def _create_consent() -> None:
    op.create_table(
        "consent",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: who was asked"),
        sa.Column("purpose", sa.Text, nullable=False, comment="behavioural: what was asked"),
        sa.Column("granted", sa.Boolean, nullable=False, comment="behavioural: the answer that holds now"),
        sa.Column("policy_version", sa.Text, nullable=False, comment="none: version of the text that was shown"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="behavioural: language of the text that was shown"),
        sa.Column("channel", sa.Text, nullable=False, comment="behavioural: where the answer was given"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: when the answer was given"),
        sa.Column("expires_at", sa.DateTime(timezone=True), comment="none: when the answer has to be asked for again"),
        sa.PrimaryKeyConstraint("user_id", "purpose", name="consent_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="consent_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["purpose"], ["consent_purposes.code"], name="consent_purpose_fkey"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="consent_locale_fkey"),
        sa.CheckConstraint("channel IN ('web', 'ios', 'android', 'api', 'support', 'import')", name="consent_channel_check"),
        comment="The answer that holds now, one row a user and purpose; consent_events has the history",
    )
    op.create_index("consent_purpose_idx", "consent", ["purpose"])
    op.create_index("consent_locale_idx", "consent", ["locale"])
    op.create_index("consent_refused_idx", "consent", ["recorded_at"], postgresql_where=sa.text("NOT granted"))
    op.create_table(
        "consent_events",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: who answered; no foreign key, the proof outlives the account"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the event"),
        sa.Column("purpose", sa.Text, nullable=False, comment="behavioural: what was asked"),
        sa.Column("granted", sa.Boolean, nullable=False, comment="behavioural: the answer"),
        sa.Column("policy_version", sa.Text, nullable=False, comment="none: version of the text that was shown"),
        sa.Column("policy_sha256", BYTEA, comment="none: hash of the text that was shown"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="behavioural: language of the text that was shown"),
        sa.Column("channel", sa.Text, nullable=False, comment="behavioural: where the answer was given"),
        sa.Column("evidence", JSONB, server_default=sa.text("'{}'"), nullable=False, comment="content: what proves the answer"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: when the answer was given"),
        sa.PrimaryKeyConstraint("user_id", "id", name="consent_events_pkey"),
        sa.ForeignKeyConstraint(["purpose"], ["consent_purposes.code"], name="consent_events_purpose_fkey"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="consent_events_locale_fkey"),
        sa.CheckConstraint("channel IN ('web', 'ios', 'android', 'api', 'support', 'import')", name="consent_events_channel_check"),
        sa.CheckConstraint("octet_length(policy_sha256) = 32", name="consent_events_policy_sha256_check"),
        comment="Every answer ever given, append-only",
    )
    op.create_index("consent_events_user_id_purpose_recorded_at_idx", "consent_events", ["user_id", "purpose", "recorded_at"])
    op.create_index("consent_events_purpose_idx", "consent_events", ["purpose"])
    op.create_index("consent_events_locale_idx", "consent_events", ["locale"])


def _create_artists() -> None:
    op.create_table(
        "artists",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("gid", UUID(as_uuid=True), server_default=sa.func.gen_random_uuid(), nullable=False, comment="none: key shown outside"),
        sa.Column("name", domain("nfc_text"), nullable=False, comment="none: public name; rectifiable by the artist, outside users' erasure"),
        sa.Column("sort_name", domain("nfc_text"), nullable=False, comment="none: name as it is sorted"),
        sa.Column("original_locale", domain("locale_tag"), comment="none: language of the name"),
        sa.Column("country_code", domain("country_code"), comment="none: country the artist is from"),
        sa.Column("genres", ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False, comment="none: genres, most fitting first"),
        _external_ids(),
        _source(),
        _fetched_at(),
        _created_at(),
        _updated_at(),
        sa.PrimaryKeyConstraint("id", name="artists_pkey"),
        sa.UniqueConstraint("gid", name="artists_gid_key"),
        sa.ForeignKeyConstraint(["original_locale"], ["locales.tag"], name="artists_original_locale_fkey"),
        sa.ForeignKeyConstraint(["country_code"], ["countries.code"], name="artists_country_code_fkey"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="artists_source_fkey"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 500", name="artists_name_check"),
        sa.CheckConstraint("jsonb_typeof(external_ids) = 'object'", name="artists_external_ids_check"),
        comment="Artists, as their sources name them",
    )
    op.create_index("artists_name_idx", "artists", ["name"], postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"})
    op.create_index("artists_genres_idx", "artists", ["genres"], postgresql_using="gin")
    op.create_index("artists_spotify_key", "artists", [sa.text("(external_ids ->> 'spotify')")], unique=True, postgresql_where=sa.text("external_ids ? 'spotify'"))
    op.create_index("artists_original_locale_idx", "artists", ["original_locale"])
    op.create_index("artists_country_code_idx", "artists", ["country_code"])
    op.create_index("artists_source_idx", "artists", ["source"])


def _create_albums() -> None:
    op.create_table(
        "albums",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("gid", UUID(as_uuid=True), server_default=sa.func.gen_random_uuid(), nullable=False, comment="none: key shown outside"),
        sa.Column("title", domain("nfc_text"), nullable=False, comment="none: title as released"),
        sa.Column("album_type", sa.Text, server_default="album", nullable=False, comment="none: kind of release"),
        sa.Column("release_date", sa.Date, comment="none: day of release; 1 January or the 1st where only the year or month is known"),
        sa.Column("release_date_precision", sa.Text, comment="none: how much of release_date is known"),
        sa.Column("upc", domain("upc"), comment="none: product code"),
        sa.Column("label", domain("nfc_text"), comment="none: record label"),
        _external_ids(),
        _source(),
        _fetched_at(),
        _created_at(),
        _updated_at(),
        sa.PrimaryKeyConstraint("id", name="albums_pkey"),
        sa.UniqueConstraint("gid", name="albums_gid_key"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="albums_source_fkey"),
        sa.CheckConstraint("length(title) >= 1", name="albums_title_check"),
        sa.CheckConstraint("album_type IN ('album', 'single', 'compilation', 'ep')", name="albums_album_type_check"),
        sa.CheckConstraint("release_date_precision IN ('year', 'month', 'day')", name="albums_release_date_precision_check"),
        sa.CheckConstraint("(release_date IS NULL) = (release_date_precision IS NULL)", name="albums_release_date_check"),
        sa.CheckConstraint("jsonb_typeof(external_ids) = 'object'", name="albums_external_ids_check"),
        comment="Releases",
    )
    op.create_index("albums_title_idx", "albums", ["title"], postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"})
    op.create_index("albums_source_idx", "albums", ["source"])


def _create_tracks() -> None:
    op.create_table(
        "tracks",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("gid", UUID(as_uuid=True), server_default=sa.func.gen_random_uuid(), nullable=False, comment="none: key shown outside"),
        sa.Column("album_id", sa.BigInteger, comment="none: release the track is on"),
        sa.Column("title", domain("nfc_text"), nullable=False, comment="none: title as released"),
        sa.Column("isrc", domain("isrc"), comment="none: recording code"),
        sa.Column("duration_ms", sa.Integer, comment="none: length in milliseconds"),
        sa.Column("explicit", sa.Boolean, comment="none: whether the lyrics are marked explicit; NULL is unknown"),
        sa.Column("disc_number", sa.SmallInteger, comment="none: disc within the release"),
        sa.Column("track_number", sa.SmallInteger, comment="none: place on the disc"),
        _external_ids(),
        _source(),
        _fetched_at(),
        _created_at(),
        _updated_at(),
        sa.PrimaryKeyConstraint("id", name="tracks_pkey"),
        sa.UniqueConstraint("gid", name="tracks_gid_key"),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name="tracks_album_id_fkey", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="tracks_source_fkey"),
        sa.CheckConstraint("length(title) >= 1", name="tracks_title_check"),
        sa.CheckConstraint("duration_ms > 0", name="tracks_duration_ms_check"),
        sa.CheckConstraint("disc_number > 0", name="tracks_disc_number_check"),
        sa.CheckConstraint("track_number > 0", name="tracks_track_number_check"),
        sa.CheckConstraint("jsonb_typeof(external_ids) = 'object'", name="tracks_external_ids_check"),
        comment="Recordings, one row a track of a release",
    )
    op.create_index("tracks_title_idx", "tracks", ["title"], postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"})
    op.create_index("tracks_isrc_idx", "tracks", ["isrc"])
    op.create_index("tracks_album_id_idx", "tracks", ["album_id"])
    op.create_index("tracks_spotify_key", "tracks", [sa.text("(external_ids ->> 'spotify')")], unique=True, postgresql_where=sa.text("external_ids ? 'spotify'"))
    op.create_index("tracks_source_idx", "tracks", ["source"])


def _create_track_details() -> None:
    op.create_table(
        "track_artists",
        sa.Column("track_id", sa.BigInteger, nullable=False, comment="none: the recording"),
        sa.Column("position", sa.SmallInteger, nullable=False, comment="none: place in the credit, from 0"),
        sa.Column("artist_id", sa.BigInteger, nullable=False, comment="none: who is credited"),
        sa.Column("role", sa.Text, server_default="main", nullable=False, comment="none: what for"),
        sa.Column("credited_as", domain("nfc_text"), comment="none: name on the sleeve where it differs"),
        sa.Column("join_phrase", sa.Text, server_default="", nullable=False, comment="none: text up to the next credit: ' feat. '"),
        sa.PrimaryKeyConstraint("track_id", "position", name="track_artists_pkey"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="track_artists_track_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["artist_id"], ["artists.id"], name="track_artists_artist_id_fkey"),
        sa.CheckConstraint("position >= 0", name="track_artists_position_check"),
        sa.CheckConstraint("role IN ('main', 'featured', 'remixer', 'composer', 'producer')", name="track_artists_role_check"),
        comment="Who is credited on a track, in the order of the sleeve",
    )
    op.create_index("track_artists_artist_id_idx", "track_artists", ["artist_id"])
    op.create_table(
        "track_audio_features",
        sa.Column("track_id", sa.BigInteger, autoincrement=False, nullable=False, comment="none: the recording"),
        sa.Column("danceability", sa.REAL, comment="none: 0 to 1"),
        sa.Column("energy", sa.REAL, comment="none: 0 to 1"),
        sa.Column("valence", sa.REAL, comment="none: 0 sad to 1 glad"),
        sa.Column("speechiness", sa.REAL, comment="none: 0 to 1"),
        sa.Column("acousticness", sa.REAL, comment="none: 0 to 1"),
        sa.Column("instrumentalness", sa.REAL, comment="none: 0 to 1"),
        sa.Column("liveness", sa.REAL, comment="none: 0 to 1"),
        sa.Column("loudness", sa.REAL, comment="none: mean loudness in dB"),
        sa.Column("tempo", sa.REAL, comment="none: beats a minute"),
        sa.Column("key", sa.SmallInteger, comment="none: pitch class, 0 is C; -1 is none found"),
        sa.Column("mode", sa.SmallInteger, comment="none: 0 minor, 1 major"),
        sa.Column("time_signature", sa.SmallInteger, comment="none: beats a bar"),
        _source(),
        _fetched_at(),
        sa.PrimaryKeyConstraint("track_id", name="track_audio_features_pkey"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="track_audio_features_track_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="track_audio_features_source_fkey"),
        sa.CheckConstraint("danceability BETWEEN 0 AND 1", name="track_audio_features_danceability_check"),
        sa.CheckConstraint("energy BETWEEN 0 AND 1", name="track_audio_features_energy_check"),
        sa.CheckConstraint("valence BETWEEN 0 AND 1", name="track_audio_features_valence_check"),
        sa.CheckConstraint("speechiness BETWEEN 0 AND 1", name="track_audio_features_speechiness_check"),
        sa.CheckConstraint("acousticness BETWEEN 0 AND 1", name="track_audio_features_acousticness_check"),
        sa.CheckConstraint("instrumentalness BETWEEN 0 AND 1", name="track_audio_features_instrumentalness_check"),
        sa.CheckConstraint("liveness BETWEEN 0 AND 1", name="track_audio_features_liveness_check"),
        sa.CheckConstraint("loudness BETWEEN -60 AND 10", name="track_audio_features_loudness_check"),
        sa.CheckConstraint("tempo BETWEEN 0 AND 1000", name="track_audio_features_tempo_check"),
        sa.CheckConstraint("key BETWEEN -1 AND 11", name="track_audio_features_key_check"),
        sa.CheckConstraint("mode IN (0, 1)", name="track_audio_features_mode_check"),
        sa.CheckConstraint("time_signature BETWEEN 0 AND 11", name="track_audio_features_time_signature_check"),
        comment="What a track sounds like, in numbers",
    )
    op.create_index("track_audio_features_source_idx", "track_audio_features", ["source"])


def _create_library() -> None:
    op.create_table(
        "playlists",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose playlist it is"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the playlist"),
        sa.Column("name", domain("nfc_text"), nullable=False, comment="content: name the user gave it"),
        sa.Column("description", domain("nfc_text"), comment="content: what the user wrote about it"),
        sa.Column("is_public", sa.Boolean, server_default=sa.false(), nullable=False, comment="behavioural: whether others see it"),
        sa.Column("collaborative", sa.Boolean, server_default=sa.false(), nullable=False, comment="behavioural: whether others may change it"),
        sa.Column("snapshot_id", sa.BigInteger, server_default="1", nullable=False, comment="none: version of the contents, for optimistic locking"),
        _created_at(),
        _updated_at(),
        sa.PrimaryKeyConstraint("user_id", "id", name="playlists_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="playlists_user_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="playlists_name_check"),
        sa.CheckConstraint("NOT (collaborative AND is_public)", name="playlists_collaborative_check"),
        comment="Playlists",
    )
    op.create_table(
        "playlist_items",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose playlist it is"),
        sa.Column("playlist_id", sa.BigInteger, nullable=False, comment="none: the playlist"),
        sa.Column("rank", sa.Numeric, nullable=False, comment="none: place in the list; a fraction fits between any two"),
        sa.Column("track_id", sa.BigInteger, nullable=False, comment="behavioural: what the user put there"),
        sa.Column("added_by", sa.BigInteger, comment="identifier: who put it there, in a collaborative list; no foreign key, the list outlives them"),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: when"),
        sa.PrimaryKeyConstraint("user_id", "playlist_id", "rank", name="playlist_items_pkey"),
        sa.ForeignKeyConstraint(["user_id", "playlist_id"], ["playlists.user_id", "playlists.id"], name="playlist_items_user_id_playlist_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="playlist_items_track_id_fkey"),
        sa.CheckConstraint("rank > '-Infinity' AND rank < 'Infinity'", name="playlist_items_rank_check"),
        comment="The tracks of a playlist, in order",
    )
    op.create_index("playlist_items_track_id_idx", "playlist_items", ["track_id"])
    op.create_index("playlist_items_added_by_idx", "playlist_items", ["added_by"], postgresql_where=sa.text("added_by IS NOT NULL"))


def _create_listens() -> None:
    op.create_table(
        "listens",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: who listened"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the listen"),
        sa.Column("track_id", sa.BigInteger, comment="behavioural: to what; NULL where the catalogue has no such track"),
        sa.Column("listened_at", sa.DateTime(timezone=True), nullable=False, comment="behavioural: when it began"),
        sa.Column("ms_played", sa.Integer, comment="behavioural: for how many milliseconds"),
        sa.Column("context_type", sa.Text, comment="behavioural: from where: playlist, album, search, …"),
        sa.Column("context_key", sa.Text, comment="behavioural: which playlist, album, …"),
        sa.Column("client", sa.Text, comment="behavioural: kind of application"),
        sa.Column("raw", JSONB, comment="content: the event as it came, where it could not be matched"),
        _created_at(),
        sa.PrimaryKeyConstraint("user_id", "id", name="listens_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="listens_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="listens_track_id_fkey", ondelete="SET NULL"),
        sa.CheckConstraint("ms_played >= 0", name="listens_ms_played_check"),
        comment="What was listened to, one row a listen",
    )
    op.create_index("listens_user_id_listened_at_idx", "listens", ["user_id", sa.text("listened_at DESC")])
    op.create_index("listens_track_id_idx", "listens", ["track_id"])
    op.create_index("listens_listened_at_idx", "listens", ["listened_at"], postgresql_using="brin")


# Types and no check at all: a check is parsed again by every statement, and four cost half of writing an entry.
_CREATE_AUDIT_TYPES = """
    CREATE TYPE public.audit_action AS ENUM (
        'insert', 'update', 'delete', 'truncate', 'read', 'import', 'export', 'erase', 'redact', 'grant', 'login', 'migrate'
    );
    COMMENT ON TYPE public.audit_action IS 'What can be done to a thing';
    CREATE TYPE public.audit_actor AS ENUM ('user', 'service', 'agent', 'admin', 'migration');
    COMMENT ON TYPE public.audit_actor IS 'Kinds of those who do it';
"""

_DROP_AUDIT_TYPES = """
    DROP TYPE public.audit_actor;
    DROP TYPE public.audit_action;
"""


def _create_audit_log() -> None:
    execute(_CREATE_AUDIT_TYPES)
    # allow MIG060: agent_auditor alone may read it, and reads all of it
    # allow MIG061: it is the trail itself
    op.create_table(
        "audit_log",
        # Fixed widths first: a row of the trail is written with every change, so its padding counts.
        sa.Column("entity_id", sa.BigInteger, nullable=False, comment="identifier: which one; 0 where its key is no number"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the entry; a gap is a rollback, not a deletion"),
        sa.Column("xid", XID8, server_default=sa.func.pg_current_xact_id(), nullable=False, comment="none: transaction, the order in which entries are sealed"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="behavioural: when"),
        sa.Column("actor_ref", sa.BigInteger, comment="identifier: random pseudonym of the actor; the mapping can be erased, the entry stays"),
        sa.Column("subject_ref", sa.BigInteger, comment="identifier: random pseudonym of the person concerned"),
        sa.Column("request_id", UUID(as_uuid=True), comment="behavioural: the request that caused it"),
        sa.Column("action", ENUM(name="audit_action", create_type=False), nullable=False, comment="behavioural: what was done"),
        sa.Column("actor_type", ENUM(name="audit_actor", create_type=False), nullable=False, comment="none: kind of actor"),
        sa.Column("entity_type", sa.Text, nullable=False, comment="none: kind of thing that was touched: user, playlist, …"),
        sa.Column("entity_key", sa.Text, comment="none: the key of a thing whose key is no number; never a personal one"),
        sa.Column("changed_columns", ARRAY(sa.Text), comment="none: names of the columns that changed, never their values; NULL is the whole row"),
        # Of a version 4 UUID 122 bits are random, which nobody guesses; there is no cheaper source.
        sa.Column("salt", BYTEA, server_default=sa.text("uuid_send(gen_random_uuid())"), comment="none: makes the commitment unguessable; gone once redacted"),
        sa.Column("payload", JSONB, comment="none: allow-listed facts that are not personal; gone once redacted"),
        sa.Column("commitment", BYTEA, comment="none: salted hash of the entry; stays when it is redacted"),
        sa.Column("redacted", BYTEA, comment="none: what stands for the parts that a redaction took"),
        sa.PrimaryKeyConstraint("entity_id", "id", name="audit_log_pkey"),
        comment="Who touched what and when: names of columns and pseudonyms, never a value",
    )
    # The key finds the entries of one thing; every further index is paid for by every change. The one of xid is:
    # it only grows at its end, and without it whoever seals would read the trail from its beginning.
    op.create_index("audit_log_xid_idx", "audit_log", ["xid"])
    op.create_index("audit_log_created_at_idx", "audit_log", ["created_at"], postgresql_using="brin")


def _create_analytics() -> None:
    # Never a column called month: SELECT date_trunc('month', created_at) AS month … GROUP BY month would
    # then group by the column.
    op.create_table(
        "analytics",
        sa.Column("user_id", sa.BigInteger, server_default="0", nullable=False, comment="identifier: who caused the event; 0 is nobody"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the event"),
        sa.Column("event_name", sa.Text, nullable=False, comment="behavioural: what happened: track.played, search.done, …"),
        sa.Column("session_id", UUID(as_uuid=True), comment="identifier: session it happened in"),
        sa.Column("properties", JSONB, server_default=sa.text("'{}'"), nullable=False, comment="behavioural: details of the event"),
        sa.Column("country_code", domain("country_code"), comment="location: country it happened in"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: when it happened"),
        sa.PrimaryKeyConstraint("user_id", "id", name="analytics_pkey"),
        sa.CheckConstraint("event_name ~ '^[a-z][a-z0-9_.]{0,99}$'", name="analytics_event_name_check"),
        sa.CheckConstraint(
            # Of the text, for the stored size depends on how the value came there.
            "jsonb_typeof(properties) = 'object' AND octet_length(properties::text) < 65536",
            name="analytics_properties_check",
        ),
        comment="Product events; processed on the consent for purpose analytics",
    )
    op.create_index("analytics_user_id_created_at_idx", "analytics", ["user_id", "created_at"])
    op.create_index("analytics_event_name_created_at_idx", "analytics", ["event_name", "created_at"])
    op.create_index("analytics_created_at_idx", "analytics", ["created_at"], postgresql_using="brin")


# A key and the index of a foreign key explain themselves; the others say what they are for.
_EXPLAIN_INDEXES = """
    COMMENT ON INDEX public.consent_refused_idx IS 'who refused, for campaigns and reports; refusals are few';
    COMMENT ON INDEX public.consent_events_user_id_purpose_recorded_at_idx IS 'which answer held at an instant';
    COMMENT ON INDEX public.artists_name_idx IS 'search for a part of a name, or one that is misspelt';
    COMMENT ON INDEX public.artists_genres_idx IS 'artists of a genre';
    COMMENT ON INDEX public.albums_title_idx IS 'search for a part of a title, or one that is misspelt';
    COMMENT ON INDEX public.tracks_title_idx IS 'search for a part of a title, or one that is misspelt';
    COMMENT ON INDEX public.tracks_isrc_idx IS 'the recordings that share a code, to match other catalogues';
    COMMENT ON INDEX public.playlist_items_added_by_idx IS 'what a person added to the lists of others, for their erasure';
    COMMENT ON INDEX public.listens_user_id_listened_at_idx IS 'recently played, latest first';
    COMMENT ON INDEX public.listens_listened_at_idx IS 'a period of all listening; the rows arrive in time order';
    COMMENT ON INDEX public.audit_log_xid_idx IS 'what was written since the last seal';
    COMMENT ON INDEX public.audit_log_created_at_idx IS 'a period of the trail; the rows arrive in time order';
    COMMENT ON INDEX public.analytics_user_id_created_at_idx IS 'the events of a person, for access and erasure';
    COMMENT ON INDEX public.analytics_event_name_created_at_idx IS 'one kind of event over a period';
    COMMENT ON INDEX public.analytics_created_at_idx IS 'a period of all events; the rows arrive in time order';
"""


def _seed() -> None:
    execute("""
        INSERT INTO public.locales (tag, parent_tag, direction)
        VALUES ('en', NULL, 'ltr'), ('fr', 'en', 'ltr')
    """)
    execute("""
        INSERT INTO public.data_sources (code, licence, ml_use_allowed)
        VALUES ('internal', 'proprietary', true)
    """)
    execute("""
        INSERT INTO public.consent_purposes (code, legal_basis, description, valid_for, direct_marketing)
        VALUES ('service', 'contract', 'Play music and keep the library', NULL, false),
               ('analytics', 'consent', 'Measure how the service is used', INTERVAL '13 months', false),
               ('personalisation', 'consent', 'Recommend music from what was played', INTERVAL '13 months', false),
               ('marketing', 'consent', 'Send news and offers by e-mail', INTERVAL '24 months', true),
               ('model_training', 'consent', 'Train recommendation models', INTERVAL '13 months', false)
    """)


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
