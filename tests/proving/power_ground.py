"""What a power cut left, opened by pannier again: it goes on until nothing is to be done."""

import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from pannier.home import Home
from pannier.node import Node
from tests.sim.world import World, assert_equal, data_queue

NODE = "node"
"""What a home is called on its disk, which is there before."""
_DRAFT = re.compile(r"\.[^/]*|[^/]*\.(new|tmp|part)|tmp/[^/]+")


class Ground(World):
    """Nodes whose homes and sticks are disks of their own, as `Machine` has them."""

    def __init__(self, folder: Path, names: Iterable[str], *, seed: int) -> None:
        """Go on with the homes in *folder*; another *seed* draws other numbers."""
        super().__init__(folder, (), seed)
        self.clock.now_us = time.time_ns() // 1000
        for name in names:
            self.take_over(name)

    def home(self, name: str) -> Home:
        return Home(self.folder / name / NODE)

    def stick(self, name: str = "stick") -> Path:
        return self.folder / name


def settle(ground: World, names: Sequence[str]) -> dict[str, object]:
    """Carry the stick around until all is said; all must know the same, and nothing may wait."""
    for _ in range(8):
        done = [ground.exchange(name) for name in names]
        assert [one.problems for one in done] == [[]] * len(names)
        if not any(one.written or one.removed or one.report.outcomes for one in done):
            break
    else:
        raise AssertionError("the nodes go on telling each other something")
    (ledger,) = ground[names[0]].ledgers()
    known = assert_equal(ground, names, ledger.genesis.name)
    for name in names:
        assert_at_rest(ground[name])
    return known


def assert_at_rest(node: Node) -> None:
    """Nothing waits in a node."""
    for peer in node.peers.values():
        queued = {one.name for one in node.db.bundles(peer.node_id)}
        assert queued == {name.to_text() for name in node.spool.outbox.queued(peer.node_id)}
    assert data_queue(node) == []
    assert node.spool.inbox.bundles() == []
    assert node.spool.held.names() == []
    assert node.spool.quarantine.list() == []
    assert node.db.rows("SELECT * FROM waiting") == []


def leftovers(folder: Path) -> list[str]:
    """Return the files that nobody will look for again."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    files = [path for path in paths if (folder / path).is_file()]
    return [path for path in files if re.search(f"(^|/)({_DRAFT.pattern})$", path)]
