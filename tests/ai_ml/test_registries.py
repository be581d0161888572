"""Models, versions, aliases and prompts: what they are stays, what serves is moved in one step."""

from __future__ import annotations

import threading

import psycopg2
import pytest
from ai_ml.scene import acting, add_model, add_version, ask, one, refused, refused_on

from support import LOCKED, connected, rows, until

PROMPT = (
    "INSERT INTO prompt_versions (name, version, locale, template) VALUES ('dj', %s, %s, %s) RETURNING id"
)


def test_an_alias_moves_from_one_version_to_another(url: str) -> None:
    first = add_model(url)
    second = add_version(url, first, version=2)
    assert one(url, "SELECT model_version_v1('ear', 'champion')") is None
    assert one(url, "SELECT set_model_alias_v1('ear', 'champion', 1)") == first
    assert one(url, "SELECT model_version_v1('ear', 'champion')") == first
    assert one(url, "SELECT set_model_alias_v1('ear', 'champion', 2)") == second
    assert rows(url, "SELECT alias, version_id FROM model_aliases") == [("champion", second)]


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_only_a_version_that_is_ready_takes_an_alias(url: str, status: str) -> None:
    version = add_model(url, status=status)
    assert refused(url, "SELECT set_model_alias_v1('ear', 'champion', 1)") == (
        f"model version {version} is {status}, and takes no alias",
        "only a version that is ready is served",
    )
    assert rows(url, "SELECT * FROM model_aliases") == []


def test_an_alias_stays_within_its_model(url: str) -> None:
    add_model(url, "ear")
    other = add_model(url, "eye")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="model_aliases_model_id_version_id_fkey"):
        rows(
            url,
            "INSERT INTO model_aliases (model_id, alias, version_id) SELECT id, 'champion', %s FROM ai_models WHERE name = 'ear'",
            (other,),
        )


def test_a_version_with_an_alias_is_not_retired(url: str) -> None:
    first = add_model(url)
    add_version(url, first, version=2)
    rows(url, "SELECT set_model_alias_v1('ear', 'champion', 1)")
    retire = "UPDATE model_versions SET status = 'retired' WHERE id = %s"
    assert refused(url, retire, (first,)) == (
        f"model version {first} still has an alias",
        "give the alias to another version first: set_model_alias_v1",
    )
    rows(url, "SELECT set_model_alias_v1('ear', 'champion', 2)")
    rows(url, retire, (first,))
    assert one(url, "SELECT retired_at IS NOT NULL FROM model_versions WHERE id = %s", (first,)) is True


def test_an_alias_waits_for_a_version_that_is_being_retired(url: str) -> None:
    version = add_model(url)
    found: list[tuple[str, str]] = []
    with connected(url, autocommit=False) as retiring:
        ask(retiring, "UPDATE model_versions SET status = 'retired' WHERE id = %s", (version,))
        waiting = threading.Thread(
            target=lambda: found.append(refused(url, "SELECT set_model_alias_v1('ear', 'champion', 1)"))
        )
        waiting.start()
        until(lambda: rows(url, LOCKED) == [(1,)])
        retiring.commit()
        waiting.join(60)
    assert found[0][0] == f"model version {version} is retired, and takes no alias"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("dimensions = 5", "what model version {} is does not change"),
        ("version = 9", "what model version {} is does not change"),
        ("status = 'pending'", "model version {} is ready, and does not become pending"),
        ("status = 'failed'", "model version {} is ready, and does not become failed"),
    ],
)
def test_what_a_version_is_does_not_change(url: str, change: str, problem: str) -> None:
    version = add_model(url)
    assert refused(url, f"UPDATE model_versions SET {change}")[0] == problem.format(version)
    rows(url, """UPDATE model_versions SET metrics = '{"recall": 0.9}'""")
    assert one(url, "SELECT metrics ->> 'recall' FROM model_versions") == "0.9"


