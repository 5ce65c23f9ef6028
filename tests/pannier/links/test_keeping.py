"""Whatever becomes of one run of a link, there is another one."""

import threading
from pathlib import Path

import pytest

from pannier.home import Home
from pannier.link_config import TcpLink
from pannier.links import keeping
from pannier.links.connections import Served
from pannier.links.keeping import KeptLinks
from pannier.links.side import LinkRun
from pannier.node import Node
from transports.carriers.bell import Bell

PATIENCE_SECONDS = 30


def no_node() -> Node:
    raise AssertionError("nobody asks for one")


def test_a_mistake_of_ours_ends_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, said = threading.Semaphore(0), list[str]()

    def run_link(run: LinkRun, bell: Bell) -> Served:
        runs.release()
        raise ValueError("five bytes for a ware of six")

    monkeypatch.setattr(keeping, "run_link", run_link)
    monkeypatch.setattr(keeping, "AGAIN_SECONDS", 0.001)
    kept = KeptLinks(Home(tmp_path), no_node, say=said.append, imported=lambda _: [])
    with kept.running({"farm": TcpLink(listen="1")}):
        for _ in range(3):
            assert runs.acquire(timeout=PATIENCE_SECONDS)
    assert said == ["farm: a mistake in pannier itself: ValueError('five bytes for a ware of six')"]
    assert list(kept.problems) == ["farm"]
