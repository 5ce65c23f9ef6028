"""An author shows two histories to people who never meet: what witnesses pass on finds it out."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bundler.sections import Section, encode_section
from bundler.witness_section import WitnessSection
from ledger.contradiction import proof_from_bytes
from ledger.fork import Fork
from ledger.log import LogState, LogStatus
from ledger.members import members
from ledger.testimony import contradiction_of, heard_of
from pannier.cli.peer_trust import trust_lines
from pannier.have import own_have
from pannier.lacks import pieces
from pannier.notice import notice_for
from pannier.trust import trust
from pannier.way import Way
from tests.sim import attacks
from tests.sim.world import DAY_US, World, faults

HALF_X, HALF_Y = ("ada", "abe"), ("bea", "bob")
THIRD, AUTHOR = "mid", "eve"
NAMES = (*HALF_X, *HALF_Y, THIRD, AUTHOR)
SYMBOL_BYTES = 1360
FIRST_LIFE = f"backup-{AUTHOR}-1"
"""Eve's home when she had told the first history."""

Shown = Callable[[Path, int, int], World]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Worlds in which eve, a member, showed two histories; made once and copied for each test."""
    made: dict[tuple[int, int], tuple[Path, int]] = {}

    def world_of(folder: Path, x_entries: int, y_entries: int) -> World:
        sizes = (x_entries, y_entries)
        if sizes not in made:
            made[sizes] = _show(tmp_path_factory.mktemp("shown") / "world", *sizes)
        origin, now_us = made[sizes]
        shutil.copytree(origin, folder / "world")
        world = World(folder / "world", ())
        world.clock.now_us = now_us
        for name in NAMES:
            world.take_over(name)
        return world

    return world_of


def _show(folder: Path, x_entries: int, y_entries: int) -> tuple[Path, int]:
    with World(folder, NAMES) as world:
        world.found("ada", *NAMES[1:])
        world.rounds(NAMES, 2, "founding")
        world.put(AUTHOR, "well", 12)
        world.rounds((AUTHOR, *HALF_X, *HALF_Y), 2, "common")
        before = world.back_up(AUTHOR)
        tell(world, HALF_X, x_entries, "x")
        assert world.back_up(AUTHOR).name == FIRST_LIFE
        world.restore(AUTHOR, before)
        tell(world, HALF_Y, y_entries, "y")
        return folder, world.clock.now_us


@pytest.fixture
def world(shown: Shown, tmp_path: Path) -> Iterator[World]:
    """Ada and abe were shown one history, bea and bob another one, of as many entries."""
    with shown(tmp_path, 3, 3) as world:
        yield world


def tell(world: World, half: Sequence[str], count: int, prefix: str) -> None:
    """Let eve write to this half alone, from the copy of her home that she made before."""
    for number in range(count):
        world.put(AUTHOR, f"{prefix}/{number}", prefix)
    world.rounds((AUTHOR, *half, AUTHOR, *half), 1, f"stick of {prefix}")


def log_of_eve(world: World, name: str) -> LogState:
    """The log of eve's that node *name* knows of, which may be empty."""
    (state,) = [one for one in world.store(name).logs() if one.name.author == author(world)]
    return state


def author(world: World) -> bytes:
    return world[AUTHOR].card.author


def knows(world: World, name: str) -> bool:
    """Whether *name* has a proof of its own that convinces anybody."""
    store = world.store(name)
    state = log_of_eve(world, name)
    verifier = members(store)[author(world)].card.verifier
    proofs = [*store.evidence("contradiction"), *store.evidence("fork")]
    for _, data in proofs:
        proof_from_bytes(data).verify(store.ledger_id, state.name, verifier)
    return bool(proofs) and state.status is LogStatus.FORKED and faults(world[name]) == []


