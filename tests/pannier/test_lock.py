import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from pannier import lock
from pannier.errors import BusyError, PannierError
from pannier.lock import exclusive, sole_user
from tests.cli.computers import environment

HOLDER = """
import sys
from pathlib import Path
from pannier.lock import exclusive, sole_user
with exclusive(Path(sys.argv[1]), "at work"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time_and_the_next_one_after(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "send"
    with exclusive(path, "at work"):
        with (
            pytest.raises(BusyError, match="another pannier is at work; wait"),
            exclusive(path, "at work"),
        ):
            pytest.fail("two at a time")
        with exclusive(tmp_path / "locks" / "other", "elsewhere"):
            pass
    with exclusive(path, "at work"):
        pass
    assert path.read_bytes() == b""


def test_who_has_patience_gets_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as held:
        held.enter_context(exclusive(tmp_path / "x", "at work"))
        monkeypatch.setattr("pannier.lock.time.sleep", lambda _: held.close())
        with exclusive(tmp_path / "x", "waiting", patience_seconds=60):
            pass


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "x", "at work"):
        raise ZeroDivisionError
    with exclusive(tmp_path / "x", "at work"):
        pass


def test_the_system_lets_go_when_a_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BusyError), exclusive(path, "at work"):
            pytest.fail("two at a time")
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        with exclusive(path, "at work"):
            pass


def test_a_file_system_without_locks_is_not_called_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(lock, "_try_lock", refuse)
    with (
        pytest.raises(PannierError, match=r"cannot lock .*/x: ") as caught,
        exclusive(tmp_path / "x", "at work"),
    ):
        pytest.fail("not locked")
    assert not isinstance(caught.value, BusyError)


def test_a_lock_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(PannierError, match="cannot make the lock"),
        exclusive(tmp_path / "file" / "x", "at work"),
    ):
        pytest.fail("not locked")


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone", "x"), OSError(28, "full", "y")])
def test_what_goes_wrong_beside_a_file_in_use_by_nobody_is_told_as_it_is(
    tmp_path: Path, error: OSError, is_there: bool
) -> None:
    path = tmp_path / "x.db"
    if is_there:
        path.write_bytes(b"")
    with pytest.raises(OSError, match=str(error.strerror)) as raised, sole_user(path):
        raise error
    assert raised.value is error
