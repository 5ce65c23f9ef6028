"""Links between processes over real pseudo-terminals and sockets; nothing here depends on speed.

The same at full length, with what share of a line is used, is `benchmarks.link`.
"""

from pathlib import Path

import pytest

from benchmarks.line_trace import Way
from benchmarks.link_lines import over_network, over_serial
from benchmarks.linked import Linked

SIZE = 80_000
WAYS = (0, 1)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Linked:
    """Both have something for the other."""
    return Linked.make(tmp_path_factory.mktemp("nodes") / "nodes", SIZE, "farm", "home")


@pytest.fixture
def linked(nodes: Linked, tmp_path: Path) -> Linked:
    return nodes.copy(tmp_path / "linked")


def came_twice(linked: Linked) -> int:
    """Return how many bytes came to home in whole frames that had come before."""
    stream = (linked.folder / "seen-home.received").read_bytes()
    sent, again = Way(bytearray(stream)).whole_data()
    assert sent >= SIZE
    return again


def test_wrong_bits_cost_little_both_ways_at_once(linked: Linked) -> None:
    run = over_serial(linked, "--ber", "1e-5", baud=460_800)
    assert run.ups == 1
    assert all(run.efficiency(way, SIZE) > 0.88 for way in WAYS)


def test_cuts_and_a_kill_send_little_twice(linked: Linked) -> None:
    run = over_serial(linked, "--cut-every", "50000", "--down", "0.2", baud=230_400, kills=1)
    assert run.ups >= 3
    assert len(run.kills) == 1
    sent = [run.ways[way].sent() for way in WAYS]
    assert all(once - again >= SIZE for once, again in sent)
    # What the line holds, and what is on its way to a process that died.
    assert all(again <= 12_000 + run.ups * 3_000 for _, again in sent)


def test_datagrams_with_all_ills_cost_their_share_and_little_more(linked: Linked) -> None:
    ills = ("--loss", "0.2", "--reorder", "0.05", "--dup", "0.05", "--corrupt", "0.02")
    run = over_network(linked, "udp", *ills)
    assert run.lost > 0.1
    # 1.06 for bundles of a megabyte; hellos, offers, answers, and what is sent again because an
    # acknowledgement came late on a busy computer, are some kB of any.
    assert run.relay["a2b"]["bytes_in"] * (1 - run.lost) < 1.06 * SIZE + 8_000


def test_resets_and_stalls_bring_nothing_twice(linked: Linked) -> None:
    options = ("--cut-every", "40000", "--stall", "25000,0.5", "--rate", "2M")
    run = over_network(linked, "tcp", *options)
    assert run.relay["resets"] >= 1
    assert run.relay["stalls"] >= 1
    assert came_twice(linked) == 0
