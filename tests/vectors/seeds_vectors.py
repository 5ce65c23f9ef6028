"""Vectors of salts and covers, straight from docs/format.md section 3.2."""

from hashlib import sha256

import cbor2

Case = dict[str, object]
Node = tuple[int, int]
ROOT = bytes(range(16))
DEPTH = 32
END = 2**DEPTH


def seed_at(root: bytes, level: int, position: int) -> bytes:
    """Walk from the root down the bits of *position*."""
    seed = root
    for bit in format(position, f"0{level}b") if level else "":
        half = 16 * int(bit)
        seed = sha256(seed).digest()[half : half + 16]
    return seed


def salt_at(root: bytes, index: int) -> bytes:
    return seed_at(root, DEPTH, index)


def blocks(first: int, end: int) -> list[Node]:
    """The fewest aligned blocks that fill ``first..end``, greedily from the left."""
    found = []
    while first < end:
        size = END
        while first % size or first + size > end:
            size //= 2
        found.append((DEPTH - size.bit_length() + 1, first // size))
        first += size
    return found


def cases() -> dict[str, Case]:
    return {**_salts(), **_subcovers(), **_withouts(), **_covers()}


def _cover(nodes: list[Node]) -> list[list[object]]:
    return [[level, place, seed_at(ROOT, level, place).hex()] for level, place in nodes]


def _salts() -> dict[str, Case]:
    indexes = (0, 1, 2, 255, 256, 65535, 65536, 2**31, 2**32 - 1)
    return {
        f"salt_{index}": {
            "comment": f"the salt of entry {index}",
            "expect": "success",
            "operation": "salt",
            "cover": _cover([(0, 0)]),
            "index": index,
            "salt": salt_at(ROOT, index).hex(),
        }
        for index in indexes
    } | {
        "salt_left_of_cover": _refused(1023),
        "salt_right_of_cover": _refused(2048),
        "salt_beyond_all": _refused(2**32),
    }


def _refused(index: int) -> Case:
    return {
        "comment": "the cover has the salts of entries 1024 to 2047 only",
        "expect": "refused",
        "operation": "salt",
        "cover": _cover([(22, 1)]),
        "index": index,
        "salt": "",
    }


def _subcovers() -> dict[str, Case]:
    ranges = {
        "subcover_all": ("everything is one seed", 0, END),
        "subcover_first": ("one salt", 0, 1),
        "subcover_section": ("a whole section", 65536, 131072),
        "subcover_uneven": ("an uneven range", 1000, 3001),
        "subcover_most": ("all but the first and the last need the most seeds", 1, END - 1),
        "subcover_nothing": ("no salts, no seeds", 5, 5),
    }
    return {
        stem: {
            "comment": comment,
            "expect": "success",
            "operation": "subcover",
            "cover": _cover([(0, 0)]),
            "first": first,
            "count": end - first,
            "subcover": _cover(blocks(first, end)),
        }
        for stem, (comment, first, end) in ranges.items()
    } | {
        "subcover_over_a_hole": {
            "comment": "entry 7 is not covered",
            "expect": "refused",
            "operation": "subcover",
            "cover": _cover([*blocks(0, 7), *blocks(8, END)]),
            "first": 6,
            "count": 3,
            "subcover": [],
        }
    }


def _withouts() -> dict[str, Case]:
    return {
        f"without_{index}": {
            "comment": f"the payload of entry {index} erased",
            "expect": "success",
            "operation": "without",
            "cover": _cover([(0, 0)]),
            "index": index,
            "without": _cover([*blocks(0, index), *blocks(index + 1, END)]),
        }
        for index in (0, 6, 2**32 - 1)
    }


def _covers() -> dict[str, Case]:
    seed = bytes(16)
    good = {
        "cover_empty": ("no payloads", []),
        "cover_root": ("all payloads", [[0, 0, seed]]),
        "cover_gap": ("a payload left out", [[31, 0, seed], [32, 3, seed]]),
        "cover_last": ("the last salt", [[32, 2**32 - 1, seed]]),
        "cover_siblings": ("siblings whose parent is not known", [[32, 0, seed], [32, 1, seed]]),
    }
    bad = {
        "cover_level_33": ("below the salts", [[33, 0, seed]]),
        "cover_level_huge": ("a level that would shift for ever", [[2**63, 0, seed]]),
        "cover_level_negative": ("a negative level", [[-1, 0, seed]]),
        "cover_level_float": ("a level that is no integer", [[1.5, 0, seed]]),
        "cover_position_too_high": ("level 3 has 8 positions", [[3, 8, seed]]),
        "cover_position_negative": ("a negative position", [[3, -1, seed]]),
        "cover_position_true": ("a boolean", [[3, True, seed]]),
        "cover_seed_15": ("a seed of 15 bytes", [[3, 1, seed[1:]]]),
        "cover_seed_17": ("a seed of 17 bytes", [[3, 1, seed + b"\0"]]),
        "cover_seed_text": ("a seed that is text", [[3, 1, "0123456789abcdef"]]),
        "cover_pair": ("a seed of two fields", [[3, 1]]),
        "cover_four": ("a seed of four fields", [[3, 1, seed, 0]]),
        "cover_twice": ("the same seed twice", [[3, 1, seed], [3, 1, seed]]),
        "cover_descending": ("seeds in descending order", [[3, 1, seed], [3, 0, seed]]),
        "cover_inside": ("a seed under another", [[3, 1, seed], [32, 2**29, seed]]),
        "cover_outside": ("a seed over another", [[32, 0, seed], [3, 0, seed]]),
        "cover_map": ("a map", {}),
        "cover_null": ("null", None),
    }
    return {
        stem: {
            "comment": comment,
            "expect": expect,
            "operation": "cover",
            "data": cbor2.dumps(value, canonical=True).hex(),
        }
        for group, expect in ((good, "success"), (bad, "malformed"))
        for stem, (comment, value) in group.items()
    }
