-- What depends on a column beside its table's own constraints and indexes, and the statements that make it anew.

-- depends --
-- What depends on some columns, or on a constraint of them: its class, what it is, whether it can be carried over.
WITH link AS (
    SELECT DISTINCT one.classid, one.objid, one.objsubid
      FROM pg_catalog.pg_depend AS one
     WHERE (
               one.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND one.refobjid = %(oid)s
               AND one.refobjsubid = ANY (%(numbers)s)
           )
        OR (
               one.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
               AND one.refobjid IN (
                   SELECT made.oid FROM pg_catalog.pg_constraint AS made
                    WHERE made.conrelid = %(oid)s AND made.contype <> 'f' AND made.conkey && %(numbers)s::int2[]
               )
           )
)
SELECT coalesce(
           (SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, rule.ev_class, 0)
              FROM pg_catalog.pg_rewrite AS rule
             WHERE link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
               AND rule.oid = link.objid
               AND rule.rulename = '_RETURN'),
           pg_catalog.pg_describe_object(link.classid, link.objid, link.objsubid)
       )
  FROM link
 WHERE NOT CASE link.classid::pg_catalog.regclass::text
           WHEN 'pg_constraint' THEN EXISTS (
               SELECT FROM pg_catalog.pg_constraint AS made WHERE made.oid = link.objid AND made.contype <> 'x'
           )
           WHEN 'pg_class' THEN EXISTS (
               SELECT FROM pg_catalog.pg_class AS class WHERE class.oid = link.objid AND class.relkind IN ('i', 'S')
           )
           WHEN 'pg_attrdef' THEN EXISTS (
               SELECT FROM pg_catalog.pg_attrdef AS made
                WHERE made.oid = link.objid AND made.adrelid = %(oid)s AND made.adnum = ANY (%(numbers)s)
           )
           WHEN 'pg_rewrite' THEN EXISTS (
               SELECT FROM pg_catalog.pg_rewrite AS rule
                 JOIN pg_catalog.pg_class AS class ON class.oid = rule.ev_class AND class.relkind = 'v'
                WHERE rule.oid = link.objid
           )
           WHEN 'pg_trigger' THEN EXISTS (
               SELECT FROM pg_catalog.pg_trigger AS fired WHERE fired.oid = link.objid AND fired.tgrelid = %(oid)s
           )
           WHEN 'pg_policy' THEN EXISTS (
               SELECT FROM pg_catalog.pg_policy AS policy WHERE policy.oid = link.objid AND policy.polrelid = %(oid)s
           )
           WHEN 'pg_statistic_ext' THEN true
           WHEN 'pg_publication_rel' THEN true
           ELSE false
       END
 ORDER BY 1;

-- views_on --
-- The views that read some columns, or such a view, those first that others are made of.
WITH RECURSIVE reached AS (
    SELECT rule.ev_class AS oid, 1 AS depth
      FROM pg_catalog.pg_depend AS link
      JOIN pg_catalog.pg_rewrite AS rule ON rule.oid = link.objid
     WHERE link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND (
           (link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND link.refobjid = %(oid)s AND link.refobjsubid = ANY (%(numbers)s))
           OR (link.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
               AND link.refobjid IN (
                   SELECT made.oid FROM pg_catalog.pg_constraint AS made
                    WHERE made.conrelid = %(oid)s AND made.conkey && %(numbers)s::int2[]
               ))
       )
       AND rule.ev_class <> %(oid)s
    UNION
    SELECT rule.ev_class, reached.depth + 1
      FROM reached
      JOIN pg_catalog.pg_depend AS link
        ON link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND link.refobjid = reached.oid
       AND link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      JOIN pg_catalog.pg_rewrite AS rule ON rule.oid = link.objid AND rule.ev_class <> reached.oid
     WHERE reached.depth < 100
)
SELECT reached.oid, pg_catalog.format('%%I.%%I', namespace.nspname, class.relname), class.relkind = 'v'
  FROM reached
  JOIN pg_catalog.pg_class AS class ON class.oid = reached.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 -- Those of the released revisions are made anew by every step.
 WHERE namespace.nspname !~ '^app_v[0-9][0-9][0-9]$'
 GROUP BY reached.oid, namespace.nspname, class.relname, class.relkind
 ORDER BY max(reached.depth), reached.oid;

