-- What a music backend asks of its database, each on a million listens.

-- recently_played --
-- The last fifty tracks of the person signed in.
SELECT track_id, listened_at FROM listens WHERE user_id = 7 ORDER BY listened_at DESC LIMIT 50;

-- played_before --
-- The next page: what was played before an instant.
SELECT track_id, listened_at FROM listens WHERE user_id = 7 AND listened_at < now() - INTERVAL '100 days' ORDER BY listened_at DESC LIMIT 50;

-- playlist_page --
-- A page of a playlist, from a rank on.
SELECT rank, track_id FROM playlist_items WHERE user_id = 7 AND playlist_id = 7 AND rank > 20 ORDER BY rank LIMIT 20;

-- playlist_before --
-- What a playlist held at an earlier version.
SELECT place, track_id FROM playlist_contents_v1(7, 7, 2);

-- translated_titles --
-- The titles of a page, in French as far as they are translated.
SELECT entity_key, value FROM translate_many_v1('track', ARRAY['10', '20', '31'], 'title', 'fr-CA');

-- words_in_french --
-- Texts that answer words, by their stems.
SELECT entity_key, value FROM search_translations_v1('chanson 4242', 'fr-FR');

-- tracks_like_this --
-- Tracks that sound like one.
SELECT track_id FROM similar_tracks_v1(10, (SELECT max(id) FROM model_versions), 10);

-- artists_near --
-- Artists from near a place.
SELECT artist_id, km FROM artists_near_v1(48.85, 2.35, 10, 500);

-- nearest_places --
-- The places nearest to a position.
SELECT place_id, km FROM nearest_places_v1(-17, 179.9, 5);

-- consent_at_an_instant --
-- Whether a consent held when something was done.
SELECT consent_at_v1(7, 'analytics', now() - INTERVAL '30 days');

-- may_recommend --
-- Whether a person may be profiled now.
SELECT may_process_v1(7, 'personalisation');

-- who_refused --
-- Who refused, and what.
SELECT * FROM consent WHERE granted = false;

-- who_touched_a_user --
-- The trail of one person.
SELECT * FROM audit_log WHERE entity_type = 'user' AND entity_id = 123;

-- events_of_a_month --
-- How often something happened in a month.
SELECT count(*) FROM analytics WHERE event_name = 'search.done' AND created_at >= now() - INTERVAL '20 days' AND created_at < now() - INTERVAL '10 days';

-- events_of_a_person --
-- What a data subject is told of.
SELECT event_name, created_at FROM analytics WHERE user_id = 7 ORDER BY created_at;

-- an_hour_of_listening --
-- All listening of an hour, however much there is before and after.
SELECT count(*), sum(ms_played) FROM listens WHERE listened_at >= now() - INTERVAL '2 hours' AND listened_at < now() - INTERVAL '1 hour';

-- who_listens_to_a_track --
-- How often a track was played.
SELECT count(*) FROM listens WHERE track_id = 4242;

-- titles_with_a_part --
-- Tracks by a part of their title.
SELECT id FROM tracks WHERE title ILIKE '%night in tun%';

-- misspelt_artist --
-- An artist whose name is misspelt.
SELECT id FROM artists WHERE name % 'Beyonse' ORDER BY similarity(name, 'Beyonse') DESC LIMIT 5;

-- artists_of_a_genre --
-- Artists of a rare genre.
SELECT id FROM artists WHERE genres @> ARRAY['zydeco'];

-- tracks_of_an_album --
-- A release in its order.
SELECT id, title FROM tracks WHERE album_id = 77 ORDER BY disc_number, track_number;

-- tracks_of_an_artist --
-- What an artist is credited on.
SELECT track_id FROM track_artists WHERE artist_id = 77;

-- track_by_its_code --
-- The recordings that share a code.
SELECT id FROM tracks WHERE isrc = 'FRZ039800212';

-- track_by_its_spotify_id --
-- A track as another catalogue calls it.
SELECT id FROM tracks WHERE external_ids ? 'spotify' AND external_ids ->> 'spotify' = 'sp4242';

-- signing_in --
-- The account of an address, by its keyed hash.
SELECT id FROM find_user_v1(sha256('person7'));

-- in_this_market --
-- Whether a track may be played in a country.
SELECT is_available_v1(4242, 'FR');

-- features_then --
-- What was known of a person when a model was trained.
SELECT * FROM features_as_of_v1('user', 7, ARRAY['mood@1'], now() - INTERVAL '5 days');

-- last_messages --
-- The end of a conversation.
SELECT seq, role FROM agent_messages WHERE user_id = 7 AND conversation_id = 7 ORDER BY seq DESC LIMIT 10;
