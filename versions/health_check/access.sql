-- The statements of the checks of roles and rights.

-- sec_public_create --
-- Schemas in which everybody may create: a function there is called in place of another one.
SELECT 'schema', NULL, namespace.nspname, NULL::float8, 'critical', '{}'::jsonb,
       ARRAY[[pg_catalog.format('REVOKE CREATE ON SCHEMA %%I FROM PUBLIC', namespace.nspname), 'none']]
  FROM pg_catalog.pg_namespace AS namespace
 CROSS JOIN LATERAL pg_catalog.aclexplode(
       coalesce(namespace.nspacl, pg_catalog.acldefault('n', namespace.nspowner))) AS given
 WHERE given.grantee = 0 AND given.privilege_type = 'CREATE'
   AND namespace.nspname !~ '^pg_(temp|toast_temp)_';

-- sec_secdef_search_path --
-- Functions that run as their owner and find what they call where the caller says.
SELECT 'function', namespace.nspname, routine.proname || '(' || pg_catalog.oidvectortypes(routine.proargtypes) || ')',
       NULL::float8,
       CASE WHEN pg_catalog.has_function_privilege('public', routine.oid, 'EXECUTE') THEN 'critical'
            ELSE 'warning' END,
       pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(routine.proowner)),
       ARRAY[[pg_catalog.format('ALTER ROUTINE %%I.%%I(%%s) SET search_path = pg_catalog, pg_temp', namespace.nspname,
                                routine.proname, pg_catalog.pg_get_function_identity_arguments(routine.oid)), 'none']]
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = routine.pronamespace
 WHERE routine.prosecdef
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND NOT EXISTS (SELECT FROM pg_catalog.unnest(routine.proconfig) AS option (text)
                    WHERE pg_catalog.starts_with(option.text, 'search_path='))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_proc'::regclass
                      AND link.objid = routine.oid AND link.deptype = 'e');

-- sec_superusers --
-- Logins beside the first one that may do anything.
SELECT 'role', NULL, rolname, NULL::float8, 'warning', '{}'::jsonb,
       ARRAY[[pg_catalog.format('ALTER ROLE %%I NOSUPERUSER', rolname), 'none']]
  FROM pg_catalog.pg_roles
 -- The role that initdb makes.
 WHERE rolsuper AND rolcanlogin AND oid <> 10;

-- sec_role_powers --
-- Logins that may reach beyond what is granted on tables, by an attribute or by a role they are in.
SELECT 'role', NULL, role.rolname, NULL::float8,
       CASE WHEN power.is_grave THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('power', power.name),
       power.cures
  FROM pg_catalog.pg_roles AS role
 CROSS JOIN LATERAL (
       SELECT 'BYPASSRLS' AS name, false AS is_grave,
              ARRAY[[pg_catalog.format('ALTER ROLE %%I NOBYPASSRLS', role.rolname), 'none']] AS cures
        WHERE role.rolbypassrls
       UNION ALL
       SELECT 'CREATEROLE', false, ARRAY[[pg_catalog.format('ALTER ROLE %%I NOCREATEROLE', role.rolname), 'none']]
        WHERE role.rolcreaterole
       UNION ALL
       SELECT coalesce(by_way.attribute || ' by way of ', '') || granted.rolname,
              coalesce(by_way.attribute = 'SUPERUSER', granted.rolname <> 'pg_read_server_files'),
              -- It is taken from whom it was given to, which may be a role that the login is in.
              (SELECT pg_catalog.array_agg(ARRAY[pg_catalog.format('REVOKE %%I FROM %%I', granted.rolname, member.rolname),
                                                 'none'])
                 FROM pg_catalog.pg_auth_members AS link
                 JOIN pg_catalog.pg_roles AS member ON member.oid = link.member
                WHERE link.roleid = granted.oid AND pg_catalog.pg_has_role(role.oid, link.member, 'MEMBER'))
         FROM pg_catalog.pg_roles AS granted
        CROSS JOIN LATERAL (
              -- An attribute is not inherited: whoever may become the role has it then.
              SELECT CASE WHEN granted.rolname IN ('pg_execute_server_program', 'pg_write_server_files',
                                                   'pg_read_server_files') THEN NULL
                          WHEN granted.rolsuper THEN 'SUPERUSER'
                          WHEN granted.rolbypassrls AND NOT role.rolbypassrls THEN 'BYPASSRLS'
                          WHEN granted.rolcreaterole AND NOT role.rolcreaterole THEN 'CREATEROLE' ELSE '' END AS attribute
              OFFSET 0) AS by_way
        WHERE by_way.attribute IS DISTINCT FROM '' AND granted.oid <> role.oid
          AND pg_catalog.pg_has_role(role.oid, granted.oid,
                  CASE WHEN by_way.attribute IS NOT NULL
                            AND pg_catalog.current_setting('server_version_num')::int >= 160000
                       THEN 'SET' ELSE 'MEMBER' END)) AS power
 WHERE role.rolcanlogin AND NOT role.rolsuper;

