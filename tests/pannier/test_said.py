from dataclasses import replace

from ledger.data import payload_from_value, value_from_payload
from ledger.entry import Entry
from ledger.file_payload import file_of
from ledger.genesis import Term
from ledger.hpke import HpkeWrapper
from ledger.sealed_entry import Place, SealedPayload, seal_payload
from pannier.said import Said, said_by
from tests.ledger.world import NOW, Drbg, genesis_of, keys_of
from tests.vectors import load

ADA, BEN = keys_of("ada"), keys_of("ben")
GENESIS = genesis_of("ada")
CENTRALIZED = replace(GENESIS, terms=frozenset({Term.CENTRALIZED}))
DEVICE = bytes.fromhex(load("on_behalf")["number"]["payload"])


def entry(payload: bytes | None) -> Entry:
    return Entry("x", "", 0, NOW, (), bytes(32), payload)


def sealed(payload: bytes) -> SealedPayload:
    place = Place(GENESIS.ledger_id, ADA.author, "x")
    return seal_payload(payload, place, [BEN.card.hpke_key], HpkeWrapper(), Drbg("content key"))


def read(payload: bytes | None) -> Said:
    """Return what Ada says to Ben."""
    return said_by(GENESIS, ADA.author, entry(payload), BEN.unwrapper())


def test_plain_data() -> None:
    assert read(payload_from_value({"a": 1})) == Said(value={"a": 1})


def test_sealed_data() -> None:
    payload = sealed(b"\x01").to_payload()
    assert read(payload) == Said(value=1, is_sealed=True)
    closed = Said(is_sealed=True, obstacle="sealed for others")
    assert said_by(GENESIS, ADA.author, entry(payload), ADA.unwrapper()) == closed
    assert said_by(GENESIS, ADA.author, entry(payload), None) == closed
    assert said_by(GENESIS, BEN.author, entry(payload), BEN.unwrapper()) == closed


def test_what_an_author_spoiled_is_said() -> None:
    one = sealed(b"\x01")
    said = read(replace(one, ciphertext=bytes(len(one.ciphertext))).to_payload())
    obstacle = "its author spoiled what is sealed: it opens for nobody"
    assert said == Said(is_sealed=True, obstacle=obstacle)


def test_sealed_twice_is_a_form_that_nobody_opens() -> None:
    said = read(sealed(sealed(b"\x01").to_payload()).to_payload())
    assert said == Said(is_sealed=True, obstacle="of a form that is not known here")


def test_a_device_speaks_only_where_the_genesis_says_so() -> None:
    assert read(DEVICE) == Said(obstacle="of a form that is not known here")
    device = Said(value=0.5, device="sensor-7")
    assert said_by(CENTRALIZED, ADA.author, entry(DEVICE), None) == device


def test_other_maps_with_numbers_as_keys_are_no_data() -> None:
    for payload in (b"\xa1\x05\x01", b"\xa2\x03\x01\x04\x02"):
        said = said_by(CENTRALIZED, ADA.author, entry(payload), None)
        assert said == Said(obstacle="of a form that is not known here")
    assert value_from_payload(b"\xa0") == {}
    assert read(b"\xa0") == Said(value={})


def test_a_payload_that_was_left_out_is_said() -> None:
    assert read(None).obstacle == "left out of this copy"


def test_a_file_is_no_data_and_neither_sealed_nor_of_a_device() -> None:
    file = file_of(1, [bytes(32)], executable=True)
    assert read(file.to_payload()) == Said(file=file)
    assert read(sealed(file.to_payload()).to_payload()).file is None
