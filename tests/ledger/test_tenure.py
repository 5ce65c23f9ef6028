"""Who wins where admins remove each other, and that nothing but the set of facts decides it."""

from itertools import permutations
from time import monotonic

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger.entry import Action
from ledger.facts import Grant, Role
from ledger.members import EVERYTHING, Members
from ledger.tenure import rule
from tests.ledger.scene import NAMES, Scene, log_of, roles_of
from tests.ledger.world import keys_of

R, W, A = Role.READER, Role.WRITER, Role.ADMIN


@pytest.fixture
def scene() -> Scene:
    """Ada founded the ledger, and made admins of bob and cy, who made one of dee."""
    made = Scene("ada")
    made.grant("ada", "bob", A)
    made.grant("ada", "cy", A)
    made.grant("cy", "dee", A)
    return made


def test_an_elder_who_does_not_fight_back_is_removed(scene: Scene) -> None:
    scene.revoke("dee", "ada")
    assert scene.roles() == {"bob": A, "cy": A, "dee": A}
    scene.revoke("ada", "dee", log=1)  # too late: of a log that dee did not know nothing counts
    scene.grant("ada", "eve")
    assert scene.counted("ada") == 2


def test_an_elder_who_fights_back_wins(scene: Scene) -> None:
    removal = scene.revoke("dee", "ada")
    assert "ada" not in scene.roles()
    scene.revoke("ada", "dee", {0: removal.number}, log=1)
    assert scene.roles() == {"ada": A, "bob": A, "cy": A}
    assert (scene.counted("ada"), scene.counted("ada", 1)) == (EVERYTHING, EVERYTHING)


def test_an_elder_who_keeps_the_word_that_removed_it_stays_removed(scene: Scene) -> None:
    scene.revoke("dee", "ada")
    scene.revoke("ada", "dee", log=1)
    assert scene.roles() == {"bob": A, "cy": A, "dee": A}


def test_of_two_who_remove_each_other_at_once_the_elder_wins(scene: Scene) -> None:
    scene.revoke("dee", "cy", {0: 1})
    scene.revoke("cy", "dee", {0: 0})
    assert scene.roles() == {"ada": A, "bob": A, "cy": A}


def test_who_came_first_in_the_genesis_is_the_elder() -> None:
    scene = Scene("ada", "bob")
    scene.revoke("ada", "bob", {0: 0})
    scene.revoke("bob", "ada", {0: 0})
    assert scene.roles() == {"ada": A}


def test_an_elder_must_remove_all_who_removed_it() -> None:
    scene = Scene("ada", "bob", "cy")
    scene.revoke("bob", "ada")
    scene.revoke("cy", "ada")
    scene.revoke("ada", "bob", {0: 0}, log=1)
    assert scene.roles() == {"bob": A, "cy": A}
    scene.revoke("ada", "cy", {0: 0}, log=1)
    assert scene.roles() == {"ada": A}


def test_in_a_circle_the_eldest_wins() -> None:
    scene = Scene("ada", "bob", "cy")
    scene.revoke("ada", "bob", {0: 0})
    scene.revoke("bob", "cy", {0: 0})
    scene.revoke("cy", "ada", {0: 1})
    assert scene.roles() == {"cy": A}, "ada said nothing against cy"
    scene.revoke("ada", "cy", {0: 0})
    assert scene.roles() == {"ada": A}


def test_in_a_circle_the_eldest_wins_where_it_speaks_of_all() -> None:
    scene = Scene("ada", "bob", "cy")
    scene.revoke("ada", "bob", {0: 0})
    scene.revoke("ada", "cy", {0: 0})
    scene.revoke("bob", "cy", {0: 0})
    scene.revoke("cy", "ada", {0: 0})
    assert scene.roles() == {"ada": A}


def test_who_is_taken_back_is_junior_to_who_took_it_back() -> None:
    scene = Scene("ada")
    scene.grant("ada", "bob", A)
    scene.grant("ada", "cy", A)
    removal = scene.revoke("ada", "bob")
    scene.grant("cy", "bob", A, after=[removal])
    assert scene.roles() == {"ada": A, "bob": A, "cy": A}
    scene.revoke("bob", "ada", {0: 0}, log=1)
    scene.revoke("ada", "bob", {0: 0}, log=0)
    assert scene.roles() == {"ada": A, "cy": A}


def test_nobody_is_left_where_the_only_founder_is_cut_to_nothing(scene: Scene) -> None:
    scene.revoke("bob", "ada", {})
    found = scene.members()
    assert roles_of(found) == {}
    assert found.taken(log_of("ada")) == EVERYTHING, "it may still undo that"
    assert found.taken(log_of("bob")) == EVERYTHING


def test_more_rounds_than_anybody_needs_come_to_an_end() -> None:
    """Bob frees himself step by step: each of ada's removals falls to the next of bob's."""
    scene = Scene("ada", "bob")
    for number in range(100):
        scene.revoke("ada", "bob", {0: 99 - number})
        scene.revoke("bob", "ada", {0: 99 - number})
    assert len(rule(scene.genesis, scene.facts)) <= 64
    assert len(scene.roles()) <= 2


