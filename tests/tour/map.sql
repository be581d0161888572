-- The store's data in the tables of the domain. Customer n becomes user n + 100, employee n user n + 200; user 100 is the
-- store. What the domain does not ask for is left behind: addresses, telephones, birthdays, titles of employees.
BEGIN;

INSERT INTO data_sources (code, licence, terms_url, attribution, ml_use_allowed)
VALUES ('chinook', 'MIT', 'https://github.com/lerocha/chinook-database', 'Chinook Database by Luis Rocha', true);

-- The names of genres are texts of the catalogue, to be translated like any other.
INSERT INTO content_translations (entity_type, entity_key, field, locale, value, status, origin)
SELECT 'genre', lower(name), 'name', 'en', name, 'published', 'reference'
  FROM chinook.genre;

-- Chinook gives a genre to each track; an artist has those of its tracks, the most frequent first.
INSERT INTO artists (id, name, sort_name, genres, external_ids, source)
SELECT artist.artist_id, normalize(artist.name), normalize(regexp_replace(artist.name, '^The ', '')),
       coalesce((SELECT array_agg(lower(counted.name) ORDER BY counted.tracks DESC, counted.name)
                   FROM (SELECT genre.name, count(*) AS tracks
                           FROM chinook.album
                           JOIN chinook.track USING (album_id)
                           JOIN chinook.genre USING (genre_id)
                          WHERE album.artist_id = artist.artist_id
                          GROUP BY genre.name) AS counted), '{}'),
       jsonb_build_object('chinook', artist.artist_id::text), 'chinook'
  FROM chinook.artist;

INSERT INTO albums (id, title, external_ids, source)
SELECT album_id, normalize(title), jsonb_build_object('chinook', album_id::text), 'chinook'
  FROM chinook.album;

INSERT INTO tracks (id, album_id, title, duration_ms, external_ids, source)
SELECT track_id, album_id, normalize(name), milliseconds, jsonb_build_object('chinook', track_id::text), 'chinook'
  FROM chinook.track;

INSERT INTO track_artists (track_id, position, artist_id)
SELECT track.track_id, 0, album.artist_id
  FROM chinook.track
  JOIN chinook.album USING (album_id);

-- A composer is credited where the text is the name of an artist; where it lists people, it does not tell who is who.
INSERT INTO track_artists (track_id, position, artist_id, role)
SELECT track.track_id, 1, artist.artist_id, 'composer'
  FROM chinook.track
  JOIN chinook.artist ON artist.name = track.composer;

-- Of where people live the domain keeps the country.
CREATE TEMPORARY VIEW people AS
SELECT person.id, person.email, person.display_name, country.code AS country_code
  FROM (SELECT customer_id + 100, email, first_name || ' ' || last_name, country FROM chinook.customer
         UNION ALL
        SELECT employee_id + 200, email, first_name || ' ' || last_name, country FROM chinook.employee
       ) AS person (id, email, display_name, country)
  LEFT JOIN (VALUES ('USA', 'United States of America'), ('Czech Republic', 'Czechia'),
                    ('United Kingdom', 'United Kingdom of Great Britain and Northern Ireland')) AS spelt (here, there)
    ON spelt.here = person.country
  LEFT JOIN countries AS country ON country.name = coalesce(spelt.there, person.country);

INSERT INTO users (id, display_name)
VALUES (100, 'Chinook');

INSERT INTO users (id, email, display_name, country_code)
SELECT id, email, normalize(display_name), country_code
  FROM people;

INSERT INTO playlists (user_id, id, name, is_public)
SELECT 100, playlist_id, normalize(name), true
  FROM chinook.playlist;

INSERT INTO playlist_items (user_id, playlist_id, rank, track_id)
SELECT 100, playlist_id, row_number() OVER (PARTITION BY playlist_id ORDER BY track_id), track_id
  FROM chinook.playlist_track;

-- An answer is an event, and consent follows. Chinook knows none: here whoever gave a company refused marketing, on the day
-- of the first invoice, and the employee who looks after the customer wrote it down, so that the trail has a person as actor.
DO $tour$
DECLARE
    employee bigint;
BEGIN
    PERFORM set_config('app.actor_type', 'admin', true);
    FOR employee IN SELECT DISTINCT support_rep_id FROM chinook.customer ORDER BY 1 LOOP
        PERFORM set_config('app.user_id', (employee + 200)::text, true);
        INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)
        SELECT customer.customer_id + 100, 'marketing', customer.company IS NULL, '2021-01', 'en', 'import',
               min(invoice.invoice_date) AT TIME ZONE 'UTC'
          FROM chinook.customer
          JOIN chinook.invoice USING (customer_id)
         WHERE customer.support_rep_id = employee
         GROUP BY customer.customer_id, customer.company;
    END LOOP;
    PERFORM set_config('app.user_id', '', true), set_config('app.actor_type', '', true);
END
$tour$;

-- Every line of an invoice of 2025 is a purchase. Events are kept for thirteen months: older ones stay behind.
INSERT INTO analytics (user_id, event_name, properties, country_code, created_at)
SELECT invoice.customer_id + 100, 'track.purchased',
       jsonb_build_object('track_id', line.track_id, 'price', line.unit_price, 'quantity', line.quantity,
                          'invoice_id', line.invoice_id, 'media_type', media_type.name),
       people.country_code, invoice.invoice_date AT TIME ZONE 'UTC'
  FROM chinook.invoice
  JOIN chinook.invoice_line AS line USING (invoice_id)
  JOIN chinook.track USING (track_id)
  JOIN chinook.media_type USING (media_type_id)
  JOIN people ON people.id = invoice.customer_id + 100
 WHERE invoice.invoice_date >= '2025-01-01'
 ORDER BY line.invoice_line_id;

-- Chinook knows what was bought and not what was heard: here a track is heard on the day it is bought, for an unknown time.
-- Listens are kept for twenty-five months, and older ones stay behind.
INSERT INTO listens (user_id, track_id, listened_at, context_type, context_key)
SELECT invoice.customer_id + 100, line.track_id, invoice.invoice_date AT TIME ZONE 'UTC', 'purchase', line.invoice_id::text
  FROM chinook.invoice
  JOIN chinook.invoice_line AS line USING (invoice_id)
 WHERE invoice.invoice_date >= '2023-12-01'
 ORDER BY line.invoice_line_id;

DROP VIEW people;

DO $tour$
BEGIN
    PERFORM setval('artists_id_seq', max(id)) FROM artists;
    PERFORM setval('albums_id_seq', max(id)) FROM albums;
    PERFORM setval('tracks_id_seq', max(id)) FROM tracks;
    PERFORM setval('users_id_seq', max(id)) FROM users;
    PERFORM setval('playlists_id_seq', max(id)) FROM playlists;
END
$tour$;

SET LOCAL client_min_messages = warning;
DROP SCHEMA chinook CASCADE;
COMMIT;
