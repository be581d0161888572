-- The cities of GeoNames, and the names of countries in four more languages of the United Nations.
BEGIN;

INSERT INTO content_translations (entity_type, entity_key, field, locale, value, status, origin)
SELECT 'country', country."ISO3166-1-Alpha-2", 'name', named.locale, normalize(named.value), 'published', 'reference'
  FROM files.country_codes AS country
 CROSS JOIN LATERAL (VALUES ('ar', country.official_name_ar), ('es', country.official_name_es),
                            ('ru', country.official_name_ru), ('zh', country.official_name_cn)) AS named (locale, value);

-- A city names its country as CLDR does, or the United Nations, or in one of these ways. Kosovo, which the file does not name,
-- has no code in ISO 3166-1, and so no country here.
INSERT INTO places (name, country_code, subdivision, geonames_id, source)
SELECT normalize(city.name), coalesce(spelt.code, country.code), normalize(city.subcountry), city.geonameid::bigint, 'geonames'
  FROM files.world_cities AS city
  LEFT JOIN (SELECT "CLDR display name", "ISO3166-1-Alpha-2" FROM files.country_codes
              UNION
             SELECT official_name_en, "ISO3166-1-Alpha-2" FROM files.country_codes) AS country (name, code)
    ON country.name = city.country
  LEFT JOIN (VALUES ('Bolivia, Plurinational State of', 'BO'),
                    ('Congo, The Democratic Republic of the', 'CD'),
                    ('Côte d''Ivoire', 'CI'),
                    ('Falkland Islands (Malvinas)', 'FK'),
                    ('Micronesia, Federated States of', 'FM'),
                    ('United Kingdom', 'GB'),
                    ('Iran, Islamic Republic of', 'IR'),
                    ('Korea, Democratic People''s Republic of', 'KP'),
                    ('Korea, Republic of', 'KR'),
                    ('Moldova, Republic of', 'MD'),
                    ('Saint Martin (French part)', 'MF'),
                    ('Palestine, State of', 'PS'),
                    ('Saint Helena, Ascension and Tristan da Cunha', 'SH'),
                    ('Svalbard and Jan Mayen', 'SJ'),
                    ('Taiwan, Province of China', 'TW'),
                    ('Tanzania, United Republic of', 'TZ'),
                    ('United States', 'US'),
                    ('Holy See (Vatican City State)', 'VA'),
                    ('Venezuela, Bolivarian Republic of', 'VE'),
                    ('Virgin Islands, British', 'VG'),
                    ('Virgin Islands, U.S.', 'VI'),
                    ('Wallis and Futuna', 'WF')) AS spelt (country, code)
    ON spelt.country = city.country;

-- The file has no positions, and no file says where an artist is from: these are written down here, to a hundredth of a degree.
UPDATE places AS place
   SET latitude = known.latitude,
       longitude = known.longitude
  FROM (VALUES (2147714, -33.87, 151.21), (3390760, -8.05, -34.88), (3448439, -23.55, -46.63), (3450554, -12.97, -38.50),
               (3451190, -22.91, -43.17), (3469058, -15.79, -47.88), (6167865, 43.65, -79.38), (2910831, 52.37, 9.73),
               (658225, 60.17, 24.94), (2198148, -18.14, 178.44), (2988507, 48.85, 2.35), (2643743, 51.51, -0.13),
               (2644210, 53.41, -2.98), (2648579, 55.86, -4.25), (2650225, 55.95, -3.20), (2655603, 52.48, -1.90),
               (2964574, 53.33, -6.25), (3413829, 64.15, -21.94), (3489854, 17.97, -76.79), (2179537, -41.29, 174.78),
               (2193733, -36.85, 174.76), (2267057, 38.72, -9.14), (2253354, 14.69, -17.44), (4032402, -21.14, -175.20),
               (4180386, 33.96, -83.38), (5128581, 40.71, -74.01), (5368361, 34.05, -118.24), (5809844, 47.61, -122.33),
               (4035413, -13.83, -171.77)) AS known (geonames_id, latitude, longitude)
 WHERE place.geonames_id = known.geonames_id;

UPDATE artists AS artist
   SET place_id = place.id,
       country_code = place.country_code
  FROM (VALUES ('AC/DC', 2147714), ('Chico Science & Nação Zumbi', 3390760), ('Titãs', 3448439), ('Olodum', 3450554),
               ('Barão Vermelho', 3451190), ('Legião Urbana', 3469058), ('Rush', 6167865), ('Scorpions', 2910831),
               ('Apocalyptica', 658225), ('Iron Maiden', 2643743), ('Queen', 2643743), ('Black Sabbath', 2655603),
               ('Judas Priest', 2655603), ('UB40', 2655603), ('U2', 2964574), ('R.E.M.', 4180386), ('Kiss', 5128581),
               ('Guns N'' Roses', 5368361), ('Pearl Jam', 5809844), ('Soundgarden', 5809844), ('Youssou N''Dour', 2253354)
       ) AS home (artist, geonames_id)
  JOIN places AS place ON place.geonames_id = home.geonames_id
 WHERE artist.name = home.artist;

COMMIT;
