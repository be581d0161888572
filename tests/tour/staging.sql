-- Tables with the columns of Chinook's CSV files, to import them as they are.
CREATE SCHEMA chinook;

CREATE TABLE chinook.genre (genre_id bigint, name text);
CREATE TABLE chinook.media_type (media_type_id bigint, name text);
CREATE TABLE chinook.employee (
    employee_id bigint, last_name text, first_name text, title text, reports_to bigint, birth_date timestamp,
    hire_date timestamp, address text, city text, state text, country text, postal_code text, phone text, fax text,
    email text
);
CREATE TABLE chinook.artist (artist_id bigint, name text);
CREATE TABLE chinook.album (album_id bigint, title text, artist_id bigint);
CREATE TABLE chinook.track (
    track_id bigint, name text, album_id bigint, media_type_id bigint, genre_id bigint, composer text,
    milliseconds integer, bytes bigint, unit_price numeric
);
CREATE TABLE chinook.playlist (playlist_id bigint, name text);
CREATE TABLE chinook.playlist_track (playlist_id bigint, track_id bigint);
CREATE TABLE chinook.customer (
    customer_id bigint, first_name text, last_name text, company text, address text, city text, state text,
    country text, postal_code text, phone text, fax text, email text, support_rep_id bigint
);
CREATE TABLE chinook.invoice (
    invoice_id bigint, customer_id bigint, invoice_date timestamp, billing_address text, billing_city text,
    billing_state text, billing_country text, billing_postal_code text, total numeric
);
CREATE TABLE chinook.invoice_line (
    invoice_line_id bigint, invoice_id bigint, track_id bigint, unit_price numeric, quantity integer
);
