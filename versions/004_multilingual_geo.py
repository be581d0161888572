"""Languages, places and markets: locales that fall back, translations, search and sorting by language, places by distance.

Locks: ACCESS EXCLUSIVE on artists while it gets a column without a default, and SHARE ROW EXCLUSIVE on artists and
    places while their foreign key is checked; SHARE ROW EXCLUSIVE on locales for its trigger.
Reverse: lossy; drops translations, places and markets with their rows. Countries and locales stay.
Data: seed; countries, languages and locales, with the English and French names of countries and languages.
Needs: membership of agent_owner; CREATE on the database, for the extensions cube and btree_gist where they are missing.

allow MIG030: comes in one release with 002, before anybody uses the tables
allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, TSTZRANGE

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, domain, execute

revision = "004"
down_revision = "003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute(_CREATE_EXTENSIONS)
    with as_owner():
        execute(_LOCALES)
        op.create_table(
            "languages",
            sa.Column("code", sa.Text, nullable=False, comment="none: ISO 639-1 code"),
            sa.Column("name", domain("nfc_text"), nullable=False, comment="none: English name"),
            sa.PrimaryKeyConstraint("code", name="languages_pkey"),
            sa.CheckConstraint("code ~ '^[a-z]{2}$'", name="languages_code_check"),
            comment="Languages; their names in others are translations",
        )
        _create_translations()
        execute(_TRANSLATIONS)
        execute(_SEARCH)
        execute(_SORTING)
        _create_places()
        execute(_PLACES)
        _create_markets()
        execute(_MARKETS)
        execute(_GRANTS)
        execute(_SOURCES)
        execute(_COUNTRIES)
        execute(_LANGUAGES)
        execute(_SEED_LOCALES)


def downgrade() -> None:
    with as_owner():
        execute(_DROP_MARKETS)
        op.drop_table("market_availability")
        execute(_DROP_PLACES)
        op.drop_index("artists_place_id_idx", table_name="artists")
        op.drop_constraint("artists_place_id_fkey", "artists")
        op.drop_column("artists", "place_id")
        op.drop_table("places")
        execute(_DROP_SORTING)
        execute(_DROP_SEARCH)
        execute(_DROP_TRANSLATIONS)
        op.drop_table("content_translations")
        op.drop_table("languages")
        execute(_DROP_LOCALES)
    execute(_DROP_EXTENSIONS)


# Extensions --------------------------------------------------------------------------------------------

# Both are trusted: whoever may create in the database may create them. What was there before is not ours to drop.
_CREATE_EXTENSIONS = """
DO $revision$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['cube', 'btree_gist'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS extension WHERE extension.extname = wanted) THEN
            EXECUTE pg_catalog.format('CREATE EXTENSION %I WITH SCHEMA public', wanted);
            EXECUTE pg_catalog.format('COMMENT ON EXTENSION %I IS %L', wanted,
                CASE wanted WHEN 'cube' THEN 'points on the globe' ELSE 'windows that may not overlap' END
                || '; made by spotify-ai-agent-migrations');
        END IF;
        IF NOT EXISTS (SELECT
                         FROM pg_catalog.pg_extension AS extension
                        WHERE extension.extname = wanted
                          AND extension.extnamespace = 'public'::pg_catalog.regnamespace) THEN
            RAISE EXCEPTION 'extension "%" is in another schema than public', wanted
                  USING ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = pg_catalog.format('as its owner run ALTER EXTENSION %I SET SCHEMA public;', wanted);
        END IF;
    END LOOP;
END
$revision$
"""

_DROP_EXTENSIONS = """
DO $revision$
DECLARE
    made text;
BEGIN
    FOR made IN
        SELECT extension.extname
          FROM pg_catalog.pg_extension AS extension
         WHERE extension.extname IN ('cube', 'btree_gist')
           AND pg_catalog.obj_description(extension.oid, 'pg_extension') LIKE '%made by spotify-ai-agent-migrations'
    LOOP
        BEGIN
            EXECUTE pg_catalog.format('DROP EXTENSION %I', made);
        EXCEPTION
            WHEN dependent_objects_still_exist OR insufficient_privilege THEN
                RAISE NOTICE 'extension "%" stays: something depends on it, or another role owns it', made;
        END;
    END LOOP;
END
$revision$
"""

# Locales -----------------------------------------------------------------------------------------------

_LOCALES = """
CREATE FUNCTION ops.locales_acyclic() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    -- Two sessions that each close half of a circle would both see a chain.
    LOCK TABLE public.locales IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (WITH RECURSIVE chain (tag) AS (
                   SELECT NEW.parent_tag::text
                    UNION
                   SELECT locale.parent_tag::text
                     FROM chain
                     JOIN public.locales AS locale ON locale.tag = chain.tag
               )
               SELECT FROM chain WHERE chain.tag = NEW.tag) THEN
        RAISE EXCEPTION 'locale "%" would fall back to itself through "%"', NEW.tag, NEW.parent_tag
              USING ERRCODE = 'check_violation', HINT = 'name a parent that does not fall back to it; NULL ends the chain';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.locales_acyclic() IS 'Refuse a circle of locales that fall back to one another';

CREATE TRIGGER locales_acyclic AFTER INSERT OR UPDATE OF parent_tag ON public.locales
    FOR EACH ROW WHEN (NEW.parent_tag IS NOT NULL) EXECUTE FUNCTION ops.locales_acyclic();

-- RFC 4647, section 3.4: what is not known is looked for without its last subtag, until something is.
CREATE FUNCTION public.locale_chain_v1(wanted text) RETURNS TABLE (place integer, tag text)
LANGUAGE sql STABLE ROWS 3
SET search_path = pg_catalog, pg_temp AS $function$
    WITH RECURSIVE chain (place, tag, parent_tag) AS (
        (SELECT 1, locale.tag::text, locale.parent_tag::text
           FROM generate_series(cardinality(string_to_array(wanted, '-')), 1, -1) AS kept
           JOIN public.locales AS locale
             ON locale.tag = array_to_string((string_to_array(wanted, '-'))[:kept], '-')
          ORDER BY kept DESC
          LIMIT 1)
         UNION ALL
        SELECT chain.place + 1, locale.tag::text, locale.parent_tag::text
          FROM chain
          JOIN public.locales AS locale ON locale.tag = chain.parent_tag
         WHERE chain.place < 16
    )
    SELECT chain.place, chain.tag FROM chain
     UNION ALL
    SELECT coalesce(max(chain.place), 0) + 1, 'en' FROM chain HAVING bool_and(chain.tag <> 'en') IS NOT FALSE
     ORDER BY 1
$function$;
COMMENT ON FUNCTION public.locale_chain_v1(text) IS
    'The locales in which a text is looked for, first the wanted one or the nearest that is known, last English';
"""

_DROP_LOCALES = """
DROP FUNCTION public.locale_chain_v1(text);
DROP TRIGGER locales_acyclic ON public.locales;
DROP FUNCTION ops.locales_acyclic();
"""

# Translations ------------------------------------------------------------------------------------------


def _create_translations() -> None:
    op.create_table(
        "content_translations",
        sa.Column("entity_type", sa.Text, nullable=False, comment="none: kind of thing that is translated"),
        sa.Column("entity_key", sa.Text, nullable=False, comment="none: which one"),
        sa.Column("field", sa.Text, nullable=False, comment="none: which text of it: name, title, description, …"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="none: language of the translation"),
        sa.Column("value", domain("nfc_text"), nullable=False, comment="none: the translation"),
        sa.Column("status", sa.Text, server_default="draft", nullable=False, comment="none: where it is in its workflow"),
        sa.Column("origin", sa.Text, server_default="human", nullable=False, comment="none: who made it"),
        sa.Column("source_sha256", BYTEA, comment="none: hash of the text it was made from, to tell when that has changed"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="none: when the row was written"),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="none: when the row last changed"),
        sa.PrimaryKeyConstraint("entity_type", "entity_key", "field", "locale", name="content_translations_pkey"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="content_translations_locale_fkey"),
        sa.CheckConstraint("entity_type IN ('artist', 'album', 'track', 'genre', 'country', 'language', 'consent_purpose', 'prompt', 'ui')", name="content_translations_entity_type_check"),
        sa.CheckConstraint("length(entity_key) BETWEEN 1 AND 200", name="content_translations_entity_key_check"),
        sa.CheckConstraint("field ~ '^[a-z][a-z0-9_]{0,59}$'", name="content_translations_field_check"),
        sa.CheckConstraint("length(value) BETWEEN 1 AND 20000", name="content_translations_value_check"),
        sa.CheckConstraint("status IN ('draft', 'in_review', 'published')", name="content_translations_status_check"),
        sa.CheckConstraint("origin IN ('human', 'machine', 'reference')", name="content_translations_origin_check"),
        sa.CheckConstraint("octet_length(source_sha256) = 32", name="content_translations_source_sha256_check"),
        comment="Texts of the catalogue in other languages; what users write is not translated",
    )
    op.create_index("content_translations_locale_idx", "content_translations", ["locale", "entity_type"])


_TRANSLATIONS = """
CREATE TRIGGER content_translations_updated_at BEFORE UPDATE ON public.content_translations
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();

