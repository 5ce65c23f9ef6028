import os
from pathlib import Path
from typing import cast

import pytest

from tests.cli.computers import Computer, new_pair

HOUR = 3600


@pytest.fixture
def farm(tmp_path: Path) -> Computer:
    farm, _ = new_pair(tmp_path)
    farm.types("put", "field/3", f'{{"noise": "{os.urandom(20_000).hex()}"}}')
    farm.types("ledger", "share", "home")
    return farm


def planned(farm: Computer, *words: str) -> dict[str, object]:
    found = cast("list[dict[str, object]]", farm.asks("plan", *words))
    assert len(found) == 1
    return found[0]


def test_all_of_it_within_the_hour(farm: Computer) -> None:
    plan = planned(farm, "home", "--rate", "1000")
    assert plan["hour_bytes"] == plan["bytes"]
    assert 20 <= cast("int", plan["lands_seconds"]) <= 24
    assert "all of it within this hour" in farm.types("plan", "home", "--rate", "1000").out


def test_sizes_are_those_that_travel(farm: Computer, tmp_path: Path) -> None:
    (item,) = cast("list[dict[str, object]]", planned(farm, "home", "--rate", "9")["items"])
    assert (item["what"], item["size"]) == ("entries", "sealed")
    farm.types("pack", "home", "--into", str(tmp_path / "out"), "--mtu", "30000")
    packed = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert abs(packed - cast("int", item["bytes"])) < 100


def test_a_duty_cycle_leaves_the_rest_for_later_hours(farm: Computer) -> None:
    plan = planned(farm, "home", "--rate", "100", "--duty", "1")
    # Two frames of 1400 bytes: a third one is more than a hundredth of an hour.
    assert plan["hour_bytes"] == 2 * 1390
    assert 5 * HOUR <= cast("int", plan["lands_seconds"]) <= 8 * HOUR
    assert plan["spent_percent"] == 0
    line = farm.types("plan", "home", "--rate", "100", "--duty", "1%").lines[0]
    assert "this hour, all of it in " in line


def test_contents_of_files_are_an_estimate(farm: Computer, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(50_000))
    farm.types("add", str(tmp_path / "noise"))
    items = cast("list[dict[str, object]]", planned(farm, "home", "--rate", "1000")["items"])
    assert [(one["what"], one["size"]) for one in items] == [
        ("entries", "sealed"),
        ("files", "estimated"),
    ]
    assert 50_000 <= cast("int", items[1]["bytes"]) <= 51_000
    assert "about 50" in farm.types("plan", "home", "--rate", "1000").out


def test_a_configured_link_says_rate_and_duty(farm: Computer) -> None:
    farm.configure(
        '[transport.radio]\nkind = "udp"\npeer = "home"\naddress = "192.0.2.7:4000"\n'
        "mtu = 222\nrate = 500\nduty = 2.8\n"
    )
    plans = [planned(farm, *words) for words in (("radio",), ("home",), ())]
    assert {plan["link"] for plan in plans} == {"radio"}
    assert len({plan["lands_seconds"] for plan in plans}) == 1
    other = planned(farm, "radio", "--rate", "50")
    assert cast("int", other["lands_seconds"]) > 5 * cast("int", plans[0]["lands_seconds"])


def test_nothing_is_sent_or_fixed(farm: Computer) -> None:
    planned(farm, "home", "--rate", "1000")
    with farm.node() as node:
        assert {one.written for one in node.db.queued_bundles()} == {0}


def test_what_waits_for_nobody_is_said(farm: Computer, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    farm.configure("[peer.home]\noneway = true\nrepeat = 1\n")
    farm.types("exchange", str(stick))
    assert "nothing waits" in farm.types("plan", "home", "--rate", "1000").out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "no link to a peer is configured"),
        (("home",), "say --rate"),
        (("home", "--rate", "1", "--duty", "x"), "no percentage"),
        (("home", "--rate", "1", "--duty", "101"), "no percentage"),
        # With exponents 1e999999999 would be computed, which takes for ever.
        (("home", "--rate", "1", "--duty", "1e1"), "no percentage: write --duty 2.8"),
        (("nobody", "--rate", "1"), "no peer is called nobody"),
    ],
)
def test_what_cannot_be_planned(farm: Computer, words: tuple[str, ...], text: str) -> None:
    assert text in farm.types("plan", *words, status=2).err
