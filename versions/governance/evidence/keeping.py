"""Say what was deleted, masked and logged: certificates, archives, the catalogue, the trail and its seals."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, Row, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import counted


def deletion(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield what shows that information was deleted (A.8.10)."""
    yield from _erasures(evidence)
    for row in evidence.rows("destroyed"):
        if row.get("keys") != "0":
            yield claim(
                f"Recorded as destroyed in the period: {counted(int(row.get('keys')), 'key')} of people.",
                [row],
            )
    over = evidence.rows("archive")
    if over:
        dropped = sum(bool(row.get("dropped_at")) for row in over)
        yield claim(
            f"{counted(len(over), 'partition')} of the past: detached or dropped in the period; "
            f"by now {dropped} are dropped.",
            over,
        )
    rules = evidence.rows("retention")
    if rules:
        grounded = sum(bool(row.get("legal_reference")) for row in rules)
        yield claim(
            f"{counted(len(rules), 'rule')} of retention hold now; {grounded} name their ground.", rules
        )
    if evidence.rows("heartbeat"):
        yield claim(
            "Jobs that are to run again and again last ended well when their rows say.",
            evidence.rows("heartbeat"),
        )
    yield from _unread(
        evidence,
        archive="archives of partitions",
        destroyed="destroyed keys",
        retention="rules of retention",
        heartbeat="jobs",
    )
    yield Gap("which rows a run of retention deleted is not recorded one by one")
    yield Gap("copies outside of this database, backups among them, are not shown")


def masking(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield what shows that personal data are known and masked (A.8.11)."""
    rows = [row for row in evidence.rows("personal") if row.key != "uncatalogued"]
    if rows:
        personal = sum(int(row.get("columns")) for row in rows if row.get("class") != "none")
        plain = sum(int(row.get("columns")) for row in rows if row.get("class") == "none")
        yield claim(
            f"{counted(personal, 'column')} are classified as personal data, each with what "
            f"becomes of it, and {plain:,} as none.",
            rows,
        )
        masked = [
            row
            for row in rows
            if row.get("class") != "none" and row.get("strategy") not in {"keep", "delete"}
        ]
        if masked:
            yield claim("Of these, some are masked rather than deleted when their person is erased.", masked)
    for row in evidence.rows("personal"):
        if row.key == "uncatalogued" and row.get("columns") != "0":
            yield claim(f"{row.get('columns')} columns are in no class.", [row], exception=True)
        elif row.key == "uncatalogued":
            yield claim(
                "Every column of the schemas public and ops is in the catalogue of personal data.", [row]
            )
    yield from _unread(evidence, personal="the catalogue of personal data")
    yield Gap("the catalogue is shown as it is now; how it was on a day of the period is not")


def logging(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield what shows that there is a trail, and that it was not changed (A.8.15)."""
    for row in evidence.rows("trail"):
        if row.get("entries") != "0":
            yield claim(f"The audit trail has {row.get('entries')} entries of the period.", [row])
        else:
            yield Gap("the audit trail has no entry of the period")
    yield from _seals(evidence)
    anchors = evidence.rows("anchor")
    if anchors:
        yield claim(
            f"Digests of seals were sent to {counted(len(anchors), 'place')} outside of the database.",
            anchors,
        )
    elif not evidence.unread("anchor"):
        yield Gap(
            "no seal of the period was told to anybody outside", "agentdb audit-trail seal --append-to FILE"
        )
    for row in evidence.rows("trail-verified"):
        yield claim(
            f"The audit trail was verified for this report: {row.get('result')}.",
            [row],
            exception=row.get("whole") != "yes",
        )
    if not evidence.rows("trail-verified"):
        yield Gap(
            "the entries of the audit trail were not verified for this report",
            "agentdb governance evidence --verify-trail",
        )
    if "trail-verified" in evidence.sources:
        yield from _unread(evidence, **{"trail-verified": "verification of the audit trail"})
    yield from _unread(
        evidence, trail="the audit trail", seal="seals of the trail", anchor="anchors of the seals"
    )


def _erasures(evidence: Evidence) -> Iterator[Claim | Gap]:
    counts, certificates = evidence.rows("erasures"), evidence.rows("erasure")
    for row in counts:
        if row.key == "certified":
            yield claim(
                f"{counted(int(row.get('erasures')), 'erasure')} of a person ended in the "
                "period with a certificate.",
                [row, *certificates],
            )
    if certificates:
        yield Gap(
            "the signatures of certificates were not verified for this report", "agentdb gdpr-erasure verify"
        )
    running = [row for row in counts if row.key != "certified"]
    if running:
        number = sum(int(row.get("erasures")) for row in running)
        yield claim(
            f"Not certified yet, of those that began in the period: {counted(number, 'erasure')}.",
            running,
            exception=True,
        )
    if not counts and not evidence.unread("erasures"):
        yield Gap("no erasure began or ended in the period")
    yield from _unread(evidence, erasures="erasures")


def _seals(evidence: Evidence) -> Iterator[Claim | Gap]:
    ends: list[Row] = [row for row in evidence.rows("seal") if row.key != "all"]
    for row in evidence.rows("seal"):
        if row.key == "all":
            missing = row.get("missing")
            yield claim(
                f"{counted(int(row.get('seals')), 'seal')} of the period, over "
                f"{counted(int(row.get('entries')), 'entry', 'entries')}; "
                f"of their numbers {missing if missing != '0' else 'none'} are missing.",
                [row, *ends],
                exception=missing != "0",
            )
    if not ends and not evidence.unread("seal"):
        yield Gap("no seal of the audit trail was made in the period", "agentdb audit-trail seal --every 1")


def _unread(evidence: Evidence, **called: str) -> Iterator[Gap]:
    for source, what in called.items():
        why = evidence.unread(source)
        if why:
            yield Gap(f"{what}: not shown, for {why}")
