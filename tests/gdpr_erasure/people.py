"""Two people who share whatever two people can share, with numbers that are found in no other text."""

from __future__ import annotations

import json
import pathlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support import rows


@dataclass(frozen=True)
class Entangled:
    """One of the two: their numbers, and everything that identifies them."""

    id: int
    playlist: int
    conversation: int
    identifiers: tuple[str, ...]


ADA = Entangled(
    880_000_222, 660_000_111, 550_000_111,
    ("880000222", "660000111", "550000111", "ada.lovelace", "Ada Lovelace", "Calculating", "ada-at-spotify", "engines"),
)  # fmt: skip
BOB = Entangled(
    770_000_111, 440_000_222, 330_000_222,
    ("770000111", "440000222", "330000222", "bob.dobbs", "Bob Dobbs", "Slackness", "bob-at-spotify", "pipes"),
)  # fmt: skip

_PEOPLE = """
INSERT INTO users (id, email, email_hmac, display_name, locale, country_code) VALUES
    (880000222, 'ada.lovelace@example.org', decode(repeat('ac', 32), 'hex'), 'Ada Lovelace', 'fr', NULL),
    (770000111, 'bob.dobbs@example.org', decode(repeat('cd', 32), 'hex'), 'Bob Dobbs', 'en', NULL);
INSERT INTO user_identities (user_id, provider, provider_user_id, scopes, access_token_enc, refresh_token_enc, key_id) VALUES
    (880000222, 'spotify', 'ada-at-spotify', '{read,write}', 'ada-opens-with-this', 'ada-again-with-this', 'k1'),
    (770000111, 'spotify', 'bob-at-spotify', '{read}', 'bob-opens-with-this', NULL, 'k1');
SELECT record_consent_v1(880000222, 'analytics', true, 'v1', 'fr', 'web');
SELECT record_consent_v1(880000222, 'analytics', false, 'v1', 'fr', 'web');
SELECT record_consent_v1(770000111, 'personalisation', true, 'v1', 'en', 'ios');

INSERT INTO tracks (id, title, source) VALUES (10001, 'Danse des engrenages', 'internal'), (10002, 'Smoke', 'internal'), (10003, 'Unheard', 'internal');
INSERT INTO playlists (user_id, id, name, collaborative) VALUES
    (880000222, 660000111, 'Calculating', true), (770000111, 440000222, 'Slackness', true);
INSERT INTO playlist_collaborators (user_id, playlist_id, collaborator_id) VALUES
    (880000222, 660000111, 770000111), (770000111, 440000222, 880000222);
INSERT INTO playlist_items (user_id, playlist_id, rank, track_id, added_by) VALUES
    (880000222, 660000111, 1, 10001, 880000222), (880000222, 660000111, 2, 10002, 770000111),
    (770000111, 440000222, 1, 10001, 880000222), (770000111, 440000222, 2, 10002, 770000111);
DELETE FROM playlist_items WHERE rank = 2;
INSERT INTO listens (user_id, id, track_id, listened_at, ms_played) VALUES
    (880000222, 1, 10001, '2026-01-31 12:00+00', 1), (770000111, 2, 10002, '2026-01-31 13:00+00', 2);
INSERT INTO analytics (user_id, id, event_name, properties) VALUES
    (880000222, 1, 'track.played', '{"n": 12345678901234567890.125}'), (770000111, 2, 'track.played', '{}'), (0, 3, 'nobody.did', '{}');

INSERT INTO ai_models (id, name, task, owner, description) VALUES (1, 'chooser', 'recommender', 'ml', 'chooses');
INSERT INTO model_versions (id, model_id, version, status) VALUES (1, 1, 1, 'ready');
INSERT INTO agent_conversations (user_id, id, agent, title, locale) VALUES
    (880000222, 550000111, 'dj', 'engines', 'fr'), (770000111, 330000222, 'dj', 'pipes', 'en');
INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts, model_version_id) VALUES
    (880000222, 550000111, 1, 'user', '[{"type": "text", "text": "play engines"}]', NULL), (880000222, 550000111, 2, 'assistant', '[]', 1),
    (770000111, 330000222, 1, 'user', '[{"type": "text", "text": "play pipes"}]', NULL), (770000111, 330000222, 2, 'assistant', '[]', 1);
INSERT INTO agent_tool_calls (user_id, conversation_id, seq, call_id, tool_name, arguments) VALUES
    (880000222, 550000111, 2, 'c1', 'share', '{"with": [770000111, 880000222], "n": 1.10}'),
    (770000111, 330000222, 2, 'c2', 'share', '{"with": ["880000222"], "about": "pipes"}');
SET app.user_id = 770000111;
SELECT decide_tool_call_v1(880000222, 550000111, 2, 'c1', true);
SET app.user_id = 880000222;
SELECT decide_tool_call_v1(770000111, 330000222, 2, 'c2', true);
RESET app.user_id;
INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, json_path, own_columns, note) VALUES
    ('public.agent_tool_calls', '{arguments}', 'public.users', '{id}', 'json', '$.with[*]', '{}', 'names people, and is about none of them');

INSERT INTO recommendations (user_id, id, model_version_id, surface, items, profiling_used, feedback) VALUES
    (880000222, 1, 1, 'home', '[{"track": 10001, "reasons": ["profiling_not_used"]}]', false, 1),
    (770000111, 2, 1, 'home', '[{"track": 10002, "reasons": ["profiling_not_used"]}]', false, NULL);
INSERT INTO feature_definitions (name, version, entity, dtype, description, source) VALUES ('taste', 1, 'user', 'number', 'what is liked', 'internal');
INSERT INTO user_features (user_id, feature, event_at, value) VALUES
    (880000222, 'taste@1', '2026-01-01+00', '0.25'), (770000111, 'taste@1', '2026-01-01+00', '0.75');
"""


def bring_in(url: str) -> None:
    """Put the two into a database."""
    rows(url, _PEOPLE)


def files_of(export: pathlib.Path) -> Mapping[str, str]:
    """The text of every file of an export, by its name in it."""
    if export.is_dir():
        return {
            str(file.relative_to(export)): file.read_bytes().decode()
            for file in sorted(export.rglob("*"))
            if file.is_file()
        }
    with zipfile.ZipFile(export) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def table_of(files: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    """The rows of a table, from its JSON."""
    return list(json.loads(files[f"data/{name}.json"]))
