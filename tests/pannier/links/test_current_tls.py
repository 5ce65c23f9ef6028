"""Whom a link inside TLS accepts while its peers change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.link_config import TcpLink
from pannier.links import run_link as running
from pannier.links.current_tls import CurrentTls
from pannier.node import Node
from tests.cli.computers import Computer, acquaint, new_computer, new_pair
from tests.pannier.links.test_connections import call, dial, free_port, listening
from transports.carriers.tls import Person, Tls


def test_peers_are_accepted_and_refused_as_they_are_at_each_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On real sockets: one is added, and then removed, while the other side listens."""
    _, home = new_pair(tmp_path)
    mill = new_computer(tmp_path, "mill")
    port = free_port()
    with listening(home, TcpLink(listen=f"127.0.0.1:{port}", tls=True)) as said:
        dial(port).close()
        acquaint(home, mill)
        assert call(mill, port, tls=True).had_session
        assert not any("somebody else" in line for line in said)
        home.types("peer", "rm", "mill")
        monkeypatch.setattr(running, "PATIENCE_US", 1_000_000)
        assert not call(mill, port, tls=True).had_session
        assert any("shows the certificate of somebody else" in line for line in said)


class Making:
    """Makes TLS, and remembers of which peers."""

    def __init__(self) -> None:
        self.peers: list[list[str]] = []

    def __call__(self, node: Node) -> Tls:
        self.peers.append([one.name for one in node.peers.values()])
        me = Person(node.card.node_id, node.card.author)
        return Tls(me, node.keys.signing.sign, [])


@pytest.fixture
def farm(tmp_path: Path) -> Computer:
    return new_pair(tmp_path)[0]


@pytest.fixture
def node(farm: Computer) -> Iterator[Node]:
    with farm.node() as node:
        assert node.peers
        yield node


def test_it_is_made_anew_of_what_has_changed_and_of_nothing_else(
    farm: Computer, node: Node, tmp_path: Path
) -> None:
    certificate = tmp_path / "gate.pem"
    make = Making()
    tls = CurrentTls(node, make, [certificate], print)
    first = tls()
    assert tls() is first
    acquaint(farm, new_computer(tmp_path, "mill"))
    second = tls()
    assert second is not first
    assert tls() is second
    farm.types("peer", "rm", "home")
    tls()
    assert make.peers == [["home"], ["home", "mill"], ["mill"]]
    farm.configure('[peer.mill]\ntransports = ["directory"]\n')
    tls()
    certificate.write_text("renewed")
    tls()
    assert len(make.peers) == 5
    tls()
    assert len(make.peers) == 5


def test_what_cannot_be_read_leaves_it_as_it_was_and_is_told_once(
    farm: Computer, node: Node
) -> None:
    make, said = Making(), list[str]()
    tls = CurrentTls(node, make, [], said.append)
    first = tls()
    damaged = farm.home / "cards" / "mill.card"
    damaged.write_text("no card")
    assert tls() is first
    assert tls() is first
    (line,) = said
    assert line.startswith("TLS accepts those whom it accepted before: ")
    assert str(damaged) in line
    damaged.unlink()
    farm.configure("nonsense")
    assert tls() is first
    farm.configure("")
    assert tls() is not first
    assert len(said) == 2
