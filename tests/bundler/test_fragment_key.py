import random

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bundler.errors import BundleError, ForgedError, MalformedError
from bundler.fragment import Check, Fragment, crc_check, fits, mac_check
from bundler.fragment_key import agree, fragment_key, group_fragment_key
from bundler.hint import group_hint_key, hint_key
from bundler.items import byte_string
from bundler.join import Complete, Joiner, NeedMore
from bundler.sealed import bundle_id
from bundler.split import Cut, split
from tests.vectors import load

VECTORS = load("fragment_key")
SEALED = random.Random(1).randbytes(2000)
KEY = bytes(range(32))


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    own = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["own_hpke_private"]))
    other = bytes.fromhex(case["other_hpke_public"])
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            agree(own, other)
        return
    if "epoch_key" in case:
        epoch_key = bytes.fromhex(case["epoch_key"])
        keys = group_fragment_key(epoch_key), group_hint_key(epoch_key)
    else:
        secret = agree(own, other)
        way = {name: bytes.fromhex(case[name]) for name in ("sender", "recipient")}
        keys = fragment_key(secret, **way), hint_key(secret, **way)
    assert keys == (bytes.fromhex(case["fragment_key"]), bytes.fromhex(case["hint_key"]))
    data = bytes.fromhex(case["fragment"])
    assert Fragment.from_bytes(data, fits(mac_check(keys[0]))).to_bytes() == data


def test_both_sides_get_the_same_key_and_each_direction_its_own() -> None:
    one, two = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
    mine = agree(one, two.public_key().public_bytes_raw())
    theirs = agree(two, one.public_key().public_bytes_raw())
    there = {"sender": bytes(32), "recipient": bytes([1]) * 32}
    back = {"sender": bytes([1]) * 32, "recipient": bytes(32)}
    assert fragment_key(mine, **there) == fragment_key(theirs, **there)
    assert (
        len({fragment_key(mine, **there), fragment_key(mine, **back), hint_key(mine, **there)}) == 3
    )


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(MalformedError):
        agree(X25519PrivateKey.from_private_bytes(bytes(32)), b"short")


def test_a_thousand_forged_frames_a_genuine_one_on_a_line_cost_nothing_but_a_look() -> None:
    """In any order, with headers of genuine ones: the last genuine symbol completes the bundle."""
    rng = random.Random(2)
    genuine = list(split(SEALED, Cut(mtu_bytes=300, check=mac_check(KEY))))
    forged = [_forged(rng.choice(genuine), rng) for _ in range(1000 * len(genuine))]
    line = [*((frame, True) for frame in genuine), *((frame, False) for frame in forged)]
    rng.shuffle(line)
    joiner, verify = Joiner(bundle_id(SEALED)), fits(mac_check(KEY))
    left, thrown_away = len(genuine), 0
    for frame, is_genuine in line:
        try:
            fragment = Fragment.from_bytes(frame, verify)
        except BundleError:
            assert not is_genuine
            thrown_away += 1
            continue
        assert is_genuine
        left -= 1
        answer = joiner.receive(fragment)
        assert isinstance(answer, NeedMore if left else Complete)
    assert answer == Complete(SEALED)
    assert (left, thrown_away) == (0, 1000 * len(genuine))


@pytest.mark.parametrize(
    "field", ["bundle_id", "transfer_bytes", "symbol_bytes", "payload_id", "symbols", "check"]
)
def test_any_altered_field_is_noticed(field: str) -> None:
    frame = next(iter(split(SEALED, Cut(mtu_bytes=300, check=mac_check(KEY)))))
    good = Fragment.from_bytes(frame, fits(mac_check(KEY)))
    other = {
        "bundle_id": bytes(8),
        "transfer_bytes": good.transfer_bytes - 1,
        "symbol_bytes": good.symbol_bytes - 8,
        "payload_id": good.payload_id + 1,
        "symbols": bytes(good.symbols)[:-1] + bytes([good.symbols[-1] ^ 1]),
        "check": good.check[:-1] + bytes([good.check[-1] ^ 1]),
    }[field]
    altered = Fragment(
        **{name: getattr(good, name) for name in good.__slots__} | {field: other}
    ).to_bytes()
    with pytest.raises(ForgedError):
        Fragment.from_bytes(altered, fits(mac_check(KEY)))


def _forged(frame: bytes, rng: random.Random) -> bytes:
    """A frame of the same bundle by somebody without the key."""
    part = Fragment.from_bytes(frame, fits(mac_check(KEY)))
    checks: list[Check] = [crc_check, mac_check(rng.randbytes(32)), lambda *_: rng.randbytes(8)]
    body = frame[:-9]
    if rng.random() < 0.9:
        symbols = bytes(part.symbols)
        body = body[: -len(symbols)] + rng.randbytes(len(symbols))
    return body + byte_string(rng.choice(checks)(body))
