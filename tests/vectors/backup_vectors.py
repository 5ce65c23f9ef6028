"""Vectors of backups, straight from docs/format.md section 9.4."""

import struct
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from tests.vectors.rest_vectors import REST_KEY, hkdf

Case = dict[str, object]
SALT = bytes(range(16))
LEDGER_KEY = sha256(b"the key of a ledger file").digest()
FILE = b"SQLite format 3\0 and so on"
COST = (1, 1, 8)
PASSPHRASE = "correct horse"


def stream(key: bytes, content: bytes) -> bytes:
    """Encrypt a content that is one chunk."""
    assert len(content) <= 65536
    return AESGCM(key).encrypt(bytes(11) + b"\1", content, None)


def backup_bytes(secret: bytes, cost: tuple[int, int, int], content: bytes) -> bytes:
    bound = struct.pack("<HHI", *cost) + SALT
    commitment = hkdf(secret, b"pannier backup commitment 1\0" + bound)[:16]
    key = hkdf(secret, b"pannier backup 1\0" + bound)
    return b"pannier backup 1\n" + bound + commitment + stream(key, content)


def under_passphrase(content: bytes = LEDGER_KEY + FILE) -> bytes:
    passes, lanes, memory = COST
    kdf = Argon2id(salt=SALT, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    return backup_bytes(kdf.derive(PASSPHRASE.encode()), COST, content)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def cases() -> dict[str, Case]:
    good = under_passphrase()
    own = backup_bytes(REST_KEY, (0, 0, 0), LEDGER_KEY + FILE)
    head = len(good) - len(LEDGER_KEY + FILE) - 16
    altered = {
        "other_magic": ("no backup", b"P" + good[1:]),
        "version_2": ("of a later version", good.replace(b"backup 1", b"backup 2")),
        "costly": ("asks for 17 passes", good[:17] + b"\x11\0" + good[19:]),
        "cut_head": ("cut off in its head", good[: head - 1]),
        "cut": ("cut off by one byte", good[:-1]),
        "without_end": ("cut off after its head", good[:head]),
        "longer": ("one byte more", good + b"\0"),
        "flipped": ("a bit of the ciphertext flipped", flipped(good, head + 3)),
        "short": ("too short for a key", under_passphrase(bytes(31))),
    }
    refused = {
        "commitment": ("another commitment, as by a wrong passphrase", flipped(good, head - 1)),
        "salt": ("another salt", flipped(good, 25)),
        "other_node": ("under the keys of another node", backup_bytes(bytes(32), (0, 0, 0), FILE)),
    }
    return {
        "passphrase": _case("under a passphrase", "success", good),
        "node_key": _case("under the keys of its node", "success", own),
        **{stem: _case(why, "malformed", data) for stem, (why, data) in altered.items()},
        **{stem: _case(why, "refused", data) for stem, (why, data) in refused.items()},
    }


def _case(comment: str, expect: str, backup: bytes) -> Case:
    case: Case = {
        "comment": comment,
        "expect": expect,
        "passphrase": PASSPHRASE,
        "rest_key": REST_KEY.hex(),
        "backup": backup.hex(),
    }
    return case | (
        {"ledger_key": LEDGER_KEY.hex(), "file": FILE.hex()} if expect == "success" else {}
    )
