"""Adversarial inputs by name, each with the error that refuses it: `tests.proving.corpus_run`.

All of them open under right keys, as if a member had made them: what is bounded is bounded against
those whom we believe most.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import zstandard

from bundler import items
from bundler.content import open_bundle
from bundler.entry_encodings import COLUMNAR, ROWS, decode_entries
from bundler.errors import ForgedError, LimitError, MalformedError
from bundler.fragment import Fragment, crc_check, fits, fragment_body, fragment_head
from bundler.head import Stamp, pairwise_head
from bundler.join import Joiner
from bundler.limits import DEFAULT_LIMITS, KIB, MIB
from bundler.log_section import LogSection
from bundler.number_columns import encode_numbers
from bundler.seal import directed_key, seal_shared
from bundler.sealed import Header, parse_sealed
from bundler.tail_model import decode_tail
from ledger import cbor
from ledger.errors import MalformedError as LedgerMalformedError
from ledger.genesis import Genesis
from ledger.merkle import MAX_PROOF_HASHES
from ledger.note import Checkpoint
from ledger.proof import Proof
from tests.fuzz.fuzz_content import _KEY, _ME, _PEER, _RING

_HEAD = pairwise_head(Stamp(incarnation=bytes(8), counter=1, time_us=0))
_LOG, _HAVE, _FORK, _WITNESS = 1, 2, 11, 12
_BUNDLE_ID = bytes(8)


@dataclass(frozen=True, slots=True)
class Attack:
    """What somebody may send.

    Attributes:
        make: Gives the bytes.
        read: Reads them as a node does.
        error: What it must say; None: it is read, but must cost no more than the others.
    """

    make: Callable[[], bytes]
    read: Callable[[bytes], object]
    error: type[Exception] | None


# -- how they are read ------------------------------------------------------------------------


def read_content(content: bytes) -> None:
    """Open a bundle with this content, and all that is in it."""
    key = directed_key(_KEY, sender=_PEER, recipient=_ME)
    opened = open_bundle(seal_shared(Header(4, 2400), key, content, bytes), _RING)
    for section in opened.sections():
        if isinstance(section, LogSection):
            decode_entries(section, [bytes(16)] * section.count)


def read_fragments(data: bytes) -> None:
    """Join what stands in a file, one fragment after another."""
    joiner, at, view = Joiner(_BUNDLE_ID), 0, memoryview(data)
    while at < len(data):
        fragment, at = Fragment.take(view, at, fits(crc_check), DEFAULT_LIMITS)
        joiner.receive(fragment)


def read_cbor(data: bytes) -> None:
    cbor.decode(data, limit_bytes=MIB)


def read_tail(data: bytes) -> None:
    decode_tail(data, 256, [bytes(16)] * 256, ())


# -- what they are made of --------------------------------------------------------------------


def section(kind: int, codec: int, body: bytes) -> bytes:
    return items.array_head(3) + items.uint(kind) + items.uint(codec) + items.byte_string(body)


def content(*sections: bytes) -> bytes:
    return _HEAD + b"".join(sections)


def zeros(size: int) -> bytes:
    """A zstd frame of so many zeros: a few kilobytes."""
    return zstandard.ZstdCompressor(level=1).compress(bytes(size))


def claiming(size: int, body: bytes = b"\x01\x00\x00") -> bytes:
    """A zstd frame whose head says that it holds *size* bytes, in one segment."""
    return b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size) + body


def log(
    count: int, encoding: int, entries: bytes, *, first: int = 0, cover: bytes = b"\x80"
) -> bytes:
    checkpoint = cbor.encode(Checkpoint(first + count, bytes(32), bytes(64)).to_cbor())
    fields = [
        *map(items.byte_string, (bytes(16), bytes(32), bytes(8))),
        *(items.uint(first), cover, checkpoint, items.uint(encoding), entries),
    ]
    return section(_LOG, 0, items.array_head(8) + b"".join(fields))


def numbers(*values: int) -> bytes:
    return b"".join(encode_numbers(values))


def columns(count: int, *, names: bytes, rest: bytes = b"") -> bytes:
    return log(count, COLUMNAR, names + rest)


def names(*texts: bytes, count: int) -> bytes:
    """Names of things or kinds: all entries are about the first."""
    lengths = numbers(*map(len, texts))
    return items.uint(len(texts)) + lengths + b"".join(texts) + numbers(*[0] * count)


def rows(count: int, shapes: list[bytes], row: bytes) -> bytes:
    """Entries in rows, all with the first of the shapes and the same row."""
    u32, u64 = struct.Struct("<I"), struct.Struct("<Q")

    def strings(texts: list[bytes], width: str) -> list[bytes]:
        return [b"".join(struct.pack(width, len(one)) for one in texts), b"".join(texts)]

    parts = [
        *(*strings([b"t"], "<H"), *strings([b""], "<H"), *strings(shapes, "<I"), b""),
        *(u32.pack(0) * count, u32.pack(0) * count, u32.pack(0) * count, u64.pack(0) * count),
        *(u32.pack(0) * count, b"", u32.pack(2) * count, u32.pack(len(row)) * count),
        *(row * count, b""),
    ]
    return log(count, ROWS, items.array_head(len(parts)) + b"".join(map(items.byte_string, parts)))


def seeds(count: int, *, level: int = 32, step: int = 1) -> bytes:
    head = items.array_head(count)
    return head + b"".join(
        cbor.encode([level, number * step, bytes(16)]) for number in range(count)
    )


def fragment(transfer: int, symbol: int, payload_id: int, symbols: bytes) -> bytes:
    body = fragment_body(fragment_head(_BUNDLE_ID, transfer, symbol), payload_id, symbols)
    return body + items.byte_string(crc_check(body))


def many_pools() -> bytes:
    """Fragments that each belong to a bundle of another size, all under one id."""
    return b"".join(fragment(8 * MIB + 8 * each, 8, 0, bytes(8)) for each in range(4000))


def long_keys() -> bytes:
    """A shape of long keys, which each of many short rows repeats."""
    keys = [f"{number:04}".encode() + b"k" * 1000 for number in range(100)]
    texts = [items.uint(len(key), 3) + key for key in keys]
    return rows(65_536, [items.array_head(len(texts)) + b"".join(texts)], b"\xf6" * len(texts))


def nested(head: bytes, depth: int) -> bytes:
    return head * depth + b"\xf6"


def holding(count: int, log: bytes) -> bytes:
    """A have section that says so many times that *log* is held."""
    body = b"\x83\xf6\x80\x81\x82\x50" + bytes(16) + items.array_head(count) + log * count
    return section(_HAVE, 0, body)


def _both(name: str, body: bytes, error: type[Exception]) -> Iterator[tuple[str, Attack]]:
    """The same as any CBOR item, and as sections that are nothing else."""
    yield f"cbor: {name}", Attack(partial(_same, body), read_cbor, LedgerMalformedError)
    for kind in (_HAVE, _WITNESS):
        made = content(section(kind, 0, body))
        yield f"section {kind}: {name}", Attack(partial(_same, made), read_content, error)


def attacks() -> dict[str, Attack]:
    """Return all attacks by name."""
    found = dict(_bombs())
    found |= dict(_lengths())
    found |= dict(_logs())
    found |= dict(_fragments())
    found |= dict(_proofs())
    return found


def _bombs() -> Iterator[tuple[str, Attack]]:
    """What grows when it is unpacked."""
    for name, body, error in (
        ("one byte beyond the largest section", zeros(32 * MIB + 1), LimitError),
        ("2^60 bytes by its head", claiming(2**60), LimitError),
        ("no size in its head", b"\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00", MalformedError),
        ("less in it than its head says", claiming(1000), MalformedError),
        ("another frame behind it", zeros(1000) + zeros(1000), MalformedError),
        ("a skippable frame", b"\x50\x2a\x4d\x18\xff\xff\xff\x7f", LimitError),
    ):
        made = content(section(_LOG, 1, body))
        yield f"zstd: {name}", Attack(partial(_same, made), read_content, error)
    window = b"\x28\xb5\x2f\xfd\xc0\xff" + struct.pack("<Q", 1000) + b"\x01\x00\x00"
    yield "zstd: a window of terabytes", _content(MalformedError, section(_LOG, 1, window))
    yield (
        "zstd: a small section that is large",
        _content(LimitError, section(_HAVE, 1, zeros(2 * MIB))),
    )
    yield (
        "zstd: a dictionary that never came",
        _content(MalformedError, section(_LOG, 2, zeros(1000))),
    )
    blob = section(7, 1, zeros(MIB))
    yield "zstd: contents of more than a gigabyte", _content(LimitError, *[blob] * 1100)
    yield (
        "sections: one more than there may be",
        _content(LimitError, *[b"\x83\x00\x00\x40"] * 4097),
    )
    yield "sections: unknown ones alone", _content(None, *[b"\x83\x18\x63\x00\x40"] * 4000)


def _lengths() -> Iterator[tuple[str, Attack]]:
    """What says that it is long, or deep."""
    for name, body in (
        ("2^60 items", b"\x9b" + (2**60).to_bytes(8, "big")),
        ("2^63 bytes", b"\x5b" + (2**63).to_bytes(8, "big")),
        ("2^63 letters", b"\x7b" + (2**63).to_bytes(8, "big")),
        ("2^60 pairs", b"\xbb" + (2**60).to_bytes(8, "big")),
        ("arrays in arrays", nested(b"\x81", 100_000)),
        ("maps in maps", nested(b"\xa1\x00", 100_000)),
        ("tags on tags", nested(b"\xd2", 100_000)),
        ("a key twice", b"\xa2\x00\x01\x00\x02"),
        ("a length of no end", b"\x9f" + b"\x00" * 1000),
        ("a number written long", b"\x1b" + bytes(8)),
    ):
        yield from _both(name, body, MalformedError)
    empty = b"\x9a\x00\x0f\xff\xf0" + b"\x80" * 0xFFFF0
    yield "cbor: a million empty arrays", Attack(partial(_same, empty), read_cbor, None)
    yield "have: a million empty arrays", _content(MalformedError, section(_HAVE, 0, empty))
    yield "have: a log of no fields", _content(MalformedError, holding(1, b"\x80"))
    held = cbor.encode([bytes(32), bytes(8), 1, bytes(16)])
    yield "have: as many logs as fit", _content(None, holding(16_000, held))


def _logs() -> Iterator[tuple[str, Attack]]:
    """Log sections of which little stands for much."""
    yield "log: 2^32 entries", _content(LimitError, log(2**32, ROWS, b"\x80"))
    yield "log: none", _content(LimitError, log(0, ROWS, b"\x80"))
    yield (
        "log: too many seeds",
        _content(LimitError, log(1, ROWS, b"\x80", cover=seeds(65_536))),
    )
    yield (
        "log: seeds of a part",
        _content(MalformedError, log(1, ROWS, b"\x80", cover=seeds(1, level=1))),
    )
    yield "rows: keys that repeat a hundredfold", _content(LimitError, long_keys())
    yield (
        "rows: a shape of a million keys",
        _content(LimitError, rows(1, [b"\x9a\x00\x10\x00\x00" + b"\x60" * 2**20], b"\xf6")),
    )
    yield (
        "columns: 2^60 names",
        _content(LimitError, columns(9, names=b"\x1b" + (2**60).to_bytes(8, "big"))),
    )
    yield (
        "columns: a name of 2^60 bytes",
        _content(MalformedError, columns(1, names=b"\x01" + numbers(2**60))),
    )
    yield (
        "columns: a negative length",
        _content(MalformedError, columns(1, names=b"\x01" + numbers(-1))),
    )
    yield (
        "columns: numbers that grow out of 64 bits",
        _content(
            MalformedError,
            columns(
                65_536, names=b"\x01" + numbers(1) + b"t" + b"\x02" + b"\x1b" + b"\x7f" * 8 * 3
            ),
        ),
    )
    yield (
        "columns: entries of one byte all told",
        _content(MalformedError, columns(65_536, names=names(b"t", count=65_536))),
    )
    yield "tail: nothing stands for thousands", Attack(lambda: b"", read_tail, MalformedError)


def _fragments() -> Iterator[tuple[str, Attack]]:
    """Geometries at which the library ends the process, or takes memory."""
    for name, error, transfer, symbol, payload_id, length in (
        ("of no bytes", MalformedError, 0, 8, 0, 8),
        ("of 2^63 - 1 bytes", LimitError, 2**63 - 1, 8, 0, 8),
        ("of 2^40 bytes", LimitError, 2**40, 1024, 0, 1024),
        ("one byte beyond the largest", LimitError, 16 * MIB + 1, 1024, 0, 1024),
        ("symbols of no bytes", MalformedError, 1000, 0, 0, 8),
        ("symbols of 9 bytes", MalformedError, 1000, 9, 0, 9),
        ("symbols of 2^40 bytes", LimitError, 1000, 2**40, 0, 8),
        ("a block that is none", MalformedError, 1000, 8, 255 << 24, 8),
        ("a symbol cut short", MalformedError, 1000, 64, 0, 7),
        ("a payload id of 2^60", LimitError, 1000, 8, 2**60, 8),
    ):
        made = (transfer, symbol, payload_id, bytes(min(length, 64 * KIB)))
        read = Attack(partial(fragment, *made), read_fragments, error)
        yield f"fragment: {name}", read
    yield "fragments: thousands of sizes under one id", Attack(many_pools, read_fragments, None)
    yield (
        "fragment: a check that fits nothing",
        Attack(lambda: fragment(1000, 8, 0, bytes(8))[:-1] + b"\0", read_fragments, ForgedError),
    )
    yield (
        "bundle: more recipients than there may be",
        Attack(
            lambda: (
                items.array_head(6)
                + b"\x01\x04\x19\x09\x60"
                + items.array_head(65)
                + items.byte_string(bytes(80)) * 65
                + items.byte_string(bytes(16)) * 2
            ),
            parse_sealed,
            LimitError,
        ),
    )


def _proofs() -> Iterator[tuple[str, Attack]]:
    """Proofs that are longer than any."""
    half = [[1, bytes(32), bytes(64)], bytes(32), [bytes(32)] * (MAX_PROOF_HASHES + 1)]
    fork = cbor.encode([bytes(16), bytes(32), bytes(8), [0, *half, *half]])
    yield "fork: a proof of too many hashes", _content(None, section(_FORK, 0, fork))
    yield (
        "proof file: nothing but length",
        Attack(
            lambda: b"\x8a\x01" + b"\x5a\x00\x20\x00\x00" + bytes(2 * MIB),
            Proof.from_bytes,
            LedgerMalformedError,
        ),
    )
    yield (
        "genesis: a card a thousand times",
        Attack(
            lambda: cbor.encode([1, "a", [bytes(100)] * 1000, 0, bytes(16), []]),
            Genesis.from_bytes,
            LedgerMalformedError,
        ),
    )


def _same(data: bytes) -> bytes:
    return data


def _content(error: type[Exception] | None, *sections: bytes) -> Attack:
    return Attack(lambda: content(*sections), read_content, error)
