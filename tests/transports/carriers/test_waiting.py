import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from transports.carriers.waiting import wait_for

BEYOND_SELECT = 1_500


@pytest.fixture
def ends() -> Iterator[list[socket.socket]]:
    """The two ends of a pipe, under descriptors that select() does not know."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, BEYOND_SELECT + 10), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        found = []
        for number, end in enumerate(socket.socketpair()):
            os.dup2(end.fileno(), BEYOND_SELECT + number)
            end.close()
            found.append(stack.enter_context(socket.socket(fileno=BEYOND_SELECT + number)))
        yield found


def test_what_can_be_read_or_written_is_told_whatever_its_number(
    ends: list[socket.socket],
) -> None:
    one, other = ends
    assert wait_for(0, reading=ends) == set()
    assert wait_for(None, reading=[one], writing=[other]) == {other.fileno()}
    other.send(b"!")
    assert wait_for(None, reading=[one]) == {one.fileno()}
    assert wait_for(None, reading=[one.fileno()], writing=[one]) == {one.fileno()}


def test_it_waits_for_so_long_and_no_longer() -> None:
    assert wait_for(0.001) == set()
