import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bundler.errors import BundleError
from ledger.errors import BusyError as LedgerBusyError
from ledger.errors import DamagedError
from pannier.cli import root
from pannier.errors import BusyError, PannierError, PartlyDoneError, UsageError
from spool.errors import BusyError as SpoolBusyError
from spool.errors import FullError
from tests.cli.computers import (
    Computer,
    environment,
    is_one_line,
    new_computer,
    spawn,
    type_command,
)
from transports.errors import NotAMediumError

READERS = {
    ("card",), ("peer", "list"), ("peer", "show"), ("ledger", "list"), ("ledger", "members"),
    ("get",), ("log",), ("things",), ("verify",), ("exchange",), ("unpack",), ("status",),
    ("review", "list"), ("review", "show"), ("review", "accept"), ("review", "refuse"),
    ("check-proof",), ("ticket",), ("plan",),
}  # fmt: skip


HOMELESS = {("demo",), ("check-proof",)}
UNOPENED = {*HOMELESS, ("init",), ("peer",), ("ledger",), ("review",), ("link",)}
"""Commands that need no node, or do nothing of their own."""


def all_commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and subcommand with its words."""
    context = click.Context(root.pannier)
    for name in root.COMMANDS:
        command = root.pannier.get_command(context, name)
        assert command is not None
        yield (name,), command
        if isinstance(command, click.Group):
            for word, below in command.commands.items():
                yield (name, word), below


COMMANDS = dict(all_commands())


def test_readers_are_commands() -> None:
    assert set(COMMANDS) >= READERS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(words: tuple[str, ...]) -> None:
    done = type_command(*words, "--help")
    assert done.status == 0
    assert f"pannier {words[0]}" in done.out.partition("Example")[2]
    assert done.out == type_command(*words, "-h").out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_takes_the_options_that_it_should(words: tuple[str, ...]) -> None:
    options = {name for option in COMMANDS[words].params for name in option.opts}
    if not isinstance(COMMANDS[words], click.Group) and words not in HOMELESS:
        assert "--home" in options
    assert ("--json" in options) == (words in READERS)


def test_help_lists_every_command_on_one_line() -> None:
    lines = type_command("--help").lines
    for name, entrance in root.COMMANDS.items():
        (line,) = (line for line in lines if line.startswith(f"  {name} "))
        assert line.endswith(entrance.summary)


def test_no_command_at_all_shows_the_help_and_is_wrong_usage() -> None:
    for words in ((), ("peer",), ("ledger",), ("review",)):
        done = type_command(*words)
        assert (done.status, done.out) == (2, "")
        assert "Commands:" in done.err


def test_version() -> None:
    done = spawn("--version")
    assert (done.returncode, done.stdout) == (0, b"pannier, version 0.1.0\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frob"], "No such command 'frob'; see `pannier --help`"),
        (["get"], "Missing argument 'THING'; see `pannier get --help`"),
        (["peer", "frob"], "see `pannier peer --help`"),
        (["get", "x", "--frob"], "see `pannier get --help`"),
        (["log", "--limit", "0"], "see `pannier log --help`"),
        (["pack", "x", "--mtu", "47"], "see `pannier pack --help`"),
        (["pack", "x", "--mtu", "65565"], "see `pannier pack --help`"),
        (["ledger", "share", "x", "--role", "king"], "'reader', 'writer', 'admin'"),
        (["put"], "say THING and JSON, or --ndjson FILE"),
        (["put", "x"], "say THING and JSON, or --ndjson FILE"),
        (["put", "x", "1", "--from-line", "2"], "are for lines: say --ndjson FILE"),
        (["put", "--ndjson", "f", "x"], "each line says its own"),
        (["put", "--ndjson", "f", "--kind", ""], "each line says its own"),
        (["put", "--ndjson", "f", "--time", "0"], "each line says its own"),
        (["put", "--ndjson", "f", "--bytes"], "each line says its own"),
        (["get", "x", "--at", "yesterday"], "'yesterday' is no time"),
        (["get", "x", "--at", "²"], "'²' is no time"),
        (["get", "x", "--at", "9223372036854775808"], "further away than a time can be"),
        (["pack", "x", "--repair", "lots"], "write --repair 10%"),
        (["pack", "x", "--repair", "-1%"], "write --repair 10%"),
        (["pack", "x", "--repair", "²%"], "write --repair 10%"),
        (["pack", "x", "--repair", "1001%"], "write --repair 10%"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_that_says_what_to_do(
    farm: Computer, words: list[str], said: str
) -> None:
    done = farm.types(*words, status=2)
    assert done.out == ""
    assert said in done.err


@pytest.mark.parametrize(
    "words",
    [words for words in COMMANDS if words not in UNOPENED],
    ids=" ".join,
)
def test_without_a_node_every_command_says_how_to_make_one(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    more = {
        "add": ["x", "-"], "put": ["x", "1"], "pack": ["x"], "unpack": [str(tmp_path)],
        "checkout": [str(tmp_path)],
        "exchange": [str(tmp_path)], "backup": ["b"], "restore": ["b"],
        "get": ["x"], "delete": ["x"], "prove": ["x"], "show": ["x"], "rm": ["x"], "new": ["x"],
        "share": ["x"], "revoke": ["x"],
        "accept": ["x"], "refuse": ["x"],
        "serial": ["/dev/x", "x"], "tcp": ["x:1", "x"], "udp": ["x:1", "x"],
    }  # fmt: skip
    done = type_command("--home", str(tmp_path / "none"), *words, *more.get(words[-1], []))
    assert (done.status, done.out) == (2, "")
    assert done.err == f"pannier: {tmp_path}/none is not a node yet: run `pannier init`\n"
    assert not (tmp_path / "none").exists()


def test_home_is_named_before_or_after_the_command_or_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = {name: str(new_computer(tmp_path, name).home) for name in ("one", "two", "three")}
    monkeypatch.setenv("PANNIER_HOME", homes["one"])
    assert type_command("status").out.startswith("one,")
    assert type_command("--home", homes["two"], "status").out.startswith("two,")
    done = type_command("--home", homes["two"], "status", "--home", homes["three"])
    assert done.out.startswith("three,")


def test_the_home_folder_of_nobody_is_wrong_usage() -> None:
    done = type_command("--home", "~nobody-is-called-so", "status")
    said = "pannier: ~nobody-is-called-so: no such home folder; say --home with a whole path\n"
    assert (done.status, done.out, done.err) == (2, "", said)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PannierError("x"), 1),
        (UsageError("x"), 2),
        (PartlyDoneError("x"), 3),
        (BusyError("x"), 4),
        (LedgerBusyError("x"), 4),
        (SpoolBusyError("x"), 4),
        (DamagedError("x"), 1),
        (BundleError("x"), 1),
        (FullError("x"), 1),
        (NotAMediumError("x"), 1),
        (OSError(errno.ENOSPC, "x"), 1),
        (click.Abort(), 1),
        (KeyboardInterrupt(), 1),
        (ZeroDivisionError("x"), 1),
        (RecursionError("x"), 1),
    ],
    ids=lambda value: type(value).__qualname__,
)
def test_every_error_becomes_a_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(root.pannier, "main", fail)
    done = type_command("status")
    assert (done.status, done.out) == (status, "")
    assert is_one_line(done.err)


def test_a_bug_names_itself() -> None:
    message, status = root.explain(ZeroDivisionError("by nothing"))
    assert message == "a bug in pannier: ZeroDivisionError: by nothing; please report it"
    assert status == 1


def test_an_error_of_the_system_names_the_file() -> None:
    error = OSError(errno.EACCES, os.strerror(errno.EACCES), "/x/y")
    assert root.explain(error) == ("/x/y: Permission denied", 1)


def test_what_others_wrote_does_nothing_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise PannierError("one\x1b[31m\ntwo\u202e \x9b three")

    monkeypatch.setattr(root.pannier, "main", fail)
    assert type_command("status").err == "pannier: one [31m two three\n"


@pytest.mark.parametrize(
    "words",
    [("get",), ("log",), ("things",), ("delete",), ("put",), ("peer", "show"), ("exchange",)],
    ids=" ".join,
)
def test_names_that_are_not_utf8_are_refused(farm: Computer, words: tuple[str, ...]) -> None:
    farm.types("put", "x", "1")
    more = ["1"] if words == ("put",) else []
    done = spawn("--home", str(farm.home), *words, "\udcff", *more)
    assert done.returncode in (1, 2)
    assert is_one_line(done.stderr.decode())
    assert b"a bug in" not in done.stderr


def test_folders_with_names_that_are_not_utf8_are_carried_to(
    sharers: tuple[Computer, Computer],
) -> None:
    farm, home = sharers
    folder = Path(os.fsdecode(os.fsencode(farm.home.parent) + b"/st\xffck"))
    folder.mkdir()
    farm.types("exchange", str(folder))
    home.types("exchange", str(folder))
    assert "0.31" in home.types("get", "field/3").out
    farm.types("put", "x", "1")
    farm.types("pack", "home", "--into", str(folder))
    home.types("unpack", str(folder))
    assert home.types("get", "x").out == "1\n"


def test_a_reader_that_goes_away_is_no_error_to_tell_of(farm: Computer) -> None:
    farm.types("put", "--ndjson", "-", stdin=b'{"thing": "x", "data": "%s"}\n' % (b"y" * 900_000))
    with subprocess.Popen(
        [sys.executable, "-m", "pannier", "--home", str(farm.home), "get", "x"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_told_of(farm: Computer) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pannier", "--home", str(farm.home), "status"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        b"pannier: No space left on device; make room there, then try again\n",
    )


def test_without_standard_output_a_command_still_works(farm: Computer) -> None:
    command = 'exec "$0" -m pannier --home "$1" put x 1 >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(farm.home)],
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert farm.types("get", "x").out == "1\n"


@pytest.mark.parametrize(
    "words",
    [
        ("put", "x", "-"),
        ("put", "--ndjson", "-"),
        ("peer", "add", "home", "-"),
        ("check-proof", "-"),
        ("link", "decode", "-"),
    ],
    ids=" ".join,
)
def test_without_standard_input_nothing_can_be_read_from_it(
    farm: Computer, words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m pannier "$@" <&-', sys.executable, *words],
        capture_output=True,
        env=environment(PANNIER_HOME=str(farm.home)),
        timeout=60,
        check=False,
    )
    said = b"pannier: nothing can be read from standard input: it is closed; name a file\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", said)


def test_a_terminal_of_few_letters_shows_the_others_escaped(farm: Computer) -> None:
    farm.types("put", "Zürich", '"5 €"')
    done = spawn("--home", str(farm.home), "log", env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0
    assert done.stdout.endswith(b'farm: Z\xfcrich  "5 \\u20ac"\n')


def test_a_damaged_row_is_told_with_what_mends_it() -> None:
    message, status = root.explain(DamagedError("the ledger file is damaged: a cover was altered"))
    assert message.endswith("`pannier verify --repair` mends it")
    assert status == 1