-- depends_on_view --
-- What depends on a view and is no other view: it would stand against dropping it.
SELECT pg_catalog.pg_describe_object(link.classid, link.objid, link.objsubid)
  FROM pg_catalog.pg_depend AS link
 WHERE (
           (link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND link.refobjid = %(view)s)
           OR (link.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
               AND link.refobjid IN (
                   SELECT unnest(ARRAY[class.reltype, type.typarray])
                     FROM pg_catalog.pg_class AS class
                     JOIN pg_catalog.pg_type AS type ON type.oid = class.reltype
                    WHERE class.oid = %(view)s
               ))
       )
   AND link.deptype = 'n'
   AND link.classid <> 'pg_catalog.pg_rewrite'::pg_catalog.regclass
 ORDER BY 1;

-- view_again --
-- The statements that make a view anew with all that is set of it, in order.
WITH view AS (
    SELECT class.*, pg_catalog.format('%%I.%%I', namespace.nspname, class.relname) AS called
      FROM pg_catalog.pg_class AS class
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE class.oid = %(view)s
), given AS (
    SELECT acl.place::bigint AS place, item.*, '' AS columns
      FROM view
     CROSS JOIN LATERAL pg_catalog.unnest(view.relacl) WITH ORDINALITY AS acl (entry, place)
     CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[acl.entry]) AS item
    UNION ALL
    SELECT 1000 * part.attnum + acl.place, item.*, pg_catalog.format(' (%%I)', part.attname)
      FROM view
      JOIN pg_catalog.pg_attribute AS part ON part.attrelid = view.oid
     CROSS JOIN LATERAL pg_catalog.unnest(part.attacl) WITH ORDINALITY AS acl (entry, place)
     CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[acl.entry]) AS item
)
SELECT 10 AS place, 0::bigint AS part,
       pg_catalog.format('CREATE VIEW %%s%%s AS%%s', view.called,
                         ' WITH (' || pg_catalog.array_to_string(view.reloptions, ', ') || ')',
                         E'\n' || pg_catalog.rtrim(pg_catalog.pg_get_viewdef(view.oid), ';')) AS statement
  FROM view
UNION ALL
SELECT 20, 0, pg_catalog.format('ALTER VIEW %%s OWNER TO %%I', view.called, pg_catalog.pg_get_userbyid(view.relowner))
  FROM view
UNION ALL
SELECT 30, part.attnum, pg_catalog.format('ALTER VIEW %%s ALTER COLUMN %%I SET DEFAULT %%s', view.called, part.attname,
                                          pg_catalog.pg_get_expr(made.adbin, made.adrelid))
  FROM view
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = view.oid
  JOIN pg_catalog.pg_attrdef AS made ON made.adrelid = view.oid AND made.adnum = part.attnum
UNION ALL
-- What default privileges have given it meanwhile is no more than was given before.
SELECT 40, 0, pg_catalog.format(
           'DO %%L', pg_catalog.format(
               $body$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(item.grantee)) END AS role
          FROM pg_catalog.pg_class AS class, pg_catalog.aclexplode(class.relacl) AS item
         WHERE class.oid = %%1$L::regclass
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %%%%s FROM %%%%s', %%1$L, given.role);
    END LOOP;
END
$body$, view.called))
  FROM view
UNION ALL
SELECT 45, 0, pg_catalog.format('REVOKE ALL ON %%s FROM %%I', view.called, pg_catalog.pg_get_userbyid(view.relowner))
  FROM view
UNION ALL
SELECT 46, 0, pg_catalog.format('GRANT ALL ON %%s TO %%I', view.called, pg_catalog.pg_get_userbyid(view.relowner))
  FROM view
 WHERE view.relacl IS NULL
