-- Rows in number, without triggers and foreign keys looking at each: they are consistent as they are made.
SET session_replication_role = replica;

INSERT INTO users (id, email, email_hmac, display_name)
SELECT n, 'person' || n || '@example.org', sha256(('person' || n)::bytea), 'Person ' || n FROM generate_series(1, 20000) AS n;
INSERT INTO ops.pseudonyms (user_id) SELECT id FROM users;
INSERT INTO places (name, country_code, latitude, longitude, source)
SELECT 'Place ' || n, 'FR', degrees(asin(2 * ((n * 7919) % 20011) / 20011.0 - 1)), (n * 104729) % 360000 / 1000.0 - 180, 'geonames'
  FROM generate_series(1, 20000) AS n;
INSERT INTO artists (id, name, sort_name, genres, place_id, source)
SELECT n, CASE n WHEN 777 THEN 'Beyoncé' ELSE initcap(translate(md5(n::text), '0123456789', 'ghijklmnop')) END, n, CASE WHEN n % 5000 = 0 THEN '{zydeco}' ELSE '{rock,pop}' END::text[], n, 'internal'
  FROM generate_series(1, 20000) AS n;
INSERT INTO albums (id, title, source) SELECT n, 'Album ' || n, 'internal' FROM generate_series(1, 5000) AS n;
INSERT INTO tracks (id, album_id, title, isrc, track_number, disc_number, external_ids, source)
SELECT n, n % 5000 + 1, CASE n WHEN 4242 THEN 'A night in Tunisia' ELSE 'Song ' || md5(n::text) END, 'FRZ03' || lpad(((n * 7) % 10000000)::text, 7, '0'), n / 5000 + 1, 1,
       CASE WHEN n % 2 = 0 THEN jsonb_build_object('spotify', 'sp' || n) ELSE '{}' END, 'internal'
  FROM generate_series(1, 50000) AS n;
UPDATE tracks SET isrc = 'FRZ039800212' WHERE id = 4242;
INSERT INTO track_artists (track_id, position, artist_id) SELECT n, 0, n % 20000 + 1 FROM generate_series(1, 50000) AS n;
INSERT INTO market_availability (album_id, country_code, available, source)
SELECT album, code, '[2020-01-01,)', 'internal' FROM generate_series(1, 5000) AS album, unnest(ARRAY['FR', 'DE', 'US']) AS code;
INSERT INTO listens (user_id, track_id, listened_at, ms_played)
SELECT (n::bigint * 7919) % 20000 + 1, (n::bigint * n) % 50000 + 1, now() - (1000000 - n) * INTERVAL '20 seconds', n % 300000
  FROM generate_series(1, 1000000) AS n;
INSERT INTO analytics (user_id, event_name, created_at)
SELECT (n::bigint * 104729) % 20000 + 1, (ARRAY['track.played', 'track.skipped', 'search.done', 'ad.seen'])[n % 4 + 1],
       now() - (300000 - n) * INTERVAL '90 seconds'
  FROM generate_series(1, 300000) AS n;
INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at)
SELECT id, purpose, true, '1', 'en', 'web', now() - round * INTERVAL '20 days'
  FROM users, unnest(ARRAY['analytics', 'personalisation']) AS purpose, generate_series(1, 2) AS round;
INSERT INTO consent (user_id, purpose, granted, policy_version, locale, channel, recorded_at)
SELECT id, purpose, id % 500 <> 0, '1', 'en', 'web', now() - INTERVAL '20 days'
  FROM users, unnest(ARRAY['analytics', 'personalisation']) AS purpose;
INSERT INTO content_translations (entity_type, entity_key, field, locale, value, status)
SELECT 'track', n::text, 'title', 'fr', 'La chanson ' || n, 'published' FROM generate_series(2, 50000, 2) AS n;
INSERT INTO audit_log (entity_id, entity_type, action, actor_type)
SELECT n % 20000 + 1, 'user', 'update', 'service' FROM generate_series(1, 200000) AS n;
INSERT INTO feature_definitions (name, version, entity, dtype, description, source) VALUES ('mood', 1, 'user', 'number', 'd', 'internal');
INSERT INTO user_features (user_id, feature, event_at, created_at, value)
SELECT id, 'mood@1', now() - day * INTERVAL '1 day', now() - day * INTERVAL '1 day', '1' FROM users, generate_series(1, 5) AS day;
INSERT INTO agent_conversations (user_id, id, agent, locale) SELECT id, id, 'dj', 'en' FROM users;
INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts)
SELECT id, id, seq, 'user', '[]' FROM users, generate_series(1, 5) AS seq;

SET session_replication_role = origin;
INSERT INTO playlists (user_id, id, name) SELECT id, id, 'List' FROM users;
INSERT INTO playlist_items (user_id, playlist_id, rank, track_id)
SELECT 7 + n % 500, 7 + n % 500, n / 500, n % 50000 + 1 FROM generate_series(1, 50000) AS n;
SELECT playlist_insert_v1(7, 7, ARRAY[1, 2, 3], 0);
INSERT INTO ai_models (name, task, owner, description) VALUES ('ear', 'embedding', 'team', 'd');
INSERT INTO model_versions (model_id, version, dimensions, status) SELECT max(id), 1, 16, 'ready' FROM ai_models;
SELECT add_embedding_partition_v1((SELECT max(id) FROM model_versions));
INSERT INTO track_embeddings (track_id, model_version_id, embedding, content_hash, source)
SELECT n, (SELECT max(id) FROM model_versions), ARRAY(SELECT sin(n * place)::real FROM generate_series(1, 16) AS place), sha256('x'), 'internal'
  FROM generate_series(1, 5000) AS n;