def test_a_lineage_has_an_end(url: str) -> None:
    version = add_model(url)
    child = add_version(url, version, version=2)
    assert one(url, "SELECT parent_version_id FROM model_versions WHERE id = %s", (child,)) == version
    with pytest.raises(psycopg2.errors.CheckViolation, match="model_versions_parent_version_id_check"):
        rows(url, "INSERT INTO model_versions (id, model_id, version, parent_version_id) VALUES (7, 1, 7, 7)")


def test_a_prompt_is_never_rewritten(url: str) -> None:
    rows(url, PROMPT, (1, "en", '["Play {genre}"]'))
    assert refused(url, "UPDATE prompt_versions SET template = '[\"Play\"]'") == (
        'version 1 of prompt "dj" does not change',
        "add a version, with this one as its parent",
    )
    assert one(url, "SELECT template FROM prompt_versions") == ["Play {genre}"]


def test_a_label_belongs_to_one_version_of_a_prompt_and_language(url: str) -> None:
    made = [int(str(rows(url, PROMPT, (version, "en", "[]"))[0][0])) for version in (1, 2)]
    [(french,)] = rows(url, PROMPT, (1, "fr", "[]"))
    rows(url, "SELECT set_prompt_label_v1('dj', 'en', 'production', 1)")
    rows(url, "SELECT set_prompt_label_v1('dj', 'en', 'production', 2)")
    assert rows(url, "SELECT label, prompt_version_id FROM prompt_labels") == [("production", made[1])]
    with pytest.raises(psycopg2.errors.UniqueViolation, match="prompt_labels_pkey"):
        rows(url, "INSERT INTO prompt_labels VALUES ('dj', 'en', 'production', %s)", (made[0],))
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows(url, "INSERT INTO prompt_labels VALUES ('dj', 'en', 'staging', %s)", (french,))


def test_a_prompt_falls_back_along_its_language(url: str) -> None:
    [(english,)] = rows(url, PROMPT, (1, "en", "[]"))
    rows(url, "SELECT set_prompt_label_v1('dj', 'en', 'production', 1)")
    for asked in ("en", "fr", "fr-CA"):
        assert one(url, "SELECT prompt_version_v1('dj', 'production', %s)", (asked,)) == english
    [(french,)] = rows(url, PROMPT, (1, "fr", "[]"))
    rows(url, "SELECT set_prompt_label_v1('dj', 'fr', 'production', 1)")
    assert one(url, "SELECT prompt_version_v1('dj', 'production', 'fr-CA')") == french
    assert one(url, "SELECT prompt_version_v1('dj', 'staging', 'fr')") is None


def test_the_registries_are_read_by_all_and_changed_by_the_owner_role(url: str) -> None:
    add_model(url)
    for role in ("agent_app", "agent_readonly"):
        with acting(url, role) as connection:
            assert ask(connection, "SELECT name FROM ai_models") == [("ear",)]
            for statement in (
                "UPDATE ai_models SET name = 'x'",
                "SELECT set_model_alias_v1('ear', 'champion', 1)",
                "SELECT add_embedding_partition_v1(1)",
                "SELECT drop_embedding_partition_v1(1)",
            ):
                assert refused_on(connection, statement)[0].startswith("permission denied for ")


def test_a_change_of_a_registry_is_in_the_trail_with_its_key(url: str) -> None:
    add_model(url)
    rows(url, "SELECT set_model_alias_v1('ear', 'champion', 1)")
    rows(url, "UPDATE ai_models SET risk_class = 'high'")
    assert rows(
        url,
        "SELECT entity_type, action, entity_key, changed_columns FROM audit_log"
        " WHERE entity_type IN ('ai_model', 'model_alias') ORDER BY id",
    ) == [
        ("ai_model", "insert", "ear", None),
        ("model_alias", "insert", "champion", None),
        ("ai_model", "update", "ear", ["risk_class"]),
    ]
