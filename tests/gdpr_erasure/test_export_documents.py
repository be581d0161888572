"""Other people are taken out of a document where the catalogue says they are named, and nothing else changes."""

from __future__ import annotations

import json

import pytest

from spotify_ai_agent_migrations.versions.gdpr_erasure.export.documents import without_others

MARK = "[withheld]"


@pytest.mark.parametrize(
    ("document", "path", "wanted", "count"),
    [
        ('{"by": 7}', "$.by", '{"by": 7}', 0),
        ('{"by": 8, "n": 1.10}', "$.by", '{"by": "[withheld]", "n": 1.10}', 1),
        ('{"by": "7"}', "$.by", '{"by": "7"}', 0),
        ('{"by": null}', "$.by", '{"by": null}', 0),
        ('{"by": {"id": 7}}', "$.by", '{"by": "[withheld]"}', 1),
        ('{"with": [7, 8, "8"]}', "$.with[*]", '{"with": [7, "[withheld]", "[withheld]"]}', 2),
        ('{"with": [7, 8]}', "$.with", '{"with": [7, "[withheld]"]}', 1),
        ('[{"by": 8}, {"by": 7}]', "$[*].by", '[{"by": "[withheld]"}, {"by": 7}]', 1),
        ('[{"by": 8}, {"by": 7}]', "$.by", '[{"by": "[withheld]"}, {"by": 7}]', 1),
        ('[8, 8]', "$[1]", '[8, "[withheld]"]', 1),
        ('{"a": {"by": 8}, "b": {"by": 9}}', "$.*.by", '{"a": {"by": "[withheld]"}, "b": {"by": "[withheld]"}}', 2),
        ('{"a": {"b": [{"by": 8}]}, "by": 8}', "$.**.by", '{"a": {"b": [{"by": "[withheld]"}]}, "by": "[withheld]"}', 2),
        ('{"odd \\" key.": 8}', '$."odd \\" key."', '{"odd \\" key.": "[withheld]"}', 1),
        ('{"by": 8}', "lax $.by", '{"by": "[withheld]"}', 1),
        ('{"other": 8}', "$.by", '{"other": 8}', 0),
        ("8", "$", '"[withheld]"', 1),
        ("7", "$", "7", 0),
    ],
)  # fmt: skip
def test_what_is_not_the_subject_is_replaced(document: str, path: str, wanted: str, count: int) -> None:
    assert without_others(document, [path], "7", MARK) == (wanted, count)


@pytest.mark.parametrize("path", ["$.by ? (@ > 1)", "$.by.type()", "$[last]", "$[0 to 2]", "by", "$.a + 1"])
def test_a_path_that_is_not_understood_hides_the_whole(path: str) -> None:
    assert without_others('{"by": 8}', [path], "7", MARK) == (f'"{MARK}"', 1)


def test_a_document_that_is_too_deep_is_hidden_as_a_whole() -> None:
    deep = "[" * 100_000 + "8" + "]" * 100_000
    assert without_others(deep, ["$.**.by"], "7", MARK) == (f'"{MARK}"', 1)


def test_every_digit_stays() -> None:
    number = "123456789012345678901234567890.12345678901234567890123456789"
    document = f'{{"n": {number}, "large": {"9" * 5000}, "e": 1E+400, "by": 8}}'
    written, count = without_others(document, ["$.by"], "7", MARK)
    assert count == 1
    assert written == document.replace("8}", f'"{MARK}"}}')


def test_where_nobody_can_tell_whose_it_is_everything_is_replaced() -> None:
    assert without_others('{"list": 7}', ["$.list"], None, MARK) == (f'{{"list": "{MARK}"}}', 1)


def test_the_text_of_a_document_survives() -> None:
    document = json.dumps({"said": '"\\\n\u2028🦄é', "by": 8}, ensure_ascii=False)
    written, _ = without_others(document, ["$.by"], "7", MARK)
    assert json.loads(written) == {"said": '"\\\n\u2028🦄é', "by": MARK}
