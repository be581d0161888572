"""An application compares its own models with the database, and a new revision gets the next number."""

from __future__ import annotations

import textwrap

from support import HEAD, NEXT, Checkout, connected

MODELS = """
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("orders", metadata, sa.Column("id", sa.BigInteger, primary_key=True))
    sa.Table("ledger", metadata, sa.Column("id", sa.BigInteger, primary_key=True), schema="ops")
    not_metadata = 1
"""


def with_models(checkout: Checkout) -> Checkout:
    (checkout.root / "models.py").write_text(textwrap.dedent(MODELS))
    return checkout


def test_check_compares_the_models_that_are_named(checkout: Checkout, url: str) -> None:
    done = with_models(checkout).alembic("-x", "metadata=models:metadata", "check", url=url)
    assert done.returncode != 0
    assert "Detected added table 'orders'" in done.stderr
    assert "'remove_table'" in done.stdout + done.stderr


def test_objects_of_schema_ops_never_appear(checkout: Checkout, url: str) -> None:
    with connected(url) as connection:
        connection.cursor().execute("CREATE TABLE ops.internal (id integer)")
    done = with_models(checkout).alembic("-x", "metadata=models:metadata", "check", url=url)
    said = done.stdout + done.stderr
    assert "orders" in said
    assert "users" in said
    assert "internal" not in said
    assert "ledger" not in said


def test_models_may_be_named_in_the_configuration(checkout: Checkout, url: str) -> None:
    ini = checkout.root / "alembic.ini"
    ini.write_text(ini.read_text().replace("[alembic]", "[alembic]\ntarget_metadata = models:metadata", 1))
    assert "Detected added table 'orders'" in with_models(checkout).alembic("check", url=url).stderr


def test_models_that_cannot_be_loaded_are_an_error_with_the_form_to_use(checkout: Checkout, url: str) -> None:
    for named, problem in [
        ("nowhere:metadata", "metadata \"nowhere:metadata\" cannot be loaded: No module named 'nowhere'"),
        ("models:not_metadata", 'metadata "models:not_metadata" is int, not MetaData'),
    ]:
        done = with_models(checkout).alembic("-x", f"metadata={named}", "check", url=url)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-2:] == [
            f"error: {problem}",
            "Hint: say -x metadata=package.module:Base.metadata",
        ]


def test_a_domain_is_the_text_it_holds_to_the_models(checkout: Checkout, empty_url: str) -> None:
    (checkout.root / "models.py").write_text(
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
        "sa.Table('people', metadata, sa.Column('id', sa.BigInteger, primary_key=True), sa.Column('email', sa.Text))\n"
    )
    assert checkout.alembic("upgrade", "001", url=empty_url).returncode == 0
    for file in checkout.versions.glob("[0-9][0-9][0-9]_*.py"):
        if file.name[:3] > "001":
            file.unlink()
    with connected(empty_url) as connection:
        connection.cursor().execute("CREATE TABLE people (id bigserial PRIMARY KEY, email email_address)")
    done = checkout.alembic("-x", "metadata=models:metadata", "check", url=empty_url)
    assert (done.returncode, done.stdout) == (0, "No new upgrade operations detected.\n"), done.stderr


def test_partitions_are_no_difference_and_a_key_without_the_partition_key_is_named(
    checkout: Checkout, url: str
) -> None:
    models = (
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
        "with sa.create_engine({url!r}).connect() as connection:\n"
        "    metadata.reflect(connection, only=lambda name, _: '_p20' not in name and not name.endswith('_legacy') and name != 'alembic_version')\n"
    ).format(url=url.replace("postgresql://", "postgresql+psycopg2://"))
    (checkout.root / "models.py").write_text(models)
    done = checkout.alembic("-x", "metadata=models:metadata", "check", url=url)
    assert (done.returncode, done.stdout) == (0, "No new upgrade operations detected.\n"), done.stderr
    (checkout.root / "models.py").write_text(
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
        "sa.Table('analytics', metadata, sa.Column('user_id', sa.BigInteger, primary_key=True), sa.Column('id', sa.BigInteger, primary_key=True))\n"
    )
    done = checkout.alembic("-x", "metadata=models:metadata", "check", url=url)
    assert done.stderr.splitlines()[-2:] == [
        'error: the model of "analytics" has not "created_at" in its primary key, and the table is partitioned by it',
        "Hint: say primary_key=True of created_at in the model, behind the others",
    ]


NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


def test_a_new_revision_gets_the_next_number_and_asks_for_its_fields(checkout: Checkout) -> None:
    done = checkout.alembic("revision", "-m", "Add city to users", url=NOWHERE)
    assert done.returncode == 0, done.stderr
    text = (checkout.versions / f"{NEXT}_add_city_to_users.py").read_text()
    assert text.startswith('"""Add city to users\n\nLocks:\n')
    assert f"revision = '{NEXT}'\ndown_revision = '{HEAD}'\n" in text
    checked = checkout.python("-m", "spotify_ai_agent_migrations", "check")
    assert checked.returncode == 3
    assert f"{NEXT}_add_city_to_users.py" in checked.stdout


def test_autogenerate_without_models_is_refused(checkout: Checkout, url: str) -> None:
    done = checkout.alembic("revision", "--autogenerate", "-m", "Nothing", url=url)
    assert done.returncode == 1
    assert "error: Can't proceed with --autogenerate option" in done.stderr
    assert list(checkout.versions.glob(f"{NEXT}_*.py")) == []
