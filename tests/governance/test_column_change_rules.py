"""Rules about columns and constraints of tables that hold rows: MIG038 to MIG050."""

from __future__ import annotations

import pytest
from governance.history import Folder
from governance.told import Right, Said, Wrong, cases, told

WRONG = {
    "MIG038": [
        Wrong(
            'op.add_column("users", sa.Column("token", sa.Uuid, server_default=sa.func.gen_random_uuid()))',
            Said(
                1,
                'column "token" has the volatile default gen_random_uuid(), which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write op.add_column("users", sa.Column(\'token\', sa.Uuid)), then op.alter_column("users", "token", server_default=sa.func.gen_random_uuid()), and fill the rows in batches in a revision of its own, in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("token", sa.Text, server_default=sa.text("md5(random()::text)")))',
            Said(
                1,
                'column "token" has the volatile default random(), which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write op.add_column("users", sa.Column(\'token\', sa.Text)), then op.alter_column("users", "token", server_default=sa.text(\'md5(random()::text)\')), and fill the rows in batches in a revision of its own, in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD COLUMN seen timestamptz DEFAULT clock_timestamp() NOT NULL")',
            Said(
                1,
                'column "seen" has the volatile default clock_timestamp(), which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE users ADD seen timestamptz"), then op.alter_column("users", "seen", server_default=sa.text(\'clock_timestamp()\')), and fill the rows in batches in a revision of its own, in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE ops.jobs ADD id bigserial")',
            Said(
                1,
                'column "id" takes its values from a sequence, which rewrites "ops.jobs" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE ops.jobs ADD id bigint"), then execute("CREATE SEQUENCE ops.jobs_id_seq OWNED BY ops.jobs.id"), then op.alter_column("jobs", "id", server_default=sa.text("nextval(\'ops.jobs_id_seq\')"), schema="ops"), and fill the rows in batches in a revision of its own, in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("id", sa.BigInteger, sa.Identity()))',
            Said(
                1,
                'column "id" takes its values from a sequence, which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write op.add_column("users", sa.Column(\'id\', sa.BigInteger)), then execute("CREATE SEQUENCE users_id_seq OWNED BY users.id"), then op.alter_column("users", "id", server_default=sa.text("nextval(\'users_id_seq\')")), and fill the rows in batches in a revision of its own, in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("low", sa.Text, sa.Computed("lower(name)")))',
            Said(
                1,
                'column "low" is generated and stored, which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                "write op.add_column(\"users\", sa.Column('low', sa.Text)), a trigger that keeps it, and fill the rows in batches in a revision of its own, or GENERATED … VIRTUAL (PostgreSQL 18) in 001_step.py",
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD low text GENERATED ALWAYS AS (lower(name)) STORED")',
            Said(
                1,
                'column "low" is generated and stored, which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE users ADD low text"), a trigger that keeps it, and fill the rows in batches in a revision of its own, or GENERATED … VIRTUAL (PostgreSQL 18) in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("isrc", domain("isrc")))',
            Said(
                1,
                'column "isrc" is of a domain with a CHECK, "isrc", which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE users ADD isrc text"), then execute("ALTER TABLE users ADD CONSTRAINT users_isrc_check CHECK (…) NOT VALID") in 002_step.py',
            ),
            before="execute(\"CREATE DOMAIN public.isrc AS text CHECK (VALUE > '')\")",
        ),
        Wrong(
            'execute("ALTER TABLE users ADD n int DEFAULT next_v1()")',
            Said(
                1,
                'column "n" has the volatile default next_v1(), which rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE users ADD n integer"), then op.alter_column("users", "n", server_default=sa.text(\'next_v1()\')), and fill the rows in batches in a revision of its own, in 002_step.py',
            ),
            before='execute("CREATE FUNCTION next_v1() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$")',
        ),
    ],
    "MIG039": [
        Wrong(
            'op.add_column("users", sa.Column("city", sa.Text, nullable=False))',
            Said(
                1,
                'column "city" is NOT NULL without a default, and fails if "users" holds a row',
                "write op.add_column(\"users\", sa.Column('city', sa.Text, nullable=False, server_default=...)), or leave out nullable=False and require it once it is filled, in 001_step.py",
            ),
        ),
        Wrong(
            'execute("ALTER TABLE ops.jobs ADD city text NOT NULL")',
            Said(
                1,
                'column "city" is NOT NULL without a default, and fails if "ops.jobs" holds a row',
                'write execute("ALTER TABLE ops.jobs ADD city text DEFAULT … NOT NULL"), or leave out nullable=False and require it once it is filled, in 001_step.py',
            ),
        ),
        Wrong(
            (
                'with op.batch_alter_table("users") as batch:\n'
                '    batch.add_column(sa.Column("city", sa.Text, nullable=False))'
            ),
            Said(
                2,
                'column "city" is NOT NULL without a default, and fails if "users" holds a row',
                "write op.add_column(\"users\", sa.Column('city', sa.Text, nullable=False, server_default=...)), or leave out nullable=False and require it once it is filled, in 001_step.py",
            ),
        ),
    ],
    "MIG040": [
        Wrong(
            'execute("ALTER TABLE users ADD age int CONSTRAINT users_age_check CHECK (age > 0)")',
            Said(
                1,
                'column "age" brings a CHECK, which reads all of "users" under ACCESS EXCLUSIVE',
                'write execute("ALTER TABLE users ADD age integer"), then op.create_check_constraint("users_age_check", "users", "…", postgresql_not_valid=True) in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("age", sa.Integer, sa.CheckConstraint("age > 0", name="users_age_check")))',
            Said(
                1,
                'column "age" brings a CHECK, which reads all of "users" under ACCESS EXCLUSIVE',
                'write op.add_column("users", sa.Column(\'age\', sa.Integer)), then op.create_check_constraint("users_age_check", "users", "…", postgresql_not_valid=True) in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("email", sa.Text, unique=True, index=True))',
            Said(
                1,
                'column "email" brings UNIQUE, which builds an index over "users" under ACCESS EXCLUSIVE',
                'write op.add_column("users", sa.Column(\'email\', sa.Text)), then with op.get_context().autocommit_block(): op.create_index("users_email_key", "users", ["email"], unique=True, postgresql_concurrently=True), alone in a revision, in 001_step.py',
            ),
            Said(
                1,
                'column "email" brings an index, which is built over "users" under SHARE',
                'write op.add_column("users", sa.Column(\'email\', sa.Text)), then with op.get_context().autocommit_block(): op.create_index("users_email_idx", "users", ["email"], postgresql_concurrently=True), alone in a revision, in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD id bigint PRIMARY KEY")',
            Said(
                1,
                'column "id" brings PRIMARY KEY, which builds an index over "users" under ACCESS EXCLUSIVE',
                'write execute("ALTER TABLE users ADD id bigint"), then with op.get_context().autocommit_block(): op.create_index("users_pkey", "users", ["id"], unique=True, postgresql_concurrently=True), alone in a revision, in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("plan_id", sa.BigInteger, sa.ForeignKey("plans.id", name="users_plan_id_fkey")))',
            Said(
                1,
                'column "plan_id" brings a foreign key, which reads all of "users" under ACCESS EXCLUSIVE',
                'write op.add_column("users", sa.Column(\'plan_id\', sa.BigInteger)), then op.create_foreign_key("users_plan_id_fkey", "users", "plans", ["plan_id"], ["…"], postgresql_not_valid=True) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD plan_id bigint DEFAULT 1 REFERENCES plans")',
            Said(
                1,
                'column "plan_id" brings a foreign key, which reads all of "users" under ACCESS EXCLUSIVE',
                'write execute("ALTER TABLE users ADD plan_id bigint"), then op.create_foreign_key("users_plan_id_fkey", "users", "plans", ["plan_id"], ["…"], postgresql_not_valid=True) in 001_step.py',
            ),
        ),
    ],
    "MIG041": [
        Wrong(
            'op.alter_column("users", "email", nullable=False)',
            Said(
                1,
                'SET NOT NULL on "email" reads all of "users" under ACCESS EXCLUSIVE',
                'write op.create_check_constraint("users_email_check", "users", "email IS NOT NULL", postgresql_not_valid=True) in a revision, execute("ALTER TABLE users VALIDATE CONSTRAINT users_email_check") in the next, and this in a third, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE ops.jobs ALTER at SET NOT NULL")',
            Said(
                1,
                'SET NOT NULL on "at" reads all of "ops.jobs" under ACCESS EXCLUSIVE',
                'write op.create_check_constraint("jobs_at_check", "jobs", "at IS NOT NULL", postgresql_not_valid=True, schema="ops") in a revision, execute("ALTER TABLE ops.jobs VALIDATE CONSTRAINT jobs_at_check") in the next, and this in a third, instead in 001_step.py',
            ),
        ),
        Wrong(
            'op.alter_column("users", "email", nullable=False)',
            Said(
                1,
                'SET NOT NULL on "email" reads all of "users" under ACCESS EXCLUSIVE',
                'write op.create_check_constraint("users_email_check", "users", "email IS NOT NULL", postgresql_not_valid=True) in a revision, execute("ALTER TABLE users VALIDATE CONSTRAINT users_email_check") in the next, and this in a third, instead in 002_step.py',
            ),
            before='op.create_check_constraint("users_email_check", "users", "email IS NOT NULL", postgresql_not_valid=True)',
        ),
        Wrong(
            'op.alter_column("users", "email", nullable=False)',
            Said(
                1,
                'SET NOT NULL on "email" reads all of "users" under ACCESS EXCLUSIVE',
                'write op.create_check_constraint("users_email_check", "users", "email IS NOT NULL", postgresql_not_valid=True) in a revision, execute("ALTER TABLE users VALIDATE CONSTRAINT users_email_check") in the next, and this in a third, instead in 002_step.py',
            ),
            before='op.create_check_constraint("users_email_check", "users", "email > \'\'")',
        ),
    ],
    "MIG042": [
        Wrong(
            'execute("ALTER TABLE users ALTER email SET NOT NULL, DROP CONSTRAINT users_email_check")',
            Said(
                1,
                'one ALTER TABLE drops "users_email_check" before SET NOT NULL, which then reads all of "users" under ACCESS EXCLUSIVE',
                'write execute("ALTER TABLE users ALTER COLUMN email SET NOT NULL"), then execute("ALTER TABLE users DROP CONSTRAINT users_email_check") in 001_step.py',
            ),
        ),
    ],
    "MIG043": [
        Wrong(
            'op.create_check_constraint("users_age_check", "users", "age > 0")',
            Said(
                1,
                'the check "users_age_check" reads every row of "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                "write op.create_check_constraint('users_age_check', 'users', 'age > 0', postgresql_not_valid=True), and execute(\"ALTER TABLE users VALIDATE CONSTRAINT users_age_check\") in the next revision, instead in 001_step.py",
            ),
        ),
        Wrong(
            'op.create_foreign_key("users_plan_id_fkey", "users", "plans", ["plan_id"], ["id"])',
            Said(
                1,
                'the foreign key "users_plan_id_fkey" reads every row of "users" under SHARE ROW EXCLUSIVE: nobody writes to it, nor to the table it points at, until it is done',
                "write op.create_foreign_key('users_plan_id_fkey', 'users', 'plans', ['plan_id'], ['id'], postgresql_not_valid=True), and execute(\"ALTER TABLE users VALIDATE CONSTRAINT users_plan_id_fkey\") in the next revision, instead in 001_step.py",
            ),
        ),
        Wrong(
            "execute(\"ALTER TABLE ops.jobs ADD CONSTRAINT jobs_at_check CHECK (at > '2000-01-01')\")",
            Said(
                1,
                'the check "jobs_at_check" reads every row of "ops.jobs" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE ops.jobs ADD CONSTRAINT jobs_at_check CHECK (at > \'2000-01-01\') NOT VALID"), and execute("ALTER TABLE ops.jobs VALIDATE CONSTRAINT jobs_at_check") in the next revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD CONSTRAINT users_email_nn NOT NULL email")',
            Said(
                1,
                'the NOT NULL "users_email_nn" reads every row of "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE users ADD CONSTRAINT users_email_nn NOT NULL email NOT VALID"), and execute("ALTER TABLE users VALIDATE CONSTRAINT users_email_nn") in the next revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            "execute(\"ALTER DOMAIN isrc ADD CONSTRAINT isrc_check CHECK (VALUE > '')\")",
            Said(
                1,
                'the check "isrc_check" reads every table that uses "isrc" under SHARE: nobody writes meanwhile',
                'write execute("ALTER DOMAIN isrc ADD CONSTRAINT isrc_check CHECK (VALUE > \'\') NOT VALID"), and execute("ALTER DOMAIN isrc VALIDATE CONSTRAINT isrc_check") in the next revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD CHECK (age > 0)")',
            Said(
                1,
                'the check reads every row of "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write execute("ALTER TABLE users ADD CHECK (age > 0) NOT VALID"), and execute("ALTER TABLE users VALIDATE CONSTRAINT <name>") in the next revision, instead in 001_step.py',
            ),
        ),
    ],
    "MIG044": [
        Wrong(
            (
                'op.create_check_constraint("users_age_check", "users", "age > 0", postgresql_not_valid=True)\n'
                'execute("ALTER TABLE users VALIDATE CONSTRAINT users_age_check")'
            ),
            Said(
                2,
                '"users_age_check" is validated while the lock that added it still keeps others from "users"',
                'move execute("ALTER TABLE users VALIDATE CONSTRAINT users_age_check") from 001_step.py into the next revision',
            ),
        ),
    ],
    "MIG045": [
        Wrong(
            'op.create_unique_constraint("users_email_key", "users", ["email"])',
            Said(
                1,
                'the unique constraint "users_email_key" builds its index under ACCESS EXCLUSIVE: nobody reads or writes "users" until it is done',
                'write with op.get_context().autocommit_block(): op.create_index("users_email_key", "users", ["email"], unique=True, postgresql_concurrently=True), alone in a revision, and execute("ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key") in the next, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE ops.jobs ADD CONSTRAINT jobs_pkey PRIMARY KEY (id, at)")',
            Said(
                1,
                'the primary key "jobs_pkey" builds its index under ACCESS EXCLUSIVE: nobody reads or writes "ops.jobs" until it is done',
                'write with op.get_context().autocommit_block(): op.create_index("jobs_pkey", "jobs", ["id", "at"], unique=True, postgresql_concurrently=True, schema="ops"), alone in a revision, and execute("ALTER TABLE ops.jobs ADD CONSTRAINT jobs_pkey PRIMARY KEY USING INDEX jobs_pkey") in the next, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD CONSTRAINT users_x_excl EXCLUDE USING gist (x WITH &&)")',
            Said(
                1,
                'the exclusion constraint "users_x_excl" builds its index under ACCESS EXCLUSIVE: nobody reads or writes "users" until it is done',
                'make a table with it and move the rows, or write "# allow MIG045: <who writes meanwhile>" in 001_step.py',
            ),
        ),
        Wrong(
            (
                'with op.batch_alter_table("users") as batch:\n'
                '    batch.create_primary_key("users_pkey", ["id"])'
            ),
            Said(
                2,
                'the primary key "users_pkey" builds its index under ACCESS EXCLUSIVE: nobody reads or writes "users" until it is done',
                'write with op.get_context().autocommit_block(): op.create_index("users_pkey", "users", ["id"], unique=True, postgresql_concurrently=True), alone in a revision, and execute("ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY USING INDEX users_pkey") in the next, instead in 001_step.py',
            ),
        ),
    ],
    "MIG046": [
        Wrong(
            'op.alter_column("users", "age", type_=sa.BigInteger)',
            Said(
                1,
                'changing "age" to bigint rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write op.add_column("users", sa.Column("age_new", …)) and a trigger that keeps both equal in 001_step.py, fill it in batches in the next revision, let a release read it, and drop the old column after that',
            ),
        ),
        Wrong(
            "execute(\"ALTER TABLE ops.jobs ALTER COLUMN at TYPE timestamptz USING at AT TIME ZONE 'UTC'\")",
            Said(
                1,
                'changing "at" to timestamptz rewrites "ops.jobs" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write op.add_column("jobs", sa.Column("at_new", …), schema="ops") and a trigger that keeps both equal in 001_step.py, fill it in batches in the next revision, let a release read it, and drop the old column after that',
            ),
        ),
        Wrong(
            'op.alter_column("plans", "name", type_=sa.String(20))',
            Said(
                1,
                'changing "name" from varchar(50) to varchar(20) rewrites "plans" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write op.add_column("plans", sa.Column("name_new", …)) and a trigger that keeps both equal in 002_step.py, fill it in batches in the next revision, let a release read it, and drop the old column after that',
            ),
            before='op.create_table("plans", sa.Column("name", sa.String(50)))',
        ),
        Wrong(
            'op.alter_column("users", "price", type_=sa.Numeric(12, 3), existing_type=sa.Numeric(10, 2))',
            Said(
                1,
                'changing "price" from numeric(10, 2) to numeric(12, 3) rewrites "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'write op.add_column("users", sa.Column("price_new", …)) and a trigger that keeps both equal in 001_step.py, fill it in batches in the next revision, let a release read it, and drop the old column after that',
            ),
        ),
    ],
    "MIG047": [
        Wrong(
            'execute("ALTER TABLE users SET UNLOGGED")',
            Said(
                1,
                'SET UNLOGGED copies "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'make a new table that is so and move the rows in batches, or write "# allow MIG047: <who waits meanwhile>" in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users SET TABLESPACE fast")',
            Said(
                1,
                'SET TABLESPACE fast copies "users" under ACCESS EXCLUSIVE: nobody reads or writes until it is done',
                'make a new table that is so and move the rows in batches, or write "# allow MIG047: <who waits meanwhile>" in 001_step.py',
            ),
        ),
    ],
    "MIG048": [
        Wrong(
            'op.rename_table("users", "people")',
            Said(
                1,
                'whatever still uses "users" fails once it is called "people"',
                'write execute("CREATE VIEW users AS SELECT * FROM people") behind it in 001_step.py, and drop the view when no release uses it',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users RENAME TO people")',
            Said(
                1,
                'whatever still uses "users" fails once it is called "people"',
                'write execute("CREATE VIEW users AS SELECT * FROM people") behind it in 001_step.py, and drop the view when no release uses it',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE public.users SET SCHEMA ops")',
            Said(
                1,
                'whatever still uses "users" fails once it is called "ops.users"',
                'write execute("CREATE VIEW users AS SELECT * FROM ops.users") behind it in 001_step.py, and drop the view when no release uses it',
            ),
        ),
        Wrong(
            'op.rename_table("jobs", "tasks", schema="ops")',
            Said(
                1,
                'whatever still uses "ops.jobs" fails once it is called "ops.tasks"',
                'write execute("CREATE VIEW ops.jobs AS SELECT * FROM ops.tasks") behind it in 001_step.py, and drop the view when no release uses it',
            ),
        ),
    ],
    "MIG049": [
        Wrong(
            'op.alter_column("users", "name", new_column_name="full_name")',
            Said(
                1,
                'whatever still uses "name" of "users" fails once it is called "full_name"',
                'write op.add_column("users", sa.Column("full_name", …)) and a trigger that keeps both equal in 001_step.py; drop "name" when no release uses it',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE ops.jobs RENAME COLUMN at TO made_at")',
            Said(
                1,
                'whatever still uses "at" of "ops.jobs" fails once it is called "made_at"',
                'write op.add_column("jobs", sa.Column("made_at", …), schema="ops") and a trigger that keeps both equal in 001_step.py; drop "at" when no release uses it',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users RENAME name TO full_name")',
            Said(
                1,
                'whatever still uses "name" of "users" fails once it is called "full_name"',
                'write op.add_column("users", sa.Column("full_name", …)) and a trigger that keeps both equal in 001_step.py; drop "name" when no release uses it',
            ),
        ),
    ],
    "MIG050": [
        Wrong(
            (
                "execute(\"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'calm' BEFORE 'sad'\")\n"
                "execute(\"INSERT INTO songs (mood) VALUES ('calm')\")"
            ),
            Said(
                2,
                'the value "calm" of "mood" cannot be used in the transaction that adds it',
                "move this statement from 001_step.py into the next revision",
            ),
        ),
    ],
}

RIGHT = {
    "MIG038": [
        Right(
            'op.add_column("users", sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()))'
        ),
        Right('op.add_column("users", sa.Column("plan", sa.Text, server_default="random()"))'),
        Right('op.create_table("plans", sa.Column("id", sa.Uuid, server_default=sa.func.gen_random_uuid()))'),
        Right(
            'op.create_table("plans")\nop.add_column("plans", sa.Column("id", sa.BigInteger, sa.Identity()))'
        ),
        Right('execute("ALTER TABLE users ADD low text GENERATED ALWAYS AS (lower(name)) VIRTUAL")'),
        Right(
            'op.add_column("users", sa.Column("low", sa.Text, sa.Computed("lower(name)", persisted=False)))'
        ),
        Right(
            'execute("ALTER TABLE users ADD n int DEFAULT next_v1()")',
            before='execute("CREATE FUNCTION next_v1() RETURNS int LANGUAGE sql STABLE AS $$ SELECT 1 $$")',
        ),
        Right(
            'op.add_column("users", sa.Column("isrc", domain("isrc")))',
            before='execute("CREATE DOMAIN isrc AS text")',
        ),
    ],
    "MIG039": [
        Right('op.add_column("users", sa.Column("city", sa.Text, nullable=False, server_default=""))'),
        Right('op.add_column("users", sa.Column("city", sa.Text))'),
        Right("execute(\"ALTER TABLE users ADD city text NOT NULL DEFAULT ''\")"),
        Right('execute("CREATE TABLE plans (id int); ALTER TABLE plans ADD name text NOT NULL")'),
    ],
    "MIG040": [
        Right('execute("ALTER TABLE users ADD plan_id bigint REFERENCES plans")'),
        Right(
            'op.add_column("users", sa.Column("age", sa.Integer))\n'
            'op.create_check_constraint("users_age_check", "users", "age > 0", postgresql_not_valid=True)'
        ),
        Right('op.create_table("plans", sa.Column("name", sa.Text, unique=True))'),
    ],
    "MIG041": [
        Right(
            'op.alter_column("users", "email", nullable=False)',
            before='op.create_check_constraint("users_email_check", "users", "email IS NOT NULL")',
        ),
        Right(
            'op.alter_column("users", "email", nullable=False)',
            before=(
                'execute("ALTER TABLE users ADD CONSTRAINT c CHECK ((email IS NOT NULL)) NOT VALID")\n'
                'execute("ALTER TABLE users VALIDATE CONSTRAINT c")'
            ),
        ),
        Right('op.alter_column("users", "email", nullable=True)'),
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger))\n'
            'op.alter_column("plans", "id", nullable=False)'
        ),
    ],
    "MIG042": [
        Right(
            'execute("ALTER TABLE users ALTER email SET NOT NULL; ALTER TABLE users DROP CONSTRAINT users_email_check")'
        ),
        Right(
            'op.alter_column("users", "email", nullable=False)\n'
            'op.drop_constraint("users_email_check", "users")'
        ),
    ],
    "MIG043": [
        Right('op.create_check_constraint("users_age_check", "users", "age > 0", postgresql_not_valid=True)'),
        Right('execute("ALTER TABLE users ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES b (c) NOT VALID")'),
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger))\n'
            'op.create_check_constraint("plans_id_check", "plans", "id > 0")'
        ),
        Right(
            "execute(\"CREATE DOMAIN isrc AS text; ALTER DOMAIN isrc ADD CONSTRAINT c CHECK (VALUE > '')\")"
        ),
    ],
    "MIG044": [
        Right(
            'execute("ALTER TABLE users VALIDATE CONSTRAINT users_age_check")',
            before='op.create_check_constraint("users_age_check", "users", "age > 0", postgresql_not_valid=True)',
        ),
        Right(
            "with op.get_context().autocommit_block():\n"
            '    execute("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID")\n'
            '    execute("ALTER TABLE t VALIDATE CONSTRAINT c")'
        ),
    ],
    "MIG045": [
        Right(
            'execute("ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key")'
        ),
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger))\n'
            'op.create_primary_key("plans_pkey", "plans", ["id"])'
        ),
    ],
    "MIG046": [
        Right('op.alter_column("users", "name", type_=sa.Text, existing_type=sa.String(50))'),
        Right(
            'execute("ALTER TABLE plans ALTER name SET DATA TYPE character varying(80)")',
            before='op.create_table("plans", sa.Column("name", sa.String(50)))',
        ),
        Right('op.alter_column("users", "price", type_=sa.Numeric(12, 2), existing_type=sa.Numeric(10, 2))'),
        Right(
            'execute("ALTER TABLE plans ALTER code TYPE text")',
            before='execute("CREATE DOMAIN code AS text; CREATE TABLE plans (code public.code)")',
        ),
        Right(
            'op.create_table("plans", sa.Column("id", sa.Integer))\n'
            'op.alter_column("plans", "id", type_=sa.BigInteger)'
        ),
        Right(
            'execute("ALTER TABLE plans ALTER name TYPE text")',
            before='execute("CREATE TABLE plans (name varchar(5)); ALTER TABLE plans ALTER name TYPE varchar(9)")',
        ),
    ],
    "MIG047": [
        Right('execute("ALTER TABLE users SET (fillfactor = 70)")'),
        Right('execute("CREATE TABLE plans (id int); ALTER TABLE plans SET UNLOGGED")'),
    ],
    "MIG048": [
        Right(
            'op.rename_table("users", "people")\n'
            'execute("CREATE OR REPLACE VIEW public.users AS SELECT * FROM people")'
        ),
        Right('op.create_table("plans")\nop.rename_table("plans", "tariffs")'),
        Right('execute("ALTER TABLE users RENAME CONSTRAINT a TO b; ALTER INDEX c RENAME TO d")'),
    ],
    "MIG049": [
        Right(
            'op.create_table("plans", sa.Column("a", sa.Text))\n'
            'op.alter_column("plans", "a", new_column_name="b")'
        ),
        Right('op.add_column("users", sa.Column("full_name", sa.Text))'),
    ],
    "MIG050": [
        Right("execute(\"ALTER TYPE mood ADD VALUE 'calm'\")"),
        Right(
            "execute(\"INSERT INTO songs (mood) VALUES ('calm')\")",
            before="execute(\"ALTER TYPE mood ADD VALUE 'calm'\")",
        ),
        Right(
            "execute(\"CREATE TYPE mood AS ENUM ('sad'); ALTER TYPE mood ADD VALUE 'calm'; SELECT 'calm'::mood\")"
        ),
        Right("execute(\"ALTER TYPE mood RENAME VALUE 'calm' TO 'quiet'; SELECT 'calm'\")"),
    ],
}


@pytest.mark.parametrize(("code", "wrong"), cases(WRONG))
def test_what_is_wrong_is_told_with_its_place_and_the_fix(folder: Folder, code: str, wrong: Wrong) -> None:
    assert told(folder, code, wrong) == wrong.said


@pytest.mark.parametrize(("code", "right"), cases(RIGHT))
def test_what_is_right_passes(folder: Folder, code: str, right: Right) -> None:
    assert told(folder, code, right) == ()
