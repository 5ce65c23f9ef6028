import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.algorithm import Algorithm, HpkeKey
from ledger.errors import LedgerError, MalformedError, WrongPassphraseError
from ledger.hpke import HpkeUnwrapper, HpkeWrapper
from ledger.keys import (
    KeyStretch,
    NodeKeys,
    keys_from_file,
    keys_to_file,
    needs_passphrase,
)
from tests.ledger.world import Drbg, keys_of

CHEAP = KeyStretch(passes=1, lanes=1, memory_kib=8)
KEYS = keys_of("Ada")
MORE = keys_of("pq Ada")
PLAIN = keys_to_file(KEYS, None, Drbg("file"))
SEALED = keys_to_file(KEYS, "open sesame", Drbg("file"), CHEAP)


def is_same(one: NodeKeys, other: NodeKeys) -> bool:
    return one.card == other.card and all(
        mine.private_bytes_raw() == theirs.private_bytes_raw()
        for mine, theirs in ((one.signing, other.signing), (one.x25519, other.x25519))
    )


def test_without_a_passphrase_the_file_is_enough() -> None:
    assert not needs_passphrase(PLAIN)
    assert is_same(keys_from_file(PLAIN, None), KEYS)
    assert is_same(keys_from_file(PLAIN, "not asked for"), KEYS)


@pytest.mark.parametrize("passphrase", ["open sesame", "", "пароль 🔑", "bytes \udcff", "\ud800"])
def test_with_a_passphrase_it_takes_exactly_that_one(passphrase: str) -> None:
    data = keys_to_file(KEYS, passphrase, Drbg("file"), CHEAP)
    assert needs_passphrase(data)
    assert is_same(keys_from_file(data, passphrase), KEYS)
    for other in (passphrase + " ", passphrase.upper() + "x", "another"):
        with pytest.raises(WrongPassphraseError, match="wrong passphrase"):
            keys_from_file(data, other)
    with pytest.raises(WrongPassphraseError, match="PANNIER_PASSPHRASE"):
        keys_from_file(data, None)


def test_the_private_keys_cannot_be_seen_in_a_sealed_file() -> None:
    for secret in (KEYS.signing.private_bytes_raw(), KEYS.x25519.private_bytes_raw()):
        assert secret in PLAIN
        assert secret not in SEALED


@pytest.mark.parametrize("keys", [KEYS, MORE], ids=lambda one: one.name)
def test_no_secret_shows_where_keys_are_printed(keys: NodeKeys) -> None:
    more = keys.post_quantum.seeds() if keys.post_quantum else []
    shown = f"{keys!r} {keys} {keys.post_quantum!r} {keys.signer!r}"
    assert keys.name in shown
    for secret in (keys.signing.private_bytes_raw(), keys.x25519_secret, *more):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown


def test_two_files_of_the_same_keys_have_nothing_in_common() -> None:
    entropy = Drbg("file")
    one, other = (cbor2.loads(keys_to_file(KEYS, "p", entropy, CHEAP)) for _ in range(2))
    assert one[1] == other[1]
    for field in (2, 3, 4):
        assert one[field] != other[field]


def test_the_default_cost_is_that_of_rfc_9106() -> None:
    stretch = KeyStretch()
    assert (stretch.passes, stretch.lanes, stretch.memory_kib) == (3, 4, 65_536)


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_a_flipped_bit_in_a_sealed_file_is_an_error(position: int) -> None:
    flipped = bytearray(SEALED)
    flipped[position] ^= 1
    with pytest.raises((WrongPassphraseError, MalformedError)):
        keys_from_file(bytes(flipped), "open sesame")