def witness_of(world: World, name: str, to: str) -> WitnessSection:
    """What *name* would tell *to* of logs today, and nothing else."""
    world.clock.pass_days(1.1)
    way = Way.to(world[name], world[name].peer_named(to), symbol_bytes=SYMBOL_BYTES)
    (section,) = [one for one in notice_for(way).sections if isinstance(one, WitnessSection)]
    return section


def bring(world: World, sender: str, recipient: str, section: Section, stick: str) -> None:
    """Leave a bundle with one section on a stick."""
    sealed = attacks.sealed_by(world[sender], world[recipient], [encode_section(section)])
    attacks.leave(world, sender, recipient, sealed, stick)


def pass_on(world: World, sender: str, recipient: str, stick: str) -> list[str]:
    """A stick from which the larger bundles were lost: only the witness section arrives.

    Returns:
        What the recipient notes.
    """
    bring(world, sender, recipient, witness_of(world, sender, recipient), stick)
    # Whoever imports writes nothing back: the halves go on knowing nothing of each other.
    return [
        note
        for note in world.exchange(recipient, stick).report.notes
        if "signed two histories" in note
    ]


@pytest.mark.parametrize(
    ("sender", "recipient"), [("ada", "bea"), ("bob", "ada"), ("abe", "bob"), ("bea", "abe")]
)
def test_one_trip_between_any_two_of_different_halves_is_enough(
    world: World, sender: str, recipient: str
) -> None:
    assert pass_on(world, sender, recipient, "meeting")
    assert knows(world, recipient)


def test_all_come_to_know_and_nobody_takes_either_history_any_further(world: World) -> None:
    pass_on(world, "ada", "bea", "meeting")
    everybody = ("bea", "bob", "ada", "abe")
    world.rounds(everybody, 2, "later")
    assert [knows(world, name) for name in everybody] == [True] * 4
    sizes = {name: log_of_eve(world, name).size for name in everybody}
    world.put(AUTHOR, "y/more", 1)
    for name in HALF_Y:
        world.rounds((AUTHOR, name), 1, f"more for {name}")
    assert {name: log_of_eve(world, name).size for name in everybody} == sizes


def test_where_both_branches_come_together_the_entry_that_differs_is_found(world: World) -> None:
    pass_on(world, "ada", "bea", "meeting")
    state = log_of_eve(world, "bea")
    assert (state.status, state.fork_index) == (LogStatus.FORKED, None)
    world.rounds(("bea", "ada"), 3, "later")
    for name in ("ada", "bea"):
        ((_, proof),) = world.store(name).evidence("fork")
        assert log_of_eve(world, name).fork_index == Fork.from_bytes(proof).index == 1


@pytest.mark.parametrize("to", ["bea", AUTHOR])
def test_who_only_heard_of_the_other_branch_sends_its_own_whole(world: World, to: str) -> None:
    """Also after it was said which branch the other one holds: else the two never come together."""
    world.forget("ada")
    node = world[to]
    (have,) = own_have(node, node.peer_named("ada"), list(node.ledgers())).sections
    bring(world, to, "ada", have, "have")
    world.exchange("ada", "have")
    pass_on(world, "bea", "ada", "witness")
    assert log_of_eve(world, "ada").fork_index is None
    way = Way.to(world["ada"], world["ada"].peer_named(to), symbol_bytes=SYMBOL_BYTES)
    assert way.known.log(world.store("ada").ledger_id, log_of_eve(world, "ada").name)
    world["ada"].db.run("DELETE FROM bundle")
    spans = [piece.span for piece in pieces(way) if piece.state.name.author == author(world)]
    assert spans == [(0, 4)]


