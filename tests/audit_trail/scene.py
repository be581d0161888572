"""A trail of six blocks, what was published of them, and somebody who owns the tables."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal
from spotify_ai_agent_migrations.versions.audit_trail.fault import Kind, Verification
from spotify_ai_agent_migrations.versions.audit_trail.run import seal
from spotify_ai_agent_migrations.versions.audit_trail.verification import verify
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import connected

PER_BLOCK = 20
BLOCKS = 5
WRITE = """
    INSERT INTO audit_log (entity_type, entity_id, action, actor_type, actor_ref, subject_ref, changed_columns,
                           entity_key, request_id, payload)
    SELECT 'user', n, 'update', 'user', n * 7, n * 11, ARRAY['display_name', 'city'], 'key ' || n, gen_random_uuid(),
           jsonb_build_object('n', n, 'é', 'ü')
      FROM generate_series(1, %s) AS n
 RETURNING id
"""


@dataclass(frozen=True)
class Trail:
    """Its database, the entries of each block after the first by number, and the digests as published."""

    url: str
    key: SigningKey
    public_key: pathlib.Path
    blocks: dict[int, list[int]]
    published: tuple[Seal, ...]

    def verified(self, *, since: int | None = None, digests: bool = False) -> Verification:
        return verify(
            url=self.url, since=since, public_key=self.public_key, digests=self.published if digests else None
        )

    def attacked(self, *statements: str) -> None:
        """Execute what whoever owns the tables can, in one transaction; they tell no sealer and keep no commitment."""
        with connected(self.url) as connection, connection.cursor() as cursor:
            cursor.execute("SET ROLE agent_owner")
            for statement in statements:
                cursor.execute(statement)


def found(done: Verification) -> set[tuple[str, int | None, int | None, int | None]]:
    return {(fault.kind.value, fault.seal_id, fault.entry_id, fault.last_entry_id) for fault in done.faults}


def kinds(done: Verification) -> set[Kind]:
    return {fault.kind for fault in done.faults}


def build(url: str, key: SigningKey, folder: pathlib.Path) -> Trail:
    public = folder / "audit.pub"
    public.write_bytes(key.public.pem)
    published = list(seal(url, key=key).seals)
    blocks = {}
    for _ in range(BLOCKS):
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(WRITE, (PER_BLOCK,))
            numbers = sorted(number for (number,) in cursor.fetchall())
        (made,) = seal(url, key=key).seals
        published.append(made)
        blocks[made.id] = numbers
    return Trail(url, key, public, blocks, tuple(published))
