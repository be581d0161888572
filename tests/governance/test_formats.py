"""Every format is read back by its own parser, with findings and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from governance.history import Folder

from spotify_ai_agent_migrations.versions.governance.checking import report
from spotify_ai_agent_migrations.versions.governance.finding import Comparison, Finding, Report, Suppressed
from spotify_ai_agent_migrations.versions.governance.formats import (
    FORMATS,
    github,
    gitlab,
    junit,
    sarif,
    summary,
    text,
)
from spotify_ai_agent_migrations.versions.governance.rules import RULES

NONE = Report((), 2)
ODD = Finding(
    code="MIG001",
    rule="require_file_name",
    severity="error",
    path="versions/a,b: 100% é<&.py",
    line=3,
    column=5,
    problem='"50%" is <no> name & more',
    hint='write "a,b"',
)
MILD = Finding("MIG011", "require_docstring_fields", "warning", "versions/001_a.py", 1, 1, "is mild", "wait")
SOME = Report((ODD, ODD, MILD), 1)
ALLOWED = Report((MILD,), 1, (Suppressed(ODD, 'five "rows"'),))

# What SARIF 2.1.0 asks of the parts that are written here.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {"items": {"$ref": "#/$defs/rule"}, "uniqueItems": True}
                                },
                            }
                        },
                    },
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "message": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
        "rule": {
            "type": "object",
            "required": ["id", "name", "shortDescription", "fullDescription", "help", "defaultConfiguration"],
            "properties": {
                "shortDescription": {"$ref": "#/$defs/message"},
                "fullDescription": {"$ref": "#/$defs/message"},
                "help": {"$ref": "#/$defs/message"},
                "defaultConfiguration": {"properties": {"level": {"$ref": "#/$defs/level"}}},
            },
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/message"},
                "locations": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/location"}},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "suppressions": {"type": "array", "items": {"$ref": "#/$defs/suppression"}},
            },
        },
        "suppression": {
            "type": "object",
            "required": ["kind"],
            "additionalProperties": False,
            "properties": {"kind": {"enum": ["inSource", "external"]}, "justification": {"type": "string"}},
        },
        "location": {
            "required": ["physicalLocation"],
            "properties": {
                "physicalLocation": {
                    "required": ["artifactLocation", "region"],
                    "properties": {
                        "artifactLocation": {
                            "required": ["uri", "uriBaseId"],
                            "properties": {"uri": {"pattern": "^[A-Za-z0-9_.~/%-]+$"}},
                        },
                        "region": {
                            "properties": {
                                "startLine": {"type": "integer", "minimum": 1},
                                "startColumn": {"type": "integer", "minimum": 1},
                            }
                        },
                    },
                }
            },
        },
    },
}


def test_text_is_two_lines_a_finding_and_a_summary() -> None:
    assert text(Report((ODD,), 1)) == (
        'versions/a,b: 100% é<&.py:3:5: error MIG001: "50%" is <no> name & more\n'
        '    Hint: write "a,b"\n'
        f"{len(RULES)} rules, 1 revision: 1 finding\n"
    )


def test_text_without_findings_is_the_summary() -> None:
    assert text(NONE) == f"{len(RULES)} rules, 2 revisions: no findings\n"
    assert summary(SOME) == f"{len(RULES)} rules, 1 revision: 3 findings"


def test_json_holds_every_field_of_a_finding() -> None:
    read = json.loads(FORMATS["json"](SOME))
    assert (read["rules"], read["revisions"], len(read["findings"])) == (len(RULES), 1, 3)
    assert read["findings"][0] == {
        "code": "MIG001",
        "rule": "require_file_name",
        "severity": "error",
        "path": "versions/a,b: 100% é<&.py",
        "line": 3,
        "column": 5,
        "problem": '"50%" is <no> name & more',
        "hint": 'write "a,b"',
    }


def test_json_without_findings_is_still_an_object() -> None:
    empty = {"rules": len(RULES), "revisions": 2, "findings": [], "suppressed": []}
    assert json.loads(FORMATS["json"](NONE)) == empty


def test_json_holds_what_is_suppressed_with_its_reason() -> None:
    read = json.loads(FORMATS["json"](ALLOWED))
    assert [found["code"] for found in read["findings"]] == ["MIG011"]
    assert [(found["code"], found["reason"]) for found in read["suppressed"]] == [("MIG001", 'five "rows"')]


def test_sarif_holds_what_is_suppressed_and_says_so_of_every_result() -> None:
    read = json.loads(sarif(ALLOWED))
    jsonschema.validate(read, SARIF)
    assert [(found["ruleId"], found["suppressions"]) for found in read["runs"][0]["results"]] == [
        ("MIG011", []),
        ("MIG001", [{"kind": "inSource", "justification": 'five "rows"'}]),
    ]


def test_the_other_formats_leave_out_what_is_suppressed() -> None:
    assert summary(ALLOWED) == f"{len(RULES)} rules, 1 revision: 1 finding, 1 suppressed"
    assert "MIG001" not in text(ALLOWED) + github(ALLOWED)
    assert 'failures="0"' in junit(ALLOWED)


def test_sarif_gives_each_rule_the_level_of_its_name() -> None:
    rules = json.loads(sarif(NONE))["runs"][0]["tool"]["driver"]["rules"]
    levels = {rule["name"]: rule["defaultConfiguration"]["level"] for rule in rules}
    assert (levels["prefer_jsonb"], levels["ban_cascade"], levels["require_one_head"]) == (
        "warning", "error", "error",
    )  # fmt: skip


def test_what_it_was_compared_with_is_told() -> None:
    compared = Report((MILD,), 1, compared=Comparison("origin/main", files=2, older=1, unseen=0))
    assert summary(compared) == (
        f"{len(RULES)} rules, 1 revision: 1 finding; "
        "merged into origin/main it changes 2 files, 1 older finding left out"
    )
    assert json.loads(FORMATS["json"](compared))["compared"] == {
        "base": "origin/main", "files": 2, "older": 1, "unseen": 0,
    }  # fmt: skip


def test_gitlab_gets_an_issue_a_finding_which_it_can_tell_from_its_like() -> None:
    assert json.loads(gitlab(NONE)) == []
    first, same, mild = json.loads(gitlab(SOME))
    fingerprints = {one.pop("fingerprint") for one in (first, same, mild)}
    assert len(fingerprints) == 3
    assert first == same
    assert first == {
        "description": '"50%" is <no> name & more\nHint: write "a,b"',
        "check_name": "MIG001 require_file_name",
        "severity": "blocker",
        "location": {"path": "versions/a,b: 100% é<&.py", "lines": {"begin": 3}},
    }
    assert mild["severity"] == "minor"


def test_an_annotation_is_escaped_as_github_reads_it() -> None:
    assert github(Report((ODD,), 1)) == (
        "::error file=versions/a%2Cb%3A 100%25 é<&.py,line=3,col=5,title=MIG001 require_file_name::"
        '"50%25" is <no> name & more%0AHint: write "a,b"\n'
    )


def test_a_warning_is_annotated_as_one_and_nothing_as_nothing() -> None:
    assert github(Report((MILD,), 1)).startswith("::warning file=versions/001_a.py,")
    assert github(NONE) == ""


def test_junit_has_a_case_a_rule_and_a_failure_a_broken_one() -> None:
    root = Xml.fromstring(junit(SOME))  # noqa: S314
    cases = root.findall("./testsuite/testcase")
    failures = root.findall("./testsuite/testcase/failure")
    assert [case.get("name") for case in cases] == [
        f"{rule.CODE} {rule.__name__.rpartition('.')[2]}" for rule in RULES
    ]
    assert len(failures) == 1
    assert failures[0].attrib == {"message": "2 findings", "type": "require_file_name"}
    assert failures[0].text == "\n".join(
        ['versions/a,b: 100% é<&.py:3:5: "50%" is <no> name & more', '    Hint: write "a,b"'] * 2
    )
    assert (
        root.findtext("./testsuite/testcase/system-out") == "versions/001_a.py:1:1: is mild\n    Hint: wait"
    )


@pytest.mark.parametrize(("given", "failures"), [(SOME, "1"), (NONE, "0")])
def test_junit_counts_what_it_holds(given: Report, failures: str) -> None:
    root = Xml.fromstring(junit(given))  # noqa: S314
    for element in (root, root[0]):
        assert (element.get("tests"), element.get("failures")) == (str(len(RULES)), failures)
        assert (element.get("errors"), element.get("skipped")) == ("0", "0")


@pytest.mark.parametrize("given", [SOME, NONE, ALLOWED])
def test_sarif_has_the_shape_of_its_schema(given: Report) -> None:
    read = json.loads(sarif(given))
    jsonschema.validate(read, SARIF)
    assert len(read["runs"][0]["results"]) == len(given.findings) + len(given.suppressed)


def test_sarif_carries_the_documentation_and_points_at_it() -> None:
    (run,) = json.loads(sarif(SOME))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["help"]["text"] for rule in rules] == [str(rule.__doc__).strip() for rule in RULES]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]


def test_sarif_locates_a_finding_below_the_projects_root() -> None:
    place = json.loads(sarif(SOME))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert unquote(place["artifactLocation"]["uri"]) == ODD.path
    assert place["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
    assert place["region"] == {"startLine": 3, "startColumn": 5}


def test_a_fingerprint_outlives_a_moved_line_and_tells_equal_findings_apart() -> None:
    def prints(*findings: Finding) -> list[str]:
        results = json.loads(sarif(Report(findings, 1)))["runs"][0]["results"]
        return [result["partialFingerprints"]["finding/v1"] for result in results]

    moved = Finding(**{**ODD.__dict__, "line": 99})
    assert prints(ODD) == prints(moved)
    assert len(set(prints(ODD, ODD, MILD))) == 3


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS)
def test_odd_file_names_reach_every_format_in_one_piece(folder: Folder, written: Any) -> None:
    for name in (b"001_\x1b\n\xff.py", b"shared\x01.py"):
        (Path(str(folder.path)) / name.decode("utf-8", "surrogateescape")).write_bytes(b"raise (\n")
    shown = written(report(folder.path))
    assert "001_\\\\x1b" in shown or "001_\\x1b" in shown or "001_%5Cx1b" in shown
    shown.encode("utf-8")
    if written is junit:
        Xml.fromstring(shown)  # noqa: S314