HOSTILE = {
    "a gigabyte and more": [16, 16, (1 << 20) + 1],
    "all the memory there is": [1, 1, 2**63],
    "hours of passes": [2**32 - 1, 1, 64],
    "seventeen passes": [17, 1, 64],
    "seventeen lanes": [1, 17, 1024],
    "a million threads": [1, 2**20, 2**23],
    "no passes": [0, 1, 64],
    "no lanes": [1, 0, 64],
    "less memory than the lanes need": [1, 2, 15],
    "two parameters": [1, 1],
    "a float": [1, 1, 64.5],
    "a boolean": [True, 1, 64],
    "a negative number": [1, 1, -1],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_asks_for_too_much_is_refused_before_any_work(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> bytes:
        raise AssertionError("worked for a hostile file")

    monkeypatch.setattr(KeyStretch, "derive", work)
    data = cbor2.dumps([1, HOSTILE[what], bytes(16), bytes(12), bytes(80)], canonical=True)
    assert needs_passphrase(data)
    with pytest.raises(MalformedError):
        keys_from_file(data, "passphrase")


SECRET = cbor2.loads(PLAIN)[1]
ODD: dict[str, list[object]] = {
    "version 2": [2, SECRET],
    "version true": [True, SECRET],
    "three fields": [1, SECRET, b""],
    "no fields": [],
    "keys that are no bytes": [1, [1, 2]],
    "no key inside": [1, cbor2.dumps(["Ada"])],
    "a short key": [1, cbor2.dumps(["Ada", bytes(31), bytes(32)])],
    "one seed": [1, cbor2.dumps(["Ada", bytes(32), bytes(32), bytes(32)])],
    "a short seed": [1, cbor2.dumps(["Ada", bytes(32), bytes(32), bytes(31), bytes(32)])],
    "another short seed": [1, cbor2.dumps(["Ada", bytes(32), bytes(32), bytes(32), bytes(31)])],
    "a name that is none": [1, cbor2.dumps([7, bytes(32), bytes(32)])],
    "a short salt": [1, [1, 1, 8], bytes(15), bytes(12), bytes(80)],
    "a short nonce": [1, [1, 1, 8], bytes(16), bytes(11), bytes(80)],
    "nothing sealed": [1, [1, 1, 8], bytes(16), bytes(12), b""],
    "only a tag": [1, [1, 1, 8], bytes(16), bytes(12), bytes(16)],
    "sealed text": [1, [1, 1, 8], bytes(16), bytes(12), "text"],
    "too long": [1, bytes(5000)],
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_key_file_is_an_error_of_ours(what: str) -> None:
    with pytest.raises((MalformedError, WrongPassphraseError)):
        keys_from_file(cbor2.dumps(ODD[what]), "passphrase")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_file_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(LedgerError):
        keys_from_file(data, None)


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_keys_against_quantum_computers_are_kept_as_their_seeds(passphrase: str | None) -> None:
    data = keys_to_file(MORE, passphrase, Drbg("file"), CHEAP)
    read = keys_from_file(data, passphrase)
    assert read.card == MORE.card
    assert read.post_quantum is not None
    assert MORE.post_quantum is not None
    assert read.post_quantum.seeds() == MORE.post_quantum.seeds()
    for seed in MORE.post_quantum.seeds():
        assert (seed in data) == (passphrase is None)


def test_a_node_opens_and_signs_with_all_that_its_card_promises() -> None:
    for keys in (KEYS, MORE):
        stanza = HpkeWrapper().wrap(bytes(32), keys.card.hpke_key, b"info")
        assert keys.unwrapper().unwrap(stanza, b"info") == bytes(32)
        keys.card.verifier.verify(b"text", keys.signer.sign(b"text"))


def test_a_node_with_a_hybrid_key_opens_nothing_under_x25519_alone() -> None:
    weak = HpkeKey(Algorithm.X25519, MORE.card.x25519)
    stanza = HpkeWrapper().wrap(bytes(32), weak, b"info")
    assert HpkeUnwrapper(MORE.x25519).unwrap(stanza, b"info") == bytes(32)
    assert MORE.unwrapper().unwrap(stanza, b"info") is None


def test_more_keys_come_out_of_128_bytes_of_entropy() -> None:
    drawn: list[int] = []

    def entropy(count: int) -> bytes:
        drawn.append(count)
        return bytes([len(drawn)]) * count

    keys = NodeKeys.generate("Ada", entropy, post_quantum=True)
    assert drawn == [32, 32, 32, 32]
    assert keys.post_quantum is not None
    assert keys.post_quantum.seeds() == [bytes([3]) * 32, bytes([4]) * 32]


def test_keys_come_out_of_64_bytes_of_entropy() -> None:
    drawn: list[int] = []

    def entropy(count: int) -> bytes:
        drawn.append(count)
        return bytes([len(drawn)]) * count

    keys = NodeKeys.generate("Ada", entropy)
    assert drawn == [32, 32]
    assert keys.signing.private_bytes_raw() == bytes([1]) * 32
    assert keys.x25519.private_bytes_raw() == bytes([2]) * 32
    assert keys.card.author == keys.author
    assert keys.card == keys.card
