-- As many rows as the setting tests.rows says, in every table.
INSERT INTO label SELECT n, 'label' FROM generate_series(1, 10) AS n;
INSERT INTO artist SELECT n, 'artist', 1, '2000-01-01'
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO album SELECT n, 1, 1, 'album'
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO track (
    id, album_id, title, isrc, code, price, seconds, rating, tempo, added_at, sent_at, short_at, heard_at, starts,
    lasts, flags, mask, network, host, document, extra, feeling, genre, quantity, later, sorted, unsorted, checked,
    proved, helped, weaker, doubtful, hoped)
SELECT n, 1 + n % 100, 'title', '1', '1', 0.5, 200, 1, 1, '2024-01-01', '2024-01-01', '2024-01-01', '2024-01-01',
       '12:00', '1 minute', B'00000001', B'1', '10.0.0.0/8', '10.0.0.0/8', '{}', '{}', 'calm', 'rock', 1, 1, 'a', 'a',
       'a', 1, 1, 1, 1, 1
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO play SELECT n, n, 1, int4range(n, n + 1)
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO scratch SELECT n FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO listen SELECT date '2030-01-01' + n % 300, 1
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO listen SELECT date '2024-01-01' + n % 300, 1
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO listen_2025 SELECT date '2025-01-01' + n % 300, 1
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO listen_2026 SELECT date '2026-01-01' + n % 300, 1
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO skip SELECT date '2024-01-01' + n % 300, n
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO skip_2025 SELECT date '2025-01-01' + n % 300, 1
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO skip_2026 SELECT date '2026-01-01' + n % 300, 1
  FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO parent SELECT n FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO child SELECT n FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO heir SELECT n FROM generate_series(1, current_setting('tests.rows')::integer) AS n;
INSERT INTO archive.old_track SELECT n FROM generate_series(1, 100) AS n;
REFRESH MATERIALIZED VIEW top_track;
ANALYZE;
