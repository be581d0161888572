"""The job of a pull request: each of its steps is executed from the file, in a clone with a new revision."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from support import HEAD, NEXT, ROOT, in_memory

FILE = ROOT / ".github" / "workflows" / "migrations.yml"
WORKFLOW: dict[Any, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
JOBS: dict[str, Any] = WORKFLOW["jobs"]
# What is of others, and is not executed here.
ACTIONS = {
    "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8": "v5.0.0",
    "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c": "v6.0.0",
}
SHELLS = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"], "python3 {0}": ["python3"]}
BASE = "github.event.merge_group.base_sha || format('origin/{0}', github.base_ref)"
# What GitHub puts in place of each expression that a step needs.
EXPRESSIONS = {
    BASE: "origin/main",
    "vars.EDITED_REVISIONS": "",
    "matrix.postgres": "18",
    "github.event.pull_request.number": "7",
    "github.token": "token",
}
REVISION = f'''"""When a track was looked at.

Locks: ACCESS EXCLUSIVE on tracks.
Reverse: lossy
Data: none
Needs: membership of agent_owner
"""

from spotify_ai_agent_migrations.versions.core.ddl import execute

revision = "{NEXT}"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute("""
        ALTER TABLE tracks ADD COLUMN checked_at timestamptz;
        COMMENT ON COLUMN tracks.checked_at IS 'none: last look at the source';
    """)


def downgrade() -> None:
    execute("ALTER TABLE tracks DROP COLUMN checked_at")
'''
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".env",
    ".postgres",
    ".*_cache",
    ".hypothesis",
    "build",
    "dist",
    "*.egg-info",
    "__pycache__",
)


@dataclass
class Runner:
    """Executes the steps of a job in a clone, as GitHub's runner does; what they write goes into files."""

    clone: Path
    programs: Path
    files: Path
    # What has been executed once: another job that installs the same would do so on a machine of its own.
    installed: set[str]
    values: dict[str, str] = field(default_factory=lambda: dict(EXPRESSIONS))
    given: dict[str, str] = field(default_factory=dict)

    def steps(self, job: str) -> list[dict[str, Any]]:
        """The steps that are executed, in their order; the others are the known actions."""
        steps: list[dict[str, Any]] = JOBS[job]["steps"]
        assert {step["uses"] for step in steps if "uses" in step} <= set(ACTIONS)
        return [step for step in steps if "run" in step and step["run"] not in self.installed]

    def job(self, name: str, *, ends_with: int = 0) -> subprocess.CompletedProcess[str]:
        """Execute a whole job, whose last step ends with this code and the others with 0; return the last."""
        *before, last = self.steps(name)
        for step in before:
            done = self.step(name, step)
            assert done.returncode == 0, f"{step['name']}\n{done.stdout}{done.stderr}"
            if step["name"] == "Install":
                self.installed.add(step["run"])
        done = self.step(name, last)
        assert done.returncode == ends_with, f"{last['name']}\n{done.stdout}{done.stderr}"
        return done

    def step(self, job: str, step: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        script = self.files / "script"
        script.write_text(step["run"], encoding="utf-8")
        shell = step.get("shell", WORKFLOW["defaults"]["run"]["shell"])
        declared = {**JOBS[job].get("env", {}), **step.get("env", {})}
        return self.run(
            [*SHELLS[shell], str(script)], {name: self.expanded(value) for name, value in declared.items()}
        )

    def run(self, command: list[str], declared: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        ours = ("PYTEST_", "GIT_", "TEST_", "PYTHON", "GITHUB_")
        left_out = {"DATABASE_URL", "MIGRATIONS_ENV", "EDITED_REVISIONS", "VIRTUAL_ENV"}
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ours) and name not in left_out
        }
        told = {name: str(self.files / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "TMPDIR")}
        path = os.pathsep.join((str(self.programs), os.environ["PATH"]))
        return subprocess.run(
            command, cwd=self.clone, env={**kept, "PATH": path, **told, **declared, **self.given},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    def expanded(self, value: object) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self.values[found[1]], str(value))

    def summary(self) -> str:
        return (self.files / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")

    def output(self, name: str) -> str:
        """What a step gave by this name, read as the runner reads it."""
        text = (self.files / "GITHUB_OUTPUT").read_text(encoding="utf-8")
        found = re.fullmatch(rf"{name}<<(?P<end>\S+)\n(?P<value>.*?)\n(?P=end)\n", text, re.DOTALL)
        assert found, text
        return found["value"]


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env={**clean, "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder whose path is short and open, as that of a local server has to be."""
    folder = Path(tempfile.mkdtemp(prefix="agentdb-", dir=in_memory()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def clone(place: Path) -> Path:
    """A clone of this project, on a branch that adds a revision to what `main` has."""
    origin, clone = place / "origin", place / "clone"
    shutil.copytree(ROOT, origin, ignore=LEFT_OUT)
    git(origin, "init", "-q", "-b", "main")
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "all of it")
    git(place, "clone", "-q", str(origin), str(clone))
    git(clone, "checkout", "-q", "-b", "checked")
    (clone / "versions" / f"{NEXT}_checked.py").write_text(REVISION)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "checked")
    return clone


@pytest.fixture(scope="module")
def programs(place: Path) -> Path:
    """Where the programs of a virtual environment are, which finds the libraries of this one and its own project."""
    folder = place / "venv"
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    libraries = "\n".join(
        f"import site; site.addsitedir({path!r})" for path in sys.path if "-packages" in path
    )
    (Path(paths["purelib"]) / "zz_libraries.pth").write_text(f"{libraries}\n")
    return folder / "bin"


@pytest.fixture(scope="module")
def installed() -> set[str]:
    return set()


@pytest.fixture
def runner(clone: Path, programs: Path, tmp_path: Path, installed: set[str]) -> Iterator[Runner]:
    (tmp_path / "TMPDIR").mkdir()
    # What is asked for is there already; nothing is fetched. The last one is pip's own way to say no.
    given = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    made = Runner(clone, programs, tmp_path, installed, given=given)
    yield made
    # On a machine that is thrown away nobody stops what a job starts.
    made.run(["agentdb", "db", "stop"], {})


def test_the_check_annotates_the_lines_of_the_change(runner: Runner) -> None:
    assert runner.job("check").stdout == (
        f"::warning file=versions/{NEXT}_checked.py,line=1,col=1,title=MIG102 require_recorded_checksum::"
        f'"{NEXT}_checked.py" is not in CHECKSUMS: it is a draft'
        "%0AHint: when it is ready run agentdb governance checksums --write\n"
    )
    where = runner.run(["python", "-c", "import spotify_ai_agent_migrations as it; print(it.__file__)"], {})
    assert where.stdout == f"{runner.clone / '__init__.py'}\n"


def test_the_check_fails_where_the_change_breaks_a_rule(runner: Runner) -> None:
    git(runner.clone, "checkout", "-q", "-b", "broken")
    file = runner.clone / "versions" / f"{NEXT}_checked.py"
    file.write_text(REVISION.replace("timestamptz;", "timestamptz DEFAULT clock_timestamp();"))
    git(runner.clone, "commit", "-q", "-a", "-m", "broken")
    done = runner.job("check", ends_with=3)
    git(runner.clone, "checkout", "-q", "checked")
    line = REVISION.splitlines().index("        ALTER TABLE tracks ADD COLUMN checked_at timestamptz;") + 1
    assert (
        f"::error file=versions/{NEXT}_checked.py,line={line},col=1,title=MIG038 ban_rewriting_column::"
        in done.stdout
    )
    assert "merged into origin/main it changes 1 file\n" in done.stderr


def test_the_plan_is_of_the_new_revision_alone_and_is_posted_once(runner: Runner) -> None:
    runner.job("plan")
    assert runner.summary().startswith("### Plan of the new revisions\n\n| where | verdict |")
    plan = runner.output("plan")
    assert f"| versions/{NEXT}_checked.py:19 | brief_blocking | reads and writes |" in plan
    assert "1 revision, 2 statements: 1 brief_blocking, 1 nonblocking" in plan
    assert "executed on a clone with its rows" in plan
    with Comments() as comments:
        runner.given |= comments.environment
        runner.values["needs.plan.outputs.plan"] = "no statement is pending\n"
        runner.job("comment")
        assert len(comments.held) == Comments.BEFORE
        runner.values["needs.plan.outputs.plan"] = plan
        runner.job("comment")
        runner.values["needs.plan.outputs.plan"] = "another plan"
        runner.job("comment")
    ours = comments.held[-1]
    assert len(comments.held) == Comments.BEFORE + 1
    assert ours["body"] == (
        "<!-- plan of the new revisions -->\n### Plan of the new revisions\n\nanother plan\n\n"
        "[The whole of it](https://github.test/owner/name/actions/runs/11)"
    )
    assert [asked for asked in comments.asked if asked[0] != "GET"] == [
        ("POST", "/repos/owner/name/issues/7/comments", "Bearer token"),
        ("PATCH", f"/repos/owner/name/issues/comments/{ours['id']}", "Bearer token"),
    ]


def test_the_tests_run_on_the_server_that_the_file_names(runner: Runner) -> None:
    """In a container where there is Docker: here that is said, and one module is run on the server without it."""
    assert JOBS["tests"]["env"] == {
        "SERVER": "container", "TEST_POSTGRES_IMAGE": "postgres:${{ matrix.postgres }}",
    }  # fmt: skip
    assert JOBS["tests"]["strategy"]["matrix"] == {"postgres": ["15", "16", "17", "18"]}
    *_, last = runner.steps("tests")
    assert last["run"] == 'python -m pytest --postgres="$SERVER" --another-server'
    runner.given |= {
        "SERVER": "embedded",
        "PYTEST_ADDOPTS": "-n 0 -p no:cacheprovider tests/core/test_sql.py",
    }
    assert " passed in " in runner.job("tests").stdout


def gitlab() -> dict[str, Any]:
    found = re.search(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found
    jobs: dict[str, Any] = yaml.safe_load(found[1])
    return jobs


def test_gitlab_gets_its_report_from_the_script_in_the_readme(runner: Runner) -> None:
    runner.job("check")
    jobs = gitlab()
    job = {**jobs[".change"], **jobs["check"]}
    # GitLab puts the variables into one another.
    target = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_PROJECT_DIR": str(runner.clone)}
    declared = {name: Template(value).substitute(target) for name, value in job["variables"].items()}
    install = Template(job["before_script"][1]).substitute(declared)
    assert install in runner.installed
    script = "\n".join([job["before_script"][0], *job["script"]])
    done = runner.run(["bash", "-eo", "pipefail", "-c", script], {**declared, **target})
    assert done.returncode == 0, done.stderr
    report = runner.clone / job["artifacts"]["reports"]["codequality"]
    (issue,) = json.loads(report.read_text())
    assert issue["location"] == {"path": f"versions/{NEXT}_checked.py", "lines": {"begin": 1}}
    report.unlink()


def test_gitlab_plans_and_tests_by_the_same_commands() -> None:
    jobs = gitlab()
    commands = {
        line.strip()
        for name in ("plan", "tests")
        for step in JOBS[name]["steps"]
        for line in step.get("run", "").splitlines()
    }
    assert set(jobs["plan"]["script"]) | set(jobs["tests"]["script"]) < commands
    assert len(jobs["plan"]["script"]) == 6
    assert jobs["tests"]["parallel"]["matrix"] == [
        {"POSTGRES": JOBS["tests"]["strategy"]["matrix"]["postgres"]}
    ]


class Comments:
    """A server that keeps comments as GitHub does, over HTTP; there are two pages of them before."""

    BEFORE = 101
    environment: dict[str, str]

    def __init__(self) -> None:
        stranger = "<!-- plan of the new revisions --> by a stranger"
        self.held = [
            {"id": number, "body": stranger, "user": {"login": "stranger"}}
            for number in range(1, self.BEFORE + 1)
        ]
        self.asked: list[tuple[str, str, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.environment = {
            "GITHUB_API_URL": f"http://127.0.0.1:{self._server.server_port}",
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_RUN_ID": "11",
            "no_proxy": "127.0.0.1",
        }

    def __enter__(self) -> Comments:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def page(self, number: int) -> list[dict[str, Any]]:
        return self.held[(number - 1) * 100 : number * 100]

    def post(self, body: str) -> dict[str, Any]:
        self.held.append({"id": 500, "body": body, "user": {"login": "github-actions[bot]"}})
        return self.held[-1]

    def patch(self, number: int, body: str) -> dict[str, Any]:
        (comment,) = (one for one in self.held if one["id"] == number)
        comment["body"] = body
        return comment

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        comments = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(comments.page(int(self.path.rpartition("page=")[2])))

            def do_POST(self) -> None:
                self.answer(comments.post(self.body()))

            def do_PATCH(self) -> None:
                self.answer(comments.patch(int(self.path.rpartition("/")[2]), self.body()))

            def body(self) -> str:
                return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

            def answer(self, value: object) -> None:
                comments.asked.append((self.command, self.path, self.headers["Authorization"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(value).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's own name)
                pass

        return Handler


def test_what_is_of_others_is_pinned_to_a_commit_and_known() -> None:
    used = re.findall(r"uses: (\S+) # (\S+)$", FILE.read_text(), re.MULTILINE)
    assert len(used) == FILE.read_text().count("uses:") > 4
    assert dict(used) == ACTIONS


def test_the_token_may_write_only_where_no_code_of_the_change_is_executed() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job} == {
        "comment": {"pull-requests": "write"}
    }
    assert all("uses" not in step for step in JOBS["comment"]["steps"])
    assert "head.repo.full_name == github.repository" in JOBS["comment"]["if"]
    # YAML reads the word `on` as true.
    assert set(WORKFLOW[True]) == {"pull_request", "merge_group", "push"}
    assert "token" not in str([job for name, job in JOBS.items() if name != "comment"])
    kept = [
        step["with"]["persist-credentials"]
        for job in JOBS.values()
        for step in job["steps"]
        if "checkout" in step.get("uses", "")
    ]
    assert kept == [False, False, False]


def test_nothing_of_a_change_gets_into_a_script_but_by_its_environment() -> None:
    scripts = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    assert len(scripts) == 8
    assert all("${{" not in script for script in scripts)


def test_no_job_waits_for_ever_nor_beside_its_successor() -> None:
    assert set(JOBS) == {"check", "plan", "comment", "tests"}
    assert all(job["timeout-minutes"] <= 120 for job in JOBS.values())
    assert WORKFLOW["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