UNION ALL
SELECT 50, given.place, pg_catalog.format('GRANT %%s%%s ON %%s TO %%s%%s', given.privilege_type, given.columns, view.called,
                                          CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END,
                                          CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM view
 CROSS JOIN given
UNION ALL
SELECT 60, said.objsubid, CASE said.objsubid WHEN 0 THEN pg_catalog.format('COMMENT ON VIEW %%s IS %%L', view.called, said.description)
                               ELSE pg_catalog.format('COMMENT ON COLUMN %%s.%%I IS %%L', view.called, part.attname, said.description) END
  FROM view
  JOIN pg_catalog.pg_description AS said
    ON said.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND said.objoid = view.oid
  LEFT JOIN pg_catalog.pg_attribute AS part ON part.attrelid = view.oid AND part.attnum = said.objsubid
UNION ALL
SELECT 70, rule.oid::bigint, pg_catalog.rtrim(pg_catalog.pg_get_ruledef(rule.oid), ';')
  FROM view
  JOIN pg_catalog.pg_rewrite AS rule ON rule.ev_class = view.oid AND rule.rulename <> '_RETURN'
UNION ALL
SELECT 80, fired.oid::bigint, pg_catalog.pg_get_triggerdef(fired.oid)
  FROM view
  JOIN pg_catalog.pg_trigger AS fired ON fired.tgrelid = view.oid AND NOT fired.tgisinternal
 ORDER BY place, part;

-- triggers_again --
-- The triggers of a table that name one of some columns: what drops each, and what makes it anew.
SELECT pg_catalog.format('DROP TRIGGER %%I ON %%I.%%I', fired.tgname, namespace.nspname, class.relname),
       pg_catalog.array_remove(ARRAY[
           pg_catalog.pg_get_triggerdef(fired.oid),
           CASE fired.tgenabled WHEN 'O' THEN NULL ELSE
               pg_catalog.format('ALTER TABLE %%I.%%I %%s TRIGGER %%I', namespace.nspname, class.relname,
                                 CASE fired.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
                                 fired.tgname) END,
           pg_catalog.format('COMMENT ON TRIGGER %%I ON %%I.%%I IS ', fired.tgname, namespace.nspname, class.relname)
               || pg_catalog.quote_literal(pg_catalog.obj_description(fired.oid, 'pg_trigger'))
       ], NULL)
  FROM pg_catalog.pg_trigger AS fired
  JOIN pg_catalog.pg_class AS class ON class.oid = fired.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE fired.tgrelid = %(oid)s
   AND NOT fired.tgisinternal
   AND EXISTS (
       SELECT
         FROM pg_catalog.pg_depend AS link
        WHERE link.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
          AND link.objid = fired.oid
          AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND link.refobjid = %(oid)s
          AND link.refobjsubid = ANY (%(numbers)s)
   )
 ORDER BY fired.tgname;

-- policies_again --
-- The policies of a table that name one of some columns: what drops each, and what makes it anew.
SELECT pg_catalog.format('DROP POLICY %%I ON %%I.%%I', policy.polname, namespace.nspname, class.relname),
       pg_catalog.array_remove(ARRAY[
           pg_catalog.format('CREATE POLICY %%I ON %%I.%%I AS %%s FOR %%s TO %%s%%s%%s', policy.polname, namespace.nspname, class.relname,
               CASE WHEN policy.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
               CASE policy.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
               (SELECT pg_catalog.string_agg(CASE WHEN role.oid = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role.oid)) END, ', ')
                  FROM pg_catalog.unnest(policy.polroles) AS role (oid)),
               ' USING (' || pg_catalog.pg_get_expr(policy.polqual, policy.polrelid) || ')',
               ' WITH CHECK (' || pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid) || ')'),
           pg_catalog.format('COMMENT ON POLICY %%I ON %%I.%%I IS ', policy.polname, namespace.nspname, class.relname)
               || pg_catalog.quote_literal(pg_catalog.obj_description(policy.oid, 'pg_policy'))
       ], NULL)
  FROM pg_catalog.pg_policy AS policy
  JOIN pg_catalog.pg_class AS class ON class.oid = policy.polrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE policy.polrelid = %(oid)s
   AND EXISTS (
       SELECT
         FROM pg_catalog.pg_depend AS link
        WHERE link.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
          AND link.objid = policy.oid
          AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND link.refobjid = %(oid)s
          AND link.refobjsubid = ANY (%(numbers)s)
   )
 ORDER BY policy.polname;

-- publications_again --
-- The publications that publish some of a table's columns or rows by one of some columns: what takes the table out, and in again.
SELECT pg_catalog.format('ALTER PUBLICATION %%I DROP TABLE ONLY %%I.%%I', publication.pubname, namespace.nspname, class.relname),
       ARRAY[
           pg_catalog.format('ALTER PUBLICATION %%I ADD TABLE ONLY %%I.%%I%%s%%s', publication.pubname, namespace.nspname, class.relname,
               (SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(part.attname), ', ' ORDER BY part.attnum) || ')'
                  FROM pg_catalog.pg_attribute AS part
                 WHERE part.attrelid = member.prrelid AND part.attnum = ANY (member.prattrs::int2[])),
               ' WHERE (' || pg_catalog.pg_get_expr(member.prqual, member.prrelid) || ')')
       ]
  FROM pg_catalog.pg_publication_rel AS member
  JOIN pg_catalog.pg_publication AS publication ON publication.oid = member.prpubid
  JOIN pg_catalog.pg_class AS class ON class.oid = member.prrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE member.prrelid = %(oid)s
   AND EXISTS (
       SELECT
         FROM pg_catalog.pg_depend AS link
        WHERE link.classid = 'pg_catalog.pg_publication_rel'::pg_catalog.regclass
          AND link.objid = member.oid
          AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND link.refobjid = %(oid)s
          AND link.refobjsubid = ANY (%(numbers)s)
   )
 ORDER BY publication.pubname;
