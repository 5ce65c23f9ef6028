import json
import re
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import cbor2
import pytest

from tests.cli.computers import ROOT, Computer, Typed, environment, exchange, type_command
from tests.vectors import load

DOCUMENT = ROOT / "docs" / "proofs.md"
# Around each command of the document: a person who reads it stops where something does not hold.
STOPS = "set -eu\n"
Pair = tuple[Computer, Computer]
VECTORS = load("proof")
GOOD = [stem for stem, vector in VECTORS.items() if vector["expect"] == "success"]


def check(*words: str, stdin: bytes = b"", status: int = 0) -> Typed:
    """Run ``check-proof`` as somebody without a node."""
    done = type_command("check-proof", *words, stdin=stdin)
    assert done.status == status, done
    return done


def proof_of(computer: Computer, path: Path, *words: str) -> bytes:
    computer.types("prove", *words, "-o", str(path))
    return path.read_bytes()


@pytest.fixture
def written(farm: Computer) -> Computer:
    for thing, data in (("well", "4.2"), ("field/3", '{"moisture": 0.31}'), ("well", "4.1")):
        farm.types("put", thing, data, "--time", "2026-03-01T12:30", "--kind", "reading")
    return farm


class TestProve:
    def test_a_proof_says_what_it_proves_and_by_whom(
        self, written: Computer, tmp_path: Path
    ) -> None:
        path = tmp_path / "field-3.proof"
        said = written.types("prove", "field/3", "-o", str(path)).out
        fingerprint = _fingerprint(written)
        assert said == f"{path} proves that farm ({fingerprint}) signed this about field/3.\n"
        out = check(str(path)).out
        for wanted in (
            "Proven: farm signed this entry, under Ed25519.",
            fingerprint,
            "ledger       farm (",
            "thing        field/3",
            "kind         reading",
            'said         {"moisture": 0.31}',
            "place        entry 1 of log ",
            "among the first 3 entries, all signed",
            "Not proven:\n  the time: 2026-03-01 12:30:00 UTC is the word of farm",
            "who holds that key: compare the fingerprint, or say --card",
        ):
            assert wanted in out
        assert "may write in this ledger" not in out

    def test_the_newest_or_any_entry(self, written: Computer, tmp_path: Path) -> None:
        for words, data in ((("well",), 4.1), (("well", "--entry", "1"), 4.2)):
            path = tmp_path / f"{data}.proof"
            proof_of(written, path, *words)
            assert _checked(path)["data"] == data
        assert "has no line 3" in written.types("prove", "well", "--entry", "3", status=2).err
        beyond = written.types("prove", "well", "--entry", "9" * 30, status=2).err
        assert "see `pannier prove --help`" in beyond
        assert "nothing is known" in written.types("prove", "lake", status=2).err

    def test_a_file_is_named_by_the_entry_and_never_overwritten(
        self, written: Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        written.types("prove", "well")
        (path,) = tmp_path.glob("*.proof")
        before = path.read_bytes()
        assert "exists already" in written.types("prove", "well", status=2).err
        assert path.read_bytes() == before

    def test_a_proof_discloses_nothing_else(self, written: Computer, tmp_path: Path) -> None:
        data = proof_of(written, tmp_path / "proof", "field/3")
        assert b"moisture" in data
        assert b"well" not in data

    def test_by_whoever_holds_the_entry(self, sharers: Pair, tmp_path: Path) -> None:
        farm, home = sharers
        exchange(tmp_path / "stick", farm, home, farm)
        home.types("put", "roof", "1")
        exchange(tmp_path / "stick", home, farm)
        proof_of(farm, tmp_path / "proof", "roof")
        card = home.types("card").out.strip()
        out = check(str(tmp_path / "proof"), "--card", card).out
        assert "Proven: home signed" in out
        assert "that home may write in this ledger: its first admins are others" in out
        assert "who holds that key" not in out
        other = check(str(tmp_path / "proof"), "--card", farm.types("card").out, status=1)
        assert "whose key is not that of farm" in other.err

    def test_with_keys_against_quantum_computers_both_signatures_are_needed(
        self, tmp_path: Path
    ) -> None:
        quinn = Computer(tmp_path / "quinn")
        quinn.types("init", "--name", "quinn", "--no-passphrase", "--pq")
        quinn.types("put", "x", "1")
        data = proof_of(quinn, tmp_path / "proof", "x")
        assert "signed this entry, under Ed25519 and ML-DSA-44." in check("-", stdin=data).out
        assert follow(tmp_path / "x", data).returncode == 0
        fields = cbor2.loads(data)
        fields[8] = fields[8][:3]
        done = check("-", stdin=cbor2.dumps(fields, canonical=True), status=1)
        assert "second signature" in done.err

    def test_of_a_conflict_one_must_be_named(self, sharers: Pair, tmp_path: Path) -> None:
        farm, home = sharers
        exchange(tmp_path / "stick", farm, home)
        farm.types("put", "field/3", '"farm"')
        home.types("put", "field/3", '"home"')
        exchange(tmp_path / "stick", home, farm)
        assert "2 versions in conflict" in farm.types("prove", "field/3", status=2).err
        proof_of(farm, tmp_path / "proof", "field/3", "--entry", "3")
        assert _checked(tmp_path / "proof")["data"] == "home"


class TestCheckProof:
    def test_from_standard_input_and_as_json(self, written: Computer, tmp_path: Path) -> None:
        data = proof_of(written, tmp_path / "proof", "field/3")
        asked = check("-", "--json", stdin=data).json
        assert isinstance(asked, dict)
        assert asked["fingerprint"] == _fingerprint(written)
        assert (asked["thing"], asked["data"]) == ("field/3", {"moisture": 0.31})
        assert (asked["number"], asked["size"], asked["first_admin"]) == (1, 3, True)
        assert asked["time_unproven"] == 1_772_368_200_000_000

    @pytest.mark.parametrize(
        "stem", [stem for stem in VECTORS if "_" in stem and "proof" not in stem]
    )
    def test_what_is_no_proof_is_one_line(self, stem: str) -> None:
        data = bytes.fromhex(VECTORS[stem]["data"])
        done = check("-", stdin=data, status=1)
        assert done.out == ""
        assert done.err.startswith("pannier: ")
        assert done.err.count("\n") == 1

    @pytest.mark.parametrize("data", [b"", b"\x8a", bytes(100), b"\xff" * 100, b"\0" * (3 << 20)])
    def test_any_file_is_one_line(self, data: bytes) -> None:
        done = check("-", stdin=data, status=1)
        assert done.err.startswith("pannier: standard input is no proof, or was altered: ")
        assert done.err.count("\n") == 1

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        assert "No such file" in check(str(tmp_path / "nix"), status=1).err
        assert "Is a directory" in check(str(tmp_path), status=1).err

    def test_names_of_others_do_nothing_to_a_terminal(self, farm: Computer, tmp_path: Path) -> None:
        farm.types("put", "\u202eevil", '"\\u001b[31m"')
        data = proof_of(farm, tmp_path / "proof", "\u202eevil")
        assert all(line.isprintable() for line in check("-", stdin=data).lines)

    def test_a_device_is_the_word_of_who_signed(self) -> None:
        out = check("-", stdin=bytes.fromhex(VECTORS["proof_device"]["data"])).out
        assert "that sensor-7 said it: this is the word of farm" in out
        assert "said         0.3125" in out


class TestFiles:
    """What a proof of a file says of which file it is."""

    @staticmethod
    def proven(farm: Computer, folder: Path, content: bytes) -> tuple[Path, Path]:
        """Return a file that was added, and a proof of it."""
        file, proof = folder / "contract.txt", folder / "contract.proof"
        file.write_bytes(content)
        farm.types("ledger", "new", "docs")
        farm.types("add", str(file))
        proof_of(farm, proof, "contract.txt")
        return file, proof

    @pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, (3 << 20) - 7])
    def test_the_digests_are_those_of_its_contents(
        self, farm: Computer, tmp_path: Path, size: int
    ) -> None:
        content = bytes(range(251)) * (size // 251 + 1)
        file, proof = self.proven(farm, tmp_path, content[:size])
        digests = [
            sha256(content[start : min(start + (1 << 20), size)]).hexdigest()
            for start in range(0, size, 1 << 20)
        ]
        asked = _checked(proof)
        assert asked["file"] == {"size": size, "executable": False, "chunks": digests}
        logged = farm.asks("log")
        assert isinstance(logged, list)
        assert [one["file"] for one in logged] == [asked["file"]]
        out = check(str(proof)).out
        assert f"said         file, {size:,} bytes\n" in out
        assert all(digest in out for digest in digests)
        assert "which file of yours this is: compare the digests, or say --content" in out
        same = check(str(proof), "--content", str(file)).out
        assert f"which are    those of {file}\n" in same
        assert "say --content" not in same
        known = check(str(proof), "--content", str(file), "--json").json
        assert isinstance(known, dict)
        assert (known["content_known"], asked["content_known"]) == (True, False)

    def test_of_many_digests_some_are_shown(self, farm: Computer, tmp_path: Path) -> None:
        _, proof = self.proven(farm, tmp_path, bytes(18 << 20))
        out = check(str(proof)).out
        assert out.count(sha256(bytes(1 << 20)).hexdigest()) == 16
        assert "and 2 more: --json shows them all" in out

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda content: content[:-1], "bytes 1,048,576 to 1,048,579 are others"),
            (lambda content: content + b"x", "it is longer than 1,048,580 bytes"),
            (lambda content: b"x" + content[1:], "bytes 0 to 1,048,575 are others"),
            (lambda content: b"", "bytes 0 to 1,048,575 are others, or not there"),
        ],
    )
    def test_another_file_is_no_proven_one(
        self, farm: Computer, tmp_path: Path, change: Callable[[bytes], bytes], says: str
    ) -> None:
        file, proof = self.proven(farm, tmp_path, bytes((1 << 20) + 4))
        file.write_bytes(change(file.read_bytes()))
        done = check(str(proof), "--content", str(file), status=1)
        assert f"{file} is not the file that this proves: " in done.err
        assert says in done.err
        assert done.out == ""

    def test_what_cannot_be_compared_is_said(self, written: Computer, tmp_path: Path) -> None:
        proof_of(written, tmp_path / "proof", "well")
        words = [str(tmp_path / "proof"), "--content", str(tmp_path / "proof")]
        assert "no proof of a file" in check(*words, status=2).err
        assert _checked(tmp_path / "proof")["file"] is None


