"""Vectors of RFC 6962 trees, by the definitions of the RFC and nothing else."""

from collections.abc import Sequence
from hashlib import sha256

# The inputs and roots that the tests of certificate-transparency and its descendants share.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# Of transparency-dev/merkle, compact/range_test.go: entry i is i mod 2^16, little-endian.
COUNTED_ROOTS = {
    10: "56358c3d260db42b8236517f44b9d0cba1dcc1293a0888a97f19be85eb6d03ee",
    16: "73ee1473a04230e65ffefdcd64ad64a935097be6c1a05b4e84ff8fdd26b22911",
    255: "4a676cb8a52a8a8777457da3c85d8ce899db744e10b93c308a97c0a30238fe2d",
    256: "a85234b7fb59d4c74e620c8fa4fcc7162655c3cea4a12717cbdab7154e5c6ac0",
    1000: "457ae06fcc47779e58e3c15b7e8b49c026d5f362b1db62d97c46e604602fc254",
    4095: "71644575084f7239fd5b205713faf57f4e1e8f1226e65be0e340c4a510554b4c",
    4096: "eae53fa617c78359ff1a4b184fa4cef5a37c11ab8c0822519777482b41c3b363",
    10000: "55971abfae45f61687551937c2b7b66b116805744d79487fd5df5de4541fc488",
    65535: "88fb9560984fe92104e20505a7ca9b69f776ad8bfd61308362a0310a3f0774b3",
}
Case = dict[str, object]


def cases() -> dict[str, Case]:
    return {**_roots(), **_inclusions(), **_consistencies(), **_frontiers()}


def tree_hash(entries: Sequence[bytes]) -> bytes:
    """MTH of section 2.1."""
    if not entries:
        return sha256().digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = _split(len(entries))
    return sha256(b"\x01" + tree_hash(entries[:k]) + tree_hash(entries[k:])).digest()


def inclusion_path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of section 2.1.1."""
    if len(entries) == 1:
        return []
    k = _split(len(entries))
    if m < k:
        return [*inclusion_path(m, entries[:k]), tree_hash(entries[k:])]
    return [*inclusion_path(m - k, entries[k:]), tree_hash(entries[:k])]


def consistency_path(m: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of section 2.1.2; PROOF is what it gives with *whole*."""
    if m == len(entries):
        return [] if whole else [tree_hash(entries)]
    k = _split(len(entries))
    if m <= k:
        return [*consistency_path(m, entries[:k], whole=whole), tree_hash(entries[k:])]
    return [*consistency_path(m - k, entries[k:], whole=False), tree_hash(entries[:k])]


def _split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def _roots() -> dict[str, Case]:
    small: dict[str, Case] = {
        f"root_of_{size}": {
            "comment": f"the first {size} of the entries that certificate-transparency tests with",
            "expect": "success",
            "operation": "root",
            "entries": [entry.hex() for entry in ENTRIES[:size]],
            "root": root,
        }
        for size, root in enumerate(ROOTS)
    }
    counted: dict[str, Case] = {
        f"root_of_{count}_counted": {
            "comment": f"{count} entries, each its number in two bytes, little-endian",
            "expect": "success",
            "operation": "counted root",
            "count": count,
            "root": root,
        }
        for count, root in COUNTED_ROOTS.items()
    }
    return small | counted


def _inclusion(comment: str, index: int, size: int) -> Case:
    entries = ENTRIES[:size]
    return {
        "comment": comment,
        "expect": "success",
        "operation": "inclusion",
        "index": index,
        "size": size,
        "leaf": sha256(b"\x00" + entries[index]).hexdigest(),
        "proof": _hex(inclusion_path(index, entries)),
        "root": tree_hash(entries).hex(),
    }


def _consistency(comment: str, old: int, new: int) -> Case:
    path = consistency_path(old, ENTRIES[:new]) if old else []
    return {
        "comment": comment,
        "expect": "success",
        "operation": "consistency",
        "old": old,
        "new": new,
        "old_root": tree_hash(ENTRIES[:old]).hex(),
        "new_root": tree_hash(ENTRIES[:new]).hex(),
        "proof": _hex(path),
    }


def _broken(case: Case, comment: str, **changes: object) -> Case:
    return {**case, "comment": comment, "expect": "unverified", **changes}


