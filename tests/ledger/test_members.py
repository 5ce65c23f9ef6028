from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import pytest

from ledger.card import Card
from ledger.entry import Action, entry_from_bytes
from ledger.errors import DamagedError
from ledger.facts import Fact, Grant, Role
from ledger.genesis import Genesis, Term
from ledger.log import LogName
from ledger.members import EVERYTHING, Member, Members, may_write, members, sizes_to_keep
from ledger.store import Store
from tests.ledger.scene import NAMES, Scene, log_of, roles_of
from tests.ledger.test_facts import BAD_GRANTS, BAD_REVOCATIONS
from tests.ledger.world import World, change, genesis_of, keys_of, send
from tests.vectors import load

VECTORS = load("members")
R, W, A = Role.READER, Role.WRITER, Role.ADMIN


@pytest.fixture
def scene() -> Scene:
    """Ada founded the ledger."""
    return Scene("ada")


def author(name: str) -> bytes:
    return keys_of(name).author


# -- grants ---------------------------------------------------------------------------------------


def test_the_cards_of_the_genesis_are_admins() -> None:
    assert Scene("ada", "bob").roles() == {"ada": A, "bob": A}


def test_an_admin_grants_and_so_does_one_whom_it_made_admin(scene: Scene) -> None:
    scene.grant("ada", "bob", A)
    scene.grant("bob", "cy", A)
    scene.grant("cy", "dee", R)
    assert scene.roles() == {"ada": A, "bob": A, "cy": A, "dee": R}
    assert [scene.members()[author(name)].granted_by for name in ("ada", "bob", "dee")] == [
        None, author("ada"), author("cy"),
    ]  # fmt: skip


@pytest.mark.parametrize("role", [R, W])
def test_a_grant_by_one_who_is_no_admin_counts_for_nothing(scene: Scene, role: Role) -> None:
    scene.grant("ada", "bob", role)
    scene.grant("bob", "cy", W)
    scene.grant("bob", "bob", A)
    scene.grant("eve", "eve", A)
    assert scene.roles() == {"ada": A, "bob": role}


def test_the_highest_role_counts_and_nobody_is_made_less(scene: Scene) -> None:
    scene.grant("ada", "bob", W)
    scene.grant("ada", "bob", R)
    scene.grant("bob", "ada", R)
    scene.grant("ada", "ada", R)
    assert scene.roles() == {"ada": A, "bob": W}


def test_only_writers_and_admins_may_write(scene: Scene) -> None:
    scene.grant("ada", "bob", W)
    scene.grant("ada", "cy", R)
    found = scene.members()
    allowed = {name: may_write(found, author(name)) for name in NAMES}
    assert allowed == {"ada": True, "bob": True, "cy": False, "dee": False, "eve": False}
    limits = {name: scene.counted(name) for name in NAMES}
    assert limits == {"ada": EVERYTHING, "bob": EVERYTHING, "cy": 0, "dee": 0, "eve": 0}


def test_in_a_centralized_ledger_only_admins_write() -> None:
    scene = Scene(genesis=replace(genesis_of("ada"), terms=frozenset({Term.CENTRALIZED})))
    scene.grant("ada", "bob", A)
    scene.grant("ada", "cy", W)
    allowed = {name: may_write(scene.members(), author(name)) for name in ("ada", "bob", "cy")}
    assert allowed == {"ada": True, "bob": True, "cy": False}
    assert (scene.counted("bob"), scene.counted("cy")) == (EVERYTHING, 0)
    assert not scene.members().is_known(author("cy"))


def test_a_chain_of_admins_holds_in_whatever_order_its_links_came() -> None:
    for order in permutations(pairwise(NAMES)):
        scene = Scene("ada")
        for by, to in order:
            scene.grant(by, to, A)
        assert scene.roles() == dict.fromkeys(NAMES, A)


def test_of_two_cards_of_one_member_all_nodes_choose_the_same() -> None:
    keys = keys_of("bob")
    chosen = set()
    for names in permutations(("bob", "rob", "bobby")):
        scene = Scene("ada")
        for name in names:
            card = Card.sign(keys.signing, name=name, keys=keys.card.keys)
            scene.say("ada", Action.GRANT, Grant(card=card, role=W).to_payload())
        chosen.add(scene.members()[keys.author].card)
    assert len(chosen) == 1


@pytest.mark.parametrize("what", BAD_GRANTS)
def test_a_grant_that_cannot_be_read_counts_for_nothing(scene: Scene, what: str) -> None:
    scene.say("ada", Action.GRANT, BAD_GRANTS[what])
    scene.grant("ada", "cy", R)
    assert scene.roles() == {"ada": A, "cy": R}


