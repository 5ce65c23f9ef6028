import io
import stat
from base64 import b32decode, b32encode
from pathlib import Path

import pytest
import segno

from ledger.card import Card
from pannier.cli.passphrase import PASSPHRASE
from pannier.config import read_config
from tests.cli.computers import Computer, is_one_line, new_computer, spawn, type_command
from tests.cli.terminal import at_terminal

Pair = tuple[Computer, Computer]


def altered(card: str) -> str:
    """Return a card whose name was changed by somebody else."""
    digits = card.strip().removeprefix("PANNIER1:")
    data = b32decode(digits + "=" * (-len(digits) % 8)).replace(b"home", b"homf")
    return "PANNIER1:" + b32encode(data).decode().rstrip("=")


class TestInit:
    def test_makes_a_node_that_only_its_owner_can_read(self, tmp_path: Path) -> None:
        done = type_command("init", "--home", str(tmp_path / "h"), "--name", "f", "--no-passphrase")
        assert done.status == 0
        assert done.lines[0].startswith("f is node ")
        assert done.lines[1].startswith("Fingerprint: ")
        assert "pannier card > f.card" in done.lines[2]
        modes = [
            stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "h", tmp_path / "h" / "keys", tmp_path / "h" / "keys/node.key")
        ]
        assert modes == [0o700, 0o700, 0o600]

    def test_with_keys_against_quantum_computers(self, pair: Pair, tmp_path: Path) -> None:
        farm, _ = pair
        strong = new_computer(tmp_path, "strong", "--pq")
        card = strong.types("card").out
        names = ["X25519", "ML-DSA-44", "MLKEM768-X25519"]
        assert _dict(strong.asks("card"))["algorithms"] == names
        farm.types("peer", "add", "strong", card)
        assert f"Keys: {', '.join(names)}" in farm.types("peer", "show", "strong").lines

    def test_twice_is_refused_and_changes_nothing(self, farm: Computer) -> None:
        before = (farm.home / "keys" / "node.key").read_bytes()
        for more in (["--no-passphrase"], []):
            assert "is a node already" in farm.types("init", *more, status=2).err
        assert (farm.home / "keys" / "node.key").read_bytes() == before

    def test_needs_to_hear_about_a_passphrase(self, tmp_path: Path) -> None:
        done = type_command("init", "--home", str(tmp_path / "h"))
        assert done.status == 2
        assert f"set {PASSPHRASE}, or say --no-passphrase" in done.err
        assert not (tmp_path / "h").exists()

    def test_an_empty_passphrase_is_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(PASSPHRASE, "")
        assert type_command("init", "--home", str(tmp_path / "h")).status == 2

    @pytest.mark.parametrize("name", ["", "a/b", "a\nb", "a\x9bb", "x" * 65])
    def test_a_name_that_is_none_is_refused(self, tmp_path: Path, name: str) -> None:
        words = ["init", "--home", str(tmp_path / "h"), "--no-passphrase", "--name", name]
        done = type_command(*words)
        assert (done.status, is_one_line(done.err)) == ((2, True) if name else (0, False))
        assert (tmp_path / "h").exists() == (name == "")

    def test_where_no_folder_can_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        done = type_command("init", "--home", str(tmp_path / "file" / "h"), "--no-passphrase")
        assert done.status == 1
        assert "cannot make" in done.err
        assert is_one_line(done.err)

    def test_the_next_step_can_be_typed_as_it_stands(self, tmp_path: Path) -> None:
        done = type_command(
            "init", "--home", str(tmp_path / "h"), "--no-passphrase", "--name", "it's mine"
        )
        assert """`pannier card > 'it'"'"'s mine.card'`""" in done.out


