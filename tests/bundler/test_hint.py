import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bundler.errors import MalformedError
from bundler.fragment_key import agree
from bundler.hint import hint, hint_key
from tests.vectors import load

VECTORS = load("name")


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    own = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["own_hpke_private"]))
    other = bytes.fromhex(case["other_hpke_public"])
    sender, recipient = bytes.fromhex(case["sender"]), bytes.fromhex(case["recipient"])
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            agree(own, other)
    else:
        key = hint_key(agree(own, other), sender=sender, recipient=recipient)
        assert hint(key, bytes.fromhex(case["bundle_id"])).hex() == case["hint"]
        assert case["name"].split("-")[1] == case["hint"]


def test_both_sides_see_the_same_hint() -> None:
    one, two = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
    there = {"sender": bytes(32), "recipient": bytes([1]) * 32}
    mine = hint_key(agree(one, two.public_key().public_bytes_raw()), **there)
    theirs = hint_key(agree(two, one.public_key().public_bytes_raw()), **there)
    assert mine == theirs
    assert hint(mine, bytes(8)) != hint(mine, bytes([1]) * 8)