-- sec_rls_off --
-- Tables with policies that nobody applies.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('policies', found.policies),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ENABLE ROW LEVEL SECURITY', namespace.nspname, class.relname),
              'ACCESS EXCLUSIVE']]
  FROM (SELECT polrelid, count(*) AS policies FROM pg_catalog.pg_policy GROUP BY polrelid) AS found
  JOIN pg_catalog.pg_class AS class ON class.oid = found.polrelid AND NOT class.relrowsecurity
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace;

-- sec_rls_no_policy --
-- Tables that show no row to anybody but their owner.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info', '{}'::jsonb, NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relrowsecurity AND NOT class.relispartition
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS policy WHERE policy.polrelid = class.oid);

-- sec_policy_always_true --
-- Policies that let everybody write any row.
SELECT 'policy', namespace.nspname, class.relname || '.' || policy.polname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('table', class.relname, 'policy', policy.polname), NULL::text[]
  FROM pg_catalog.pg_policy AS policy
  JOIN pg_catalog.pg_class AS class ON class.oid = policy.polrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE policy.polpermissive AND policy.polcmd <> 'r'
   AND policy.polroles = '{0}'
   -- What names a column cannot be shown without its table, which may be locked; and is not true for every row.
   AND CASE WHEN pg_catalog.starts_with(coalesce(policy.polwithcheck, policy.polqual)::text, '{CONST ')
            THEN pg_catalog.pg_get_expr(coalesce(policy.polwithcheck, policy.polqual), 0) = 'true' ELSE false END;

-- sec_rls_not_forced --
-- Tables with policies that a login owns: the owner passes by them.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('owner', owner.rolname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I FORCE ROW LEVEL SECURITY', namespace.nspname, class.relname),
              'ACCESS EXCLUSIVE']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_roles AS owner ON owner.oid = class.relowner
 WHERE class.relrowsecurity AND NOT class.relforcerowsecurity
   -- Whoever passes by every policy is told of by other checks; a role that nobody logs in as owns on purpose.
   AND owner.rolcanlogin AND NOT owner.rolsuper AND NOT owner.rolbypassrls;

-- sec_policies_overlap --
-- Tables of which several permissive policies hold for the same role and command: a row takes any, and each is asked.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('policies', found.policies), NULL::text[]
  FROM (SELECT polrelid, max(policies) AS policies
          FROM (SELECT policy.polrelid, role.oid, policy.polcmd, count(*) AS policies
                  FROM pg_catalog.pg_policy AS policy
                 CROSS JOIN LATERAL pg_catalog.unnest(policy.polroles) AS role (oid)
                 WHERE policy.polpermissive
                 GROUP BY policy.polrelid, role.oid, policy.polcmd) AS counted
         GROUP BY polrelid) AS found
  JOIN pg_catalog.pg_class AS class ON class.oid = found.polrelid AND class.relrowsecurity
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE found.policies > 1 AND NOT class.relispartition;

