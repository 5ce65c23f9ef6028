"""Vectors of what a node says that it holds (docs/format.md section 5.6)."""

import struct
from hashlib import sha256

import cbor2

Case = dict[str, object]
Log = tuple[bytes, bytes, bytes, int, bytes, int]
"""Ledger, author, incarnation, size, start of the root, how many entries with all their files."""

LEDGER, AUTHOR, INCARNATION, ROOT = bytes(16), bytes([1]) * 32, bytes([2]) * 8, bytes([3]) * 16
SEEN, KEY = [bytes([4]) * 8, 700], bytes([5]) * 8
DIGEST = bytes([6]) * 8
HELD = [AUTHOR, INCARNATION, 12, ROOT]
LABEL = b"pannier have 1\0"


def digest(logs: list[Log], size_bytes: int) -> bytes:
    items = (
        ledger + author + incarnation + struct.pack("<Q", size) + root + struct.pack("<Q", files)
        for ledger, author, incarnation, size, root, files in logs
    )
    return sha256(LABEL + b"".join(sorted(items))).digest()[:size_bytes]


def bucket(log: Log, bits: int) -> int:
    name = sha256(b"".join(log[:3])).digest()
    return int(f"{int.from_bytes(name[:2], 'big'):016b}"[:bits] or "0", 2)


def some_logs(count: int) -> list[Log]:
    return [
        (
            bytes([number % 2]) * 16,
            sha256(b"author %d" % number).digest(),
            sha256(b"incarnation %d" % number).digest()[:8],
            number + 1,
            sha256(b"root %d" % number).digest()[:16],
            number if number % 3 == 0 else number + 1,
        )
        for number in range(count)
    ]


def _body(comment: str, expect: str, body: object) -> Case:
    return {"comment": comment, "expect": expect, "body": cbor2.dumps(body).hex()}


def _digest(comment: str, count: int, bits: int) -> Case:
    logs = some_logs(count)
    inside: dict[int, list[Log]] = {}
    for log in logs:
        inside.setdefault(bucket(log, bits), []).append(log)
    fields = [[part.hex() if isinstance(part, bytes) else part for part in log] for log in logs]
    return {
        "comment": comment,
        "expect": "success",
        "logs": fields,
        "digest": digest(logs, 8).hex(),
        "bits": bits,
        "buckets": [digest(inside.get(number, []), 6).hex() for number in range(1 << bits)],
    }


def cases() -> dict[str, Case]:
    ledgers = [[LEDGER, [HELD]]]
    ask = [2, bytes(24)]

    def good(comment: str, *body: object) -> Case:
        return _body(comment, "success", list(body))

    def bad(comment: str, *body: object) -> Case:
        return _body(comment, "malformed", list(body))

    return {
        "nothing": good("nothing was seen and nothing is held", None, [], []),
        "full": good("all that is held", SEEN, [KEY], ledgers),
        "answers": good("what was told last is known", SEEN, [KEY], ledgers, 3),
        "lacking": good(
            "content of a file that entry 7 names is not here",
            SEEN,
            [],
            [[LEDGER, [[*HELD, 7]]]],
        ),
        "difference": good("what changed", SEEN, [KEY], ledgers, 3, [DIGEST]),
        "gone": good(
            "a log that is held no more",
            SEEN,
            [],
            [[LEDGER, [[AUTHOR, INCARNATION, 0, bytes(16)]]]],
            3,
            [DIGEST],
        ),
        "buckets": good("all of two buckets of eight", SEEN, [], ledgers, 3, [DIGEST, 3, [0, 5]]),
        "asks": good("what is asked with all that is held", SEEN, [], ledgers, None, None, ask),
        "asks_one": good("one bucket is all", SEEN, [], [], None, None, [0, bytes(6)]),
        "ends_with_nothing": bad("a last item that is null", SEEN, [], ledgers, 3, None),
        "answers_the_unseen": bad("an answer to nobody", None, [], ledgers, 3),
        "answers_the_future": bad("before the first message", SEEN, [], ledgers, 701),
        "lacking_nothing": bad(
            "an entry that is not there lacks something", SEEN, [], [[LEDGER, [[*HELD, 12]]]]
        ),
        "held_of_6": bad("a log of six items", SEEN, [], [[LEDGER, [[*HELD, 7, 7]]]]),
        "digest_of_7": bad("a digest of 7 bytes", SEEN, [], ledgers, 3, [DIGEST[:7]]),
        "no_bucket": bad("buckets, and none of them", SEEN, [], ledgers, 3, [DIGEST, 3, []]),
        "bucket_8_of_8": bad("a ninth bucket of eight", SEEN, [], [], 3, [DIGEST, 3, [8]]),
        "buckets_twice": bad("a bucket twice", SEEN, [], [], 3, [DIGEST, 3, [5, 5]]),
        "buckets_of_2_15": bad("too many buckets", SEEN, [], [], 3, [DIGEST, 15, [5]]),
        "asks_too_little": bad("three of four buckets", SEEN, [], [], 3, None, [2, bytes(18)]),
        "seven_items": bad("seven items", SEEN, [], [], 3, None, ask, 1),
        "digest_0": _digest("no log", 0, 0),
        "digest_1": _digest("one log", 1, 0),
        "digest_9": _digest("nine logs in eight buckets", 9, 3),
    }