@pytest.mark.parametrize("what", BAD_REVOCATIONS)
def test_a_revocation_that_cannot_be_read_counts_for_nothing(scene: Scene, what: str) -> None:
    scene.grant("ada", "bob", W)
    scene.say("ada", Action.REVOKE, BAD_REVOCATIONS[what])
    assert scene.roles() == {"ada": A, "bob": W}


# -- revocations ----------------------------------------------------------------------------------


def test_of_a_removed_member_counts_what_the_revocation_says(scene: Scene) -> None:
    scene.grant("ada", "bob")
    removal = scene.revoke("ada", "bob", {0: 7, 1: 3})
    assert scene.roles() == {"ada": A}
    assert [scene.counted("bob", log) for log in (0, 1, 2)] == [7, 3, 0]
    found = scene.members()
    assert list(found.removals_of(author("bob"))) == [removal.id]
    assert [said.fact for said in found.removed[author("bob")]] == [removal]
    assert found.card(author("bob")) == keys_of("bob").card
    assert found.is_known(author("bob"))
    assert found.is_void(log_of("bob"), 7)
    assert not found.is_void(log_of("bob"), 6)
    assert not found.is_void(log_of("eve"), 0), "nobody knows whether eve will be granted"


def test_of_several_revocations_the_least_size_counts(scene: Scene) -> None:
    scene.grant("ada", "bob", A)
    scene.grant("ada", "cy")
    scene.revoke("ada", "cy", {0: 7, 1: 3})
    scene.revoke("bob", "cy", {0: 5, 1: 4, 2: 9})
    assert [scene.counted("cy", log) for log in (0, 1, 2)] == [5, 3, 0]


def test_of_a_grant_and_a_revocation_that_do_not_know_each_other_the_revocation_wins(
    scene: Scene,
) -> None:
    scene.grant("ada", "bob", A)
    scene.revoke("bob", "cy", {})
    scene.grant("ada", "cy")
    assert scene.roles() == {"ada": A, "bob": A}
    assert scene.counted("cy") == 0
    assert not scene.members().card(author("dee"))


def test_a_grant_overrules_the_revocations_that_it_names_and_no_others(scene: Scene) -> None:
    scene.grant("ada", "bob", A)
    scene.grant("ada", "cy")
    known = scene.revoke("ada", "cy", {0: 5})
    scene.grant("ada", "cy", after=[known])
    assert scene.roles() == {"ada": A, "bob": A, "cy": W}
    unknown = scene.revoke("bob", "cy", {0: 6})
    assert scene.roles() == {"ada": A, "bob": A}
    scene.grant("ada", "cy", after=[unknown])
    assert scene.roles() == {"ada": A, "bob": A}, "of two grants neither knew both"
    scene.grant("bob", "cy", R, after=[known, unknown])
    assert scene.roles() == {"ada": A, "bob": A, "cy": R}


def test_what_was_cut_stays_cut_and_a_new_grant_opens_new_logs(scene: Scene) -> None:
    scene.grant("ada", "bob")
    removal = scene.revoke("ada", "bob", {0: 5})
    assert scene.counted("bob", 1) == 0
    scene.grant("ada", "bob", after=[removal])
    assert [scene.counted("bob", log) for log in (0, 1)] == [5, EVERYTHING]
    again = scene.revoke("ada", "bob", {0: 5, 1: 2})
    assert [scene.counted("bob", log) for log in (0, 1, 2)] == [5, 2, 0]
    scene.grant("ada", "bob", R, after=[removal, again])
    assert [scene.counted("bob", log) for log in (0, 1, 2)] == [5, 2, 0]


def test_who_comes_back_as_a_writer_is_no_admin_in_its_new_log(scene: Scene) -> None:
    scene.grant("ada", "bob", A)
    scene.grant("bob", "cy")
    removal = scene.revoke("ada", "bob")
    scene.grant("ada", "bob", W, after=[removal])
    scene.grant("bob", "dee", log=1)
    assert scene.roles() == {"ada": A, "bob": W, "cy": W}
    assert scene.counted("bob", 1) == EVERYTHING
    assert not scene.members().decides(log_of("bob", 1), 0)
    assert scene.members().decides(log_of("bob"), 0)


def test_what_a_removed_admin_said_before_holds_and_what_it_said_after_does_not(
    scene: Scene,
) -> None:
    scene.grant("ada", "bob", A)
    scene.grant("bob", "cy")
    scene.revoke("ada", "bob")
    scene.grant("bob", "dee")
    scene.revoke("bob", "cy")
    scene.grant("bob", "eve", log=1)
    assert scene.roles() == {"ada": A, "cy": W}
    assert [scene.counted(name) for name in ("cy", "dee", "eve")] == [EVERYTHING, 0, 0]


