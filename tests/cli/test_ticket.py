import os
import random
import re
from pathlib import Path

import pytest

from bundler.fragment import Fragment, is_plausible
from bundler.join import Need
from bundler.ticket import Ticket
from pannier.ticket_words import from_spoken, to_text
from tests.cli.computers import Computer, acquaint, new_computer, new_pair
from tests.pannier.links.test_carousel import carousel, fragments, frames_of, has, hear, put, sent
from transports.link.frame import OneWay

Pair = tuple[Computer, Computer]
LOST = 7


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Of what the farm sent, home lacks LOST symbols, and cannot say so."""
    farm, home = new_pair(tmp_path)
    put(farm, "field/3", 4000)
    heard = sent(farm, overhead_percent=0)
    del heard[3 : 3 + LOST]
    assert hear(home, heard) == {}
    return farm, home


def ticket_of(computer: Computer, *options: str) -> str:
    first, text = computer.types("ticket", *options).lines
    assert f"{LOST} of " in first
    return text.strip()


@pytest.mark.parametrize("form", [(), ("--words",), ("--digits",)])
def test_a_ticket_brings_just_what_is_missing(
    pair: Pair, tmp_path: Path, form: tuple[str, ...]
) -> None:
    farm, home = pair
    text = ticket_of(home, *form)
    assert len(from_spoken(text)) == 12
    done = farm.types(
        "ticket", "redeem", *text.split(), "--into", str(tmp_path / "new"), "--mtu", "222"
    )
    assert f"{LOST + 2} new symbols" in done.out
    files = sorted((tmp_path / "new").iterdir())
    ids = [Fragment.from_bytes(path.read_bytes(), is_plausible).payload_id for path in files]
    assert len(ids) == LOST + 2
    home.types("unpack", *map(str, files[:LOST]))
    assert has(home, "field/3")
    assert "Nothing is missing" in home.types("ticket").out


def test_without_a_folder_it_goes_first_in_the_next_round(pair: Pair) -> None:
    farm, home = pair
    put(farm, "field/4", 6000)
    text = ticket_of(home)
    with carousel(farm) as one:
        before = {part.payload_id for part in fragments(frames_of(one, 20))}
        assert "go first" in farm.types("ticket", "redeem", text).out
        frames = [one.supply(3_000_000) for _ in range(LOST + 2)]
    heard = [frame for frame in frames if isinstance(frame, OneWay)]
    assert not before & {part.payload_id for part in fragments(heard)}
    assert hear(home, heard) == {"merged": 1}
    assert has(home, "field/3")


def test_no_symbol_is_made_twice_by_any_way(pair: Pair, tmp_path: Path) -> None:
    farm, home = pair
    text = ticket_of(home)
    farm.types(
        "pack", "home", "--into", str(tmp_path / "packed"), "--mtu", "222", "--repair", "20%"
    )
    for folder in ("one", "two"):
        farm.types("ticket", "redeem", text, "--into", str(tmp_path / folder), "--mtu", "222")
    farm.types("ticket", "redeem", text)
    with carousel(farm) as one:
        onward = [part.payload_id for part in fragments(frames_of(one, 50))]
    made = [
        Fragment.from_bytes(path.read_bytes(), is_plausible).payload_id
        for folder in ("packed", "one", "two")
        for path in (tmp_path / folder).iterdir()
    ]
    assert len(set(made + onward)) == len(made) + len(onward)


def test_several_tickets_at_once(pair: Pair, tmp_path: Path) -> None:
    farm, home = pair
    ranch = new_computer(tmp_path, "ranch")
    acquaint(farm, ranch)
    farm.types("ledger", "share", "ranch")
    assert hear(ranch, sent(farm, "ranch")[:15]) == {}
    texts = [str(one["ticket"]) for each in (home, ranch) for one in lackings(each)]
    assert len(texts) == 2
    done = farm.types("ticket", "redeem", *texts, texts[0], "--into", str(tmp_path / "new"))
    assert len(done.lines) == 2
    for each in (home, ranch):
        each.types("unpack", str(tmp_path / "new"))
        assert has(each, "field/3")


def lackings(computer: Computer) -> list[dict[str, object]]:
    found = computer.asks("ticket")
    assert isinstance(found, list)
    return found


class TestRefused:
    def test_frames_too_short_for_a_symbol(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        words = (ticket_of(home), "--into", str(tmp_path / "new"), "--mtu", "100")
        assert "no symbol of 168 bytes fits" in self.refused(farm, *words)

    def refused(self, computer: Computer, *words: str) -> str:
        return computer.types("ticket", "redeem", *words, status=2).err

    def test_what_is_no_ticket(self, pair: Pair) -> None:
        farm, _ = pair
        assert "no ticket" in self.refused(farm, "abc")
        assert "which ticket" in self.refused(farm)
        assert "pannier ticket redeem" in farm.types("ticket", "a", "b", status=2).err

    def test_a_word_misheard(self, pair: Pair) -> None:
        farm, home = pair
        words = ticket_of(home, "--words").split()
        words[4] = "treadmell"
        assert "word 5, 'treadmell', is none of the list: treadmill" in self.refused(farm, *words)

    def test_a_ticket_of_somebody_else(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        (one,) = lackings(home)
        number = bytes.fromhex(str(one["bundle"]))
        for key in (bytes(32), os.urandom(32)):
            forged = Ticket.of(key, number, [Need(0, 5)])
            assert "misread, or made by somebody else" in self.refused(
                farm, to_text(forged.to_bytes())
            )
        unknown = Ticket.of(bytes(32), bytes(8), [Need(0, 5)])
        assert "no bundle of this node begins with 00000000" in self.refused(
            farm, to_text(unknown.to_bytes())
        )

    def test_more_than_there_is(self, pair: Pair) -> None:
        farm, home = pair
        (one,) = lackings(home)
        number = bytes.fromhex(str(one["bundle"]))
        with home.node() as node:
            key = node.shared.fragment_key_to(node.peer_named("farm").node_id)
        for wanted in ([Need(0, 60_000)], [Need(3, 1)]):
            text = to_text(Ticket.of(key, number, wanted).to_bytes())
            assert "more than there is" in self.refused(farm, text)
        with farm.node() as node:
            assert not node.db.rows("SELECT * FROM redeemed")

    def test_what_has_arrived_meanwhile(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        text = ticket_of(home)
        for each in (farm, home, farm):
            (tmp_path / "stick").mkdir(exist_ok=True)
            each.types("exchange", str(tmp_path / "stick"))
        assert "waits no more, it was confirmed" in self.refused(farm, text)


def test_one_bundle_can_be_asked_for(pair: Pair) -> None:
    _, home = pair
    (one,) = lackings(home)
    number = str(one["bundle"])
    assert number in home.types("ticket", number[:5]).out
    assert "begins with ffff0000ffff" in home.types("ticket", "ffff0000ffff", status=2).err
    assert re.fullmatch("[A-Z2-7-]+", str(one["ticket"]))


def test_random_losses_and_one_ticket_are_enough(tmp_path: Path) -> None:
    farm, home = new_pair(tmp_path)
    put(farm, "field/3", 30_000)
    rng = random.Random(4)
    assert hear(home, [one for one in sent(farm) if rng.random() > 0.4]) == {}
    farm.types("ticket", "redeem", str(lackings(home)[0]["ticket"]))
    with carousel(farm, rounds=1) as one:
        assert hear(home, frames_of(one)) == {"merged": 1}
