-- Songs of the charts and of the radio, each with a release of its own, and the rank of each in each week.
BEGIN;

INSERT INTO data_sources (code, licence, terms_url, attribution, ml_use_allowed)
VALUES ('hot-100', 'MIT', 'https://github.com/utdata/rwd-billboard-data', 'UT Data', true),
       ('classic-rock', 'CC-BY-4.0', 'https://github.com/fivethirtyeight/data', 'FiveThirtyEight', true);

-- The radio's list gives a year, where it gives one. When a song was first in the charts is not when it was released.
CREATE TEMPORARY TABLE song ON COMMIT DROP AS
SELECT nextval('albums_id_seq') AS album_id, nextval('tracks_id_seq') AS track_id, listed.*
  FROM (SELECT DISTINCT normalize(title) AS title, normalize(artist) AS credit, NULL::date AS released, 'hot-100' AS source
          FROM files.hot_100
         UNION ALL
        SELECT normalize("Song Clean"), normalize("ARTIST CLEAN"),
               CASE WHEN "Release Year" ~ '^(19|20)[0-9]{2}$' THEN make_date("Release Year"::integer, 1, 1) END, 'classic-rock'
          FROM files.classic_rock_song_list) AS listed;

-- A guest is whoever stands behind "Featuring". "&", "And" and "With" may join two artists or be part of the name of one.
CREATE TEMPORARY TABLE credit ON COMMIT DROP AS
SELECT song.track_id, song.source, part.place - 1 AS position, part.name, coalesce(joined.phrase[1], '') AS join_phrase
  FROM song
 CROSS JOIN LATERAL regexp_split_to_table(song.credit, ' (?:Featuring|Feat\.) ') WITH ORDINALITY AS part (name, place)
  LEFT JOIN LATERAL regexp_matches(song.credit, ' (?:Featuring|Feat\.) ', 'g') WITH ORDINALITY AS joined (phrase, place)
    ON joined.place = part.place;

INSERT INTO artists (name, sort_name, source)
SELECT DISTINCT ON (lower(credit.name)) credit.name, regexp_replace(credit.name, '^The ', ''), credit.source
  FROM credit
 WHERE lower(credit.name) NOT IN (SELECT lower(name) FROM artists)
 ORDER BY lower(credit.name), credit.name, credit.source;

INSERT INTO albums (id, title, album_type, release_date, release_date_precision, source)
SELECT album_id, title, 'single', released, CASE WHEN released IS NOT NULL THEN 'year' END, source
  FROM song;

INSERT INTO tracks (id, album_id, title, source)
SELECT track_id, album_id, title, source
  FROM song;

INSERT INTO track_artists (track_id, position, artist_id, role, credited_as, join_phrase)
SELECT credit.track_id, credit.position, artist.id, CASE credit.position WHEN 0 THEN 'main' ELSE 'featured' END,
       nullif(credit.name, artist.name), credit.join_phrase
  FROM credit
  JOIN artists AS artist ON lower(artist.name) = lower(credit.name);

-- The rank was known in the week of the chart. The other numbers of a row follow from the charts before it.
INSERT INTO feature_definitions (name, version, entity, dtype, description, source)
VALUES ('hot_100_rank', 1, 'track', 'number', 'Rank in the Hot 100 of a week', 'hot-100');

INSERT INTO track_features (track_id, feature, event_at, created_at, value)
SELECT song.track_id, 'hot_100_rank@1', week.began, week.began, to_jsonb(chart.current::integer)
  FROM files.hot_100 AS chart
 CROSS JOIN LATERAL (SELECT chart.date::timestamp AT TIME ZONE 'UTC') AS week (began)
  JOIN song ON song.title = normalize(chart.title) AND song.credit = normalize(chart.artist) AND song.source = 'hot-100';

COMMIT;
