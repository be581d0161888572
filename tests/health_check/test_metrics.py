"""What Prometheus, OpenMetrics and Nagios read: parsed by clients of their own, or as their guidelines say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from health_check.reports import EVERY, EXHAUSTED, EXTRA, NONE, ODD, ODD_NAME, SOME, UNANSWERED, USED, WELL
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from spotify_ai_agent_migrations.versions.health_check import HealthReport, State, check_health
from spotify_ai_agent_migrations.versions.health_check.outputs import FORMATS
from spotify_ai_agent_migrations.versions.health_check.outputs.metrics import MOST_OBJECTS

REPORTS = pytest.mark.parametrize("report", EVERY.values(), ids=EVERY)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
# https://www.monitoring-plugins.org/doc/guidelines.html#AEN201
DATUM = re.compile(
    r"(?P<label>'(?:[^'=\n]|'')+'|[^' =\n]+)=(?P<value>-?[0-9.]+)(?P<unit>us|ms|s|%|[KMGT]?B|c)?"
    r"(?:;(?P<warning>[0-9.:@~-]*))?(?:;(?P<critical>[0-9.:@~-]*))?(?:;(?P<least>[0-9.-]*))?(?: |\n|$)"
)


def _samples(form: str, report: HealthReport) -> Samples:
    shown = FORMATS[form](report, EXTRA)
    parse = (
        text_string_to_metric_families if form == "prometheus" else openmetrics.text_string_to_metric_families
    )
    found: Samples = {}
    for family in parse(shown):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    assert len(found) == len([line for line in shown.splitlines() if not line.startswith("#")])
    return found


def _of(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@REPORTS
def test_both_forms_say_the_same_to_their_own_parsers(report: HealthReport) -> None:
    assert _samples("prometheus", report) == _samples("openmetrics", report)


def test_values_are_in_base_units_beside_the_state_of_each_check() -> None:
    found = _samples("prometheus", SOME)
    assert _of(found, "pghealth_up") == 1
    assert _of(found, "pghealth_state") == 2
    assert _of(found, "pghealth_check_status", check="set.timeouts", group="set") == 1
    assert _of(found, "pghealth_check_status", check="lock.blocked", group="lock") == 3
    assert _of(found, "pghealth_check_status", check="conn.usage", group="conn") == 0
    assert not any("repl.lag_seconds" in dict(labels).values() for _, labels in found)
    timeout = {"check": "set.timeouts", "kind": "setting", "object": "statement_timeout"}
    assert _of(found, "pghealth_measured_seconds", **timeout) == 0.5
    sequence = {"check": "seq.exhaustion", "kind": "sequence", "object": "public.orders_id_seq"}
    assert _of(found, "pghealth_measured_ratio", **sequence) == 0.98
    # What is within its limits has a course too.
    used = {"check": "conn.usage", "kind": "server", "object": "connections"}
    assert _of(found, "pghealth_measured_ratio", **used) == 0.25
    odd = {"check": "idx.fk_missing", "kind": "table", "object": f"odd.{ODD_NAME}", "severity": "warning"}
    assert _of(found, "pghealth_finding_info", **odd) == 1
    assert _of(found, "pghealth_findings", severity="suppressed") == 1
    assert _of(found, "pghealth_last_run_timestamp_seconds") == EXTRA.now.timestamp()


def test_a_server_that_does_not_answer_is_down_and_unknown() -> None:
    found = _samples("prometheus", UNANSWERED)
    assert (_of(found, "pghealth_up"), _of(found, "pghealth_state")) == (0, 3)
    assert (_of(_samples("prometheus", NONE), "pghealth_state")) == 3
    assert (_of(_samples("prometheus", WELL), "pghealth_state")) == 0


def test_two_findings_of_one_object_are_one_sample_and_the_worse() -> None:
    twice = (replace(EXHAUSTED, state=State.WARNING, measure=0.8), EXHAUSTED)
    found = _samples("prometheus", replace(SOME, checks=(replace(SOME.checks[0], findings=twice),)))
    told = [dict(labels)["severity"] for name, labels in found if name == "pghealth_finding_info"]
    assert told == ["critical"]


def test_thousands_of_findings_are_no_thousands_of_series() -> None:
    many = tuple(replace(ODD, subject=replace(ODD.subject, name=f"t{n}")) for n in range(5_000))
    found = _samples("prometheus", replace(SOME, checks=(replace(SOME.checks[2], findings=many),)))
    assert sum(name == "pghealth_finding_info" for name, _ in found) == MOST_OBJECTS
    assert _of(found, "pghealth_findings", severity="warning") == 5_000


def _perfdata(shown: str) -> dict[str, Mapping[str, str | None]]:
    """What stands behind the bars, of the first line and of the end."""
    first, _, rest = shown.partition("\n")
    assert first.count("|") <= 1
    assert rest.count("|") <= 1
    data = f"{first.partition('|')[2].strip()} {rest.partition('|')[2].strip()}".strip()
    found = list(DATUM.finditer(data))
    assert "".join(one[0] for one in found) == data
    assert len({one["label"] for one in found}) == len(found)
    return {one["label"]: one.groupdict() for one in found}


@REPORTS
def test_nagios_reads_the_state_and_every_number(report: HealthReport) -> None:
    shown = FORMATS["nagios"](report, EXTRA)
    assert re.match(r"HEALTH (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| ", shown)
    assert {"critical", "warning", "unknown", "time"} <= _perfdata(shown).keys()


def test_nagios_says_the_worst_first_and_where_limits_are() -> None:
    shown = FORMATS["nagios"](SOME, EXTRA)
    assert shown.startswith(
        "HEALTH CRITICAL - sequence orders_id_seq has given out 98 of 1 to 100 "
        "(1 critical, 2 unknown, 2 warning, 1 info, 1 ok, 1 suppressed, 1 skipped) | "
    )
    data = _perfdata(shown)
    sequence = data["'seq.exhaustion sequence public.orders_id_seq'"]
    assert (sequence["value"], sequence["warning"], sequence["critical"]) == ("0.98", "0.75", "0.9")
    # Less is worse of a timeout: the range is open above.
    timeout = data["'set.timeouts setting statement_timeout'"]
    assert [timeout[key] for key in ("value", "unit", "warning", "critical")] == ["0.5", "s", "1:", "0.1:"]
    assert FORMATS["nagios"](UNANSWERED, EXTRA).startswith(
        "HEALTH UNKNOWN - the server did not answer (2 unknown) | "
    )


def test_nagios_is_told_of_a_hundred_and_how_many_there_are() -> None:
    many = tuple(replace(ODD, subject=replace(ODD.subject, name=f"t{n}")) for n in range(5_000))
    shown = FORMATS["nagios"](replace(SOME, checks=(replace(SOME.checks[2], findings=many),)), EXTRA)
    assert shown.count("warning: idx.fk_missing: ") == 100
    assert shown.endswith("\nand 4900 more\n")


def test_a_label_says_an_odd_name_in_quotes() -> None:
    odd = replace(USED, subject=ODD.subject)
    shown = FORMATS["nagios"](replace(SOME, checks=(replace(SOME.checks[6], measured=(odd,)),)), EXTRA)
    (label,) = set(_perfdata(shown)) - {"critical", "warning", "unknown", "time"}
    assert label.startswith("'conn.usage table odd.a¦b\\n`c`* ")
    assert "''f g''" in label


def test_what_a_real_server_says_is_read_too(url: str) -> None:
    report = check_health(url=url)
    found = _samples("openmetrics", report)
    asked = [ran for ran in report.checks if ran.state is not State.SKIPPED]
    assert sum(name == "pghealth_check_status" for name, _ in found) == len(asked) > 100
    assert _samples("prometheus", report) == found
    assert _perfdata(FORMATS["nagios"](report, EXTRA))