-- sec_view_bypass --
-- Views, open to others than their owner, that read tables with policies as their owner does. One made for those who
-- may not read the table is a window; for those who may, it is a way around the policies.
WITH RECURSIVE link AS MATERIALIZED (
    -- Once, of however many columns.
    SELECT DISTINCT rule.ev_class AS view, part.refobjid AS below
      FROM pg_catalog.pg_depend AS part
      JOIN pg_catalog.pg_rewrite AS rule ON rule.oid = part.objid
     WHERE part.classid = 'pg_catalog.pg_rewrite'::regclass AND part.refclassid = 'pg_catalog.pg_class'::regclass
       AND rule.ev_class <> part.refobjid
), seen AS MATERIALIZED (
    SELECT class.oid, class.relowner, class.relname, class.relnamespace, class.relacl, class.relkind,
           EXISTS (SELECT FROM pg_catalog.pg_options_to_table(class.reloptions)
                    WHERE CASE WHEN option_name = 'security_invoker' THEN option_value::boolean END) AS as_caller,
           -- One that is a barrier is made to let some of the rows through.
           EXISTS (SELECT FROM pg_catalog.pg_options_to_table(class.reloptions)
                    WHERE CASE WHEN option_name = 'security_barrier' THEN option_value::boolean END) AS is_barrier
      FROM pg_catalog.pg_class AS class
     WHERE class.relkind IN ('v', 'm')
), reached AS (
    -- From the tables up: who reads is the owner of the lowest view that does not ask as its caller.
    SELECT link.view, link.below, CASE WHEN NOT seen.as_caller THEN seen.relowner END AS reader
      FROM link
      JOIN pg_catalog.pg_class AS below ON below.oid = link.below AND below.relrowsecurity
      JOIN seen ON seen.oid = link.view
     UNION
    SELECT link.view, reached.below, coalesce(reached.reader, CASE WHEN NOT seen.as_caller THEN seen.relowner END)
      FROM reached
      JOIN link ON link.below = reached.view
      JOIN seen ON seen.oid = link.view
)
SELECT CASE class.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, namespace.nspname, class.relname, NULL::float8,
       CASE WHEN bool_or(given.grantee = 0 OR pg_catalog.has_table_privilege(given.grantee, below.oid, 'SELECT'))
            THEN 'warning' ELSE 'info' END,
       pg_catalog.jsonb_build_object('tables', pg_catalog.string_agg(DISTINCT below.relname, ', ')),
       CASE WHEN class.relkind = 'v' THEN
           ARRAY[[pg_catalog.format('ALTER VIEW %%I.%%I SET (security_invoker = true)', namespace.nspname, class.relname),
                  'ACCESS EXCLUSIVE; who reads by the view needs rights on what it reads then']] END
  FROM reached
  JOIN seen AS class ON class.oid = reached.view AND NOT class.as_caller AND NOT class.is_barrier
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS below ON below.oid = reached.below
  JOIN pg_catalog.pg_roles AS owner ON owner.oid = reached.reader
 CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS given
 -- The policies hold for the owner of the view where neither he, nor what he owns, is passed by.
 WHERE (owner.rolsuper OR owner.rolbypassrls
        OR below.relowner = reached.reader AND NOT below.relforcerowsecurity)
   AND given.grantee <> class.relowner
   AND given.privilege_type = 'SELECT'
 GROUP BY namespace.nspname, class.relname, class.relkind;

-- sec_public_grants --
-- Tables that everybody may read or write; critical where a column is said to be personal.
SELECT 'table', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN personal.is_it THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('privileges', given.privileges),
       ARRAY[[pg_catalog.format('REVOKE ALL ON %%I.%%I FROM PUBLIC', namespace.nspname, class.relname), 'none']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN (SELECT every.oid, pg_catalog.string_agg(DISTINCT every.privilege_type, ', ' ORDER BY every.privilege_type) AS privileges
          FROM (SELECT whole.oid, acl.privilege_type
                  FROM pg_catalog.pg_class AS whole
                 CROSS JOIN LATERAL pg_catalog.aclexplode(whole.relacl) AS acl
                 WHERE acl.grantee = 0
                UNION ALL
                SELECT part.attrelid, acl.privilege_type || ' (' || part.attname || ')'
                  FROM pg_catalog.pg_attribute AS part
                 CROSS JOIN LATERAL pg_catalog.aclexplode(part.attacl) AS acl
                 WHERE acl.grantee = 0 AND NOT part.attisdropped) AS every
         GROUP BY every.oid) AS given ON given.oid = class.oid
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.pg_description AS said
                                     WHERE said.objoid = class.oid
                                       AND said.classoid = 'pg_catalog.pg_class'::regclass
                                       AND said.objsubid > 0
                                       AND said.description ~ '^[a-z_]+:'
                                       AND said.description !~ '^none:') AS is_it) AS personal
 WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND given.privileges IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::regclass
                      AND link.objid = class.oid AND link.deptype = 'e');