@pytest.mark.parametrize("sizes", [(3, 3), (3, 5)], ids=str)
def test_a_third_who_holds_neither_carries_the_proof_or_what_makes_one(
    shown: Shown, tmp_path: Path, sizes: tuple[int, int]
) -> None:
    world = shown(tmp_path, *sizes)
    pass_on(world, "ada", THIRD, "from x")
    assert log_of_eve(world, THIRD).size == 0
    pass_on(world, "bea", THIRD, "from y")
    is_equal = sizes[0] == sizes[1]
    assert knows(world, THIRD) is is_equal
    if not is_equal:
        # Of two sizes only who holds the longer history can say that they do not fit.
        longer = "ada" if sizes[0] > sizes[1] else "bea"
        assert len(heard_of(world.store(THIRD), log_of_eve(world, THIRD))) == 2
        assert pass_on(world, THIRD, longer, "back")
        assert knows(world, longer)
        world.rounds((longer, THIRD), 1, "proof")
    assert knows(world, THIRD)
    world.rounds((THIRD, "abe", "bob"), 1, "on")
    assert knows(world, "abe")
    assert knows(world, "bob")


def test_what_was_heard_before_counts_when_the_log_has_grown_that_far(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever is honest begins anew when it hears what it has lost; eve is not.
    monkeypatch.setattr("pannier.witnessing.begin_anew", lambda *_, **__: None)
    world = shown(tmp_path, 3, 5)
    assert pass_on(world, "bea", "ada", "early") == []
    assert log_of_eve(world, "ada").status is LogStatus.OPEN
    world.restore(AUTHOR, world.folder / FIRST_LIFE)
    tell(world, HALF_X, 1, "z")
    assert log_of_eve(world, "ada").status is LogStatus.OPEN
    tell(world, HALF_X, 3, "w")
    assert knows(world, "ada")


def test_the_proof_alone_travels_to_who_never_met_the_other_half(world: World) -> None:
    pass_on(world, "ada", "bea", "meeting")
    assert contradiction_of(world.store("bea"), log_of_eve(world, "bea"))
    world.rounds(("bea", "bob"), 1, "home")
    assert contradiction_of(world.store("bob"), log_of_eve(world, "bob"))
    assert world.store("bob").evidence("fork") == []
    assert knows(world, "bob")


def test_an_honest_author_who_restored_a_backup_settles_it(world: World) -> None:
    pass_on(world, "ada", "bea", "meeting")
    everybody = (AUTHOR, *HALF_X, *HALF_Y, THIRD)
    world.rounds(everybody, 5, "settling")
    assert {log_of_eve_first(world, name).status for name in everybody} == {LogStatus.CLOSED}
    assert all(faults(world[name]) == [] for name in everybody)


def log_of_eve_first(world: World, name: str) -> LogState:
    """The oldest of eve's logs."""
    return next(one for one in world.store(name).logs() if one.name.author == author(world))


def test_the_evidence_about_the_author_is_shown(world: World) -> None:
    before = trust(world["bea"], world["bea"].peer_named(AUTHOR))
    pass_on(world, "ada", "bea", "meeting")
    after = trust(world["bea"], world["bea"].peer_named(AUTHOR))
    (log,), (was,) = after.ledgers[0].logs, before.ledgers[0].logs
    assert (was.status, was.two_histories) == ("open", False)
    assert (log.status, log.two_histories) == ("forked", True)
    said = {one.who: (one.size, one.is_same) for one in log.witnesses}
    assert said["ada"] == (4, False)
    text = "\n".join(trust_lines(after))
    assert "TWO HISTORIES" in text
    assert "ada holds 4, and NOT what is here" in text
    assert "TWO HISTORIES" not in "\n".join(trust_lines(before))


def test_witness_sections_ride_along_once_a_day_and_are_no_news(world: World) -> None:
    world.clock.now_us += 2 * DAY_US
    world.rounds(("ada", "abe"), 6, "quiet")
    counter = world["ada"].counting.counter()
    told_us = world["ada"].db.witness_told_us(world["abe"].card.node_id)
    for _ in range(5):
        world.clock.now_us += 2 * DAY_US
        world.rounds(("ada", "abe"), 1, "quiet")
    assert world["ada"].counting.counter() == counter
    assert world["ada"].db.witness_told_us(world["abe"].card.node_id) == told_us
