-- The questions of a music backend, put to real data. What is in none of the files is not asked: codes of recordings,
-- identifiers at Spotify, embeddings, conversations.

-- recently_played --
-- What a customer heard last.
SELECT track_id, listened_at FROM listens WHERE user_id = 130 ORDER BY listened_at DESC LIMIT 50;

-- played_before --
-- The next page: what the customer heard before an instant.
SELECT track_id, listened_at FROM listens WHERE user_id = 130 AND listened_at < '2025-01-01Z' ORDER BY listened_at DESC LIMIT 50;

-- playlist_page --
-- The second page of the list called Grunge.
SELECT rank, track_id FROM playlist_items WHERE user_id = 100 AND playlist_id = 16 AND rank > 10 ORDER BY rank LIMIT 20;

-- playlist_before --
-- What a list of one track held before two more came.
SELECT playlist_insert_v1(100, 18, ARRAY[1, 2]);
SELECT track_id FROM playlist_contents_v1(100, 18, 2);

-- translated_titles --
-- Names in Spanish as it is spoken in Mexico; a genre has no other name than its English one.
SELECT value, locale FROM translate_many_v1('country', ARRAY['DE', 'NA', 'CI'], 'name', 'es-MX')
 UNION ALL
SELECT value, locale FROM translate_many_v1('genre', ARRAY['bossa nova'], 'name', 'es-MX');

-- words_in_french --
-- Names that answer words, by their stems.
SELECT entity_key, value FROM search_translations_v1('républiques démocratiques', 'fr-FR') ORDER BY entity_key;

-- artists_near --
-- Artists from near a village of the Midlands.
SELECT name, round(km) FROM artists_near_v1(52.4, -1.8, 10, 200);

-- nearest_places --
-- The cities nearest to a position beside the date line.
SELECT name, country_code, round(km) FROM nearest_places_v1(-17, 179.9, 3);

-- consent_at_an_instant --
-- Whether a customer took offers: the day before the question, on the day, and two years later.
SELECT consent_at_v1(123, 'marketing', '2021-01-01Z'), consent_at_v1(123, 'marketing', '2022-01-01Z'), consent_at_v1(123, 'marketing', '2025-01-01Z');

-- may_recommend --
-- Whether a customer who was never asked may be profiled.
SELECT may_process_v1(123, 'personalisation'), may_process_v1(123, 'service');

-- who_refused --
-- Who refused, and what.
SELECT * FROM consent WHERE granted = false;

-- who_touched_a_user --
-- The trail of one customer.
SELECT action, actor_type, changed_columns FROM audit_log WHERE entity_type = 'user' AND entity_id = 123 ORDER BY id;

-- events_of_a_month --
-- Purchases of a month.
SELECT count(*), sum((properties ->> 'price')::numeric) FROM analytics WHERE event_name = 'track.purchased' AND created_at >= '2025-03-01Z' AND created_at < '2025-04-01Z';

-- events_of_a_person --
-- What a data subject is told of.
SELECT event_name, created_at FROM analytics WHERE user_id = 130 ORDER BY created_at;

-- an_hour_of_listening --
-- All listening of the first hour of a day.
SELECT count(*), sum(ms_played) FROM listens WHERE listened_at >= '2024-01-01Z' AND listened_at < '2024-01-01 01:00Z';

-- who_listens_to_a_track --
-- How often a track was played.
SELECT count(*) FROM listens WHERE track_id = 1089;

-- titles_with_a_part --
-- Tracks by a part of their title.
SELECT title, source FROM tracks WHERE title ILIKE '%smells like%' ORDER BY id;

-- misspelt_artist --
-- An artist whose name is misspelt.
SELECT name FROM artists WHERE name % 'Irn Maden' ORDER BY similarity(name, 'Irn Maden') DESC LIMIT 5;

-- artists_of_a_genre --
-- Artists of a rare genre.
SELECT name, genres FROM artists WHERE genres @> ARRAY['bossa nova'];

-- tracks_of_an_album --
-- A release of AC/DC in its order.
SELECT title FROM tracks WHERE album_id = 4 ORDER BY disc_number, track_number, id;

-- tracks_of_an_artist --
-- The releases that an artist is credited on, and as what.
SELECT album.title, credit.role, count(*)
  FROM track_artists AS credit
  JOIN tracks AS track ON track.id = credit.track_id
  JOIN albums AS album ON album.id = track.album_id
 WHERE credit.artist_id = 1
   AND track.source = 'chinook'
 GROUP BY album.id, credit.role
 ORDER BY album.id;

-- signing_in --
-- The account of an address, by its keyed hash.
SELECT id FROM find_user_v1(%(hmac)s);

-- in_this_market --
-- A release that is listed nowhere may be played everywhere.
SELECT is_available_v1(4, 'NA'), is_available_v1(99999999, 'NA');

-- features_then --
-- The rank of a song as it was known in a week in between two charts, in a week before its first, and long after.
SELECT (SELECT value FROM features_as_of_v1('track', track.id, ARRAY['hot_100_rank@1'], '2011-06-01Z')),
       (SELECT value FROM features_as_of_v1('track', track.id, ARRAY['hot_100_rank@1'], '2010-06-01Z')),
       (SELECT value FROM features_as_of_v1('track', track.id, ARRAY['hot_100_rank@1'], '2016-06-01Z'))
  FROM tracks AS track
  JOIN track_artists AS credit ON credit.track_id = track.id
  JOIN artists AS artist ON artist.id = credit.artist_id
 WHERE track.title = 'Rolling In The Deep'
   AND artist.name = 'Adele';
