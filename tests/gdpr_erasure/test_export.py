"""An export holds every row of its person, nothing of anybody else, and says what it is."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pathlib
import stat

import pytest
from gdpr_erasure.people import ADA, BOB, Entangled, files_of, table_of

from spotify_ai_agent_migrations.versions.gdpr_erasure.export import export_subject
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.looks import Looks
from support import rows

WITHHELD = "[withheld]"
# Whose row it is stands in the first of these columns; the others tell rows of one person apart.
OWN_KEYS = {
    "users": ("id",),
    "user_identities": ("user_id", "provider"),
    "consent": ("user_id", "purpose"),
    "consent_events": ("user_id", "id"),
    "playlists": ("user_id", "id"),
    "playlist_items": ("user_id", "playlist_id", "rank"),
    "playlist_item_versions": ("user_id", "playlist_id", "rank", "since_snapshot"),
    "playlist_snapshots": ("user_id", "playlist_id", "snapshot_id"),
    "listens": ("user_id", "id"),
    "analytics": ("user_id", "id"),
    "agent_conversations": ("user_id", "id"),
    "agent_messages": ("user_id", "conversation_id", "seq"),
    "agent_tool_calls": ("user_id", "conversation_id", "seq", "call_id"),
    "recommendations": ("user_id", "id"),
    "user_features": ("user_id", "feature"),
}


@pytest.mark.parametrize(("person", "other"), [(ADA, BOB), (BOB, ADA)], ids=["ada", "bob"])
@pytest.mark.parametrize(("place", "article"), [("out.zip", 15), ("out", 15), ("out.zip", 20)])
def test_no_identifier_of_the_other_is_in_any_file(
    entangled: str, tmp_path: pathlib.Path, person: Entangled, other: Entangled, place: str, article: int
) -> None:
    export_subject(person.id, tmp_path / place, article=article, with_observed=True, url=entangled)
    files = files_of(tmp_path / place)
    everything = "\n".join([*files, *files.values()])
    assert [name for name in person.identifiers if name not in everything] == []
    assert [name for name in other.identifiers if name in everything] == []
    ((public_id, audit_ref, analyst_ref),) = rows(
        entangled,
        "SELECT public_id::text, audit_ref::text, analyst_ref::text FROM users"
        " JOIN ops.pseudonyms ON user_id = users.id WHERE users.id = %s",
        (other.id,),
    )
    assert not any(str(one) in everything for one in (public_id, audit_ref, analyst_ref))


@pytest.mark.parametrize("person", [ADA, BOB], ids=["ada", "bob"])
def test_each_own_row_is_in_it(entangled: str, tmp_path: pathlib.Path, person: Entangled) -> None:
    done = export_subject(person.id, tmp_path / "out.zip", url=entangled)
    files = files_of(tmp_path / "out.zip")
    for table, key in OWN_KEYS.items():
        wanted = rows(
            entangled,
            f"SELECT {', '.join(f'{name}::text' for name in key)} FROM {table} WHERE {key[0]} = %s",
            (person.id,),
        )
        assert wanted
        found = [tuple(str(row[name]) for name in key) for row in table_of(files, table)]
        assert sorted(found) == sorted(wanted), table
    assert done.unreached == ()
    assert {part.table for part in done.parts if part.acted_as == "login"} == {
        "ops.erasure_secrets",
        "ops.pseudonyms",
        "public.audit_log",
    }


def test_a_row_that_two_people_are_in_shows_each_their_side(entangled: str, tmp_path: pathlib.Path) -> None:
    export_subject(ADA.id, tmp_path / "out.zip", url=entangled)
    files = files_of(tmp_path / "out.zip")
    shared = [
        (row["user_id"], row["playlist_id"], row["collaborator_id"])
        for row in table_of(files, "playlist_collaborators")
    ]
    assert set(shared) == {(ADA.id, ADA.playlist, WITHHELD), (WITHHELD, WITHHELD, ADA.id)}
    versions = {(row["track_id"], row["added_by"]) for row in table_of(files, "playlist_item_versions")}
    assert versions == {(10001, ADA.id), (10002, WITHHELD)}
    [call] = table_of(files, "agent_tool_calls")
    assert (call["approved_by"], call["arguments"]) == (WITHHELD, {"with": [WITHHELD, ADA.id], "n": 1.1})
    assert '"n": 1.10' in files["data/agent_tool_calls.json"]


def test_of_rows_of_others_only_what_one_did_there_is_given(entangled: str, tmp_path: pathlib.Path) -> None:
    export_subject(ADA.id, tmp_path / "out.zip", url=entangled)
    files = files_of(tmp_path / "out.zip")
    [added] = table_of(files, "playlist_items-of-others")
    assert (set(added), added["track_id"], added["added_by"]) == (
        {"track_id", "added_by", "added_at"}, 10001, ADA.id,
    )  # fmt: skip
    [decided] = table_of(files, "agent_tool_calls-of-others")
    assert set(decided) == {"approved_by", "approved_at"}


def test_a_number_of_the_catalogue_is_explained(entangled: str, tmp_path: pathlib.Path) -> None:
    export_subject(ADA.id, tmp_path / "out.zip", url=entangled)
    files = files_of(tmp_path / "out.zip")
    assert [(row["id"], row["title"]) for row in table_of(files, "reference-tracks")] == [
        (10001, "Danse des engrenages")
    ]
    assert {row["code"] for row in table_of(files, "reference-consent_purposes")} == {"analytics"}


def test_a_secret_is_named_and_not_handed_out(entangled: str, tmp_path: pathlib.Path) -> None:
    done = export_subject(ADA.id, tmp_path / "out", url=entangled)
    files = files_of(tmp_path / "out")
    [identity] = table_of(files, "user_identities")
    assert "provider_user_id" in identity
    assert not {"access_token_enc", "refresh_token_enc"} & set(identity)
    assert {"public.user_identities.access_token_enc", "public.user_identities.refresh_token_enc"} <= set(
        done.secrets
    )
    assert "`public.user_identities.access_token_enc`" in files["LISEZ_MOI.md"]


def test_article_20_is_what_was_provided_by_consent_or_contract(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    done = export_subject(ADA.id, tmp_path / "out.zip", article=20, url=entangled)
    files = files_of(tmp_path / "out.zip")
    told = {
        (str(table), str(column)): (origin, basis, kind)
        for table, column, origin, basis, kind in rows(
            entangled, "SELECT table_name, column_name, origin, legal_basis, class FROM ops.personal_data"
        )
    }
    keys = {name for key in OWN_KEYS.values() for name in key} | {
        "track_id",
        "model_version_id",
        "prompt_version_id",
    }
    for part in done.parts:
        if part.part != "reference":
            others = {
                column
                for column in part.columns
                if told[part.table, column][0] != "provided"
                or told[part.table, column][1] not in {"consent", "contract"}
            }
            assert others <= keys, part.table
    assert {"playlists", "playlist_items", "users", "agent_messages"} <= {part.name for part in done.parts}
    assert not {"listens", "user_features", "consent_events", "audit_log", "analytics"} & {
        part.name for part in done.parts
    }
    [person] = table_of(files, "users")
    assert "email_hmac" not in person
    assert person["email"] == "ada.lovelace@example.org"
    [recommended] = table_of(files, "recommendations")
    assert "items" not in recommended
    assert recommended["feedback"] == 1


def test_article_20_has_what_was_observed_where_that_is_asked_for(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    export_subject(ADA.id, tmp_path / "out.zip", article=20, with_observed=True, url=entangled)
    files = files_of(tmp_path / "out.zip")
    assert [row["track_id"] for row in table_of(files, "listens")] == [10001]
    assert "data/user_features.json" not in files
    assert "Ce que votre usage du service a laissé comme traces" in files["LISEZ_MOI.md"]


def test_it_is_complete_beyond_ten_thousand_rows(entangled: str, tmp_path: pathlib.Path) -> None:
    rows(
        entangled,
        "INSERT INTO listens (user_id, id, track_id, listened_at)"
        " SELECT %s, n, 10001, '2026-02-01'::timestamptz + n * interval '1 s' FROM generate_series(101, 25100) AS n",
        (ADA.id,),
    )
    done = export_subject(ADA.id, tmp_path / "out.zip", url=entangled)
    files = files_of(tmp_path / "out.zip")
    wanted = [1, *range(101, 25101)]
    assert [row["id"] for row in table_of(files, "listens")] == wanted
    assert [int(row["id"]) for row in csv.DictReader(io.StringIO(files["data/listens.csv"]))] == wanted
    assert [part.rows for part in done.parts if part.name == "listens"] == [25001]


def test_the_manifest_counts_and_sums_every_other_file(entangled: str, tmp_path: pathlib.Path) -> None:
    done = export_subject(ADA.id, tmp_path / "out", url=entangled)
    files = files_of(tmp_path / "out")
    manifest = json.loads(files["manifest.json"])
    assert {one["path"] for one in manifest["files"]} == set(files) - {"manifest.json"}
    for one in manifest["files"]:
        content = files[one["path"]].encode()
        assert (one["bytes"], one["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        if one["path"].endswith(".json") and one["path"].startswith("data/"):
            assert one["rows"] == len(json.loads(content))
    assert done.sha256 == hashlib.sha256(files["manifest.json"].encode()).hexdigest()
    assert sum(one["rows"] for one in manifest["parts"] if one["part"] != "reference") == done.rows


@pytest.mark.parametrize("place", ["out.zip", "out"])
def test_nobody_but_its_owner_may_read_it(entangled: str, tmp_path: pathlib.Path, place: str) -> None:
    export_subject(ADA.id, tmp_path / place, url=entangled)
    found = [tmp_path / place, *(tmp_path / place).rglob("*")]
    modes = {stat.S_IMODE(one.stat().st_mode) for one in found if one.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(one.stat().st_mode) for one in found if one.is_dir()} <= {0o700}
    assert [one.name for one in tmp_path.iterdir()] == [place]


def test_it_speaks_the_language_of_its_person(entangled: str, tmp_path: pathlib.Path) -> None:
    french = export_subject(ADA.id, tmp_path / "ada", url=entangled)
    english = export_subject(BOB.id, tmp_path / "bob", url=entangled)
    wished = export_subject(BOB.id, tmp_path / "wished", url=entangled, language="fr")
    assert [one.language for one in (french, english, wished)] == ["fr", "en", "fr"]
    assert "# Vos données personnelles" in files_of(tmp_path / "ada")["LISEZ_MOI.md"]
    assert "# Your personal data" in files_of(tmp_path / "bob")["READ_ME.md"]
    assert "LISEZ_MOI.md" in files_of(tmp_path / "wished")


def test_it_says_why_how_long_to_whom_and_what_can_be_done(entangled: str, tmp_path: pathlib.Path) -> None:
    rows(
        entangled,
        "INSERT INTO ops.recipients (code, name, kind, purpose, country_code, safeguards, categories)"
        " VALUES ('mail', 'Mail Inc.', 'processor', 'Sends e-mail', 'US', 'standard contractual clauses', '{contact}');"
        "INSERT INTO ops.controller (name, address, contact, dpo_name, dpo_contact)"
        " VALUES ('Music SA', '1 rue de la Paix, Paris', 'hello@music.example', 'D. Officer', 'dpo@music.example')",
    )
    export_subject(BOB.id, tmp_path / "out", url=entangled)
    page = files_of(tmp_path / "out")["READ_ME.md"]
    listens = page.split("### listens\n")[1].split("\n### ")[0]
    assert "- What for: Play music and keep the library; Recommend music from what was played\n" in listens
    assert "- On what ground: our contract with you (article 6(1)(b))\n" in listens
    assert "- How long it is kept: 25 months from `listened_at`, then deleted\n" in listens
    assert "- Where it comes from: your use of the service\n" in listens
    assert "  - `ms_played`: for how many milliseconds\n" in listens
    assert (
        "- Mail Inc. (works for us, US): Sends e-mail; how to reach you; safeguards: standard contractual clauses\n"
        in page
    )
    assert "Data protection officer: D. Officer, dpo@music.example.\n" in page
    assert [number for number in (7, 16, 17, 18, 20, 21, 22, 77) if f"(article {number})." not in page] == []


def test_all_of_it_is_of_one_moment(
    entangled: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Looks.record

    def record_late(self: Looks, action: str, kind: str, keys: list[str]) -> None:
        record(self, action, kind, keys)
        rows(entangled, "UPDATE users SET display_name = 'Somebody else' WHERE id = %s", (ADA.id,))
        rows(entangled, "DELETE FROM listens WHERE user_id = %s", (ADA.id,))

    monkeypatch.setattr(Looks, "record", record_late)
    export_subject(ADA.id, tmp_path / "out.zip", url=entangled)
    files = files_of(tmp_path / "out.zip")
    assert rows(entangled, "SELECT display_name FROM users WHERE id = %s", (ADA.id,)) == [("Somebody else",)]
    assert table_of(files, "users")[0]["display_name"] == "Ada Lovelace"
    assert len(table_of(files, "listens")) == 1


def test_a_second_export_holds_the_same_and_the_looks_of_the_first(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    first = export_subject(ADA.id, tmp_path / "first", url=entangled)
    second = export_subject(ADA.id, tmp_path / "second", url=entangled)
    differing = {
        one.name for one, other in zip(first.parts, second.parts, strict=True) if one.rows != other.rows
    }
    assert differing == {"audit_log"}
    said = [
        (row["action"], row["entity_key"])
        for row in table_of(files_of(tmp_path / "second"), "audit_log")
        if row["entity_type"] == "subject_export"
    ]
    assert ("read", "public.listens") in said
    assert ("export", "article 15") in said
