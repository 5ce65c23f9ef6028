from collections.abc import Iterator
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.members
from ledger.card import Card
from ledger.errors import DamagedError, LedgerError, MalformedError, RefusedError, UnverifiedError
from ledger.members import (
    Member,
    Members,
    Role,
    grant_from_payload,
    grant_payload,
    may_write,
    members,
    members_of,
    role_from_label,
)
from tests.ledger.world import World, change, genesis_of, keys_of, payload, send

NAMES = ["ada", "bob", "cy", "dee", "eve"]
AUTHORS = {keys_of(name).author: name for name in NAMES}
Grant = tuple[bytes, bytes]


def grant(by: str, to: str, role: Role) -> Grant:
    return keys_of(by).author, grant_payload(keys_of(to).card, role)


def roles(found: Members) -> dict[str, Role]:
    return {AUTHORS[author]: member.role for author, member in found.items()}


def roles_after(*grants: Grant) -> dict[str, Role]:
    return roles(members_of(genesis_of("ada"), grants))


def test_the_cards_of_the_genesis_are_admins() -> None:
    assert roles(members_of(genesis_of("ada", "bob"), [])) == {"ada": Role.ADMIN, "bob": Role.ADMIN}


def test_an_admin_grants_and_so_does_one_whom_it_made_admin() -> None:
    found = roles_after(
        grant("ada", "bob", Role.ADMIN),
        grant("bob", "cy", Role.ADMIN),
        grant("cy", "dee", Role.READER),
    )
    assert found == {"ada": 2, "bob": 2, "cy": 2, "dee": 0}


@pytest.mark.parametrize("role", [Role.READER, Role.WRITER])
def test_a_grant_by_one_who_is_no_admin_counts_for_nothing(role: Role) -> None:
    found = roles_after(
        grant("ada", "bob", role),
        grant("bob", "cy", Role.WRITER),
        grant("bob", "bob", Role.ADMIN),
        grant("eve", "eve", Role.ADMIN),
    )
    assert found == {"ada": 2, "bob": role}


def test_the_highest_role_counts_and_nobody_is_made_less() -> None:
    found = roles_after(
        grant("ada", "bob", Role.WRITER),
        grant("ada", "bob", Role.READER),
        grant("bob", "ada", Role.READER),
        grant("ada", "ada", Role.READER),
    )
    assert found == {"ada": 2, "bob": 1}


def test_only_writers_and_admins_may_write() -> None:
    found = members_of(
        genesis_of("ada"),
        [grant("ada", "bob", Role.WRITER), grant("ada", "cy", Role.READER)],
    )
    allowed = {name: may_write(found, keys_of(name).author) for name in NAMES}
    assert allowed == {"ada": True, "bob": True, "cy": False, "dee": False, "eve": False}


CHAIN = [grant(one, other, Role.ADMIN) for one, other in pairwise(NAMES)]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_chain_of_admins_holds_in_whatever_order_its_links_came(order: tuple[int, ...]) -> None:
    assert roles_after(*(CHAIN[link] for link in order)) == dict.fromkeys(NAMES, Role.ADMIN)


grants = st.lists(
    st.builds(grant, st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(Role)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(grants, st.data())
def test_members_are_a_function_of_the_set(found: list[Grant], data: st.DataObject) -> None:
    other = data.draw(st.permutations(found)) + found[:2]
    genesis = genesis_of("ada")
    assert members_of(genesis, other) == members_of(genesis, found)


def test_of_two_cards_of_one_member_all_nodes_choose_the_same() -> None:
    keys = keys_of("bob")
    cards = [
        Card.sign(keys.signing, name=name, hpke=keys.card.hpke) for name in ("bob", "rob", "bobby")
    ]
    given_cards = [(keys_of("ada").author, grant_payload(card, Role.WRITER)) for card in cards]
    chosen = {
        members_of(genesis_of("ada"), order)[keys.author].card
        for order in permutations(given_cards)
    }
    assert len(chosen) == 1


def test_each_grant_is_read_once_however_long_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def counted(data: bytes) -> Member:
        read.append(data)
        return grant_from_payload(data)

    monkeypatch.setattr(ledger.members, "grant_from_payload", counted)
    links = [*reversed(CHAIN * 5), (keys_of("zoe").author, CHAIN[0][1])]
    assert len(members_of(genesis_of("ada"), links)) == 5
    assert len(read) == len(links) - 1


BAD: dict[str, bytes] = {
    "no map": payload(None),
    "no role": payload({"card": keys_of("bob").card.to_bytes()}),
    "a key more": payload({"card": keys_of("bob").card.to_bytes(), "role": "writer", "x": 0}),
    "a role that is none": payload({"card": keys_of("bob").card.to_bytes(), "role": "owner"}),
    "a role in capitals": payload({"card": keys_of("bob").card.to_bytes(), "role": "WRITER"}),
    "a number for a role": payload({"card": keys_of("bob").card.to_bytes(), "role": 1}),
    "a card that is text": payload({"card": keys_of("bob").card.to_text(), "role": "writer"}),
    "a forged card": payload(
        {"card": keys_of("bob").card.to_bytes()[:-1] + b"x", "role": "writer"}
    ),
    "no CBOR": b"\xff",
    "too long": payload({"card": bytes(1 << 15), "role": "writer"}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_grant_that_cannot_be_read_counts_for_nothing_and_breaks_nothing(what: str) -> None:
    with pytest.raises((MalformedError, UnverifiedError, RefusedError)):
        grant_from_payload(BAD[what])
    found = roles_after((keys_of("ada").author, BAD[what]), grant("ada", "cy", Role.READER))
    assert found == {"ada": 2, "cy": 0}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_grant_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(LedgerError):
        grant_from_payload(data)


def test_a_grant_says_who_and_what() -> None:
    card = keys_of("bob").card
    for role in Role:
        assert grant_from_payload(grant_payload(card, role)) == Member(card=card, role=role)
        assert role_from_label(role.label) is role
    with pytest.raises(RefusedError, match="reader, writer or admin"):
        role_from_label("owner")


# -- in a store -------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "cy", admins=["ada"]) as made:
        yield made


def test_members_come_out_of_the_entries_of_all_logs(world: World) -> None:
    ada, bob, cy = world.sites
    assert roles(members(ada.store)) == {"ada": 2}
    ada.grant("bob", Role.ADMIN)
    ada.put("members", {"card": "of nobody", "role": "admin"})
    send(ada, bob)
    bob.grant("cy", Role.WRITER)
    send(bob, cy)
    assert roles(members(cy.store)) == {"ada": 2, "bob": 2, "cy": 1}
    assert roles(members(ada.store)) == {"ada": 2, "bob": 2}


@pytest.mark.parametrize("value", [None, "text", 7])
def test_a_damaged_grant_is_damage(world: World, value: str | int | None) -> None:
    ada = world.sites[0]
    ada.grant("bob")
    change(ada.store, "UPDATE entry SET payload = ?", value)
    with pytest.raises(DamagedError):
        members(ada.store)