-- sec_password_hash --
-- How passwords that are set from now on are kept, where not by SCRAM: on the server, in a database, by a role.
SELECT 'setting', NULL, name, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('setting', setting, 'whose', 'everybody'),
       ARRAY[['ALTER SYSTEM SET password_encryption = ''scram-sha-256''', 'none'],
             ['SELECT pg_catalog.pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_settings
 WHERE name = 'password_encryption' AND setting <> 'scram-sha-256'
   AND source NOT IN ('global', 'database', 'user', 'database user', 'client', 'session')
UNION ALL
SELECT 'setting', NULL, 'password_encryption of ' || said.whose, NULL, 'warning',
       pg_catalog.jsonb_build_object('setting', pg_catalog.split_part(pair, '=', 2), 'whose', said.whose),
       ARRAY[[pg_catalog.concat_ws(' ', 'ALTER',
                  CASE WHEN altered.setrole = 0 AND altered.setdatabase = 0 THEN 'ROLE ALL'
                       WHEN altered.setrole = 0 THEN 'DATABASE ' || pg_catalog.quote_ident(database.datname)
                       ELSE 'ROLE ' || pg_catalog.quote_ident(role.rolname)
                            || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(database.datname), '') END,
                  'RESET password_encryption'), 'none']]
  FROM pg_catalog.pg_db_role_setting AS altered
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = altered.setrole
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = altered.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(altered.setconfig) AS pair
 CROSS JOIN LATERAL (
       SELECT pg_catalog.concat_ws(' in ', role.rolname, coalesce(database.datname, 'every database')) AS whose) AS said
 WHERE pg_catalog.starts_with(pair, 'password_encryption=') AND pg_catalog.split_part(pair, '=', 2) <> 'scram-sha-256';

-- sec_password_md5 --
-- What to ask: which logins have a password that is kept by MD5. A function of revision 009 says so in place of a grant
-- to read what the passwords are kept as.
SELECT 'server', NULL, 'passwords',
       CASE WHEN may.is_direct OR lent.is_there THEN
           pg_catalog.format(
               'SELECT ''server'', NULL, ''passwords'', NULL::float8, CASE WHEN count(*) = 0 THEN ''ok'' ELSE ''warning'' END,'
               ' pg_catalog.jsonb_build_object(''roles'', pg_catalog.string_agg(kept.rolname, '', '' ORDER BY kept.rolname)),'
               ' NULL::text[] FROM %%s AS kept (rolname)',
               CASE WHEN may.is_direct THEN
                   '(SELECT role.rolname FROM pg_catalog.pg_authid AS role'
                   ' WHERE role.rolcanlogin AND pg_catalog.starts_with(role.rolpassword, ''md5''))'
               ELSE 'ops.health_md5_v1()' END)
       END,
       CASE WHEN lent.is_there IS NULL THEN
           'GRANT SELECT (rolname, rolcanlogin, rolpassword) ON pg_catalog.pg_authid TO the login'
           ' /* which sees them then: let a superuser ask instead */'
       ELSE 'GRANT USAGE ON SCHEMA ops TO the login; GRANT EXECUTE ON FUNCTION ops.health_md5_v1() TO the login' END
  FROM (SELECT pg_catalog.bool_and(
                   pg_catalog.has_column_privilege('pg_catalog.pg_authid'::regclass, part.name, 'SELECT')) AS is_direct
          FROM (VALUES ('rolname'), ('rolcanlogin'), ('rolpassword')) AS part (name)) AS may
  LEFT JOIN (SELECT pg_catalog.has_schema_privilege(home.oid, 'USAGE')
                    AND pg_catalog.has_function_privilege(routine.oid, 'EXECUTE') AS is_there
               FROM pg_catalog.pg_proc AS routine
               JOIN pg_catalog.pg_namespace AS home ON home.oid = routine.pronamespace AND home.nspname = 'ops'
               -- One that another role made would say what that one likes.
               JOIN pg_catalog.pg_roles AS owner ON owner.oid = routine.proowner AND owner.rolsuper
              WHERE routine.proname = 'health_md5_v1' AND routine.prosecdef AND routine.pronargs = 0) AS lent ON true;

-- sec_password_expiry --
-- Logins whose password ends, and in how many days.
SELECT 'role', NULL, rolname, pg_catalog.date_part('epoch', rolvaliduntil - pg_catalog.clock_timestamp()) / 86400, NULL,
       pg_catalog.jsonb_build_object('until', rolvaliduntil), NULL::text[]
  FROM pg_catalog.pg_roles
 WHERE rolcanlogin AND pg_catalog.isfinite(rolvaliduntil);

-- sec_hba_trust --
-- Lines of pg_hba.conf by which somebody on the network gets in without a password, or shows it.
SELECT 'line', NULL, rule.line_number::text, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('line', rule.line_number, 'method', rule.auth_method), NULL::text[]
  FROM pg_catalog.pg_hba_file_rules AS rule
 WHERE rule.auth_method IN ('trust', 'password')
   AND rule.type <> 'local'
   AND NOT (rule.type = 'hostssl' AND rule.auth_method = 'password')
   -- This machine alone: 127.0.0.1 with a mask of nothing is everybody.
   AND (rule.address IN ('localhost', 'samehost')
        OR rule.address LIKE '127.%%' AND rule.netmask LIKE '255.%%'
        OR rule.address = '::1' AND rule.netmask = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') IS NOT TRUE;

-- sec_ssl_off --
-- A server that others reach over the network, and that encrypts nothing.
SELECT 'setting', NULL, 'ssl', NULL::float8, 'warning', pg_catalog.jsonb_build_object('addresses', listen.setting),
       NULL::text[]
  FROM pg_catalog.pg_settings AS crypt, pg_catalog.pg_settings AS listen
 WHERE crypt.name = 'ssl' AND crypt.setting = 'off'
   AND listen.name = 'listen_addresses'
   AND EXISTS (SELECT FROM pg_catalog.regexp_split_to_table(listen.setting, '\s*,\s*') AS address (text)
                WHERE address.text NOT IN ('', 'localhost', '127.0.0.1', '::1'));

-- sec_ext_public --
-- Extensions in schema public, where their functions stand beside the application's.
SELECT 'extension', NULL, extension.extname, NULL::float8, 'info', '{}'::jsonb,
       CASE WHEN extension.extrelocatable THEN
           ARRAY[['CREATE SCHEMA IF NOT EXISTS extensions', 'none'],
                 [pg_catalog.format('ALTER EXTENSION %%I SET SCHEMA extensions', extension.extname),
                  'ACCESS EXCLUSIVE on what it has']] END
  FROM pg_catalog.pg_extension AS extension
 WHERE extension.extnamespace = pg_catalog.to_regnamespace('public');

-- sec_reg_columns --
-- Columns that hold numbers of the catalogue, which are others after an upgrade: pg_upgrade refuses them.
SELECT 'column', namespace.nspname, class.relname || '.' || attribute.attname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('table', class.relname, 'column', attribute.attname, 'type', type.typname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ALTER COLUMN %%I TYPE text', namespace.nspname, class.relname,
                                attribute.attname),
              'ACCESS EXCLUSIVE, while the table is written anew']]
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid
   AND class.relkind IN ('r', 'p', 'm') AND NOT class.relispartition AND class.relpersistence <> 't'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
 WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND type.oid IN (24, 2202, 2203, 2204, 3734, 3769, 4089, 4191);