class TestPassphrase:
    def test_from_the_environment(self, tmp_path: Path) -> None:
        home = ["--home", str(tmp_path / "h")]
        assert spawn(*home, "init", env={PASSPHRASE: "correct horse"}).returncode == 0
        assert spawn(*home, "card", env={PASSPHRASE: "correct horse"}).returncode == 0
        wrong = spawn(*home, "card", env={PASSPHRASE: "battery"})
        assert (wrong.returncode, wrong.stdout) == (1, b"")
        assert is_one_line(wrong.stderr.decode())
        assert b"passphrase" in wrong.stderr
        missing = spawn(*home, "card")
        assert missing.returncode == 2
        assert f"set {PASSPHRASE}" in missing.stderr.decode()

    def test_asked_for_at_a_terminal_and_never_shown(self, tmp_path: Path) -> None:
        home = ["--home", str(tmp_path / "h")]
        with at_terminal([*home, "init", "--name", "farm"]) as terminal:
            terminal.wait_for("Passphrase for the keys: ")
            terminal.type("correct horse")
            terminal.wait_for("Repeat for confirmation: ")
            terminal.type("correct horse")
            assert terminal.finish() == 0
            assert "farm is node" in terminal.screen
            assert "horse" not in terminal.screen
        with at_terminal([*home, "peer", "show", "x"]) as terminal:
            terminal.wait_for(f"Passphrase of {tmp_path}/h: ")
            terminal.type("correct horse")
            assert terminal.finish() == 2
            assert "no peer is called x" in terminal.screen
        with at_terminal([*home, "card"]) as terminal:
            terminal.wait_for("Passphrase of ")
            terminal.wait_for(": ")
            terminal.type("wrong")
            assert terminal.finish() == 1
            assert "PANNIER1:" not in terminal.screen
            assert "Traceback" not in terminal.screen

    def test_two_that_differ_make_nothing(self, tmp_path: Path) -> None:
        with at_terminal(["--home", str(tmp_path / "h"), "init"]) as terminal:
            terminal.wait_for("Passphrase for the keys: ")
            terminal.type("one")
            terminal.wait_for("Repeat for confirmation: ")
            terminal.type("two")
            terminal.wait_for("do not match")
            terminal.wait_for("Passphrase for the keys: ")
            terminal.type("\x04")  # gives up
            assert terminal.finish() == 1
        assert not (tmp_path / "h").exists()


class TestCard:
    def test_is_one_line_that_says_who_the_node_is(self, farm: Computer) -> None:
        out = farm.types("card").out
        assert out.count("\n") == 1
        assert Card.from_text(out).name == "farm"

    def test_as_json(self, farm: Computer) -> None:
        card = Card.from_text(farm.types("card").out)
        assert farm.asks("card") == {
            "name": "farm",
            "node": card.node_id,
            "author": card.author.hex(),
            "fingerprint": card.fingerprint,
            "algorithms": ["X25519"],
            "card": card.to_text(),
        }

    def test_as_a_qr_code_with_name_and_fingerprint(self, farm: Computer) -> None:
        card = Card.from_text(farm.types("card").out)
        lines = farm.types("card", "--qr").lines
        assert lines[-1] == f"farm  {card.fingerprint}"
        assert len(lines) > 20
        assert set("".join(lines[:-1])) & set("▀▄█")

    def test_that_is_too_long_for_a_qr_code_shows_what_to_compare(self, tmp_path: Path) -> None:
        strong = new_computer(tmp_path, "strong", "--pq")
        card = Card.from_text(strong.types("card").out)
        done = strong.types("card", "--qr")
        assert "give the card as a file" in done.err
        assert done.lines[-1] == f"strong  {card.fingerprint}"
        code = segno.make(f"strong {card.fingerprint}", error="l")
        drawn = io.StringIO()
        code.terminal(out=drawn, compact=True)
        assert done.out.startswith(drawn.getvalue())

    def test_as_a_qr_code_at_a_terminal_that_is_wide_enough_or_not(self, farm: Computer) -> None:
        with at_terminal(["--home", str(farm.home), "card", "--qr"]) as terminal:
            assert terminal.finish() == 0
            assert "▄" in terminal.screen
        with at_terminal(["--home", str(farm.home), "card", "--qr"], columns=20) as terminal:
            assert terminal.finish() == 2
            assert "make it wider" in terminal.screen
            assert "▄" not in terminal.screen


