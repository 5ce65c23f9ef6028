"""What every transport must do, whatever moves the files.

A test class gives the fixture `carrier`: an object that lets a toy node meet the medium or link,
as often as it likes, so that whatever one node delivers another can collect.
"""

from collections.abc import Sequence
from typing import Protocol

from spool.quotas import Quotas
from tests.faults import MemoryFileSystem
from tests.transports.toy import ToyNode, node_id
from transports.report import Collected, Delivered


class Carrier(Protocol):
    def collect(self, node: ToyNode, *, today_days: int = 50) -> Collected: ...

    def deliver(self, node: ToyNode, peers: Sequence[str]) -> Delivered: ...


def node(number: int, quotas: Quotas | None = None) -> ToyNode:
    return ToyNode(number, MemoryFileSystem(), quotas)


class TransportContract:
    def test_what_one_delivers_the_other_collects(self, carrier: Carrier) -> None:
        anne, bea = node(1), node(2)
        name = anne.queue(2, b"hello")
        assert carrier.deliver(anne, [node_id(2)]).written == ((node_id(2), name),)
        assert carrier.collect(bea).received == ((node_id(1), name.bundle_id),)
        bea.merge()
        assert bea.merged == {name.bundle_id: b"hello"}

    def test_nothing_leaves_a_queue_without_a_receipt(self, carrier: Carrier) -> None:
        anne, bea = node(1), node(2)
        name = anne.queue(2, b"hello")
        carrier.deliver(anne, [node_id(2)])
        carrier.collect(bea)
        assert anne.spool.outbox.queued(node_id(2)) == [name]

    def test_delivering_and_collecting_again_changes_nothing(self, carrier: Carrier) -> None:
        anne, bea = node(1), node(2)
        name = anne.queue(2, b"hello")
        carrier.deliver(anne, [node_id(2)])
        again = carrier.deliver(anne, [node_id(2)])
        assert (again.written, again.already_there) == ((), ((node_id(2), name),))
        for _ in range(2):
            carrier.collect(bea)
            assert len(list(bea.spool.inbox.read(name.bundle_id))) == 1

    def test_only_what_is_for_the_peers_goes(self, carrier: Carrier) -> None:
        anne = node(1)
        anne.queue(2, b"for bea")
        name = anne.queue(3, b"for carl")
        assert carrier.deliver(anne, [node_id(3)]).written == ((node_id(3), name),)

    def test_what_is_ours_comes_not_back(self, carrier: Carrier) -> None:
        anne = node(1)
        anne.queue(2, b"hello")
        carrier.deliver(anne, [node_id(2)])
        collected = carrier.collect(anne)
        assert (collected.received, collected.ours) == ((), 1)
        assert anne.spool.inbox.bundles() == []

    def test_what_is_merged_is_not_received_again(self, carrier: Carrier) -> None:
        anne, bea = node(1), node(2)
        anne.queue(2, b"hello")
        carrier.deliver(anne, [node_id(2)])
        carrier.collect(bea)
        bea.merge()
        collected = carrier.collect(bea)
        assert (collected.received, collected.seen) == ((), 1)

    def test_what_is_for_others_is_carried_and_stays(self, carrier: Carrier) -> None:
        anne, mule, bea = node(1), node(9), node(2)
        name = anne.queue(2, b"hello")
        carrier.deliver(anne, [node_id(2)])
        collected = carrier.collect(mule)
        assert (collected.others, collected.carried) == (1, 1)
        assert len(mule.spool.carried.known()) == 1
        assert carrier.collect(bea).received == ((node_id(1), name.bundle_id),)

    def test_nothing_goes_back_to_where_it_came_from(self, carrier: Carrier) -> None:
        anne, mule, bea = node(1), node(9), node(2)
        anne.queue(2, b"hello")
        carrier.deliver(anne, [node_id(2)])
        carrier.collect(mule)
        carrier.collect(bea)
        bea.merge()
        carrier.collect(bea)
        assert carrier.deliver(mule, [node_id(2)]).carried_written == 0

    def test_the_expired_is_neither_delivered_nor_collected(self, carrier: Carrier) -> None:
        anne, bea = node(1), node(2)
        anne.queue(2, b"late", expiry_days=49)
        anne.queue(2, b"in time", expiry_days=50)
        assert len(carrier.deliver(anne, [node_id(2)]).written) == 1
        assert len(carrier.collect(bea, today_days=50).received) == 1
        assert carrier.collect(bea, today_days=51).expired == 1

    def test_a_full_inbox_refuses_and_the_carrier_keeps(self, carrier: Carrier) -> None:
        anne, bea = node(1), node(2, Quotas(inbox_bytes=4096))
        names = {anne.queue(2, data).bundle_id: data for data in (b"one", b"two")}
        carrier.deliver(anne, [node_id(2)])
        assert len(carrier.collect(bea).refused) == 1
        bea.merge()
        carrier.collect(bea)
        bea.merge()
        assert bea.merged == names

    def test_large_and_many_bundles(self, carrier: Carrier) -> None:
        anne, bea = node(1), node(2)
        bundles = [bytes([number]) * (number * 1000 + 1) for number in range(60)]
        for data in [*bundles, bytes(300_000)]:
            anne.queue(2, data)
        assert len(carrier.deliver(anne, [node_id(2)]).written) == 61
        carrier.collect(bea)
        bea.merge()
        assert sorted(bea.merged.values()) == sorted([*bundles, bytes(300_000)])
