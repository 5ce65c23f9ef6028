"""A bounded run of the crash laboratory: of each operation a kill and an error of some sort."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proving.crash_lab import Fault, Lab, NotReachedError
from tests.proving.crash_operations import OPERATIONS
from tests.proving.crash_strace import Call, Launcher
from tests.transports.test_real_media import needs

_ERRORS = [fault for fault in Fault if fault is not Fault.KILLED]

pytestmark = [pytest.mark.root, needs("strace")]


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    with Launcher(tmp_path_factory.mktemp("launcher")) as made:
        yield made


@pytest.mark.parametrize(("number", "name"), list(enumerate(OPERATIONS)))
def test_harm_anywhere_loses_nothing(
    tmp_path: Path, launcher: Launcher, number: int, name: str
) -> None:
    lab = Lab(OPERATIONS[name], launcher, tmp_path)
    changes = [call for call in lab.calls if call.is_changing]
    naming = [call for call in changes if call.syscall.startswith(("rename", "link"))]
    killed = changes if number % 2 else naming or changes
    error = _ERRORS[number % len(_ERRORS)]
    reached = 0
    for call, fault in ((middle(killed), Fault.KILLED), (middle(changes), error)):
        try:
            lab.harm(call, fault)
        except NotReachedError:
            continue
        except AssertionError as failed:
            raise AssertionError(f"{fault.value} at {call}") from failed
        reached += 1
    assert reached


def middle(calls: list[Call]) -> Call:
    return calls[len(calls) // 2]
