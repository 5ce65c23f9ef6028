"""Whatever happens to some nodes: nothing is lost, nothing is twice, nothing is believed."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from pannier.errors import UsageError
from tests.proving import network, network_deeds
from tests.proving.network import HAPPENINGS, command_of, kind_of, live, lived, problem_of
from tests.proving.network_life import Life
from tests.proving.network_plan import FEATURES, USUAL, Plan, plan_of
from tests.proving.network_records import Records
from tests.proving.network_shrink import shrink
from tests.sim.deeds import Deed, typed

SCHEDULES = 16
PLAIN = Plan(0, ("ada", "bea", "cyd"), ("mel",), 1400, 30, 0, frozenset())


def deeds(text: str) -> list[Deed]:
    return [Deed.from_text(one) for one in text.split()]


def test_schedules_end_well() -> None:
    """A few of those that `make soak` lives by the thousand."""
    seen: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        plan, drawn = plan_of(seed)
        try:
            seen += live(plan, drawn)
        except Exception as error:
            raise AssertionError(command_of(seed, drawn)) from error
    must = ("merged", "puts", "carried", "held", "by wire", "by air", "restored", "years")
    assert [what for what in must if not seen[what]] == [], "they came to nothing"


@pytest.mark.parametrize(
    "text",
    [
        "link:0:0 put:0:1 backup:0:0 put:0:1 link:0:0 restore:0:4 link:0:0",
        "link:0:0 backup:1:0 put:1:1 link:1:0 restore:1:3 visit:1:1 visit:0:1",
        "broadcast:0:4 put:0:1 broadcast:0:5 link:1:1",
        "link:0:0 link:1:1 clone:2:0 put:2:1 put:2:2 visit:2:1 visit:2:2 link:0:1",
        "link:0:0 link:0:1 put:2:1 revoke:0:2 put:2:2 visit:2:1 visit:1:1 visit:0:1",
        "link:0:0 add:0:1 full-stick:0:1 visit:1:1 full-home:1:1 full-home:1:3",
        "join:0:0 join:1:2 join:2:4 join:0:1 visit:0:1 visit:1:1 visit:2:1 years:0:3",
        "jump:0:5 jump:1:6 put:0:1 link:0:0 visit:0:2 visit:1:2 spoil:0:2 visit:2:2",
        "backup:0:0 put:0:1 link:0:0 restore:0:1 put:0:1 link:1:0",  # learns it when it is called
    ],
)
def test_what_is_told_of_ends_well(text: str) -> None:
    assert problem_of(PLAIN, deeds(text)) == ""


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        (
            62,  # a removed member repeats itself over a wire
            "link:3:6 revoke:1:14 share:20:18 link:21:0 put:50:40 hang-up:15:12 put:17:49 "
            "join:43:18 lose:57:8 visit:31:14 delete:33:52 visit:56:41 visit:31:9 "
            "join:52:47 lose:16:46 share:56:33 put:25:16 put:34:42 revoke:23:18 "
            "visit:14:41 put:54:57 link:17:43 put:38:45 tear:1:48",
        ),
        (
            112,  # a restored home must ask a person before it hears of itself
            "hang-up:53:3 review:49:25 tear:59:22 backup:11:53 restore:40:6 visit:2:36 "
            "revoke:30:4 put:43:52 review:4:54 backup:32:46 put:23:23 link:44:3 "
            "restore:47:50 visit:29:57",
        ),
        (
            138,  # a key is newer than a restored home
            "link:26:26 backup:9:13 restore:35:18 backup:58:23 link:29:14 restore:59:30 "
            "link:20:32 restore:20:40",
        ),
        (
            147,  # a home is rolled back again and again
            "put:6:39 backup:14:25 put:52:57 visit:40:58 visit:10:27 put:51:40 share:41:5 "
            "restore:8:48 backup:33:25 visit:24:9 visit:31:7 backup:6:46 visit:34:19 "
            "visit:26:28 restore:50:58 visit:5:41 visit:29:38 put:45:43 copy:9:24 "
            "visit:24:54 restore:18:4 lose:51:59 put:42:19 copy:38:23 visit:35:13 "
            "visit:7:58",
        ),
        (
            5086,  # contents come of entries that count for nobody
            "add:33:27 tear:10:31 share:26:2 add:18:18 lose:1:41 visit:13:59 put:20:13 "
            "copy:4:27 copy:16:54 visit:23:56 put:39:51 add:43:23 tear:4:49 visit:20:0 "
            "put:12:15 tear:7:43 full-home:27:29 share:57:9 full-home:0:0 visit:9:37 "
            "full-home:32:36 revoke:20:58 share:0:4 visit:30:1",
        ),
        (
            4601,  # a broadcast brings an entry, not its content, and its author forgets both
            "backup:40:26 add:2:22 broadcast:58:10 restore:22:48",
        ),
        (
            9200,  # the first that a restored node hears is the proof of its two histories
            "visit:14:47 visit:3:59 put:45:33 forget:45:33 backup:9:7 put:27:57 visit:35:29 "
            "restore:49:54 put:59:51 visit:37:1 visit:12:33 restore:49:56",
        ),
        (
            5679,  # who lost its node.db counts anew, and was not told that it is older
            "backup:21:36 tear:18:49 restore:3:41 forget:21:24 visit:21:20 put:0:12",
        ),
        (
            2559,  # who wrote on before it could know settles it by the shorter of two branches
            "link:28:24 put:19:57 backup:52:10 put:55:54 link:33:34 put:25:1 link:41:55 "
            "restore:13:55 full-home:19:37",
        ),
        (
            7130,  # the bundle that no key opens is replaced by another before that is heard
            "visit:38:3 backup:20:15 visit:43:8 tear:59:55 put:58:2 days:32:34 visit:28:54 "
            "put:23:45 backup:51:49 restore:24:54 full-home:16:26 share:43:44 visit:27:54 "
            "visit:4:42 restore:25:54 restore:45:16",
        ),
        (
            3546,  # two are restored to before a third was granted, who thinks that they hold all
            "revoke:18:32 backup:37:8 backup:0:10 share:39:5 tear:33:1 visit:34:57 visit:6:1 "
            "visit:36:55 restore:25:36 restore:57:21 visit:15:49 tear:46:3",
        ),
        (
            1308,  # contents come of an entry that somebody merged before it was void
            "visit:12:15 visit:2:59 add:18:32 visit:58:19 visit:57:43 revoke:47:10 visit:5:20",
        ),
    ],
)
def test_what_once_ended_badly_ends_well(seed: int, text: str) -> None:
    assert problem_of(plan_of(seed)[0], deeds(text)) == ""


def test_many_nodes_end_well() -> None:
    plan, drawn = plan_of(3, nodes=12)
    assert problem_of(plan, drawn[:8]) == ""


def test_a_life_can_be_lived_again() -> None:
    plan, drawn = plan_of(5)
    assert plan_of(5) == (plan, drawn)
    assert live(plan, drawn) == live(plan, drawn)


def test_everything_that_is_drawn_can_happen() -> None:
    drawn = {kind for _, kinds in FEATURES.values() for kind in kinds}
    assert drawn | set(USUAL) == set(HAPPENINGS)


def test_deeds_are_read_as_they_are_typed() -> None:
    _, drawn = plan_of(7)
    assert deeds(typed(drawn)) == drawn


class TestWhatIsBroken:
    """Without a defence the laboratory says so, with a few deeds that show it."""

    def test_a_home_that_does_not_see_that_it_is_older(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "link:0:0 visit:2:3 backup:0:0 put:0:1 put:1:1 link:0:0 days:0:3 restore:0:4"
        monkeypatch.setattr("pannier.statements._notice_restored_backup", lambda *_: None)
        monkeypatch.setattr("pannier.merging.take_back", lambda *_, **__: None)
        assert problem_of(PLAIN, deeds(text)) != ""

    def test_a_put_that_is_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def put(life: Life, home: str, _: int) -> None:
            life.put(home, "one", "gazebo")
            life.records.held.clear()
            next(iter(life.records.acknowledged.values())).ledger = life.world.store(
                home, "one"
            ).ledger_id
            life.records.acknowledged[99] = life.records.acknowledged[1]

        monkeypatch.setitem(network_deeds.DEEDS, "put", put)
        monkeypatch.setitem(network.HAPPENINGS, "put", put)
        assert "lacks 99" in problem_of(PLAIN, deeds("put:0:1"))

    def test_what_was_said_and_is_not_kept(self, tmp_path: Path) -> None:
        """An author that does not hold what another heard of it, though both are looked at."""
        life = Life(tmp_path, PLAIN)
        with life.world:
            for one in deeds("backup:0:0 put:0:1 link:0:0 restore:0:1"):
                HAPPENINGS[one.kind](life, life.home_of(one), one.what)
            life.records = Records()  # as if it had said that before it kept it
            with pytest.raises(AssertionError, match=r"bea believes what .* never wrote"):
                life.look("bea", "ada")

    def test_contents_that_are_not_taken_though_an_entry_that_counts_names_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "pannier.contents.Keeper.add", lambda _, chunks: [chunk.digest for chunk in chunks]
        )
        assert "still holds what waits for Wait(kind='blob'" in problem_of(PLAIN, deeds("add:0:1"))

    def test_what_is_short_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise UsageError("no")

        monkeypatch.setitem(network.HAPPENINGS, "lose", fail)
        seed = next(seed for seed in range(99) if "lose" in str(plan_of(seed)[1]))
        ended = lived(seed)
        assert [one.kind for one in ended.deeds] == ["lose"]
        assert "UsageError: no" in ended.problem
        assert kind_of(ended.problem)


def test_as_little_as_fails_is_left() -> None:
    tried: list[int] = []

    def fails(some: Sequence[int]) -> bool:
        tried.append(1)
        return {3, 17} <= set(some)

    assert shrink(range(40), fails, lambda: True) == [3, 17]
    assert len(tried) < 60
    assert shrink(range(40), fails, lambda: False) == list(range(40))
