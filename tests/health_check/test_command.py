"""The command: what it writes and where, and exit codes of which none can be taken for another."""

from __future__ import annotations

import itertools
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from health_check.reports import EXTRA, SOME
from typer.testing import CliRunner

from spotify_ai_agent_migrations import FileError, SettingsError
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.command import EXIT_CODES, script
from spotify_ai_agent_migrations.versions.health_check.outputs import FORMATS
from spotify_ai_agent_migrations.versions.health_check.outputs.costs import MEASURED_MS
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import EXIT_CRASH, EXIT_USAGE
from spotify_ai_agent_migrations.versions.health_check.outputs.explain import listing, page
from spotify_ai_agent_migrations.versions.health_check.outputs.failure import failure
from spotify_ai_agent_migrations.versions.health_check.outputs.placing import placed
from spotify_ai_agent_migrations.versions.health_check.selection import limits_of
from support import ROOT, Checkout, Processes, beside, connected, environment, rows, run, until

NOTHING = "postgresql://nobody@127.0.0.1:1/none"
FAST = ("--only", "conn.usage")


def _asked(*arguments: str, url: str | None = None) -> tuple[int, str, str]:
    command = (sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", *arguments)
    done = run(*command, url=url, COLUMNS="100")
    return done.returncode, done.stdout, done.stderr


def _limited(warning: str, critical: str = "") -> tuple[str, ...]:
    return (*FAST, "--limit", f"conn.usage={warning},{critical}")


def test_the_exit_code_is_the_state(empty_url: str) -> None:
    assert _asked(*_limited("1"), url=empty_url)[0] == 0
    assert _asked(*_limited("0"), url=empty_url)[0] == 1
    assert _asked(*_limited("0", "0"), url=empty_url)[0] == 2
    assert _asked(*FAST, url=NOTHING)[0] == 3
    assert _asked(*_limited("0", "0"), "--fail-on", "never", url=empty_url)[0] == 0
    assert _asked(*_limited("0"), "--fail-on", "critical", url=empty_url)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nonsense",), "Error: No such option: --nonsense"),
        (("--format", "pdf"), "Invalid value for '--format'"),
        (("--deadline", "0"), "Invalid value for '--deadline'"),
        (("more",), "Error: Got unexpected extra argument"),
        (("--only", "nonsense"), 'error: there is no check "nonsense"\nHint: the groups are app, '),
        (("--limit", "conn.usage"), 'error: "conn.usage" has no two limits\nHint: say conn.usage=0.7,0.9; '),
        (("--limit", "x.y=1,2"), 'error: there is no check "x.y" to be given limits\n'),
        (("--explain", "seq.exhaution"), "Hint: did you mean seq.exhaustion?"),
        (("--url", "mysql://x"), "error: "),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_usage_has_a_code_that_is_no_state(empty_url: str, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = _asked(*arguments, url=empty_url)
    assert (code, out) == (EXIT_USAGE, "")
    assert said in err
    code, out, _ = _asked(*arguments, "--format", "nagios", url=empty_url)
    if "--format" not in arguments:
        # Nagios knows four codes, and reads standard output.
        assert code == 3
        assert out.startswith("HEALTH UNKNOWN - ")


def test_a_crash_has_a_code_that_is_no_state_and_says_no_value(empty_url: str) -> None:
    broken = (
        "from spotify_ai_agent_migrations.versions.health_check import command\n"
        "command.FORMATS = dict()\n"
        "command.script(['--only', 'conn.usage', '--format', {!r}])\n"
    )
    done = run(sys.executable, "-c", broken.format("text"), url=empty_url)
    assert (done.returncode, done.stdout) == (EXIT_CRASH, "")
    assert done.stderr.startswith("error: the check itself failed: KeyError in command.py:")
    done = run(sys.executable, "-c", broken.format("nagios"), url=empty_url)
    assert done.returncode == 3
    assert done.stdout.startswith("HEALTH UNKNOWN - the check itself failed: KeyError in command.py:")
    with pytest.raises(ValueError, match="hunter2") as caught:
        int("hunter2")
    told = failure(caught.value, is_plugin=True)
    assert "ValueError" in told.told
    assert "hunter2" not in told.told + told.written


def test_a_reader_that_has_gone_is_no_warning(empty_url: str) -> None:
    command = [sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", "--format", "json"]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, env=environment(empty_url),
            timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (EXIT_CRASH, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_what_cannot_be_written_is_no_state_either(empty_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", *FAST]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment(empty_url),
            timeout=60,
        )  # fmt: skip
    assert done.returncode == EXIT_CRASH
    assert "error: standard output cannot be written: No space left on device\n" in done.stderr
    missing = tmp_path / "none" / "report.json"
    code, out, err = _asked(*FAST, "--output", str(missing), url=empty_url)
    assert (code, out) == (EXIT_CRASH, "")
    assert f'error: "{missing}" cannot be written: No such file or directory\n' in err


def test_a_package_that_cannot_be_loaded_is_no_warning(checkout: Checkout, empty_url: str) -> None:
    command = ("-m", "spotify_ai_agent_migrations", "health-check", *FAST)
    assert checkout.python(*command, url=empty_url).returncode == 0
    (checkout.versions / "health_check" / "disks.py").write_text("broken = [].pop()\n")
    done = checkout.python(*command, url=empty_url)
    assert (done.returncode, done.stdout) == (EXIT_CRASH, "")
    assert done.stderr.startswith("error: the check itself cannot be loaded: IndexError\nHint: ")
    done = checkout.python(*command, "--format", "nagios", url=empty_url)
    assert (done.returncode, done.stdout) == (
        3, "HEALTH UNKNOWN - the check itself cannot be loaded: IndexError\n",
    )  # fmt: skip
    assert "IndexError: pop from empty list" in checkout.python(*command[:2], "--help", url=empty_url).stderr


def test_who_interrupts_it_is_told_so(processes: Processes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        command = (sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", "--deadline", "300")
        process = processes.start(*command, url=url)
        with silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (
        130, "", "error: interrupted\nHint: nothing is known of the server\n",
    )  # fmt: skip


def test_what_is_written_is_utf_8_whatever_the_terminal_speaks(empty_url: str) -> None:
    rows(empty_url, "CREATE SEQUENCE été AS smallint; SELECT setval('été', 32767)")
    command = (
        sys.executable,
        "-m",
        "spotify_ai_agent_migrations",
        "health-check",
        "--only",
        "seq.exhaustion",
    )
    done = run(*command, url=empty_url, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "sequence été has given out" in done.stdout


def test_the_help_tells_every_exit_code(empty_url: str) -> None:
    code, out, _ = _asked("--help", url=empty_url)
    assert code == 0
    assert " ".join(EXIT_CODES.split()) in " ".join(out.split())


def test_a_file_is_written_whole_and_standard_output_says_nothing(empty_url: str, tmp_path: Path) -> None:
    file = tmp_path / "health.prom"
    code, out, _ = _asked(*_limited("0"), "-f", "prometheus", "-o", str(file), url=empty_url)
    assert (code, out) == (1, "")
    assert "\npghealth_state 1.0\n" in file.read_text()
    assert [one.name for one in tmp_path.iterdir()] == ["health.prom"]


def test_who_reads_a_file_meanwhile_sees_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "report"
    reports = [letter * 500_000 for letter in "ab"]
    placed(file, reports[0])
    seen, is_done = set(), threading.Event()

    def read() -> None:
        while not is_done.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    turns = itertools.count()

    def placed_again() -> bool:
        turn = next(turns)
        placed(file, reports[turn % 2])
        return turn > 200 and len(seen) > 1

    try:
        until(placed_again, pause_s=0)
    finally:
        is_done.set()
        reader.join()
    assert seen == set(reports)


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "report"
    placed(file, "old")
    with pytest.raises(UnicodeEncodeError):
        placed(file, "\udcff")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report", "old")]
    with pytest.raises(FileError) as caught:
        placed(tmp_path, "new")
    assert caught.value.problem == f'"{tmp_path}" cannot be written: Is a directory'


def test_a_link_stays_one_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "report")
    placed(tmp_path / "link", "new")
    assert (tmp_path / "report").read_text() == "new"
    assert (tmp_path / "link").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    with os.fdopen(os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)) as pipe:
        placed(tmp_path / "pipe", "through")
        assert pipe.read() == "through"
    assert (tmp_path / "pipe").is_fifo()


def test_the_umask_says_who_may_read_a_new_file_and_an_old_one_stays_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        placed(tmp_path / "mine", "")
        os.umask(0o022)
        placed(tmp_path / "ours", "")
        placed(tmp_path / "mine", "again")
    finally:
        os.umask(before)
    assert (tmp_path / "mine").read_text() == "again"
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("mine", "ours")] == [0o600, 0o644]


def _on_a_terminal(*arguments: str, url: str, **more: str) -> tuple[int, str]:
    """The exit code, and what a terminal of 90 columns was shown."""
    leading, following = pty.openpty()
    command = [sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", *arguments]
    env = environment(url, TERM="xterm-256color", COLUMNS="90", **more)
    shown = b""
    with closing(os.fdopen(leading, "rb", buffering=0)) as screen, ExitStack() as stack:
        with os.fdopen(following, "wb", buffering=0) as terminal:
            to = {"stdin": subprocess.DEVNULL, "stdout": terminal, "stderr": terminal}
            process = stack.enter_context(beside(*command, env=env, **to))
        try:
            while part := screen.read(65_536):
                shown += part
        except OSError:
            pass  # Linux says so that nobody writes to it any more.
        return process.wait(timeout=60), shown.decode()


def test_a_terminal_is_shown_a_table_in_colours(empty_url: str) -> None:
    code, shown = _on_a_terminal(*_limited("0", "0"), url=empty_url)
    assert code == 2
    assert "\x1b[1;31mcritical" in shown
    assert "--explain CHECK" in shown
    code, plain = _on_a_terminal(*_limited("0", "0"), url=empty_url, NO_COLOR="1")
    assert code == 2
    assert "\x1b" not in plain
    assert "--explain CHECK" in plain
    assert "\x1b" not in _on_a_terminal(*_limited("0"), "-f", "text", url=empty_url)[1]


def test_a_deep_run_says_how_far_it_is(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE big AS SELECT g FROM generate_series(1, 100000) AS g")
    _, shown = _on_a_terminal("--deep", "--only", "idx", "--only", "con", url=empty_url)
    assert " checks, now con." in shown or " checks, now idx." in shown
    assert " checks, now " not in _on_a_terminal("--only", "idx", url=empty_url)[1]


def test_deep_is_what_reads_the_data(empty_url: str) -> None:
    def asked(*arguments: str) -> set[str]:
        found = json.loads(_asked("-f", "json", *arguments, url=empty_url)[1])
        return {one["check"] for one in found["checks"]}

    assert asked("--deep") - asked() == {check.id for check in CHECKS if check.deep}
    assert "con.fk_orphans" in asked("--deep")
    assert asked("--only", "conn", "--exclude", "conn.usage") == {
        check.id for check in CHECKS if check.group == "conn" and check.id != "conn.usage"
    }


def test_the_deadline_holds_where_the_server_is_frozen(empty_url: str) -> None:
    ((folder,),) = rows(empty_url, "SHOW data_directory")
    if not (Path(str(folder)) / "postmaster.pid").exists():
        pytest.skip("the server's files are elsewhere")
    process = int((Path(str(folder)) / "postmaster.pid").read_text().splitlines()[0])
    os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        code, out, _ = _asked("--deadline", "0.5", "-f", "nagios", url=empty_url)
        took_s = time.monotonic() - began
    finally:
        os.kill(process, signal.SIGCONT)
    assert code == 2
    assert out.startswith("HEALTH CRITICAL - ")
    # To start Python takes its time as well.
    assert took_s < 5


def test_the_script_of_the_revision_is_the_same_command(empty_url: str) -> None:
    runner = CliRunner()
    bare = runner.invoke(script, [*_limited("0"), "--url", empty_url])
    named = runner.invoke(script, ["check", *_limited("0"), "--url", empty_url])
    assert (bare.exit_code, named.exit_code) == (1, 1)
    assert "warning: conn.usage: " in bare.stdout
    assert runner.invoke(script, ["--nonsense"]).exit_code == EXIT_USAGE
    assert runner.invoke(script, ["nonsense"]).exit_code == EXIT_USAGE
    shown = runner.invoke(script, ["--help"])
    assert shown.exit_code == 0
    assert "check" in shown.stdout.partition("Commands:")[2]


def test_what_is_allowed_is_told_and_moves_no_exit_code(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(empty_url, "CREATE SEQUENCE s AS smallint; SELECT setval('s', 32767)")
    rule = '[[suppress]]\ncheck = "seq"\nobject = "public.s"\nreason = "it is read no more"\nexpires = {}\n'
    file = tmp_path / "health-suppressions.toml"
    file.write_text(rule.format("9999-12-31"))
    asked = ["--only", "seq.exhaustion", "--url", empty_url]
    assert CliRunner().invoke(script, asked).exit_code == 2
    monkeypatch.chdir(tmp_path)
    for arguments in (asked, [*asked, "--suppressions", str(file)]):
        done = CliRunner().invoke(script, arguments)
        assert done.exit_code == 0
        assert "(critical, allowed until 9999-12-31: it is read no more)" in done.stdout
    file.write_text(rule.format("2001-01-01"))
    done = CliRunner().invoke(script, asked)
    assert done.exit_code == 2
    assert (
        "warning: suppression.expired: seq of public.s was allowed until 2001-01-01: it is read no more"
        in done.stdout
    )


def test_the_list_names_every_check_with_its_limits() -> None:
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == [check.id for check in CHECKS]
    (usage,) = [line for line in lines if line.startswith("conn.usage ")]
    assert usage.endswith("connections in use (warning from 0.8, critical from 0.95 of the slots)")
    code, out, err = _asked("--list")
    assert (code, out, err) == (0, listing(), "")


def test_a_page_tells_all_about_a_check() -> None:
    lines = page("conn.usage").splitlines()
    assert lines[:8] == [
        "conn.usage: connections in use",
        "",
        "Why:       At the limit every new client is refused, whoever mends that among them.",
        "Says:      {clients} of {usable} connections are in use",
        "Limits:    warning from 0.8, critical from 0.95 of the slots; others by --limit conn.usage=WARN,CRIT",
        "Asked:     always; primary and standby, PostgreSQL 15 and later",
        "Needs:     GRANT pg_monitor TO the login",
        "Cost:      one statement; 5 ms at the most, however many tables there are",
    ]
    assert "one statement; some 30 ms on 4,000 tables and 12,000 indexes" in page("xid.table")
    assert set(MEASURED_MS) <= {check.id for check in CHECKS}
    assert "only with --deep, or --only con.fk_orphans" in page("con.fk_orphans")
    assert "skipped where there is no table ops.import_reject" in page("app.import_rejects")
    with pytest.raises(SettingsError):
        page("nonsense")


def test_what_a_page_shows_can_be_asked_as_it_is(url: str) -> None:
    ((version,),) = rows(url, "SELECT current_setting('server_version_num')::int")
    asked = 0
    with connected(url) as connection, connection.cursor() as cursor:
        for check in CHECKS:
            # One that was told nothing has nothing to ask.
            if (
                check.told
                or check.extension
                or "primary" not in check.roles
                or not _is_there(url, check.table)
            ):
                continue
            if int(str(version)) < max(check.since, check.renamed):
                continue
            _, _, statement = page(check.id).partition("\n-- ")
            cursor.execute(f"-- {statement.partition(chr(10) + '-- below PostgreSQL')[0]}")
            asked += 1
    assert asked > 100


def _is_there(url: str, table: str) -> bool:
    return not table or rows(url, "SELECT to_regclass(%s) IS NOT NULL", (table,)) == [(True,)]


def test_limits_are_read_as_they_are_spoken() -> None:
    assert limits_of(["conn.usage=0.5,0.9", "a.b=,3", "c.d=1,"]) == {
        "conn.usage": (0.5, 0.9), "a.b": (None, 3.0), "c.d": (1.0, None),
    }  # fmt: skip
    for spoken in ("conn.usage", "conn.usage=1", "conn.usage=a,1", "conn.usage=nan,1", "conn.usage=inf,"):
        with pytest.raises(SettingsError) as caught:
            limits_of([spoken])
        assert caught.value.problem == f'"{spoken}" has no two limits'


def test_the_schema_is_published() -> None:
    code, out, err = _asked("--schema")
    assert (code, err) == (0, "")
    assert out == (ROOT / "versions/health_check/outputs/report.schema.json").read_text()
    assert json.loads(out)["properties"]["schema_version"]["pattern"] == r"^1\.[0-9]+$"
    assert json.loads(FORMATS["json"](SOME, EXTRA))["schema_version"] == "1.0"