def _inclusions() -> dict[str, Case]:
    good = _inclusion("a leaf in the middle", 5, 8)
    a, b, c = _hex(inclusion_path(5, ENTRIES))
    leftmost = _inclusion("", 0, 4)
    inner = tree_hash(ENTRIES[:2]).hex()
    return {
        "inclusion_5_of_8": good,
        "inclusion_0_of_1": _inclusion("one leaf is its own tree", 0, 1),
        "inclusion_0_of_8": _inclusion("the first leaf", 0, 8),
        "inclusion_1_of_5": _inclusion("an uneven tree", 1, 5),
        "inclusion_2_of_3": _inclusion("the last leaf of an uneven tree", 2, 3),
        "inclusion_6_of_7": _inclusion("a leaf that skips a level", 6, 7),
        "inclusion_flipped": _broken(good, "one bit of a hash flipped", proof=[a, b, _flip(c)]),
        "inclusion_truncated": _broken(good, "the last hash is missing", proof=[a, b]),
        "inclusion_beheaded": _broken(good, "the first hash is missing", proof=[b, c]),
        "inclusion_lengthened": _broken(good, "a hash more", proof=[a, b, c, good["root"]]),
        "inclusion_swapped": _broken(good, "two hashes swapped", proof=[b, a, c]),
        "inclusion_short_hash": _broken(good, "a hash of 31 bytes", proof=[a, b, c[:62]]),
        "inclusion_long_hash": _broken(good, "a hash of 33 bytes", proof=[a, b, c + "00"]),
        "inclusion_65_hashes": _broken(good, "more than 64 hashes", proof=["00" * 32] * 65),
        "inclusion_next_index": _broken(good, "the index is one too high", index=6),
        "inclusion_index_is_size": _broken(good, "there is no such leaf", index=8),
        "inclusion_1_of_1": _broken(_inclusion("", 0, 1), "a tree of one has no leaf 1", index=1),
        "inclusion_huge_index": _broken(good, "a huge index", index=2**64 - 1, size=2**64 - 1),
        "inclusion_size_doubled": _broken(good, "a tree of one more level", size=16),
        "inclusion_size_halved": _broken(good, "a tree of one level less", size=6, proof=[a, b]),
        "inclusion_other_leaf": _broken(good, "another leaf", leaf=leftmost["leaf"]),
        "inclusion_other_root": _broken(good, "another root", root=leftmost["root"]),
        "inclusion_empty_tree": _broken(good, "no leaf is in an empty tree", index=0, size=0),
        "inclusion_inner_node": _broken(
            leftmost,
            "an inner node, shown as the first of two leaves, in the wrong size of tree",
            leaf=inner,
            proof=[tree_hash(ENTRIES[2:4]).hex()],
        ),
    }


def _consistencies() -> dict[str, Case]:
    good = _consistency("the old tree is two subtrees", 6, 8)
    a, b, c = _hex(consistency_path(6, ENTRIES))
    perfect = _consistency("the old tree is one subtree, which the proof leaves out", 4, 8)
    return {
        "consistency_6_to_8": good,
        "consistency_4_to_8": perfect,
        "consistency_0_to_5": _consistency("anything continues nothing", 0, 5),
        "consistency_1_to_1": _consistency("the same tree", 1, 1),
        "consistency_1_to_8": _consistency("from one leaf", 1, 8),
        "consistency_2_to_5": _consistency("an uneven tree", 2, 5),
        "consistency_3_to_7": _consistency("two uneven trees", 3, 7),
        "consistency_7_to_8": _consistency("one leaf more", 7, 8),
        "consistency_flipped": _broken(good, "one bit of a hash flipped", proof=[a, b, _flip(c)]),
        "consistency_truncated": _broken(good, "the last hash is missing", proof=[a, b]),
        "consistency_beheaded": _broken(good, "the first hash is missing", proof=[b, c]),
        "consistency_lengthened": _broken(good, "a hash more", proof=[a, b, c, c]),
        "consistency_empty": _broken(good, "no hashes at all", proof=[]),
        "consistency_perfect_empty": _broken(perfect, "no hashes at all", proof=[]),
        "consistency_short_hash": _broken(good, "a hash of 31 bytes", proof=[a[:62], b, c]),
        "consistency_65_hashes": _broken(good, "more than 64 hashes", proof=["00" * 32] * 65),
        "consistency_other_old_root": _broken(good, "another past", old_root=a),
        "consistency_other_new_root": _broken(good, "another present", new_root=a),
        "consistency_old_too_high": _broken(good, "an old size one too high", old=7),
        "consistency_new_doubled": _broken(good, "a tree of one more level", new=16),
        "consistency_backwards": _broken(good, "a log that shrank", old=8, new=6),
        "consistency_same_size_fork": _broken(good, "one size, two roots", old=8, proof=[]),
        "consistency_same_size_proof": _broken(
            good, "one tree needs no proof", old=8, old_root=good["new_root"]
        ),
        "consistency_empty_root": _broken(good, "no empty tree has that root", old=0, proof=[]),
        "consistency_from_0_proof": _broken(
            good, "an empty tree needs no proof", old=0, old_root=ROOTS[0]
        ),
    }


def _frontiers() -> dict[str, Case]:
    seven = (7).to_bytes(8, "big").hex() + "".join(
        tree_hash(ENTRIES[first:end]).hex() for first, end in ((0, 4), (4, 6), (6, 7))
    )
    good: Case = {
        "comment": "three peaks, the largest first",
        "expect": "success",
        "operation": "frontier",
        "data": seven,
        "root": ROOTS[7],
    }
    return {
        "frontier_of_7": good,
        "frontier_of_0": {**good, "comment": "no peaks", "data": "00" * 8, "root": ROOTS[0]},
        "frontier_empty": _malformed(good, "no bytes", ""),
        "frontier_truncated": _malformed(good, "the last byte is missing", seven[:-2]),
        "frontier_lengthened": _malformed(good, "a byte more", seven + "00"),
        "frontier_peak_missing": _malformed(good, "a peak is missing", seven[:-64]),
        "frontier_peak_more": _malformed(good, "a peak too many", seven + "00" * 32),
        "frontier_half_a_size": _malformed(good, "half a size", "00000000"),
    }


def _malformed(case: Case, comment: str, data: str) -> Case:
    return {**case, "comment": comment, "expect": "malformed", "data": data}


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [value.hex() for value in hashes]


def _flip(value: str) -> str:
    return f"{int(value[0], 16) ^ 1:x}{value[1:]}"
