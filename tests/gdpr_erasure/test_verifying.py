"""No certificate while what an erased person was known by stands where no way leads to."""

from __future__ import annotations

import pytest
from gdpr_erasure.erasing import state_of
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from support import rows

NOTE = "Ask Ada.Lovelace+news@example.org about it"


@pytest.mark.parametrize(("everything", "said"), [(False, "indexed"), (True, "everything")])
def test_a_note_elsewhere_withholds_the_certificate_until_it_is_edited(
    entangled: str, keys: Keyring, everything: bool, said: str
) -> None:
    rows(entangled, "UPDATE ai_models SET description = %s", (NOTE,))
    with pytest.raises(DatabaseError) as refused:
        erase_user(ADA.id, scan_everything=everything, url=entangled)
    assert refused.value.problem == "what the person was known by is left in public.ai_models.description"
    assert "ada" not in str(refused.value).lower()
    assert state_of(entangled) == [("erased", False)]
    rows(entangled, "UPDATE ai_models SET description = 'chooses'")
    certificate = erase_user(ADA.id, scan_everything=everything, url=entangled)
    assert certificate.verify(keys)
    assert certificate.verified == said


def test_who_shares_a_name_is_no_hit(entangled: str, keys: Keyring) -> None:
    del keys
    rows(
        entangled,
        f"UPDATE users SET display_name = (SELECT display_name FROM users WHERE id = {ADA.id}) WHERE id = {BOB.id}",
    )
    assert erase_user(ADA.id, url=entangled).verified == "indexed"
