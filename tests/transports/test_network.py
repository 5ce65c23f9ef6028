"""Several nodes and sticks with loss, copies and crashes: nothing is lost, nothing goes back."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from spool.name import FragmentName
from tests.faults import KEEPS, CrashError, MemoryFileSystem, counting_entropy
from tests.transports.toy import TERMS, ToyNode, node_id
from transports import collect as collect_module
from transports import deliver as deliver_module
from transports.medium import Medium

NODES = range(4)
STICKS = range(3)
PEERS = [node_id(number) for number in NODES]
_happened: Counter[str] = Counter()


class Network(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        _happened["run"] += 1
        self.entropy = counting_entropy()
        self.nodes = [ToyNode(number, MemoryFileSystem()) for number in NODES]
        self.sticks = [MemoryFileSystem() for _ in STICKS]
        self.sent: list[tuple[int, int, bytes]] = []
        # By node and medium id: what the node has carried away from it.
        self.came_from: dict[tuple[int, str], set[FragmentName]] = {}

    @rule(
        sender=st.sampled_from(NODES),
        to=st.sampled_from(NODES),
        size=st.sampled_from([1, 300, 9000]),
        priority=st.integers(0, 7),
    )
    def queue(self, sender: int, to: int, size: int, priority: int) -> None:
        if sender != to:
            data = f"{len(self.sent)} ".encode() * size
            self.nodes[sender].queue(to, data, priority=priority)
            self.sent.append((sender, to, data))

    @rule(
        way=st.lists(st.sampled_from(NODES), min_size=1, max_size=4), stick=st.sampled_from(STICKS)
    )
    def travel(self, way: list[int], stick: int) -> None:
        for node in way:
            self.visit(self.nodes[node], self.sticks[stick])

    @rule(
        node=st.sampled_from(NODES),
        stick=st.sampled_from(STICKS),
        at_home=st.booleans(),
        crash_at=st.integers(0, 15),
        keep=st.sampled_from(KEEPS),
    )
    def crash(
        self, node: int, stick: int, at_home: bool, crash_at: int, keep: Callable[[str], bool]
    ) -> None:
        toy = self.nodes[node]
        home = toy.fs
        assert isinstance(home, MemoryFileSystem)
        victim = home if at_home else self.sticks[stick]
        victim.faults.crash_at = len(victim.steps) + crash_at
        with suppress(CrashError):
            self.visit(toy, self.sticks[stick])
        _happened["crash"] += victim.is_dead
        victim.faults.crash_at = None
        if victim.is_dead:
            toy.restart(home.after_power_cut(keep))
            self.sticks[stick] = self.sticks[stick].after_power_cut(keep)

    @rule(stick=st.sampled_from(STICKS))
    def lose(self, stick: int) -> None:
        self.sticks[stick] = MemoryFileSystem()

    @rule(old=st.sampled_from(STICKS), further=st.sampled_from(STICKS[1:]))
    def copy(self, old: int, further: int) -> None:
        new = (old + further) % len(STICKS)
        Medium.attach(self.sticks[new], entropy=self.entropy)
        for path, data in self.sticks[old].files().items():
            if path.endswith(".pnr") and path not in self.sticks[new].live:
                self.sticks[new].make_folder(path.rpartition("/")[0])
                self.sticks[new].create(path, [data])
                _happened["copied"] += 1
        self.sticks[new].sync(list(self.sticks[new].live))

    @rule(pair=st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)))
    def receipt(self, pair: tuple[int, int]) -> None:
        outbox, merged = self.nodes[pair[0]].spool.outbox, self.nodes[pair[1]].merged
        for bundle in outbox.queued(node_id(pair[1])):
            if bundle.bundle_id in merged:
                outbox.withdraw(node_id(pair[1]), bundle)

    def visit(self, node: ToyNode, stick: MemoryFileSystem) -> None:
        medium = Medium.attach(stick, entropy=self.entropy)
        collected = node.at(medium).collect(TERMS)
        assert collected.bad == ()
        _happened["carried"] += collected.carried
        origin = self.came_from.setdefault((node.number, medium.id), set())
        origin |= {found.name for found in medium.survey().found}
        origin &= set(node.spool.carried.known())
        node.merge()
        written_from = len(stick.steps)
        delivered = node.at(medium).deliver(PEERS, TERMS)
        _happened["carried on"] += delivered.carried_written
        for step in stick.steps[written_from:]:
            action, path = step.split(" ", 1)
            if action == "create":
                assert FragmentName.from_text(path[len("pannier/.") :][:44]) not in origin

    def teardown(self) -> None:
        if not hasattr(self, "nodes"):
            return
        last = MemoryFileSystem()
        for _ in range(2):
            for node in self.nodes:
                self.visit(node, last)
        for _, to, data in self.sent:
            assert data in self.nodes[to].merged.values()
            _happened["arrived"] += 1


def test_nothing_is_lost_and_nothing_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect_module, "_BATCH_COUNT", 2)
    monkeypatch.setattr(deliver_module, "_GROUP_COUNT", 2)
    _happened.clear()
    run_state_machine_as_test(Network, settings=settings(max_examples=120, stateful_step_count=40))
    assert min(_happened[what] for what in ("crash", "copied", "carried", "carried on")) > 5, (
        _happened
    )
    assert _happened["arrived"] > _happened["run"]
