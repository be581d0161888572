"""The rules as a whole: each is proved on real tables, says what Citus does, and keeps its code."""

from __future__ import annotations

import re

from distribution import (
    test_code_rules,
    test_column_rules,
    test_foreign_key_rules,
    test_key_rules,
    test_storage_rules,
    test_visibility_rules,
)

from spotify_ai_agent_migrations.versions.distribution.rules import RULES

CASES = [
    *test_code_rules.CASES,
    *test_column_rules.CASES,
    *test_foreign_key_rules.CASES,
    *test_key_rules.CASES,
    *test_storage_rules.CASES,
    *test_visibility_rules.CASES,
]


def test_every_rule_has_a_table_that_breaks_it_and_one_that_keeps_it() -> None:
    assert sorted({case.code for case in CASES}) == sorted(rule.code for rule in RULES)
    assert all(case.broken != case.kept for case in CASES)


def test_codes_and_names_are_given_once() -> None:
    assert [rule.code for rule in RULES] == [f"CIT{number:03d}" for number in range(1, len(RULES) + 1)]
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.name.split("_")[0] in {"ban", "require", "prefer"} for rule in RULES)


def test_every_rule_says_what_it_asks_what_citus_does_and_where() -> None:
    for rule in RULES:
        assert rule.asks[:1].isupper(), rule.code
        assert re.fullmatch(r"[a-z]+s [^…]+[^….]", rule.citus), rule.code
        assert len(rule.citus) < 160, rule.code
        assert rule.see.startswith(("https://docs.citusdata.com/", "https://github.com/citusdata/")), (
            rule.code
        )
