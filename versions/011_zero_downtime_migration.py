"""Online changes: the ledger of them; and one of our own, canonical e-mail, made while both applications run.

Locks: ACCESS EXCLUSIVE on users for some milliseconds a time, waited for no longer than half a second; the index is built and
    all is read under SHARE UPDATE EXCLUSIVE. While users is small it is one transaction. Downgrade: ACCESS EXCLUSIVE on users,
    its last lock, waited for as long at a time, and held until it commits.
Reverse: lossy; forgets which online changes were made, and how far those have come that are not over. Canonical e-mail
    comes back with the next upgrade.
Data: backfill; the canonical e-mail of every account, in batches.
Needs: membership of agent_owner.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
allow MIG030: together only while users is small; else each commits by itself
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.synced_column import (
    AddSyncedColumn,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.revision import migrating

revision = "011"
down_revision = "010"
branch_labels = None
depends_on = None


# Who has no address has the row's own number, which is none and says nothing. The application that writes e-mail alone and
# the one that writes either form may run side by side, for as long as they like.
WISH = AddSyncedColumn(
    table="public.users",
    column="email_canonical",
    type='text COLLATE pg_catalog."C"',
    sources=("email", "id"),
    expression="coalesce(ops.canonical_email_v1(email), id::text)",
    back=("email", "CASE WHEN email_canonical !~ '^-?[0-9]+$' THEN email_canonical END"),
    check="(email IS NULL) = (email_canonical = id::text)",
    comment="contact: e-mail in one spelling for all ways to write it, one account each; the number of the row where there is none",
    unique=True,
)


def upgrade() -> None:
    if op.get_context().as_sql:
        with as_owner():
            _prepare()
            execute(_WRITTEN_OUT)
            execute(_CLASSIFIED)
        return
    # Where users is large, the block is an autocommit_block.
    with migrating(WISH.table) as work:
        work.do(_prepare)
        work.change(WISH)
        work.do(_classify)


def downgrade() -> None:
    with as_owner():
        execute(TAKE_BACK)


def _prepare() -> None:
    _create_ledger()
    execute(_SETTINGS)
    execute(_CANONICAL)


def _classify() -> None:
    execute(_CLASSIFIED)


def _create_ledger() -> None:
    op.create_table(
        "online_change",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the change"),
        sa.Column("operation", sa.Text, nullable=False, comment="none: what kind of change it is"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the table, with its schema, as SQL writes it"),
        sa.Column("subject", sa.Text, nullable=False, comment="none: what of the table it is about"),
        sa.Column("arguments", JSONB, nullable=False, comment="none: what was wished"),
        sa.Column("steps", JSONB, nullable=False, comment="none: its steps in order: statements, locks, and how each is taken back"),
        sa.Column("state", sa.Text, nullable=False, comment="none: how far it has come"),
        sa.Column("asked", sa.Text, server_default="go", nullable=False, comment="none: what its backfill was asked to do: go on, pause or end"),
        sa.Column("begun_by", sa.Text, server_default=sa.text("SESSION_USER"), nullable=False, comment="none: database login that began it"),
        sa.Column("revision", sa.Text, comment="none: the first revision whose applications know the new form: the one that began it, by hand the one to come"),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it began"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when it was completed or aborted; NULL is not yet"),
        sa.PrimaryKeyConstraint("id", name="online_change_pkey"),
        sa.CheckConstraint("state IN ('begun', 'started', 'filled', 'verified', 'contracting', 'aborting', 'completed', 'aborted')", name="online_change_state_check"),
        sa.CheckConstraint("asked IN ('go', 'pause', 'end')", name="online_change_asked_check"),
        comment="Changes of live tables, and how far each has come",
        schema="ops",
        if_not_exists=True,
    )
    # allow MIG031: the table was made just before, and is empty
    op.create_index(
        "online_change_table_name_idx", "online_change", ["table_name", "operation", "subject"],
        unique=True, schema="ops", if_not_exists=True, postgresql_where=sa.text("state NOT IN ('completed', 'aborted')"),
    )
    op.create_table(
        "online_step",
        sa.Column("change_id", sa.BigInteger, nullable=False, comment="none: the change"),
        sa.Column("place", sa.Integer, nullable=False, comment="none: its place among the steps, from 0"),
        sa.Column("name", sa.Text, nullable=False, comment="none: what it does"),
        sa.Column("phase", sa.Text, nullable=False, comment="none: the phase it is of"),
        sa.Column("tries", sa.Integer, server_default="1", nullable=False, comment="none: how often it was begun"),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was begun last"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when it was done; NULL is not yet"),
        sa.PrimaryKeyConstraint("change_id", "place", name="online_step_pkey"),
        sa.ForeignKeyConstraint(["change_id"], ["ops.online_change.id"], name="online_step_change_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("phase IN ('start', 'backfill', 'verify', 'complete')", name="online_step_phase_check"),
        comment="The steps of a change that were begun; one that was taken back is not among them",
        schema="ops",
        if_not_exists=True,
    )
    # allow MIG060: who may read it may read the tables whose keys these are
    # allow MIG061: a key is there while its range is being filled; what was written tells its own table
    op.create_table(
        "online_range",
        sa.Column("change_id", sa.BigInteger, nullable=False, comment="none: the change"),
        sa.Column("place", sa.Integer, nullable=False, comment="none: the step that fills"),
        sa.Column("number", sa.Integer, nullable=False, comment="none: number of the range"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the table or partition that it is of, with its schema, as SQL writes it"),
        sa.Column("low", JSONB, comment="identifier: key that it begins behind; NULL is with the first row, or all of it is filled"),
        sa.Column("high", JSONB, comment="identifier: key that it ends with; NULL is all of it is filled"),
        sa.Column("reached", JSONB, comment="identifier: key of the last row that is filled; NULL is none, or all of it is filled"),
        sa.Column("row_estimate", sa.BigInteger, nullable=False, comment="none: how many rows it has, by a sample of some pages"),
        sa.Column("walked_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many rows it has come by"),
        sa.Column("row_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many rows it has written"),
        sa.Column("batch_rows", sa.Integer, comment="none: how many rows the last batch was to have"),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was begun"),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it wrote last"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when all of it was filled; NULL is not yet"),
        sa.PrimaryKeyConstraint("change_id", "place", "number", name="online_range_pkey"),
        sa.ForeignKeyConstraint(["change_id"], ["ops.online_change.id"], name="online_range_change_id_fkey", ondelete="CASCADE"),
        comment="How far a backfill has come, a row a range of keys",
        schema="ops",
        if_not_exists=True,
    )
    _create_gate()


def _create_gate() -> None:
    op.create_table(
        "application_version",
        sa.Column("application", sa.Text, nullable=False, comment="none: application or service"),
        sa.Column("version", sa.Text, nullable=False, comment="none: version of it, as it calls itself"),
        sa.Column("revision", sa.Text, nullable=False, comment="none: the last revision whose new forms it knows"),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it said so last"),
        sa.Column("acknowledged_by", sa.Text, server_default=sa.text("SESSION_USER"), nullable=False, comment="none: database login that said so"),
        sa.Column("retired_at", sa.DateTime(timezone=True), comment="none: since when none of it runs; NULL is it may run"),
        sa.Column("retired_by", sa.Text, comment="none: database login that retired it; NULL is it may run"),
        sa.PrimaryKeyConstraint("application", "version", name="application_version_pkey"),
        sa.CheckConstraint("application ~ '^[ -~]{1,100}$' AND version ~ '^[ -~]{1,100}$'", name="application_version_name_check"),
        sa.CheckConstraint("revision ~ '^[0-9]{3}$'", name="application_version_revision_check"),
        sa.CheckConstraint("(retired_at IS NULL) = (retired_by IS NULL)", name="application_version_retired_check"),
        comment="Which versions of which applications may run, and which forms of the schema each knows",
        schema="ops",
        if_not_exists=True,
    )
    op.create_table(
        "online_contract",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the entry"),
        sa.Column("change_id", sa.BigInteger, nullable=False, comment="none: the change"),
        sa.Column("proofs", JSONB, nullable=False, comment="none: what was proven when it was let through"),
        sa.Column("missing", JSONB, nullable=False, comment="none: what was missing then; something only where somebody overrode it"),
        sa.Column("reason", sa.Text, comment="none: why what is missing was overridden; NULL is nothing was missing"),
        sa.Column("allowed_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was let through"),
        sa.Column("allowed_by", sa.Text, server_default=sa.text("SESSION_USER"), nullable=False, comment="none: database login that contracted it"),
        sa.PrimaryKeyConstraint("id", name="online_contract_pkey"),
        sa.ForeignKeyConstraint(["change_id"], ["ops.online_change.id"], name="online_contract_change_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("(missing = '[]') = (reason IS NULL)", name="online_contract_reason_check"),
        comment="On what proof each contract was let through, or who overrode what was missing, and why",
        schema="ops",
        if_not_exists=True,
    )
    # allow MIG031: the table was made just before, and is empty
    op.create_index("online_contract_change_id_idx", "online_contract", ["change_id"], schema="ops", if_not_exists=True)
    op.create_table(
        "online_reading",
        sa.Column("change_id", sa.BigInteger, nullable=False, comment="none: the change"),
        sa.Column("calls", JSONB, nullable=False, comment="none: statements that name what goes, by their number, and how often each was executed"),
        sa.Column("unread_since", sa.DateTime(timezone=True), nullable=False, comment="none: since when none of them was executed"),
        sa.Column("forgotten_count", sa.BigInteger, nullable=False, comment="none: how often the server had forgotten statements by then"),
        sa.PrimaryKeyConstraint("change_id", name="online_reading_pkey"),
        sa.ForeignKeyConstraint(["change_id"], ["ops.online_change.id"], name="online_reading_change_id_fkey", ondelete="CASCADE"),
        comment="Since when nobody has read what a change will take away, as far as the server counts statements",
        schema="ops",
        if_not_exists=True,
    )
    execute(_ACKNOWLEDGED)


# A backend says what it runs, as agent_app; that none of a version runs any more is said by who deploys.
_ACKNOWLEDGED = """
COMMENT ON INDEX ops.online_contract_change_id_idx IS 'contracts of a change';
CREATE OR REPLACE FUNCTION public.acknowledge_version_v1(application text, version text, revision text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO ops.application_version AS known (application, version, revision)
    VALUES (acknowledge_version_v1.application, acknowledge_version_v1.version, acknowledge_version_v1.revision)
        ON CONFLICT ON CONSTRAINT application_version_pkey DO UPDATE
       SET revision = excluded.revision,
           acknowledged_at = pg_catalog.clock_timestamp(),
           acknowledged_by = SESSION_USER,
           retired_at = NULL,
           retired_by = NULL
$function$;
COMMENT ON FUNCTION public.acknowledge_version_v1(text, text, text) IS 'Say that a version of an application runs, and up to which revision it knows the new forms';
REVOKE ALL ON FUNCTION public.acknowledge_version_v1(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.acknowledge_version_v1(text, text, text) TO agent_app;
"""


_SETTINGS = """
COMMENT ON INDEX ops.online_change_table_name_idx IS 'one change of a kind at a time';
GRANT SELECT ON ops.online_change, ops.online_step, ops.online_range TO agent_auditor;
GRANT SELECT ON ops.application_version, ops.online_contract, ops.online_reading TO agent_auditor;
INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('ops.online_change', 'ledger', 'finished_at', INTERVAL '24 months', 'delete', 'ISO/IEC 27001:2022 A.8.32')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

# Case and compatible forms of Unicode are folded, letter by letter as in CaseFolding.txt of Unicode 14 (status C and S): by no
# locale and no library of the server, so that every server says the same. An address of ASCII alone, as most are, is quick.
_CANONICAL = r"""
CREATE OR REPLACE FUNCTION ops.canonical_email_v1(email text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT CASE WHEN octet_length(email) = length(email) THEN lower(email COLLATE pg_catalog."C")
                ELSE normalize(translate(normalize(email, NFKC),
                'ABCDEFGHIJKLMNOPQRSTUVWXYZÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĴĶĹĻĽŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽƁƂƄƆ'
                'ƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƠƢƤƦƧƩƬƮƯƱƲƳƵƷƸƼǍǏǑǓǕǗǙǛǞǠǢǤǦǨǪǬǮǴǶǷǸǺǼǾȀȂȄȆȈȊȌȎȐȒȔȖȘȚȜȞȠȢȤȦȨȪȬȮȰȲȺȻȽȾɁɃɄɅɆɈɊɌɎͅͰͲͶͿΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝ'
                'ΞΟΠΡΣΤΥΦΧΨΩΪΫςϏϘϚϜϞϠϢϤϦϨϪϬϮϷϺϽϾϿЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶ'
                'ҸҺҼҾӀӁӃӅӇӉӋӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖႠႡႢႣႤႥႦႧႨႩႪႫႬႭႮႯႰႱႲႳႴႵ'
                'ႶႷႸႹႺႻႼႽႾႿჀჁჂჃჄჅჇჍᏸᏹᏺᏻᏼᏽᲀᲁᲂᲃᲄᲅᲆᲇᲈᲐᲑᲒᲓᲔᲕᲖᲗᲘᲙᲚᲛᲜᲝᲞᲟᲠᲡᲢᲣᲤᲥᲦᲧᲨᲩᲪᲫᲬᲭᲮᲯᲰᲱᲲᲳᲴᲵᲶᲷᲸᲹᲺᲽᲾᲿḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐ'
                'ṒṔṖṘṚṜṞṠṢṤṦṨṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌẎẐẒẔẞẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾἈἉἊἋἌἍἎἏἘἙἚἛἜἝἨἩἪἫἬἭἮἯἸἹἺἻἼἽἾἿὈὉὊὋὌὍὙ'
                'ὛὝὟὨὩὪὫὬὭὮὯᾈᾉᾊᾋᾌᾍᾎᾏᾘᾙᾚᾛᾜᾝᾞᾟᾨᾩᾪᾫᾬᾭᾮᾯᾸᾹᾺᾼῈῊῌῘῙῚῨῩῪῬῸῺῼℲↃⰀⰁⰂⰃⰄⰅⰆⰇⰈⰉⰊⰋⰌⰍⰎⰏⰐⰑⰒⰓⰔⰕⰖⰗⰘⰙⰚⰛⰜⰝⰞⰟⰠⰡⰢⰣⰤⰥⰦⰧⰨⰩⰪⰫⰬⰭⰮⰯⱠⱢⱣⱤⱧⱩⱫⱭⱮⱯⱰⱲⱵⱾⱿⲀⲂⲄ'
                'ⲆⲈⲊⲌⲎⲐⲒⲔⲖⲘⲚⲜⲞⲠⲢⲤⲦⲨⲪⲬⲮⲰⲲⲴⲶⲸⲺⲼⲾⳀⳂⳄⳆⳈⳊⳌⳎⳐⳒⳔⳖⳘⳚⳜⳞⳠⳢⳫⳭⳲꙀꙂꙄꙆꙈꙊꙌꙎꙐꙒꙔꙖꙘꙚꙜꙞꙠꙢꙤꙦꙨꙪꙬꚀꚂꚄꚆꚈꚊꚌꚎꚐꚒꚔꚖꚘꚚꜢꜤꜦꜨꜪꜬꜮꜲꜴꜶꜸꜺꜼꜾꝀꝂꝄꝆꝈꝊꝌꝎꝐꝒꝔꝖꝘꝚꝜꝞꝠꝢꝤ'
                'ꝦꝨꝪꝬꝮꝹꝻꝽꝾꞀꞂꞄꞆꞋꞍꞐꞒꞖꞘꞚꞜꞞꞠꞢꞤꞦꞨꞪꞫꞬꞭꞮꞰꞱꞲꞳꞴꞶꞸꞺꞼꞾꟀꟂꟄꟅꟆꟇꟉꟐꟖꟘꟵꭰꭱꭲꭳꭴꭵꭶꭷꭸꭹꭺꭻꭼꭽꭾꭿꮀꮁꮂꮃꮄꮅꮆꮇꮈꮉꮊꮋꮌꮍꮎꮏꮐꮑꮒꮓꮔꮕꮖꮗꮘꮙꮚꮛꮜꮝꮞꮟꮠꮡꮢꮣꮤꮥꮦꮧꮨꮩꮪꮫꮬꮭꮮꮯꮰꮱꮲ'
                'ꮳꮴꮵꮶꮷꮸꮹꮺꮻꮼꮽꮾꮿ𐐀𐐁𐐂𐐃𐐄𐐅𐐆𐐇𐐈𐐉𐐊𐐋𐐌𐐍𐐎𐐏𐐐𐐑𐐒𐐓𐐔𐐕𐐖𐐗𐐘𐐙𐐚𐐛𐐜𐐝𐐞𐐟𐐠𐐡𐐢𐐣𐐤𐐥𐐦𐐧𐒰𐒱𐒲𐒳𐒴𐒵𐒶𐒷𐒸𐒹𐒺𐒻𐒼𐒽𐒾𐒿𐓀𐓁𐓂𐓃𐓄𐓅𐓆𐓇𐓈𐓉𐓊𐓋𐓌𐓍𐓎𐓏𐓐𐓑𐓒𐓓𐕰𐕱𐕲𐕳𐕴𐕵𐕶𐕷𐕸𐕹𐕺𐕼𐕽𐕾𐕿𐖀𐖁𐖂𐖃𐖄𐖅𐖆𐖇𐖈𐖉𐖊𐖌𐖍𐖎𐖏𐖐'
                '𐖑𐖒𐖔𐖕𐲀𐲁𐲂𐲃𐲄𐲅𐲆𐲇𐲈𐲉𐲊𐲋𐲌𐲍𐲎𐲏𐲐𐲑𐲒𐲓𐲔𐲕𐲖𐲗𐲘𐲙𐲚𐲛𐲜𐲝𐲞𐲟𐲠𐲡𐲢𐲣𐲤𐲥𐲦𐲧𐲨𐲩𐲪𐲫𐲬𐲭𐲮𐲯𐲰𐲱𐲲𑢠𑢡𑢢𑢣𑢤𑢥𑢦𑢧𑢨𑢩𑢪𑢫𑢬𑢭𑢮𑢯𑢰𑢱𑢲𑢳𑢴𑢵𑢶𑢷𑢸𑢹𑢺𑢻𑢼𑢽𑢾𑢿𖹀𖹁𖹂𖹃𖹄𖹅𖹆𖹇𖹈𖹉𖹊𖹋𖹌𖹍𖹎𖹏𖹐𖹑𖹒𖹓𖹔𖹕𖹖𖹗𖹘𖹙𖹚𖹛𖹜𖹝𖹞𖹟𞤀'
                '𞤁𞤂𞤃𞤄𞤅𞤆𞤇𞤈𞤉𞤊𞤋𞤌𞤍𞤎𞤏𞤐𞤑𞤒𞤓𞤔𞤕𞤖𞤗𞤘𞤙𞤚𞤛𞤜𞤝𞤞𞤟𞤠𞤡',
                'abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĵķĺļľłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżžɓƃƅɔ'
                'ƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵơƣƥʀƨʃƭʈưʊʋƴƶʒƹƽǎǐǒǔǖǘǚǜǟǡǣǥǧǩǫǭǯǵƕƿǹǻǽǿȁȃȅȇȉȋȍȏȑȓȕȗșțȝȟƞȣȥȧȩȫȭȯȱȳⱥȼƚⱦɂƀʉʌɇɉɋɍɏιͱͳͷϳάέήίόύώαβγδεζηθικλμν'
                'ξοπρστυφχψωϊϋσϗϙϛϝϟϡϣϥϧϩϫϭϯϸϻͻͼͽѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷ'
                'ҹһҽҿӏӂӄӆӈӊӌӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆⴀⴁⴂⴃⴄⴅⴆⴇⴈⴉⴊⴋⴌⴍⴎⴏⴐⴑⴒⴓⴔⴕ'
                'ⴖⴗⴘⴙⴚⴛⴜⴝⴞⴟⴠⴡⴢⴣⴤⴥⴧⴭᏰᏱᏲᏳᏴᏵвдосттъѣꙋაბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺჽჾჿḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑ'
                'ṓṕṗṙṛṝṟṡṣṥṧṩṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍẏẑẓẕßạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹỻỽỿἀἁἂἃἄἅἆἇἐἑἒἓἔἕἠἡἢἣἤἥἦἧἰἱἲἳἴἵἶἷὀὁὂὃὄὅὑ'
                'ὓὕὗὠὡὢὣὤὥὦὧᾀᾁᾂᾃᾄᾅᾆᾇᾐᾑᾒᾓᾔᾕᾖᾗᾠᾡᾢᾣᾤᾥᾦᾧᾰᾱὰᾳὲὴῃῐῑὶῠῡὺῥὸὼῳⅎↄⰰⰱⰲⰳⰴⰵⰶⰷⰸⰹⰺⰻⰼⰽⰾⰿⱀⱁⱂⱃⱄⱅⱆⱇⱈⱉⱊⱋⱌⱍⱎⱏⱐⱑⱒⱓⱔⱕⱖⱗⱘⱙⱚⱛⱜⱝⱞⱟⱡɫᵽɽⱨⱪⱬɑɱɐɒⱳⱶȿɀⲁⲃⲅ'
                'ⲇⲉⲋⲍⲏⲑⲓⲕⲗⲙⲛⲝⲟⲡⲣⲥⲧⲩⲫⲭⲯⲱⲳⲵⲷⲹⲻⲽⲿⳁⳃⳅⳇⳉⳋⳍⳏⳑⳓⳕⳗⳙⳛⳝⳟⳡⳣⳬⳮⳳꙁꙃꙅꙇꙉꙋꙍꙏꙑꙓꙕꙗꙙꙛꙝꙟꙡꙣꙥꙧꙩꙫꙭꚁꚃꚅꚇꚉꚋꚍꚏꚑꚓꚕꚗꚙꚛꜣꜥꜧꜩꜫꜭꜯꜳꜵꜷꜹꜻꜽꜿꝁꝃꝅꝇꝉꝋꝍꝏꝑꝓꝕꝗꝙꝛꝝꝟꝡꝣꝥ'
                'ꝧꝩꝫꝭꝯꝺꝼᵹꝿꞁꞃꞅꞇꞌɥꞑꞓꞗꞙꞛꞝꞟꞡꞣꞥꞧꞩɦɜɡɬɪʞʇʝꭓꞵꞷꞹꞻꞽꞿꟁꟃꞔʂᶎꟈꟊꟑꟗꟙꟶᎠᎡᎢᎣᎤᎥᎦᎧᎨᎩᎪᎫᎬᎭᎮᎯᎰᎱᎲᎳᎴᎵᎶᎷᎸᎹᎺᎻᎼᎽᎾᎿᏀᏁᏂᏃᏄᏅᏆᏇᏈᏉᏊᏋᏌᏍᏎᏏᏐᏑᏒᏓᏔᏕᏖᏗᏘᏙᏚᏛᏜᏝᏞᏟᏠᏡᏢ'
                'ᏣᏤᏥᏦᏧᏨᏩᏪᏫᏬᏭᏮᏯ𐐨𐐩𐐪𐐫𐐬𐐭𐐮𐐯𐐰𐐱𐐲𐐳𐐴𐐵𐐶𐐷𐐸𐐹𐐺𐐻𐐼𐐽𐐾𐐿𐑀𐑁𐑂𐑃𐑄𐑅𐑆𐑇𐑈𐑉𐑊𐑋𐑌𐑍𐑎𐑏𐓘𐓙𐓚𐓛𐓜𐓝𐓞𐓟𐓠𐓡𐓢𐓣𐓤𐓥𐓦𐓧𐓨𐓩𐓪𐓫𐓬𐓭𐓮𐓯𐓰𐓱𐓲𐓳𐓴𐓵𐓶𐓷𐓸𐓹𐓺𐓻𐖗𐖘𐖙𐖚𐖛𐖜𐖝𐖞𐖟𐖠𐖡𐖣𐖤𐖥𐖦𐖧𐖨𐖩𐖪𐖫𐖬𐖭𐖮𐖯𐖰𐖱𐖳𐖴𐖵𐖶𐖷'
                '𐖸𐖹𐖻𐖼𐳀𐳁𐳂𐳃𐳄𐳅𐳆𐳇𐳈𐳉𐳊𐳋𐳌𐳍𐳎𐳏𐳐𐳑𐳒𐳓𐳔𐳕𐳖𐳗𐳘𐳙𐳚𐳛𐳜𐳝𐳞𐳟𐳠𐳡𐳢𐳣𐳤𐳥𐳦𐳧𐳨𐳩𐳪𐳫𐳬𐳭𐳮𐳯𐳰𐳱𐳲𑣀𑣁𑣂𑣃𑣄𑣅𑣆𑣇𑣈𑣉𑣊𑣋𑣌𑣍𑣎𑣏𑣐𑣑𑣒𑣓𑣔𑣕𑣖𑣗𑣘𑣙𑣚𑣛𑣜𑣝𑣞𑣟𖹠𖹡𖹢𖹣𖹤𖹥𖹦𖹧𖹨𖹩𖹪𖹫𖹬𖹭𖹮𖹯𖹰𖹱𖹲𖹳𖹴𖹵𖹶𖹷𖹸𖹹𖹺𖹻𖹼𖹽𖹾𖹿𞤢'
                '𞤣𞤤𞤥𞤦𞤧𞤨𞤩𞤪𞤫𞤬𞤭𞤮𞤯𞤰𞤱𞤲𞤳𞤴𞤵𞤶𞤷𞤸𞤹𞤺𞤻𞤼𞤽𞤾𞤿𞥀𞥁𞥂𞥃'), NFKC)
           END
$function$;
COMMENT ON FUNCTION ops.canonical_email_v1(text) IS 'The one spelling of an e-mail address: case and compatible forms of Unicode folded, the same on every server';

CREATE OR REPLACE FUNCTION ops.says_no_more(guarded text, subject name, before jsonb, after jsonb) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    -- The number by which a row names them anyway says nothing about a person, in whatever column it stands.
    SELECT NOT EXISTS (SELECT
                         FROM unnest(ops.guarded_columns(guarded, subject)) AS guard (name)
                        WHERE jsonb_typeof(after -> guard.name) <> 'null'
                          AND after -> guard.name IS DISTINCT FROM before -> guard.name
                          AND after -> guard.name IS DISTINCT FROM to_jsonb(after ->> subject))
$function$;
"""

# What `migrating` executes for a small table, as one script for whoever has no connection; a test compares what comes of both.
_WRITTEN_OUT = """
-- allow MIG041: refused unless users is small
-- allow MIG043: refused unless users is small
-- allow MIG045: refused unless users is small
-- allow MIG056: refused unless users is small
DO $revision$
DECLARE
    same text;
BEGIN
    IF pg_relation_size('public.users') >= 8 * 1024 * 1024 THEN
        RAISE EXCEPTION 'users is too large to get a column in one transaction'
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'alembic upgrade 011, connected to this database, does it while others write';
    END IF;

    ALTER TABLE public.users
        ADD COLUMN email_canonical text COLLATE pg_catalog."C",
        ADD CONSTRAINT users_email_canonical_check CHECK ((email IS NULL) = (email_canonical = id::text));
    -- Not before: what comes until it is unique would be told by the server, and with the address.
    SELECT string_agg(one.ids, '; ')
      INTO same
      FROM (SELECT array_to_string(array_agg(person.id ORDER BY person.id), ' and ') AS ids
              FROM public.users AS person
             WHERE person.email IS NOT NULL
             GROUP BY ops.canonical_email_v1(person.email)
            HAVING count(*) > 1
             ORDER BY min(person.id)
             LIMIT 10) AS one;
    IF same IS NOT NULL THEN
        RAISE EXCEPTION 'accounts have the same e-mail address but for its spelling: %', same
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'give all but one of each another e-mail address, or none, or delete them; then run it again';
    END IF;

    COMMENT ON COLUMN public.users.email_canonical IS 'contact: e-mail in one spelling for all ways to write it, one account each; the number of the row where there is none';
    CREATE FUNCTION public.users_email_canonical_sync() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF tg_op = 'INSERT' AND new."email" IS NULL
       OR tg_op = 'UPDATE' AND new."email_canonical" IS DISTINCT FROM old."email_canonical"
          AND new."email" IS NOT DISTINCT FROM old."email"
          AND new."email_canonical" IS DISTINCT FROM (SELECT coalesce(ops.canonical_email_v1(email), id::text) FROM (SELECT new."email" AS "email", new."id" AS "id") AS t) THEN
        new."email" := (SELECT CASE WHEN email_canonical !~ '^-?[0-9]+$' THEN email_canonical END FROM (SELECT new."email_canonical" AS "email_canonical") AS t);
    END IF;
    -- Whatever agentdb.filling says: who fills writes the same.
    "new"."email_canonical" := (SELECT coalesce(ops.canonical_email_v1(email), id::text) FROM (SELECT new."email" AS "email", new."id" AS "id") AS t);
    RETURN new;
END
$function$;
    REVOKE ALL ON FUNCTION public.users_email_canonical_sync() FROM PUBLIC;
    COMMENT ON FUNCTION public.users_email_canonical_sync() IS 'Keep email_canonical at what it is made of';
    CREATE TRIGGER zz_users_email_canonical_insert BEFORE INSERT ON public.users
        FOR EACH ROW EXECUTE FUNCTION public.users_email_canonical_sync();
    CREATE TRIGGER zz_users_email_canonical_update BEFORE UPDATE ON public.users
        FOR EACH ROW WHEN (OLD.email IS DISTINCT FROM NEW.email OR OLD.id IS DISTINCT FROM NEW.id
                           OR OLD.email_canonical IS DISTINCT FROM NEW.email_canonical)
        EXECUTE FUNCTION public.users_email_canonical_sync();
    ALTER TABLE public.users ENABLE ALWAYS TRIGGER zz_users_email_canonical_insert;
    ALTER TABLE public.users ENABLE ALWAYS TRIGGER zz_users_email_canonical_update;
    UPDATE public.users AS person
       SET email_canonical = coalesce(ops.canonical_email_v1(person.email), person.id::text);
    ALTER TABLE public.users ADD CONSTRAINT users_email_canonical_key UNIQUE (email_canonical);
    ALTER TABLE public.users ALTER COLUMN email_canonical SET NOT NULL;
END
$revision$
"""

_CLASSIFIED = """
GRANT UPDATE (email_canonical) ON public.users TO agent_app;
DO $revision$
BEGIN
    PERFORM ops.classify_column_v1('public.users', 'email_canonical', strategy => 'random', strategy_args => '{"follows": ["email"]}', origin => 'inferred', purposes => '{service,marketing}', legal_basis => 'contract', retention_rule => 'erased');
    PERFORM ops.classify_table_v1('ops.online_change');
    PERFORM ops.classify_table_v1('ops.online_step');
    PERFORM ops.classify_table_v1('ops.application_version');
    PERFORM ops.classify_table_v1('ops.online_contract');
    PERFORM ops.classify_table_v1('ops.online_reading');
    PERFORM ops.classify_table_v1('ops.online_range', strategy => 'keep', strategy_args => '{"why": "a backfill that was cut off goes on from there", "until": "the range is filled"}', origin => 'observed', purposes => '{security}', legal_basis => 'legitimate_interests', people => 'anybody');
END
$revision$;
"""

# Also of what an upgrade that was cut off has left.
TAKE_BACK = """
DO $revision$
DECLARE
    called text := (SELECT string_agg(nspname, ', ' ORDER BY nspname) FROM pg_namespace WHERE nspname ~ '^app_v[0-9][0-9][0-9]$');
BEGIN
    IF called IS NOT NULL THEN
        RAISE EXCEPTION 'views of released revisions show what would be dropped: %', called
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'agentdb zero-downtime-migration views drop, for each of them';
    END IF;
END
$revision$;
DELETE FROM ops.personal_data AS entry
 WHERE (entry.table_name, entry.column_name) = ('public.users', 'email_canonical')
    OR entry.table_name IN ('ops.online_change', 'ops.online_step', 'ops.online_range', 'ops.application_version', 'ops.online_contract', 'ops.online_reading');
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) = ('ops.online_change', 'ledger');
DROP FUNCTION IF EXISTS public.acknowledge_version_v1(text, text, text);
DROP TABLE IF EXISTS ops.online_reading;
DROP TABLE IF EXISTS ops.online_contract;
DROP TABLE IF EXISTS ops.application_version;
DROP TABLE IF EXISTS ops.online_range;
DROP TABLE IF EXISTS ops.online_step;
DROP TABLE IF EXISTS ops.online_change;
CREATE OR REPLACE FUNCTION ops.says_no_more(guarded text, subject name, before jsonb, after jsonb) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT NOT EXISTS (SELECT
                         FROM unnest(ops.guarded_columns(guarded, subject)) AS guard (name)
                        WHERE jsonb_typeof(after -> guard.name) <> 'null'
                          AND after -> guard.name IS DISTINCT FROM before -> guard.name)
$function$;
-- Last: nobody else is at users from here to the end of the transaction. Who queues behind a try waits no longer than this.
SET LOCAL lock_timeout = '500ms';
DROP TRIGGER IF EXISTS zz_users_email_canonical_insert ON public.users;
DROP TRIGGER IF EXISTS zz_users_email_canonical_update ON public.users;
DROP FUNCTION IF EXISTS public.users_email_canonical_sync();
ALTER TABLE public.users DROP COLUMN IF EXISTS email_canonical;
DROP FUNCTION IF EXISTS ops.canonical_email_v1(text);
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