def test_nobody_but_an_admin_removes(scene: Scene) -> None:
    scene.grant("ada", "bob", W)
    scene.grant("ada", "cy", R)
    scene.revoke("bob", "cy")
    scene.revoke("bob", "ada")
    scene.revoke("eve", "ada")
    assert scene.roles() == {"ada": A, "bob": W, "cy": R}
    assert scene.members().removed == {}


@pytest.mark.parametrize("stem", VECTORS)
def test_vectors(stem: str) -> None:
    case = VECTORS[stem]
    facts = [
        Fact(
            LogName(bytes.fromhex(one["author"]), bytes.fromhex(one["incarnation"])),
            one["index"],
            entry_from_bytes(bytes.fromhex(one["entry"]), bytes.fromhex(one["payload"])),
        )
        for one in case["facts"]
    ]
    genesis = Genesis.from_bytes(bytes.fromhex(case["genesis"]))
    for order in (facts, facts[::-1]):
        found = Members(genesis, order)
        roles = {author.hex(): member.role.label for author, member in found.items()}
        assert roles == case["members"]
        for author, incarnation, size in case["counted"]:
            log = LogName(bytes.fromhex(author), bytes.fromhex(incarnation))
            assert found.counted(log) == (EVERYTHING if size is None else size)


# -- in a store -------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "cy", admins=["ada"]) as made:
        yield made


def test_members_come_out_of_the_entries_of_all_logs(world: World) -> None:
    ada, bob, cy = world.sites
    assert roles_of(members(ada.store)) == {"ada": A}
    ada.grant("bob", A)
    ada.put("members", {"card": "of nobody", "role": "admin"})
    send(ada, bob)
    bob.grant("cy", W)
    send(bob, cy)
    assert roles_of(members(cy.store)) == {"ada": A, "bob": A, "cy": W}
    assert roles_of(members(ada.store)) == {"ada": A, "bob": A}
    bob.revoke("cy")
    send(bob, cy)
    assert roles_of(members(cy.store)) == {"ada": A, "bob": A}


def test_members_are_worked_out_once_while_nothing_changes(world: World) -> None:
    ada = world.sites[0]
    ada.grant("bob")
    found = members(ada.store)
    ada.put("t", 1)
    assert members(ada.store) is found
    ada.grant("cy")
    assert members(ada.store) is not found


def test_members_are_worked_out_anew_after_a_rollback_and_after_what_others_wrote(
    world: World,
) -> None:
    ada, bob, _ = world.sites
    with suppress(KeyError), ada.store.transaction():
        ada.grant("bob")
        assert author("bob") in members(ada.store)
        raise KeyError
    assert author("bob") not in members(ada.store)
    with Store.open(ada.store.path, world.key) as other:
        twin = replace(ada, store=other)
        twin.grant("cy")
        assert author("cy") in members(ada.store)
    assert author("bob") not in members(bob.store)


@pytest.mark.parametrize("value", [None, "text", 7])
def test_a_damaged_grant_is_damage(world: World, value: str | int | None) -> None:
    ada = world.sites[0]
    ada.grant("bob")
    change(ada.store, "UPDATE entry SET payload = ?", value)
    with pytest.raises(DamagedError):
        members(ada.store)


def test_an_admin_keeps_all_that_it_holds_of_whom_it_removes(world: World) -> None:
    ada, bob, _ = world.sites
    ada.grant("bob", A)
    send(ada, bob)
    bob.put("t", 1)
    bob.put("t", 2)
    send(bob, ada)
    bob.put("t", 3)
    assert sizes_to_keep(ada.store, author("bob"), author("ada")) == {bob.log.incarnation: 2}


def test_who_was_removed_keeps_only_what_its_remover_wrote_before(world: World) -> None:
    ada, bob, _ = world.sites
    ada.grant("bob", A)
    send(ada, bob)
    bob.put("t", 1)
    bob.revoke("ada")
    bob.put("t", 2)
    send(bob, ada)
    assert author("ada") not in members(ada.store)
    assert sizes_to_keep(ada.store, author("bob"), author("ada")) == {bob.log.incarnation: 1}


def test_a_member_says_who_it_is() -> None:
    found: Members = Scene("ada").members()
    assert found[author("ada")] == Member(card=keys_of("ada").card, role=A)
    assert len(found) == len(list(found)) == 1
