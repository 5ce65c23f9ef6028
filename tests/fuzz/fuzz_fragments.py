"""What lies in a file of fragments, up to the bundle that they make.

The checks are set right, as whoever forges fragments would do.
"""

from collections.abc import Iterator

from bundler.fragment import Fragment, crc_check
from bundler.sealed import bundle_id
from bundler.sequence import BadFragment, parse_sequence, sift
from pannier.joining import join
from tests.fuzz.harness import Target
from tests.vectors import load


def take(data: bytes) -> None:
    at = 0
    numbers = []
    mended = []
    for part in parse_sequence(data, lambda _body, _check: True):
        if isinstance(part, BadFragment):
            assert part.offset == at
            at += part.length
            continue
        encoded = part.to_bytes()
        assert data[at : at + len(encoded)] == encoded
        at += len(encoded)
        numbers.append(part.bundle_id)
        mended.append(_mended(part))
    assert at == len(data)
    if numbers:
        _join(numbers[0], b"".join(mended))


def _join(number: bytes, sequence: bytes) -> None:
    sifted = sift(sequence, number, lambda body, check: crc_check(body) == check)
    joined = join(number, lambda: [sifted.genuine, sequence])
    assert not isinstance(joined, bytes) or bundle_id(joined) == number


def _mended(part: Fragment) -> bytes:
    encoded = part.to_bytes()
    body = encoded[: len(encoded) - 1 - len(part.check)]
    return body + b"\x44" + crc_check(body)


def seeds() -> Iterator[bytes]:
    for vector in load("join").values():
        yield b"".join(bytes.fromhex(part) for part in vector["fragments"])
    for vector in load("fragment").values():
        yield bytes.fromhex(vector["data"])


TARGET = Target(take, (), seeds, longest=512)
