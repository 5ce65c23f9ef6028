"""Checking out where case does not count and all files have one mode: onto FAT and exFAT."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pannier import ledgers
from pannier.checked_out import CheckedOut, CheckoutOptions
from pannier.node import Node
from tests.cli.computers import new_computer
from tests.pannier.folders import check_out, delete, put_file, tree
from tests.proving.media_images import EXFAT, FAT, new_image, own_mounts, plugged
from tests.transports.test_real_media import needs

pytestmark = [pytest.mark.root, needs(*EXFAT.tools, *FAT.tools)]
DELETE = CheckoutOptions(delete=True)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with new_computer(tmp_path, "farm").node() as node:
        ledgers.new_ledger(node, "weather")
        yield node


Visit = Callable[..., tuple[CheckedOut, dict[str, str], Mapping[str, bytes]]]


@pytest.fixture(params=[EXFAT, FAT], ids=lambda form: form.name)
def visit(request: pytest.FixtureRequest, tmp_path: Path, node: Node) -> Visit:
    """What plugs in a stick and checks out; it returns what came of it, and what is there then.

    It is plugged in each time: drivers in user space remember for a second what they were asked.
    """
    own_mounts()
    image = new_image(tmp_path / "stick.img", request.param)

    def visit(
        options: CheckoutOptions | None = None,
    ) -> tuple[CheckedOut, dict[str, str], Mapping[str, bytes]]:
        with plugged(image, request.param, tmp_path / "mnt") as stick:
            return *check_out(node, stick / "out", options=options), tree(stick / "out")

    return visit


def test_what_cannot_be_told_apart_by_its_mode_is_not_written_anew(
    node: Node, visit: Visit
) -> None:
    put_file(node, "d/run", b"#!/bin/sh", executable=True)
    put_file(node, "d/text", b"text")
    assert visit()[0].files == 2
    done, skipped, there = visit()
    assert (done.files, done.same, skipped) == (0, 2, {})
    assert there == {"d/run": b"#!/bin/sh", "d/text": b"text"}


@pytest.mark.parametrize(("old", "new"), [("d/a.txt", "d/A.TXT"), ("d/B", "D/b")])
def test_a_file_that_is_spelled_otherwise_now_stays(
    node: Node, visit: Visit, old: str, new: str
) -> None:
    put_file(node, old, b"same", executable=True)
    visit()
    delete(node, old)
    put_file(node, new, b"same", executable=True)
    for _ in range(3):
        done, skipped, there = visit(DELETE)
        assert (done.same, done.removed, skipped) == (1, 0, {})
        assert list(there.values()) == [b"same"]


@pytest.mark.parametrize(("old", "new"), [("a.txt", "A.TXT"), ("B", "b")])
def test_one_with_another_content_takes_its_place_and_stays(
    node: Node, visit: Visit, old: str, new: str
) -> None:
    put_file(node, old, b"before", executable=True)
    visit()
    delete(node, old)
    put_file(node, new, b"changed", executable=True)
    for _ in range(2):
        visit(DELETE)
    for _ in range(2):
        done, skipped, there = visit(DELETE)
        assert (done.same, done.removed, skipped) == (1, 0, {})
        assert there == {new: b"changed"}
