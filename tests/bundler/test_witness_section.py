import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, MalformedError
from bundler.limits import DEFAULT_LIMITS, Limits
from bundler.sections import decode_sections, encode_section
from bundler.witness_section import LedgerWitness, WitnessedLog, WitnessSection
from ledger.genesis import LedgerId
from ledger.note import Checkpoint
from ledger.witness import Cosignature, Witnessed

FIXED = {size: st.binary(min_size=size, max_size=size) for size in (8, 16, 32, 64)}
COSIGNATURES = st.builds(Cosignature, FIXED[32], st.integers(0, 2**64 - 1), FIXED[64])
WITNESSED = st.builds(
    Witnessed,
    st.builds(Checkpoint, st.integers(0, 2**32), FIXED[32], FIXED[64]),
    st.lists(COSIGNATURES, max_size=4, unique_by=lambda one: one.witness).map(
        lambda found: tuple(sorted(found, key=lambda one: one.witness))
    ),
)
LOGS = st.lists(st.builds(WitnessedLog, FIXED[32], FIXED[8], WITNESSED), max_size=3).map(tuple)
LEDGERS = st.lists(st.builds(LedgerWitness, FIXED[16].map(LedgerId), LOGS), max_size=3).map(tuple)


@given(LEDGERS)
def test_it_comes_back_as_it_was(ledgers: tuple[LedgerWitness, ...]) -> None:
    section = WitnessSection(ledgers=ledgers)
    assert list(decode_sections(encode_section(section))) == [section]


@given(st.binary(max_size=100))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    try:
        assert WitnessSection.from_body(data, limits=DEFAULT_LIMITS).to_body() == data
    except BundleError:
        pass


GOOD = [bytes(32), bytes(8), [5, bytes(32), bytes(64)], [[bytes(32), 7, bytes(64)]]]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [[bytes(15), [GOOD]]],
        [[bytes(16)]],
        [[bytes(16), GOOD]],
        [[bytes(16), [GOOD[:3]]]],
        [[bytes(16), [[bytes(31), *GOOD[1:]]]]],
        [[bytes(16), [[GOOD[0], bytes(9), *GOOD[2:]]]]],
        [[bytes(16), [[*GOOD[:3], [[bytes(32), 7]]]]]],
        [[bytes(16), [[*GOOD[:3], [[bytes(32), 7, bytes(64)]] * 2]]]],
        [[bytes(16), [[*GOOD[:2], [2**32 + 1, bytes(32), bytes(64)], []]]]],
    ],
    ids=str,
)
def test_what_is_not_a_witness_section_is_refused(body: object) -> None:
    good = cbor2.dumps([[bytes(16), [GOOD]]])
    assert WitnessSection.from_body(good, limits=DEFAULT_LIMITS).to_body() == good
    with pytest.raises(MalformedError):
        WitnessSection.from_body(cbor2.dumps(body), limits=DEFAULT_LIMITS)


def test_one_that_is_too_long_is_refused() -> None:
    body = cbor2.dumps([[bytes(16), [GOOD] * 3]])
    with pytest.raises(MalformedError):
        WitnessSection.from_body(body, limits=Limits(small_section_bytes=len(body) - 1))
