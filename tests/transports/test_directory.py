from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contracts.transport import Carrier, TransportContract
from tests.faults import MemoryFileSystem, counting_entropy
from tests.transports.toy import TERMS, ToyNode, medium_in
from transports.medium import Medium
from transports.report import Collected, Delivered


class Stick:
    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    def collect(self, node: ToyNode, *, today_days: int = 50) -> Collected:
        return node.at(self._medium).collect(TERMS._replace(today_days=today_days))

    def deliver(self, node: ToyNode, peers: Sequence[str]) -> Delivered:
        return node.at(self._medium).deliver(peers, TERMS)


class TestInMemory(TransportContract):
    @pytest.fixture
    def carrier(self) -> Carrier:
        return Stick(medium_in(MemoryFileSystem()))


class TestOnDisk(TransportContract):
    @pytest.fixture
    def carrier(self, tmp_path: Path) -> Carrier:
        return Stick(Medium.open(tmp_path, entropy=counting_entropy()))
