-- The tables that the statements are about, as they stand in production: filled, indexed, referenced.
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN given AS text NOT NULL;
CREATE DOMAIN word AS text;
CREATE DOMAIN number AS integer;
CREATE DOMAIN waiting AS integer;
ALTER DOMAIN waiting ADD CONSTRAINT waiting_check CHECK (VALUE > 0) NOT VALID;
CREATE TYPE mood AS ENUM ('calm', 'loud');
CREATE SEQUENCE ticket;
CREATE FUNCTION always_one() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION usually_one() RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION maybe_one() RETURNS integer LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';

CREATE TABLE label (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE artist (id bigint PRIMARY KEY, name text NOT NULL, label_id bigint, born date);
CREATE TABLE album (
    id        bigint PRIMARY KEY,
    artist_id bigint NOT NULL CONSTRAINT album_artist_id_fkey REFERENCES artist,
    label_id  bigint,
    title     text   NOT NULL
);
ALTER TABLE album ADD CONSTRAINT album_label_id_fkey FOREIGN KEY (label_id) REFERENCES label NOT VALID;
CREATE TABLE track (
    id         bigint       NOT NULL CONSTRAINT track_pkey PRIMARY KEY,
    album_id   bigint,
    title      varchar(100) NOT NULL,
    isrc       varchar(12),
    code       char(10),
    price      numeric(6, 2),
    seconds    integer,
    plays      integer      NOT NULL DEFAULT 0,
    rating     smallint,
    tempo      real,
    added_at   timestamp,
    sent_at    timestamp,
    short_at   timestamp(3),
    heard_at   timestamptz,
    starts     time(0),
    lasts      interval(3),
    flags      bit(8),
    mask       bit varying(8),
    network    cidr,
    host       inet,
    document   json,
    extra      jsonb,
    feeling    mood,
    genre      word,
    quantity   number,
    later      waiting,
    sorted     text,
    unsorted   text,
    checked    varchar(10)  CONSTRAINT track_checked_check CHECK (checked <> ''),
    proved     integer      CONSTRAINT track_proved_check CHECK (proved IS NOT NULL),
    helped     integer      CONSTRAINT track_helped_check CHECK (helped IS NOT NULL),
    weaker     integer      CONSTRAINT track_weaker_check CHECK (weaker > 0),
    doubtful   integer,
    hoped      integer,
    doubled    bigint       GENERATED ALWAYS AS (album_id * 2) STORED
);
ALTER TABLE track ADD CONSTRAINT track_doubtful_check CHECK (doubtful IS NOT NULL) NOT VALID;
ALTER TABLE track ADD CONSTRAINT track_price_check CHECK (price > 0) NOT VALID;
ALTER TABLE track ADD CONSTRAINT track_album_id_fkey FOREIGN KEY (album_id) REFERENCES album NOT VALID;
DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 180000 THEN
        EXECUTE 'ALTER TABLE track ADD CONSTRAINT track_hoped_given NOT NULL hoped NOT VALID';
    END IF;
END $$;
CREATE INDEX track_added_at_idx ON track (added_at);
CREATE INDEX track_title_idx ON track (title);
CREATE INDEX track_sorted_idx ON track (sorted);
CREATE STATISTICS track_statistics ON plays, seconds FROM track;
CREATE TRIGGER track_touched BEFORE UPDATE ON track FOR EACH ROW EXECUTE FUNCTION touched();
ALTER TABLE track ENABLE ROW LEVEL SECURITY;
CREATE POLICY track_all ON track USING (true);
CREATE VIEW young_artist AS SELECT id, name FROM artist WHERE born > '2000-01-01';

-- Without a primary key, and with two unique indexes of which only one could become one without a scan.
CREATE TABLE play (number bigint NOT NULL, code bigint, track_id bigint, span int4range);
CREATE UNIQUE INDEX play_number_idx ON play (number);
CREATE UNIQUE INDEX play_code_idx ON play (code);
ALTER TABLE play SET (autovacuum_enabled = off);
CREATE MATERIALIZED VIEW top_track AS SELECT number AS id, track_id FROM play;
CREATE UNIQUE INDEX top_track_id_idx ON top_track (id);
CREATE UNLOGGED TABLE scratch (id bigint PRIMARY KEY);

CREATE TABLE listen (at date NOT NULL, track_id bigint) PARTITION BY RANGE (at);
CREATE TABLE listen_2024 PARTITION OF listen FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE listen_other PARTITION OF listen DEFAULT;
CREATE TABLE listen_2025 (at date NOT NULL, track_id bigint);
CREATE TABLE listen_2026 (at date NOT NULL CHECK (at >= '2026-01-01' AND at < '2027-01-01'), track_id bigint);
CREATE TABLE skip (at date NOT NULL, track_id bigint) PARTITION BY RANGE (at);
CREATE TABLE skip_2024 PARTITION OF skip FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE skip_2025 (at date NOT NULL, track_id bigint);
CREATE TABLE skip_2026 (at date NOT NULL CHECK (at >= '2026-01-01' AND at < '2027-01-01'), track_id bigint);
CREATE INDEX skip_track_id_idx ON ONLY skip (track_id);
CREATE INDEX skip_2024_track_id_idx ON skip_2024 (track_id);
CREATE INDEX skip_2025_track_id_idx ON skip_2025 (track_id);
CREATE INDEX skip_2026_track_id_idx ON skip_2026 (track_id);
CREATE TABLE parent (id bigint);
CREATE TABLE child (id bigint);
CREATE TABLE heir () INHERITS (parent);
CREATE SCHEMA archive;
CREATE TABLE archive.old_track (id bigint);