CREATE FUNCTION public.source_text_v1(wanted_type text, wanted_key text, wanted_field text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT CASE wanted_type || '.' || wanted_field
               WHEN 'artist.name' THEN (SELECT artist.name::text FROM public.artists AS artist WHERE artist.id = number.id)
               WHEN 'album.title' THEN (SELECT album.title::text FROM public.albums AS album WHERE album.id = number.id)
               WHEN 'track.title' THEN (SELECT track.title::text FROM public.tracks AS track WHERE track.id = number.id)
               WHEN 'country.name' THEN (SELECT country.name FROM public.countries AS country WHERE country.code = wanted_key)
               WHEN 'language.name' THEN (SELECT language.name::text FROM public.languages AS language WHERE language.code = wanted_key)
               WHEN 'consent_purpose.description' THEN
                   (SELECT purpose.description FROM public.consent_purposes AS purpose WHERE purpose.code = wanted_key)
               ELSE (SELECT translation.value::text FROM public.content_translations AS translation
                      WHERE translation.entity_type = wanted_type AND translation.entity_key = wanted_key
                        AND translation.field = wanted_field AND translation.locale = 'en')
           END
      FROM (SELECT CASE WHEN wanted_key ~ '^[0-9]{1,18}$' THEN wanted_key::bigint END) AS number (id)
$function$;
COMMENT ON FUNCTION public.source_text_v1(text, text, text) IS
    'The text that translations are made from: the catalogue''s own, or the English one';

CREATE FUNCTION ops.content_translations_workflow() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'draft' AND NOT pg_has_role(current_user, 'agent_owner', 'USAGE') THEN
            RAISE EXCEPTION 'a translation begins as a draft, not as "%"', NEW.status
                  USING ERRCODE = 'check_violation', HINT = 'insert it as draft, then set it to in_review and to published';
        END IF;
    ELSE
        -- What was read by a reviewer is no longer what stands there.
        IF NEW.value <> OLD.value AND OLD.status = 'published' AND NEW.status = 'published' THEN
            NEW.status := 'in_review';
        END IF;
        IF OLD.status = 'draft' AND NEW.status = 'published' THEN
            RAISE EXCEPTION 'a draft is not published before its review'
                  USING ERRCODE = 'check_violation', HINT = 'set it to in_review first';
        END IF;
        IF NEW.value = OLD.value THEN
            RETURN NEW;
        END IF;
    END IF;
    NEW.source_sha256 := sha256(convert_to(public.source_text_v1(NEW.entity_type, NEW.entity_key, NEW.field), 'UTF8'));
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION ops.content_translations_workflow() IS
    'Keep draft, review and publication in order, and remember the text a translation was made from';

CREATE TRIGGER content_translations_workflow BEFORE INSERT OR UPDATE OF value, status ON public.content_translations
    FOR EACH ROW EXECUTE FUNCTION ops.content_translations_workflow();

CREATE VIEW public.stale_translations WITH (security_invoker = true) AS
SELECT translation.entity_type,
       translation.entity_key,
       translation.field,
       translation.locale,
       translation.status
  FROM public.content_translations AS translation
 WHERE translation.source_sha256 IS DISTINCT FROM
       sha256(convert_to(public.source_text_v1(translation.entity_type, translation.entity_key, translation.field), 'UTF8'));
COMMENT ON VIEW public.stale_translations IS 'Translations whose source has changed, or is gone, since they were made';
COMMENT ON COLUMN public.stale_translations.entity_type IS 'none: kind of thing that is translated';
COMMENT ON COLUMN public.stale_translations.entity_key IS 'none: which one';
COMMENT ON COLUMN public.stale_translations.field IS 'none: which text of it';
COMMENT ON COLUMN public.stale_translations.locale IS 'none: language of the translation';
COMMENT ON COLUMN public.stale_translations.status IS 'none: where it is in its workflow';

CREATE FUNCTION public.translate_many_v1(wanted_type text, wanted_keys text[], wanted_field text, wanted_locale text)
RETURNS TABLE (entity_key text, value text, locale text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT wanted.key, coalesce(found.value, public.source_text_v1(wanted_type, wanted.key, wanted_field)), found.locale
      FROM unnest(wanted_keys) WITH ORDINALITY AS wanted (key, place)
      LEFT JOIN LATERAL (
          SELECT translation.value::text AS value, translation.locale::text AS locale
            FROM public.locale_chain_v1(wanted_locale) AS chain
            JOIN public.content_translations AS translation
              ON translation.entity_type = wanted_type
             AND translation.entity_key = wanted.key
             AND translation.field = wanted_field
             AND translation.locale = chain.tag
             AND translation.status = 'published'
           ORDER BY chain.place
           LIMIT 1) AS found ON true
     ORDER BY wanted.place
$function$;
COMMENT ON FUNCTION public.translate_many_v1(text, text[], text, text) IS
    'Texts in the wanted language or the nearest published one, in the order of the keys; locale NULL is the source text';

CREATE FUNCTION public.translate_v1(wanted_type text, wanted_key text, wanted_field text, wanted_locale text)
RETURNS TABLE (value text, locale text)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT found.value, found.locale
      FROM public.translate_many_v1(wanted_type, ARRAY[wanted_key], wanted_field, wanted_locale) AS found
$function$;
COMMENT ON FUNCTION public.translate_v1(text, text, text, text) IS
    'A text in the wanted language or the nearest published one, and the locale it was found in';

DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('public.content_translations', 'translation', entity_key => 'entity_key');
END
$revision$;
"""

_DROP_TRANSLATIONS = """
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('public.content_translations');
END
$revision$;
DROP FUNCTION public.translate_v1(text, text, text, text);
DROP FUNCTION public.translate_many_v1(text, text[], text, text);
DROP VIEW public.stale_translations;
DROP TRIGGER content_translations_workflow ON public.content_translations;
DROP FUNCTION ops.content_translations_workflow();
DROP FUNCTION public.source_text_v1(text, text, text);
"""

# Full text ---------------------------------------------------------------------------------------------

# A stored regconfig column would stop pg_upgrade, so that each language has an index of its own.
_SEARCH = """
CREATE INDEX content_translations_english_idx ON public.content_translations
    USING gin (to_tsvector('pg_catalog.english', value)) WHERE status = 'published' AND locale ~ '^en(-|$)';
CREATE INDEX content_translations_french_idx ON public.content_translations
    USING gin (to_tsvector('pg_catalog.french', value)) WHERE status = 'published' AND locale ~ '^fr(-|$)';
CREATE INDEX content_translations_german_idx ON public.content_translations
    USING gin (to_tsvector('pg_catalog.german', value)) WHERE status = 'published' AND locale ~ '^de(-|$)';
CREATE INDEX content_translations_spanish_idx ON public.content_translations
    USING gin (to_tsvector('pg_catalog.spanish', value)) WHERE status = 'published' AND locale ~ '^es(-|$)';
CREATE INDEX content_translations_italian_idx ON public.content_translations
    USING gin (to_tsvector('pg_catalog.italian', value)) WHERE status = 'published' AND locale ~ '^it(-|$)';
CREATE INDEX content_translations_portuguese_idx ON public.content_translations
    USING gin (to_tsvector('pg_catalog.portuguese', value)) WHERE status = 'published' AND locale ~ '^pt(-|$)';
CREATE INDEX content_translations_simple_idx ON public.content_translations
    USING gin (to_tsvector('pg_catalog.simple', value)) WHERE status = 'published' AND locale !~ '^(en|fr|de|es|it|pt)(-|$)';
COMMENT ON INDEX public.content_translations_english_idx IS 'search in English texts by their stems';
COMMENT ON INDEX public.content_translations_french_idx IS 'search in French texts by their stems';
COMMENT ON INDEX public.content_translations_german_idx IS 'search in German texts by their stems';
COMMENT ON INDEX public.content_translations_spanish_idx IS 'search in Spanish texts by their stems';
COMMENT ON INDEX public.content_translations_italian_idx IS 'search in Italian texts by their stems';
COMMENT ON INDEX public.content_translations_portuguese_idx IS 'search in Portuguese texts by their stems';
COMMENT ON INDEX public.content_translations_simple_idx IS 'search in texts of the other languages, word by word';

-- The text of the statement names the configuration and the condition, or no partial index could serve it.
CREATE FUNCTION public.search_translations_v1(wanted text, wanted_locale text, most integer DEFAULT 20)
RETURNS TABLE (entity_type text, entity_key text, field text, locale text, value text, rank real)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    language CONSTANT text := split_part(wanted_locale, '-', 1);
    configuration CONSTANT text := CASE language
        WHEN 'en' THEN 'pg_catalog.english' WHEN 'fr' THEN 'pg_catalog.french' WHEN 'de' THEN 'pg_catalog.german'
        WHEN 'es' THEN 'pg_catalog.spanish' WHEN 'it' THEN 'pg_catalog.italian' WHEN 'pt' THEN 'pg_catalog.portuguese'
        ELSE 'pg_catalog.simple' END;
BEGIN
    RETURN QUERY EXECUTE format(
        $query$
        SELECT translation.entity_type, translation.entity_key, translation.field, translation.locale::text,
               translation.value::text, ts_rank(to_tsvector(%1$L, translation.value), asked) AS rank
          FROM public.content_translations AS translation,
               websearch_to_tsquery(%1$L, $1) AS asked
         WHERE translation.status = 'published'
           AND %2$s
           AND to_tsvector(%1$L, translation.value) @@ asked
         ORDER BY rank DESC, translation.entity_type, translation.entity_key, translation.field, translation.locale
         LIMIT $2
        $query$,
        configuration,
        CASE configuration WHEN 'pg_catalog.simple'
             THEN format('translation.locale !~ ''^(en|fr|de|es|it|pt)(-|$)'' AND translation.locale ~ %L', '^' || language || '(-|$)')
             ELSE format('translation.locale ~ %L', '^' || language || '(-|$)') END)
        USING wanted, most;
END
$function$;
COMMENT ON FUNCTION public.search_translations_v1(text, text, integer) IS
    'Published texts of a language that answer words as one types them into a search box, best first';
"""

_DROP_SEARCH = """
DROP FUNCTION public.search_translations_v1(text, text, integer);
"""

# Sorting -----------------------------------------------------------------------------------------------

# Collations are the server's, and a dump that names one is not restored where it is missing. So nothing stored
# names any: the order is chosen when it is asked for.
_SORTING = r"""
CREATE FUNCTION public.sort_key_v1(written text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT lower(regexp_replace(normalize(written, NFKD), '[\u0300-\u036F]', '', 'g') COLLATE "C")
$function$;
COMMENT ON FUNCTION public.sort_key_v1(text) IS
    'Letters without case of A to Z and without accents, to sort by where the server knows no better';

CREATE FUNCTION public.collation_of_v1(wanted_locale text) RETURNS name
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT known.collname
      FROM public.locale_chain_v1(wanted_locale) AS chain
      JOIN pg_collation AS known
        ON known.collname IN (chain.tag || '-x-icu', replace(chain.tag, '-', '_') || '.utf8')
     WHERE known.collnamespace = 'pg_catalog'::regnamespace
       AND known.collencoding IN (-1, pg_char_to_encoding('UTF8'))
       AND split_part(chain.tag, '-', 1) = split_part(wanted_locale, '-', 1)
     ORDER BY chain.place, known.collprovider
     LIMIT 1
$function$;
COMMENT ON FUNCTION public.collation_of_v1(text) IS 'The collation of this server for a locale; NULL where it has none';

CREATE FUNCTION public.sort_texts_v1(texts text[], wanted_locale text) RETURNS TABLE (place bigint, value text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    collation_name CONSTANT name := public.collation_of_v1(wanted_locale);
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT row_number() OVER (ORDER BY %s, given.value COLLATE "C"), given.value FROM unnest($1) AS given (value)',
        CASE WHEN collation_name IS NULL THEN 'public.sort_key_v1(given.value) COLLATE "C"'
             ELSE format('given.value COLLATE pg_catalog.%I', collation_name) END)
        USING texts;
END
$function$;
COMMENT ON FUNCTION public.sort_texts_v1(text[], text) IS
    'Texts in the order of a language: by the server''s collation for it, else by letters without accents';
"""

_DROP_SORTING = r"""
DROP FUNCTION public.sort_texts_v1(text[], text);
DROP FUNCTION public.collation_of_v1(text);
DROP FUNCTION public.sort_key_v1(text);
"""

# Places ------------------------------------------------------------------------------------------------


def _create_places() -> None:
    op.create_table(
        "places",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("name", domain("nfc_text"), nullable=False, comment="none: name in its country or in English"),
        sa.Column("country_code", domain("country_code"), comment="none: country"),
        sa.Column("subdivision", domain("nfc_text"), comment="none: state, region or province"),
        sa.Column("latitude", sa.Double, comment="none: degrees north; NULL is not known"),
        sa.Column("longitude", sa.Double, comment="none: degrees east"),
        sa.Column("geonames_id", sa.BigInteger, comment="none: number at GeoNames"),
        sa.Column("source", sa.Text, nullable=False, comment="none: where the row came from, and so what may be done with it"),
        sa.PrimaryKeyConstraint("id", name="places_pkey"),
        sa.UniqueConstraint("geonames_id", name="places_geonames_id_key"),
        sa.ForeignKeyConstraint(["country_code"], ["countries.code"], name="places_country_code_fkey"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="places_source_fkey"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="places_name_check"),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name="places_latitude_check"),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name="places_longitude_check"),
        sa.CheckConstraint("num_nulls(latitude, longitude) <> 1", name="places_position_check"),
        comment="Cities and venues; never where a user is",
    )
    op.create_index("places_country_code_idx", "places", ["country_code"])
    op.create_index("places_source_idx", "places", ["source"])
    op.add_column("artists", sa.Column("place_id", sa.BigInteger, comment="none: place the artist is from"))
    # allow MIG043: place_id is NULL in every row, so that one read of artists looks nothing up in places
    op.create_foreign_key("artists_place_id_fkey", "artists", "places", ["place_id"], ["id"])
    # allow MIG031: comes in one release with 002; whoever stopped between the two waits for one read of artists
    op.create_index("artists_place_id_idx", "artists", ["place_id"])


# A point of the unit sphere, and not degrees: near is near across the date line and at the poles, and an index
# over it is restored where one over ll_to_earth() is not. The chord d between two points is an angle of
# 2 asin(d / 2); the mean radius of the Earth is 6371.0088 km (IUGG).
_PLACES = """
ALTER TABLE public.places ADD COLUMN unit_xyz public.cube GENERATED ALWAYS AS (
    CASE WHEN latitude IS NOT NULL AND longitude IS NOT NULL
         THEN public.cube(ARRAY[cos(radians(latitude)) * cos(radians(longitude)),
                                cos(radians(latitude)) * sin(radians(longitude)),
                                sin(radians(latitude))]) END) STORED;
COMMENT ON COLUMN public.places.unit_xyz IS 'none: the position as a point of the unit sphere, to find what is near';
CREATE INDEX places_unit_xyz_idx ON public.places USING gist (unit_xyz);
COMMENT ON INDEX public.places_unit_xyz_idx IS 'nearest places, by distance';

CREATE FUNCTION ops.unit_xyz(latitude double precision, longitude double precision) RETURNS public.cube
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT public.cube(ARRAY[cos(radians(latitude)) * cos(radians(longitude)),
                             cos(radians(latitude)) * sin(radians(longitude)),
                             sin(radians(latitude))])
$function$;
COMMENT ON FUNCTION ops.unit_xyz(double precision, double precision) IS 'A position as a point of the unit sphere';

CREATE FUNCTION public.distance_km_v1(
    from_latitude double precision, from_longitude double precision, to_latitude double precision, to_longitude double precision
) RETURNS double precision
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    home CONSTANT name := (SELECT namespace.nspname
                             FROM pg_extension AS extension
                             JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
                            WHERE extension.extname = 'postgis');
    found_km double precision;
BEGIN
    IF home IS NULL THEN
        RETURN 2 * asin(least(1, public.cube_distance(ops.unit_xyz(from_latitude, from_longitude),
                                                      ops.unit_xyz(to_latitude, to_longitude)) / 2)) * 6371.0088;
    END IF;
    -- On the ellipsoid, which is up to half a percent nearer to the truth.
    EXECUTE format('SELECT %1$I.st_distance(%1$I.st_setsrid(%1$I.st_makepoint($2, $1), 4326)::%1$I.geography,
                                            %1$I.st_setsrid(%1$I.st_makepoint($4, $3), 4326)::%1$I.geography) / 1000', home)
       INTO found_km
      USING from_latitude, from_longitude, to_latitude, to_longitude;
    RETURN found_km;
END
$function$;
COMMENT ON FUNCTION public.distance_km_v1(double precision, double precision, double precision, double precision) IS
    'Kilometres between two positions: by PostGIS on the ellipsoid where it is installed, else on the sphere';

CREATE FUNCTION public.nearest_places_v1(
    here_latitude double precision, here_longitude double precision, most integer DEFAULT 10, within_km double precision DEFAULT NULL
) RETURNS TABLE (place_id bigint, name text, country_code text, km double precision)
LANGUAGE sql STABLE ROWS 10 SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT near.id, near.name::text, near.country_code::text,
           public.distance_km_v1(here_latitude, here_longitude, near.latitude, near.longitude)
      FROM (SELECT place.id, place.name, place.country_code, place.latitude, place.longitude
              FROM public.places AS place
             WHERE place.unit_xyz OPERATOR(public.<@) public.cube_enlarge(
                       ops.unit_xyz(here_latitude, here_longitude),
                       2 * sin(least(coalesce(within_km, 20016) / 2 / 6371.0088, pi() / 2)), 3)
             ORDER BY place.unit_xyz OPERATOR(public.<->) ops.unit_xyz(here_latitude, here_longitude)
             LIMIT most) AS near
     WHERE within_km IS NULL
        OR public.distance_km_v1(here_latitude, here_longitude, near.latitude, near.longitude) <= within_km
     ORDER BY 4
$function$;
COMMENT ON FUNCTION public.nearest_places_v1(double precision, double precision, integer, double precision) IS
    'The nearest places to a position in degrees, nearest first, with their distance in kilometres';

CREATE FUNCTION public.artists_near_v1(
    here_latitude double precision, here_longitude double precision, most integer DEFAULT 10, within_km double precision DEFAULT 100
) RETURNS TABLE (artist_id bigint, name text, place_id bigint, km double precision)
LANGUAGE sql STABLE ROWS 10 SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT near.artist_id, near.name::text, near.place_id,
           public.distance_km_v1(here_latitude, here_longitude, near.latitude, near.longitude)
      FROM (SELECT artist.id AS artist_id, artist.name, place.id AS place_id, place.latitude, place.longitude
              FROM public.places AS place
              JOIN public.artists AS artist ON artist.place_id = place.id
             WHERE place.unit_xyz OPERATOR(public.<@) public.cube_enlarge(
                       ops.unit_xyz(here_latitude, here_longitude),
                       2 * sin(least(within_km / 2 / 6371.0088, pi() / 2)), 3)
             ORDER BY place.unit_xyz OPERATOR(public.<->) ops.unit_xyz(here_latitude, here_longitude), artist.id
             LIMIT most) AS near
     WHERE public.distance_km_v1(here_latitude, here_longitude, near.latitude, near.longitude) <= within_km
     ORDER BY 4, 1
$function$;
COMMENT ON FUNCTION public.artists_near_v1(double precision, double precision, integer, double precision) IS
    'Artists from within so many kilometres of a position in degrees, nearest first';
"""

_DROP_PLACES = """
DROP FUNCTION public.artists_near_v1(double precision, double precision, integer, double precision);
DROP FUNCTION public.nearest_places_v1(double precision, double precision, integer, double precision);
DROP FUNCTION public.distance_km_v1(double precision, double precision, double precision, double precision);
DROP FUNCTION ops.unit_xyz(double precision, double precision);
"""

# Markets -----------------------------------------------------------------------------------------------

# A window an album and country, and not an array of countries on the track: rights are granted by release, begin
# and end on a day, and one country's change writes one row.


def _create_markets() -> None:
    op.create_table(
        "market_availability",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: key"),
        sa.Column("album_id", sa.BigInteger, nullable=False, comment="none: the release"),
        sa.Column("country_code", domain("country_code"), nullable=False, comment="none: the market"),
        sa.Column("available", TSTZRANGE, nullable=False, comment="none: from when, and until when"),
        sa.Column("source", sa.Text, nullable=False, comment="none: where the row came from, and so what may be done with it"),
        sa.PrimaryKeyConstraint("id", name="market_availability_pkey"),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name="market_availability_album_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["country_code"], ["countries.code"], name="market_availability_country_code_fkey"),
        sa.ForeignKeyConstraint(["source"], ["data_sources.code"], name="market_availability_source_fkey"),
        sa.CheckConstraint("NOT isempty(available)", name="market_availability_available_check"),
        comment="Where a release may be played, and when; a release without any row may be played everywhere",
    )
    op.create_index("market_availability_country_code_idx", "market_availability", ["country_code"])
    op.create_index("market_availability_source_idx", "market_availability", ["source"])


_MARKETS = """
ALTER TABLE public.market_availability ADD CONSTRAINT market_availability_available_excl
    EXCLUDE USING gist (album_id WITH =, country_code WITH =, available WITH &&);

CREATE FUNCTION public.is_available_v1(wanted_track_id bigint, wanted_country text, at timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT NOT EXISTS (SELECT FROM public.market_availability AS listed WHERE listed.album_id = track.album_id)
        OR EXISTS (SELECT FROM public.market_availability AS listed
                    WHERE listed.album_id = track.album_id
                      AND listed.country_code = wanted_country
                      AND listed.available @> at)
      FROM public.tracks AS track
     WHERE track.id = wanted_track_id
$function$;
COMMENT ON FUNCTION public.is_available_v1(bigint, text, timestamptz) IS
    'Whether a track may be played in a country at an instant; NULL where there is no such track';
"""

_DROP_MARKETS = """
DROP FUNCTION public.is_available_v1(bigint, text, timestamptz);
"""

# Who may do what ---------------------------------------------------------------------------------------

_GRANTS = """
GRANT SELECT ON public.languages, public.content_translations, public.stale_translations, public.places, public.market_availability
    TO agent_app, agent_readonly, agent_privacy;
GRANT INSERT, UPDATE (value, status, origin) ON public.content_translations TO agent_app;
GRANT INSERT, UPDATE, DELETE ON public.market_availability TO agent_app;
GRANT INSERT, UPDATE ON public.places TO agent_app;
GRANT USAGE ON SEQUENCE public.places_id_seq, public.market_availability_id_seq TO agent_app;
GRANT EXECUTE ON FUNCTION public.locale_chain_v1(text),
                          public.source_text_v1(text, text, text),
                          public.translate_v1(text, text, text, text),
                          public.translate_many_v1(text, text[], text, text),
                          public.search_translations_v1(text, text, integer),
                          public.sort_key_v1(text),
                          public.collation_of_v1(text),
                          public.sort_texts_v1(text[], text),
                          public.distance_km_v1(double precision, double precision, double precision, double precision),
                          public.nearest_places_v1(double precision, double precision, integer, double precision),
                          public.artists_near_v1(double precision, double precision, integer, double precision),
                          public.is_available_v1(bigint, text, timestamptz)
    TO agent_app, agent_readonly, agent_privacy;
"""

# Reference data ----------------------------------------------------------------------------------------

# Facts, in our own form, from two public-domain collections. What a database holds already stays as it is.
_SOURCES = """
INSERT INTO public.data_sources (code, licence, terms_url, ml_use_allowed)
VALUES ('country-codes', 'PDDL-1.0', 'https://github.com/datasets/country-codes', true),
       ('language-codes', 'PDDL-1.0', 'https://github.com/datasets/language-codes', true),
       ('geonames', 'CC-BY-4.0', 'https://www.geonames.org/', true)
    ON CONFLICT ON CONSTRAINT data_sources_pkey DO NOTHING;
UPDATE public.data_sources AS source
   SET attribution = 'GeoNames'
 WHERE source.code = 'geonames'
   AND source.attribution IS NULL;
"""

# Names: UN M49, English and French. gdpr_applies: the Union with its outermost regions, the EEA, and the United
# Kingdom, whose law is its twin. digital_consent_age: the national laws under GDPR art. 8(1); NULL where the GDPR
# does not apply.
_COUNTRIES = """
WITH reference (code, name, french, gdpr_applies, digital_consent_age) AS (
    VALUES ('AD', 'Andorra', 'Andorre', false, NULL),
           ('AE', 'United Arab Emirates', 'Émirats arabes unis', false, NULL),
           ('AF', 'Afghanistan', 'Afghanistan', false, NULL),
           ('AG', 'Antigua and Barbuda', 'Antigua-et-Barbuda', false, NULL),
           ('AI', 'Anguilla', 'Anguilla', false, NULL),
           ('AL', 'Albania', 'Albanie', false, NULL),
           ('AM', 'Armenia', 'Arménie', false, NULL),
           ('AO', 'Angola', 'Angola', false, NULL),
           ('AQ', 'Antarctica', 'Antarctique', false, NULL),
           ('AR', 'Argentina', 'Argentine', false, NULL),
           ('AS', 'American Samoa', 'Samoa américaines', false, NULL),
           ('AT', 'Austria', 'Autriche', true, 14),
           ('AU', 'Australia', 'Australie', false, NULL),
           ('AW', 'Aruba', 'Aruba', false, NULL),
           ('AX', 'Åland Islands', 'Îles d’Åland', true, 13),
           ('AZ', 'Azerbaijan', 'Azerbaïdjan', false, NULL),
           ('BA', 'Bosnia and Herzegovina', 'Bosnie-Herzégovine', false, NULL),
           ('BB', 'Barbados', 'Barbade', false, NULL),
           ('BD', 'Bangladesh', 'Bangladesh', false, NULL),
           ('BE', 'Belgium', 'Belgique', true, 13),
           ('BF', 'Burkina Faso', 'Burkina Faso', false, NULL),
           ('BG', 'Bulgaria', 'Bulgarie', true, 14),
           ('BH', 'Bahrain', 'Bahreïn', false, NULL),
           ('BI', 'Burundi', 'Burundi', false, NULL),
           ('BJ', 'Benin', 'Bénin', false, NULL),
           ('BL', 'Saint Barthélemy', 'Saint-Barthélemy', false, NULL),
           ('BM', 'Bermuda', 'Bermudes', false, NULL),
           ('BN', 'Brunei Darussalam', 'Brunéi Darussalam', false, NULL),
           ('BO', 'Bolivia (Plurinational State of)', 'Bolivie (État plurinational de)', false, NULL),
           ('BQ', 'Bonaire, Sint Eustatius and Saba', 'Bonaire, Saint-Eustache et Saba', false, NULL),
           ('BR', 'Brazil', 'Brésil', false, NULL),
           ('BS', 'Bahamas', 'Bahamas', false, NULL),
           ('BT', 'Bhutan', 'Bhoutan', false, NULL),
           ('BV', 'Bouvet Island', 'Île Bouvet', false, NULL),
           ('BW', 'Botswana', 'Botswana', false, NULL),
           ('BY', 'Belarus', 'Bélarus', false, NULL),
           ('BZ', 'Belize', 'Belize', false, NULL),
           ('CA', 'Canada', 'Canada', false, NULL),
           ('CC', 'Cocos (Keeling) Islands', 'Îles des Cocos (Keeling)', false, NULL),
           ('CD', 'Democratic Republic of the Congo', 'République démocratique du Congo', false, NULL),
           ('CF', 'Central African Republic', 'République centrafricaine', false, NULL),
           ('CG', 'Congo', 'Congo', false, NULL),
           ('CH', 'Switzerland', 'Suisse', false, NULL),
           ('CI', 'Ivory Coast', 'Côte d’Ivoire', false, NULL),
           ('CK', 'Cook Islands', 'Îles Cook', false, NULL),
           ('CL', 'Chile', 'Chili', false, NULL),
           ('CM', 'Cameroon', 'Cameroun', false, NULL),
           ('CN', 'China', 'Chine', false, NULL),
           ('CO', 'Colombia', 'Colombie', false, NULL),
           ('CR', 'Costa Rica', 'Costa Rica', false, NULL),
           ('CU', 'Cuba', 'Cuba', false, NULL),
           ('CV', 'Cabo Verde', 'Cabo Verde', false, NULL),
           ('CW', 'Curaçao', 'Curaçao', false, NULL),
           ('CX', 'Christmas Island', 'Île Christmas', false, NULL),
           ('CY', 'Cyprus', 'Chypre', true, 14),
           ('CZ', 'Czechia', 'Tchéquie', true, 15),
           ('DE', 'Germany', 'Allemagne', true, 16),
           ('DJ', 'Djibouti', 'Djibouti', false, NULL),
           ('DK', 'Denmark', 'Danemark', true, 15),
           ('DM', 'Dominica', 'Dominique', false, NULL),
           ('DO', 'Dominican Republic', 'République dominicaine', false, NULL),
           ('DZ', 'Algeria', 'Algérie', false, NULL),
           ('EC', 'Ecuador', 'Équateur', false, NULL),
           ('EE', 'Estonia', 'Estonie', true, 13),
           ('EG', 'Egypt', 'Égypte', false, NULL),
           ('EH', 'Western Sahara', 'Sahara occidental', false, NULL),
           ('ER', 'Eritrea', 'Érythrée', false, NULL),
           ('ES', 'Spain', 'Espagne', true, 14),
           ('ET', 'Ethiopia', 'Éthiopie', false, NULL),
           ('FI', 'Finland', 'Finlande', true, 13),
           ('FJ', 'Fiji', 'Fidji', false, NULL),
           ('FK', 'Falkland Islands', 'Îles Falkland (Malvinas)', false, NULL),
           ('FM', 'Micronesia (Federated States of)', 'Micronésie (États fédérés de)', false, NULL),
           ('FO', 'Faroe Islands', 'Îles Féroé', false, NULL),
           ('FR', 'France', 'France', true, 15),
           ('GA', 'Gabon', 'Gabon', false, NULL),
           ('GB', 'United Kingdom of Great Britain and Northern Ireland', 'Royaume-Uni de Grande-Bretagne et d’Irlande du Nord', true, 13),
           ('GD', 'Grenada', 'Grenade', false, NULL),
           ('GE', 'Georgia', 'Géorgie', false, NULL),
           ('GF', 'French Guiana', 'Guyane française', true, 15),
           ('GG', 'Guernsey', 'Guernesey', false, NULL),
           ('GH', 'Ghana', 'Ghana', false, NULL),
           ('GI', 'Gibraltar', 'Gibraltar', false, NULL),
           ('GL', 'Greenland', 'Groenland', false, NULL),
           ('GM', 'Gambia', 'Gambie', false, NULL),
           ('GN', 'Guinea', 'Guinée', false, NULL),
           ('GP', 'Guadeloupe', 'Guadeloupe', true, 15),
           ('GQ', 'Equatorial Guinea', 'Guinée équatoriale', false, NULL),
           ('GR', 'Greece', 'Grèce', true, 15),
           ('GS', 'South Georgia and the South Sandwich Islands', 'Géorgie du Sud-et-les Îles Sandwich du Sud', false, NULL),
           ('GT', 'Guatemala', 'Guatemala', false, NULL),
           ('GU', 'Guam', 'Guam', false, NULL),
           ('GW', 'Guinea-Bissau', 'Guinée-Bissau', false, NULL),
           ('GY', 'Guyana', 'Guyana', false, NULL),
           ('HK', 'China, Hong Kong Special Administrative Region', 'Chine, région administrative spéciale de Hong Kong', false, NULL),
           ('HM', 'Heard Island and McDonald Islands', 'Île Heard-et-Îles MacDonald', false, NULL),
           ('HN', 'Honduras', 'Honduras', false, NULL),
           ('HR', 'Croatia', 'Croatie', true, 16),
           ('HT', 'Haiti', 'Haïti', false, NULL),
           ('HU', 'Hungary', 'Hongrie', true, 16),
           ('ID', 'Indonesia', 'Indonésie', false, NULL),
           ('IE', 'Ireland', 'Irlande', true, 16),
           ('IL', 'Israel', 'Israël', false, NULL),
           ('IM', 'Isle of Man', 'Île de Man', false, NULL),
           ('IN', 'India', 'Inde', false, NULL),
           ('IO', 'British Indian Ocean Territory', 'Territoire britannique de l’océan Indien', false, NULL),
           ('IQ', 'Iraq', 'Iraq', false, NULL),
           ('IR', 'Iran (Islamic Republic of)', 'Iran (République islamique d’)', false, NULL),
           ('IS', 'Iceland', 'Islande', true, 13),
           ('IT', 'Italy', 'Italie', true, 14),
           ('JE', 'Jersey', 'Jersey', false, NULL),
           ('JM', 'Jamaica', 'Jamaïque', false, NULL),
           ('JO', 'Jordan', 'Jordanie', false, NULL),
           ('JP', 'Japan', 'Japon', false, NULL),
           ('KE', 'Kenya', 'Kenya', false, NULL),
           ('KG', 'Kyrgyzstan', 'Kirghizistan', false, NULL),
           ('KH', 'Cambodia', 'Cambodge', false, NULL),
           ('KI', 'Kiribati', 'Kiribati', false, NULL),
           ('KM', 'Comoros', 'Comores', false, NULL),
           ('KN', 'Saint Kitts and Nevis', 'Saint-Kitts-et-Nevis', false, NULL),
           ('KP', 'Democratic People’s Republic of Korea', 'République populaire démocratique de Corée', false, NULL),
           ('KR', 'Republic of Korea', 'République de Corée', false, NULL),
           ('KW', 'Kuwait', 'Koweït', false, NULL),
           ('KY', 'Cayman Islands', 'Îles Caïmanes', false, NULL),
           ('KZ', 'Kazakhstan', 'Kazakhstan', false, NULL),
           ('LA', 'Lao People’s Democratic Republic', 'République démocratique populaire lao', false, NULL),
           ('LB', 'Lebanon', 'Liban', false, NULL),
           ('LC', 'Saint Lucia', 'Sainte-Lucie', false, NULL),
           ('LI', 'Liechtenstein', 'Liechtenstein', true, 16),
           ('LK', 'Sri Lanka', 'Sri Lanka', false, NULL),
           ('LR', 'Liberia', 'Libéria', false, NULL),
           ('LS', 'Lesotho', 'Lesotho', false, NULL),
           ('LT', 'Lithuania', 'Lituanie', true, 14),
           ('LU', 'Luxembourg', 'Luxembourg', true, 16),
           ('LV', 'Latvia', 'Lettonie', true, 13),
           ('LY', 'Libya', 'Libye', false, NULL),
           ('MA', 'Morocco', 'Maroc', false, NULL),
           ('MC', 'Monaco', 'Monaco', false, NULL),
           ('MD', 'Republic of Moldova', 'République de Moldova', false, NULL),
           ('ME', 'Montenegro', 'Monténégro', false, NULL),
           ('MF', 'Saint Martin (French Part)', 'Saint-Martin (partie française)', true, 15),
           ('MG', 'Madagascar', 'Madagascar', false, NULL),
           ('MH', 'Marshall Islands', 'Îles Marshall', false, NULL),
           ('MK', 'North Macedonia', 'Macédoine du Nord', false, NULL),
           ('ML', 'Mali', 'Mali', false, NULL),
           ('MM', 'Myanmar', 'Myanmar', false, NULL),
           ('MN', 'Mongolia', 'Mongolie', false, NULL),
           ('MO', 'China, Macao Special Administrative Region', 'Chine, région administrative spéciale de Macao', false, NULL),
           ('MP', 'Northern Mariana Islands', 'Îles Mariannes du Nord', false, NULL),
           ('MQ', 'Martinique', 'Martinique', true, 15),
           ('MR', 'Mauritania', 'Mauritanie', false, NULL),
           ('MS', 'Montserrat', 'Montserrat', false, NULL),
           ('MT', 'Malta', 'Malte', true, 13),
           ('MU', 'Mauritius', 'Maurice', false, NULL),
           ('MV', 'Maldives', 'Maldives', false, NULL),
           ('MW', 'Malawi', 'Malawi', false, NULL),
           ('MX', 'Mexico', 'Mexique', false, NULL),
           ('MY', 'Malaysia', 'Malaisie', false, NULL),
           ('MZ', 'Mozambique', 'Mozambique', false, NULL),
           ('NA', 'Namibia', 'Namibie', false, NULL),
           ('NC', 'New Caledonia', 'Nouvelle-Calédonie', false, NULL),
           ('NE', 'Niger', 'Niger', false, NULL),
           ('NF', 'Norfolk Island', 'Île Norfolk', false, NULL),
           ('NG', 'Nigeria', 'Nigéria', false, NULL),
           ('NI', 'Nicaragua', 'Nicaragua', false, NULL),
           ('NL', 'Netherlands', 'Pays-Bas (Royaume des)', true, 16),
           ('NO', 'Norway', 'Norvège', true, 13),
           ('NP', 'Nepal', 'Népal', false, NULL),
           ('NR', 'Nauru', 'Nauru', false, NULL),
           ('NU', 'Niue', 'Nioué', false, NULL),
           ('NZ', 'New Zealand', 'Nouvelle-Zélande', false, NULL),
           ('OM', 'Oman', 'Oman', false, NULL),
           ('PA', 'Panama', 'Panama', false, NULL),
           ('PE', 'Peru', 'Pérou', false, NULL),
           ('PF', 'French Polynesia', 'Polynésie française', false, NULL),
           ('PG', 'Papua New Guinea', 'Papouasie-Nouvelle-Guinée', false, NULL),
           ('PH', 'Philippines', 'Philippines', false, NULL),
           ('PK', 'Pakistan', 'Pakistan', false, NULL),
           ('PL', 'Poland', 'Pologne', true, 16),
           ('PM', 'Saint Pierre and Miquelon', 'Saint-Pierre-et-Miquelon', false, NULL),
           ('PN', 'Pitcairn', 'Pitcairn', false, NULL),
           ('PR', 'Puerto Rico', 'Porto Rico', false, NULL),
           ('PS', 'State of Palestine', 'État de Palestine', false, NULL),
           ('PT', 'Portugal', 'Portugal', true, 13),
           ('PW', 'Palau', 'Palaos', false, NULL),
           ('PY', 'Paraguay', 'Paraguay', false, NULL),
           ('QA', 'Qatar', 'Qatar', false, NULL),
           ('RE', 'Réunion', 'Réunion', true, 15),
           ('RO', 'Romania', 'Roumanie', true, 16),
           ('RS', 'Serbia', 'Serbie', false, NULL),
           ('RU', 'Russian Federation', 'Fédération de Russie', false, NULL),
           ('RW', 'Rwanda', 'Rwanda', false, NULL),
           ('SA', 'Saudi Arabia', 'Arabie saoudite', false, NULL),
           ('SB', 'Solomon Islands', 'Îles Salomon', false, NULL),
           ('SC', 'Seychelles', 'Seychelles', false, NULL),
           ('SD', 'Sudan', 'Soudan', false, NULL),
           ('SE', 'Sweden', 'Suède', true, 13),
           ('SG', 'Singapore', 'Singapour', false, NULL),
           ('SH', 'Saint Helena', 'Sainte-Hélène', false, NULL),
           ('SI', 'Slovenia', 'Slovénie', true, 15),
           ('SJ', 'Svalbard and Jan Mayen Islands', 'Îles Svalbard-et-Jan Mayen', false, NULL),
           ('SK', 'Slovakia', 'Slovaquie', true, 16),
           ('SL', 'Sierra Leone', 'Sierra Leone', false, NULL),
           ('SM', 'San Marino', 'Saint-Marin', false, NULL),
           ('SN', 'Senegal', 'Sénégal', false, NULL),
           ('SO', 'Somalia', 'Somalie', false, NULL),
           ('SR', 'Suriname', 'Suriname', false, NULL),
           ('SS', 'South Sudan', 'Soudan du Sud', false, NULL),
           ('ST', 'Sao Tome and Principe', 'Sao Tomé-et-Principe', false, NULL),
           ('SV', 'El Salvador', 'El Salvador', false, NULL),
           ('SX', 'Sint Maarten (Dutch part)', 'Saint-Martin (partie néerlandaise)', false, NULL),
           ('SY', 'Syrian Arab Republic', 'République arabe syrienne', false, NULL),
           ('SZ', 'Eswatini', 'Eswatini', false, NULL),
           ('TC', 'Turks and Caicos Islands', 'Îles Turques-et-Caïques', false, NULL),
           ('TD', 'Chad', 'Tchad', false, NULL),
           ('TF', 'French Southern Territories', 'Terres australes françaises', false, NULL),
           ('TG', 'Togo', 'Togo', false, NULL),
           ('TH', 'Thailand', 'Thaïlande', false, NULL),
           ('TJ', 'Tajikistan', 'Tadjikistan', false, NULL),
           ('TK', 'Tokelau', 'Tokélaou', false, NULL),
           ('TL', 'Timor-Leste', 'Timor-Leste', false, NULL),
           ('TM', 'Turkmenistan', 'Turkménistan', false, NULL),
           ('TN', 'Tunisia', 'Tunisie', false, NULL),
           ('TO', 'Tonga', 'Tonga', false, NULL),
           ('TR', 'Türkiye', 'Türkiye', false, NULL),
           ('TT', 'Trinidad and Tobago', 'Trinité-et-Tobago', false, NULL),
           ('TV', 'Tuvalu', 'Tuvalu', false, NULL),
           ('TW', 'Taiwan', 'Taïwan', false, NULL),
           ('TZ', 'United Republic of Tanzania', 'République-Unie de Tanzanie', false, NULL),
           ('UA', 'Ukraine', 'Ukraine', false, NULL),
           ('UG', 'Uganda', 'Ouganda', false, NULL),
           ('UM', 'United States Minor Outlying Islands', 'Îles mineures éloignées des États-Unis', false, NULL),
           ('US', 'United States of America', 'États-Unis d’Amérique', false, NULL),
           ('UY', 'Uruguay', 'Uruguay', false, NULL),
           ('UZ', 'Uzbekistan', 'Ouzbékistan', false, NULL),
           ('VA', 'Holy See', 'Saint-Siège', false, NULL),
           ('VC', 'Saint Vincent and the Grenadines', 'Saint-Vincent-et-les Grenadines', false, NULL),
           ('VE', 'Venezuela (Bolivarian Republic of)', 'Venezuela (République bolivarienne du)', false, NULL),
           ('VG', 'British Virgin Islands', 'Îles Vierges britanniques', false, NULL),
           ('VI', 'United States Virgin Islands', 'Îles Vierges américaines', false, NULL),
           ('VN', 'Viet Nam', 'Viet Nam', false, NULL),
           ('VU', 'Vanuatu', 'Vanuatu', false, NULL),
           ('WF', 'Wallis and Futuna Islands', 'Îles Wallis-et-Futuna', false, NULL),
           ('WS', 'Samoa', 'Samoa', false, NULL),
           ('YE', 'Yemen', 'Yémen', false, NULL),
           ('YT', 'Mayotte', 'Mayotte', true, 15),
           ('ZA', 'South Africa', 'Afrique du Sud', false, NULL),
           ('ZM', 'Zambia', 'Zambie', false, NULL),
           ('ZW', 'Zimbabwe', 'Zimbabwe', false, NULL)
), added AS (
    INSERT INTO public.countries (code, name, gdpr_applies, digital_consent_age)
    SELECT reference.code, reference.name, reference.gdpr_applies, reference.digital_consent_age
      FROM reference
        ON CONFLICT ON CONSTRAINT countries_pkey DO NOTHING
)
INSERT INTO public.content_translations (entity_type, entity_key, field, locale, value, status, origin)
SELECT 'country', reference.code, 'name', 'fr', normalize(reference.french), 'published', 'reference'
  FROM reference
    ON CONFLICT ON CONSTRAINT content_translations_pkey DO NOTHING;
"""

_LANGUAGES = """
WITH reference (code, name, french) AS (
    VALUES ('aa', 'Afar', 'afar'),
           ('ab', 'Abkhazian', 'abkhaze'),
           ('ae', 'Avestan', 'avestique'),
           ('af', 'Afrikaans', 'afrikaans'),
           ('ak', 'Akan', 'akan'),
           ('am', 'Amharic', 'amharique'),
           ('an', 'Aragonese', 'aragonais'),
           ('ar', 'Arabic', 'arabe'),
           ('as', 'Assamese', 'assamais'),
           ('av', 'Avaric', 'avar'),
           ('ay', 'Aymara', 'aymara'),
           ('az', 'Azerbaijani', 'azéri'),
           ('ba', 'Bashkir', 'bachkir'),
           ('be', 'Belarusian', 'biélorusse'),
           ('bg', 'Bulgarian', 'bulgare'),
           ('bi', 'Bislama', 'bichlamar'),
           ('bm', 'Bambara', 'bambara'),
           ('bn', 'Bengali', 'bengali'),
           ('bo', 'Tibetan', 'tibétain'),
           ('br', 'Breton', 'breton'),
           ('bs', 'Bosnian', 'bosniaque'),
           ('ca', 'Catalan', 'catalan'),
           ('ce', 'Chechen', 'tchétchène'),
           ('ch', 'Chamorro', 'chamorro'),
           ('co', 'Corsican', 'corse'),
           ('cr', 'Cree', 'cree'),
           ('cs', 'Czech', 'tchèque'),
           ('cu', 'Church Slavic', 'slavon d’église'),
           ('cv', 'Chuvash', 'tchouvache'),
           ('cy', 'Welsh', 'gallois'),
           ('da', 'Danish', 'danois'),
           ('de', 'German', 'allemand'),
           ('dv', 'Divehi', 'maldivien'),
           ('dz', 'Dzongkha', 'dzongkha'),
           ('ee', 'Ewe', 'éwé'),
           ('el', 'Modern Greek (1453-)', 'grec moderne (1453-)'),
           ('en', 'English', 'anglais'),
           ('eo', 'Esperanto', 'espéranto'),
           ('es', 'Spanish', 'espagnol'),
           ('et', 'Estonian', 'estonien'),
           ('eu', 'Basque', 'basque'),
           ('fa', 'Persian', 'persan'),
           ('ff', 'Fulah', 'peul'),
           ('fi', 'Finnish', 'finnois'),
           ('fj', 'Fijian', 'fidjien'),
           ('fo', 'Faroese', 'féroïen'),
           ('fr', 'French', 'français'),
           ('fy', 'Western Frisian', 'frison occidental'),
           ('ga', 'Irish', 'irlandais'),
           ('gd', 'Gaelic', 'gaélique'),
           ('gl', 'Galician', 'galicien'),
           ('gn', 'Guarani', 'guarani'),
           ('gu', 'Gujarati', 'goudjrati'),
           ('gv', 'Manx', 'manx'),
           ('ha', 'Hausa', 'haoussa'),
           ('he', 'Hebrew', 'hébreu'),
           ('hi', 'Hindi', 'hindi'),
           ('ho', 'Hiri Motu', 'hiri motu'),
           ('hr', 'Croatian', 'croate'),
           ('ht', 'Haitian', 'haïtien'),
           ('hu', 'Hungarian', 'hongrois'),
           ('hy', 'Armenian', 'arménien'),
           ('hz', 'Herero', 'herero'),
           ('ia', 'Interlingua (International Auxiliary Language Association)', 'interlingua (langue auxiliaire internationale)'),
           ('id', 'Indonesian', 'indonésien'),
           ('ie', 'Interlingue', 'interlingue'),
           ('ig', 'Igbo', 'igbo'),
           ('ii', 'Sichuan Yi', 'yi de Sichuan'),
           ('ik', 'Inupiaq', 'inupiaq'),
           ('io', 'Ido', 'ido'),
           ('is', 'Icelandic', 'islandais'),
           ('it', 'Italian', 'italien'),
           ('iu', 'Inuktitut', 'inuktitut'),
           ('ja', 'Japanese', 'japonais'),
           ('jv', 'Javanese', 'javanais'),
           ('ka', 'Georgian', 'géorgien'),
           ('kg', 'Kongo', 'kongo'),
           ('ki', 'Kikuyu', 'kikuyu'),
           ('kj', 'Kuanyama', 'kuanyama'),
           ('kk', 'Kazakh', 'kazakh'),
           ('kl', 'Kalaallisut', 'groenlandais'),
           ('km', 'Central Khmer', 'khmer central'),
           ('kn', 'Kannada', 'kannada'),
           ('ko', 'Korean', 'coréen'),
           ('kr', 'Kanuri', 'kanouri'),
           ('ks', 'Kashmiri', 'kashmiri'),
           ('ku', 'Kurdish', 'kurde'),
           ('kv', 'Komi', 'kom'),
           ('kw', 'Cornish', 'cornique'),
           ('ky', 'Kirghiz', 'kirghiz'),
           ('la', 'Latin', 'latin'),
           ('lb', 'Luxembourgish', 'luxembourgeois'),
           ('lg', 'Ganda', 'ganda'),
           ('li', 'Limburgan', 'limbourgeois'),
           ('ln', 'Lingala', 'lingala'),
           ('lo', 'Lao', 'lao'),
           ('lt', 'Lithuanian', 'lituanien'),
           ('lu', 'Luba-Katanga', 'luba-katanga'),
           ('lv', 'Latvian', 'letton'),
           ('mg', 'Malagasy', 'malgache'),
           ('mh', 'Marshallese', 'marshall'),
           ('mi', 'Maori', 'maori'),
           ('mk', 'Macedonian', 'macédonien'),
           ('ml', 'Malayalam', 'malayalam'),
           ('mn', 'Mongolian', 'mongol'),
           ('mr', 'Marathi', 'marathe'),
           ('ms', 'Malay', 'malais'),
           ('mt', 'Maltese', 'maltais'),
           ('my', 'Burmese', 'birman'),
           ('na', 'Nauru', 'nauruan'),
           ('nb', 'Norwegian Bokmål', 'norvégien bokmål'),
           ('nd', 'North Ndebele', 'ndébélé du Nord'),
           ('ne', 'Nepali', 'népalais'),
           ('ng', 'Ndonga', 'ndonga'),
           ('nl', 'Dutch', 'néerlandais'),
           ('nn', 'Norwegian Nynorsk', 'norvégien nynorsk'),
           ('no', 'Norwegian', 'norvégien'),
           ('nr', 'South Ndebele', 'ndébélé du Sud'),
           ('nv', 'Navajo', 'navaho'),
           ('ny', 'Chichewa', 'chichewa'),
           ('oc', 'Occitan (post 1500)', 'occitan (après 1500)'),
           ('oj', 'Ojibwa', 'ojibwa'),
           ('om', 'Oromo', 'galla'),
           ('or', 'Oriya', 'oriya'),
           ('os', 'Ossetian', 'ossète'),
           ('pa', 'Panjabi', 'pendjabi'),
           ('pi', 'Pali', 'pali'),
           ('pl', 'Polish', 'polonais'),
           ('ps', 'Pushto', 'pachto'),
           ('pt', 'Portuguese', 'portugais'),
           ('qu', 'Quechua', 'quechua'),
           ('rm', 'Romansh', 'romanche'),
           ('rn', 'Rundi', 'rundi'),
           ('ro', 'Romanian', 'roumain'),
           ('ru', 'Russian', 'russe'),
           ('rw', 'Kinyarwanda', 'rwanda'),
           ('sa', 'Sanskrit', 'sanskrit'),
           ('sc', 'Sardinian', 'sarde'),
           ('sd', 'Sindhi', 'sindhi'),
           ('se', 'Northern Sami', 'sami du Nord'),
           ('sg', 'Sango', 'sango'),
           ('si', 'Sinhala', 'singhalais'),
           ('sk', 'Slovak', 'slovaque'),
           ('sl', 'Slovenian', 'slovène'),
           ('sm', 'Samoan', 'samoan'),
           ('sn', 'Shona', 'shona'),
           ('so', 'Somali', 'somali'),
           ('sq', 'Albanian', 'albanais'),
           ('sr', 'Serbian', 'serbe'),
           ('ss', 'Swati', 'swati'),
           ('st', 'Sotho, Southern', 'sotho du Sud'),
           ('su', 'Sundanese', 'soundanais'),
           ('sv', 'Swedish', 'suédois'),
           ('sw', 'Swahili', 'swahili'),
           ('ta', 'Tamil', 'tamoul'),
           ('te', 'Telugu', 'télougou'),
           ('tg', 'Tajik', 'tadjik'),
           ('th', 'Thai', 'thaï'),
           ('ti', 'Tigrinya', 'tigrigna'),
           ('tk', 'Turkmen', 'turkmène'),
           ('tl', 'Tagalog', 'tagalog'),
           ('tn', 'Tswana', 'tswana'),
           ('to', 'Tonga (Tonga Islands)', 'tongan (Îles Tonga)'),
           ('tr', 'Turkish', 'turc'),
           ('ts', 'Tsonga', 'tsonga'),
           ('tt', 'Tatar', 'tatar'),
           ('tw', 'Twi', 'twi'),
           ('ty', 'Tahitian', 'tahitien'),
           ('ug', 'Uighur', 'ouïgour'),
           ('uk', 'Ukrainian', 'ukrainien'),
           ('ur', 'Urdu', 'ourdou'),
           ('uz', 'Uzbek', 'ouszbek'),
           ('ve', 'Venda', 'venda'),
           ('vi', 'Vietnamese', 'vietnamien'),
           ('vo', 'Volapük', 'volapük'),
           ('wa', 'Walloon', 'wallon'),
           ('wo', 'Wolof', 'wolof'),
           ('xh', 'Xhosa', 'xhosa'),
           ('yi', 'Yiddish', 'yiddish'),
           ('yo', 'Yoruba', 'yoruba'),
           ('za', 'Zhuang', 'zhuang'),
           ('zh', 'Chinese', 'chinois'),
           ('zu', 'Zulu', 'zoulou')
), added AS (
    INSERT INTO public.languages (code, name)
    SELECT reference.code, reference.name
      FROM reference
        ON CONFLICT ON CONSTRAINT languages_pkey DO NOTHING
)
INSERT INTO public.content_translations (entity_type, entity_key, field, locale, value, status, origin)
SELECT 'language', reference.code, 'name', 'fr', normalize(reference.french), 'published', 'reference'
  FROM reference
    ON CONFLICT ON CONSTRAINT content_translations_pkey DO NOTHING;

-- The text a translation was made from was not there yet when the trigger looked for it.
UPDATE public.content_translations AS translation
   SET source_sha256 = sha256(convert_to(public.source_text_v1(translation.entity_type, translation.entity_key, translation.field), 'UTF8'))
 WHERE translation.origin = 'reference';
"""

# Only those users may choose are enabled. Where the script is another, a locale falls back to English and not to its
# language, as in CLDR; Latin American Spanish falls back to es-419.
_SEED_LOCALES = """
INSERT INTO public.locales (tag, parent_tag, direction, enabled)
SELECT reference.tag, reference.parent_tag, reference.direction, false
  FROM (VALUES ('aa', 'en', 'ltr'), ('ab', 'en', 'ltr'), ('ae', 'en', 'ltr'), ('af', 'en', 'ltr'), ('ak', 'en', 'ltr'),
              ('am', 'en', 'ltr'), ('an', 'en', 'ltr'), ('ar', 'en', 'rtl'), ('as', 'en', 'ltr'), ('av', 'en', 'ltr'),
              ('ay', 'en', 'ltr'), ('az', 'en', 'ltr'), ('ba', 'en', 'ltr'), ('be', 'en', 'ltr'), ('bg', 'en', 'ltr'),
              ('bi', 'en', 'ltr'), ('bm', 'en', 'ltr'), ('bn', 'en', 'ltr'), ('bo', 'en', 'ltr'), ('br', 'en', 'ltr'),
              ('bs', 'en', 'ltr'), ('ca', 'en', 'ltr'), ('ce', 'en', 'ltr'), ('ch', 'en', 'ltr'), ('co', 'en', 'ltr'),
              ('cr', 'en', 'ltr'), ('cs', 'en', 'ltr'), ('cu', 'en', 'ltr'), ('cv', 'en', 'ltr'), ('cy', 'en', 'ltr'),
              ('da', 'en', 'ltr'), ('de', 'en', 'ltr'), ('dv', 'en', 'rtl'), ('dz', 'en', 'ltr'), ('ee', 'en', 'ltr'),
              ('el', 'en', 'ltr'), ('eo', 'en', 'ltr'), ('es', 'en', 'ltr'), ('et', 'en', 'ltr'), ('eu', 'en', 'ltr'),
              ('fa', 'en', 'rtl'), ('ff', 'en', 'ltr'), ('fi', 'en', 'ltr'), ('fj', 'en', 'ltr'), ('fo', 'en', 'ltr'),
              ('fy', 'en', 'ltr'), ('ga', 'en', 'ltr'), ('gd', 'en', 'ltr'), ('gl', 'en', 'ltr'), ('gn', 'en', 'ltr'),
              ('gu', 'en', 'ltr'), ('gv', 'en', 'ltr'), ('ha', 'en', 'ltr'), ('he', 'en', 'rtl'), ('hi', 'en', 'ltr'),
              ('ho', 'en', 'ltr'), ('hr', 'en', 'ltr'), ('ht', 'en', 'ltr'), ('hu', 'en', 'ltr'), ('hy', 'en', 'ltr'),
              ('hz', 'en', 'ltr'), ('ia', 'en', 'ltr'), ('id', 'en', 'ltr'), ('ie', 'en', 'ltr'), ('ig', 'en', 'ltr'),
              ('ii', 'en', 'ltr'), ('ik', 'en', 'ltr'), ('io', 'en', 'ltr'), ('is', 'en', 'ltr'), ('it', 'en', 'ltr'),
              ('iu', 'en', 'ltr'), ('ja', 'en', 'ltr'), ('jv', 'en', 'ltr'), ('ka', 'en', 'ltr'), ('kg', 'en', 'ltr'),
              ('ki', 'en', 'ltr'), ('kj', 'en', 'ltr'), ('kk', 'en', 'ltr'), ('kl', 'en', 'ltr'), ('km', 'en', 'ltr'),
              ('kn', 'en', 'ltr'), ('ko', 'en', 'ltr'), ('kr', 'en', 'ltr'), ('ks', 'en', 'rtl'), ('ku', 'en', 'ltr'),
              ('kv', 'en', 'ltr'), ('kw', 'en', 'ltr'), ('ky', 'en', 'ltr'), ('la', 'en', 'ltr'), ('lb', 'en', 'ltr'),
              ('lg', 'en', 'ltr'), ('li', 'en', 'ltr'), ('ln', 'en', 'ltr'), ('lo', 'en', 'ltr'), ('lt', 'en', 'ltr'),
              ('lu', 'en', 'ltr'), ('lv', 'en', 'ltr'), ('mg', 'en', 'ltr'), ('mh', 'en', 'ltr'), ('mi', 'en', 'ltr'),
              ('mk', 'en', 'ltr'), ('ml', 'en', 'ltr'), ('mn', 'en', 'ltr'), ('mr', 'en', 'ltr'), ('ms', 'en', 'ltr'),
              ('mt', 'en', 'ltr'), ('my', 'en', 'ltr'), ('na', 'en', 'ltr'), ('nb', 'en', 'ltr'), ('nd', 'en', 'ltr'),
              ('ne', 'en', 'ltr'), ('ng', 'en', 'ltr'), ('nl', 'en', 'ltr'), ('nn', 'en', 'ltr'), ('no', 'en', 'ltr'),
              ('nr', 'en', 'ltr'), ('nv', 'en', 'ltr'), ('ny', 'en', 'ltr'), ('oc', 'en', 'ltr'), ('oj', 'en', 'ltr'),
              ('om', 'en', 'ltr'), ('or', 'en', 'ltr'), ('os', 'en', 'ltr'), ('pa', 'en', 'ltr'), ('pi', 'en', 'ltr'),
              ('pl', 'en', 'ltr'), ('ps', 'en', 'rtl'), ('pt', 'en', 'ltr'), ('qu', 'en', 'ltr'), ('rm', 'en', 'ltr'),
              ('rn', 'en', 'ltr'), ('ro', 'en', 'ltr'), ('ru', 'en', 'ltr'), ('rw', 'en', 'ltr'), ('sa', 'en', 'ltr'),
              ('sc', 'en', 'ltr'), ('sd', 'en', 'rtl'), ('se', 'en', 'ltr'), ('sg', 'en', 'ltr'), ('si', 'en', 'ltr'),
              ('sk', 'en', 'ltr'), ('sl', 'en', 'ltr'), ('sm', 'en', 'ltr'), ('sn', 'en', 'ltr'), ('so', 'en', 'ltr'),
              ('sq', 'en', 'ltr'), ('sr', 'en', 'ltr'), ('ss', 'en', 'ltr'), ('st', 'en', 'ltr'), ('su', 'en', 'ltr'),
              ('sv', 'en', 'ltr'), ('sw', 'en', 'ltr'), ('ta', 'en', 'ltr'), ('te', 'en', 'ltr'), ('tg', 'en', 'ltr'),
              ('th', 'en', 'ltr'), ('ti', 'en', 'ltr'), ('tk', 'en', 'ltr'), ('tl', 'en', 'ltr'), ('tn', 'en', 'ltr'),
              ('to', 'en', 'ltr'), ('tr', 'en', 'ltr'), ('ts', 'en', 'ltr'), ('tt', 'en', 'ltr'), ('tw', 'en', 'ltr'),
              ('ty', 'en', 'ltr'), ('ug', 'en', 'rtl'), ('uk', 'en', 'ltr'), ('ur', 'en', 'rtl'), ('uz', 'en', 'ltr'),
              ('ve', 'en', 'ltr'), ('vi', 'en', 'ltr'), ('vo', 'en', 'ltr'), ('wa', 'en', 'ltr'), ('wo', 'en', 'ltr'),
              ('xh', 'en', 'ltr'), ('yi', 'en', 'rtl'), ('yo', 'en', 'ltr'), ('za', 'en', 'ltr'), ('zh', 'en', 'ltr'),
              ('zu', 'en', 'ltr'), ('en-AU', 'en', 'ltr'), ('en-CA', 'en', 'ltr'), ('en-GB', 'en', 'ltr'),
              ('en-IE', 'en', 'ltr'), ('en-IN', 'en', 'ltr'), ('en-NZ', 'en', 'ltr'), ('en-US', 'en', 'ltr'),
              ('en-ZA', 'en', 'ltr'), ('fr-BE', 'fr', 'ltr'), ('fr-CA', 'fr', 'ltr'), ('fr-CH', 'fr', 'ltr'),
              ('fr-FR', 'fr', 'ltr'), ('fr-LU', 'fr', 'ltr'), ('de-AT', 'de', 'ltr'), ('de-CH', 'de', 'ltr'),
              ('de-DE', 'de', 'ltr'), ('es-419', 'es', 'ltr'), ('es-ES', 'es', 'ltr'), ('it-CH', 'it', 'ltr'),
              ('it-IT', 'it', 'ltr'), ('nl-BE', 'nl', 'ltr'), ('nl-NL', 'nl', 'ltr'), ('pt-BR', 'pt', 'ltr'),
              ('pt-PT', 'pt', 'ltr'), ('sv-FI', 'sv', 'ltr'), ('sv-SE', 'sv', 'ltr'), ('da-DK', 'da', 'ltr'),
              ('nb-NO', 'nb', 'ltr'), ('fi-FI', 'fi', 'ltr'), ('pl-PL', 'pl', 'ltr'), ('cs-CZ', 'cs', 'ltr'),
              ('hu-HU', 'hu', 'ltr'), ('ro-RO', 'ro', 'ltr'), ('el-GR', 'el', 'ltr'), ('tr-TR', 'tr', 'ltr'),
              ('uk-UA', 'uk', 'ltr'), ('ru-RU', 'ru', 'ltr'), ('ja-JP', 'ja', 'ltr'), ('ko-KR', 'ko', 'ltr'),
              ('hi-IN', 'hi', 'ltr'), ('vi-VN', 'vi', 'ltr'), ('th-TH', 'th', 'ltr'), ('id-ID', 'id', 'ltr'),
              ('ar-AE', 'ar', 'rtl'), ('ar-EG', 'ar', 'rtl'), ('ar-MA', 'ar', 'rtl'), ('ar-SA', 'ar', 'rtl'),
              ('he-IL', 'he', 'rtl'), ('fa-IR', 'fa', 'rtl'), ('ur-PK', 'ur', 'rtl'), ('zh-Hans', 'zh', 'ltr'),
              ('sr-Cyrl', 'sr', 'ltr'), ('zh-Hant', 'en', 'ltr'), ('sr-Latn', 'en', 'ltr'),
              ('zh-Hans-CN', 'zh-Hans', 'ltr'), ('zh-Hans-SG', 'zh-Hans', 'ltr'), ('zh-Hant-TW', 'zh-Hant', 'ltr'),
              ('zh-Hant-HK', 'zh-Hant', 'ltr'), ('es-AR', 'es-419', 'ltr'), ('es-CL', 'es-419', 'ltr'),
              ('es-CO', 'es-419', 'ltr'), ('es-MX', 'es-419', 'ltr'), ('es-PE', 'es-419', 'ltr'), ('es-US', 'es-419', 'ltr')) AS reference (tag, parent_tag, direction)
    ON CONFLICT ON CONSTRAINT locales_pkey DO NOTHING;
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
