-- The store's data in the tables of the domain. Customer n becomes user n + 100; user 100 is the store.
BEGIN;

INSERT INTO data_sources (code, licence, terms_url, attribution)
VALUES ('chinook', 'MIT', 'https://github.com/lerocha/chinook-database', 'Chinook Database by Luis Rocha');

INSERT INTO artists (id, name, sort_name, source)
SELECT artist_id, normalize(name), normalize(regexp_replace(name, '^The ', '')), 'chinook'
  FROM chinook.artist;

INSERT INTO albums (id, title, source)
SELECT album_id, normalize(title), 'chinook'
  FROM chinook.album;

INSERT INTO tracks (id, album_id, title, duration_ms, source)
SELECT track_id, album_id, normalize(name), milliseconds, 'chinook'
  FROM chinook.track;

INSERT INTO track_artists (track_id, position, artist_id)
SELECT track.track_id, 0, album.artist_id
  FROM chinook.track
  JOIN chinook.album USING (album_id);

INSERT INTO users (id, display_name)
VALUES (100, 'Chinook');

INSERT INTO users (id, email, display_name)
SELECT customer_id + 100, email, normalize(first_name || ' ' || last_name)
  FROM chinook.customer;

INSERT INTO playlists (user_id, id, name, is_public)
SELECT 100, playlist_id, normalize(name), true
  FROM chinook.playlist;

INSERT INTO playlist_items (user_id, playlist_id, rank, track_id)
SELECT 100, playlist_id, row_number() OVER (PARTITION BY playlist_id ORDER BY track_id), track_id
  FROM chinook.playlist_track;

-- An answer is an event, and consent follows. Chinook knows none: here whoever gave a company refused marketing, on the day of the first invoice.
INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)
SELECT customer.customer_id + 100, 'marketing', customer.company IS NULL, '2021-01', 'en', 'import',
       min(invoice.invoice_date) AT TIME ZONE 'UTC'
  FROM chinook.customer
  JOIN chinook.invoice USING (customer_id)
 GROUP BY customer.customer_id, customer.company;

-- Every line of an invoice of 2025 is a purchase.
INSERT INTO analytics (user_id, event_name, properties, created_at)
SELECT invoice.customer_id + 100, 'track.purchased',
       jsonb_build_object('track_id', line.track_id, 'price', line.unit_price),
       invoice.invoice_date AT TIME ZONE 'UTC'
  FROM chinook.invoice
  JOIN chinook.invoice_line AS line USING (invoice_id)
 WHERE invoice.invoice_date >= '2025-01-01'
 ORDER BY line.invoice_line_id;

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
