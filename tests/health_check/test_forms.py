"""Every form of a report is read back by a parser of its own, whatever the objects are called."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from health_check.reports import (
    EVERY,
    EXHAUSTED,
    EXTRA,
    NOW,
    ODD_NAME,
    SINCE,
    SOME,
    UNANSWERED,
    WELL,
)
from markdown_it import MarkdownIt

from spotify_ai_agent_migrations.versions.health_check import HealthReport, State, check_health
from spotify_ai_agent_migrations.versions.health_check.command import Format
from spotify_ai_agent_migrations.versions.health_check.outputs import FORMATS, Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.as_json import schema
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import FailOn, exit_code

REPORTS = pytest.mark.parametrize("report", EVERY.values(), ids=EVERY)
SCHEMA: dict[str, Any] = json.loads(schema())
JSON = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def written(form: str, report: HealthReport, extra: Extra = EXTRA) -> str:
    return FORMATS[form](report, extra)


def test_the_command_offers_every_form_and_no_other() -> None:
    assert [one.value for one in Format] == list(FORMATS)


@REPORTS
@pytest.mark.parametrize("form", FORMATS)
def test_every_form_ends_its_last_line_and_obeys_no_name(form: str, report: HealthReport) -> None:
    shown = written(form, report)
    assert shown.endswith("\n")
    # What metrics and JSON carry is a value, escaped by their own rules.
    if form not in {"json", "health+json", "prometheus", "openmetrics"}:
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_every_form_can_write_what_a_server_says(url: str) -> None:
    report = check_health(url=url, only=["avail", "set", "sec"], limits={"avail.connect": (0.0, 0.0)})
    assert report.state is State.CRITICAL
    for form in FORMATS:
        assert "avail" in written(form, report)
    JSON.validate(json.loads(written("json", report)))


@REPORTS
def test_json_is_what_its_schema_says(report: HealthReport) -> None:
    JSON.check_schema(SCHEMA)
    JSON.validate(json.loads(written("json", report)))


def test_json_has_nothing_that_its_schema_does_not_name() -> None:
    found = json.loads(written("json", SOME))
    parts = SCHEMA["$defs"]
    assert found.keys() == SCHEMA["properties"].keys()
    assert found["checks"][0].keys() == parts["check"]["properties"].keys()
    assert found["findings"][0].keys() == parts["finding"]["properties"].keys()
    item = parts["check"]["properties"]["measured"]["items"]
    assert found["checks"][0]["measured"][0].keys() == item["properties"].keys()
    spoiled = {**found, "state": "fine"}
    assert not JSON.is_valid(spoiled)


def test_json_says_since_when_a_finding_has_been_there() -> None:
    since = {one["check"]: one["first_seen"] for one in json.loads(written("json", SOME))["findings"]}
    assert (since["seq.exhaustion"], since["set.timeouts"]) == (SINCE.isoformat(), None)


def test_text_says_what_is_bad_and_what_mends_it() -> None:
    assert written("text", replace(SOME, checks=SOME.checks[:2])) == (
        "postgresql://monitor@db.example/agent: PostgreSQL 18.6, primary, 2 checks in 2.50 s\n"
        "critical: seq.exhaustion: sequence orders_id_seq has given out 98 of 1 to 100\n"
        "    Measured: 98 % of the numbers; warning at 75 %; critical at 90 %\n"
        "    Why: Behind the last number every INSERT fails.\n"
        "    Fix: ALTER SEQUENCE public.orders_id_seq AS bigint (lock: ACCESS EXCLUSIVE)\n"
        "    First seen: 2026-11-01T00:00:00+00:00\n"
        "warning: set.timeouts: statement_timeout is 500 ms for agent_app\n"
        "    Measured: 500 milliseconds; warning at 1,000; critical at 100\n"
        "    Why: Every statement of such a session is cancelled.\n"
        "critical: 1 critical, 1 warning\n"
    )


def test_text_says_what_nobody_could_find_out() -> None:
    lines = written("text", SOME).splitlines()
    assert "unknown: set.hba_errors: lines of pg_hba.conf: the login may not ask" in lines
    assert "    Cure: GRANT pg_monitor TO monitor" in lines
    assert "unknown: it took longer than it was given: lock.blocked" in lines
    assert written("text", UNANSWERED) == (
        "postgresql://monitor@db.example/agent: no answer, 2 checks in 10.00 s\n"
        "unknown: the server did not answer: conn.usage, set.preload\n"
        "unknown: 2 unknown\n"
    )


def test_the_table_is_as_wide_as_the_terminal_and_coloured_there_alone() -> None:
    plain = written("table", SOME, Extra(NOW, width_columns=60))
    coloured = written("table", SOME, Extra(NOW, width_columns=60, is_colored=True))
    assert max(map(len, plain.splitlines())) <= 60
    assert "\x1b[1;31mcritical" in coloured
    assert "ok  conn 1" in plain


def test_the_table_shows_a_few_of_many_and_says_how_many_there_are_more() -> None:
    many = tuple(replace(EXHAUSTED, subject=replace(EXHAUSTED.subject, name=f"s{n}")) for n in range(40))
    report = replace(SOME, checks=(replace(SOME.checks[0], findings=many),))
    shown = written("table", report, Extra(NOW, width_columns=200))
    assert shown.count("has given out") == 5
    assert "and 35 more; --format text --only seq.exhaustion shows all" in shown
    assert written("text", report).count("has given out") == 40


# https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06#section-4
HEALTH_JSON: dict[str, Any] = {
    "type": "object",
    "required": ["status", "checks"],
    "properties": {
        "status": {"enum": ["pass", "warn", "fail"]},
        "description": {"type": "string"},
        "serviceId": {"type": "string"},
        "output": {"type": "string"},
        "checks": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z]+:[a-z0-9_]+$"},
            "additionalProperties": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["componentType", "status", "time"],
                    "properties": {
                        "componentId": {"type": "string"},
                        "componentType": {"const": "datastore"},
                        "observedValue": {"type": "number"},
                        "observedUnit": {"type": "string"},
                        "status": {"enum": ["pass", "warn", "fail"]},
                        "state": {"type": "string"},
                        "output": {"type": "string"},
                        "time": {"type": "string", "format": "date-time"},
                    },
                    "additionalProperties": False,
                },
            },
        },
    },
    "additionalProperties": False,
}


@REPORTS
def test_health_json_has_the_form_of_its_draft(report: HealthReport) -> None:
    jsonschema.validate(
        json.loads(written("health+json", report)), HEALTH_JSON, format_checker=jsonschema.FormatChecker()
    )


def test_health_json_never_passes_what_nobody_knows() -> None:
    statuses = {name: json.loads(written("health+json", one))["status"] for name, one in EVERY.items()}
    assert statuses == {"none": "warn", "well": "pass", "some": "fail", "unanswered": "fail"}
    checks = json.loads(written("health+json", SOME))["checks"]
    assert checks["lock:blocked"][0]["status"] == "warn"
    assert checks["lock:blocked"][0]["output"] == "it took longer than it was given"
    assert checks["conn:usage"][0]["status"] == "pass"
    assert "repl:lag_seconds" not in checks


def test_junit_counts_what_it_holds_and_names_each_check() -> None:
    root = Xml.fromstring(written("junit", SOME))  # noqa: S314  (our own)
    cases = {
        f"{suite.get('name')}.{str(case.get('name')).partition(':')[0]}": [one.tag for one in case]
        for suite in root
        for case in suite.iter("testcase")
    }
    assert cases == {
        "conn.usage": [], "idx.fk_missing": ["failure"], "lock.blocked": ["error"],
        "repl.lag_seconds": ["skipped"], "sec.ext_public": [], "seq.exhaustion": ["failure"],
        "set.timeouts": ["failure"], "set.hba_errors": ["error"], "set.preload": [],
    }  # fmt: skip
    settings = next(suite for suite in root if suite.get("name") == "set")
    assert {key: settings.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "1", "errors": "1", "skipped": "0",
    }  # fmt: skip
    assert settings.find("system-out").text == "set.preload: info: pg_stat_statements is not loaded"  # type: ignore[union-attr]


@REPORTS
def test_junit_has_the_elements_and_attributes_of_its_schema_in_their_order(report: HealthReport) -> None:
    root = Xml.fromstring(written("junit", report))  # noqa: S314  (our own)
    assert root.tag == "testsuites"
    for place, suite in enumerate(root):
        assert set(suite.keys()) == {
            "name", "package", "id", "hostname", "timestamp", "tests", "failures", "errors", "skipped", "time",
        }  # fmt: skip
        assert (suite.get("id"), suite.get("timestamp")) == (str(place), "2026-11-26T20:30:15")
        tags = [child.tag for child in suite]
        cases = tags.count("testcase")
        assert tags == ["properties", *["testcase"] * cases, "system-out", "system-err"]
        for case in suite.iter("testcase"):
            assert set(case.keys()) == {"classname", "name", "time"}
            assert len(case) <= 1


# What SARIF 2.1.0 asks of the parts that are written here.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "message": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}, "markdown": {"type": "string"}},
            "additionalProperties": False,
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
        "run": {
            "required": ["tool", "results"],
            "additionalProperties": False,
            "properties": {
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "required": ["name", "rules"],
                            "properties": {"rules": {"items": {"$ref": "#/$defs/rule"}, "uniqueItems": True}},
                        }
                    },
                },
                "invocations": {
                    "items": {
                        "required": ["executionSuccessful"],
                        "additionalProperties": False,
                        "properties": {
                            "executionSuccessful": {"type": "boolean"},
                            "endTimeUtc": {"type": "string", "format": "date-time"},
                            "toolExecutionNotifications": {
                                "items": {
                                    "required": ["message"],
                                    "properties": {"level": {"$ref": "#/$defs/level"}},
                                }
                            },
                        },
                    }
                },
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "rule": {
            "required": ["id"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "shortDescription": {"$ref": "#/$defs/message"},
                "fullDescription": {"$ref": "#/$defs/message"},
                "help": {"$ref": "#/$defs/message"},
                "defaultConfiguration": {"properties": {"level": {"$ref": "#/$defs/level"}}},
            },
        },
        "result": {
            "required": ["message", "locations"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "kind": {"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/message"},
                "locations": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/location"}},
                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                "suppressions": {
                    "items": {
                        "required": ["kind"],
                        "additionalProperties": False,
                        "properties": {
                            "kind": {"enum": ["inSource", "external"]},
                            "justification": {"type": "string"},
                        },
                    }
                },
            },
            # Of what is no failure the level says nothing.
            "if": {"properties": {"kind": {"const": "fail"}}},
            "else": {"properties": {"level": {"const": "none"}}},
        },
        "location": {
            "required": ["physicalLocation"],
            "additionalProperties": False,
            "properties": {
                "physicalLocation": {
                    "required": ["artifactLocation"],
                    "properties": {
                        "artifactLocation": {"properties": {"uri": {"type": "string", "pattern": "^[!-~]+$"}}}
                    },
                },
                "logicalLocations": {
                    "items": {
                        "additionalProperties": False,
                        "properties": {
                            "name": {"type": "string"},
                            "fullyQualifiedName": {"type": "string"},
                            "kind": {"type": "string"},
                        },
                    }
                },
            },
        },
    },
}


@REPORTS
def test_sarif_is_what_its_specification_asks(report: HealthReport) -> None:
    found = json.loads(written("sarif", report))
    jsonschema.validate(found, SARIF, format_checker=jsonschema.FormatChecker())
    (run,) = found["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_tells_each_state_from_the_others() -> None:
    (run,) = json.loads(written("sarif", SOME))["runs"]
    told = {one["ruleId"]: (one["kind"], one["level"], len(one["suppressions"])) for one in run["results"]}
    assert told == {
        "seq.exhaustion": ("fail", "error", 0), "set.timeouts": ("fail", "warning", 0),
        "idx.fk_missing": ("fail", "warning", 0), "set.hba_errors": ("open", "none", 0),
        "set.preload": ("fail", "note", 0), "sec.ext_public": ("fail", "error", 1),
    }  # fmt: skip
    (odd,) = [one for one in run["results"] if one["ruleId"] == "idx.fk_missing"]
    uri = odd["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == f"database/table/odd.{ODD_NAME}"
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"] == "it took longer than it was given: lock.blocked"
    (silent,) = json.loads(written("sarif", UNANSWERED))["runs"]
    assert silent["invocations"][0]["executionSuccessful"] is False


def test_markdown_is_one_table_and_a_block_of_sql_for_each_that_can_be_mended() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(written("markdown", SOME))
    kinds = [one.type for one in tokens]
    assert (kinds.count("table_open"), kinds.count("tr_open"), kinds.count("td_open")) == (1, 7, 24)
    assert [one.content for one in tokens if one.type == "fence"] == [
        "ALTER SEQUENCE public.orders_id_seq AS bigint;  -- lock: ACCESS EXCLUSIVE\n",
        "GRANT pg_monitor TO monitor;\n",
        'CREATE INDEX ON "a|b\n'
        '`c`* "d" \\e <i>\'f=g\'</i> \\x1b[31m ]]> é @team #1 & ¬\\u202e" (a);  -- lock: SHARE\n'
        "ANALYZE;  -- lock: SHARE UPDATE EXCLUSIVE\n",
    ]
    inside = [child.type for one in tokens for child in one.children or ()]
    assert not {"html_inline", "link_open", "em_open", "image"} & set(inside)
    assert "html_block" not in kinds


def test_markdown_names_nobody_and_no_issue() -> None:
    prose = [line for line in written("markdown", SOME).splitlines() if "no index of" in line]
    assert prose
    assert all("@team" not in line and "#1" not in line for line in prose)
    assert all("@\u2060team" in line for line in prose)


@pytest.mark.parametrize(
    ("states", "codes"),
    [
        ({State.OK, State.SKIPPED, State.SUPPRESSED, State.INFO}, (0, 0, 0, 0)),
        ({State.WARNING}, (1, 0, 0, 0)),
        ({State.UNKNOWN}, (3, 3, 0, 0)),
        ({State.WARNING, State.UNKNOWN}, (1, 3, 0, 0)),
        ({State.CRITICAL, State.WARNING, State.UNKNOWN}, (2, 2, 2, 0)),
        (set(), (3, 3, 0, 0)),
    ],
    ids=("well", "warning", "unknown", "warning-and-unknown", "everything", "nothing"),
)
def test_the_exit_code_tells_the_worst_of_what_counts(states: set[State], codes: tuple[int, ...]) -> None:
    report = replace(WELL, checks=tuple(replace(WELL.checks[0], state=state) for state in states))
    assert tuple(exit_code(report, fail_on) for fail_on in FailOn) == codes