def test_what_a_node_need_not_hear_of_a_removed_elder_it_does_not_take(scene: Scene) -> None:
    removal = scene.revoke("ada", "cy")
    found = scene.members()
    assert (found.counted(log_of("cy")), found.taken(log_of("cy"))) == (1, 1)
    scene.revoke("dee", "ada", {0: removal.number + 1})
    found = scene.members()
    assert "ada" not in roles_of(found)
    assert found.counted(log_of("ada")) == removal.number + 1
    assert found.taken(log_of("ada")) == EVERYTHING
    assert found.taken(log_of("cy")) == 1


# -- properties -----------------------------------------------------------------------------------

LOGS = (0, 1)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Grants, removals and returns by anybody, in two logs each, at sizes that matter."""
    names = st.sampled_from(NAMES[:4])
    scene = Scene(*NAMES[: draw(st.integers(1, 2))])
    for _ in range(draw(st.integers(1, 14))):
        by, whom, log = draw(names), draw(names), draw(st.sampled_from(LOGS))
        if draw(st.booleans()):
            said = scene.facts and draw(st.lists(st.sampled_from(scene.facts), max_size=3))
            scene.grant(by, whom, draw(st.sampled_from((R, W, A, A))), after=set(said), log=log)
        else:
            named = draw(st.lists(st.sampled_from(LOGS), unique=True))
            scene.revoke(by, whom, {one: draw(st.integers(0, 4)) for one in named}, log=log)
    return scene


def all_that_follows(found: Members) -> tuple[object, ...]:
    logs = [log_of(name, log) for name in NAMES for log in LOGS]
    limits = [(found.counted(log), found.taken(log)) for log in logs]
    return dict(found), limits, {one: list(found.removals_of(one)) for one in found.removed}


@settings(max_examples=150)
@given(scenes(), st.randoms(use_true_random=False))
def test_members_are_a_function_of_the_set(scene: Scene, random: object) -> None:
    shuffled = list(scene.facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    rulings = [rule(scene.genesis, order) for order in (scene.facts, shuffled + shuffled[:2])]
    logs = [log_of(name, log) for name in NAMES for log in LOGS]
    first, second = (
        [[one.limit(log, role) for log in logs for role in Role] for one in found]
        for found in rulings
    )
    assert first == second


@settings(max_examples=300)
@given(scenes(), st.data())
def test_what_is_not_taken_has_no_part_in_it(scene: Scene, data: st.DataObject) -> None:
    """Nodes that left out void facts, each as it came to know of removals, agree in the end."""
    whole = scene.members()
    idle = [fact for fact in scene.facts if fact.number >= whole.taken(fact.log)]
    missing = data.draw(st.sets(st.sampled_from(idle))) if idle else set()
    less = Members(scene.genesis, frozenset(scene.facts) - missing)
    assert all_that_follows(less) == all_that_follows(whole)


@settings(max_examples=150)
@given(scenes())
def test_a_node_takes_at_least_what_counts(scene: Scene) -> None:
    found = scene.members()
    for log in (log_of(name, number) for name in NAMES for number in LOGS):
        assert 0 <= found.counted(log) <= found.taken(log) <= EVERYTHING


@settings(max_examples=150)
@given(scenes())
def test_the_founder_can_always_have_the_last_word(scene: Scene) -> None:
    """Unless it removed itself."""
    ada = log_of("ada").author
    said = [(fact.log.author, fact.says()) for fact in scene.facts]
    assume(not any(by == ada == getattr(what, "author", None) for by, what in said))
    for name in NAMES[1:4]:
        scene.revoke("ada", name, {}, log=2)
    assert scene.roles() == {"ada": A}


def test_thousands_of_words_of_a_hostile_admin_are_soon_heard() -> None:
    """Tenures, removals and entries of one author, not one times the other."""
    scene = Scene("ada")
    scene.grant("ada", "bob", A)
    for number in range(256):
        scene.revoke("bob", "cy", {0: 500, number + 1: 3})
    card = keys_of("cy").card
    for number in range(1000):
        grant = Grant(card=card, role=A, after=(number.to_bytes(16, "big"),))
        scene.say("bob", Action.GRANT, grant.to_payload())
    for _ in range(1000):
        scene.grant("cy", "dee")
    started = monotonic()
    assert scene.roles() == {"ada": A, "bob": A, "dee": W}
    assert monotonic() - started < 5, "it took 25 s when every tenure looked at all"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_grants_and_removals_of_one_member_in_any_order(order: tuple[int, ...]) -> None:
    scene = Scene("ada")
    scene.grant("ada", "bob")
    removal = scene.revoke("ada", "bob", {0: 2})
    scene.grant("ada", "bob", after=[removal])
    facts = [scene.facts[place] for place in order]
    assert roles_of(Members(scene.genesis, facts)) == {"ada": A, "bob": W}
