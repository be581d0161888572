"""A new revision is made by Alembic's own command; what Alembic would make otherwise is caught by the check."""

from __future__ import annotations

import re

from support import HEAD, NEXT, Checkout, rows

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
AFTER_NEXT = f"{int(NEXT) + 1:03d}"


def found(checkout: Checkout) -> list[str]:
    """The file, code and problem of each finding of `agentdb check`."""
    shown = checkout.python("-m", "spotify_ai_agent_migrations", "check").stdout
    return re.findall(r"^versions/(\S+?):\d+:\d+: \w+ (MIG\d+: .*)$", shown, re.MULTILINE)


def two_heads(checkout: Checkout) -> None:
    """Add two revisions that follow the same one, as two branches do."""
    checkout.add("execute('SELECT 1')")
    text = (checkout.versions / f"{NEXT}_added.py").read_text()
    own = text.replace(f'revision = "{NEXT}"', f'revision = "{AFTER_NEXT}"', 1)
    (checkout.versions / f"{AFTER_NEXT}_other.py").write_text(own)


def test_a_new_revision_asks_for_nothing_but_what_a_person_knows(checkout: Checkout) -> None:
    assert checkout.alembic("revision", "-m", "Add a city", url=NOWHERE).returncode == 0
    file = f"{NEXT}_add_a_city.py"
    assert found(checkout) == [
        (file, 'MIG011: the field "Data" is empty'),
        (file, 'MIG011: the field "Locks" is empty'),
        (file, 'MIG011: the field "Needs" is empty'),
        (file, 'MIG011: the field "Reverse" is empty'),
        (file, 'MIG012: "upgrade" does nothing'),
        (file, 'MIG012: "downgrade" does nothing'),
    ]
    text = (checkout.versions / file).read_text()
    assert "# with one of none, identifier, contact, location, behavioural, content, derived." in text
    assert text.endswith("    raise SystemExit(revision_main(__file__))\n")


def test_a_new_revision_that_is_filled_in_keeps_every_rule_and_runs(checkout: Checkout, url: str) -> None:
    assert checkout.alembic("revision", "-m", "Add a city", url=url).returncode == 0
    file = checkout.versions / f"{NEXT}_add_a_city.py"
    text = file.read_text()
    for empty, filled in {
        "Locks:\n": "Locks: ACCESS EXCLUSIVE on places, for a moment.\n",
        "Reverse:\n": "Reverse: lossy; the values go.\n",
        "Data:\n": "Data: none\n",
        "Needs:\n": "Needs: membership of agent_owner\n",
        "def upgrade() -> None:\n    pass": "def upgrade() -> None:\n"
        '    op.add_column("places", sa.Column("district", sa.Text, comment="none: part of a city"))',
        "def downgrade() -> None:\n    pass": 'def downgrade() -> None:\n    op.drop_column("places", "district")',
    }.items():
        assert empty in text
        text = text.replace(empty, filled)
    file.write_text(text)
    assert found(checkout) == []
    for command in (("upgrade", "head"), ("downgrade", HEAD), ("upgrade", "head")):
        done = checkout.alembic(*command, url=url)
        assert done.returncode == 0, done.stderr
    assert rows(url, "SELECT version_num FROM alembic_version") == [(NEXT,)]


def test_an_id_that_is_asked_for_by_hand_is_replaced_by_the_next_number(checkout: Checkout) -> None:
    done = checkout.alembic("revision", "-m", "By hand", "--rev-id", "abc123", url=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert [file.name for file in checkout.versions.glob("*_by_hand.py")] == [f"{NEXT}_by_hand.py"]


def test_a_file_that_alembic_named_is_told_its_number(checkout: Checkout) -> None:
    checkout.add("execute('SELECT 1')")
    text = (checkout.versions / f"{NEXT}_added.py").read_text()
    (checkout.versions / f"{NEXT}_added.py").unlink()
    (checkout.versions / "abc123_added.py").write_text(
        text.replace(f'revision = "{NEXT}"', 'revision = "abc123"', 1)
    )
    assert ("abc123_added.py", 'MIG001: "abc123_added.py" is not named NNN_slug.py') in found(checkout)


def test_a_merge_without_a_number_makes_no_file_and_the_check_tells_the_two_heads(
    checkout: Checkout, url: str
) -> None:
    two_heads(checkout)
    before = sorted(checkout.versions.glob("*.py"))
    done = checkout.alembic("merge", "heads", "-m", "Join", url=url)
    assert done.returncode == 255
    assert "Template rendering failed" in done.stderr
    assert sorted(checkout.versions.glob("*.py")) == before
    assert found(checkout) == [
        (f"{AFTER_NEXT}_other.py", f'MIG009: revision "{AFTER_NEXT}" follows "{HEAD}", not "{NEXT}"'),
        (f"{AFTER_NEXT}_other.py", f'MIG010: there are two heads, "{NEXT}" and "{AFTER_NEXT}"'),
    ]


def test_a_merge_with_a_number_is_caught_by_the_check_and_stops_the_upgrade(
    checkout: Checkout, url: str
) -> None:
    two_heads(checkout)
    number = f"{int(AFTER_NEXT) + 1:03d}"
    done = checkout.alembic("merge", "heads", "-m", "Join", "--rev-id", number, url=url)
    assert done.returncode == 0, done.stderr
    told = (f"{number}_join.py", 'MIG004: "down_revision" is not the literal of a string or None')
    assert told in found(checkout)
    stopped = checkout.alembic("upgrade", "head", url=url)
    assert (stopped.returncode, stopped.stderr.splitlines()[-1]) == (
        3,
        f'Hint: set down_revision = "{NEXT}" in {AFTER_NEXT}_other.py; `agentdb check` lists every finding',
    )
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