class TestPeerAdd:
    def test_from_a_file_from_standard_input_and_as_text(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        text = home.types("card").out
        (tmp_path / "home.card").write_text(text)
        farm.types("peer", "rm", "home")
        first = farm.types("peer", "add", "home", str(tmp_path / "home.card"))
        assert Card.from_text(text).fingerprint in first.out
        farm.types("peer", "rm", "home")
        second = farm.types("peer", "add", "home", "-", stdin=text.encode())
        farm.types("peer", "rm", "home")
        third = farm.types("peer", "add", "home", f"  {text.lower()} ".strip())
        assert first.out == second.out == third.out

    def test_the_same_again_changes_nothing(self, pair: Pair) -> None:
        farm, home = pair
        before = farm.types("peer", "list").out
        farm.types("peer", "add", "home", home.types("card").out)
        assert farm.types("peer", "list").out == before

    @pytest.mark.parametrize(
        ("card", "said"),
        [
            (b"", "not a card"),
            (b"hello", "not a card"),
            (b"\xff\xfe\x00", "not a card"),
            (b"PANNIER1:", "deterministic|CBOR|card"),
            (b"PANNIER1:AAAA", "CBOR|card"),
            (b"PANNIER1:A1", "a letter is missing or wrong"),
            (b"x" * 100_000, "not a card"),
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_what_is_no_card_is_refused(self, farm: Computer, card: bytes, said: str) -> None:
        done = farm.types("peer", "add", "x", "-", stdin=card, status=1)
        assert any(words in done.err for words in said.split("|"))
        assert farm.asks("peer", "list") == []

    def test_an_altered_card_is_refused(self, pair: Pair) -> None:
        farm, home = pair
        card = altered(home.types("card").out)
        assert "was altered or copied badly" in farm.types("peer", "add", "x", card, status=1).err

    def test_a_card_with_fewer_keys_than_the_known_one_is_refused(
        self, farm: Computer, tmp_path: Path
    ) -> None:
        strong = new_computer(tmp_path, "strong", "--pq")
        farm.types("peer", "add", "strong", strong.types("card").out)
        before = farm.asks("peer", "list")
        with strong.node() as node:
            x25519 = node.card.keys[0]
            weaker = Card.sign(node.keys.signing, name="strong", keys=(x25519,))
        done = farm.types("peer", "add", "strong", weaker.to_text(), status=2)
        assert "promises less than the one known here (ML-DSA-44 and MLKEM768-X25519" in done.err
        assert farm.asks("peer", "list") == before

    def test_a_file_that_is_not_there(self, farm: Computer, tmp_path: Path) -> None:
        done = farm.types("peer", "add", "x", str(tmp_path / "nix.card"), status=1)
        assert "nix.card: No such file" in done.err
        assert "Is a directory" in farm.types("peer", "add", "x", str(tmp_path), status=1).err

    def test_its_own_card_is_refused(self, farm: Computer) -> None:
        card = farm.types("card").out
        assert "this node's own card" in farm.types("peer", "add", "me", card, status=2).err

    def test_a_name_that_is_taken_is_refused(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        third = new_computer(tmp_path, "third")
        done = farm.types("peer", "add", "home", third.types("card").out, status=2)
        assert "home is the name of another peer" in done.err
        done = farm.types("peer", "add", "house", home.types("card").out, status=2)
        assert "known already, as home" in done.err

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "a/b", "a\\b", "a:b", ".a", "a.", " a", "a\nb", "\udcff", "x" * 65]
    )
    def test_a_name_that_cannot_be_a_file_is_refused(self, pair: Pair, name: str) -> None:
        farm, home = pair
        farm.types("peer", "rm", "home")
        done = farm.types("peer", "add", "--", name, home.types("card").out, status=2)
        assert "cannot be a peer's name" in done.err
        assert farm.asks("peer", "list") == []

    @pytest.mark.parametrize("name", ["Zürich", "a b", "-", "x" * 64, "haus.am.see"])
    def test_any_other_name_will_do(self, pair: Pair, name: str) -> None:
        farm, home = pair
        farm.types("peer", "rm", "home")
        farm.types("peer", "add", "--", name, home.types("card").out)
        assert farm.types("peer", "show", "--", name).lines[0].startswith(f"{name}: home, node")

    @pytest.mark.parametrize("name", ["home", "a b.c"])
    def test_in_clear_is_written_down_and_said(self, pair: Pair, name: str) -> None:
        farm, home = pair
        farm.types("peer", "rm", "home")
        farm.configure('ledger = "farm"  # mine\n')
        done = farm.types("peer", "add", name, home.types("card").out, "--clear")
        assert f"Nothing to {name} is encrypted" in done.lines[-1]
        config = read_config(farm.home / "config.toml")
        assert (config.ledger, config.peer(name).clear) == ("farm", True)
        assert 'ledger = "farm"  # mine\n' in (farm.home / "config.toml").read_text()
        assert "Encryption: none" in farm.types("peer", "show", name).out
        again = farm.types("peer", "add", name, home.types("card").out)
        assert "take `clear = true` out there" in again.lines[-1]
        assert read_config(farm.home / "config.toml").peer(name).clear, "only its owner undoes it"


class TestPeers:
    def test_list(self, farm: Computer, tmp_path: Path) -> None:
        assert "`pannier peer add NAME CARD`" in farm.types("peer", "list").out
        assert farm.asks("peer", "list") == []
        home = new_computer(tmp_path, "home")
        farm.types("peer", "add", "house", home.types("card").out)
        (line,) = farm.types("peer", "list").lines
        card = Card.from_text(home.types("card").out)
        assert line.split() == ["house", card.node_id, card.fingerprint, "home"]
        assert farm.asks("peer", "list") == [{"peer": "house", **_dict(home.asks("card"))}]

    def test_show(self, sharers: Pair) -> None:
        farm, home = sharers
        shown = farm.types("peer", "show", "home")
        assert shown.lines[2:] == [
            "Keys: X25519", "Ledgers shared: farm",
            "Waiting for it: 0 bundles", "Heard from: never",
        ]  # fmt: skip
        asked = farm.asks("peer", "show", "home")
        facts = {"ledgers": ["farm"], "queued": 0, "heard": False, "clear": False}
        assert asked == {"peer": "home", **_dict(home.asks("card")), **facts}

    def test_nobody_of_that_name(self, pair: Pair) -> None:
        farm, _ = pair
        for words in (["show"], ["rm"]):
            done = farm.types("peer", *words, "nobody", status=2)
            assert "no peer is called nobody (known: home)" in done.err

    def test_rm_forgets_the_peer_and_what_waits_for_it(self, sharers: Pair, tmp_path: Path) -> None:
        farm, home = sharers
        farm.types("pack", "home", "--into", str(tmp_path / "out"))
        assert list((farm.home / "spool" / "out").rglob("*.bundle"))
        assert farm.types("peer", "rm", "home").out == "home is forgotten.\n"
        assert farm.asks("peer", "list") == []
        assert not list((farm.home / "spool" / "out").rglob("*.bundle"))
        names = [one["name"] for one in _list(farm.asks("ledger", "members"))]
        assert names == ["farm", "home"]
        farm.types("peer", "add", "home", home.types("card").out)

    def test_a_damaged_card_says_what_to_do_and_that_helps(self, pair: Pair) -> None:
        farm, home = pair
        path = farm.home / "cards" / "home.card"
        path.write_text("PANNIER1:AAAA")
        assert f"{path} is damaged" in farm.types("peer", "list", status=1).err
        assert "remove it" in farm.types("status", status=1).err
        path.unlink()
        farm.types("peer", "add", "home", home.types("card").out)
        assert farm.types("peer", "list").out.startswith("home ")


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
