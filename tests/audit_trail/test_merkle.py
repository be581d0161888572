"""The trees of hashes, against a recursion written from the definition and the vectors of its reference."""

from __future__ import annotations

from hashlib import sha256

import pytest

from spotify_ai_agent_migrations.versions.audit_trail.merkle import EMPTY_ROOT, Tree, leaf_hash, root_of

# The eight leaves of the reference implementation of Certificate Transparency, and its roots over the first n.
LEAVES = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
] + [bytes(range(0x60, 0x70))]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def defined(data: list[bytes]) -> bytes:
    """The root as the definition says it: split at the largest power of two below n."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\0" + data[0]).digest()
    split = 1
    while split * 2 < len(data):
        split *= 2
    return sha256(b"\1" + defined(data[:split]) + defined(data[split:])).digest()


def numbered(count: int) -> list[bytes]:
    return [leaf.to_bytes(4, "big") for leaf in range(count)]


@pytest.mark.parametrize("count", range(1, 9))
def test_the_roots_are_those_of_the_reference(count: int) -> None:
    assert root_of(leaf_hash(leaf) for leaf in LEAVES[:count]).hex() == ROOTS[count - 1]


def test_the_root_of_no_leaf_is_the_hash_of_nothing() -> None:
    assert (
        root_of([])
        == EMPTY_ROOT
        == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )


def test_every_number_of_leaves_has_the_root_of_the_definition() -> None:
    for count in [*range(130), 255, 256, 257, 1000, 4095, 4097]:
        assert root_of(map(leaf_hash, numbered(count))) == defined(numbered(count)), count


def test_leaves_added_in_lots_of_any_size_make_the_same_tree() -> None:
    leaves = [leaf_hash(leaf) for leaf in numbered(777)]
    for lot in (1, 2, 3, 7, 64, 100, 512, 777):
        tree = Tree()
        for at in range(0, len(leaves), lot):
            tree.add_all(b"".join(leaves[at : at + lot]))
        assert (len(tree), tree.root()) == (777, defined(numbered(777))), lot


def test_a_tree_keeps_one_hash_for_each_bit_of_its_size() -> None:
    tree = Tree()
    for leaf in numbered(1023):
        tree.add(leaf_hash(leaf))
    assert len(tree._peaks) == 10
    tree.add(leaf_hash(b"one more"))
    assert len(tree._peaks) == 1


def test_two_leaves_in_each_others_place_make_another_root() -> None:
    leaves = [leaf_hash(leaf) for leaf in numbered(100)]
    swapped = [*leaves[:40], leaves[41], leaves[40], *leaves[42:]]
    assert root_of(leaves) == defined(numbered(100))
    assert root_of(swapped) != root_of(leaves)


def test_a_node_cannot_be_passed_off_as_a_leaf() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert root_of([left, right]) != root_of([leaf_hash(left + right)])