def commands() -> list[str]:
    """Return the commands of the document, a string for each step."""
    return re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)


def follow(folder: Path, data: bytes) -> subprocess.CompletedProcess[str]:
    """Do what the document says, with *data* as the proof."""
    folder.mkdir()
    (folder / "field-3.proof").write_bytes(data)
    return subprocess.run(
        ["bash", "-c", STOPS + "\n".join(commands())],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )


class TestTheDocument:
    """docs/proofs.md, word for word: openssl, sha256sum and the standard library."""

    def test_it_has_a_command_for_each_step(self) -> None:
        assert len(commands()) == DOCUMENT.read_text().count("\n**") == 5

    def test_a_proof_is_checked_without_pannier(self, written: Computer, tmp_path: Path) -> None:
        data = proof_of(written, tmp_path / "proof", "field/3")
        done = follow(tmp_path / "x", data)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Signature Verified Successfully") == 2
        assert 'payload: {"moisture": 0.31}' in done.stdout
        last = done.stdout.splitlines()[-1]
        assert last == _fingerprint(written).replace("-", "")

    @pytest.mark.parametrize("stem", GOOD)
    def test_every_good_vector_holds(self, stem: str, tmp_path: Path) -> None:
        assert follow(tmp_path / "x", bytes.fromhex(VECTORS[stem]["data"])).returncode == 0

    @pytest.mark.parametrize(
        "change",
        [
            lambda fields: fields.__setitem__(6, cbor2.dumps({"moisture": 0.9})),
            lambda fields: fields.__setitem__(7, bytes(16)),
            lambda fields: fields.__setitem__(4, 0),
            lambda fields: fields.__setitem__(9, fields[9][:-1]),
            lambda fields: fields.__setitem__(3, bytes(8)),
            lambda fields: fields.__setitem__(1, fields[1][:-1] + b"\x01"),
            lambda fields: fields.__setitem__(8, [*fields[8][:2], bytes(64)]),
            lambda fields: fields.__setitem__(2, fields[2].replace(b"farm", b"home")),
        ],
        ids=["payload", "salt", "place", "path", "log", "ledger", "signature", "name"],
    )
    def test_what_is_altered_is_noticed(
        self, change: Callable[[list[object]], None], tmp_path: Path
    ) -> None:
        fields = cbor2.loads(bytes.fromhex(VECTORS["proof"]["data"]))
        change(fields)
        assert follow(tmp_path / "x", cbor2.dumps(fields)).returncode != 0


def _checked(path: Path) -> dict[str, object]:
    asked = check(str(path), "--json").json
    assert isinstance(asked, dict)
    return asked


def _fingerprint(computer: Computer) -> str:
    asked = json.loads(computer.types("card", "--json").out)
    return str(asked["fingerprint"])
