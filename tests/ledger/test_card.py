import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.algorithm import Algorithm, label_of
from ledger.card import MAX_NAME_CHARACTERS, TEXT_PREFIX, Card, check_name, node_id
from ledger.errors import LedgerError, MalformedError, UnverifiedError
from ledger.signing import Verifier
from tests.ledger.world import keys_of
from tests.vectors import load

VECTORS = load("card")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
CARD = keys_of("Ada").card
TEXT = CARD.to_text()


def read(vector: dict[str, str]) -> Card:
    if "data" in vector:
        return Card.from_bytes(bytes.fromhex(vector["data"]))
    return Card.from_text(vector["text"])


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    if vector["expect"] != "success":
        with pytest.raises(FAILURES[vector["expect"]]):
            read(vector)
        return
    card = read(vector)
    assert card.to_bytes().hex() == vector["data"]
    assert card.to_text() == vector["text"]
    assert Card.from_text(vector["text"]) == card
    assert card.name == vector["name"]
    assert card.author.hex() == vector["author"]
    assert card.node_id == node_id(card.author) == vector["node_id"]
    assert card.fingerprint == vector["fingerprint"]


def test_an_altered_character_is_an_error_wherever_it_is() -> None:
    for position, char in enumerate(TEXT):
        other = BASE32[(BASE32.find(char) + 1) % 32]
        with pytest.raises(LedgerError):
            Card.from_text(TEXT[:position] + other + TEXT[position + 1 :])


def test_every_other_last_letter_is_an_error() -> None:
    for last in BASE32.replace(TEXT[-1], ""):
        with pytest.raises(LedgerError):
            Card.from_text(TEXT[:-1] + last)


def test_a_flipped_bit_is_an_error_wherever_it_is() -> None:
    data = CARD.to_bytes()
    for position in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(LedgerError):
            Card.from_bytes(bytes(flipped))


@given(st.lists(st.integers(0, len(TEXT)), max_size=20), st.sampled_from(" \n\t\r\u00a0\u2003"))
def test_white_space_and_letter_case_do_not_matter(places: list[int], space: str) -> None:
    text = TEXT.swapcase()
    for place in sorted(places, reverse=True):
        text = text[:place] + space + text[place:]
    assert Card.from_text(text) == CARD


@given(st.text(max_size=40))
def test_any_text_is_a_card_or_an_error_of_ours(text: str) -> None:
    for one in (text, TEXT_PREFIX + text):
        with pytest.raises(LedgerError):
            Card.from_text(one)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_card_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(LedgerError):
        Card.from_bytes(data)


def test_the_name_of_a_card_is_checked_when_it_is_signed() -> None:
    keys = keys_of("Ada")
    with pytest.raises(MalformedError, match="slash"):
        Card.sign(keys.signing, name="a/b", keys=CARD.keys)


def test_a_name_may_hold_any_character_but_those_that_break_lines_and_paths() -> None:
    forbidden = [*range(32), *range(127, 160), ord("/"), 0x2028, 0x2029]
    refused = []
    for number in range(0x3000):
        try:
            check_name(f"a{chr(number)}b")
        except MalformedError:
            refused.append(number)
    assert refused == sorted(forbidden)


def test_a_name_has_1_to_64_characters() -> None:
    assert check_name("🫨" * MAX_NAME_CHARACTERS)
    for name in ("", "n" * (MAX_NAME_CHARACTERS + 1)):
        with pytest.raises(MalformedError, match="ledger name has 1 to 64"):
            check_name(name, "ledger name")


def test_an_unknown_suite_is_kept_and_not_used() -> None:
    vector = VECTORS["suites_4"]
    card = Card.from_bytes(bytes.fromhex(vector["data"]))
    assert [number for number, _ in card.keys] == [1, 2, 3, 4]
    assert card.algorithms == {1, 2, 3, 4}
    with pytest.raises(MalformedError, match="no X25519 key"):
        _ = card.x25519
    with pytest.raises(MalformedError, match="no key in the card of Ada is known"):
        _ = card.hpke_key
    assert CARD.x25519 == keys_of("Ada").x25519.public_key().public_bytes_raw()


def test_what_is_sealed_for_a_card_is_sealed_under_its_strongest_key() -> None:
    assert CARD.hpke_key == (Algorithm.X25519, CARD.x25519)
    card = keys_of("pq").card
    assert card.algorithms == set(Algorithm)
    assert card.hpke_key == (Algorithm.MLKEM768_X25519, dict(card.keys)[0x647A])
    assert card.x25519 == keys_of("pq").x25519.public_key().public_bytes_raw()


def test_a_card_says_whether_its_author_signs_twice() -> None:
    assert CARD.verifier == Verifier(CARD.author)
    card = keys_of("pq").card
    assert card.verifier == Verifier(card.author, frozenset({dict(card.keys)[0x0904]}))
    assert card.verifier == keys_of("pq").signer.verifier


def test_algorithms_have_names_for_people_also_unknown_ones() -> None:
    names = [label_of(number) for number in (0x20, 0x904, 0x647A, 0x7FFF)]
    assert names == ["X25519", "ML-DSA-44", "MLKEM768-X25519", "0x7fff"]
