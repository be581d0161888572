"""What the commands of the catalogue write, and what they end with."""

from __future__ import annotations

import json

from typer.testing import CliRunner, Result

from spotify_ai_agent_migrations.versions.cli.agentdb import composed
from support import rows


def gdpr_erasure(*arguments: str) -> Result:
    return CliRunner().invoke(composed(["gdpr-erasure"]), ["gdpr-erasure", *arguments])


def test_check_ends_with_0_and_with_3_and_names_each_column(url: str) -> None:
    done = gdpr_erasure("check", "--url", url)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "no findings\n", "")
    rows(url, "ALTER TABLE public.users ADD COLUMN shoe_size int")
    done = gdpr_erasure("check", "--url", url)
    assert done.exit_code == 3
    assert done.stdout.startswith(
        "public.users.shoe_size: is not in the catalogue\n  Hint: SELECT ops.classify_column_v1("
    )
    assert done.stdout.endswith("\n1 finding\n")
    done = gdpr_erasure("check", "--format", "json", "--url", url)
    assert done.exit_code == 3
    assert [one["place"] for one in json.loads(done.stdout)["findings"]] == ["public.users.shoe_size"]


def test_scan_says_where_and_with_a_person_in_how_many_rows(url: str) -> None:
    done = gdpr_erasure("scan", "--url", url)
    assert (done.exit_code, done.stdout) == (0, "no findings\n")
    rows(
        url,
        "INSERT INTO public.users (id, email) VALUES (1, 'bob@example.org');"
        "CREATE TABLE public.odd (note text); INSERT INTO public.odd VALUES ('BOB@example.org')",
    )
    done = gdpr_erasure("scan", "--url", url)
    assert done.exit_code == 3
    assert "public.odd.note: looks as if it held: e-mail address (100.0 % of 1 values)" in done.stdout
    done = gdpr_erasure("scan", "--subject", "1", "--url", url)
    assert done.exit_code == 3
    assert "public.users.email: rows 1, of them not the person's 0\n" in done.stdout
    assert "public.odd.note: holds the person in 1 row, undeclared\n" in done.stdout
    assert "bob" not in done.stdout.lower()
    done = gdpr_erasure("scan", "--subject", "1", "--format", "json", "--url", url)
    assert {"place": "public.odd.note", "rows": 1, "elsewhere": 1} in json.loads(done.stdout)["held"]


def test_records_writes_the_record_and_ends_with_3_while_something_is_missing(url: str) -> None:
    done = gdpr_erasure("records", "--url", url)
    assert done.exit_code == 3
    assert done.stdout.startswith("# Record of processing activities (GDPR art. 30)\n")
    assert done.stderr.startswith("missing: the controller: INSERT INTO ops.controller")
    done = gdpr_erasure("records", "--format", "json", "--url", url)
    assert len(json.loads(done.stdout)["missing"]) == 2
