from collections.abc import Iterator

import pytest

from pannier.errors import UsageError
from pannier.links.identity import NodeIdentity
from tests.sim.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), names=("ada", "bea", "pqcy")) as world:
        yield world


def identity(world: World, name: str, peer: str | None = None) -> NodeIdentity:
    node = world[name]
    known = None if peer is None else node.peer_named(peer)
    return NodeIdentity(node, known, is_served=lambda one: one.name != "nobody")


@pytest.mark.parametrize(("to", "around"), [("bea", 48), ("pqcy", 1136)])
def test_only_the_peer_opens_what_is_sealed_for_it(world: World, to: str, around: int) -> None:
    ada, peer = identity(world, "ada", to), identity(world, to)
    sealed = ada.seal(peer.node_id, b"hello")
    assert len(sealed) == 5 + around
    assert peer.open(sealed) == b"hello"
    for name in {"ada", "bea", "pqcy"} - {to}:
        assert identity(world, name).open(sealed) is None
    assert peer.open(sealed[:-1]) is None
    assert peer.open(b"") is None


def test_a_signature_is_by_who_it_says(world: World) -> None:
    ada, bea = identity(world, "ada"), identity(world, "bea", "ada")
    signature = ada.sign(b"words")
    assert len(signature) == 64
    assert bea.verify(ada.node_id, b"words", signature)
    assert not bea.verify(ada.node_id, b"other words", signature)
    assert not bea.verify(bytes(8), b"words", signature)
    assert not bea.verify(ada.node_id, b"words", bytes(64))
    assert not identity(world, "pqcy", "bea").verify(ada.node_id, b"words", signature)


def test_who_is_expected(world: World) -> None:
    ada, bea, cy = (identity(world, name) for name in ("ada", "bea", "pqcy"))
    assert ada.peer is None
    assert ada.is_expected(bea.node_id)
    assert ada.is_expected(cy.node_id)
    assert not ada.is_expected(bytes(8))
    only = identity(world, "ada", "bea")
    assert only.peer == bea.node_id
    assert not only.is_expected(cy.node_id)


def test_who_waits_to_be_greeted_expects_the_peer_and_greets_nobody(world: World) -> None:
    node = world["ada"]
    bea = node.peer_named("bea")
    one = NodeIdentity(node, bea, is_served=lambda _: True, waits=True)
    assert one.peer is None
    assert one.is_expected(bytes.fromhex(bea.node_id))


def test_who_is_not_served_is_not_expected(world: World) -> None:
    node = world["ada"]
    one = NodeIdentity(node, is_served=lambda peer: peer.name == "bea")
    assert not one.is_expected(identity(world, "pqcy").node_id)
    with pytest.raises(UsageError, match="pqcy is not served"):
        NodeIdentity(node, node.peer_named("pqcy"), is_served=lambda peer: peer.name == "bea")
