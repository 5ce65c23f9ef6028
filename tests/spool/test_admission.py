from hypothesis import given
from hypothesis import strategies as st

from spool.admission import Admission
from spool.delivery import Delivery, StoredDelivery
from spool.file_system import footprint_bytes
from spool.name import UNKNOWN_PEER
from spool.quotas import Quotas
from tests.spool.samples import ANNE, BEA, STICK, fragment

QUOTAS = Quotas(inbox_bytes=4 * 4096, inbox_unknown_bytes=4096)


def delivery(number: int, *, priority: int = 3, peer: str = ANNE, data: bytes = b"x") -> Delivery:
    return Delivery(fragment(number, priority=priority), peer, STICK, data)


def full(priority: int = 3) -> Admission:
    admission = Admission(QUOTAS)
    for number in range(4):
        admission.count(StoredDelivery.of(delivery(number, priority=priority)), 1)
    return admission


def test_an_equal_newcomer_is_refused() -> None:
    admission = full()
    admission.ask(delivery(9))
    assert admission.receipt().refused == (f"{9:016x}",)
    assert not admission.admitted
    assert not admission.dropped


def test_the_less_urgent_gives_way_whole() -> None:
    admission = Admission(QUOTAS)
    parts = [delivery(1, priority=4), delivery(2, priority=5), delivery(3, priority=3),
             delivery(2, priority=5, data=b"more")]  # fmt: skip
    for part in parts:
        admission.count(StoredDelivery.of(part), 1)
    admission.ask(delivery(9, priority=2))
    assert [stored.bundle_id for stored in admission.admitted] == [f"{9:016x}"]
    assert admission.dropped == [StoredDelivery.of(parts[1]), StoredDelivery.of(parts[3])]
    assert admission.receipt().gave_way == (f"{2:016x}",)


def test_nothing_gives_way_for_what_does_not_fit_even_so() -> None:
    admission = full(priority=5)
    admission.ask(delivery(9, priority=0, data=bytes(5 * 4096)))
    assert admission.receipt().refused == (f"{9:016x}",)
    assert not admission.dropped


def test_the_same_twice_is_written_once() -> None:
    admission = Admission(QUOTAS)
    admission.ask(delivery(1))
    admission.ask(delivery(1)._replace(source="other"))
    assert len(admission.admitted) == 1
    assert admission.receipt().stored == (f"{1:016x}",) * 2


def test_peers_do_not_touch_each_other_and_the_unknown_share_little() -> None:
    admission = full(priority=7)
    admission.ask(delivery(9, priority=0, peer=BEA))
    admission.ask(delivery(10, peer=UNKNOWN_PEER))
    admission.ask(delivery(11, peer=UNKNOWN_PEER))
    assert not admission.dropped
    assert admission.receipt().stored == (f"{9:016x}", f"{10:016x}")
    assert admission.receipt().refused == (f"{11:016x}",)


def test_what_was_just_admitted_may_give_way_in_the_same_group() -> None:
    admission = Admission(Quotas(inbox_bytes=4096))
    admission.ask(delivery(1, priority=5))
    admission.ask(delivery(2, priority=1))
    admission.ask(delivery(3, priority=0, data=bytes(5000)))
    admission.ask(delivery(2, priority=1, data=b"more"))
    assert [stored.bundle_id for stored in admission.admitted] == [f"{2:016x}"]
    assert admission.receipt().stored == (f"{2:016x}",)
    assert admission.receipt().gave_way == (f"{1:016x}",)
    assert admission.receipt().refused == (f"{3:016x}", f"{2:016x}")
    assert not admission.dropped


def test_the_room_of_what_gave_way_is_free_again() -> None:
    admission = full(priority=7)
    admission.ask(delivery(9, priority=0, data=bytes(4 * 4096)))
    admission.ask(delivery(9, priority=0, data=b"no more"))
    assert len(admission.dropped) == 4
    assert admission.receipt().stored == (f"{9:016x}",)
    admission = Admission(QUOTAS)
    admission.ask(delivery(1, priority=7, data=bytes(4 * 4096)))
    admission.ask(delivery(2, priority=0))
    admission.ask(delivery(3, priority=7))
    assert admission.receipt().stored == (f"{2:016x}", f"{3:016x}")


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 7), st.sampled_from([ANNE, BEA]),
                  st.integers(0, 9000)),
        max_size=40,
    )
)  # fmt: skip
def test_no_peer_is_ever_over_its_quota(asked: list[tuple[int, int, str, int]]) -> None:
    admission = Admission(QUOTAS)
    for number, priority, peer, size in asked:
        admission.ask(delivery(number, priority=priority, peer=peer, data=bytes(size)))
    for peer in (ANNE, BEA):
        used = sum(
            footprint_bytes(len(data))
            for stored, data in admission.admitted.items()
            if stored.peer == peer
        )
        assert used <= QUOTAS.inbox_bytes
    receipt = admission.receipt()
    assert {stored.bundle_id for stored in admission.admitted} <= set(receipt.stored)
